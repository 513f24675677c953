//! Checkpoints in the channel: one thread for each journal, one line a day, found again after restarts, lost
//! answers and a restore.

use std::time::Duration;

use fake_slack::{Channel, Fault, Message};
use herald_core::seal;
use salt_herald::seal::is_signed;

use crate::app::{App, Manner, shows};
use crate::events::{jid, new_job, text};
use crate::journal::open;

/// A day and an hour, in microseconds.
const DAY: i64 = 90_000_000_000;

fn threads(channel: &Channel) -> Vec<&Message> {
    let begins =
        |message: &&Message| message.content.shown().contains("Checkpoints of the journal");
    channel.roots().filter(begins).collect()
}

/// What is said about checkpoints in threads.
fn lines(channel: &Channel) -> Vec<&Message> {
    let in_thread = channel.messages.iter().filter(|message| message.thread_ts.is_some());
    in_thread
        .filter(|message| message.content.shown().contains("salt-herald checkpoint "))
        .collect()
}

async fn with_checkpoints() -> App {
    let mut app = App::new(Manner::Bot).await;
    app.checkpoints = true;
    app
}

/// Waits until a checkpoint was said, and that is noted.
async fn until_said(app: &App, count: usize) -> Channel {
    let channel = app.said("a checkpoint", |channel| lines(channel).len() >= count).await;
    app.until("it is noted", |journal| {
        let last = journal.last_seal().unwrap()?.checkpoint.number;
        let sink = journal.sinks().unwrap().into_iter().find(|sink| sink.name == "bot")?;
        let is_noted = sink.checkpoint.is_some_and(|told| told.number == last);
        (is_noted && sink.attempt.is_none()).then_some(())
    })
    .await;
    channel
}

/// A run is said, so that all that went before it has had its turn.
async fn say_a_run(app: &mut App, number: u32) {
    let echo = format!("echo {number}");
    app.bus.send([new_job(&jid(number), "cmd.run", vec![text(&echo)], &["web1"])]);
    app.said("a run", |channel| shows(channel, &echo)).await;
}

/// It ends, and the bus with it.
async fn stop(app: &mut App) {
    app.stop().await;
    app.bus.hang_up();
}

