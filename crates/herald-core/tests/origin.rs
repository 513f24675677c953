//! What a run's load tells of where it came from: lines that are not exact, metadata, the kind of a
//! batch's target.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use herald_core::change::Storable;
use herald_core::run::{Flag, Run, RunHead, RunKind};
use salt_event::Value;

use support::{Heard, Job, at, frame, jid, list, map, ret_with, text};

fn flags(run: &Run) -> Vec<&'static str> {
    run.flags.iter().map(|flag| flag.name()).collect()
}

fn publish(number: u32, metadata: Value<'static>) -> Vec<u8> {
    let data = map(vec![("jid", text(&jid(number))), ("ret", text("")), ("metadata", metadata)]);
    frame(&format!("salt/job/{}/publish", jid(number)), &data)
}

fn from_ci() -> Value<'static> {
    map(vec![("source", text("ci")), ("build", Value::Int(12)), ("password", text("s3cret-1"))])
}

#[test]
fn what_no_command_line_says_is_inexact() {
    let mut heard = Heard::default();
    let mut job = Job::new(&jid(1), "test.arg", list(&["1"]), &["web1"]);
    heard.hear(at(0.0), &job.frame());
    // One function in a list, and a list of minions as one text: an API client's.
    job.jid = jid(2);
    job.fun = list(&["test.arg"]);
    heard.hear(at(1.0), &job.frame());
    let mut listed = Job::new(&jid(3), "test.ping", list(&[]), &["web1", "web2"]);
    (listed.tgt, listed.tgt_type) = (text("web1,web2"), "list");
    heard.hear(at(2.0), &listed.frame());
    let mut deep = Value::Nil;
    (0..150).for_each(|_| deep = Value::Array(vec![std::mem::replace(&mut deep, Value::Nil)]));
    heard.hear(at(3.0), &Job::new(&jid(4), "test.arg", deep, &["web1"]).frame());
    let told: Vec<_> =
        heard.runs().iter().map(|run| format!("{} {:?}", run.head.command, flags(run))).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    salt '*' test.arg '"1"' []
    salt '*' test.arg '"1"' ["inexact"]
    salt -L web1,web2 test.ping ["inexact"]
    salt '*' test.arg '(nested deeper than 100 levels)' ["inexact"]
    "#);
}

