//! Events as they should be and as nobody should send them: hostile fields cost nothing and change
//! nobody else's event.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;
use rmpv::Value;
use salt_event::event::{DecodeError, Event, Kind, MAX_FUNS, MAX_TAG, Origin, Return, decode};
use salt_event::tag::MAX_MINION;
use salt_event::time::MAX_JID;

const JID: &str = "20261122175503902712";

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).unwrap();
    out
}

fn frame_of(tag: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [tag, b"\n\n", data].concat();
    encode(&Value::Map(vec![
        ("head".into(), Value::Map(vec![])),
        ("body".into(), Value::Binary(body)),
    ]))
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(k, v)| ((*k).into(), v.clone())).collect())
}

fn list(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| (*item).into()).collect())
}

/// What a master says when it publishes a job, with some fields replaced, added or (nil) removed.
fn new_job(changes: &[(&str, Value)]) -> Vec<u8> {
    fields(
        &format!("salt/job/{JID}/new"),
        &[
            ("jid", JID.into()),
            ("tgt_type", "list".into()),
            ("tgt", list(&["web1", "ghost"])),
            ("user", "sudo_alice".into()),
            ("fun", "state.apply".into()),
            ("arg", list(&["nginx"])),
            ("minions", list(&["web1"])),
            ("missing", list(&["ghost"])),
            ("_stamp", "2026-11-22T17:55:03.903071".into()),
        ],
        changes,
    )
}

fn job_return(changes: &[(&str, Value)]) -> Vec<u8> {
    fields(
        &format!("salt/job/{JID}/ret/web1"),
        &[
            ("cmd", "_return".into()),
            ("id", "web1".into()),
            ("success", true.into()),
            ("return", true.into()),
            ("retcode", 0.into()),
            ("jid", JID.into()),
            ("fun", "test.ping".into()),
            ("fun_args", Value::Array(vec![])),
        ],
        changes,
    )
}

fn fields(tag: &str, base: &[(&str, Value)], changes: &[(&str, Value)]) -> Vec<u8> {
    let mut all: Vec<(&str, Value)> = base.to_vec();
    for (name, value) in changes {
        all.retain(|(known, _)| known != name);
        if !value.is_nil() {
            all.push((name, value.clone()));
        }
    }
    frame_of(tag.as_bytes(), &encode(&map(&all)))
}

fn is_other(frame: &[u8]) -> bool {
    matches!(decode(frame).unwrap().kind, Kind::Other)
}

/// It claims to be of a job, and makes no sense.
fn is_odd(frame: &[u8]) -> bool {
    matches!(decode(frame).unwrap().kind, Kind::Odd)
}

