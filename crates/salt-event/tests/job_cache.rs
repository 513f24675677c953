//! What the files of a job cache come to: the events that the bus would have given.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use proptest::prelude::*;
use salt_event::event::{Kind, Origin};
use salt_event::job_cache::{Begun, Load, behind};
use salt_event::msgpack::Reader;
use salt_event::{Raw, Value};

const JID: &str = "20261122140000000000";

fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

fn list(items: &[&str]) -> Value<'static> {
    Value::Array(items.iter().map(|item| text(item)).collect())
}

fn bytes(pairs: Vec<(&'static str, Value<'static>)>) -> Vec<u8> {
    map(pairs).to_bytes()
}

fn map(pairs: Vec<(&'static str, Value<'static>)>) -> Value<'static> {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn raw(bytes: &[u8]) -> Raw<'_> {
    Reader::new(bytes).raw().unwrap()
}

fn texts(raw: Raw<'_>) -> Vec<&str> {
    raw.items().filter_map(Raw::text).collect()
}

fn published() -> Vec<u8> {
    bytes(vec![
        ("cmd", text("publish")),
        ("tgt", list(&["web1", "web2", "ghost"])),
        ("fun", text("state.apply")),
        ("arg", list(&["nginx"])),
        ("tgt_type", text("list")),
        ("ret", text("")),
        ("jid", text(JID)),
        ("kwargs", map(vec![("delimiter", text(":")), ("metadata", text("ci"))])),
        ("user", text("sudo_alice")),
    ])
}

#[test]
fn a_published_job_begins_and_is_returned_from() {
    let load = published();
    let load = Load::read(&load).unwrap().unwrap();
    assert_eq!((load.jid(), load.begun()), (JID, Begun::Published));
    let minions = list(&["web1", "web2"]).to_bytes();
    let missing = load.missing(raw(&minions));
    let event = load.beginning(raw(&minions), raw(&missing)).unwrap();
    assert_eq!(event.tag, format!("salt/job/{JID}/new"));
    let Kind::NewJob(job) = event.kind else { panic!("{:?}", event.kind) };
    assert_eq!(
        (job.user, job.tgt_type, job.fun[0].as_ref()),
        (Some("sudo_alice"), "list", "state.apply")
    );
    assert_eq!((texts(job.minions), texts(job.missing)), (vec!["web1", "web2"], vec!["ghost"]));
    assert_eq!((job.metadata.and_then(Raw::text), job.is_list), (Some("ci"), false));

    let kept = bytes(vec![
        ("return", text("ok")),
        ("retcode", Value::Int(2)),
        ("success", Value::Bool(false)),
    ]);
    let event = load.returned("web1", &kept).unwrap().unwrap();
    assert_eq!(event.tag, format!("salt/job/{JID}/ret/web1"));
    let Kind::Return(ret) = event.kind else { panic!("{:?}", event.kind) };
    assert_eq!((ret.minion, ret.cmd, ret.user), ("web1", Some("_return"), Some("sudo_alice")));
    assert_eq!((ret.ret.text(), ret.retcode.integer()), (Some("ok"), Some(2)));
    assert_eq!(texts(ret.fun_args), ["nginx"]);
    assert!(ret.arg.is_none() && ret.schedule.is_none());
}

#[test]
fn a_salt_call_is_known_by_its_return_alone() {
    let load = bytes(vec![
        ("cmd", text("_return")),
        ("id", text("web1")),
        ("jid", text(JID)),
        ("return", Value::Bool(true)),
        ("fun", text("runner.test.ping")),
        ("fun_args", list(&["a"])),
        ("arg", list(&["a"])),
        ("tgt", text("web1")),
        ("schedule", text("nightly")),
    ]);
    let load = Load::read(&load).unwrap().unwrap();
    // However it calls its function.
    assert_eq!(load.begun(), Begun::ByReturn);
    assert!(load.beginning(Raw::NIL, Raw::NIL).is_none());
    let kept = bytes(vec![("return", Value::Bool(true)), ("retcode", Value::Int(0))]);
    let Kind::Return(ret) = load.returned("web1", &kept).unwrap().unwrap().kind else { panic!() };
    assert_eq!((ret.origin, ret.user, ret.schedule), (Origin::Minion, None, Some("nightly")));
    assert_eq!(texts(ret.arg.unwrap()), ["a"]);
}

