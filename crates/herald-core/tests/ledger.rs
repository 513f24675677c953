//! What the ledger makes of single events: silence, polls, batches, orchestrations, jids that are
//! used twice, and events that come by the hundred thousand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use herald_core::change::What;
use herald_core::run::{Flag, RunKind, RunStatus};
use herald_core::suspect::Why;
use salt_event::Value;
use support::{
    Heard, Job, answer, at, frame, jid, list, map, names, poll, ret, ret_with, start, state,
    states, text,
};

fn ok() -> Value<'static> {
    Value::Bool(true)
}

fn heard_job(minions: &[&str]) -> Heard {
    let mut heard = Heard::default();
    let job = Job::new(&jid(1), "cmd.run", list(&["uptime"]), minions);
    heard.hear(at(0.0), &job.frame());
    heard
}

#[test]
fn minions_that_say_that_they_do_not_work_are_given_up() {
    let mut heard = heard_job(&["web1", "web2"]);
    heard.hear(at(1.0), &ret(&jid(1), "web1", "cmd.run", text("up"), 0));
    heard.hear(at(5.0), &poll(&jid(2), &jid(1), &["web2"]));
    heard.hear(at(5.1), &answer(&jid(2), &jid(1), "web2", false));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.wait(at(18.0));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Incomplete);
    assert_eq!(names(heard.ledger.minions(), &run.tally.silent), "web2");
    assert_eq!(run.finished_at, Some(at(17.0)));
}

#[test]
fn a_minion_that_says_nothing_when_asked_is_given_up() {
    let mut heard = heard_job(&["web1"]);
    heard.hear(at(5.0), &poll(&jid(2), &jid(1), &["web1"]));
    heard.wait(at(60.0));
    assert_eq!(heard.run(1).status, RunStatus::Incomplete);
}

#[test]
fn a_minion_that_works_is_waited_for_as_long_as_it_says_so() {
    let mut heard = heard_job(&["web1", "web2"]);
    for round in 0..60 {
        let now = f64::from(round) * 15.0 + 5.0;
        heard.hear(at(now), &poll(&jid(2 + round), &jid(1), &["web1", "web2"]));
        heard.hear(at(now + 0.1), &answer(&jid(2 + round), &jid(1), "web1", true));
    }
    // One works, one is gone: the run goes on, and knows it at the end.
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.hear(at(901.0), &ret(&jid(1), "web1", "cmd.run", ok(), 0));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Incomplete);
    assert_eq!(names(heard.ledger.minions(), &run.tally.silent), "web2");
}

