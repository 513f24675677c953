//! A secret that slipped through, after it was taken out of the journal: what becomes of the messages that showed
//! it, whether it comes back from the job cache, and what a kill in the middle leaves.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fake_slack::{By, Channel};

use crate::app::{App, Manner, all};
use crate::cache::{Cache, jid_of_now};
use crate::chance::{Chance, rounds};
use crate::events::{Event, bad, highstate, jid, new_job, ret_of, text};
use crate::faults::{read_log, shim};
use crate::journal::{number, verify_chain};

/// No rule knows it.
const SECRET: &str = "Tr0ub4dor-3";

fn scrubber(journal: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_salt-herald"));
    command.args(["scrub", "--reason", "the password of db1", "--journal"]).arg(journal);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(mut command: Command, secret: &str) -> Output {
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn scrub(app: &App) -> String {
    let output = run(scrubber(&app.journal()), SECRET);
    assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn login(jid: &str) -> [Event; 2] {
    let arg = vec![text(&format!("login alice {SECRET}"))];
    [
        new_job(jid, "cmd.run", arg.clone(), &["web1"]),
        ret_of(jid, "web1", "cmd.run", arg, text(&format!("{SECRET} is fine")), 0),
    ]
}

/// Whether the secret stands in any file of the journal's.
fn is_held(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let mut journals =
        files.filter(|file| file.file_name().to_string_lossy().starts_with("journal.db"));
    journals.any(|file| {
        let bytes = std::fs::read(file.path()).unwrap();
        bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
    })
}

/// How many messages say something.
fn saying(channel: &Channel, part: &str) -> usize {
    channel.messages.iter().filter(|message| message.content.shown().contains(part)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_messages_that_showed_it_are_rewritten_and_no_others() {
    let mut app = App::new(Manner::Both).await;
    app.start().await;
    app.bus.send([new_job(&jid(1), "cmd.run", vec![text("uptime")], &["web1"])]);
    app.bus.send([ret_of(&jid(1), "web1", "cmd.run", vec![text("uptime")], text("3 days"), 0)]);
    app.said("uptime", |channel| saying(channel, "uptime") == 2).await;
    app.bus.send([highstate(&jid(2), &["web1"])]);
    app.said("a highstate", |channel| saying(channel, "state.highstate") == 2).await;
    app.bus.send([bad(&jid(2), "web1", &format!("{SECRET} was refused"))]);
    app.said("what failed", |channel| saying(channel, "was refused") == 2).await;
    app.bus.send(login(&jid(3)));
    app.said("the command", |channel| saying(channel, "login alice") == 2).await;
    app.until_over(3).await;
    app.stop().await;
    assert!(is_held(app.folder.path()));
    let said = scrub(&app);
    assert!(!is_held(app.folder.path()), "{said}");
    let stuck: Vec<&str> =
        said.lines().filter(|line| line.starts_with("! a message that may show it")).collect();
    // A webhook's can't be edited: of the highstate, how that ended, and of the command.
    assert!(stuck.len() == 3 && stuck.iter().all(|line| line.contains(": webhook, ")), "{said}");
    let before = app.slack.channel();
    app.bus.hang_up();
    app.start().await;
    app.said("no secret of the bot's", |channel| !is_said_by(channel, By::Bot)).await;
    app.stop().await;
    let after = app.slack.channel();
    assert!(saying(&after, "hidden_") == 1 && is_said_by(&after, By::Webhook));
    assert_eq!(after.messages.len(), before.messages.len(), "nothing is said again");
    let edits = |channel: &Channel| -> Vec<usize> {
        channel.messages.iter().map(|message| message.edits.len()).collect()
    };
    let pairs = edits(&before).into_iter().zip(edits(&after));
    // The command's, and the thread of the state that failed.
    assert_eq!(pairs.filter(|(one, other)| one != other).count(), 2, "{:#?}", after.changes);
    // The failed run's own message says what it should.
    assert_eq!(number(&app.journal(), "SELECT count(*) FROM delivery WHERE version = 0"), 1);
    verify_chain(&app.journal());
}

fn is_said_by(channel: &Channel, by: By) -> bool {
    let shown = |message: &fake_slack::Message| message.content.shown().contains(SECRET);
    channel.messages.iter().any(|message| message.by == by && shown(message))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_job_cache_still_holds_of_it_does_not_come_back() {
    let mut app = App::started().await;
    let cache = Cache::of(&app);
    let jid = jid_of_now();
    let command = format!("login alice {SECRET}");
    cache.job_with(&jid, "cmd.run", &command, &["web1"]);
    app.bus.send(login(&jid));
    cache.returns(&jid, "web1", 0);
    // One that is open over the restart, and ends meanwhile: with a return that says nothing of it.
    let open = jid_of_now();
    cache.job_with(&open, "cmd.run", &command, &["web2"]);
    app.bus.send([new_job(&open, "cmd.run", vec![text(&command)], &["web2"])]);
    app.until_over(1).await;
    app.until_began(2).await;
    app.stop().await;
    scrub(&app);
    assert!(!is_held(app.folder.path()));
    cache.returns(&open, "web2", 0);
    app.bus.hang_up();
    app.start().await;
    app.until_over(2).await;
    app.until("a gap that is filled", |journal| {
        let gaps = journal.gaps(9).unwrap();
        gaps.iter().all(|gap| gap.filled.is_some()).then_some(())
    })
    .await;
    // The same comes once more: these contents are known, and stay as they are.
    let again = ret_of(&jid, "web1", "cmd.run", vec![], text(&format!("{SECRET} is fine")), 0);
    app.bus.send([again]);
    app.bus.send([highstate("20261122183000000077", &["web9"])]);
    app.until_began(3).await;
    let runs = app.reader().runs(&all()).unwrap();
    assert!(runs.iter().all(|run| !run.head.command.contains(SECRET)), "{runs:?}");
    app.stop().await;
    assert!(!is_held(app.folder.path()));
    verify_chain(&app.journal());
    // What comes in another way is as new as the first time: nobody knows it any more.
    app.bus.hang_up();
    app.start().await;
    let other = jid_of_now();
    let arg = vec![text(&format!("again {SECRET}"))];
    app.bus.send([new_job(&other, "cmd.run", arg, &["web1"])]);
    app.until_began(4).await;
    app.stop().await;
    assert!(is_held(app.folder.path()), "docs/scrub.md says so");
    scrub(&app);
    assert!(!is_held(app.folder.path()));
    assert_eq!(number(&app.journal(), "SELECT count(*) FROM entry WHERE kind = 22"), 2);
    verify_chain(&app.journal());
}

#[test]
fn killed_at_any_write_of_it_beginning_anew_completes_it() {
    let mut chance = Chance::new();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal.db");
    let bus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses/3008.bus");
    salt_herald::daemon::replay(&bus, &path).unwrap();
    // As if that were a secret: it stands in what many states returned.
    let sought = "Success!";
    let before = std::fs::read(&path).unwrap();
    let log = place.path().join("log");
    let mut command = scrubber(&path);
    command.env("LD_PRELOAD", shim()).env("FAULT_FOLDER", place.path()).env("FAULT_LOG", &log);
    let done = run(command, sought);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let log = std::fs::read(log).unwrap();
    let ops = read_log(&log);
    assert!(ops.len() > 40, "{}", ops.len());
    let mut done_before = 0;
    for round in 0..rounds(24, 1500) {
        // The last write, too.
        let moment =
            if round == 0 { ops.len() - 1 } else { chance.below(ops.len() as u64) as usize };
        let mut files = [before.clone(), Vec::new()];
        for (at, op) in ops[..=moment].iter().enumerate() {
            let length = op.data.len();
            let part = if at == moment { chance.below(length as u64 + 1) as usize } else { length };
            match op.file {
                b'd' => op.redo(&mut files[0], part),
                b'w' => op.redo(&mut files[1], part),
                _ => {}
            }
        }
        eprintln!("killed in operation {moment} of {}", ops.len());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::write(&path, &files[0]).unwrap();
        std::fs::write(folder.path().join("journal.db-wal"), &files[1]).unwrap();
        std::fs::copy(
            place.path().join("journal.db.marks"),
            folder.path().join("journal.db.marks"),
        )
        .unwrap();
        verify_chain(&path);
        done_before += count_scrubs(&path);
        let is_done = count_scrubs(&path) == 1;
        let again = run(scrubber(&path), sought);
        // Where to look for it is told though it is not found any more.
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert_eq!(said.contains("show run N tells of their messages"), is_done, "{said}");
        assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let bytes = std::fs::read(file.path()).unwrap();
            let is_in = bytes.windows(sought.len()).any(|part| part == sought.as_bytes());
            assert!(!is_in, "{:?}", file.path());
        }
        verify_chain(&path);
        assert_eq!(count_scrubs(&path), 1, "it is said once");
    }
    assert!(done_before > 0, "none was killed after it was recorded");
}

fn count_scrubs(path: &Path) -> i64 {
    number(path, "SELECT count(*) FROM entry WHERE kind = 22")
}
