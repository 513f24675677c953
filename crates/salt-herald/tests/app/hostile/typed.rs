//! Hostile strings that nobody sent over the bus: typed, configured, answered by Slack, given to
//! `announce`, and named by files in the job cache. What we say of them are errors, notices and the log.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fake_slack::Fault;

use super::strings::hostile;
use super::{BINARY, SEED, judge, of_call, wrong};
use crate::app::{App, Manner, shows};
use crate::cache::Cache;
use crate::events::{highstate, jid};
use crate::metrics::{Program, fetch};

/// The answer of a command, and whether it does anything to a terminal.
fn ask(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).env_remove("CLICOLOR_FORCE").output().unwrap();
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(text.clone()).expect("what we say is UTF-8");
        wrong(&format!("{command:?}"), judge::of_terminal(&text));
    }
    output
}

#[test]
fn what_is_typed_is_mere_text_in_what_is_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    drop(salt_herald::store::Journal::open(&journal).unwrap());
    for (number, string) in hostile(SEED + 1, 160).into_iter().enumerate() {
        let mut typed = string.replace('\0', "").into_bytes();
        typed.truncate(4_000);
        if number % 5 == 0 {
            typed.extend_from_slice(b"\xed\xa0\x80\xff");
        }
        let typed = OsString::from_vec(typed);
        let dashed = [OsString::from("--"), typed.clone()].into_iter().collect::<OsString>();
        let on = |args: &[&str]| {
            let mut command = Command::new(BINARY);
            command.args(args).arg(&typed).arg("--journal").arg(&journal);
            command
        };
        let alone = |args: &[&str]| {
            let mut command = Command::new(BINARY);
            command.args(args).arg(&typed);
            command
        };
        let mut commands = match number % 4 {
            0 => [on(&["show"]), on(&["log", "--since"]), alone(&[])],
            1 => {
                [on(&["log", "--user"]), on(&["routes", "--explain"]), alone(&["log", "--journal"])]
            }
            2 => [on(&["show", "--minion"]), alone(&["help"]), alone(&["check", "--config"])],
            _ => [on(&["log", "--text"]), alone(&["log", "-n"]), alone(&["completions"])],
        };
        commands.iter_mut().for_each(|command| drop(ask(command)));
        ask(Command::new(BINARY).arg("log").arg(&dashed));
        ask(Command::new(BINARY).args(["log", "--journal"]).arg(&journal).arg(&dashed));
    }
}

#[test]
fn what_is_configured_is_mere_text_in_what_is_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald");
    for (number, string) in hostile(SEED + 2, 120).into_iter().enumerate() {
        let word = yaml(&string);
        let text = match number % 5 {
            0 => format!("{word}: {word}\n"),
            1 => format!("slack: {{{word}: {{webhook_url: {word}, channel: {word}}}}}\n"),
            2 => format!("name: {word}\nslack: {{x: {{token_file: {word}, channel: {word}}}}}\n"),
            3 => format!(
                "routes: [{{name: {word}, fun: {word}, to: {word}}}]\npeople: {{{word}: {word}}}\n"
            ),
            _ => format!(
                "metrics: {{listen: {word}}}\njournal: {{path: {word}, keep: {word}}}\nsalt: {{user: {word}, sock_dir: {word}}}\n"
            ),
        };
        std::fs::write(&file, text).unwrap();
        for args in [
            &["check"][..],
            &["check", "--json"],
            &["routes"],
            &["run"],
            &["announce", "--dry-run", "a", "b", "c"],
        ] {
            // One that could be used would run, and write there.
            if args[0] != "run" || salt_herald::config::load(&options(&file)).is_err() {
                ask(Command::new(BINARY).args(args).arg("--config").arg(&file));
            }
        }
    }
}

fn options(file: &Path) -> salt_herald::config::LoadOptions {
    salt_herald::config::LoadOptions { file: Some(file.to_owned()), ..Default::default() }
}

