//! Whether jobs are true: what the master's job cache says of them, and what is made of that.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use herald_core::change::What;
use herald_core::confirm::{Found, Kept};
use herald_core::ledger::{Confirm, Settings};
use herald_core::run::{Flag, RunKind, RunStatus, Standing};
use salt_event::Value;
use salt_event::job_cache::Load;
use support::*;

fn heard() -> Heard {
    let confirm = Confirm { jobs: true, returns: true, below: true };
    Heard::with(Settings { confirm, ..Settings::default() }, Default::default(), start())
}

fn job(number: u32) -> Job {
    Job::new(&jid(number), "cmd.run", list(&["uptime"]), &["web1"])
}

/// What the master keeps of a job that it published.
fn load(number: u32, arg: &[&str]) -> Found {
    let load = map(vec![
        ("cmd", text("publish")),
        ("jid", text(&jid(number))),
        ("fun", text("cmd.run")),
        ("arg", list(arg)),
        ("tgt", text("*")),
        ("tgt_type", text("glob")),
        ("ret", text("")),
        ("user", text("alice")),
    ]);
    kept(&load)
}

/// What it keeps of one that it knows by a return alone.
fn load_of_a_return(number: u32) -> Found {
    let load = map(vec![
        ("cmd", text("_return")),
        ("id", text("web1")),
        ("jid", text(&jid(number))),
        ("fun", text("cmd.run")),
        ("fun_args", list(&["uptime"])),
        ("return", text("up 3 days")),
    ]);
    kept(&load)
}

fn kept(load: &Value<'_>) -> Found {
    Found::Kept(Kept::of(&Load::read(&load.to_bytes()).unwrap().unwrap()))
}

impl Heard {
    fn find(&mut self, seconds: f64, number: u32, found: &Found) {
        let changes = self.ledger.hear_found(at(seconds), &jid(number), found);
        self.take(changes);
        let changes = self.ledger.take_confirmed();
        self.take(changes);
    }

    fn stood(&self) -> Vec<Standing> {
        let stood = |what: &What| match what {
            What::Stood { standing, .. } => Some(*standing),
            _ => None,
        };
        self.changes.iter().filter_map(|change| stood(&change.what)).collect()
    }
}

#[test]
fn a_job_whose_load_is_kept_is_confirmed_and_looks_as_ever() {
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    assert_eq!(heard.ledger.take_to_confirm(), [jid(1)]);
    let before = block(&heard, heard.run(1));
    heard.find(0.1, 1, &load(1, &["uptime"]));
    assert_eq!(heard.stood(), [Standing::Confirmed]);
    assert_eq!(block(&heard, heard.run(1)), before);
    heard.find(0.2, 1, &Found::Nothing);
    assert_eq!(heard.stood(), [Standing::Confirmed], "it was not asked for again");
}

/// Else the journal would have the confirmation, and not the job that it is of.
#[test]
fn a_job_that_is_confirmed_late_is_remembered_until_that_is_recorded() {
    let mut heard = heard();
    let end_of = |heard: &mut Heard, number: u32| {
        let seconds = f64::from(number);
        heard.hear(at(seconds), &job(number).frame());
        heard.hear(at(seconds), &ret(&jid(number), "web1", "cmd.run", text("up"), 0));
        heard.ledger.take_touched();
    };
    (1..=512).for_each(|number| end_of(&mut heard, number));
    let changes = heard.ledger.hear_found(at(512.5), &jid(1), &load(1, &["uptime"]));
    heard.take(changes);
    let first = herald_core::run::RunId(1);
    (513..=516).for_each(|number| end_of(&mut heard, number));
    assert!(heard.ledger.run(first).is_some());
    heard.find(517.0, 2, &load(2, &["uptime"]));
    assert_eq!(heard.stood(), [Standing::Confirmed]);
    (518..=520).for_each(|number| end_of(&mut heard, number));
    assert!(heard.ledger.run(first).is_none());
}

