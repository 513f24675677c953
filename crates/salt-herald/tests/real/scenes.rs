//! What people do with Salt, and what must be seen of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fake_slack::{Channel, Message};
use serde_json::{Value, json};

use crate::ended;
use crate::herald::Herald;
use crate::lab::Lab;

/// A secret that no file, page, log or chat may hold.
const SECRET: &str = "hunter2-Zq81xkWv";

fn message<'c>(channel: &'c Channel, command: &str) -> Option<&'c Message> {
    let is_it = |message: &&Message| {
        message.thread_ts.is_none() && message.content.shown().contains(command)
    };
    channel.messages.iter().rev().find(is_it)
}

/// In how many messages a command stands.
fn tellings(channel: &Channel, command: &str) -> usize {
    channel.roots().filter(|message| message.content.shown().contains(command)).count()
}

fn thread_of(channel: &Channel, message: &Message) -> String {
    let replies =
        channel.messages.iter().filter(|reply| reply.thread_ts.as_ref() == Some(&message.ts));
    replies.map(|reply| reply.content.shown()).collect::<Vec<_>>().join("\n")
}

fn says(channel: &Channel, command: &str, words: &[&str]) -> bool {
    message(channel, command).is_some_and(|message| {
        let shown = message.content.shown();
        words.iter().all(|word| shown.contains(word))
    })
}

pub(crate) fn a_highstate_fails(lab: &Lab, herald: &Herald) {
    lab.salt(&["*", "state.highstate"]);
    let command = "salt '*' state.highstate";
    let told = json!({
        "kind": "state_run", "status": "failed", "command": command, "announced": true,
        "minions": {"expected": 4, "returned": 4, "succeeded": 3, "failed": 1}
    });
    let run = herald.run_told("the highstate", |run| run["fun"][0] == "state.highstate", &told);
    assert!(run["user"].is_string(), "{run}");
    let channel = herald.channel_where("the highstate's thread", |channel| {
        says(channel, command, &["✗", "1 failed (web3)"])
            && message(channel, command).is_some_and(|it| !thread_of(channel, it).is_empty())
    });
    assert_eq!(tellings(&channel, command), 1, "one message: {channel:#?}");
    let said = message(&channel, command).expect("just seen");
    let thread = thread_of(&channel, said);
    assert!(thread.contains("certificate /etc/ssl/shop.pem expired 3 days ago"), "{thread}");
    let shown = herald.command(&["show", "last", "failed"]);
    let story = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(story.contains("certificate-valid"), "{story}");
}

pub(crate) fn a_test_run_keeps_its_secret(lab: &Lab, herald: &Herald) {
    let pillar = format!("pillar={{'build': '9.9', 'db_password': '{SECRET}'}}");
    lab.salt(&["web1", "state.apply", "web", &pillar, "test=True"]);
    let succeeded = json!({"status": "succeeded"});
    let run = herald.run_told("the test run", |run| run["test"] == true, &succeeded);
    let command = run["command"].as_str().expect("a command");
    assert!(command.contains("db_password") && command.contains("9.9"), "{command}");
    herald.channel_where("the test run", |channel| {
        says(channel, "test=True", &["✎", "1 would change"])
    });
    lab.salt(&["web1", "cmd.run", &format!("echo --password={SECRET}; exit 3")]);
    herald.run_where("a failing command with a password", |run| {
        run["command"].as_str().is_some_and(|command| command.contains("exit 3")) && ended(run)
    });
    herald.channel_where("its failure's thread", |channel| {
        message(channel, "exit 3").is_some_and(|it| thread_of(channel, it).contains("--password"))
    });
}

pub(crate) fn no_secret_is_anywhere(herald: &Herald) {
    let channel = format!("{:?}", herald.channel());
    assert!(channel.contains("--password"), "the channel tells of the command");
    assert!(!channel.contains(SECRET), "in the channel");
    assert!(!herald.log_text().contains(SECRET), "in the log");
    no_journal_file_holds(herald, SECRET);
}

pub(crate) fn no_journal_file_holds(herald: &Herald, secret: &str) {
    // Beside them lies the daemon's socket, which holds nothing.
    let files = herald.journal_files().into_iter().filter(|file| file.is_file());
    let files: Vec<_> = files.collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(&file).expect("a journal's file");
        let at = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        assert_eq!(at, None, "in {}", file.display());
    }
}

pub(crate) fn a_minion_that_is_not_there_is_missing(lab: &Lab, herald: &Herald) {
    lab.salt(&["-L", "web1,web2,ghost", "test.ping"]);
    let told = json!({"minions": {"missing": ["ghost"], "returned": 2}});
    let run = herald.run_told("the ping", |run| run["tgt"] == "web1,web2,ghost", &told);
    assert_eq!(run["announced"], false, "test.ping is noise");
}