/// The text as YAML writes it when every character has to arrive.
fn yaml(text: &str) -> String {
    let written = text.chars().map(|c| match c {
        ' '..='~' if c != '"' && c != '\\' => c.to_string(),
        c => format!("\\U{:08X}", c as u32),
    });
    format!("\"{}\"", written.collect::<String>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slack_answers_is_mere_text_in_notices_the_log_status_and_metrics() {
    let strings = hostile(SEED + 3, 60);
    for (number, strings) in strings.chunks(15).enumerate() {
        let code = strings.concat();
        let mut app = App::new(Manner::Both).await;
        app.slack.keep_calls();
        let fault = match number % 2 {
            0 => Fault::Code(code.clone()),
            _ => Fault::Answer { status: 403, body: code.clone().into_bytes() },
        };
        app.slack.fail_next(Some("chat.postMessage"), 100, fault);
        let socket = app.folder.path().join("metrics.sock");
        // A third sink, whose name is hostile too.
        let name = yaml(&strings[0]);
        let url = app.slack.webhook_url();
        app.more = format!(
            "  {name}:\n    webhook_url: {url}\nmetrics: {{listen: {}}}\n",
            socket.display()
        );
        let program = Program::start_with(&app, &[("HERALD_LOG", "trace")]);
        app.bus.accept();
        app.bus.send([highstate(&jid(1), &["web1"])]);
        app.said("it at the webhook", |channel| shows(channel, "Nothing can be said at bot")).await;
        let calls = app.slack.take_calls();
        // The one that was refused, and what is said of it; others may follow.
        assert!(calls.len() >= 2);
        wrong("calls", calls.iter().flat_map(of_call).collect());
        let metrics = fetch(&socket).unwrap();
        let samples = judge::read_metrics(metrics.split_once("\r\n\r\n").unwrap().1).unwrap();
        let of_sinks = samples.values().flatten().filter(|(label, _)| label == "sink");
        let known = ["bot", "webhook", strings[0].as_str()];
        of_sinks.for_each(|(_, value)| assert!(known.contains(&value.as_str()), "{value:?}"));
        wrong("status", judge::of_terminal(&program.status()));
        let log = program.log();
        assert!(log.contains("not said"), "{log}");
        wrong("the log", judge::of_terminal(&log));
        for secret in [crate::app::TOKEN, crate::app::WEBHOOK] {
            assert!(!log.contains(secret), "the log of a daemon gives a secret back, at trace");
            assert!(!metrics.contains(secret));
        }
    }
}

/// What the usual script posts is parsed by Slack: it stands in a code span that nothing in it ends.
#[test]
fn what_announce_posts_is_mere_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald");
    std::fs::write(
        &file,
        "slack: {x: {webhook_url: 'https://hooks.slack.com/services/T0/B0/x'}}\n",
    )
    .unwrap();
    for four in hostile(SEED + 4, 200).chunks(4) {
        let words = four.iter().map(|word| word.replace('\0', ""));
        let output = Command::new(BINARY)
            .arg("--config")
            .arg(&file)
            .args(["announce", "--dry-run", "--"])
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        wrong("--dry-run", judge::of_terminal(&text));
        let payload: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        wrong("the payload", judge::of_legacy(&payload));
    }
}

/// Whoever writes into the job cache (another user of the master's group) names files as they please.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_job_cache_holds_is_mere_text() {
    let app = App::new(Manner::Bot).await;
    let cache = Cache::of(&app);
    let now = jiff::Timestamp::now();
    for (number, four) in hostile(SEED + 5, 120).chunks(4).enumerate() {
        let id = crate::cache::jid_of(now - jiff::SignedDuration::from_secs(60 + number as i64));
        let name: String = four[0].replace(['/', '\0'], "|").chars().take(60).collect();
        cache.job_with(&id, &four[1], &four[2], &[name.as_str(), &four[3]]);
        cache.returns(&id, &name, 1);
        let odd = cache.folder(&id).join(format!("{name}.p"));
        std::fs::write(odd, four[3].as_bytes()).unwrap();
    }
    let config = app.write_config();
    let preview = |args: &[&str]| {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(&config).arg("preview").args(args);
        let output = ask(&mut command);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(preview(&["--all"]).contains("evil"));
    wrong("preview --json", judge::of_json(&preview(&["--all", "--json"])));
}
