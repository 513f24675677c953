//! Routes as people see them in several channels, and people as they are called.

use std::time::Instant;

use fake_slack::Channel;

use crate::app::{App, Manner, PATIENCE, all, shows};
use crate::events::{bad, good, highstate, jid, map, new_job, scheduled, text};
use crate::journal::number;

const FAILED_TO_OPS: &str = "\
routes:
  - {name: nothing of web9, minion: web9, to: []}
  - {name: failures, outcome: failed, to: 'bot#ops', continue: true}
  - {name: rest, to: bot}
";

/// The app with a second channel.
async fn with_ops(routes: &str) -> App {
    let mut app = App::new(Manner::Bot).await;
    app.slack.add_channel(Channel::new("ops", false));
    app.more = routes.to_owned();
    app.start().await;
    app
}

fn ops(app: &App) -> Channel {
    app.slack.channel_named("ops").unwrap()
}

/// Waits until the second channel is as wanted.
async fn until_ops(app: &App, what: &str, wanted: impl Fn(&Channel) -> bool) -> Channel {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut changed = std::pin::pin!(app.slack.changed());
        changed.as_mut().enable();
        let channel = ops(app);
        if wanted(&channel) {
            return channel;
        }
        let left = until.saturating_duration_since(Instant::now());
        let waited = tokio::time::timeout(left, changed).await;
        assert!(waited.is_ok(), "#ops never shows: {what}\n{:#?}", channel.changes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_comes_to_another_channel_when_it_fails() {
    let mut app = with_ops(FAILED_TO_OPS).await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), good(&jid(1), "web1", true)]);
    app.only_message_says("1 of 2 returned").await;
    assert_eq!(ops(&app).messages.len(), 0);
    app.bus.send([bad(&jid(1), "web2", "unknown directive")]);
    app.only_message_says("1 failed (web2)").await;
    let channel = until_ops(&app, "a thread", |channel| channel.messages.len() == 2).await;
    let message = channel.roots().next().unwrap();
    assert!(message.content.shown().contains("1 failed (web2)"));
    assert!(message.edits.is_empty(), "it was posted as it was");
    // A good one is no matter of that channel.
    app.bus.send([highstate(&jid(2), &["web1"]), good(&jid(2), "web1", true)]);
    app.said("the second run", |channel| {
        channel.roots().any(|message| message.content.shown().contains("✎"))
    })
    .await;
    app.stop().await;
    assert_eq!(ops(&app).messages.len(), 2);
    let told = "SELECT count(*) FROM delivery WHERE sink = 'bot#ops'";
    assert_eq!(number(&app.journal(), told), 2, "the message and its thread");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_changes_nothing_of_where_runs_go() {
    let mut app = with_ops(FAILED_TO_OPS).await;
    app.bus.send([highstate(&jid(1), &["web1"]), bad(&jid(1), "web1", "no")]);
    app.bus.send([highstate(&jid(2), &["web9"]), bad(&jid(2), "web9", "no")]);
    until_ops(&app, "a thread", |channel| channel.messages.len() == 2).await;
    app.said("a thread", |channel| channel.messages.len() == 2).await;
    app.until_over(2).await;
    app.stop().await;
    app.bus.hang_up();
    let before = (ops(&app).changes.len(), app.slack.channel().changes.len());
    app.start().await;
    app.bus.send([highstate(&jid(3), &["web1"]), good(&jid(3), "web1", true)]);
    app.said("the third run", |channel| {
        channel.roots().any(|message| message.content.shown().contains("✎"))
    })
    .await;
    app.stop().await;
    assert_eq!(ops(&app).changes.len(), before.0);
    let channel = app.slack.channel();
    assert_eq!(channel.roots().count(), 2, "{:#?}", channel.changes);
    let first = channel.roots().next().unwrap().ts.clone();
    let later = channel.changes[before.1..].iter().filter(|change| change.ts == first);
    assert_eq!(later.count(), 0);
    assert_eq!(app.reader().runs(&all()).unwrap().len(), 3, "all are recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_failures_go_where_the_first_of_them_goes() {
    let routes = "routes: [{minion: web1, to: 'bot#ops'}, {to: bot}]\n";
    let mut app = with_ops(routes).await;
    app.bus.send([scheduled(&jid(1), "web1", "state.highstate", true)]);
    until_ops(&app, "the first", |channel| shows(channel, "failed")).await;
    app.bus.send([scheduled(&jid(2), "web2", "state.highstate", true)]);
    let channel = until_ops(&app, "both", |channel| shows(channel, "2 runs")).await;
    assert_eq!(channel.roots().count(), 1);
    app.stop().await;
    assert_eq!(app.slack.channel().messages.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_minions_are_called_as_the_config_says() {
    let mut app = App::new(Manner::Both).await;
    app.more = "\
people:
  alice: {name: 'Alice <!channel> Archer', slack: U012ABCDEF, mention: on_failure}
minion_name: {strip_suffix: .prod.example.com}
"
    .to_owned();
    app.start().await;
    let web1 = "web1.prod.example.com";
    app.bus.send([highstate(&jid(1), &[web1, "web2.prod.example.com"])]);
    let channel = app.said("both", |channel| channel.roots().count() == 2).await;
    for message in channel.roots() {
        let shown = message.content.shown();
        assert!(shown.contains("Alice <!channel> Archer · 2 minions"), "{shown}");
        assert_eq!(message.content.references(), Vec::<String>::new());
    }
    app.bus
        .send([bad(&jid(1), web1, "<@U999999999>"), good(&jid(1), "web2.prod.example.com", true)]);
    let channel = app
        .said("both ends", |channel| {
            channel.messages.len() == 4 && {
                channel
                    .roots()
                    .filter(|message| message.content.shown().contains("1 failed (web1)"))
                    .count()
                    == 2
            }
        })
        .await;
    app.stop().await;
    // Only what is posted notifies: the thread's reply, and the webhook's second message.
    for message in &channel.messages {
        let ends = message.thread_ts.is_some() || message.edits.is_empty() && shows_end(message);
        let expected: &[&str] = if ends { &["user"] } else { &[] };
        assert_eq!(message.content.references(), expected, "{:#?}", message.content);
        assert_eq!(message.content.shown().contains("@U012ABCDEF"), ends);
    }
}

fn shows_end(message: &fake_slack::Message) -> bool {
    message.content.shown().contains("✗")
}

const CI: &str = "\
routes:
  - {name: of the pipeline, metadata: {source: 'ci-*'}, to: 'bot#ops'}
  - {name: rest, to: bot}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_api_client_says_of_a_run_leads_it() {
    let mut app = with_ops(CI).await;
    let mut publish = new_job(&jid(1), "state.highstate", Vec::new(), &["web1"]);
    publish.tag = format!("salt/job/{}/publish", jid(1));
    if let salt_event::Value::Map(pairs) = &mut publish.data {
        pairs.push((text("metadata"), map(vec![("source", text("ci-42"))])));
    }
    // As on a real master: a moment later, which is waited for.
    app.bus.send([highstate(&jid(1), &["web1"]), publish]);
    let channel = until_ops(&app, "the run", |channel| channel.messages.len() == 1).await;
    assert!(channel.messages[0].content.shown().contains("API (by its metadata)"));
    app.bus.send([new_job(&jid(2), "cmd.run", vec![text("uptime")], &["web1"])]);
    app.only_message_says("uptime").await;
    app.stop().await;
    assert_eq!(ops(&app).messages.len(), 1);
}
