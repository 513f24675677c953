//! What happened while nobody listened is found in the job cache afterwards.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use fake_slack::{Channel, Fault};
use herald_core::backfill::{Added, CacheState};
use herald_core::change::GapReason;
use herald_core::run::{Flag, RunStatus};
use jiff::Timestamp;
use salt_herald::store::{Gap, Journal, JournalReader};
use serde_json::Value;

use crate::app::{App, Manner, all, shows};
use crate::cache::{Cache, jid_of, jid_of_now};
use crate::events::{new_job, ret_of, text};
use crate::journal::{MADE, count, dump, number, verify_chain};

/// Waits until every gap was looked into, and gives them, the latest first.
async fn until_filled(app: &App, count: usize) -> Vec<Gap> {
    let what = format!("{count} gaps that are filled");
    app.until(&what, |journal| {
        let gaps = journal.gaps(100).unwrap();
        (gaps.len() >= count && gaps.iter().all(|gap| gap.filled.is_some())).then_some(gaps)
    })
    .await
}

fn flagged(journal: &mut JournalReader) -> Vec<String> {
    let runs = journal.runs(&all()).unwrap();
    let is_found = |flags: &std::collections::BTreeSet<Flag>| flags.contains(&Flag::Backfilled);
    runs.into_iter().filter(|run| is_found(&run.flags)).map(|run| run.jids.join(" ")).collect()
}

fn added(gap: &Gap) -> Added {
    let filled = gap.filled.unwrap();
    assert_eq!(filled.backfill.cache, CacheState::Read);
    assert_eq!(filled.backfill.unread, 0);
    filled.backfill.added
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_while_it_did_not_is_found_afterwards() {
    let mut app = App::started().await;
    let cache = Cache::of(&app);
    let open = jid_of_now();
    cache.job(&open, "state.apply", &["web1", "web2"]);
    app.bus.send([new_job(&open, "state.apply", vec![], &["web1", "web2"])]);
    app.until_began(1).await;
    app.stop().await;
    cache.returns(&open, "web1", 0);
    cache.returns(&open, "web2", 0);
    let missed = jid_of_now();
    cache.job(&missed, "cmd.run", &["web1"]);
    cache.returns(&missed, "web1", 2);
    app.bus.hang_up();
    app.start().await;
    let gap = until_filled(&app, 1).await.remove(0);
    assert_eq!(added(&gap), Added { runs: 1, returns: 3, completed: 1 });
    let runs = app.reader().runs(&all()).unwrap();
    let ends: Vec<RunStatus> = runs.iter().map(|run| run.status).collect();
    assert_eq!(ends, [RunStatus::Succeeded, RunStatus::Failed]);
    assert!(runs.iter().all(|run| run.flags.contains(&Flag::Backfilled)));
    assert!(runs.iter().all(|run| run.finished_at.unwrap() < gap.to), "at their own times");
    assert_eq!(runs[1].head.command, "salt '*' cmd.run nginx");
    app.stop().await;
    // The gap stands between the runs, in the order of time.
    let log = Command::new(env!("CARGO_BIN_EXE_salt-herald"))
        .args(["log", "--journal", app.journal().to_str().unwrap()])
        .output()
        .unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].contains("state.apply") && lines[2].contains("cmd.run"), "{log}");
    let found = "not running; 1 run and 3 returns back-filled, 1 run completed (gap)";
    assert!(lines[1].ends_with(found), "{log}");
    let entries = verify_chain(&app.journal());
    let before = MADE.map(|table| dump(&app.journal(), table));
    for (table, rows) in MADE.iter().zip(&before) {
        // Nothing was said here that was owed, nobody's key changed, and nothing was suspect or secret.
        let none = ["unsaid", "key_event", "suspect", "scrub", "scrubbed"];
        assert!(!rows.is_empty() || none.contains(table), "{table}");
    }
    Journal::rebuild(&app.journal()).unwrap();
    assert_eq!(before, MADE.map(|table| dump(&app.journal(), table)));
    assert_eq!(entries, verify_chain(&app.journal()));
}

