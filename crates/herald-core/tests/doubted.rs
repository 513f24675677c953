//! Returns that are not believed by themselves, and what is recorded of those that were made up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use herald_core::change::What;
use herald_core::confirm::{FoundReturn, said};
use herald_core::ledger::{Confirm, Settings};
use herald_core::run::Flag;
use herald_core::suspect::{Suspect, Why};
use salt_event::Value;
use salt_event::event::decode;
use salt_event::msgpack::Reader;
use support::*;

fn heard() -> Heard {
    let confirm = Confirm { jobs: true, returns: true, below: true };
    Heard::with(Settings { confirm, ..Settings::default() }, Default::default(), start())
}

fn up(minion: &str, what: &'static str) -> Vec<u8> {
    ret(&jid(1), minion, "cmd.run", text(what), 0)
}

/// As the cache would keep it.
fn kept(what: &'static str) -> FoundReturn {
    let bytes = [text(what).to_bytes(), Value::Int(0).to_bytes()];
    let [ret, retcode] = [&bytes[0], &bytes[1]].map(|bytes| Reader::new(bytes).raw().unwrap());
    FoundReturn::Kept(said(ret, retcode))
}

impl Heard {
    /// Whether it is to be looked up; then it is given back with what was found.
    fn hear_found(&mut self, frame: &[u8], found: FoundReturn) -> bool {
        let event = decode(frame).unwrap();
        let is_doubted = self.ledger.doubts(&event).is_some();
        let changes = match is_doubted {
            true => self.ledger.hear_looked_up(at(1.0), &event, found),
            false => self.ledger.handle_event(at(1.0), &event),
        };
        self.take(changes);
        is_doubted
    }

    fn suspects(&self) -> Vec<&Suspect> {
        let mut all = Vec::new();
        for change in &self.changes {
            if let What::Suspect(suspect) = &change.what {
                all.push(suspect);
            }
        }
        all
    }

    fn returned(&self) -> String {
        names(self.ledger.minions(), &self.run(1).tally.returned)
    }
}

/// A job on web1 alone.
fn on_web1() -> Heard {
    let mut heard = heard();
    heard.hear(at(0.0), &Job::new(&jid(1), "cmd.run", list(&["uptime"]), &["web1"]).frame());
    heard
}

#[test]
fn who_was_not_asked_is_not_counted_unless_the_cache_holds_it() {
    for (found, wanted) in [
        (FoundReturn::Nothing, ""),
        (kept("something else"), ""),
        (kept("up"), "web2"),
        (FoundReturn::Kept(None), "web2"),
        (FoundReturn::Unknown, "web2"),
    ] {
        let mut heard = on_web1();
        assert!(heard.hear_found(&up("web2", "up"), found));
        assert_eq!(heard.returned(), wanted, "{found:?}");
        let flag = if wanted.is_empty() { Flag::FalseReturn } else { Flag::UnaskedReturn };
        assert!(heard.run(1).flags.contains(&flag), "{found:?}");
    }
}