/// As if what the journal knows of checkpoints were a day older. The app is stopped.
fn let_a_day_pass(app: &App) {
    let connection = open(&app.journal());
    let sql = format!(
        "UPDATE seal SET at = at - {DAY}; UPDATE sink SET checkpoint_at = checkpoint_at - {DAY}"
    );
    connection.execute_batch(&sql).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_are_said_once_a_day_in_one_thread() {
    let mut app = with_checkpoints().await;
    app.start().await;
    let channel = until_said(&app, 1).await;
    let key = app.reader().seal_keys().unwrap().remove(0).0;
    let thread = threads(&channel)[0];
    assert!(thread.content.shown().contains(&key.to_string()), "{}", thread.content.shown());
    let line = lines(&channel)[0].content.shown();
    let signed = seal::read(&line).remove(0).unwrap();
    assert!(is_signed(&signed, key));
    assert_eq!(Some(signed), app.reader().last_seal().unwrap());
    let masked = |text: String| {
        let words = text.split(' ').map(|word| match word.trim_matches(['`', '.', '\n']) {
            hex if hex.len() >= 36 => "HEX",
            time if time.starts_with("20") && time.contains('T') => "TIME",
            _ => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!(format!("{}\n---\n{}", masked(thread.content.shown()), masked(line)));

    // Nothing more on the same day, and after a restart; a line after a day, and nothing else.
    say_a_run(&mut app, 1).await;
    stop(&mut app).await;
    app.start().await;
    say_a_run(&mut app, 2).await;
    assert_eq!(lines(&app.slack.channel()).len(), 1);
    for day in 2..4 {
        stop(&mut app).await;
        let_a_day_pass(&app);
        app.start().await;
        until_said(&app, day).await;
    }
    say_a_run(&mut app, 3).await;
    let channel = app.slack.channel();
    assert_eq!((threads(&channel).len(), lines(&channel).len()), (1, 3), "{:#?}", channel.changes);
    let ts = &threads(&channel)[0].ts;
    assert!(lines(&channel).iter().all(|line| line.thread_ts.as_ref() == Some(ts)));
    // Only the runs and the thread stand in the channel itself.
    assert_eq!(channel.roots().count(), 4);
    stop(&mut app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_slack_does_there_is_one_thread_and_one_line() {
    let limited = Fault::RateLimited { retry_after: Some("1".to_owned()) };
    let broken = Fault::Answer { status: 503, body: b"no".to_vec() };
    let late = Fault::Late(Duration::from_millis(700));
    let faults = [limited, Fault::DroppedAnswer, late, broken];
    for fault in faults {
        for in_thread in [false, true] {
            let mut app = with_checkpoints().await;
            if in_thread {
                // The thread itself is begun without trouble.
                app.slack.fail_next(Some("chat.postMessage"), 1, Fault::Slow(Duration::ZERO));
            }
            app.slack.fail_next(Some("chat.postMessage"), 1, fault.clone());
            app.start().await;
            until_said(&app, 1).await;
            say_a_run(&mut app, 1).await;
            let channel = app.slack.channel();
            let found = (threads(&channel).len(), lines(&channel).len());
            assert_eq!(found, (1, 1), "{fault:?}, {in_thread}: {:#?}", channel.changes);
            stop(&mut app).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_it_is_noted_it_finds_the_thread_and_the_line() {
    let mut app = with_checkpoints().await;
    app.start().await;
    until_said(&app, 1).await;
    for forgotten in [
        "thread = NULL, checkpoint = 0, checkpoint_at = NULL",
        "checkpoint = 0, checkpoint_at = NULL",
    ] {
        stop(&mut app).await;
        let attempt = jiff::Timestamp::now().as_microsecond() - 60_000_000;
        let sql = format!("UPDATE sink SET {forgotten}, attempt = {attempt}");
        open(&app.journal()).execute_batch(&sql).unwrap();
        app.start().await;
        until_said(&app, 1).await;
    }
    say_a_run(&mut app, 1).await;
    let channel = app.slack.channel();
    assert_eq!((threads(&channel).len(), lines(&channel).len()), (1, 1), "{:#?}", channel.changes);
    stop(&mut app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_the_thread_is_found_and_told_of_it() {
    let mut app = App::new(Manner::Bot).await;
    app.start().await;
    app.until("a checkpoint", |journal| journal.last_seal().unwrap()).await;
    stop(&mut app).await;
    let backup = app.folder.path().join("backup.db");
    app.reader().back_up(&backup, true, &mut |_| {}).unwrap();
    // What follows is lost, but for what stands in the channel.
    app.checkpoints = true;
    app.start().await;
    until_said(&app, 1).await;
    stop(&mut app).await;
    std::fs::copy(&backup, app.journal()).unwrap();
    app.start().await;
    let channel = until_said(&app, 2).await;
    assert_eq!((threads(&channel).len(), lines(&channel).len()), (1, 2), "{:#?}", channel.changes);
    let last = lines(&channel)[1].content.shown();
    assert!(last.contains("put back from a backup"), "{last}");

    // So is it told of another key.
    stop(&mut app).await;
    std::fs::remove_file(salt_herald::seal::SealKey::place(&app.journal())).unwrap();
    app.start().await;
    let channel = until_said(&app, 3).await;
    let key = app.reader().seal_keys().unwrap().pop().unwrap().0.to_string();
    let last = lines(&channel)[2].content.shown();
    assert!(last.contains("another key than before") && last.contains(&key), "{last}");
    assert_eq!(threads(&channel).len(), 1);
    stop(&mut app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_that_somebody_deleted_is_begun_anew_once() {
    let mut app = with_checkpoints().await;
    app.start().await;
    let channel = until_said(&app, 1).await;
    stop(&mut app).await;
    let first = threads(&channel)[0].ts.clone();
    assert!(app.slack.delete_message(&first));
    for day in 1..3 {
        let_a_day_pass(&app);
        app.start().await;
        until_said(&app, day).await;
        stop(&mut app).await;
    }
    let channel = app.slack.channel();
    assert_eq!((threads(&channel).len(), lines(&channel).len()), (1, 2), "{:#?}", channel.changes);
    assert_ne!(threads(&channel)[0].ts, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_says_a_line_by_itself_where_that_is_asked_for() {
    let mut app = App::new(Manner::Webhook).await;
    app.start().await;
    app.until("a checkpoint", |journal| journal.last_seal().unwrap()).await;
    say_a_run(&mut app, 1).await;
    stop(&mut app).await;
    assert!(!shows(&app.slack.channel(), "salt-herald checkpoint"));
    app.more = "    checkpoints: true\n".to_owned();
    app.start().await;
    let channel =
        app.said("a checkpoint", |channel| shows(channel, "salt-herald checkpoint ")).await;
    let said = |message: &&Message| message.content.shown().contains("salt-herald checkpoint ");
    let key = app.reader().seal_keys().unwrap().remove(0).0.to_string();
    assert!(channel.roots().find(said).unwrap().content.shown().contains(&key));
    say_a_run(&mut app, 2).await;
    stop(&mut app).await;
    assert_eq!(app.slack.channel().roots().filter(said).count(), 1);
}
