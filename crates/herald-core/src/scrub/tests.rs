//! What somebody names as secret is found in every form, and nothing that holds it is left as it was.

use salt_event::Value;
use salt_event::msgpack::Reader;

use super::*;
use crate::change::Storable;
use crate::payload::PayloadKind;
use crate::redact::Marks;
use crate::run::{RunHead, RunKind};

fn marks() -> Marks {
    Marks::new(&[7; 32])
}

fn sought(secrets: &str) -> Sought {
    Sought::new(secrets.as_bytes(), &marks(), ["web1", "db1"]).unwrap()
}

fn head(command: &str) -> RunHead {
    RunHead {
        kind: RunKind::Command,
        user: Some("root".to_owned()),
        command: command.to_owned(),
        funs: vec!["cmd.run".to_owned()],
        tgt: "*".to_owned(),
        tgt_type: "glob".to_owned(),
        test: false,
        schedule: None,
        saltenv: None,
        metadata: Some(Value::Map(vec![("ticket".into(), "said Tr0ub4dor&3".into())])),
    }
}

#[test]
fn a_secret_is_found_in_the_forms_in_which_it_turns_up() {
    let sought = sought("p\"a's/web1 x");
    let texts = [
        "said p\"a's/web1 x!",
        "{\"a\": \"p\\\"a's/web1 x\"}",
        "echo 'p\"a'\"'\"'s/web1 x'",
        // JSON in a shell's quotes, as command lines have it.
        "'pillar={\"a\": \"p\\\"a'\"'\"'s/web1 x\"}'",
        "https://x/?q=p%22a%27s%2Fweb1%20x",
        // python3: base64.b64encode(b"x" + secret)
        "eHAiYSdzL3dlYjEgeA==",
        // In a return of that minion its id is a placeholder.
        "said p\"a's/\u{E000}m x!",
    ];
    for text in texts {
        let (hidden, places) = sought.hide_text(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(places, 1, "{hidden}");
        assert!(!sought.is_in(hidden.as_bytes()) && hidden.contains("[hidden "), "{hidden}");
    }
    for text in ["said p\"a's/web2 x", "", "said p\"a's/\u{E000}e x!"] {
        assert_eq!(sought.hide_text(text), None, "{text}");
    }
}

#[test]
fn what_can_not_be_told_from_all_else_is_refused() {
    let refused = |text: &str| Sought::new(text.as_bytes(), &marks(), []).unwrap_err();
    let mut said = Vec::new();
    let long = "x".repeat(65 << 10);
    for text in
        ["", "\n \n", "Tr0ub4dor&3\nshort", "changes", "tgt_ty", "succeeded", "hidden", &long]
    {
        said.push(refused(text).to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    no secret was given
    no secret was given
    the secret in line 2 has fewer than 6 bytes
    the secret in line 1 is a word that every journal holds, and can't be told from it
    the secret in line 1 is a word that every journal holds, and can't be told from it
    the secret in line 1 is a word that every journal holds, and can't be told from it
    the secret in line 1 is a word that every journal holds, and can't be told from it
    there are more than 64 KiB of secrets
    ");
}

#[test]
fn a_command_line_stops_where_the_secret_stood() {
    let sought = sought("Tr0ub4dor&3\r\nother-3x\n");
    let before = head("salt '*' cmd.run 'login alice Tr0ub4dor&3 other-3x'");
    let payload = before.to_payload_bytes();
    let hidden = sought.hide_contents(PayloadKind::Head, &payload).unwrap();
    let after = RunHead::from_payload_bytes(&hidden.bytes).unwrap();
    assert_eq!(hidden.places, 3);
    insta::assert_snapshot!(after.command, @r#"salt '*' cmd.run 'login alice '"${hidden_c77d:?hidden by salt-herald}"' '"${hidden_8f23:?hidden by salt-herald}""#);
    assert!(!sought.is_in(&hidden.bytes));
    // What is queried of the run becomes the same.
    let mut queried = before.clone();
    assert_eq!(sought.hide_head(&mut queried), 3);
    assert_eq!(queried, after);
    assert_eq!((after.kind, after.funs, after.tgt), (before.kind, before.funs, before.tgt));
    assert_eq!(sought.hide_contents(PayloadKind::Head, &hidden.bytes), None);
}

#[test]
fn it_is_hidden_in_keys_bytes_and_numbers_too() {
    let sought = sought("Tr0ub4dor&3\n93847561");
    let value = Value::Map(vec![
        ("result".into(), Value::Bool(true)),
        ("changes".into(), Value::Map(vec![("Tr0ub4dor&3".into(), Value::Int(93_847_561))])),
        ("stray".into(), Value::Bytes(b"\xffTr0ub4dor&3\xff".to_vec().into())),
        ("other".into(), Value::Int(93_847_562)),
    ]);
    let hidden = sought.hide_contents(PayloadKind::Body, &value.to_bytes()).unwrap();
    assert_eq!(hidden.places, 3);
    let shown = Value::read(Reader::new(&hidden.bytes).raw().unwrap()).unwrap();
    assert!(!format!("{shown:?}").contains("93847561") && !sought.is_in(&hidden.bytes));
    assert_eq!(shown.get("other"), Some(&Value::Int(93_847_562)));
}

#[test]
fn one_that_overlaps_itself_leaves_nothing_of_it() {
    let sought = sought("abcabcab");
    let (hidden, _) = sought.hide_text("abcabcabcabcabcabcab").unwrap();
    assert!(!sought.is_in(hidden.as_bytes()), "{hidden}");
}

#[test]
fn in_pieces_each_is_counted_once() {
    let sought = sought("Tr0ub4dor&3");
    let text = b"xxTr0ub4dor&3xx";
    for cut in 0..text.len() {
        let overlap = cut.min(sought.longest() - 1);
        let first = sought.count(&text[..cut], 0);
        let second = sought.count(&text[cut - overlap..], overlap);
        assert_eq!(first + second, 1, "{cut}");
    }
}

#[test]
fn many_contents_take_several_entries_and_the_first_names_the_runs() {
    let pair = |number: u64| Scrubbed {
        digest: Digest::of(&number.to_be_bytes()),
        became: Digest::of(b"x"),
        places: 2,
    };
    let scrub = |pairs: u64| Scrub {
        when: Timestamp::UNIX_EPOCH,
        first: None,
        reason: "the password of db1".to_owned(),
        by: "root".to_owned(),
        sudo: "alice".to_owned(),
        marks: vec![marks().of(b"Tr0ub4dor&3")],
        places: 2 * pairs + 3,
        runs: vec![RunId(3), RunId(9)],
        pairs: (0..pairs).map(pair).collect(),
    };
    for count in [0, 1, MOST_PAIRS as u64, 2 * MOST_PAIRS as u64 + 1] {
        let portions = scrub(count).portions();
        assert_eq!(portions.len() as u64, count.div_ceil(MOST_PAIRS as u64).max(1));
        let sum = |of: fn(&Scrub) -> u64| portions.iter().map(of).sum::<u64>();
        assert_eq!(sum(|one| one.places), 2 * count + 3);
        assert_eq!(sum(|one| one.pairs.len() as u64), count);
        assert_eq!(sum(|one| one.runs.len() as u64), 2);
        assert_eq!(portions[0].runs.len(), 2);
    }
    assert_eq!(scrub(1).who(), "alice by sudo as root");
    assert_eq!(Scrub { sudo: String::new(), ..scrub(1) }.who(), "root");
}