#[test]
fn a_job_that_the_cache_does_not_hold_is_unconfirmed_until_it_does() {
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    heard.find(2.0, 1, &Found::Nothing);
    assert_eq!(heard.stood(), [Standing::Unconfirmed]);
    let run = heard.run(1);
    assert!(run.flags.contains(&Flag::Unconfirmed));
    assert_eq!(run.status, RunStatus::Running);
    insta::assert_snapshot!(block(&heard, run), @r"
    1 command by alice, running (1 jobs), said
      expected: web1
      flags: unconfirmed
      ◐ salt '*' cmd.run uptime
        said to be alice · web1
        0 of 1 returned · not in the master's job cache: who sent it is not known
    ");
    // The past tells of it: the load was written late.
    let event = job(1).frame();
    let event = salt_event::event::decode(&event).unwrap();
    heard.ledger.begin_past(true);
    let changes = heard.ledger.handle_past_event(at(0.0), at(0.0), &event);
    heard.take(changes);
    assert_eq!(heard.stood(), [Standing::Unconfirmed, Standing::ConfirmedLate]);
    assert!(!heard.run(1).flags.contains(&Flag::Unconfirmed));
}

#[test]
fn a_job_of_which_only_a_return_is_kept_is_forged() {
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    heard.find(0.1, 1, &load_of_a_return(1));
    assert_eq!(heard.stood(), [Standing::Forged]);
    insta::assert_snapshot!(block(&heard, heard.run(1)), @r"
    1 command by alice, running (1 jobs), said
      expected: web1
      flags: not_published
      ◐ salt '*' cmd.run uptime
        said to be alice · web1
        0 of 1 returned · forged: the master published no such job
    ");
}

#[test]
fn a_job_whose_load_does_something_else_is_forged() {
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    heard.find(0.1, 1, &load(1, &["rm -rf /srv"]));
    assert_eq!(heard.stood(), [Standing::Forged]);
}

#[test]
fn what_was_left_out_of_an_event_is_no_difference() {
    let mut heard = heard();
    let job = Job::new(&jid(1), "cmd.run", list(&["VALUE_TRIMMED"]), &["web1"]);
    heard.hear(at(0.0), &job.frame());
    heard.find(0.1, 1, &load(1, &["a very long script"]));
    assert_eq!(heard.stood(), [Standing::Confirmed]);
}

#[test]
fn where_nothing_can_be_known_nothing_is_said() {
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    heard.find(2.0, 1, &Found::Unknown);
    assert!(heard.stood().is_empty() && heard.run(1).flags.is_empty());
    let mut heard = Heard::default();
    heard.hear(at(0.0), &job(1).frame());
    assert!(heard.ledger.take_to_confirm().is_empty(), "nobody looks");
}

#[test]
fn a_job_that_returns_unseen_is_believed_as_far_as_its_publication_is_kept() {
    for (found, wanted) in [
        (load(1, &["uptime"]), Standing::Confirmed),
        (load_of_a_return(1), Standing::ByMinion),
        (Found::Nothing, Standing::Unconfirmed),
    ] {
        let mut heard = heard();
        heard.hear(at(0.0), &ret(&jid(1), "web1", "cmd.run", text("up"), 0));
        assert_eq!(heard.run(1).head.kind, RunKind::Command);
        heard.find(0.1, 1, &found);
        assert_eq!(heard.stood(), [wanted]);
    }
}

#[test]
fn a_salt_call_is_kept_by_its_return() {
    for (found, wanted) in
        [(load_of_a_return(1), Standing::Confirmed), (Found::Nothing, Standing::Unconfirmed)]
    {
        let mut heard = heard();
        heard.hear(at(0.0), &ret_with(&jid(1), "web1", "cmd.run", text("up"), 0, vec![]));
        assert_eq!(heard.run(1).head.kind, RunKind::Local);
        heard.find(0.1, 1, &found);
        assert_eq!(heard.stood(), [wanted]);
    }
}

#[test]
fn what_the_job_cache_tells_is_confirmed_by_that() {
    let mut heard = heard();
    let event = job(1).frame();
    let event = salt_event::event::decode(&event).unwrap();
    heard.ledger.begin_past(true);
    let changes = heard.ledger.handle_past_event(at(0.0), at(0.0), &event);
    heard.take(changes);
    let changes = heard.ledger.end_past(at(1.0), Some(jiff::Timestamp::MIN));
    heard.take(changes);
    assert!(heard.ledger.take_to_confirm().is_empty());
    let changes = heard.ledger.take_confirmed();
    heard.take(changes);
    assert_eq!(heard.stood(), [Standing::Confirmed]);
}

#[test]
fn a_job_that_is_published_again_with_other_arguments_adds_nothing() {
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    let again = Job::new(&jid(1), "cmd.run", list(&["rm -rf /srv"]), &["web1", "db1"]);
    heard.hear(at(0.1), &again.frame());
    let run = heard.run(1);
    assert!(run.flags.contains(&Flag::Conflict));
    assert_eq!(names(heard.ledger.minions(), &run.tally.expected), "web1");
    assert_eq!(run.head.command, "salt '*' cmd.run uptime");
    heard.hear(at(0.2), &job(1).frame());
    assert_eq!(heard.run(1).flags.len(), 1, "said again it is no conflict");
}

/// A minion chooses where it cuts a tag in two: the master fires the event under the whole tag, and once
/// more under the second piece.
#[test]
fn a_piece_of_a_tag_gives_away_who_sent_with_a_prefix() {
    for tag in ["new", &format!("{}/new", jid(1)), &format!("job/{}/new", jid(1))] {
        for twin_comes_first in [true, false] {
            let mut heard = heard();
            let made = job(1);
            let data = map(vec![
                ("jid", text(&made.jid)),
                ("fun", text("cmd.run")),
                ("arg", list(&["uptime"])),
                ("user", text("alice")),
            ]);
            let mut events = [made.frame(), frame(tag, &data)];
            if twin_comes_first {
                events.reverse();
            }
            events.iter().for_each(|event| {
                heard.hear(at(0.0), event);
            });
            assert!(heard.run(1).flags.contains(&Flag::Forged), "{tag}");
        }
    }
}

#[test]
fn an_event_of_somebody_elses_is_no_piece_of_a_tag() {
    for (tag, pairs) in [
        ("new", vec![("jid", text(&jid(1)))]),
        ("new", vec![("fun", text("cmd.run"))]),
        ("shop/new", vec![("jid", text(&jid(1))), ("fun", text("cmd.run"))]),
        ("web1", vec![("jid", text(&jid(1))), ("fun", text("cmd.run")), ("id", text("web1"))]),
    ] {
        let mut heard = heard();
        assert_eq!(heard.hear(at(0.0), &frame(tag, &map(pairs))), 0, "{tag}");
    }
}

/// `publish.publish`: on the bus it is root's.
#[test]
fn a_job_that_a_minion_had_published_is_that_minions() {
    let by_root = || Job { user: "root", ..job(1) };
    let load = |kwargs: Vec<(&str, Value<'static>)>| {
        kept(&map(vec![
            ("cmd", text("publish")),
            ("jid", text(&jid(1))),
            ("fun", text("cmd.run")),
            ("arg", list(&["uptime"])),
            ("tgt", text("*")),
            ("tgt_type", text("glob")),
            ("ret", text("")),
            ("kwargs", map(kwargs)),
            ("user", text("root")),
        ]))
    };
    for (kwargs, wanted) in [
        (vec![("id", text("web2"))], "minion web2"),
        // Whoever may use the API can add what they like.
        (vec![("id", text("web2")), ("client", text("local"))], "root"),
        (vec![], "root"),
    ] {
        let mut heard = heard();
        heard.hear(at(0.0), &by_root().frame());
        heard.find(0.1, 1, &load(kwargs));
        assert_eq!(heard.run(1).head.user.as_deref(), Some(wanted));
    }
    let mut heard = heard();
    heard.hear(at(0.0), &job(1).frame());
    heard.find(0.1, 1, &load(vec![("id", text("web2"))]));
    assert_eq!(heard.run(1).head.user.as_deref(), Some("alice"));
}
