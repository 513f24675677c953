//! A journal from which is taken what is old or too much, while the app runs: killed in the middle of it,
//! and with a sink that was not told of what goes.

use std::path::Path;
use std::time::{Duration, Instant};

use fake_slack::Channel;
use rustix::process::Signal;
use salt_herald::store::{Journal, JournalReader};
use sha2::{Digest, Sha256};

use crate::app::{App, Manner, shows};
use crate::chance::{Chance, rounds};
use crate::crash::Process;
use crate::events::{good, jid, new_job, text};
use crate::journal::{MADE, dump, number, open, verify_chain};

/// How long it is waited until a portion was taken out.
const SOON: Duration = Duration::from_secs(60);

/// Lets all that is in a journal be of some days ago.
fn make_older(path: &Path, days: u32) {
    let connection = open(path);
    for sql in [
        format!("UPDATE day SET day = day - {days}"),
        // As if it had run all the time: else the clock would be followed slowly.
        "INSERT OR REPLACE INTO meta VALUES ('aged_to', unixepoch() / 86400)".to_owned(),
        format!("UPDATE used SET loud = max(loud - {days}, 0), quiet = max(quiet - {days}, 0)"),
        // What is not signed for is not taken out, and the next hour's checkpoint is not waited for.
        "INSERT OR REPLACE INTO meta VALUES ('put_back', 1)".to_owned(),
    ] {
        connection.execute(&sql, []).unwrap();
    }
}

/// Contents of a megabyte each, as if an entry needed them, or a return named them on a day.
fn add_contents(path: &Path, count: u32, entry: u32, day: u32) {
    let connection = open(path);
    // Far behind what a writer that runs gives the next numbers from.
    let last = number(path, "SELECT max(id) + 1000000 FROM payload");
    for id in (last + 1..).take(count as usize) {
        let mut bytes = vec![0; 1 << 20];
        bytes[..8].copy_from_slice(&id.to_be_bytes());
        let digest = Sha256::digest(&bytes).to_vec();
        let sql = "INSERT INTO payload VALUES (?1, ?2, 5, ?3)";
        connection.execute(sql, rusqlite::params![id, digest, bytes]).unwrap();
        let sql = "INSERT INTO used VALUES (?1, ?2, ?3, 0, 1 << 20)";
        connection.execute(sql, rusqlite::params![id, entry, day]).unwrap();
    }
}

/// How much is left, in numbers that get smaller as something is taken out.
fn left(path: &Path) -> [i64; 3] {
    ["SELECT count(*) FROM run", "SELECT count(*) FROM entry", "SELECT count(*) FROM used"]
        .map(|sql| number(path, sql))
}

