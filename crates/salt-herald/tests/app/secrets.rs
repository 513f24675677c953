//! The whole corpus of secrets through the daemon: no secret of it is in any file of the journal's, or in what is
//! said. Its log is not read here.

use std::collections::HashMap;
use std::path::Path;

use fake_slack::Channel;
use herald_core::python;
use salt_event::Value;

use crate::app::{App, Manner};
use crate::events::{Event, jid, new_job, ret_of, text};
use crate::journal::open;

const COMMANDS: &str = include_str!("../../../herald-core/tests/corpus/secret_commands.txt");
const PILLARS: &str = include_str!("../../../herald-core/tests/corpus/secret_pillars.txt");
const TEXTS: &str = include_str!("../../../herald-core/tests/corpus/secret_texts.txt");

/// A case, and what is secret in it.
fn read(marked: &str) -> (String, Vec<String>) {
    let marked = marked.replace('‖', "");
    let secrets = marked.split('⟦').skip(1).filter_map(|part| part.split('⟧').next());
    // Digits alone stand in times, too.
    let secrets = secrets.filter(|it| !it.bytes().all(|byte| byte.is_ascii_digit()));
    (marked.replace(['⟦', '⟧'], ""), secrets.map(str::to_owned).collect())
}

fn cases(table: &'static str) -> impl Iterator<Item = (String, Vec<String>)> {
    table.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).map(read)
}

/// A job that is given something, and a return that says it again.
fn job(number: u32, fun: &str, arg: Vec<Value<'static>>, said: Value<'static>) -> [Event; 2] {
    let jid = jid(number);
    [
        new_job(&jid, fun, arg.clone(), &["web1"]),
        ret_of(&jid, "web1", fun, arg, said, i64::from(number.is_multiple_of(7))),
    ]
}

/// All jobs of the corpus, and all its secrets.
fn corpus() -> (Vec<Event>, Vec<String>) {
    let (mut events, mut secrets) = (Vec::new(), Vec::new());
    let mut number = 0;
    let mut add = |fun: &str, arg: Vec<Value<'static>>, said, more: Vec<String>| {
        number += 1;
        events.extend(job(number, fun, arg, said));
        secrets.extend(more);
    };
    for (command, more) in cases(COMMANDS) {
        add("cmd.run", vec![text(&command)], text(&format!("+ {command}\nfailed")), more);
    }
    for (pillar, more) in cases(PILLARS) {
        let value = python::read(&pillar).unwrap_or_else(|| panic!("{pillar}"));
        add("state.apply", vec![text("web"), value.clone()], value, more);
    }
    for (shown, more) in TEXTS.split("%%\n").skip(1).map(read) {
        add("file.read", vec![text("/etc/app.conf")], text(&shown), more);
    }
    (events, secrets)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_the_corpus_leaves_the_daemon() {
    let mut app = App::new(Manner::Both).await;
    app.start().await;
    let (events, secrets) = corpus();
    assert!(secrets.len() > 450, "{}", secrets.len());
    let runs = events.len() / 2;
    app.bus.send(events);
    app.until_over(runs).await;
    assert_clean(app.folder.path(), &secrets);
    open(&app.journal()).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_or_default();
    app.stop().await;
    assert_clean(app.folder.path(), &secrets);
    assert_silent(&app.slack.channel(), &secrets);
}

fn assert_clean(folder: &Path, secrets: &[String]) {
    let mut journals = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            journals += usize::from(path.to_string_lossy().contains("journal"));
            let shown = found(&std::fs::read(&path).unwrap(), secrets);
            assert!(shown.is_empty(), "{shown:?} in {path:?}");
        }
    }
    assert!(journals >= 2, "the journal and its lock at least");
}

/// Which secrets stand in some bytes. They are looked for by their first four.
fn found<'s>(bytes: &[u8], secrets: &'s [String]) -> Vec<&'s str> {
    let mut by_start: HashMap<&[u8], Vec<&str>> = HashMap::new();
    for secret in secrets {
        by_start.entry(&secret.as_bytes()[..4]).or_default().push(secret);
    }
    let mut shown = Vec::new();
    for (at, start) in bytes.windows(4).enumerate() {
        let likely = by_start.get(start).into_iter().flatten();
        shown.extend(likely.filter(|secret| bytes[at..].starts_with(secret.as_bytes())));
    }
    shown
}

fn assert_silent(channel: &Channel, secrets: &[String]) {
    let all = format!("{:?} {:?}", channel.messages, channel.changes);
    let shown = found(all.as_bytes(), secrets);
    assert!(shown.is_empty(), "{shown:?} in the channel");
}
