//! Posts that were not answered, and days without Slack: what is said in the end, and how often.

use std::time::Duration;

use fake_slack::{Channel, Fault};

use crate::app::{App, Manner, shows};
use crate::events::{bad, good, highstate, jid, new_job, text};
use crate::journal::{number, open};

/// What stands at a message that was sent again because nobody could look.
const REPEAT: &str = "may be a repeat";

fn roots_with(channel: &Channel, part: &str) -> usize {
    channel.roots().filter(|message| message.content.shown().contains(part)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_answer_got_lost_is_found() {
    let mut app = App::started().await;
    for fault in [Fault::DroppedAnswer, Fault::Late(Duration::from_millis(700))] {
        app.slack.fail_next(Some("chat.postMessage"), 1, fault);
        let n = u32::try_from(app.slack.channel().messages.len()).unwrap();
        app.bus.send([new_job(&jid(n), "cmd.run", vec![text(&format!("echo {n}"))], &["web1"])]);
        let echo = format!("echo {n}");
        app.said("the command", |channel| shows(channel, &echo)).await;
        app.until("its delivery", |_| {
            let sql = "SELECT count(*) FROM delivery";
            (number(&app.journal(), sql) == i64::from(n) + 1).then_some(())
        })
        .await;
    }
    // In a thread.
    app.slack.fail_next(Some("chat.postMessage"), 0, Fault::DroppedAnswer);
    app.bus.send([highstate(&jid(7), &["web1"])]);
    app.said("the highstate", |channel| shows(channel, "state.highstate")).await;
    app.slack.fail_next(Some("chat.postMessage"), 1, Fault::DroppedAnswer);
    app.bus.send([bad(&jid(7), "web1", "no")]);
    app.said("the thread, rewritten", |channel| {
        let replies = channel.messages.iter().filter(|message| message.thread_ts.is_some());
        replies.map(|message| message.edits.len()).sum::<usize>() > 0
    })
    .await;
    // Of several at once.
    app.slack.fail_next(Some("chat.postMessage"), 1, Fault::DroppedAnswer);
    app.bus.send(
        (20..25)
            .map(|n| new_job(&jid(n), "cmd.run", vec![text(&format!("digest {n}"))], &["web1"])),
    );
    let all = |channel: &Channel| (20..25).all(|n| shows(channel, &format!("digest {n}")));
    app.said("five commands", all).await;
    app.stop().await;
    let channel = app.slack.channel();
    for n in 20..25 {
        assert_eq!(roots_with(&channel, &format!("digest {n}")), 1, "{:#?}", channel.changes);
    }
    let threads = channel.messages.iter().filter(|message| message.thread_ts.is_some()).count();
    assert_eq!((roots_with(&channel, "state.highstate"), threads), (1, 1));
    assert_eq!((roots_with(&channel, "echo 0"), roots_with(&channel, "echo 1")), (1, 1));
    assert!(!shows(&channel, REPEAT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_look_says_it_again_with_a_mark() {
    let mut app = App::new(Manner::Bot).await;
    app.slack.change_options(|options| options.scopes = vec!["chat:write".to_owned()]);
    app.start().await;
    app.slack.fail_next(Some("chat.postMessage"), 1, Fault::DroppedAnswer);
    app.bus.send([highstate(&jid(1), &["web1"])]);
    let channel = app.said("it twice", |channel| channel.roots().count() == 2).await;
    let marked = |channel: &Channel| {
        let roots = channel.roots();
        roots.map(|message| message.content.shown().contains(REPEAT)).collect::<Vec<_>>()
    };
    assert_eq!(marked(&channel), [false, true]);
    // The next edit takes the mark away.
    app.bus.send([good(&jid(1), "web1", true)]);
    let channel = app.said("its end", |channel| shows(channel, "1 changed")).await;
    assert_eq!(marked(&channel), [false, false]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_says_it_again_with_a_mark() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    for fault in [Fault::DroppedAnswer, Fault::Dead] {
        app.slack.fail_next(Some("webhook"), 1, fault);
    }
    app.bus.send([highstate(&jid(1), &["web1"])]);
    let channel = app.said("it twice", |channel| channel.roots().count() == 2).await;
    let texts: Vec<String> = channel.roots().map(|message| message.content.shown()).collect();
    assert!(!texts[0].contains(REPEAT) && texts[1].contains(REPEAT), "{texts:?}");
    app.stop().await;
}

/// As if all that was recorded had happened so long before.
fn age(app: &App, hours: i64) {
    let ago = hours * 3_600_000_000;
    let sql = format!(
        "UPDATE run SET started_at = started_at - {ago}, \
         finished_at = finished_at - {ago}; UPDATE return SET at = at - {ago};"
    );
    open(&app.journal()).execute_batch(&sql).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_day_without_slack_a_digest_tells_what_happened() {
    let mut app = App::new(Manner::Bot).await;
    app.limits.grace = Duration::from_millis(100);
    app.start().await;
    app.slack.go_down().await;
    app.bus.send([highstate(&jid(1), &["web1"]), bad(&jid(1), "web1", "too old")]);
    app.until_over(1).await;
    app.stop().await;
    app.bus.hang_up();
    age(&app, 20);
    app.start().await;
    let echo = |n: u32| new_job(&jid(n), "cmd.run", vec![text(&format!("echo {n}"))], &["web1"]);
    app.bus.send([echo(2), highstate(&jid(3), &["web1"]), bad(&jid(3), "web1", "not so old")]);
    app.until_over(2).await;
    app.stop().await;
    app.bus.hang_up();
    age(&app, 10);
    app.slack.come_back().await.unwrap();
    app.start().await;
    app.bus.send([echo(4)]);
    let channel = app
        .said("old news, the failure that is not too old, and news", |channel| {
            shows(channel, "While nothing could be said here")
                && shows(channel, "echo 4")
                && channel.messages.iter().any(|message| message.thread_ts.is_some())
        })
        .await;
    app.stop().await;
    let texts: Vec<String> = channel.roots().map(|message| message.content.shown()).collect();
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert!(texts[0].contains("3 runs") && texts[0].contains("echo 2"), "{texts:#?}");
    assert!(!texts[0].contains("echo 4"), "{texts:#?}");
    let thread: String = channel
        .messages
        .iter()
        .filter(|message| message.thread_ts.is_some())
        .map(|message| message.content.shown())
        .collect();
    assert!(thread.contains("not so old") && !thread.contains("too old\n"), "{thread}");
    assert_eq!(channel.messages.len(), 4, "{:#?}", channel.changes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_may_not_speak_is_told_of_at_another_once() {
    let mut app = App::new(Manner::Both).await;
    app.limits.grace = Duration::from_millis(100);
    app.slack.change_options(|options| options.token = "another".to_owned());
    app.start().await;
    let run = |n: u32| new_job(&jid(n), "cmd.run", vec![text(&format!("echo {n}"))], &["web1"]);
    app.bus.send([run(1)]);
    let channel = app.said("the trouble", |channel| shows(channel, "Nothing can be said at bot"));
    let shown: String = channel.await.roots().map(|message| message.content.shown()).collect();
    assert!(shown.contains("invalid_auth") && shown.contains("Bot User OAuth Token"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("services/"), "{shown}");
    app.until("the trouble, for those who ask", |journal| {
        let sinks = journal.sinks().unwrap();
        let bot = sinks.iter().find(|sink| sink.name == "bot").unwrap();
        (bot.trouble.is_some() && bot.told.is_some()).then_some(())
    })
    .await;
    app.stop().await;
    app.bus.hang_up();

    // A restart does not tell it again.
    app.start().await;
    app.bus.send([run(2)]);
    app.said("the rest goes on", |channel| shows(channel, "echo 2")).await;
    app.until("the trouble again", |journal| {
        let sinks = journal.sinks().unwrap();
        sinks.iter().any(|sink| sink.name == "bot" && sink.trouble.is_some()).then_some(())
    })
    .await;
    app.stop().await;
    app.bus.hang_up();
    assert_eq!(roots_with(&app.slack.channel(), "Nothing can be said"), 1);

    app.slack.change_options(|options| options.token = "xoxb-1-very-secret".to_owned());
    app.start().await;
    app.bus.send([run(3)]);
    app.said("its end", |channel| shows(channel, "Things can be said at bot again")).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_deleted_is_told_of_at_another_sink() {
    let mut app = App::new(Manner::Both).await;
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    let both = |channel: &Channel| channel.roots().count() == 2;
    let channel = app.said("it at both", both).await;
    let by_bot = channel.roots().find(|message| message.by == fake_slack::By::Bot).unwrap();
    app.until("the bot's delivery", |_| {
        let sql = "SELECT count(*) FROM delivery WHERE sink = 'bot'";
        (number(&app.journal(), sql) == 1).then_some(())
    })
    .await;
    assert!(app.slack.delete_message(&by_bot.ts));
    app.bus.send([good(&jid(1), "web1", true)]);
    let channel = app.said("what is gone", |channel| shows(channel, "A message at bot could not"));
    let shown: String = channel.await.roots().map(|message| message.content.shown()).collect();
    assert!(shown.contains("message_not_found") && shown.contains("state.highstate"), "{shown}");
    app.stop().await;
}

/// An edit that nobody answered arrives when a later one could have been made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_arrives_late_does_not_undo_a_later_one() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"])]);
    app.only_message_says("0 of 2 returned").await;
    app.slack.fail_next(Some("chat.update"), 1, Fault::Late(Duration::from_millis(1_500)));
    let calls = app.slack.calls();
    app.bus.send([good(&jid(1), "web1", false)]);
    app.until("a call", |_| (app.slack.calls() > calls).then_some(())).await;
    app.bus.send([good(&jid(1), "web2", true)]);
    let channel = app.said("two edits", |channel| channel.messages[0].edits.len() == 2).await;
    let shown = channel.messages[0].content.shown();
    assert!(shown.contains("1 changed"), "{shown}");
    app.stop().await;
}
