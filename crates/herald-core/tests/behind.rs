//! Masters below: what a syndic passes up, and what does not come.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use herald_core::ledger::Settings;
use herald_core::run::{Flag, RunKind, RunStatus};
use salt_event::Value;
use support::*;

/// `syndic/lower/J`, and the same without: who is asked below.
fn behind(jid: &str, minions: &[&str]) -> [Vec<u8>; 2] {
    let data = map(vec![("minions", list(minions))]);
    [frame(jid, &data), frame(&format!("syndic/lower/{jid}"), &data)]
}

/// A return as the master makes it again of what a syndic gave it.
fn passed_up(jid: &str, minion: &str, fun: &str, success: bool) -> Vec<u8> {
    let data = map(vec![
        ("jid", text(jid)),
        ("id", text(minion)),
        ("return", text("done")),
        ("retcode", Value::Int(i64::from(!success))),
        ("success", Value::Bool(success)),
        ("fun_args", list(&["uptime"])),
        ("fun", text(fun)),
    ]);
    frame(&format!("salt/job/{jid}/ret/{minion}"), &data)
}

fn above() -> Heard {
    let settings = Settings { order_masters: true, ..Settings::default() };
    Heard::with(settings, Default::default(), start())
}

fn job(jid: &str, minions: &[&str]) -> Job {
    Job::new(jid, "cmd.run", list(&["uptime"]), minions)
}

fn named(heard: &Heard, set: &herald_core::minions::MinionSet) -> String {
    names(heard.ledger.minions(), set)
}

