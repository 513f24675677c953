//! Many runs at once: the same command again and again, and more commands than a channel takes one
//! by one.

use fake_slack::{Channel, Message, Rate};
use tokio::time::Instant;

use crate::app::{App, Manner, no_hurry, shows};
use crate::events::{Event, bad, good, highstate, jid, new_job, ret_of, text};
use crate::journal::number;

/// Slack's own limit for posts.
const POSTS: Option<Rate> = Some(Rate { per_second: 1.0, burst: 2.0 });

fn command(n: u32, minion: &str) -> Event {
    new_job(&jid(n), "cmd.run", vec![text(&format!("echo {n}"))], &[minion])
}

fn command_ret(n: u32, minion: &str, retcode: i64) -> Event {
    let said = format!("said {n}");
    ret_of(&jid(n), minion, "cmd.run", vec![text(&format!("echo {n}"))], text(&said), retcode)
}

fn limited(app: &App) {
    app.slack.change_options(|options| options.posts = POSTS);
}

/// The message that says something.
fn saying<'a>(channel: &'a Channel, part: &str) -> Option<&'a Message> {
    channel.roots().find(|message| message.content.shown().contains(part))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_host_by_host_is_one_message_with_a_count() {
    let mut app = App::started().await;
    limited(&app);
    for n in 1..=6 {
        app.bus.send([highstate(&jid(n), &[format!("web{n}")])]);
    }
    app.only_message_says("6 runs · 6 minions").await;
    for n in 1..=6 {
        app.bus.send([good(&jid(n), &format!("web{n}"), n == 2)]);
    }
    let channel = app.only_message_says("1 changed · 5 unchanged").await;
    assert_eq!(channel.messages.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_gets_its_own_message() {
    let mut app = App::started().await;
    limited(&app);
    for n in 1..=3 {
        app.bus.send([highstate(&jid(n), &[format!("web{n}")])]);
    }
    app.only_message_says("3 runs").await;
    app.bus.send([good(&jid(1), "web1", false), good(&jid(3), "web3", false)]);
    app.bus.send([bad(&jid(2), "web2", "nginx does not start")]);
    let channel = app
        .said("the failure and its thread", |channel| {
            channel.messages.len() == 3 && shows(channel, "1 failed (web2) · 2 unchanged")
        })
        .await;
    let own = channel.roots().nth(1).unwrap();
    assert!(own.content.shown().contains("1 failed (web2)"), "{:#?}", own.content);
    assert!(!own.content.shown().contains("runs"), "{:#?}", own.content);
    let thread = channel.messages.iter().find(|message| message.thread_ts.is_some()).unwrap();
    assert_eq!(thread.thread_ts.as_ref(), Some(&own.ts));
    assert!(thread.content.shown().contains("nginx does not start"));

    // Another of them that fails later does not touch it.
    app.bus.send([highstate(&jid(4), &["web4"]), bad(&jid(4), "web4", "no")]);
    app.said("the other failure", |channel| channel.messages.len() == 5).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_a_digest_in_which_everything_stands() {
    let mut app = App::started().await;
    limited(&app);
    let begun = Instant::now();
    for n in 1..=40 {
        app.bus.send([command(n, "web1")]);
    }
    let all = |channel: &Channel| (1..=40).all(|n| shows(channel, &format!("'echo {n}'")));
    let channel = app.said("every command", all).await;
    assert!(channel.roots().count() <= 3, "{:#?}", channel.changes);
    no_hurry(&channel, begun);

    for n in 1..=40 {
        app.bus.send([command_ret(n, "web1", i64::from(n == 33))]);
    }
    let channel = app
        .said("their ends", |channel| {
            let digest =
                saying(channel, "1 failed ·").is_some() || saying(channel, "· 1 failed").is_some();
            digest && channel.messages.iter().any(|message| message.thread_ts.is_some())
        })
        .await;
    let own: Vec<&Message> = channel
        .roots()
        .filter(|message| {
            message.content.shown().contains("echo 33")
                && !message.content.shown().contains("echo 32")
        })
        .collect();
    assert_eq!(own.len(), 1, "{:#?}", channel.changes);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_with_a_message_about_several_runs() {
    let mut app = App::started().await;
    for n in 1..=3 {
        app.bus.send([highstate(&jid(n), &[format!("web{n}")])]);
    }
    app.only_message_says("3 runs").await;
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    for n in 1..=3 {
        app.bus.send([good(&jid(n), &format!("web{n}"), false)]);
    }
    app.only_message_says("3 unchanged").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_takes_a_flood_as_a_digest_and_a_failure_by_itself() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    limited(&app);
    for n in 1..=30 {
        app.bus.send([command(n, "web1")]);
    }
    let all = |channel: &Channel| (1..=30).all(|n| shows(channel, &format!("'echo {n}'")));
    app.said("every command", all).await;
    app.bus.send([command_ret(7, "web1", 1)]);
    app.bus.send((1..=6).map(|n| command_ret(n, "web1", 0)));
    let channel = app.said("the failure", |channel| saying(channel, "said 7").is_some()).await;
    assert!(channel.roots().count() <= 5, "{:#?}", channel.changes);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_command_gets_a_message_of_its_own() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.bus.send([command(2, "web1")]);
    let channel = app.said("two messages", |channel| channel.roots().count() == 2).await;
    assert!(!shows(&channel, "runs"), "{:#?}", channel.changes);
    app.stop().await;
}

/// Slack is away as a message is to take up another run, and meanwhile somebody deletes the message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_a_deleted_message_never_showed_gets_another_message() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    let channel = app.only_message_says("0 of 1 returned").await;
    let ts = channel.roots().next().unwrap().ts.clone();
    let deliveries = |count: i64| {
        let journal = app.journal();
        move || number(&journal, "SELECT count(*) FROM delivery") == count
    };
    let (one, two) = (deliveries(1), deliveries(2));
    app.until("that it was said", |_| one().then_some(())).await;
    app.slack.go_down().await;
    app.bus.send([highstate(&jid(2), &["web2"])]);
    app.until("that it is to be taken up", |_| two().then_some(())).await;
    assert!(app.slack.delete_message(&ts));
    app.slack.come_back().await.unwrap();
    app.bus.send([good(&jid(2), "web2", true)]);
    let channel = app.said("the other run", |channel| shows(channel, "1 changed")).await;
    let about: Vec<&Message> =
        channel.roots().filter(|message| message.content.shown().contains("web2")).collect();
    assert_eq!(about.len(), 1, "{:#?}", channel.changes);
    assert_ne!(about[0].ts, ts);
    app.stop().await;
}
