//! The whole corpus of secrets through the daemon: no secret of it is in any file of the journal's, or in what is
//! said. What is printed and logged is read in `leaks.rs`.

use std::collections::HashMap;
use std::path::Path;

use fake_slack::Channel;
use herald_core::python;
use salt_event::Value;

use crate::app::{App, Manner};
use crate::events::{Event, jid, map, new_job, ret_of, text};
use crate::journal::{number, open};

pub(crate) const COMMANDS: &str =
    include_str!("../../../herald-core/tests/corpus/secret_commands.txt");
const PILLARS: &str = include_str!("../../../herald-core/tests/corpus/secret_pillars.txt");
pub(crate) const TEXTS: &str = include_str!("../../../herald-core/tests/corpus/secret_texts.txt");

const TOKENS: &str = include_str!("../../../herald-core/tests/corpus/secret_tokens.txt");

/// A case, and what is secret in it.
pub(crate) fn read(marked: &str) -> (String, Vec<String>) {
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
pub(crate) fn corpus() -> (Vec<Event>, Vec<String>) {
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
    for (line, more) in cases(TOKENS) {
        add("cmd.run", vec![text("tail /var/log/app.log")], text(&line), more);
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

pub(crate) fn assert_clean(folder: &Path, secrets: &[String]) {
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
pub(crate) fn found<'s>(bytes: &[u8], secrets: &'s [String]) -> Vec<&'s str> {
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

/// What a site wants to be kept nowhere, each with the word that must not be found.
fn of_a_site() -> (Vec<Event>, Vec<String>) {
    let (key, pattern, given, returned, alone, state) = (
        "Kilo-Alpha",
        "LIC-0123ABCD",
        "Gift-Echo-77",
        "Ret-Foxtrot-88",
        "Hsm-Golf-99",
        "State-Hotel",
    );
    let keywords = map(vec![("__kwarg__", Value::Bool(true)), ("licence_code", text(key))]);
    let secret_state = state_of("deploy", state);
    let [issued, issues] =
        job(21, "acme.issue", vec![text(given)], text(&format!("issued {returned} for {given}")));
    let [asked, answers] =
        job(28, "cmd.run", vec![text("show")], text(&format!("it works on {given}")));
    let mut events = vec![issued, asked, answers, issues];
    events.extend(
        [
            job(7, "acme.activate", vec![keywords], text("activated")),
            job(14, "cmd.run", vec![text("show")], text(&format!("code {pattern} is used"))),
            on("hsm1", 35, "cmd.run", vec![text(&format!("unlock {alone}"))], text(alone)),
            job(42, "state.apply", vec![text("web")], secret_state),
        ]
        .concat(),
    );
    let words = [key, pattern, given, returned, alone, state];
    (events, words.map(str::to_owned).to_vec())
}

fn on(
    minion: &str,
    number: u32,
    fun: &str,
    arg: Vec<Value<'static>>,
    said: Value<'static>,
) -> [Event; 2] {
    let jid = jid(number);
    [new_job(&jid, fun, arg.clone(), &[minion]), ret_of(&jid, minion, fun, arg, said, 1)]
}

/// A state that failed with changes.
fn state_of(id: &str, said: &str) -> Value<'static> {
    let result = map(vec![
        ("__id__", text(id)),
        ("__sls__", text("app.secrets")),
        ("__run_num__", Value::Int(0)),
        ("result", Value::Bool(false)),
        ("comment", text(said)),
        ("changes", map(vec![("diff", text(said))])),
        ("name", text("/etc/app")),
        ("duration", Value::Float(1.5)),
    ]);
    map(vec![("file_|-deploy_|-/etc/app_|-managed", result)])
}

const SITE: &str = "\
redact:
  keys: [licence_code]
  patterns: ['LIC-[0-9A-F]{8}']
  functions: {acme.issue: both}
  minions: ['hsm*']
  states: ['*.secrets']
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_site_wants_kept_nowhere_is_nowhere_and_failures_are_known() {
    let mut app = App::new(Manner::Both).await;
    app.more = SITE.to_owned();
    app.start().await;
    let (events, secrets) = of_a_site();
    let runs = events.len() / 2;
    app.bus.send(events);
    app.until_over(runs).await;
    open(&app.journal()).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_or_default();
    let count = |what: &str| {
        number(&app.journal(), &format!("SELECT count(*) FROM \"return\" WHERE {what}"))
    };
    let (failed, changed) = (count("failed"), count("changed"));
    app.stop().await;
    assert_clean(app.folder.path(), &secrets);
    assert_silent(&app.slack.channel(), &secrets);
    assert_eq!((failed, changed), (runs as i64, 1), "what it came to is known");
    let all = std::fs::read(app.journal()).unwrap();
    for rule in ["functions", "minions", "states"] {
        let word = format!("[not kept by redact.{rule}]");
        assert!(all.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
    }
}
