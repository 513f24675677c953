//! A backup that was put back: what the daemon goes on with, and what is said a second time.

use std::path::PathBuf;

use fake_slack::Channel;
use salt_herald::store::JournalReader;

use crate::app::{App, Manner, all, shows};
use crate::cache::{Cache, jid_of_now};
use crate::events::{Event, bad, highstate, jid, new_job, text};
use crate::journal::verify_chain;

const REPEAT: &str = "may be a repeat";

fn echo(n: u32) -> Event {
    new_job(&jid(n), "cmd.run", vec![text(&format!("echo {n}"))], &["web1"])
}

fn backup(app: &App) -> PathBuf {
    let to = app.folder.path().join("backup.db");
    app.reader().back_up(&to, true, &mut |_| {}).unwrap();
    to
}

/// As an operator does it: stopped, copied, started.
async fn put_back(app: &mut App, backup: &PathBuf) {
    app.stop().await;
    app.bus.hang_up();
    std::fs::copy(backup, app.journal()).unwrap();
    app.start().await;
}

fn replies(channel: &Channel) -> usize {
    channel.messages.iter().filter(|message| message.thread_ts.is_some()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_nothing_is_said_twice_that_stands_in_the_channel() {
    let mut app = App::started().await;
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), echo(2)]);
    app.said("both", |channel| channel.roots().count() == 2).await;
    app.until("their deliveries", |journal| {
        let runs = journal.runs(&all()).unwrap();
        runs.iter().all(|run| journal.is_announced(run.id).unwrap()).then_some(())
    })
    .await;
    let backup = backup(&app);
    let held = JournalReader::open(&backup).unwrap().last_entry().unwrap();

    // What the backup does not hold: a failure with its thread, and a run of which nothing is left.
    app.bus.send([bad(&jid(1), "web1", "no"), bad(&jid(1), "web2", "no"), echo(3)]);
    app.said("a thread and a run", |channel| replies(channel) == 1 && shows(channel, "echo 3"))
        .await;
    put_back(&mut app, &backup).await;
    assert!(app.reader().last_entry().unwrap() >= held);
    let gap = app.until("the gap", |journal| journal.gaps(9).unwrap().into_iter().next()).await;
    assert_eq!(gap.reason, "not running");

    // The return comes again, as from the master's job cache. The next run has the number of the lost.
    app.bus.send([echo(4), bad(&jid(1), "web1", "no"), bad(&jid(1), "web2", "no")]);
    app.said("the new run", |channel| shows(channel, "echo 4")).await;
    app.until("the thread, taken for said", |journal| {
        let run = journal.runs_with_jid(&jid(1)).unwrap().remove(0).0;
        (journal.deliveries(run.id, "bot").unwrap().len() == 2).then_some(())
    })
    .await;
    app.stop().await;
    let channel = app.slack.channel();
    for n in 2..=4 {
        let part = format!("echo {n}");
        let standing = channel.roots().filter(|one| one.content.shown().contains(&part)).count();
        assert_eq!(standing, 1, "{part}: {:#?}", channel.changes);
    }
    assert_eq!((channel.roots().count(), replies(&channel)), (4, 1), "{:#?}", channel.changes);
    assert!(!shows(&channel, REPEAT));
    verify_chain(&app.journal());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_a_webhook_marks_what_may_stand_there_already() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.said("its beginning", |channel| channel.roots().count() == 1).await;
    app.until("its delivery", |journal| {
        let run = journal.runs(&all()).unwrap().pop()?;
        journal.is_announced(run.id).unwrap().then_some(())
    })
    .await;
    let backup = backup(&app);
    app.bus.send([bad(&jid(1), "web1", "no")]);
    app.said("its end", |channel| channel.roots().count() == 2).await;
    put_back(&mut app, &backup).await;
    app.bus.send([bad(&jid(1), "web1", "no"), echo(2)]);
    let channel = app.said("its end again", |channel| channel.roots().count() == 4).await;
    app.stop().await;
    let marked: Vec<bool> =
        channel.roots().map(|message| message.content.shown().contains(REPEAT)).collect();
    assert_eq!(marked.iter().filter(|marked| **marked).count(), 1, "{:#?}", channel.changes);
    let second = channel.roots().find(|message| message.content.shown().contains(REPEAT)).unwrap();
    assert!(second.content.shown().contains("highstate"), "{:#?}", channel.changes);
}

