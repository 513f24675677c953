//! Somebody is away: the master, its publisher, or salt-herald. In the end the journal names the same
//! jobs as the master, and tells when it was blind.
//!
//! Here the wait is what is tried: a master that is away for a minute is away for a minute.

use std::thread;
use std::time::Duration;

use jiff::Zoned;
use serde_json::{Value, json};

use crate::ended;
use crate::herald::Herald;
use crate::lab::Lab;

/// What `HERALD_LONG` asks for, and what is enough to see on every change.
pub(crate) fn all_or_left_out() -> bool {
    if !all() {
        eprintln!("left out: it takes minutes, and HERALD_LONG is not set");
    }
    all()
}

/// Whether everything is to be seen.
pub(crate) fn all() -> bool {
    std::env::var_os("HERALD_LONG").is_some_and(|long| !long.is_empty())
}

/// A minion that does something by itself every few seconds.
pub(crate) const SCHEDULE: [&str; 2] = [
    "--minion-opt",
    "schedule: {beat: {function: test.echo, args: ['scheduled beat'], seconds: 7}}",
];

/// The jid of a job that would begin now.
pub(crate) fn jid_of_now() -> String {
    Zoned::now().strftime("%Y%m%d%H%M%S%6f").to_string()
}

fn says(run: &Value, words: &str) -> bool {
    run["command"].as_str().is_some_and(|command| command.contains(words))
}

fn length(gap: &Value) -> Duration {
    let at = |key: &str| gap[key].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let (from, to) = at("from").zip(at("to")).expect("a gap has two ends");
    to.duration_since(from).unsigned_abs()
}

fn gap(herald: &Herald, reason: &str, at_least: Duration) -> Value {
    herald.gap_where(&format!("a gap: {reason}"), |gap| {
        gap["reason"] == reason && length(gap) >= at_least
    })
}

/// One of each kind of run, none of which may be lost, with words to know them by.
fn traffic(lab: &Lab, words: &str) {
    lab.salt(&["*", "cmd.run", &format!("echo {words}")]);
    lab.salt(&["*", "state.highstate"]);
    lab.salt(&["-b", "2", "*", "cmd.run", &format!("echo batch {words}")]);
    lab.salt_run(&["state.orchestrate", "orch.deploy"]);
    lab.salt_call("web1", &["cmd.run", &format!("echo call {words}")]);
    lab.salt_run(&["manage.up"]);
}

pub(crate) fn the_master_restarts_in_a_highstate(lab: &mut Lab, herald: &Herald) {
    lab.salt_async(&["*", "state.highstate", "pillar={'seconds': 30}"]);
    let run = herald.run_where("the highstate's beginning", |run| {
        run["fun"][0] == "state.highstate" && !ended(run)
    });
    let jid = run["jid"].as_str().expect("a jid");
    // Whom the master had not told of it yet would never know of it.
    lab.until("all minions are at work", |lab| {
        let working = lab.salt(&["*", "saltutil.is_running", "state.highstate"]);
        String::from_utf8_lossy(&working.stdout).matches(jid).count() == 4
    });
    lab.order("restart-master");
    let told = json!({"minions": {"expected": 4, "returned": 4, "failed": 1}});
    herald.run_told("its end", |run| run["jid"] == *jid, &told);
    gap(herald, "master away", Duration::ZERO);
}

/// `salt-call` waits for its master, and the schedule goes on.
pub(crate) fn the_master_is_away(lab: &mut Lab, herald: &Herald, pause: Duration) {
    lab.order("stop-master");
    thread::scope(|scope| {
        let call = lab.calling("web1", &["cmd.run", "echo while it was away"]);
        let called = scope.spawn(move || { call }.output());
        thread::sleep(pause);
        lab.order("start-master");
        assert!(called.join().expect("no panic").expect("salt-call runs").status.success());
    });
    gap(herald, "master away", pause);
    herald.run_where("the salt-call", |run| says(run, "while it was away") && ended(run));
    let now = jid_of_now();
    herald.run_where("the schedule after it", |run| {
        says(run, "scheduled beat") && run["jid"].as_str() > Some(now.as_str())
    });
}

pub(crate) fn the_bus_is_another_socket(lab: &mut Lab, herald: &Herald) {
    // What was killed leaves its socket's file behind, at which nobody listens.
    lab.order("kill-master");
    gap_is_open(herald);
    lab.order("start-master");
    hears(lab, herald, "at the new socket");
}

/// The master starts another publisher. Salt 3008 does not: its bus is dead until it is restarted.
///
/// The master's own workers go on with the old one for a while. What they wanted to say is lost, on 3006
/// even after we listen to the new one: only its job cache tells of it, so that one has to ask.
pub(crate) fn the_publisher_is_another(lab: &mut Lab, herald: &Herald) {
    lab.order("kill-publisher");
    hears(lab, herald, "of the new publisher");
}

