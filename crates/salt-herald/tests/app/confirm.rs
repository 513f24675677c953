//! Whether jobs are true: the daemon looks for each in the master's job cache.

use std::path::PathBuf;
use std::time::Duration;

use herald_core::alarm::Matter;
use herald_core::run::{Flag, RunStatus, Standing};
use salt_event::Value;
use salt_herald::store::{Journal, JournalReader};

use crate::app::{App, Manner, PATIENCE, all, shows};
use crate::cache::{Cache, jid_of_now};
use crate::events::{Event, bad, good, map, new_job, ret_of, text};
use crate::journal::{MADE, dump, verify_chain};
use crate::metrics::{fetch, until};

/// A job on the bus, as the cache's jobs are.
fn publish(app: &mut App, jid: &str) {
    app.bus.send([new_job(jid, "state.apply", vec![text("nginx")], &["web1"])]);
}

fn standing(journal: &mut JournalReader) -> Option<Standing> {
    let run = journal.runs(&all()).unwrap().pop()?;
    journal.jobs(run.id).unwrap().pop()?.standing
}

fn socket(app: &App) -> PathBuf {
    app.folder.path().join("metrics.sock")
}

async fn counted(app: &App, what: &str) {
    let socket = socket(app);
    until(what, || fetch(&socket)).await;
}

async fn app(within: Duration) -> App {
    let mut app = App::new(Manner::Bot).await;
    app.more = format!("metrics: {{listen: {}}}\n", socket(&app).display());
    app.limits.confirmed_within = within;
    std::fs::create_dir_all(app.folder.path().join("cache/jobs")).unwrap();
    // A master's config in which nothing is set, syndics neither.
    std::fs::create_dir_all(app.folder.path().join("salt")).unwrap();
    std::fs::write(app.folder.path().join("salt/master"), "{}\n").unwrap();
    app.start().await;
    app
}

