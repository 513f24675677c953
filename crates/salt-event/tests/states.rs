//! Returns of states: what they look like on real masters, and at their edges.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use rmpv::Value;
use salt_event::msgpack::Reader;
use salt_event::states::{
    KeyParts, Returned, StateResult, collisions, comment_text, is_state_function,
};

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).unwrap();
    out
}

fn map(pairs: Vec<(&str, Value)>) -> Value {
    Value::Map(pairs.into_iter().map(|(k, v)| (k.into(), v)).collect())
}

fn list(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| (*item).into()).collect())
}

/// The form of a return, in a word and a number.
fn form(value: &Value, is_state: bool) -> String {
    let bytes = encode(value);
    match Returned::of(Reader::new(&bytes).raw().unwrap(), is_state) {
        Returned::States(states) => format!("states {}", states.count()),
        Returned::Refused(texts) => format!("refused {}", texts.join(" | ")),
        Returned::Plain(_) => "plain".to_owned(),
    }
}

/// The one state of a return.
fn with_state(key: &str, result: Vec<(&str, Value)>, check: impl FnOnce(StateResult<'_>)) {
    let bytes = encode(&map(vec![(key, map(result))]));
    match Returned::of(Reader::new(&bytes).raw().unwrap(), true) {
        Returned::States(mut states) => check(states.next().unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_states_result_is_read() {
    let result = vec![
        ("changes", map(vec![("diff", "New file".into())])),
        ("comment", "File /etc/motd updated".into()),
        ("name", "/etc/motd".into()),
        ("result", true.into()),
        ("__sls__", "common".into()),
        ("__run_num__", 3.into()),
        ("start_time", "17:55:09.234961".into()),
        ("duration", 23.432.into()),
        ("__id__", "motd".into()),
    ];
    with_state("file_|-motd_|-/etc/motd_|-managed", result, |state| {
        assert_eq!(state.result, Some(true));
        assert!(state.has_changes());
        assert_eq!(comment_text(state.comment), "File /etc/motd updated");
        assert_eq!((state.sls, state.id), (Some("common"), Some("motd")));
        assert_eq!(state.duration, Some(23_432));
        assert_eq!(state.start, Some(64_509_234_961));
        assert_eq!(state.run_number, Some(3));
    });
}

#[test]
fn only_false_is_a_failure() {
    for (result, wanted) in [
        (Value::from(true), Some(true)),
        (false.into(), Some(false)),
        (Value::Nil, None),
        // States of people's own: Salt takes all of these for success.
        (1.into(), Some(true)),
        (0.into(), Some(true)),
        ("False".into(), Some(true)),
        (map(vec![]), Some(true)),
    ] {
        with_state("a_|-b_|-c_|-d", vec![("result", result)], |state| {
            assert_eq!(state.result, wanted);
        });
    }
}

#[test]
fn durations_are_numbers_or_text() {
    for (duration, wanted) in [
        (Value::from(1987.369), Some(1_987_369)),
        (2.into(), Some(2_000)),
        (0.into(), Some(0)),
        ("12.5 ms".into(), Some(12_500)),
        ("12.5".into(), Some(12_500)),
        ("soon".into(), None),
        ((-1.5).into(), None),
        (f64::NAN.into(), None),
        (f64::INFINITY.into(), None),
        (1e300.into(), None),
        (Value::Nil, None),
        (Value::Array(vec![]), None),
    ] {
        let result = vec![("result", true.into()), ("duration", duration.clone())];
        with_state("a_|-b_|-c_|-d", result, |state| {
            assert_eq!(state.duration, wanted, "{duration}");
        });
    }
}

#[test]
fn changes_can_be_empty_in_many_ways() {
    for (changes, wanted) in [
        (map(vec![]), false),
        (Value::Nil, false),
        (Value::Array(vec![]), false),
        ("".into(), false),
        (false.into(), false),
        (map(vec![("pid", 1.into())]), true),
        (list(&["a"]), true),
        ("changed".into(), true),
    ] {
        let result = vec![("result", true.into()), ("changes", changes.clone())];
        with_state("a_|-b_|-c_|-d", result, |state| {
            assert_eq!(state.has_changes(), wanted, "{changes}");
        });
    }
}

#[test]
fn a_comment_can_be_a_list_or_no_text() {
    for (comment, wanted) in [
        (Value::from("one"), "one"),
        (list(&["one", "two"]), "one\ntwo"),
        (Value::Array(vec![1.into(), "two".into()]), "two"),
        (Value::Binary(b"a\xffb".to_vec()), "a\u{fffd}b"),
        (Value::Array(vec![Value::Binary(b"\xff".to_vec())]), "\u{fffd}"),
        (Value::Nil, ""),
        (map(vec![("a", 1.into())]), ""),
    ] {
        let bytes = encode(&comment);
        let raw = Reader::new(&bytes).raw().unwrap();
        assert_eq!(comment_text(raw), wanted, "{comment}");
    }
}

#[test]
fn keys_are_taken_apart() {
    let parts = |key| {
        let KeyParts { module, id, name, function } = KeyParts::split(key);
        [module, id, name, function]
    };
    for (key, wanted) in [
        ("pkg_|-web_|-nginx_|-installed", ["pkg", "web", "nginx", "installed"]),
        ("cmd_|-x_|-echo a_|-b_|-c_|-run", ["cmd", "x", "echo a_|-b_|-c", "run"]),
        ("no_|-states_|-states_|-None", ["no", "states", "states", "None"]),
        ("file_|-_|-_|-managed", ["file", "", "", "managed"]),
        ("no separator", ["", "", "", "no separator"]),
        ("a_|-b", ["a", "", "", "b"]),
        ("a_|-b_|-c", ["a", "b", "", "c"]),
        ("", ["", "", "", ""]),
    ] {
        assert_eq!(parts(key), wanted, "{key}");
    }
}

#[test]
fn an_id_that_holds_the_separator_is_known_from_the_result() {
    let key = "cmd_|-a_|-b_|-echo 1_|-2_|-run";
    let result = |id: &str| vec![("result", true.into()), ("__id__", id.into())];
    for (id, wanted) in [
        ("a_|-b", ("a_|-b", "echo 1_|-2")),
        ("a", ("a", "b_|-echo 1_|-2")),
        // It says another than the key: the key counts.
        ("z", ("a", "b_|-echo 1_|-2")),
        ("a_|-b_|-echo 1_|-2_|-run", ("a", "b_|-echo 1_|-2")),
    ] {
        with_state(key, result(id), |state| {
            let parts = state.parts();
            assert_eq!((parts.id, parts.name), wanted, "{id}");
            assert_eq!((parts.module, parts.function), ("cmd", "run"), "{id}");
        });
    }
}

#[test]
fn returns_have_three_forms() {
    let state = || map(vec![("result", true.into())]);
    let one = || ("a_|-b_|-c_|-d", state());
    assert_eq!(form(&map(vec![one(), one()]), true), "states 2");
    // Any function may run states.
    assert_eq!(form(&map(vec![one()]), false), "states 1");
    for plain in [
        map(vec![]),
        map(vec![one(), ("key", state())]),
        map(vec![one(), ("a_|-b_|-c_|-d", "text".into())]),
        map(vec![("a_|-b_|-c_|-d", map(vec![("comment", "".into())]))]),
        map(vec![("a_|-b_|-c", state())]),
        Value::Map(vec![(7.into(), state())]),
        Value::Array(vec![]),
        Value::Array(vec![1.into()]),
        "'x.y' is not available.".into(),
        "VALUE_TRIMMED".into(),
        Value::Nil,
    ] {
        assert_eq!(form(&plain, true), "plain", "{plain}");
    }
    let render = "Rendering SLS 'base:unrendered' failed: Jinja error";
    assert_eq!(form(&list(&[render]), true), format!("refused {render}"));
    assert_eq!(form(&list(&["a", "b"]), true), "refused a | b");
    assert_eq!(form(&list(&["a", "b"]), false), "plain");
}

#[test]
fn salts_word_that_runs_met_is_understood() {
    let met = |fun: &str, jid: &str| {
        format!(
            "The function \"{fun}\" is running as PID 4711 and was started at 2026, Nov 22 \
             17:26:11.123456 with jid {jid}"
        )
    };
    let (one, two) = ("20261122172611123456", "20261122172612123456_99");
    let both = [met("state.sls", one), met("state.highstate", two)].join("\n");
    let jids = |texts: &[&str]| collisions(texts).join(" ");
    assert_eq!(jids(&[&met("state.sls", one)]), one);
    assert_eq!(jids(&[&both]), format!("{one} {two}"));
    assert_eq!(jids(&[&met("state.sls", one), &both]), format!("{one} {two}"));
    assert_eq!(jids(&["Rendering SLS failed", "with jid 20261122172611123456"]), "");
    assert_eq!(jids(&[&met("state.sls", "req")]), "");
    assert_eq!(jids(&[&met("state.sls", "20261122172611123456.")]), one);
    assert_eq!(jids(&[]), "");
    let many: Vec<String> = (0..1000).map(|n| met("f", &format!("2026{n:016}"))).collect();
    assert_eq!(collisions(&[&many.join("\n")]).len(), 32);
}

#[test]
fn functions_that_run_states_are_known() {
    for fun in ["state.apply", "state.highstate", "state.sls", "state.single"] {
        assert!(is_state_function(fun), "{fun}");
    }
    for fun in ["state.show_sls", "state.running", "test.ping", "state", ""] {
        assert!(!is_state_function(fun), "{fun}");
    }
}