#[test]
fn nobody_asks_and_patience_ends() {
    let mut heard = heard_job(&["web1", "web2"]);
    heard.hear(at(10.0), &ret(&jid(1), "web1", "cmd.run", ok(), 0));
    heard.wait(at(309.0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.wait(at(310.0));
    assert_eq!(heard.run(1).status, RunStatus::Incomplete);
    assert_eq!(heard.ledger.next_timeout(), None);
}

#[test]
fn patience_grows_with_the_pace_of_the_run() {
    let mut heard = heard_job(&["web1", "web2"]);
    heard.hear(at(290.0), &ret(&jid(1), "web1", "cmd.run", ok(), 0));
    heard.wait(at(290.0 + 579.0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.wait(at(290.0 + 580.0));
    assert_eq!(heard.run(1).status, RunStatus::Incomplete);
}

#[test]
fn a_late_return_corrects_the_run() {
    let mut heard = heard_job(&["web1"]);
    heard.wait(at(400.0));
    assert_eq!(heard.run(1).status, RunStatus::Incomplete);
    heard.hear(at(500.0), &ret(&jid(1), "web1", "cmd.run", text("oops"), 3));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.tally.silent.is_empty());
    assert!(run.flags.contains(&Flag::LateReturn));
    assert_eq!(run.finished_at, Some(at(500.0)));
    assert_eq!(heard.ledger.next_timeout(), None);
}

#[test]
fn nobody_else_was_asked() {
    let mut heard = heard_job(&["web1"]);
    heard.hear(at(1.0), &ret(&jid(1), "web9", "cmd.run", ok(), 0));
    let run = heard.run(1);
    assert!(run.flags.contains(&Flag::UnaskedReturn));
    assert_eq!(run.status, RunStatus::Running);
}

fn call(jid: &str, fun: &str, user: &str, args: Value<'static>) -> Vec<u8> {
    let data =
        map(vec![("fun", text(fun)), ("jid", text(jid)), ("user", text(user)), ("fun_args", args)]);
    frame(&format!("salt/run/{jid}/new"), &data)
}

fn call_ret(jid: &str, fun: &str, user: &str, ret: Value<'static>) -> Vec<u8> {
    let data = map(vec![
        ("fun", text(fun)),
        ("jid", text(jid)),
        ("user", text(user)),
        ("fun_args", Value::Array(Vec::new())),
        ("return", ret),
        ("success", ok()),
    ]);
    frame(&format!("salt/run/{jid}/ret"), &data)
}

#[test]
fn a_runner_may_take_a_day_and_its_late_return_counts() {
    let mut heard = Heard::default();
    let no_args = Value::Array(Vec::new());
    heard.hear(at(0.0), &call(&jid(1), "runner.cloud.map_run", "root", no_args));
    heard.wait(at(86_399.0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.wait(at(86_400.0));
    assert_eq!(heard.run(1).status, RunStatus::Incomplete);
    heard.hear(at(90_000.0), &call_ret(&jid(1), "runner.cloud.map_run", "root", ok()));
    assert_eq!(heard.run(1).status, RunStatus::Succeeded);
    assert!(heard.run(1).flags.contains(&Flag::LateReturn));
    let again = call_ret(&jid(1), "runner.cloud.map_run", "root", ok());
    assert_eq!(heard.hear(at(90_001.0), &again), 0);
}

#[test]
fn a_run_without_a_start_stays_open_for_a_while() {
    let mut heard = Heard::default();
    heard.hear(at(1.0), &ret(&jid(1), "web1", "cmd.run", ok(), 0));
    heard.hear(at(6.0), &ret(&jid(1), "web2", "cmd.run", ok(), 0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.wait(at(21.0));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(run.finished_at, Some(at(6.0)));
    assert_eq!(run.flags.iter().collect::<Vec<_>>(), [&Flag::NoStart, &Flag::Inexact]);
    assert_eq!(run.head.command, "salt '…' cmd.run");
    assert_eq!(run.started_at, at(0.000_001));
}

#[test]
fn minions_behind_a_syndic_come_in_later() {
    let mut heard = heard_job(&[]);
    assert_eq!(heard.run(1).status, RunStatus::Running);
    let behind = frame(&jid(1), &map(vec![("minions", list(&["far1", "far2"]))]));
    heard.hear(at(0.5), &behind);
    heard.hear(at(1.0), &ret(&jid(1), "far1", "cmd.run", ok(), 0));
    heard.hear(at(2.0), &ret(&jid(1), "far2", "cmd.run", ok(), 0));
    heard.wait(at(17.0));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(run.finished_at, Some(at(2.0)));
    assert!(run.flags.is_empty());
}

#[test]
fn two_calls_of_the_same_jid_are_two_runs() {
    let mut heard = Heard::default();
    for minion in ["web1", "web2"] {
        let more = vec![("arg", list(&[])), ("tgt", text(minion)), ("tgt_type", text("glob"))];
        heard.hear(at(1.0), &ret_with(&jid(1), minion, "state.apply", states(vec![]), 0, more));
    }
    let runs = heard.runs();
    assert_eq!(runs.len(), 2);
    for (run, minion) in runs.iter().zip(["web1", "web2"]) {
        assert_eq!(run.head.kind, RunKind::Local);
        assert_eq!(names(heard.ledger.minions(), &run.tally.returned), minion);
        assert_eq!(run.status, RunStatus::Succeeded);
    }
}

#[test]
fn the_same_jid_for_something_else_is_a_conflict() {
    let mut heard = heard_job(&["web1"]);
    let again = Job::new(&jid(1), "cmd.run", list(&["uptime"]), &["web1", "web2"]);
    heard.hear(at(0.1), &again.frame());
    assert!(heard.run(1).flags.is_empty());
    heard.hear(at(0.2), &Job::new(&jid(1), "pkg.remove", list(&[]), &["db1"]).frame());
    let run = heard.run(1);
    assert!(run.flags.contains(&Flag::Conflict));
    assert_eq!(names(heard.ledger.minions(), &run.tally.expected), "web1 web2");
}

/// `salt -b 2 '*' state.apply` as 3006 does it.
fn batch_on_3006(heard: &mut Heard, answering: &[&str]) {
    heard.hear(at(0.0), &Job::new(&jid(1), "test.ping", list(&[]), &["a", "b", "c", "d"]).frame());
    for minion in answering {
        heard.hear(at(0.1), &ret(&jid(1), minion, "test.ping", ok(), 0));
    }
}

fn slice(heard: &mut Heard, now: f64, number: u32, minions: &[&str]) {
    let job = Job::new(&jid(number), "state.apply", list(&["web"]), minions).on_list();
    heard.hear(at(now), &job.frame());
}

fn slice_returns(heard: &mut Heard, now: f64, number: u32, minions: &[&str]) {
    for minion in minions {
        let done = states(vec![state("motd", Some(true), true, "updated")]);
        heard.hear(at(now), &ret(&jid(number), minion, "state.apply", done, 0));
    }
}

#[test]
fn a_batch_with_a_dead_minion_ends_with_its_last_slice() {
    let mut heard = Heard::default();
    batch_on_3006(&mut heard, &["a", "b", "c"]);
    slice(&mut heard, 15.0, 2, &["a", "b"]);
    slice_returns(&mut heard, 16.0, 2, &["a", "b"]);
    slice(&mut heard, 17.0, 3, &["c"]);
    let run = heard.run(2);
    assert_eq!(run.head.command, "salt -b 2 '*' state.apply web");
    assert_eq!(run.status, RunStatus::Running);
    slice_returns(&mut heard, 18.0, 3, &["c"]);
    let run = heard.run(2);
    assert_eq!(run.status, RunStatus::Incomplete);
    assert_eq!(run.finished_at, Some(at(18.0)));
    assert_eq!(names(heard.ledger.minions(), &run.tally.silent), "d");
    assert_eq!(run.jobs.len(), 2);
}

#[test]
fn lists_by_hand_are_no_batch() {
    let mut heard = Heard::default();
    batch_on_3006(&mut heard, &["a", "b", "c", "d"]);
    // Some reading of the answers later.
    slice(&mut heard, 12.0, 2, &["a"]);
    slice_returns(&mut heard, 13.0, 2, &["a"]);
    slice(&mut heard, 14.0, 3, &["b"]);
    assert_eq!(heard.runs().len(), 3);
    assert_eq!(heard.run(2).head.kind, RunKind::StateRun);
}

#[test]
fn a_batch_of_the_master_turns_out_after_its_first_slice() {
    let mut heard = Heard::default();
    batch_on_3006(&mut heard, &["a", "b", "c", "d"]);
    slice(&mut heard, 0.2, 2, &["a", "b"]);
    let new = map(vec![
        ("jid", text(&jid(2))),
        ("fun", text("state.apply")),
        ("tgt", text("*")),
        ("tgt_type", text("glob")),
        ("user", text("alice")),
        ("total_minions", Value::Int(4)),
        ("batch_size", Value::Int(2)),
        ("driver", text("master")),
    ]);
    let new = frame(&format!("salt/batch/{}/new", jid(2)), &new);
    heard.hear(at(0.3), &new);
    assert_eq!(heard.hear(at(0.3), &new), 0);
    let run = heard.run(2);
    assert_eq!(run.head.kind, RunKind::Batch);
    assert_eq!(run.head.command, "salt -b 2 '*' state.apply web");
    assert_eq!(run.tally.expected.len(), 4);
    slice_returns(&mut heard, 1.0, 2, &["a", "b"]);
    slice(&mut heard, 1.1, 2, &["c"]);
    slice(&mut heard, 1.2, 2, &["d"]);
    slice_returns(&mut heard, 2.0, 2, &["c", "d"]);
    assert_eq!(heard.run(2).status, RunStatus::Running);
    let complete = map(vec![("jid", text(&jid(2)))]);
    let complete = frame(&format!("salt/batch/{}/complete", jid(2)), &complete);
    heard.hear(at(2.1), &complete);
    let run = heard.run(2);
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!((run.jobs.len(), run.flags.len()), (1, 0));
    assert_eq!(heard.hear(at(2.2), &complete), 0);
}

#[test]
fn an_orchestration_names_its_children_at_its_end() {
    let mut heard = Heard::default();
    let no_args = Value::Array(Vec::new());
    heard.hear(at(0.0), &call(&jid(1), "runner.state.orchestrate", "alice", no_args));
    for (number, user) in [(2, "alice"), (3, "bob")] {
        let mut job = Job::new(&jid(number), "cmd.run", list(&["x"]), &["web1"]);
        job.user = user;
        heard.hear(at(1.0), &job.frame());
        heard.hear(at(2.0), &ret(&jid(number), "web1", "cmd.run", text("no"), 1));
    }
    let step = |number: u32| {
        let (key, value) = state("step", Some(true), false, "ran");
        let Value::Map(mut pairs) = value else { panic!() };
        pairs.push((text("__jid__"), text(&jid(number))));
        (format!("{key}{number}"), Value::Map(pairs))
    };
    let steps = map(vec![("vm_master", states(vec![step(2), step(3)]))]);
    let data = map(vec![("data", steps), ("retcode", Value::Int(0))]);
    heard.hear(at(3.0), &call_ret(&jid(1), "runner.state.orchestrate", "alice", data));
    let run = heard.run(1);
    assert_eq!(run.jids, [jid(1), jid(2)]);
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.tally.failed.len(), 1);
    // The other was bob's own.
    assert_eq!(heard.run(3).jobs.len(), 1);
    assert_eq!(heard.run(2).told_with, Some(run.id));
    assert!(heard.run(2).jobs.is_empty());
    assert_eq!(heard.ledger.next_timeout(), None);
}

#[test]
fn what_bears_another_tag_than_its_data_is_forged() {
    let mut heard = Heard::default();
    let data = map(vec![
        ("cmd", text("_return")),
        ("id", text("db1")),
        ("jid", text(&jid(1))),
        ("fun", text("cmd.run")),
        ("return", ok()),
        ("retcode", Value::Int(0)),
    ]);
    heard.hear(at(0.0), &frame(&format!("salt/job/{}/ret/web1", jid(1)), &data));
    assert!(heard.runs().is_empty());
    let What::Suspect(suspect) = &heard.changes[0].what else { panic!("{:?}", heard.changes) };
    assert_eq!(suspect.why, Why::TagDiffers);
}

#[test]
fn failures_of_quiet_functions_are_told_together() {
    let mut heard = Heard::default();
    for number in 1..4 {
        let now = f64::from(number) * 200.0;
        heard.hear(at(now), &Job::new(&jid(number), "test.ping", list(&[]), &["a"]).frame());
        heard.hear(at(now + 1.0), &ret(&jid(number), "a", "test.ping", text("no"), 1));
    }
    let told: Vec<_> = heard.runs().iter().map(|run| run.told_with.map(|run| run.0)).collect();
    assert_eq!(told, [Some(1), Some(1), Some(3)]);
}

#[test]
fn a_minion_can_not_blank_what_others_do() {
    let mut heard = Heard::restored(Default::default(), start());
    let sleep = Job::new(&jid(1), "cmd.run", list(&["sleep 60"]), &["web1", "web2"]);
    heard.hear(at(0.0), &sleep.frame());
    // Not what the master published.
    let lie = list(&["echo password=systemctl secret=iptables token=web2 passwd=Zx81Kfoo9"]);
    let lie = vec![("fun_args", lie)];
    heard.hear(at(1.0), &ret_with(&jid(1), "web1", "cmd.run", text("it is Zx81Kfoo9"), 0, lie));
    let typed = list(&["systemctl stop iptables; echo Zx81Kfoo9"]);
    heard.hear(at(2.0), &Job::new(&jid(2), "cmd.run", typed, &["web2"]).on_list().frame());
    let command = &heard.run(2).head.command;
    assert_eq!(command, "salt -L web2 cmd.run 'systemctl stop iptables; echo Zx81Kfoo9'");
    // In its own return even a lie is hidden: it may be none after all.
    let returned =
        heard.changes.iter().filter(|change| matches!(change.what, What::Returned { .. }));
    let payloads: Vec<_> = returned.flat_map(|change| &change.payloads).collect();
    let holds =
        |part: &str| payloads.iter().any(|it| String::from_utf8_lossy(&it.bytes).contains(part));
    assert!(holds(&format!("it is {}", support::mark("Zx81Kfoo9"))) && !holds("Zx81Kfoo9"));
}

#[test]
fn ended_runs_are_forgotten_though_nothing_times_out() {
    let mut heard = Heard::default();
    for number in 0..2_000 {
        let more = vec![("arg", list(&[])), ("fun_args", list(&[&format!("x{number}")]))];
        heard.hear(at(1.0), &ret_with(&jid(number), "web1", "test.ping", ok(), 0, more));
        heard.ledger.take_touched();
    }
    assert!(heard.runs().len() <= 513, "{}", heard.runs().len());
    // Nor is a forgotten run's jid known.
    let event = ret(&jid(1), "web1", "test.ping", ok(), 0);
    let event = salt_event::event::decode(&event).unwrap();
    assert_eq!(heard.ledger.unknown_jid(&event), Some(jid(1).as_str()));
}

#[test]
fn a_job_on_a_hundred_thousand_minions_is_handled_in_time() {
    let ids: Vec<String> = (0..100_000).map(|number| format!("minion{number:06}")).collect();
    let mut job = Job::new(&jid(1), "test.version", list(&[]), &[]);
    job.minions = ids.clone();
    let frames: Vec<_> =
        ids.iter().map(|id| ret(&jid(1), id, "test.version", text("3008.2"), 0)).collect();
    let began = Instant::now();
    let mut heard = Heard::default();
    heard.hear(at(0.0), &job.frame());
    for frame in &frames {
        heard.hear(at(1.0), frame);
    }
    assert_eq!(heard.run(1).status, RunStatus::Succeeded);
    assert_eq!(heard.payloads.len(), 6, "alike returns are stored once");
    // Some seconds unoptimized; walking all minions at each return would take a quarter of an hour.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