#[test]
fn a_runner_is_known_when_it_has_ended() {
    for (fun, origin, tag) in [
        ("runner.jobs.active", Origin::Runner, "run"),
        ("wheel.key.delete", Origin::Wheel, "wheel"),
    ] {
        let said = map(vec![
            ("fun", text(fun)),
            ("jid", text(JID)),
            ("user", text("alice")),
            ("fun_args", list(&["web1"])),
            ("return", text("done")),
            ("success", Value::Bool(true)),
        ]);
        let load = bytes(vec![
            ("id", text("prod_master")),
            ("tgt", text("prod_master")),
            ("jid", text(JID)),
            ("fun", text(fun)),
            ("return", said.clone()),
        ]);
        let load = Load::read(&load).unwrap().unwrap();
        assert_eq!(load.begun(), Begun::OnMaster(origin));
        let event = load.beginning(Raw::NIL, Raw::NIL).unwrap();
        assert_eq!(event.tag, format!("salt/{tag}/{JID}/new"));
        let Kind::Call(call) = event.kind else { panic!("{:?}", event.kind) };
        assert_eq!(
            (call.fun.as_ref(), call.user, texts(call.fun_args)),
            (fun, Some("alice"), vec!["web1"])
        );
        let kept = bytes(vec![("return", said)]);
        let event = load.returned("prod_master", &kept).unwrap().unwrap();
        assert_eq!(event.tag, format!("salt/{tag}/{JID}/ret"));
        let Kind::Return(ret) = event.kind else { panic!("{:?}", event.kind) };
        assert_eq!((ret.origin, ret.minion, ret.ret.text()), (origin, "", Some("done")));
    }
}

#[test]
fn a_batch_tells_of_all_its_minions() {
    let load = published();
    let load = Load::read(&load).unwrap().unwrap();
    let state = bytes(vec![
        ("all_minions", list(&["web1", "web2", "web3"])),
        ("batch_size", Value::Int(2)),
        ("tgt", text("web*")),
        ("tgt_type", text("glob")),
        ("arg", list(&["nginx"])),
        ("user", text("alice")),
    ]);
    let event = load.batch(raw(&state)).unwrap();
    assert_eq!(event.tag, format!("salt/batch/{JID}/new"));
    let Kind::BatchNew(batch) = event.kind else { panic!("{:?}", event.kind) };
    assert_eq!(
        (batch.size, batch.tgt.text(), batch.minions.items().count()),
        (Some(2), Some("web*"), 3)
    );
    assert!(load.batch(Raw::NIL).is_none());
}

#[test]
fn salt_ssh_and_syndics_are_told_apart_from_publications() {
    let load = bytes(vec![
        ("jid", text(JID)),
        ("tgt_type", text("glob")),
        ("tgt", text("*")),
        ("user", text("alice")),
        ("fun", text("test.ping")),
        ("arg", list(&[])),
    ]);
    let load = Load::read(&load).unwrap().unwrap();
    assert_eq!(load.begun(), Begun::Ssh);
    assert!(load.beginning(Raw::NIL, Raw::NIL).is_none());
    let kept = bytes(vec![("return", Value::Bool(true))]);
    let Kind::Return(ret) = load.returned("web1", &kept).unwrap().unwrap().kind else { panic!() };
    assert_eq!((ret.cmd, ret.user), (None, Some("alice")));
    let edges = list(&["edge1"]).to_bytes();
    let event = behind("lower", JID, raw(&edges));
    assert_eq!(event.tag, format!("syndic/lower/{JID}"));
    let Kind::Behind(behind) = event.kind else { panic!() };
    assert_eq!((&*behind.syndic, &*behind.jid), ("lower", JID));
    assert_eq!(texts(behind.minions), ["edge1"]);
}

#[test]
fn what_is_no_load_is_none() {
    for value in
        [Value::Nil, map(vec![]), map(vec![("jid", text(JID))]), map(vec![("fun", text("x"))])]
    {
        assert!(Load::read(&value.to_bytes()).unwrap().is_none(), "{value:?}");
    }
    assert!(Load::read(b"").is_err());
    assert!(Load::read(b"\x81\xa3jid").is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_fall(damage in prop::collection::vec((0_usize..200, any::<u8>()), 0..8), cut in 0_usize..200) {
        let mut load = published();
        for (place, byte) in damage {
            let place = place % load.len();
            load[place] = byte;
        }
        load.truncate(cut.max(1).min(load.len()));
        if let Ok(Some(read)) = Load::read(&load) {
            let missing = read.missing(Raw::NIL);
            let _ = read.beginning(Raw::NIL, raw(&missing));
            let _ = read.returned("web1", &load);
        }
    }
}