/// Two runs that the backup does not know, of which the master's job cache does; one failed.
async fn two_that_are_lost(app: &mut App, cache: &Cache) -> [String; 2] {
    let jids = [jid_of_now(), jid_of_now()];
    for (jid, fun, minion) in [(&jids[0], "pkg.install", "web1"), (&jids[1], "pkg.remove", "web2")]
    {
        cache.job(jid, fun, &[minion]);
        app.bus.send([new_job(jid, fun, vec![text("nginx")], &[minion])]);
        app.said("its beginning", |channel| shows(channel, fun)).await;
    }
    app.bus.send([crate::events::ret_of(
        &jids[1],
        "web2",
        "pkg.remove",
        vec![text("nginx")],
        text("no"),
        1,
    )]);
    cache.returns(&jids[0], "web1", 0);
    cache.returns(&jids[1], "web2", 1);
    jids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_what_is_found_again_is_known_by_its_jid() {
    let mut app = App::started().await;
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    let cache = Cache::of(&app);
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.said("its beginning", |channel| channel.roots().count() == 1).await;
    let backup = backup(&app);
    // Another run gets the number that the first of them had.
    app.bus.send([echo(2)]);
    app.said("it", |channel| shows(channel, "echo 2")).await;
    let lost = two_that_are_lost(&mut app, &cache).await;
    app.said("a thread", |channel| replies(channel) == 1).await;
    put_back(&mut app, &backup).await;
    app.until("that all are taken for said", |journal| {
        let is_said = |jid: &String| {
            let (run, _) = journal.runs_with_jid(jid).unwrap().pop()?;
            journal.is_announced(run.id).unwrap().then_some(())
        };
        lost.iter().all(|jid| is_said(jid).is_some()).then_some(())
    })
    .await;
    app.until("the thread, taken for said", |journal| {
        let (run, _) = journal.runs_with_jid(&lost[1]).unwrap().pop()?;
        (journal.deliveries(run.id, "bot").unwrap().len() == 2).then_some(())
    })
    .await;
    app.bus.send([echo(9)]);
    app.said("what comes after", |channel| shows(channel, "echo 9")).await;
    app.said("the end of the other", |channel| shows(channel, "1 succeeded")).await;
    app.stop().await;
    let channel = app.slack.channel();
    assert_eq!((channel.roots().count(), replies(&channel)), (5, 1), "{:#?}", channel.changes);
    assert!(!shows(&channel, REPEAT) && !shows(&channel, "While I was away"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_a_webhook_marks_what_is_found_again() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    let cache = Cache::of(&app);
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.said("its beginning", |channel| channel.roots().count() == 1).await;
    let backup = backup(&app);
    let lost = two_that_are_lost(&mut app, &cache).await;
    app.said("an end", |channel| channel.roots().count() == 4).await;
    put_back(&mut app, &backup).await;
    let channel = app.said("a digest", |channel| shows(channel, "While I was away")).await;
    let digest = channel.roots().last().unwrap().content.shown();
    assert!(digest.contains(REPEAT), "{digest}");
    // Of what runs later there is no doubt.
    let later = jid_of_now();
    app.stop().await;
    cache.job(&later, "pkg.purge", &["web1"]);
    cache.returns(&later, "web1", 0);
    app.bus.hang_up();
    app.start().await;
    let channel = app.said("another digest", |channel| shows(channel, "pkg.purge")).await;
    app.stop().await;
    let digest = channel.roots().last().unwrap().content.shown();
    assert!(!digest.contains(REPEAT) && !digest.contains(&lost[0]), "{digest}");
}
