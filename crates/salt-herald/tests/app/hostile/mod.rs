//! Two thousand hostile strings, in every place where a text from outside gets in, to every place where
//! we say something: each call to Slack, each line on a terminal, each line of JSON, the metrics, the
//! log. None may do more than be read.
//!
//! What is allowed is judged by what the texts are (see `judge`), on the very bytes that leave.

mod judge;
mod scene;
mod strings;
mod typed;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use fake_slack::Sent;

use crate::app::{App, Manner, PATIENCE};
use crate::metrics::fetch;
use scene::{Place, Scene};
use strings::word;

const BINARY: &str = env!("CARGO_BIN_EXE_salt-herald");
const SEED: u64 = 20_261_122;
const COUNT: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_hostile_strings_are_mere_text_wherever_they_come_out() {
    let mut app = App::new(Manner::Both).await;
    app.limits.pace = salt_herald::daemon::Pace::times(1_000);
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    app.slack.keep_calls();
    let socket = app.folder.path().join("metrics.sock");
    app.more = format!("metrics: {{listen: {}}}\n", socket.display());
    app.start().await;
    let mut scene = Scene::new(strings::hostile(SEED, COUNT), SEED);
    let mut calls = Vec::new();
    while let Some(round) = scene.next_round() {
        app.bus.send(round.events);
        let until = Instant::now() + PATIENCE;
        let mut wanted: BTreeSet<String> = round.said.into_iter().collect();
        while !wanted.is_empty() {
            assert!(Instant::now() < until, "never said: {:?}", scene.find(&wanted));
            tokio::time::sleep(Duration::from_millis(2)).await;
            let new = app.slack.take_calls();
            for call in &new {
                let body = String::from_utf8_lossy(&call.body);
                wanted.retain(|word| !body.contains(word));
            }
            calls.extend(new);
        }
    }
    assert!(scene.left() == 0, "{} strings were not used", scene.left());
    app.until("the last ones", |journal| {
        (journal.count_runs().unwrap() >= scene.rounds()).then_some(())
    })
    .await;
    let metrics = fetch(&socket).unwrap();
    app.stop().await;
    calls.extend(app.slack.take_calls());
    wrong("calls", calls.iter().flat_map(of_call).collect());
    let body = metrics.split_once("\r\n\r\n").unwrap().1;
    for labels in judge::read_metrics(body).unwrap().values() {
        assert!(labels.iter().all(|(_, value)| !value.contains("evil")), "{labels:?}");
    }
    let said: String = calls.iter().map(|call| String::from_utf8_lossy(&call.body)).collect();
    assert_told(&scene, &(said + &terminals(&app)));
}

fn of_call(call: &Sent) -> Vec<String> {
    match call.method.as_str() {
        "chat.postMessage" | "chat.update" | "webhook" => judge::of_slack(&call.body),
        _ => Vec::new(),
    }
}

/// The strings really went out: some of each place, wherever we say what stands there.
fn assert_told(scene: &Scene, all: &str) {
    // Which syndic a job went through is not said.
    let is_said = |place: &&Place| !matches!(place, Place::Syndic | Place::Unheard);
    for place in Place::ALL.iter().filter(is_said) {
        let there = scene.used().iter().filter(|(_, at)| at == place);
        let (count, said) = there.fold((0, 0), |(count, said), (number, _)| {
            (count + 1, said + usize::from(all.contains(&word(*number))))
        });
        assert!(said * 3 >= count, "{place:?}: {said} of {count} came out somewhere");
    }
}

/// Everything that people and scripts can ask the journal for.
fn terminals(app: &App) -> String {
    let config = app.write_config();
    let mut all = String::new();
    let mut people = |args: &[&str]| {
        let said = ask(&config, args, false);
        wrong(&format!("{args:?}"), judge::of_terminal(&said));
        all.push_str(&said);
    };
    people(&["log", "--all", "-n", "100000"]);
    people(&["status"]);
    let json = ask(&config, &["log", "--json"], false);
    wrong("log --json", judge::of_json(&json));
    assert!(json.lines().count() > 100, "{}", json.lines().count());
    for (number, line) in json.lines().enumerate() {
        let run: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = run["run"].to_string();
        people(&["show", "run", &id]);
        // Fewer of what is made by the same code.
        if number % 4 == 0 {
            people(&["routes", "--explain", "run", &id]);
            let shown = ask(&config, &["show", "run", &id, "--json"], false);
            wrong("show --json", judge::of_json(&shown));
            for minion in run["minions"]["missing"].as_array().unwrap() {
                people(&["show", minion.as_str().unwrap()]);
            }
        }
    }
    wrong("log in colours", judge::of_colours(&ask(&config, &["log", "--all"], true)));
    wrong("status in colours", judge::of_colours(&ask(&config, &["status"], true)));
    all + &json
}

/// Fails if anything is wrong.
fn wrong(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}: {} times: {:#?}", found.len(), &found[..9.min(found.len())]);
}

/// What a command prints. That it has nothing to say is all that may be wrong.
fn ask(config: &Path, args: &[&str], colour: bool) -> String {
    let mut command = Command::new(BINARY);
    command.arg("--config").arg(config).args(args).stdin(Stdio::null());
    if colour {
        command.env("CLICOLOR_FORCE", "1");
    } else {
        command.env_remove("CLICOLOR_FORCE");
    }
    let output: Output = command.output().unwrap();
    wrong("its errors", judge::of_terminal(&String::from_utf8(output.stderr).unwrap()));
    String::from_utf8(output.stdout).unwrap()
}
