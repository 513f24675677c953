//! Whether jobs are true: the daemon looks for each in the master's job cache.

use std::path::PathBuf;
use std::time::Duration;

use herald_core::run::{Flag, Standing};
use salt_herald::store::JournalReader;

use crate::app::{App, Manner, PATIENCE, all, shows};
use crate::cache::{Cache, jid_of_now};
use crate::events::{good, new_job, text};
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
    app.start().await;
    app
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
    app.only_message_says("said to be alice").await;
    app.only_message_says("not in the master's job cache: who sent it is not known").await;
    assert_eq!(standing(&mut app.reader()), Some(Standing::Unconfirmed));
    counted(&app, r#"salt_herald_jobs_looked_for_total{standing="unconfirmed"} 1"#).await;
    // A piece of the tag comes after it: a minion sent it with a prefix.
    let mut twin = new_job(&jid, "state.apply", vec![text("nginx")], &["web1"]);
    twin.tag = "new".to_owned();
    app.bus.send([twin]);
    counted(&app, "salt_herald_forged_events_total 1").await;
    app.only_message_says("a minion fired events in its name").await;
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