#[test]
fn what_was_made_up_is_told_in_the_message_and_recorded() {
    let mut heard = on_web1();
    heard.hear_found(&up("web2", "up"), FoundReturn::Nothing);
    assert!(!heard.hear_found(&up("web1", "up"), FoundReturn::Nothing), "it was asked");
    insta::assert_snapshot!(block(&heard, heard.run(1)), @r"
    1 command by alice, succeeded (1 jobs), said
      expected: web1
      returned: web1
      flags: false_return
      ✓ salt '*' cmd.run uptime
        alice · web1 · 1.0 s
        1 succeeded · a return is not borne out by the master's job cache
    ");
    let suspects = heard.suspects();
    assert_eq!(suspects.len(), 1);
    assert_eq!((suspects[0].why, suspects[0].minion.as_str()), (Why::Unasked, "web2"));
    assert_eq!((suspects[0].jid.clone(), suspects[0].count), (jid(1), 1));
}

#[test]
fn the_same_said_again_is_no_doubt() {
    let mut heard = on_web1();
    heard.hear(at(0.5), &up("web1", "up"));
    assert!(!heard.hear_found(&up("web1", "up"), FoundReturn::Nothing));
    assert!(heard.suspects().is_empty());
}

/// A minion is quicker than the one in whose name it speaks.
#[test]
fn what_the_cache_holds_counts_in_place_of_what_came_first() {
    let mut heard = on_web1();
    heard.hear(at(0.5), &up("web1", "all is well"));
    let truth = ret(&jid(1), "web1", "cmd.run", text("all is lost"), 1);
    let bytes = [text("all is lost").to_bytes(), Value::Int(1).to_bytes()];
    let [said_so, retcode] = [&bytes[0], &bytes[1]].map(|bytes| Reader::new(bytes).raw().unwrap());
    assert!(heard.hear_found(&truth, FoundReturn::Kept(said(said_so, retcode))));
    let run = heard.run(1);
    assert_eq!((heard.returned().as_str(), run.tally.failed.len()), ("web1", 1));
    assert!(run.flags.contains(&Flag::FalseReturn));
    insta::assert_snapshot!(block(&heard, run), @r"
    1 command by alice, failed (1 jobs), said
      expected: web1
      returned: web1
      failed: web1
      flags: false_return
      ✗ salt '*' cmd.run uptime
        alice · web1 · 1.0 s
        1 failed (web1) · a return is not borne out by the master's job cache
        - cmd.run on web1
          all is lost
    ");
    assert_eq!(heard.suspects()[0].why, Why::Displaced);
    // What was false says nothing more, and what is true is known now.
    assert!(!heard.hear_found(&truth, FoundReturn::Nothing));
    assert!(heard.hear_found(&up("web1", "all is well"), kept("something else")));
    assert_eq!(heard.suspects().last().unwrap().why, Why::Again);
}

#[test]
fn a_second_return_of_which_the_cache_knows_nothing_changes_nothing() {
    let mut heard = on_web1();
    heard.hear(at(0.5), &up("web1", "up"));
    let before = block(&heard, heard.run(1));
    assert!(heard.hear_found(&up("web1", "down"), kept("up")));
    assert_eq!(block(&heard, heard.run(1)), before);
    assert_eq!(heard.suspects()[0].why, Why::Again);
}

#[test]
fn where_there_are_no_syndics_nothing_comes_through_one() {
    let data = || {
        map(vec![
            ("jid", text(&jid(1))),
            ("id", text("web1")),
            ("return", text("all is well")),
            ("retcode", Value::Int(0)),
            ("success", Value::Bool(true)),
            ("fun", text("cmd.run")),
        ])
    };
    let mut heard = on_web1();
    let through = frame(&format!("salt/job/{}/ret/web1", jid(1)), &data());
    assert!(!heard.hear_found(&through, FoundReturn::Nothing));
    assert_eq!(heard.returned(), "");
    assert!(heard.run(1).flags.contains(&Flag::FalseReturn));
    assert_eq!(heard.suspects()[0].why, Why::NoSyndic);
    let confirm = Confirm { jobs: true, returns: true, below: true };
    let has_syndics = Settings { confirm, order_masters: true, ..Settings::default() };
    let is_unsure = Confirm { below: false, ..confirm };
    for settings in [has_syndics, Settings { confirm: is_unsure, ..Settings::default() }] {
        let mut heard = Heard::with(settings, Default::default(), start());
        heard.hear(at(0.0), &Job::new(&jid(1), "cmd.run", list(&["uptime"]), &["web1"]).frame());
        assert!(!heard.hear_found(&through, FoundReturn::Nothing));
        assert_eq!((heard.returned().as_str(), heard.suspects().len()), ("web1", 0));
    }
}

#[test]
fn of_a_flood_few_are_recorded_and_all_are_counted() {
    let mut heard = heard();
    let data = map(vec![("cmd", text("_minion_event")), ("id", text("web2"))]);
    for _ in 0..1_000 {
        heard.hear(at(0.0), &frame(&format!("salt/job/{}/new", jid(1)), &data));
    }
    let counts: Vec<u32> = heard.suspects().iter().map(|suspect| suspect.count).collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1, 1, 8, 16, 32, 64, 128, 256]);
    assert_eq!(heard.ledger.take_suspects(), 1_000);
    // Others have their own count, up to a number of them.
    for number in 0..2_000 {
        let sender = format!("made-up-{number}");
        let data = map(vec![("cmd", text("_minion_event")), ("id", text(&sender))]);
        heard.hear(at(1.0), &frame(&format!("salt/job/{}/new", jid(1)), &data));
    }
    assert!(heard.suspects().len() < 300, "{}", heard.suspects().len());
}