fn the_return(event: Event<'_>) -> Return<'_> {
    match event.kind {
        Kind::Return(ret) => ret,
        kind => panic!("{kind:?}"),
    }
}

/// The functions of an announced job; nothing for another event.
fn funs(frame: &[u8]) -> Option<Vec<String>> {
    match decode(frame).unwrap().kind {
        Kind::NewJob(job) => Some(job.fun.iter().map(|fun| fun.clone().into_owned()).collect()),
        _ => None,
    }
}

#[test]
fn a_job_is_announced() {
    let frame = new_job(&[]);
    let event = decode(&frame).unwrap();
    assert_eq!(event.stamp.unwrap().to_string(), "2026-11-22T17:55:03.903071Z");
    let Kind::NewJob(job) = event.kind else {
        panic!("{event:?}");
    };
    assert_eq!(job.jid, JID);
    assert_eq!(job.fun, ["state.apply"]);
    assert_eq!((job.user, job.tgt_type), (Some("sudo_alice"), "list"));
    assert_eq!(job.minions.items().count(), 1);
    assert_eq!(job.missing.items().next().unwrap().text(), Some("ghost"));
    assert!(job.metadata.is_none());
}

#[test]
fn a_jid_can_be_a_number_but_not_anything() {
    let number: u64 = 2026112217550390271;
    let tag = format!("salt/job/{number}/new");
    for jid in [Value::from(number), number.to_string().as_str().into()] {
        let frame =
            fields(&tag, &[("jid", jid), ("fun", "test.ping".into()), ("tgt", "*".into())], &[]);
        let Kind::NewJob(job) = decode(&frame).unwrap().kind else {
            panic!();
        };
        assert_eq!(job.jid, "2026112217550390271");
    }
    for jid in [
        Value::from("9".repeat(MAX_JID + 1)),
        Value::from("9".repeat(10_000)),
        Value::from(""),
        Value::from(1.5),
        Value::from(true),
        Value::Array(vec![JID.into()]),
        Value::Binary(vec![0xff; 20]),
        Value::Nil,
    ] {
        assert!(is_odd(&new_job(&[("jid", jid.clone())])), "{jid}");
        assert!(is_odd(&job_return(&[("jid", jid.clone())])), "{jid}");
    }
    let huge = format!("salt/job/{}/new", "9".repeat(MAX_JID + 1));
    assert!(is_other(&frame_of(huge.as_bytes(), b"\x80")));
}

#[test]
fn functions_can_be_several_but_are_names() {
    let several = funs(&new_job(&[("fun", list(&["test.ping", "cmd.run"]))]));
    assert_eq!(several.unwrap(), ["test.ping", "cmd.run"]);
    for fun in [
        Value::Array(vec![]),
        Value::Array(vec![1.into()]),
        Value::Array(vec![Value::Array(vec![])]),
        map(&[("test.ping", Value::Nil)]),
        7.into(),
        Value::Binary(vec![0xff]),
        Value::Nil,
    ] {
        assert_eq!(funs(&new_job(&[("fun", fun.clone())])), None, "{fun}");
        // A return tells its result all the same.
        let frame = job_return(&[("fun", fun)]);
        assert!(the_return(decode(&frame).unwrap()).fun.is_empty());
    }
    let many = Value::Array(vec!["test.ping".into(); 100_000]);
    let funs = funs(&new_job(&[("fun", many)])).unwrap();
    assert_eq!(funs.len(), MAX_FUNS);
}

#[test]
fn fields_can_be_missing_or_of_any_type() {
    let names = ["tgt_type", "tgt", "user", "arg", "minions", "missing", "_stamp"];
    for name in names {
        for value in [
            Value::Nil,
            7.into(),
            Value::Binary(vec![0xff]),
            "x".repeat(10_000).into(),
            map(&[("a", 1.into())]),
        ] {
            // Only that there is a target can be asked of every job.
            let is_job = name != "tgt" || !value.is_nil();
            let frame = new_job(&[(name, value.clone())]);
            assert_eq!(funs(&frame).is_some(), is_job, "{name} {value}");
        }
    }
    for name in ["success", "retcode", "return", "fun_args", "user", "cmd"] {
        for value in [Value::Nil, "x".into(), Value::Array(vec![])] {
            let frame = job_return(&[(name, value.clone())]);
            assert_eq!(the_return(decode(&frame).unwrap()).minion, "web1", "{name}");
        }
    }
    let frame = job_return(&[]);
    let ret = the_return(decode(&frame).unwrap());
    assert_eq!((ret.origin, ret.cmd), (Origin::Minion, Some("_return")));
    assert_eq!((ret.user, ret.schedule, ret.tag_differs), (None, None, false));
}

#[test]
fn a_minions_id_is_a_name_of_possible_length() {
    for id in [
        Value::Nil,
        "".into(),
        7.into(),
        Value::Binary(vec![0xff; 4]),
        "m".repeat(MAX_MINION + 1).into(),
        "m".repeat(10_000).into(),
    ] {
        assert!(is_odd(&job_return(&[("id", id.clone())])), "{id}");
    }
    let id = "m".repeat(MAX_MINION);
    let tag = format!("salt/job/{JID}/ret/{id}");
    let base = [("jid", JID.into()), ("id", id.as_str().into())];
    let frame = fields(&tag, &base, &[]);
    let ret = the_return(decode(&frame).unwrap());
    assert_eq!(ret.minion, id);
    assert!(!ret.tag_differs);
}

#[test]
fn a_tag_that_says_another_than_the_data_is_noticed() {
    let other = "20261122175503000000";
    for change in [("id", "db1".into()), ("jid", other.into())] {
        let frame = job_return(&[change]);
        assert!(the_return(decode(&frame).unwrap()).tag_differs);
    }
    assert!(is_odd(&new_job(&[("jid", other.into())])));
    let base = [("jid", other.into()), ("fun", "runner.state.orch".into())];
    let tag = |what: &str| format!("salt/run/{JID}/{what}");
    assert!(is_odd(&fields(&tag("new"), &base, &[])));
    let frame = fields(&tag("ret"), &base, &[]);
    let ret = the_return(decode(&frame).unwrap());
    assert_eq!((ret.origin, ret.minion), (Origin::Runner, ""));
    assert!(ret.tag_differs);
}

#[test]
fn what_a_minion_sent_bears_its_name() {
    let claim = map(&[("jid", JID.into()), ("fun", "cmd.run".into())]);
    let sent = [("cmd", "_minion_event".into()), ("id", "web3".into()), ("data", claim)];
    for (tag, claims) in [
        (format!("salt/job/{JID}/new"), true),
        (format!("salt/job/{JID}/ret/db1"), true),
        (format!("salt/run/{JID}/new"), true),
        (JID.to_owned(), true),
        ("salt/beacon/web3/load".to_owned(), false),
        ("salt/key".to_owned(), true),
        ("salt/auth".to_owned(), true),
        (format!("{JID}/new"), false),
    ] {
        let frame = fields(&tag, &sent, &[]);
        let Kind::FromMinion { sender, claims_job: is_claimed } = decode(&frame).unwrap().kind
        else {
            panic!("{tag}");
        };
        assert_eq!((sender, is_claimed), ("web3", claims), "{tag}");
    }
    // Who can't be named: still not the master's word.
    let frame = fields(&format!("salt/job/{JID}/new"), &sent, &[("id", 7.into())]);
    assert!(is_odd(&frame));
}

#[test]
fn a_minion_can_not_bury_that_it_was_the_sender() {
    // Fields before `cmd` and `id`, which the load's maker can choose freely.
    let mut pairs: Vec<(Value, Value)> =
        (0..500).map(|n| (format!("x{n}").as_str().into(), Value::Nil)).collect();
    let claim = [
        ("jid", JID.into()),
        ("fun", "cmd.run".into()),
        ("user", "root".into()),
        ("cmd", "_minion_event".into()),
        ("id", "web3".into()),
    ];
    pairs.extend(claim.map(|(name, value): (&str, Value)| (name.into(), value)));
    let tag = format!("salt/job/{JID}/new");
    let frame = frame_of(tag.as_bytes(), &encode(&Value::Map(pairs)));
    assert!(matches!(decode(&frame).unwrap().kind, Kind::FromMinion { sender: "web3", .. }));
}

#[test]
fn keys_that_are_bytes_do_not_stand_in_for_text() {
    let pair = |name: &[u8], value: &str| (Value::Binary(name.to_vec()), Value::from(value));
    let base = [("jid", JID), ("id", "web1"), ("cmd", "_minion_event")];
    let text = base.map(|(name, value)| (name.into(), value.into()));
    let tag = format!("salt/job/{JID}/ret/web1");
    for keys_before in [true, false] {
        let mut pairs = text.to_vec();
        let at = if keys_before { 0 } else { pairs.len() };
        pairs.insert(at, pair(b"cmd", "_return"));
        pairs.insert(at, pair(b"id", "db1"));
        let frame = frame_of(tag.as_bytes(), &encode(&Value::Map(pairs)));
        assert!(matches!(decode(&frame).unwrap().kind, Kind::FromMinion { sender: "web1", .. }));
    }
    // Without text they count: old senders write all text as bytes.
    let pairs = vec![pair(b"jid", JID), pair(b"id", "web1")];
    let frame = frame_of(tag.as_bytes(), &encode(&Value::Map(pairs)));
    assert_eq!(the_return(decode(&frame).unwrap()).minion, "web1");
}

#[test]
fn keys_of_other_types_are_stepped_over() {
    let pairs = vec![
        (1.into(), "one".into()),
        (Value::Nil, "nil".into()),
        (Value::Array(vec!["jid".into()]), "list".into()),
        (Value::Binary(vec![0xff, 0xfe]), "bytes".into()),
        (Value::Ext(78, vec![1, 2]), "date".into()),
        ("jid".into(), JID.into()),
        ("fun".into(), "test.ping".into()),
        ("tgt".into(), "*".into()),
    ];
    let tag = format!("salt/job/{JID}/new");
    let frame = frame_of(tag.as_bytes(), &encode(&Value::Map(pairs)));
    assert_eq!(funs(&frame).unwrap(), ["test.ping"]);
}

#[test]
fn text_that_is_no_utf_8_is_kept_where_it_may_stand() {
    let bad = b"\xa3a\xff\xfe";
    let frame = frame_of(b"my/\xff/tag", bad);
    let event = decode(&frame).unwrap();
    assert_eq!(event.tag, "my/\u{fffd}/tag");
    assert!(matches!(event.kind, Kind::Other));

    let frame = job_return(&[("return", Value::Binary(vec![0xff, 0xfe]))]);
    let ret = the_return(decode(&frame).unwrap());
    assert_eq!(ret.ret.text(), None);
    assert_eq!(ret.ret.bytes(), b"\xc4\x02\xff\xfe");
}

#[test]
fn minions_of_a_syndic_and_echoes() {
    let minions = [("minions", list(&["web1", "web2"]))];
    let frame = fields(JID, &minions, &[]);
    let Kind::Minions { jid, minions } = decode(&frame).unwrap().kind else {
        panic!();
    };
    assert_eq!((jid.as_ref(), minions.items().count()), (JID, 2));
    assert!(is_other(&fields(JID, &[], &[])));
    for what in ["publish", "sub/web1/error/state.sls"] {
        let tag = format!("salt/job/{JID}/{what}");
        let frame = fields(&tag, &[], &[]);
        let kind = decode(&frame).unwrap().kind;
        assert!(matches!(kind, Kind::Echo), "{what}");
    }
    let metadata = map(&[("source", "ci".into())]);
    let tag = format!("salt/job/{JID}/publish");
    let frame = fields(&tag, &[("metadata", metadata), ("jid", JID.into())], &[]);
    let Kind::Published { jid, metadata } = decode(&frame).unwrap().kind else {
        panic!();
    };
    assert_eq!((jid.as_ref(), metadata.get("source").unwrap().text()), (JID, Some("ci")));
    let frame = fields(&tag, &[("metadata", Value::Nil), ("jid", JID.into())], &[]);
    assert!(matches!(decode(&frame).unwrap().kind, Kind::Echo));
}

#[test]
fn data_of_any_type_is_an_event() {
    for data in [&b"\xc0"[..], b"\x90", b"\xa1x", b"\x05", b"\xd4\x4e\x01"] {
        let tag = format!("salt/job/{JID}/new");
        assert!(is_odd(&frame_of(tag.as_bytes(), data)), "{data:x?}");
    }
}

#[test]
fn what_is_no_event_is_said() {
    let no_body = encode(&map(&[("head", Value::Map(vec![]))]));
    assert_eq!(decode(&no_body).unwrap_err(), DecodeError::NoBody);
    let odd_body = encode(&map(&[("body", 7.into())]));
    assert_eq!(decode(&odd_body).unwrap_err(), DecodeError::NoBody);
    let no_tag = encode(&map(&[("body", Value::Binary(b"tag\ndata".to_vec()))]));
    assert_eq!(decode(&no_tag).unwrap_err(), DecodeError::NoTag);
    for no in [&b""[..], b"\x90", b"\x81\xa4body", b"\x81\xc1"] {
        let error = decode(no).unwrap_err();
        assert!(matches!(error, DecodeError::Envelope(_)), "{no:x?}");
        assert_eq!(error.tag(), None);
    }
    for data in [&b""[..], b"\x81\xa1x", b"\xc1"] {
        let frame = frame_of(b"some/tag", data);
        let error = decode(&frame).unwrap_err();
        assert!(matches!(error, DecodeError::Data { .. }), "{data:x?}");
        assert_eq!(error.tag(), Some("some/tag"));
    }
    for (length, is_read) in [(MAX_TAG, true), (MAX_TAG + 1, false)] {
        let frame = frame_of("t".repeat(length).as_bytes(), b"\x80");
        assert_eq!(decode(&frame).is_ok(), is_read, "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_data_under_any_tag_is_decoded_or_refused(
        tag in prop_oneof![
            Just(format!("salt/job/{JID}/new")),
            Just(format!("salt/job/{JID}/ret/web1")),
            Just(format!("salt/run/{JID}/args")),
            Just(format!("salt/batch/{JID}/new")),
            Just(JID.to_owned()),
            "[a-z0-9/]{0,30}",
        ],
        data in vec(any::<u8>(), 0..80),
    ) {
        let _ = decode(&frame_of(tag.as_bytes(), &data));
        let _ = decode(&data);
    }

    #[test]
    fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for mut frame in [new_job(&[]), job_return(&[])] {
            let at = at.index(frame.len());
            frame[at] = byte;
            if let Ok(event) = decode(&frame) {
                let _ = format!("{event:?}");
            }
        }
    }
}
