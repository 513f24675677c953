//! What is recorded but not said, and what comes from people who mean harm.

use std::path::Path;

use fake_slack::Channel;

use crate::app::{App, Manner, all, shows};
use crate::events::{good, highstate, jid, map, new_job, ret_of, scheduled, text};
use crate::journal::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_is_recorded_and_not_said() {
    let mut app = App::started().await;
    app.bus.send([
        new_job(&jid(1), "test.ping", Vec::new(), &["web1"]),
        ret_of(&jid(1), "web1", "test.ping", Vec::new(), text("x"), 0),
        scheduled(&jid(2), "web1", "state.highstate", false),
        highstate(&jid(3), &["web1"]),
        good(&jid(3), "web1", true),
    ]);
    app.only_message_says("1 changed").await;
    app.until_over(3).await;
    app.stop().await;
    let funs: Vec<String> =
        app.reader().runs(&all()).unwrap().into_iter().flat_map(|run| run.head.funs).collect();
    assert_eq!(funs.len(), 3, "{funs:?}");
    assert!(funs.contains(&"test.ping".to_owned()), "{funs:?}");
    assert_eq!(app.slack.channel().roots().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_fails_is_told_once_with_all_its_minions() {
    let mut app = App::started().await;
    app.bus.send([scheduled(&jid(1), "web1", "state.highstate", true)]);
    app.only_message_says("failed").await;
    app.bus.send((2..6).map(|n| scheduled(&jid(n), &format!("web{n}"), "state.highstate", true)));
    let channel = app.only_message_says("5 minions").await;
    let shown = channel.roots().next().unwrap().content.shown();
    assert!(shown.contains("5 runs"), "{shown}");
    // Another function is another matter.
    app.bus.send([scheduled(&jid(9), "web1", "state.apply", true)]);
    app.said("a second message", |channel| channel.roots().count() == 2).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_texts_reach_slack_as_mere_text() {
    let evil = "<!channel> <@U1> <https://evil.example|click> ``` *x* _y_ \u{202e}txt.exe\u{2066} &lt;!here&gt;\u{0}\u{1b}[2J";
    let mut app = App::new(Manner::Both).await;
    app.start().await;
    let minion = "web<!here>1";
    app.bus.send([
        new_job(&jid(1), "cmd.run", vec![text(evil), text("```\n<!everyone>")], &[minion]),
        ret_of(&jid(1), minion, "cmd.run", vec![text(evil)], text(evil), 1),
        highstate(&jid(2), &["web1"]),
        crate::events::bad(&jid(2), "web1", evil),
    ]);
    let channel = app
        .said("all of it", |channel| {
            channel.messages.iter().filter(|m| m.thread_ts.is_some()).count() == 2
                && channel.roots().count() >= 4
        })
        .await;
    app.stop().await;
    for message in &channel.messages {
        let edits = message.edits.iter().map(|edit| &edit.before);
        for content in edits.chain([&message.content]) {
            assert_eq!(content.references(), Vec::<String>::new(), "{content:#?}");
            let raw = format!("{} {}", serde_json::json!(content.blocks), content.text);
            assert!(!raw.contains(['\u{202e}', '\u{2066}', '\u{1b}']), "{raw}");
        }
    }
}

const SECRETS: [&str; 3] = ["Tr0ub4dor-and-3", "correct-horse-battery", "pillar-pa55word-x"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_a_file_or_the_chat() {
    let mut app = App::new(Manner::Both).await;
    app.start().await;
    let pillar = map(vec![("db_password", text(SECRETS[2]))]);
    let kwargs = map(vec![
        ("__kwarg__", salt_event::Value::Bool(true)),
        ("password", text(SECRETS[1])),
        ("pillar", pillar),
    ]);
    let arg = vec![text(&format!("mysql --user=root --password={}", SECRETS[0])), kwargs];
    let said = SECRETS.join(" and ");
    app.bus.send([
        new_job(&jid(1), "cmd.run", arg.clone(), &["web1", "web2"]),
        ret_of(&jid(1), "web1", "cmd.run", arg.clone(), text(&format!("it said {said}")), 1),
        // Another job's return tells of this one's arguments.
        new_job(&jid(2), "saltutil.running", Vec::new(), &["web2"]),
        ret_of(
            &jid(2),
            "web2",
            "saltutil.running",
            Vec::new(),
            salt_event::Value::Array(vec![map(vec![(
                "arg",
                salt_event::Value::Array(arg.clone()),
            )])]),
            0,
        ),
    ]);
    app.until("the first return", |journal| {
        journal.runs(&all()).unwrap().iter().any(|run| run.tally.failed.len() == 1).then_some(())
    })
    .await;
    assert_clean(app.folder.path());
    app.stop().await;
    app.bus.hang_up();
    // A restart forgets none, though the run's beginning is in the past.
    app.start().await;
    app.bus.send([ret_of(&jid(1), "web2", "cmd.run", arg, text(&said), 1)]);
    let channel = app
        .said("the end", |channel| {
            shows(channel, "2 failed") && channel.messages.iter().any(|m| m.thread_ts.is_some())
        })
        .await;
    assert_clean(app.folder.path());
    open(&app.journal()).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_or_default();
    app.stop().await;
    assert_clean(app.folder.path());
    assert_silent(&channel);
    assert_silent(&app.slack.channel());
}

/// No file beside the config holds a secret, the journal's own least of all.
fn assert_clean(folder: &Path) {
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            read += usize::from(path.file_name().unwrap().to_string_lossy().contains("journal"));
            for secret in SECRETS {
                let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} in {path:?}");
            }
        }
    }
    assert!(read >= 2, "the journal and its lock at least");
}

fn assert_silent(channel: &Channel) {
    let all = format!("{:?} {:?}", channel.messages, channel.changes);
    for secret in SECRETS {
        assert!(!all.contains(secret), "{secret} in the channel");
    }
}