/// Two runs, one of which failed, while nobody listened.
fn missed_two(cache: &Cache) {
    let good = jid_of_now();
    cache.job(&good, "state.apply", &["web1", "web2"]);
    cache.returns(&good, "web1", 0);
    cache.returns(&good, "web2", 0);
    let bad = jid_of_now();
    cache.job(&bad, "cmd.run", &["web1"]);
    cache.returns(&bad, "web1", 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_one_digest_and_no_news() {
    for manner in [Manner::Bot, Manner::Webhook] {
        let mut app = App::new(manner).await;
        app.bus.hang_up();
        app.start().await;
        let cache = Cache::of(&app);
        let before = jid_of_now();
        cache.job(&before, "pkg.install", &["web1"]);
        app.bus.send([new_job(&before, "pkg.install", vec![], &["web1"])]);
        app.said("the first run", |channel| shows(channel, "pkg.install")).await;
        app.stop().await;
        cache.returns(&before, "web1", 0);
        missed_two(&cache);
        app.bus.hang_up();
        app.start().await;
        let channel = app.said("a digest", |channel| shows(channel, "While I was away")).await;
        until_filled(&app, 1).await;
        assert!(shows(&channel, ": 2 runs, 1 failed"), "{:#?}", channel.changes);
        assert!(shows(&channel, "state.apply nginx") && shows(&channel, "cmd.run nginx"));
        assert!(shows(&channel, "no runners that had not ended"));
        // It is not told again, and nothing of it by itself.
        for _ in 0..2 {
            app.stop().await;
            app.bus.hang_up();
            app.start().await;
        }
        until_filled(&app, 3).await;
        let after = jid_of_now();
        app.bus.send([new_job(&after, "pkg.remove", vec![], &["web1"])]);
        // A bot also brings to its end what was said before.
        let is_ended = |channel: &Channel| manner != Manner::Bot || shows(channel, "1 succeeded");
        let after = |channel: &Channel| shows(channel, "pkg.remove") && is_ended(channel);
        let channel = app.said("what comes after, and an end", after).await;
        assert_eq!(channel.roots().count(), 3, "{manner:?} {:#?}", channel.changes);
        app.stop().await;
    }
}

/// More than a label can name: quiet runs stand between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_that_were_missed_are_one_digest_with_their_count() {
    for (manner, messages) in [(Manner::Bot, 1), (Manner::Webhook, 2)] {
        let mut app = App::new(manner).await;
        app.bus.hang_up();
        app.start().await;
        app.stop().await;
        let cache = Cache::of(&app);
        for _ in 0..800 {
            for fun in ["cmd.run", "test.ping"] {
                let jid = jid_of_now();
                cache.job(&jid, fun, &["web1"]);
                cache.returns(&jid, "web1", 0);
            }
        }
        let method = if manner == Manner::Bot { "chat.postMessage" } else { "webhook" };
        app.slack.fail_next(Some(method), 1, Fault::DroppedAnswer);
        app.bus.hang_up();
        app.start().await;
        until_filled(&app, 1).await;
        app.until("that all are told", |_| {
            let sql = "SELECT count(*) FROM delivery WHERE late";
            (number(&app.journal(), sql) == 800).then_some(())
        })
        .await;
        app.stop().await;
        let channel = app.slack.channel();
        assert_eq!(channel.roots().count(), messages, "{:#?}", channel.changes);
        for message in channel.roots() {
            let shown = message.content.shown();
            assert!(shown.contains(": 800 runs"), "{shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_which_nothing_ran_is_no_word_worth() {
    let mut app = App::started().await;
    for round in 1..=2 {
        app.stop().await;
        app.bus.hang_up();
        app.start().await;
        until_filled(&app, round).await;
    }
    let live = jid_of_now();
    app.bus.send([new_job(&live, "cmd.run", vec![], &["web1"])]);
    app.only_message_says("cmd.run").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_runs_that_were_missed_stay_quiet() {
    let mut app = App::started().await;
    app.stop().await;
    let cache = Cache::of(&app);
    let quiet = jid_of_now();
    cache.job(&quiet, "test.ping", &["web1"]);
    cache.returns(&quiet, "web1", 0);
    app.bus.hang_up();
    app.start().await;
    let gap = until_filled(&app, 1).await.remove(0);
    assert_eq!(added(&gap).runs, 1);
    let live = jid_of_now();
    app.bus.send([new_job(&live, "cmd.run", vec![], &["web1"])]);
    app.only_message_says("cmd.run").await;
    app.stop().await;
}

/// Puts back by two minutes when the bus was heard last.
fn long_ago(app: &App) {
    let sql = "UPDATE meta SET value = value - 120000000 WHERE key = 'heard_at'";
    crate::journal::open(&app.journal()).execute(sql, []).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_nothing_is_known_of_a_time_is_told_once() {
    let mut app = App::started().await;
    app.stop().await;
    std::fs::remove_dir(app.folder.path().join("cache")).unwrap();
    long_ago(&app);
    app.bus.hang_up();
    app.start().await;
    let channel = app.said("a notice", |channel| shows(channel, "what ran is not known")).await;
    assert!(shows(&channel, "there is no job cache"), "{:#?}", channel.changes);
    for _ in 0..2 {
        app.stop().await;
        app.bus.hang_up();
        app.start().await;
    }
    until_filled(&app, 3).await;
    let live = jid_of_now();
    app.bus.send([new_job(&live, "cmd.run", vec![], &["web1"])]);
    let channel = app.said("what comes after", |channel| shows(channel, "cmd.run")).await;
    assert_eq!(channel.roots().count(), 2, "{:#?}", channel.changes);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_before_the_first_start_stays_away() {
    let mut app = App::new(Manner::Bot).await;
    let cache = Cache::of(&app);
    let old = jid_of_now();
    cache.job(&old, "cmd.run", &["web1"]);
    cache.returns(&old, "web1", 0);
    app.bus.hang_up();
    app.start().await;
    let live = jid_of_now();
    app.bus.send([new_job(&live, "cmd.run", vec![], &["web1"])]);
    app.until_began(1).await;
    app.bus.hang_up();
    app.bus.accept();
    until_filled(&app, 1).await;
    app.stop().await;
    assert_eq!(count(&app.journal(), "run"), 1);
    assert_eq!(app.reader().gaps(9).unwrap()[0].reason, GapReason::CutOff.name());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_journal_is_not_added_again() {
    let mut app = App::started().await;
    let cache = Cache::of(&app);
    let jid = jid_of_now();
    cache.job(&jid, "cmd.run", &["web1"]);
    let published = new_job(&jid, "cmd.run", vec![], &["web1"]);
    app.bus.send([published, ret_of(&jid, "web1", "cmd.run", vec![], text("done"), 0)]);
    cache.returns(&jid, "web1", 0);
    app.until_over(1).await;
    for round in 1..=2 {
        app.stop().await;
        app.bus.hang_up();
        app.start().await;
        let gaps = until_filled(&app, round).await;
        assert!(gaps.iter().all(|gap| added(gap).is_nothing()), "{gaps:?}");
    }
    assert_eq!(flagged(&mut app.reader()), Vec::<String>::new());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_fill_that_was_cut_short_begins_anew() {
    let mut app = App::started().await;
    app.stop().await;
    let cache = Cache::of(&app);
    let missed = jid_of_now();
    cache.job(&missed, "cmd.run", &["web1"]);
    cache.returns(&missed, "web1", 0);
    app.limits.written_within = Duration::from_secs(3600);
    app.bus.hang_up();
    app.start().await;
    app.until_over(1).await;
    app.stop().await;
    assert!(app.reader().gaps(1).unwrap()[0].filled.is_none(), "it waits to look again");
    app.limits.written_within = Duration::ZERO;
    app.bus.hang_up();
    app.start().await;
    let gaps = until_filled(&app, 2).await;
    let found: Vec<Added> = gaps.iter().map(added).collect();
    assert!(found.iter().all(Added::is_nothing), "it was found before: {found:?}");
    assert_eq!(flagged(&mut app.reader()), [missed]);
    app.stop().await;
    verify_chain(&app.journal());
}

/// A webhook's message can't be edited: that a run was seen in full after all is no second message worth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_said_once_though_its_gap_is_filled_later() {
    let mut app = App::new(Manner::Webhook).await;
    app.limits.grace = Duration::from_millis(100);
    app.limits.written_within = Duration::from_secs(3600);
    app.start().await;
    app.slack.go_down().await;
    let cache = Cache::of(&app);
    let open = jid_of_now();
    cache.job(&open, "cmd.run", &["web1"]);
    app.bus.send([new_job(&open, "cmd.run", vec![], &["web1"])]);
    app.until_began(1).await;
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    app.bus.send([ret_of(&open, "web1", "cmd.run", vec![], text("no"), 1)]);
    app.until_over(1).await;
    app.slack.come_back().await.unwrap();
    app.only_message_says("not seen in full").await;
    app.until("its delivery", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
    app.stop().await;
    app.limits.written_within = Duration::ZERO;
    app.bus.hang_up();
    app.start().await;
    until_filled(&app, 2).await;
    app.until("that it was seen in full", |journal| {
        let (run, _) = journal.runs_with_jid(&open).unwrap().remove(0);
        run.flags.contains(&Flag::Mended).then_some(())
    })
    .await;
    let live = jid_of_now();
    app.bus.send([new_job(&live, "pkg.install", vec![], &["web1"])]);
    let channel = app.said("what comes after", |channel| shows(channel, "pkg.install")).await;
    assert_eq!(channel.roots().count(), 2, "{:#?}", channel.changes);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_written_late_are_found() {
    let mut app = App::started().await;
    app.stop().await;
    let cache = Cache::of(&app);
    let within = Duration::from_secs(2);
    app.limits.written_within = within;
    // On a busy machine the files may be later than the last look is: then once more.
    for gaps in 1..20 {
        let missed = jid_of_now();
        std::thread::sleep(Duration::from_millis(50));
        let begun = Instant::now();
        app.bus.hang_up();
        app.start().await;
        app.until("a gap", |journal| (journal.gaps(99).unwrap().len() == gaps).then_some(())).await;
        cache.job(&missed, "cmd.run", &["web1"]);
        cache.returns(&missed, "web1", 0);
        let is_in_time = begun.elapsed() < within;
        let gap = until_filled(&app, gaps).await.remove(0);
        app.stop().await;
        if is_in_time {
            assert_eq!(added(&gap).runs, 1);
            return;
        }
    }
    panic!("the machine is too busy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_may_not_be_used_is_told_of() {
    let mut app = App::new(Manner::Bot).await;
    app.bus.hang_up();
    app.start().await;
    app.stop().await;
    std::fs::remove_dir(app.folder.path().join("cache")).unwrap();
    app.bus.hang_up();
    app.start().await;
    let gap = until_filled(&app, 1).await.remove(0);
    assert_eq!(gap.filled.unwrap().backfill.cache, CacheState::Absent);
    app.stop().await;
    std::fs::create_dir_all(app.folder.path().join("salt")).unwrap();
    std::fs::write(app.folder.path().join("salt/master"), "job_cache: False\n").unwrap();
    app.bus.hang_up();
    app.start().await;
    let gap = until_filled(&app, 2).await.remove(0);
    assert_eq!(gap.filled.unwrap().backfill.cache, CacheState::NotKept);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_should_have_made_is_no_error() {
    let mut app = App::started().await;
    app.stop().await;
    let cache = Cache::of(&app);
    let good = jid_of_now();
    cache.job(&good, "cmd.run", &["web1"]);
    cache.returns(&good, "web1", 0);
    let at = Timestamp::now();
    let odd = |place: i32| jid_of(at + Duration::from_micros(place as u64));
    // Half a load, half a return, a return that is a folder, a load that is a link.
    cache.job(&odd(1), "cmd.run", &["web1"]);
    let load = cache.folder(&odd(1)).join(".load.p");
    let bytes = std::fs::read(&load).unwrap();
    std::fs::write(&load, &bytes[..bytes.len() / 2]).unwrap();
    cache.job(&odd(2), "cmd.run", &["web1"]);
    cache.returns(&odd(2), "web1", 0);
    std::fs::write(cache.folder(&odd(2)).join("web1/return.p"), b"\x83\xa6return").unwrap();
    cache.job(&odd(3), "cmd.run", &["web1"]);
    std::fs::create_dir_all(cache.folder(&odd(3)).join("web1/return.p")).unwrap();
    cache.job(&odd(4), "cmd.run", &["web1"]);
    let load = cache.folder(&odd(4)).join(".load.p");
    std::fs::remove_file(&load).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &load).unwrap();
    std::thread::sleep(Duration::from_millis(10));
    app.limits.written_within = Duration::ZERO;
    app.bus.hang_up();
    app.start().await;
    let gap = until_filled(&app, 1).await.remove(0);
    let backfill = gap.filled.unwrap().backfill;
    assert_eq!((backfill.cache, backfill.added.runs), (CacheState::Read, 3));
    assert_eq!(backfill.unread, 4);
    app.stop().await;
}

/// `salt-herald backfill --since 2h --json`: its code, and the object or what it says.
fn ask(app: &App, more: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_salt-herald"))
        .arg("--config")
        .arg(app.write_config())
        .args(["backfill", "--since", "2h", "--json"])
        .args(more)
        .output()
        .unwrap();
    let said = serde_json::from_slice(&output.stdout);
    let error = || String::from_utf8_lossy(&output.stderr).into_owned().into();
    (output.status.code(), said.unwrap_or_else(|_| error()))
}

/// A job of an hour ago, whose files have today's times.
fn an_hour_ago(cache: &Cache, number: i64) {
    let at = Timestamp::now() - Duration::from_secs(3600) + Duration::from_secs(number as u64);
    let jid = jid_of(at);
    cache.job(&jid, "cmd.run", &["web1"]);
    cache.returns(&jid, "web1", 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_fills_what_it_is_asked_for() {
    let mut app = App::started().await;
    let cache = Cache::of(&app);
    an_hour_ago(&cache, 1);
    an_hour_ago(&cache, 2);
    let (code, done) = ask(&app, &[]);
    assert_eq!(
        (code, &done["cache"], &done["runs"]),
        (Some(0), &"read".into(), &2.into()),
        "{done}"
    );
    let channel = app.only_message_says("Back-filled").await;
    assert!(shows(&channel, ": 2 runs"), "{:#?}", channel.changes);
    let (code, again) = ask(&app, &["--until", "1m"]);
    assert_eq!((code, &again["runs"], &again["returns"]), (Some(0), &0.into(), &0.into()));
    let socket = salt_herald::daemon::socket_path(&app.journal());
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    app.stop().await;
    assert!(!socket.exists());
    assert_eq!(count(&app.journal(), "run"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_daemon_the_command_fills_the_journal_itself() {
    let mut app = App::new(Manner::Bot).await;
    let cache = Cache::of(&app);
    an_hour_ago(&cache, 1);
    let (code, done) = ask(&app, &[]);
    assert_eq!((code, &done["runs"]), (Some(0), &1.into()), "{done}");
    assert_eq!(flagged(&mut app.reader()).len(), 1);
    verify_chain(&app.journal());
    // It is no gap, and no news to whoever is told from now on.
    app.start().await;
    let live = jid_of_now();
    app.bus.send([new_job(&live, "pkg.install", vec![], &["web1"])]);
    app.only_message_says("pkg.install").await;
    app.stop().await;
    assert_eq!(count(&app.journal(), "gap"), 0);
    std::fs::remove_dir_all(app.folder.path().join("cache")).unwrap();
    let (code, done) = ask(&app, &[]);
    assert_eq!((code, &done["cache"]), (Some(1), &"absent".into()), "{done}");
    let (code, done) = ask(&app, &["--until", "3h"]);
    assert_eq!(code, Some(2), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_makes_no_journal_in_the_folder_of_another() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a folder away.
    }
    let app = App::new(Manner::Bot).await;
    std::os::unix::fs::chown(app.folder.path(), Some(65_534), None).unwrap();
    let (code, done) = ask(&app, &[]);
    assert_eq!(code, Some(2), "{done}");
    assert!(!app.journal().exists());
    drop(Journal::open(&app.journal()).unwrap());
    let (_, done) = ask(&app, &[]);
    assert_eq!(done["cache"], "read", "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_is_refused() {
    use std::io::{BufRead, BufReader, Write};
    let mut app = App::started().await;
    let path = salt_herald::daemon::socket_path(&app.journal());
    let long = format!("{}\n", "x".repeat(100_000));
    for request in ["\n", "{}\n", "{\"backfill\": {\"since\": 1}}\n", &long] {
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        assert!(answer.is_empty() || answer.contains("this is no request"), "{answer}");
    }
    app.stop().await;
}