pub(crate) fn two_state_runs_meet(lab: &Lab, herald: &Herald) {
    lab.salt_async(&["web1", "state.apply", "slow", "pillar={'seconds': 30}"]);
    let first = herald.run_where("the slow run", |run| {
        run["status"] == "running" && run["tgt"] == "web1" && run["fun"][0] == "state.apply"
    });
    let slow = "state.apply slow";
    herald.channel_where("that it runs", |channel| says(channel, slow, &["◐"]));
    // The master publishes at once, the minion takes a moment to begin.
    let jid = first["jid"].as_str().expect("a jid");
    lab.until("the slow run is at work", |lab| {
        let working = lab.salt(&["web1", "saltutil.is_running", "state.apply"]);
        String::from_utf8_lossy(&working.stdout).contains(jid)
    });
    lab.salt(&["web1", "state.apply", "web"]);
    let told = json!({"collides_with": [jid], "status": "failed"});
    let second = herald.run_told("the run that met it", |run| run["jid"] != *jid, &told);
    assert!(second["flags"].as_array().is_some_and(|flags| flags.contains(&json!("collision"))));
    herald.run_where("the slow run's end", |run| run["jid"] == *jid && ended(run));
    let channel = herald.channel_where("its end", |channel| !says(channel, slow, &["◐"]));
    assert_eq!(tellings(&channel, slow), 1, "its message was edited: {channel:#?}");
}

pub(crate) fn a_batch_is_one_run(lab: &Lab, herald: &Herald) {
    lab.salt(&["-b", "2", "*", "state.apply", "common"]);
    let told = json!({
        "status": "succeeded", "command": "salt -b 2 '*' state.apply common",
        "minions": {"expected": 4, "returned": 4}
    });
    herald.run_told("the batch", |run| run["kind"] == "batch", &told);
    let runs = herald.runs();
    let applied: Vec<_> = runs.iter().filter(|run| same_apply(run)).collect();
    assert_eq!(applied.len(), 1, "one run, not one for each slice: {applied:#?}");
    let channel = herald.channel_where("the batch's end", |channel| {
        says(channel, "salt -b 2 '*' state.apply common", &["4 minions"])
    });
    assert_eq!(tellings(&channel, "state.apply common"), 1, "one message");
}

fn same_apply(run: &Value) -> bool {
    run["command"].as_str().is_some_and(|command| command.ends_with("state.apply common"))
}

/// The steps of `orch.deploy`.
const CHILDREN: usize = 4;

pub(crate) fn an_orchestration_has_its_children(lab: &Lab, herald: &Herald) {
    lab.salt_run(&["state.orchestrate", "orch.deploy"]);
    let told = json!({
        "status": "succeeded", "command": "salt-run state.orchestrate orch.deploy",
        "minions": {"returned": 4}
    });
    let has_children =
        |run: &Value| run["jobs"].as_array().is_some_and(|jobs| jobs.len() == 1 + CHILDREN);
    let is_it = |run: &Value| run["kind"] == "orchestration" && has_children(run);
    herald.run_told("the orchestration with its children", is_it, &told);
}

pub(crate) fn a_salt_call_is_seen_by_its_return(lab: &Lab, herald: &Herald) {
    lab.salt_call("db1", &["state.apply", "common"]);
    let told = json!({
        "user": null, "command": "salt-call state.apply common", "minions": {"returned": 1}
    });
    herald.run_told("the salt-call", |run| run["kind"] == "local", &told);
}

pub(crate) fn a_stopped_minion_never_answers(lab: &mut Lab, herald: &Herald) {
    lab.order("stop-minion web2");
    lab.salt(&["-t", "2", "*", "cmd.run", "echo anybody there"]);
    let is_it = |run: &Value| {
        run["command"].as_str().is_some_and(|command| command.contains("anybody there"))
    };
    // Who is only slow is given up, too, and comes late.
    let told = json!({"status": "incomplete", "minions": {"silent": ["web2"], "returned": 3}});
    herald.run_told("the command", is_it, &told);
    herald.channel_where("who never answered", |channel| {
        says(channel, "anybody there", &["1 never answered (web2)"])
    });
    lab.order("start-minion web2");
}

pub(crate) fn the_master_restarts(lab: &mut Lab, herald: &Herald) {
    lab.order("restart-master");
    lab.salt(&["web1", "cmd.run", "echo back again"]);
    let is_it =
        |run: &Value| run["command"].as_str().is_some_and(|command| command.contains("back again"));
    herald.run_told("a command after the restart", is_it, &json!({"status": "succeeded"}));
    herald.gap_where("the time without a master", |gap| gap["reason"] == "master away");
}