#[test]
fn a_syndic_is_not_waited_for_once_it_passed_the_job_on() {
    let mut heard = above();
    heard.hear(at(0.0), &job(&jid(1), &["lower", "top1"]).frame());
    heard.hear(at(0.1), &ret(&jid(1), "top1", "cmd.run", text("done"), 0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    for event in behind(&jid(1), &["web1", "web2"]) {
        heard.hear(at(0.2), &event);
    }
    heard.hear(at(0.3), &passed_up(&jid(1), "web1", "cmd.run", true));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.hear(at(0.4), &passed_up(&jid(1), "web2", "cmd.run", true));
    let run = heard.run(1);
    assert_eq!((run.status, run.finished_at), (RunStatus::Succeeded, Some(at(0.4))));
    assert_eq!(named(&heard, &run.tally.expected), "top1 web1 web2");
    assert!(run.flags.is_empty() && run.tally.silent.is_empty());
}

#[test]
fn a_return_that_overtakes_the_list_of_the_asked_is_no_stranger() {
    let mut heard = above();
    heard.hear(at(0.0), &job(&jid(1), &["lower"]).frame());
    heard.hear(at(0.1), &passed_up(&jid(1), "web1", "cmd.run", true));
    heard.hear(at(0.2), &behind(&jid(1), &["web1"])[1]);
    let run = heard.run(1);
    assert_eq!((run.status, run.flags.len()), (RunStatus::Succeeded, 0));
    // One that bears the sign of a minion of ours, and was not asked, is.
    heard.hear(at(1.0), &job(&jid(2), &["lower"]).frame());
    heard.hear(at(1.1), &ret(&jid(2), "top9", "cmd.run", text("done"), 0));
    assert!(heard.run(2).flags.contains(&Flag::UnaskedReturn));
}

#[test]
fn who_is_no_minion_is_known_when_all_below_had_their_say() {
    let mut heard = above();
    let on_list = |number: u32, minions: &[&str], missing: &[&str]| {
        let mut job = job(&jid(number), minions).on_list();
        job.missing = missing.iter().map(ToString::to_string).collect();
        job.frame()
    };
    heard.hear(at(0.0), &on_list(1, &["top1"], &["web1", "ghost"]));
    heard.hear(at(0.1), &ret(&jid(1), "top1", "cmd.run", text("done"), 0));
    let run = heard.run(1);
    assert_eq!((run.status, run.tally.missing.len()), (RunStatus::Running, 0));
    heard.hear(at(0.2), &behind(&jid(1), &["web1"])[1]);
    heard.hear(at(0.3), &passed_up(&jid(1), "web1", "cmd.run", true));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Succeeded);
    assert_eq!(named(&heard, &run.tally.missing), "ghost");

    // Nobody passes it on. web1 is known to be below: it does not answer.
    heard.hear(at(10.0), &on_list(2, &[], &["web1", "ghost"]));
    heard.wait(at(14.9));
    assert_eq!(heard.run(2).tally.missing.len(), 0);
    heard.wait(at(15.1));
    let run = heard.run(2);
    assert_eq!(named(&heard, &run.tally.missing), "ghost");
    assert_eq!(
        (run.status, named(&heard, &run.tally.expected)),
        (RunStatus::Running, "web1".into())
    );
    heard.wait(at(1000.0));
    let run = heard.run(2);
    assert_eq!(run.status, RunStatus::Incomplete);
    assert_eq!(named(&heard, &run.tally.silent), "web1");
}

#[test]
fn a_syndic_that_is_away_never_answered_until_it_is_back() {
    let mut heard = above();
    heard.hear(at(0.0), &job(&jid(1), &["lower", "top1"]).frame());
    heard.hear(at(0.1), &ret(&jid(1), "top1", "cmd.run", text("done"), 0));
    heard.hear(at(5.0), &poll(&jid(2), &jid(1), &["lower"]));
    heard.wait(at(60.0));
    let run = heard.run(1);
    assert_eq!(
        (run.status, named(&heard, &run.tally.silent)),
        (RunStatus::Incomplete, "lower".into())
    );
    for event in behind(&jid(1), &["web1"]) {
        heard.hear(at(61.0), &event);
    }
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.hear(at(62.0), &passed_up(&jid(1), "web1", "cmd.run", true));
    let run = heard.run(1);
    assert_eq!((run.status, run.tally.silent.len()), (RunStatus::Succeeded, 0));
    assert_eq!(named(&heard, &run.tally.expected), "top1 web1");
}

#[test]
fn the_question_who_still_works_goes_on_below() {
    let mut heard = above();
    heard.hear(at(0.0), &job(&jid(1), &["lower"]).frame());
    heard.hear(at(0.2), &behind(&jid(1), &["web1", "web2", "web3"])[1]);
    heard.hear(at(0.3), &passed_up(&jid(1), "web1", "cmd.run", true));
    heard.hear(at(5.0), &poll(&jid(2), &jid(1), &["lower", "web2"]));
    heard.hear(at(5.2), &behind(&jid(2), &["web2", "web3"])[1]);
    let answer = map(vec![
        ("jid", text(&jid(2))),
        ("id", text("web2")),
        ("return", map(vec![("jid", text(&jid(1)))])),
        ("fun_args", list(&[&jid(1)])),
        ("fun", text("saltutil.find_job")),
    ]);
    heard.hear(at(5.5), &frame(&format!("salt/job/{}/ret/web2", jid(2)), &answer));
    heard.wait(at(30.0));
    assert_eq!(heard.run(1).status, RunStatus::Running, "web2 works");
    heard.hear(at(31.0), &passed_up(&jid(1), "web2", "cmd.run", true));
    let run = heard.run(1);
    assert_eq!(
        (run.status, named(&heard, &run.tally.silent)),
        (RunStatus::Incomplete, "web3".into())
    );
    // The syndic is none of those whom the question asks.
    assert_eq!(named(&heard, &heard.run(2).tally.expected), "web2 web3");
}

#[test]
fn a_job_of_a_master_below_is_none_of_salt_ssh() {
    let mut heard = above();
    for event in behind(&jid(1), &["web1", "web2"]) {
        heard.hear(at(0.0), &event);
    }
    heard.hear(at(0.1), &passed_up(&jid(1), "web1", "state.apply", true));
    let run = heard.run(1);
    assert_eq!((run.head.kind, run.status), (RunKind::StateRun, RunStatus::Running));
    assert_eq!(run.flags, [Flag::NoStart, Flag::Inexact, Flag::Syndic].into());
    heard.hear(at(0.2), &passed_up(&jid(1), "web2", "state.apply", true));
    assert_eq!(heard.run(1).status, RunStatus::Succeeded);

    // 3008 tells of the whole job.
    let new = job(&jid(2), &["web1"]).frame();
    let tag = |tag: &str| tag.replace("salt/job", "syndic/lower/salt/job");
    let old = format!("salt/job/{}/new", jid(2));
    let at_ = new.windows(old.len()).position(|part| part == old.as_bytes()).unwrap();
    let mut told = b"\x82\xa4head\x80\xa4body\xc6".to_vec();
    let body = [tag(&old).as_bytes(), &new[at_ + old.len()..]].concat();
    told.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    told.extend_from_slice(&body);
    heard.hear(at(1.0), &told);
    let run = heard.run(2);
    assert_eq!(
        (run.head.user.as_deref(), run.head.command.as_str()),
        (Some("alice"), "salt '*' cmd.run uptime")
    );
    assert_eq!(run.flags, [Flag::Syndic].into());
    heard.hear(at(1.1), &passed_up(&jid(2), "web1", "cmd.run", false));
    assert_eq!(heard.run(2).status, RunStatus::Failed);

    // A `salt-call` has no word on its success.
    let call = map(vec![
        ("jid", text(&jid(3))),
        ("id", text("web1")),
        ("return", text("done")),
        ("retcode", Value::Int(0)),
        ("fun_args", list(&[])),
        ("fun", text("test.ping")),
    ]);
    heard.hear(at(2.0), &frame(&format!("salt/job/{}/ret/web1", jid(3)), &call));
    assert_eq!(heard.run(3).head.kind, RunKind::Local);
    // salt-ssh puts the return before the id.
    let ssh = map(vec![
        ("jid", text(&jid(4))),
        ("return", text("done")),
        ("retcode", Value::Int(0)),
        ("id", text("web1")),
        ("fun", text("test.ping")),
        ("fun_args", list(&[])),
    ]);
    heard.hear(at(3.0), &frame(&format!("salt/job/{}/ret/web1", jid(4)), &ssh));
    assert_eq!(heard.run(4).head.kind, RunKind::Ssh);
    assert!(!heard.run(4).flags.contains(&Flag::Syndic));
}

#[test]
fn a_master_without_others_below_waits_for_none() {
    let mut heard = Heard::default();
    let mut job = job(&jid(1), &["web1"]).on_list();
    job.missing = vec!["ghost".to_owned()];
    heard.hear(at(0.0), &job.frame());
    assert_eq!(named(&heard, &heard.run(1).tally.missing), "ghost");
    heard.hear(at(0.1), &ret(&jid(1), "web1", "cmd.run", text("done"), 0));
    assert_eq!(heard.run(1).finished_at, Some(at(0.1)));
}