/// A journal with runs of a year and a half ago, and too much of it.
async fn full(app: &mut App, runs: u32) {
    app.more = "announce: {quiet: ['*']}\n".to_owned();
    app.start().await;
    for n in 1..=runs {
        let arg = vec![text(&format!("echo {n}"))];
        app.bus.send([new_job(&jid(n), "cmd.run", arg, &["web1"]), good(&jid(n), "web1", false)]);
    }
    app.until_over(runs as usize).await;
    app.stop().await;
    app.bus.hang_up();
    make_older(&app.journal(), 500);
    add_contents(&app.journal(), 80, 0, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_while_it_takes_out_what_is_old_the_journal_is_whole() {
    let mut chance = Chance::new();
    let mut app = App::new(Manner::Bot).await;
    full(&mut app, 300).await;
    app.keeping = "  keep: 30d\n  max_size: 64MiB\n";
    let path = app.journal();
    let before = left(&path);
    let mut in_the_middle = 0;
    for round in 0..rounds(8, 60) {
        let started = left(&path);
        let process = Process::start_with(&app, &[]);
        // The first time at the first that goes, so that something is left on a busy machine, too.
        let wait = if round == 0 { 0 } else { chance.below(12) };
        let until = Instant::now() + SOON;
        let mut seen = (started, 0);
        while seen.1 <= wait {
            assert!(
                Instant::now() < until,
                "nothing is taken out: {seen:?} {:?}",
                dump(&path, "sink")
            );
            let now = left(&path);
            if now != seen.0 {
                seen = (now, seen.1 + 1);
            }
            if now[2] < 40 && now[0] == 0 {
                break;
            }
        }
        process.signal(Signal::KILL);
        drop(process);
        let now = left(&path);
        in_the_middle += u32::from(now[0] > 0 || now[2] > 40);
        verify_chain(&path);
        let whole: String =
            open(&path).query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
        JournalReader::open(&path).unwrap().extent().unwrap();
    }
    assert!(in_the_middle > 0, "it was never killed in the middle");
    // And then it comes to its end.
    app.start().await;
    app.until("an empty journal", |_| (left(&path)[0] == 0).then_some(())).await;
    app.until("the file to be short", |journal| {
        let extent = journal.extent().unwrap();
        (extent.file < 8 << 20).then_some(())
    })
    .await;
    app.stop().await;
    verify_chain(&path);
    assert!(left(&path)[1] < before[1] / 2, "{before:?} became {:?}", left(&path));
    let made = MADE.map(|table| dump(&path, table));
    Journal::rebuild(&path).unwrap();
    assert!(
        MADE.map(|table| dump(&path, table)) == made,
        "the tables are not what the entries say"
    );
}

/// Runs that one of two sinks is told of, and the other one, which may not speak, is not.
async fn told_at_one_only(app: &mut App) {
    app.limits.grace = Duration::from_millis(100);
    app.slack.change_options(|options| options.token = "another".to_owned());
    app.start().await;
    for n in 1..=3 {
        let arg = vec![text(&format!("echo {n}"))];
        app.bus.send([new_job(&jid(n), "cmd.run", arg, &["web1"]), good(&jid(n), "web1", false)]);
    }
    app.until_over(3).await;
    app.said("all of it at the other", |channel| shows(channel, "echo 3")).await;
    app.until("the trouble", |journal| {
        journal.sinks().unwrap().iter().any(|sink| sink.failing_since.is_some()).then_some(())
    })
    .await;
}

/// Lets nobody have mended the one sink for longer than a week, and the other one be told of all.
fn make_trouble_older(path: &Path) {
    let connection = open(path);
    for sql in [
        "UPDATE sink SET failing_since = (unixepoch() - 9 * 86400) * 1000000 WHERE name = 'bot'",
        "UPDATE sink SET settled = (SELECT max(version) FROM run) WHERE name = 'webhook'",
    ] {
        connection.execute(sql, []).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_was_away_for_long_is_told_what_it_will_not_hear() {
    let mut app = App::new(Manner::Both).await;
    told_at_one_only(&mut app).await;
    app.stop().await;
    app.bus.hang_up();
    let path = app.journal();
    make_older(&path, 40);
    add_contents(&path, 60, 5, 0);
    make_trouble_older(&path);
    app.keeping = "  max_size: 64MiB\n";
    app.start().await;
    app.until("what is not told", |journal| {
        (!journal.not_told(9).unwrap().is_empty()).then_some(())
    })
    .await;
    app.stop().await;
    app.bus.hang_up();
    verify_chain(&path);
    let not_told = app.reader().not_told(9).unwrap();
    assert!(not_told.iter().all(|one| one.unsaid.sink == "bot"), "{not_told:?}");
    assert_eq!(not_told.iter().map(|one| one.unsaid.runs).sum::<u64>(), 3);

    app.slack.change_options(|options| options.token = "xoxb-1-very-secret".to_owned());
    let tells = |channel: &Channel| shows(channel, "Up to 3 runs will not be told of here");
    for _ in 0..2 {
        app.start().await;
        app.said("what will not be said", tells).await;
        app.until("that it was told", |journal| {
            let sinks = journal.sinks().unwrap();
            let bot = sinks.iter().find(|sink| sink.name == "bot").unwrap();
            (bot.unsaid > 0 && bot.failing_since.is_none()).then_some(())
        })
        .await;
        app.stop().await;
        app.bus.hang_up();
    }
    let channel = app.slack.channel();
    let told =
        channel.roots().filter(|message| message.content.shown().contains("will not be told"));
    assert_eq!(told.count(), 1, "once: {:#?}", channel.changes);
}