fn gap_is_open(herald: &Herald) {
    herald.status_where("no bus", |status| status["bus"]["connected"] == false);
}

fn hears(lab: &Lab, herald: &Herald, words: &str) {
    lab.salt(&["*", "cmd.run", &format!("echo {words}")]);
    herald.run_told(words, |run| says(run, words), &json!({"minions": {"returned": 4}}));
}

/// All of it: nothing happens, so nothing is missed.
pub(crate) fn the_master_freezes(lab: &mut Lab, herald: &Herald, pause: Duration) {
    lab.order("freeze-master");
    thread::sleep(pause);
    lab.order("thaw-master");
    hears(lab, herald, "after the frost");
}

/// The publisher alone: jobs go on, and nobody hears of them until it wakes.
pub(crate) fn the_publisher_freezes(lab: &mut Lab, herald: &Herald, pause: Duration) {
    lab.order("freeze-publisher");
    for number in 0..4 {
        lab.salt_async(&["*", "cmd.run", &format!("echo unheard {number}")]);
    }
    thread::sleep(pause);
    lab.order("thaw-publisher");
    hears(lab, herald, "heard again");
}

pub(crate) fn the_daemon_is_stopped(lab: &Lab, herald: &mut Herald) {
    lab.salt_async(&["*", "state.highstate", "pillar={'seconds': 12}"]);
    let run = herald.run_where("a highstate", |run| says(run, "highstate") && !ended(run));
    herald.stop();
    traffic(lab, "while it was stopped");
    // To its end: what returns when it listens again is no more missed than heard.
    lab.salt(&["web2", "cmd.run", "echo last while it was stopped"]);
    herald.start_again();
    gap(herald, "not running", Duration::from_secs(2));
    let jid = run["jid"].clone();
    let whole = json!({"minions": {"returned": 4}});
    herald.run_told("its end, which nobody heard", |run| run["jid"] == jid, &whole);
    let missed = ["echo", "echo batch", "echo call", "echo last"];
    let missed = missed.map(|echo| format!("{echo} while it was stopped"));
    for words in &missed {
        let is_found = |run: &Value| {
            let flags = run["flags"].as_array();
            says(run, words) && flags.is_some_and(|flags| flags.contains(&json!("backfilled")))
        };
        herald.run_told(words, is_found, &json!({}));
    }
    let is_digest = |text: &str| text.contains("While I was away");
    let channel = herald.channel_where("a digest", |channel| {
        channel.roots().any(|message| is_digest(&message.content.shown()))
    });
    // Each of them is told once, all in one message: no news.
    for words in &missed {
        let tells = channel.roots().map(|message| message.content.shown());
        let tells: Vec<String> = tells.filter(|text| text.contains(words)).collect();
        assert!(tells.len() == 1 && is_digest(&tells[0]), "{words}: {tells:#?}");
    }
}

pub(crate) fn the_daemon_is_killed(lab: &Lab, herald: &mut Herald) {
    lab.salt(&["*", "cmd.run", "echo just before"]);
    herald.kill();
    traffic(lab, "while it was dead");
    lab.salt_async(&["web2", "cmd.run", "echo last while it was dead"]);
    herald.start_again();
    gap(herald, "not running", Duration::from_secs(2));
    herald
        .run_where("what came last", |run| says(run, "echo last while it was dead") && ended(run));
}

/// With this, a master of Salt 3006.0 to 3006.25 ends a connection at which more than so many bytes wait.
pub(crate) const CUTS_OFF: [&str; 2] = ["--master-opt", "ipc_write_buffer: 1000000"];

/// Who does not read is cut off by such a master, and tells of it.
pub(crate) fn the_daemon_is_cut_off(lab: &Lab, herald: &Herald, pause: Duration) {
    the_daemon_freezes(lab, herald, pause);
    gap(herald, "cut off by the master", pause);
}

/// It reads nothing, and the master has more to say than a socket holds. Whether the master keeps that or
/// cuts us off depends on its series and its haste; nothing is missing either way.
pub(crate) fn the_daemon_freezes(lab: &Lab, herald: &Herald, pause: Duration) {
    herald.freeze();
    for number in 0..12 {
        let print = format!("head -c 60000 /dev/zero | tr '\\0' x; echo frozen {number}");
        lab.salt_async(&["*", "cmd.run", &print]);
    }
    thread::sleep(pause);
    lab.salt_async(&["*", "cmd.run", "echo at the end of the frost"]);
    herald.thaw();
    for number in 0..12 {
        let words = format!("echo frozen {number}");
        let whole = json!({"minions": {"returned": 4}});
        herald.run_told(&words, |run| says(run, &words), &whole);
    }
}
