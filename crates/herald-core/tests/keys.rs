//! Keys of minions: what of the master's word on them is recorded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use herald_core::change::What;
use herald_core::digest::Digest;
use herald_core::key::KeyAct;
use herald_core::ledger::Restored;
use salt_event::Value;
use support::*;

fn key(act: &str, minion: &str) -> Vec<u8> {
    let data = map(vec![("result", Value::Bool(true)), ("act", text(act)), ("id", text(minion))]);
    frame("salt/key", &data)
}

fn auth(good: bool, act: &str, minion: &str, key: &str) -> Vec<u8> {
    let data = map(vec![
        ("result", Value::Bool(good)),
        ("act", text(act)),
        ("id", text(minion)),
        ("pub", text(key)),
    ]);
    frame("salt/auth", &data)
}

fn acts(heard: &Heard) -> Vec<(KeyAct, &str)> {
    let of = |what| match what {
        &What::Key { act, ref minion, .. } => Some((act, minion.as_str())),
        _ => None,
    };
    heard.changes.iter().filter_map(|change| of(&change.what)).collect()
}

#[test]
fn a_masters_restart_is_no_news_and_another_key_is() {
    let mut heard = Heard::default();
    for second in 0..3 {
        for minion in ["web1", "web2"] {
            heard.hear(at(f64::from(second)), &auth(true, "accept", minion, minion));
        }
    }
    assert_eq!(acts(&heard), [(KeyAct::Seen, "web1"), (KeyAct::Seen, "web2")]);
    heard.hear(at(9.0), &auth(true, "accept", "web2", "another"));
    assert_eq!(acts(&heard)[2..], [(KeyAct::Changed, "web2")]);
}

#[test]
fn what_a_journal_knows_of_keys_is_known_after_a_restart() {
    let keys = [("web1".to_owned(), Digest::of(b"one"))].into_iter().collect();
    let mut heard = Heard::restored(Restored { keys, ..Restored::default() }, start());
    heard.hear(at(0.0), &auth(true, "accept", "web1", "one\n"));
    assert_eq!(acts(&heard), []);
    heard.hear(at(1.0), &auth(true, "accept", "web1", "two"));
    assert_eq!(acts(&heard), [(KeyAct::Changed, "web1")]);
}

#[test]
fn a_key_that_was_deleted_may_be_another_afterwards() {
    let mut heard = Heard::default();
    heard.hear(at(0.0), &auth(true, "accept", "web1", "one"));
    heard.hear(at(1.0), &key("delete", "web1"));
    heard.hear(at(2.0), &auth(true, "pend", "web1", "two"));
    // 3008 says it in the past tense.
    heard.hear(at(3.0), &key("accepted", "web1"));
    heard.hear(at(4.0), &auth(true, "accept", "web1", "two"));
    heard.hear(at(5.0), &key("reject", "web1"));
    let wanted = [
        KeyAct::Seen,
        KeyAct::Deleted,
        KeyAct::Waiting,
        KeyAct::Accepted,
        KeyAct::Seen,
        KeyAct::Rejected,
    ];
    assert_eq!(acts(&heard), wanted.map(|act| (act, "web1")));
}

#[test]
fn who_is_refused_again_and_again_is_told_of_once_an_hour() {
    let mut heard = Heard::default();
    for second in 0..400 {
        heard.hear(at(f64::from(second) * 10.0), &auth(false, "denied", "web1", "stolen"));
    }
    assert_eq!(acts(&heard), [(KeyAct::Denied, "web1"); 2]);
    heard.hear(at(4_000.0), &auth(false, "", "web1", "stolen"));
    assert_eq!(acts(&heard)[2..], [(KeyAct::Failed, "web1")]);
}

#[test]
fn a_flood_of_made_up_names_is_bounded() {
    let mut heard = Heard::default();
    for number in 0..2_000 {
        heard.hear(at(0.0), &auth(true, "pend", &format!("made-up-{number}"), "key"));
    }
    assert_eq!(acts(&heard).len(), 256);
}

#[test]
fn what_is_kept_of_keys_is_bounded_however_many_are_made_up() {
    let mut heard = Heard::default();
    for number in 0..40_000 {
        heard.hear(
            at(0.0),
            &auth(true, "accept", &format!("made-up-{}", number / 2), &number.to_string()),
        );
    }
    assert_eq!(acts(&heard).len(), 2 * 16_384);
    heard.hear(at(3_601.0), &key("delete", "web1"));
    assert_eq!(acts(&heard)[2 * 16_384..], [(KeyAct::Deleted, "web1")]);
}

#[test]
fn what_a_minion_says_of_keys_is_no_word_of_the_masters() {
    let mut heard = Heard::default();
    let data = map(vec![
        ("cmd", text("_minion_event")),
        ("id", text("web2")),
        ("result", Value::Bool(true)),
        ("act", text("delete")),
    ]);
    heard.hear(at(0.0), &frame("salt/key", &data));
    assert_eq!(acts(&heard), []);
    assert!(matches!(&heard.changes[0].what, What::Suspect(suspect) if suspect.sender == "web2"));
}