/// Notices stand beside the message.
async fn says(app: &App, what: &'static str) {
    app.said(what, |channel| shows(channel, what)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_announced_at_once_and_confirmed_when_its_load_is_written() {
    let mut app = app(PATIENCE).await;
    let jid = jid_of_now();
    publish(&mut app, &jid);
    let before = app.said("the job", |channel| shows(channel, "nginx")).await;
    assert_eq!(standing(&mut app.reader()), None);
    Cache::of(&app).job(&jid, "state.apply", &["web1"]);
    app.until("it is confirmed", |journal| {
        (standing(journal) == Some(Standing::Confirmed)).then_some(())
    })
    .await;
    app.bus.send([good(&jid, "web1", false)]);
    let after = app.only_message_says("unchanged").await;
    assert_eq!(after.changes.len(), before.changes.len() + 1, "that all is well is no news");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_the_cache_does_not_hold_is_said_so_and_can_be_found_later() {
    let mut app = app(Duration::from_millis(50)).await;
    let jid = jid_of_now();
    publish(&mut app, &jid);
    says(&app, "said to be alice").await;
    says(&app, "not in the master's job cache: who sent it is not known").await;
    assert_eq!(standing(&mut app.reader()), Some(Standing::Unconfirmed));
    counted(&app, r#"salt_herald_jobs_looked_for_total{standing="unconfirmed"} 1"#).await;
    // A piece of the tag comes after it: a minion sent it with a prefix.
    let mut twin = new_job(&jid, "state.apply", vec![text("nginx")], &["web1"]);
    twin.tag = "new".to_owned();
    app.bus.send([twin]);
    counted(&app, "salt_herald_forged_events_total 1").await;
    says(&app, "a minion fired events in its name").await;
    app.stop().await;
    // What a back-fill finds was the master's after all.
    Cache::of(&app).job(&jid, "state.apply", &["web1"]);
    app.bus.hang_up();
    app.start().await;
    app.until("it is confirmed", |journal| {
        (standing(journal) == Some(Standing::ConfirmedLate)).then_some(())
    })
    .await;
    let run = app.reader().runs(&all()).unwrap().pop().unwrap();
    assert!(!run.flags.contains(&Flag::Unconfirmed));
    app.said("the name alone", |channel| {
        channel.roots().all(|message| !message.content.shown().contains("said to be"))
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_cache_no_job_is_doubted() {
    let mut app = App::new(Manner::Bot).await;
    app.limits.confirmed_within = Duration::from_millis(1);
    app.start().await;
    let jid = jid_of_now();
    publish(&mut app, &jid);
    app.bus.send([good(&jid, "web1", false)]);
    let channel = app.only_message_says("unchanged").await;
    assert!(!shows(&channel, "said to be"));
    assert_eq!(standing(&mut app.reader()), None);
    app.stop().await;
}

fn returned(jid: &str, minion: &str, what: &str, retcode: i64) -> Event {
    ret_of(jid, minion, "cmd.run", vec![text("nginx")], text(what), retcode)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_in_anothers_name_is_not_counted() {
    let mut app = app(Duration::from_millis(20)).await;
    let jid = jid_of_now();
    Cache::of(&app).job(&jid, "cmd.run", &["web1", "web2"]);
    app.bus.send([new_job(&jid, "cmd.run", vec![text("nginx")], &["web1", "web2"])]);
    // Of one that was not asked: what the cache holds is counted, all else is not.
    Cache::of(&app).returns(&jid, "web3", 0);
    app.bus.send([returned(&jid, "db1", "all is well", 0), returned(&jid, "web3", "done", 0)]);
    says(&app, "1 of 3 returned").await;
    says(&app, "a return is not borne out by the master's job cache").await;
    // Of one that was asked, and is slower than who speaks in its name.
    app.bus.send([returned(&jid, "web1", "all is well", 0)]);
    says(&app, "2 of 3 returned").await;
    Cache::of(&app).returns(&jid, "web1", 1);
    app.bus.send([returned(&jid, "web1", "done", 1), returned(&jid, "web2", "done", 0)]);
    says(&app, "1 failed (web1)").await;
    counted(&app, "salt_herald_forged_events_total 2").await;
    app.bus.send([bad(&jid_of_now(), "web9", "to see that all was heard")]);
    app.until("the end", |journal| (journal.runs(&all()).unwrap().len() == 2).then_some(())).await;
    let run = app.reader().runs(&all()).unwrap().remove(0);
    assert_eq!((run.status, run.tally.returned.len()), (RunStatus::Failed, 3));
    app.stop().await;
    let before = MADE.map(|table| dump(&app.journal(), table));
    verify_chain(&app.journal());
    Journal::rebuild(&app.journal()).unwrap();
    assert_eq!(before, MADE.map(|table| dump(&app.journal(), table)));
}

/// Any minion can speak as a syndic does, and the master keeps what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minion_in_a_syndics_place_is_not_believed() {
    let mut app = app(PATIENCE).await;
    let jid = jid_of_now();
    Cache::of(&app).job(&jid, "state.highstate", &["web1"]);
    Cache::of(&app).returns(&jid, "web1", 0);
    app.bus.send([new_job(&jid, "state.highstate", vec![text("nginx")], &["web1"])]);
    let data = map(vec![
        ("jid", text(&jid)),
        ("id", text("web1")),
        ("return", text("all is well")),
        ("retcode", Value::Int(0)),
        ("success", Value::Bool(true)),
        ("fun", text("state.highstate")),
    ]);
    app.bus.send([Event { tag: format!("salt/job/{jid}/ret/web1"), data }]);
    says(&app, "0 of 1 returned · a return is not borne out").await;
    app.bus.send([good(&jid, "web1", false)]);
    says(&app, "1 unchanged").await;
    app.stop().await;
}

fn auth(minion: &str, key: &str) -> Event {
    let data = map(vec![
        ("result", Value::Bool(true)),
        ("act", text("accept")),
        ("id", text(minion)),
        ("pub", text(key)),
    ]);
    Event { tag: "salt/auth".to_owned(), data }
}

fn forged(sender: &str) -> Event {
    let data = map(vec![("cmd", text("_minion_event")), ("id", text(sender))]);
    Event { tag: "salt/job/20990101000000000001/new".to_owned(), data }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_up_is_said_once_and_so_is_a_key_that_is_another() {
    let mut app = app(PATIENCE).await;
    app.bus.send([auth("web1", "one"), auth("web3", "one")]);
    app.bus.send([forged("web2"), forged("web2"), forged("web2")]);
    says(&app, "web2 sent an event in the master's name").await;
    app.bus.send([forged("web2"), auth("web1", "another")]);
    app.until("it is recorded", |journal| {
        let alarms = journal.alarms_after(0, 100).unwrap();
        alarms.iter().any(|alarm| matches!(alarm.matter, Matter::Key { .. })).then_some(())
    })
    .await;
    // Within a minute of the first nothing more is said; after a restart what waited is.
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    says(&app, "web1: it authenticated with another key than before").await;
    let channel = app.slack.channel();
    assert_eq!(channel.roots().count(), 2, "{channel:#?}");
    let log = |args: &[&str]| {
        let journal = app.journal();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_salt-herald"))
            .args(["log", "--journal", journal.to_str().unwrap()])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(log(&["--suspect", "--json", "--minion", "web2"]).lines().count(), 4);
    assert_eq!(log(&["--suspect", "--minion", "web1"]).trim(), "nothing was suspect");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_published_is_an_alarm_though_it_is_quiet() {
    let mut app = app(Duration::from_millis(20)).await;
    let jid = jid_of_now();
    app.bus.send([new_job(&jid, "test.ping", Vec::new(), &["web1"])]);
    says(&app, "is not in the master's job cache: who sent it is not known").await;
    app.stop().await;
}