/// Nothing that a master itself did is doubted.
pub(crate) fn every_job_is_confirmed(herald: &Herald) {
    for run in herald.runs() {
        let flags = run["flags"].as_array().expect("a list");
        assert!(!flags.contains(&json!("unconfirmed")), "{run:#}");
        assert!(!flags.contains(&json!("not_published")), "{run:#}");
        // Runners are in the cache only when they have ended; an orchestration's children are jobs.
        if ["runner", "wheel", "orchestration"].contains(&run["kind"].as_str().expect("a kind")) {
            continue;
        }
        let jid = run["jid"].as_str().expect("a jid");
        let shown = herald.command(&["show", jid, "--json"]);
        let story: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        let standings = story["standings"].as_array().expect("a list");
        let is_confirmed = |one: &Value| one["standing"] == "confirmed";
        assert!(!standings.is_empty() && standings.iter().all(is_confirmed), "{story:#}");
    }
}

/// A command line without the fingerprints at what is hidden in it: who keeps no journal has a key of its own.
pub(crate) fn unmarked(command: &str) -> String {
    const OPEN: &str = "${hidden_";
    let mut parts = command.split(OPEN);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |line, part| line + OPEN + part.get(4..).unwrap_or_default())
}

/// What the master kept gives the same messages as its bus did.
pub(crate) fn a_preview_would_have_said_the_same(herald: &Herald) {
    let last = |run: &Value| run["command"] == "salt web1 cmd.run 'echo back again'";
    herald.run_told("the last of all", last, &json!({"announced": true}));
    let runs = herald.runs();
    let output = herald.command(&["preview", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.contains(SECRET), "a secret");
    let objects: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let whole = objects.last().expect("the whole");
    assert!(whole["skipped"].as_object().expect("counts").values().all(|n| n == 0), "{whole:#}");
    let key = |run: &Value| {
        ["jid", "user", "command", "status"].map(|key| run[key].as_str().map(unmarked))
    };
    let messages: Vec<&Value> =
        objects.iter().filter(|object| object["type"] == "message").collect();
    let announced: Vec<&Value> = runs.iter().filter(|run| run["announced"] == true).collect();
    let jids = |jids: &Value| jids.as_array().cloned().unwrap_or_default();
    let would: BTreeSet<String> =
        messages.iter().flat_map(|told| jids(&told["jids"])).map(|jid| jid.to_string()).collect();
    let were: BTreeSet<String> = announced.iter().map(|run| run["jid"].to_string()).collect();
    assert!(were.len() > 8, "{were:?}");
    assert_eq!(would, were);
    let known: BTreeSet<_> = announced.iter().map(|run| key(run)).collect();
    for told in messages.iter().filter(|told| told["runs"] == 1) {
        assert!(known.contains(&key(told)), "{told:#} is not among {known:#?}");
    }
}

/// A secret that no rule can know, typed by somebody, is taken out of the journal and of the channel, and does
/// not come back from the master's job cache; the journal is proved before and after, and so is an export.
pub(crate) fn what_slipped_through_is_taken_out(lab: &Lab, herald: &mut Herald) {
    const SLIP: &str = "Tr0ub4dor-3";
    let holding = |herald: &Herald| {
        let holds = |file: &PathBuf| {
            let held = fs::read(file).expect("a file");
            held.windows(SLIP.len()).any(|part| part == SLIP.as_bytes())
        };
        // The daemon's socket is none to be read.
        herald.journal_files().into_iter().filter(|file| file.is_file()).filter(holds).count()
    };
    let shows = |channel: &Channel| tellings(channel, SLIP);
    lab.salt(&["web1", "cmd.run", &format!("echo login alice {SLIP}")]);
    let is_it = |run: &Value| run["command"].as_str().is_some_and(|line| line.contains(SLIP));
    herald.run_told("what slipped through", is_it, &json!({"minions": {"returned": 1}}));
    herald.channel_where("what slipped through", |channel| shows(channel) == 1);
    herald.stop();
    assert!(holding(herald) > 0, "it slipped through");
    is_proved(herald);

    let elsewhere = tempfile::tempdir().expect("a folder");
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, SLIP).expect("a file");
    let from = secret.to_str().expect("UTF-8");
    let done = herald.command(&["scrub", "--from", from, "--reason", "typed by hand"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(holding(herald), 0, "{}", String::from_utf8_lossy(&done.stdout));
    is_proved(herald);

    herald.start_again();
    herald.channel_where("what was taken out", |channel| shows(channel) == 0);
    let flagged =
        |run: &Value| run["flags"].as_array().is_some_and(|all| all.contains(&json!("scrubbed")));
    herald.run_told("what was taken out", flagged, &json!({"minions": {"returned": 1}}));
    assert_eq!(holding(herald), 0, "it came back");
}

/// The journal and an export of it are what was written.
fn is_proved(herald: &Herald) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal.jsonl");
    let file = file.to_str().expect("UTF-8");
    for args in [&["verify"][..], &["export", file], &["verify", file]] {
        let output = herald.command(args);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{args:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
