//! Slack as it is on a bad day: what was owed is said in the end, and nothing is said twice that can
//! be said once.

use std::time::Duration;

use fake_slack::{Channel, Fault, Rate};
use tokio::time::Instant;

use crate::app::{App, Manner, no_hurry, shows};
use crate::events::{bad, good, highstate, jid, new_job, text};
use crate::journal::{number, open};

fn code(code: &str) -> Fault {
    Fault::Code(code.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_is_obeyed() {
    let mut app = App::started().await;
    let wait = Fault::RateLimited { retry_after: Some("3".to_owned()) };
    app.slack.fail_next(None, 1, wait);
    let asked = Instant::now();
    app.bus.send([highstate(&jid(1), &["web1"]), good(&jid(1), "web1", true)]);
    let channel = app.only_message_says("1 changed").await;
    let first = channel.roots().next().unwrap().at;
    assert!(first.duration_since(asked) >= Duration::from_secs(3), "{:?}", first - asked);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_that_passes_loses_nothing() {
    let mut app = App::started().await;
    for fault in [
        code("internal_error"),
        Fault::Answer { status: 503, body: b"<html>".to_vec() },
        Fault::Slow(Duration::from_millis(300)),
    ] {
        app.slack.fail_next(None, 1, fault);
    }
    app.bus.send([highstate(&jid(1), &["web1"]), bad(&jid(1), "web1", "no")]);
    let channel = app.said("a thread", |channel| channel.messages.len() == 2).await;
    assert!(shows(&channel, "1 failed"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_made_up_for() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.slack.go_down().await;
    app.bus.send([good(&jid(1), "web1", true)]);
    app.bus.send((2..5).flat_map(|n| [highstate(&jid(n), &["web1"]), good(&jid(n), "web1", true)]));
    app.until_over(4).await;
    app.slack.come_back().await.unwrap();
    let channel = app.only_message_says("4 runs").await;
    assert!(shows(&channel, "1 changed"));
    assert_eq!(channel.messages.len(), 1, "nothing twice");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_somebody_deleted_does_not_hinder_the_rest() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    let channel = app.only_message_says("0 of 1 returned").await;
    let ts = channel.roots().next().unwrap().ts.clone();
    assert!(app.slack.delete_message(&ts));
    app.bus.send([bad(&jid(1), "web1", "no")]);
    app.until("given up", |_| (number(&app.journal(), GIVEN_UP) == 1).then_some(())).await;
    app.bus.send([highstate(&jid(2), &["web1"]), good(&jid(2), "web1", true)]);
    let channel = app.only_message_says("1 changed").await;
    assert_ne!(channel.roots().next().unwrap().ts, ts, "it is not said again");
    app.stop().await;
    assert_eq!(number(&app.journal(), GIVEN_UP), 1);
}

const GIVEN_UP: &str = "SELECT count(*) FROM delivery WHERE state = 'given_up'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_refused_does_not_hinder_the_rest() {
    let mut app = App::started().await;
    app.slack.fail_next(None, 1, code("msg_too_long"));
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.until("given up", |_| {
        (number(&app.folder.path().join("journal.db"), GIVEN_UP) == 1).then_some(())
    })
    .await;
    app.bus.send([good(&jid(1), "web1", false)]);
    app.bus.send([highstate(&jid(2), &["web1"]), good(&jid(2), "web1", true)]);
    app.only_message_says("1 changed").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_channel_is_no_reason_to_stop_recording() {
    let mut app = App::started().await;
    app.slack.change_channel(|channel| channel.archived = true);
    app.bus.send((1..4).flat_map(|n| [highstate(&jid(n), &["web1"]), good(&jid(n), "web1", true)]));
    app.until_over(3).await;
    assert_eq!(app.slack.channel().messages.len(), 0);
    app.until("the trouble, for those who ask", |journal| {
        let sinks = journal.sinks().unwrap();
        sinks
            .iter()
            .any(|sink| sink.trouble.as_ref().is_some_and(|it| it.contains("is_archived")))
            .then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_says_the_beginning_and_an_end_that_is_bad() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.bus.send([good(&jid(1), "web1", true)]);
    app.until_over(1).await;
    app.bus.send([highstate(&jid(2), &["web1"])]);
    app.said("the second run", |channel| channel.messages.len() == 2).await;
    app.bus.send([bad(&jid(2), "web1", "unknown directive")]);
    let channel = app.said("its end", |channel| channel.messages.len() == 3).await;
    let last = channel.messages[2].content.shown();
    assert!(last.contains("1 failed (web1)"), "{last}");
    assert!(last.contains("unknown directive"), "{last}");
    assert!(channel.messages.iter().all(|m| m.edits.is_empty()));
    app.stop().await;
    assert_eq!(app.slack.channel().messages.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_says_the_end_of_what_took_long() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    app.stop().await;
    app.bus.hang_up();
    let path = app.write_config();
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.ends_with('\n'));
    app.more = "    slow_after: 0\n".to_owned();
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.bus.send([good(&jid(1), "web1", true)]);
    app.said("its end", |channel| channel.messages.len() == 2).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_runs_keeps_to_slacks_limits() {
    let mut app = App::started().await;
    app.slack.change_options(|options| {
        options.posts = Some(Rate { per_second: 1.0, burst: 2.0 });
    });
    let begun = Instant::now();
    let jobs =
        (1..7).map(|n| new_job(&jid(n), "cmd.run", vec![text(&format!("run {n}"))], &["web1"]));
    for job in jobs {
        // One after the other, so that each would be said by itself.
        app.bus.send([job]);
    }
    let said = |channel: &Channel| (1..7).all(|n| shows(channel, &format!("run {n}")));
    let channel = app.said("six commands", said).await;
    no_hurry(&channel, begun);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_does_not_edit_what_is_closed() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"]), bad(&jid(1), "web1", "no")]);
    app.said("a thread", |channel| channel.messages.len() == 2).await;
    app.stop().await;
    app.bus.hang_up();
    // As if it had been said in other words.
    let changed =
        open(&app.journal()).execute("UPDATE delivery SET said = zeroblob(32)", []).unwrap();
    assert_eq!(changed, 2);
    let before = app.slack.channel().changes.len();
    app.start().await;
    app.bus.send([highstate(&jid(2), &["web1"]), good(&jid(2), "web1", true)]);
    let channel = app.said("the next run", |channel| shows(channel, "1 changed")).await;
    app.stop().await;
    let first = channel.roots().next().unwrap();
    let edits = channel.changes[before..].iter().filter(|change| change.ts == first.ts);
    assert_eq!(edits.count(), 0, "{:#?}", channel.changes);
}