#[test]
fn metadata_that_the_master_publishes_is_kept_and_tells_of_an_api_client() {
    let mut heard = Heard::default();
    heard.hear(at(0.0), &Job::new(&jid(1), "test.arg", list(&["x"]), &["web1"]).frame());
    assert_eq!(heard.hear(at(0.1), &publish(1, Value::Nil)), 0);
    assert_eq!(heard.hear(at(0.1), &publish(9, from_ci())), 0);
    heard.hear(at(0.1), &publish(1, from_ci()));
    let run = heard.run(1);
    assert_eq!(flags(run), ["api"]);
    let hidden = map(vec![
        ("source", text("ci")),
        ("build", Value::Int(12)),
        ("password", Value::from(support::mark("s3cret-1"))),
    ]);
    assert_eq!(run.head.metadata, Some(hidden));
    assert_eq!(run.head.command, "salt '*' test.arg x");
    let stored = RunHead::from_payload_bytes(&run.head.to_payload_bytes());
    assert_eq!(stored.as_ref(), Some(&run.head));
    // Said again, or otherwise by a minion: it stays.
    let other = map(vec![("source", text("another"))]);
    assert_eq!(heard.hear(at(0.2), &publish(1, other.clone())), 0);
    let more = vec![("user", text("alice")), ("metadata", other)];
    heard.hear(at(1.0), &ret_with(&jid(1), "web1", "test.arg", text("s3cret-1"), 0, more));
    let run = heard.run(1);
    assert_eq!(run.head.metadata.as_ref().unwrap().get("source"), Some(&text("ci")));
    assert!(!heard.payloads.values().any(|(_, bytes)| has(bytes, b"s3cret-1")));
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn metadata_that_only_returns_repeat_is_taken_from_them() {
    let mut heard = Heard::default();
    heard.hear(at(0.0), &Job::new(&jid(1), "test.arg", list(&["x"]), &["web1"]).frame());
    let more = || vec![("user", text("alice")), ("metadata", from_ci())];
    heard.hear(at(1.0), &ret_with(&jid(1), "web1", "test.arg", Value::Nil, 0, more()));
    assert_eq!(flags(heard.run(1)), ["api"]);
    assert!(heard.run(1).finished_at.is_some());
    // A schedule has metadata of its own, and is no API client.
    let more = vec![("schedule", text("nightly")), ("metadata", from_ci())];
    heard.hear(at(2.0), &ret_with(&jid(2), "web1", "test.arg", Value::Nil, 0, more));
    let run = heard.run(2);
    assert_eq!(run.head.kind, RunKind::Scheduled);
    assert!(run.head.metadata.is_some() && !run.flags.contains(&Flag::Api));
    assert!(!heard.payloads.values().any(|(_, bytes)| has(bytes, b"s3cret-1")));
}

#[test]
fn metadata_of_any_size_is_bounded() {
    let mut heard = Heard::default();
    heard.hear(at(0.0), &Job::new(&jid(1), "test.arg", list(&["x"]), &["web1"]).frame());
    heard.hear(at(0.1), &publish(1, map(vec![("a", text(&"x".repeat(100_000)))])));
    assert_eq!(heard.run(1).head.metadata, Some(text("(100008 bytes)")));
}

/// `salt/batch/J/new`, as the program `salt` of 3008 sends it: every target is a glob there.
fn batch(number: u32, tgt: Value<'static>) -> Vec<u8> {
    let state = map(vec![
        ("all_minions", list(&["a", "b"])),
        ("batch_size", Value::Int(1)),
        ("failhard", Value::Bool(true)),
        ("batch_wait", Value::Float(0.5)),
        ("arg", list(&["x"])),
    ]);
    let data = map(vec![
        ("jid", text(&jid(number))),
        ("fun", text("test.arg")),
        ("tgt", tgt),
        ("tgt_type", text("glob")),
        ("user", text("alice")),
        ("driver", text("cli")),
        ("state", state),
    ]);
    frame(&format!("salt/batch/{}/new", jid(number)), &data)
}

#[test]
fn the_kind_of_a_batchs_target_is_that_of_the_ping_before_it() {
    let mut lines = Vec::new();
    for (tgt, tgt_type) in [
        (text("*"), "glob"),
        (text("[ab]"), "pcre"),
        (list(&["a", "b"]), "list"),
        (text("L@a,b"), "compound"),
    ] {
        let mut heard = Heard::default();
        let mut ping = Job::new(&jid(1), "test.ping", list(&[]), &["a", "b"]);
        (ping.tgt, ping.tgt_type) = (tgt.clone(), tgt_type);
        heard.hear(at(0.0), &ping.frame());
        heard.hear(at(0.2), &batch(2, tgt));
        let run = heard.run(2);
        lines.push(format!("{} {:?}", run.head.command, flags(run)));
    }
    let mut heard = Heard::default();
    heard.hear(at(0.0), &batch(2, text("[ab]")));
    let run = heard.run(1);
    lines.push(format!("{} {:?}", run.head.command, flags(run)));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt -b 1 --batch-wait 0.5 --failhard '*' test.arg x []
    salt -b 1 --batch-wait 0.5 --failhard -E '[ab]' test.arg x []
    salt -b 1 --batch-wait 0.5 --failhard -L a,b test.arg x []
    salt -b 1 --batch-wait 0.5 --failhard -C L@a,b test.arg x []
    salt -b 1 --batch-wait 0.5 --failhard '[ab]' test.arg x ["inexact"]
    "#);
}
