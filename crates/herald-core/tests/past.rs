//! What the ledger makes of the past: a job cache's events after a time in which it was blind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use herald_core::announce::Announcement;
use herald_core::backfill::{Added, Counter};
use herald_core::change::What;
use herald_core::compose::{Context, announce};
use herald_core::ledger::Settings;
use herald_core::names::AS_THEY_ARE;
use herald_core::run::{Flag, Run, RunKind, RunStatus};
use jiff::Timestamp;
use proptest::prelude::*;
use salt_event::Value;
use salt_event::event::Event;
use salt_event::job_cache::{Load, behind};
use salt_event::msgpack::Reader;
use support::journal::folded;
use support::{
    Heard, Job, answer, at, frame, jid, list, map, names, poll, ret_with, start, state, states,
    text,
};

/// Every gap was read whole.
const WHOLE: Option<Timestamp> = Some(Timestamp::MIN);

/// Something that happened, as the bus tells it and as the cache does.
#[derive(Debug, Clone)]
enum Deed {
    Begins(Act),
    /// A syndic passes up who is asked on its master.
    PassedOn(Act),
    Returns(Act, &'static str, u8),
}

#[derive(Debug, Clone)]
struct Act {
    jid: String,
    fun: &'static str,
    arg: Vec<&'static str>,
    tgt: Vec<&'static str>,
    minions: Vec<&'static str>,
    /// Asked by the syndic `lower`, which is asked here.
    below: Vec<&'static str>,
}

fn act(seconds: u32, fun: &'static str, minions: &[&'static str]) -> Act {
    Act {
        jid: jid(seconds * 1000),
        fun,
        arg: vec!["web"],
        tgt: Vec::new(),
        minions: minions.to_vec(),
        below: Vec::new(),
    }
}

/// When a job of [`act`] begins.
fn began(seconds: u32) -> f64 {
    f64::from(seconds) + f64::from(seconds) / 1000.0
}

fn returned(kind: u8) -> (Value<'static>, i64) {
    match kind % 3 {
        0 => (states(vec![state("motd", Some(true), false, "as it was")]), 0),
        1 => (states(vec![state("motd", Some(true), true, "changed")]), 0),
        _ => (states(vec![state("bad", Some(false), false, "is full")]), 2),
    }
}

impl Act {
    fn tgt(&self) -> (Value<'static>, &'static str) {
        if self.tgt.is_empty() { (text("*"), "glob") } else { (list(&self.tgt), "list") }
    }

    fn job(&self) -> Job {
        let mut job = Job::new(&self.jid, self.fun, list(&self.arg), &self.minions);
        (job.tgt, job.tgt_type) = self.tgt();
        job
    }

    fn load(&self) -> Vec<u8> {
        let (tgt, tgt_type) = self.tgt();
        map(vec![
            ("cmd", text("publish")),
            ("jid", text(&self.jid)),
            ("fun", text(self.fun)),
            ("arg", list(&self.arg)),
            ("tgt", tgt),
            ("tgt_type", text(tgt_type)),
            ("ret", text("")),
            ("user", text("alice")),
        ])
        .to_bytes()
    }
}

impl Deed {
    fn frame(&self) -> Vec<u8> {
        match self {
            Deed::Begins(act) => act.job().frame(),
            Deed::PassedOn(act) => {
                let data = map(vec![("minions", list(&act.below))]);
                frame(&format!("syndic/lower/{}", act.jid), &data)
            }
            Deed::Returns(act, minion, kind) if act.below.contains(minion) => {
                passed_up(act, minion, *kind)
            }
            Deed::Returns(act, minion, kind) => {
                let (value, code) = returned(*kind);
                let more = vec![("user", text("alice")), ("fun_args", list(&act.arg))];
                ret_with(&act.jid, minion, act.fun, value, code, more)
            }
        }
    }
}

/// A return as the master makes it again of what a syndic gave it.
fn passed_up(act: &Act, minion: &str, kind: u8) -> Vec<u8> {
    let (value, code) = returned(kind);
    let data = map(vec![
        ("jid", text(&act.jid)),
        ("id", text(minion)),
        ("return", value),
        ("retcode", Value::Int(code)),
        ("success", Value::Bool(code == 0)),
        ("fun_args", list(&act.arg)),
        ("fun", text(act.fun)),
    ]);
    frame(&format!("salt/job/{}/ret/{minion}", act.jid), &data)
}

/// Hands one deed to the ledger as the cache tells it.
fn recall(heard: &mut Heard, now: Timestamp, deed: &Deed) -> usize {
    let (Deed::Begins(act) | Deed::PassedOn(act) | Deed::Returns(act, ..)) = deed;
    let load = act.load();
    let load = Load::read(&load).unwrap().unwrap();
    let minions = list(&act.minions).to_bytes();
    let minions = Reader::new(&minions).raw().unwrap();
    let none = list(&[]).to_bytes();
    match deed {
        Deed::Begins(_) => {
            let none = Reader::new(&none).raw().unwrap();
            let begun = hear_past(heard, now, &load.beginning(minions, none).unwrap());
            if act.below.is_empty() {
                return begun;
            }
            let below = list(&act.below).to_bytes();
            let below = Reader::new(&below).raw().unwrap();
            begun + hear_past(heard, now, &behind("lower", &act.jid, below))
        }
        // The cache has it beside the beginning, and no time of it.
        Deed::PassedOn(_) => 0,
        Deed::Returns(_, minion, kind) => {
            let (value, code) = returned(*kind);
            let kept = map(vec![("return", value), ("retcode", Value::Int(code))]).to_bytes();
            hear_past(heard, now, &load.returned(minion, &kept).unwrap().unwrap())
        }
    }
}

fn hear_past(heard: &mut Heard, now: Timestamp, event: &Event<'_>) -> usize {
    heard.adopt(now, event);
    let changes = heard.ledger.handle_past_event(now, now, event);
    heard.take(changes)
}

fn gap(heard: &mut Heard, now: Timestamp) {
    heard.wait(now);
    let changes = heard.ledger.handle_gap(now);
    heard.take(changes);
}

fn back_fill(heard: &mut Heard, deeds: &[(f64, Deed)], now: Timestamp) {
    heard.ledger.begin_past(true);
    for (when, deed) in deeds {
        recall(heard, at(*when), deed);
    }
    let changes = heard.ledger.end_past(now, WHOLE);
    heard.take(changes);
}

/// A run without what a gap may change: its number, those of minions, and flags.
fn told(heard: &Heard, run: &Run) -> String {
    let minions = heard.ledger.minions();
    let sets = [
        &run.tally.expected,
        &run.tally.returned,
        &run.tally.failed,
        &run.tally.changed,
        &run.tally.silent,
    ];
    let sets = sets.map(|set| names(minions, set));
    // That it came through a syndic is only said where a return told of the run first.
    let flags: BTreeSet<Flag> = run
        .flags
        .iter()
        .copied()
        .filter(|flag| {
            !matches!(
                flag,
                Flag::Backfilled | Flag::Mended | Flag::Gap | Flag::LateReturn | Flag::Syndic
            )
        })
        .collect();
    let finished = run.finished_at.filter(|_| run.tally.silent.is_empty());
    format!("{:?} {} {finished:?} {:?} {sets:?} {flags:?}", run.head, run.started_at, run.status)
}

fn all(heard: &Heard) -> BTreeMap<Vec<String>, String> {
    let journal = folded(heard);
    journal.runs.values().map(|run| (run.jids.clone(), told(heard, run))).collect()
}

#[test]
fn a_run_that_only_the_past_tells_of_is_whole_and_says_so() {
    let act = act(10, "state.apply", &["web1", "web2"]);
    let mut heard = Heard::default();
    gap(&mut heard, at(100.0));
    let deeds = [
        (began(10), Deed::Begins(act.clone())),
        (12.0, Deed::Returns(act.clone(), "web1", 0)),
        (14.0, Deed::Returns(act, "web2", 2)),
    ];
    back_fill(&mut heard, &deeds, at(101.0));
    let run = heard.run(1);
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!((run.started_at, run.finished_at), (at(began(10)), Some(at(14.0))));
    assert_eq!(run.flags, BTreeSet::from([Flag::Backfilled]));
    assert_eq!(run.head.command, "salt '*' state.apply web");
    let mut counter = Counter::new([at(13.0), at(100.0)]);
    counter.take(&heard.changes);
    let added: Vec<Added> = counter.added().collect();
    let [first, second] =
        [(1, 1), (0, 1)].map(|(runs, returns)| Added { runs, returns, completed: 0 });
    assert_eq!(added, [first, second]);
}

#[test]
fn what_is_known_makes_no_entry() {
    let act = act(1, "state.apply", &["web1", "web2"]);
    let deeds = [
        (began(1), Deed::Begins(act.clone())),
        (2.0, Deed::Returns(act.clone(), "web1", 0)),
        (3.0, Deed::Returns(act, "web2", 1)),
    ];
    let mut heard = Heard::default();
    for (when, deed) in &deeds {
        heard.hear(at(*when), &deed.frame());
    }
    let before = heard.changes.len();
    gap(&mut heard, at(10.0));
    back_fill(&mut heard, &deeds, at(20.0));
    assert_eq!(heard.changes.len(), before);
    assert_eq!(heard.run(1).flags, BTreeSet::new());
}

#[test]
fn a_run_that_ended_in_the_gap_is_completed_at_its_time() {
    let act = act(1, "state.apply", &["web1", "web2"]);
    let returns = |minion| Deed::Returns(act.clone(), minion, 1);
    let mut heard = Heard::default();
    heard.hear(at(began(1)), &Deed::Begins(act.clone()).frame());
    heard.hear(at(2.0), &returns("web1").frame());
    gap(&mut heard, at(100.0));
    let deeds = [(2.0, returns("web1")), (50.0, returns("web2"))];
    back_fill(&mut heard, &deeds, at(101.0));
    let run = heard.run(1);
    assert_eq!((run.status, run.finished_at), (RunStatus::Succeeded, Some(at(50.0))));
    assert!(run.flags.contains(&Flag::Backfilled));
}

#[test]
fn who_never_answered_in_the_past_was_given_up_then() {
    let act = act(10, "state.apply", &["web1", "web2"]);
    let mut heard = Heard::default();
    gap(&mut heard, at(3000.0));
    heard.ledger.begin_past(true);
    recall(&mut heard, at(began(10)), &Deed::Begins(act.clone()));
    recall(&mut heard, at(20.0), &Deed::Returns(act, "web1", 0));
    // The live clock has no say in it.
    heard.wait(at(3000.0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    let changes = heard.ledger.end_past(at(3000.0), WHOLE);
    heard.take(changes);
    assert_eq!(heard.run(1).finished_at, Some(at(320.0)));
    assert_eq!(heard.run(1).status, RunStatus::Incomplete);
}

#[test]
fn what_is_found_whole_is_not_called_half_seen() {
    let act = act(1, "state.apply", &["web1", "web2"]);
    for whole in [false, true] {
        let mut heard = Heard::default();
        heard.hear(at(began(1)), &Deed::Begins(act.clone()).frame());
        gap(&mut heard, at(10.0));
        heard.ledger.begin_past(true);
        let changes = heard.ledger.end_past(at(11.0), whole.then_some(Timestamp::MIN));
        heard.take(changes);
        let said = announcement(&heard, heard.run(1)).tally;
        assert_eq!(said.contains("not seen in full"), !whole, "{said}");
    }
}

fn announcement(heard: &Heard, run: &Run) -> Announcement {
    let context = Context { master: None, minions: heard.ledger.minions(), names: &AS_THEY_ARE };
    announce(run, &[], context)
}

#[test]
fn what_runs_still_goes_on() {
    let act = act(90, "state.apply", &["web1"]);
    let mut heard = Heard::default();
    gap(&mut heard, at(100.0));
    back_fill(&mut heard, &[(began(90), Deed::Begins(act.clone()))], at(101.0));
    assert_eq!(heard.run(1).status, RunStatus::Running);
    heard.hear(at(120.0), &Deed::Returns(act, "web1", 0).frame());
    assert_eq!(heard.run(1).status, RunStatus::Succeeded);
    assert_eq!(heard.runs().len(), 1);
}

#[test]
fn a_start_that_was_not_seen_is_learned() {
    let act = act(10, "state.apply", &["web1", "web2"]);
    let mut heard = Heard::default();
    gap(&mut heard, at(100.0));
    heard.hear(at(101.0), &Deed::Returns(act.clone(), "web1", 0).frame());
    assert!(heard.run(1).flags.contains(&Flag::NoStart));
    let deeds = [(began(10), Deed::Begins(act.clone())), (101.0, Deed::Returns(act, "web1", 0))];
    back_fill(&mut heard, &deeds, at(102.0));
    let run = heard.run(1);
    assert_eq!(run.head.command, "salt '*' state.apply web");
    assert_eq!(run.flags, BTreeSet::from([Flag::Backfilled]));
    assert_eq!(names(heard.ledger.minions(), &run.tally.waiting()), "web2");
    assert_eq!(heard.runs().len(), 1);
}

#[test]
fn a_run_whose_start_is_learned_ends_with_its_last_return() {
    let act = act(10, "state.apply", &["web1"]);
    let returns = Deed::Returns(act.clone(), "web1", 0);
    for is_killed in [false, true] {
        let mut heard = Heard::default();
        gap(&mut heard, at(100.0));
        heard.hear(at(101.0), &returns.frame());
        if is_killed {
            heard = heard.restart(Settings::default(), at(102.0));
        }
        let deeds = [(began(10), Deed::Begins(act.clone())), (101.0, returns.clone())];
        back_fill(&mut heard, &deeds, at(103.0));
        let run = heard.run(1);
        assert_eq!((run.started_at, run.finished_at), (at(began(10)), Some(at(101.0))));
    }
}

#[test]
fn who_passed_a_job_on_is_not_waited_for_again() {
    let mut act = act(1, "state.apply", &["lower", "web1"]);
    act.below = vec!["low1"];
    let deeds = [
        (began(1), Deed::Begins(act.clone())),
        (1.1, Deed::PassedOn(act.clone())),
        (2.0, Deed::Returns(act.clone(), "web1", 0)),
        (3.0, Deed::Returns(act, "low1", 0)),
    ];
    for is_killed in [false, true] {
        let mut heard = Heard::with(above(), Default::default(), start());
        for (when, deed) in &deeds {
            heard.hear(at(*when), &deed.frame());
        }
        heard.wait(at(50.0));
        if is_killed {
            heard = heard.restart(above(), at(90.0));
        }
        let before = heard.changes.len();
        gap(&mut heard, at(100.0));
        back_fill(&mut heard, &deeds, at(101.0));
        assert_eq!(heard.changes.len(), before);
    }
}

#[test]
fn a_poll_of_the_past_does_not_end_what_is_heard_now() {
    let act = act(10, "state.apply", &["web1"]);
    let mut heard = Heard::default();
    heard.hear(at(began(10)), &Deed::Begins(act.clone()).frame());
    gap(&mut heard, at(100.0));
    heard.hear(at(101.0), &poll(&jid(101_000), &act.jid, &["web1"]));
    heard.hear(at(101.5), &answer(&jid(101_000), &act.jid, "web1", true));
    let asked = act_of_poll(&act);
    heard.ledger.begin_past(true);
    recall(&mut heard, at(50.0), &Deed::Begins(asked));
    let changes = heard.ledger.end_past(at(102.0), WHOLE);
    heard.take(changes);
    heard.wait(at(200.0));
    assert_eq!(heard.run(1).status, RunStatus::Running, "it said that it works");
}

fn act_of_poll(of: &Act) -> Act {
    Act {
        jid: jid(50_000),
        fun: "saltutil.find_job",
        arg: vec![Box::leak(of.jid.clone().into_boxed_str())],
        tgt: of.minions.clone(),
        minions: of.minions.clone(),
        below: Vec::new(),
    }
}

#[test]
fn a_batch_whose_slices_fell_into_the_gap_is_one_run() {
    let gather = Act { arg: vec![], ..act(1, "test.ping", &["a", "b", "c", "d"]) };
    let slice = |seconds, minions: &[&'static str]| Act {
        tgt: minions.to_vec(),
        ..act(seconds, "state.apply", minions)
    };
    let slices = [slice(3, &["a"]), slice(6, &["b"]), slice(9, &["c"]), slice(12, &["d"])];
    let mut deeds = vec![(began(1), Deed::Begins(gather.clone()))];
    for minion in ["a", "b", "c", "d"] {
        deeds.push((1.5, Deed::Returns(gather.clone(), minion, 0)));
    }
    for (place, slice) in slices.iter().enumerate() {
        let seconds = 3 * (place as u32 + 1);
        deeds.push((began(seconds), Deed::Begins(slice.clone())));
        deeds.push((f64::from(seconds) + 2.0, Deed::Returns(slice.clone(), slice.minions[0], 1)));
    }
    let mut heard = Heard::default();
    // Blind from the second slice to the third.
    for (when, deed) in deeds.iter().filter(|(when, _)| *when < 6.0) {
        heard.hear(at(*when), &deed.frame());
    }
    gap(&mut heard, at(11.5));
    let (past, rest): (Vec<_>, Vec<_>) = deeds.into_iter().partition(|(when, _)| *when < 11.5);
    back_fill(&mut heard, &past, at(11.9));
    for (when, deed) in &rest {
        heard.hear(at(*when), &deed.frame());
    }
    let runs: Vec<RunKind> = heard.runs().iter().map(|run| run.head.kind).collect();
    assert_eq!(runs, [RunKind::Command, RunKind::Batch]);
    let run = heard.run(2);
    assert_eq!((run.jobs.len(), run.status), (4, RunStatus::Succeeded));
}

#[test]
fn past_and_present_infer_nothing_of_each_other() {
    // A `test.ping` of now must not make a batch of a list job of then.
    let then = Act { tgt: vec!["a"], ..act(5, "state.apply", &["a"]) };
    let mut heard = Heard::default();
    gap(&mut heard, at(10.0));
    let ping = Act { arg: vec![], ..act(11, "test.ping", &["a", "b"]) };
    heard.hear(at(11.0), &Deed::Begins(ping.clone()).frame());
    heard.hear(at(11.1), &Deed::Returns(ping.clone(), "a", 0).frame());
    back_fill(&mut heard, &[(began(5), Deed::Begins(then))], at(11.2));
    let slice = Act { tgt: vec!["b"], ..act(12, "state.apply", &["b"]) };
    heard.hear(at(12.0), &Deed::Begins(slice).frame());
    assert!(heard.runs().iter().all(|run| run.head.kind != RunKind::Batch));
}

const SECRET: &str = "correct-horse-9";
const WITH_SECRET: &str = "mysql --password='correct-horse-9' shop";

/// A job of `cmd.run`, as [`act`] makes one.
fn command(seconds: u32, line: &'static str) -> Act {
    Act { arg: vec![line], ..act(seconds, "cmd.run", &["web1"]) }
}

/// Hands over what a minion returned of a job, by the cache.
fn recall_return(heard: &mut Heard, now: Timestamp, act: &Act, shown: &str) {
    let load = act.load();
    let load = Load::read(&load).unwrap().unwrap();
    let kept = map(vec![("return", text(shown)), ("retcode", Value::Int(0))]).to_bytes();
    hear_past(heard, now, &load.returned("web1", &kept).unwrap().unwrap());
}

fn shows(heard: &Heard, what: &str) -> bool {
    let is_in = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(what);
    heard.payloads.values().any(|(_, bytes)| is_in(bytes))
        || format!("{:?}", heard.changes).contains(what)
}

#[test]
fn secrets_of_the_past_are_hidden() {
    let act = command(1, WITH_SECRET);
    let mut heard = Heard::default();
    recall(&mut heard, at(began(1)), &Deed::Begins(act.clone()));
    recall_return(&mut heard, at(2.0), &act, "used correct-horse-9");
    assert!(!shows(&heard, SECRET));
}

#[test]
fn the_load_of_what_is_open_over_a_restart_tells_what_is_secret_in_it() {
    let open = command(1, WITH_SECRET);
    let mut heard = Heard::default();
    heard.hear(at(began(1)), &Deed::Begins(open.clone()).frame());
    let mut heard = heard.restart(Settings::default(), at(50.0));
    gap(&mut heard, at(51.0));
    heard.ledger.begin_past(true);
    recall(&mut heard, at(began(1)), &Deed::Begins(open.clone()));
    // Another job shows it, then and now.
    let other = command(2, "ps aux");
    recall(&mut heard, at(began(2)), &Deed::Begins(other.clone()));
    recall_return(&mut heard, at(3.0), &other, "mysqld correct-horse-9 shop");
    let changes = heard.ledger.end_past(at(52.0), WHOLE);
    heard.take(changes);
    let live = command(53, "ps aux");
    heard.hear(at(began(53)), &Deed::Begins(live.clone()).frame());
    let shown = text("mysqld correct-horse-9 shop");
    heard.hear(at(54.0), &support::ret(&live.jid, "web1", "cmd.run", shown, 0));
    assert!(!shows(&heard, SECRET));
    assert!(shows(&heard, &format!("mysqld {} shop", support::mark(SECRET))));
}

#[test]
fn the_load_of_a_batch_that_is_open_over_a_restart_tells_what_is_secret_in_it() {
    let open = command(1, WITH_SECRET);
    let state = map(vec![
        ("jid", text(&open.jid)),
        ("fun", text("cmd.run")),
        ("arg", list(&open.arg)),
        ("tgt", text("*")),
        ("tgt_type", text("glob")),
        ("user", text("alice")),
        ("minions", list(&["web1", "web2"])),
        ("all_minions", list(&["web1", "web2"])),
        ("batch_size", Value::Int(1)),
    ]);
    let mut heard = Heard::default();
    heard.hear(at(1.0), &frame(&format!("salt/batch/{}/new", open.jid), &state));
    let mut heard = heard.restart(Settings::default(), at(50.0));
    gap(&mut heard, at(51.0));
    heard.ledger.begin_past(true);
    let (load, state) = (open.load(), state.to_bytes());
    let load = Load::read(&load).unwrap().unwrap();
    let state = Reader::new(&state).raw().unwrap();
    hear_past(&mut heard, at(began(1)), &load.batch(state).unwrap());
    let other = command(2, "ps aux");
    recall(&mut heard, at(began(2)), &Deed::Begins(other.clone()));
    recall_return(&mut heard, at(3.0), &other, "mysqld correct-horse-9 shop");
    assert!(!shows(&heard, SECRET));
}

#[test]
fn the_past_brings_no_conflict() {
    let act = act(1, "state.apply", &["web1"]);
    let mut heard = Heard::default();
    heard.hear(at(began(1)), &Deed::Begins(act.clone()).frame());
    gap(&mut heard, at(5.0));
    let other = Act { fun: "cmd.run", ..act };
    back_fill(&mut heard, &[(began(1), Deed::Begins(other))], at(6.0));
    assert!(
        heard
            .changes
            .iter()
            .all(|change| !matches!(change.what, What::Flagged { flag: Flag::Conflict, .. }))
    );
}

#[test]
fn a_batch_of_the_master_is_known_though_only_its_last_slice_is_kept() {
    let whole = act(1, "state.apply", &["a", "b", "c"]);
    let slice =
        |minion: &'static str| Act { tgt: vec![minion], minions: vec![minion], ..whole.clone() };
    let mut heard = Heard::default();
    let batch = map(vec![
        ("jid", text(&whole.jid)),
        ("fun", text("state.apply")),
        ("arg", list(&["web"])),
        ("tgt", text("*")),
        ("tgt_type", text("glob")),
        ("user", text("alice")),
        ("minions", list(&["a", "b", "c"])),
        ("batch_size", Value::Int(1)),
    ]);
    heard.hear(at(1.0), &frame(&format!("salt/batch/{}/new", whole.jid), &batch));
    for (place, minion) in ["a", "b", "c"].into_iter().enumerate() {
        let when = place as f64 + 1.0;
        heard.hear(at(when), &Deed::Begins(slice(minion)).frame());
        heard.hear(at(when + 0.5), &Deed::Returns(slice(minion), minion, 0).frame());
    }
    let complete = frame(&format!("salt/batch/{}/complete", whole.jid), &batch);
    heard.hear(at(5.0), &complete);
    let before = heard.changes.len();
    gap(&mut heard, at(6.0));
    // The load is only that of the last slice.
    back_fill(&mut heard, &[(began(1), Deed::Begins(slice("c")))], at(7.0));
    assert_eq!(heard.changes.len(), before);
}

const HERE: [&str; 4] = ["web1", "web2", "db1", "db2"];
const BELOW: [&str; 2] = ["low1", "low2"];

/// A job with some minions of this master, and some of one below.
fn some_job() -> impl Strategy<Value = (usize, usize)> {
    (0..=HERE.len(), 0..=BELOW.len()).prop_filter("nobody", |(here, below)| here + below > 0)
}

/// Some jobs, and returns of theirs after them, in the order of time.
fn story() -> impl Strategy<Value = Vec<(f64, Deed)>> {
    let jobs = prop::collection::btree_map(1..50_u32, some_job(), 1..5);
    let returns = prop::collection::vec((0..5_usize, 0..6_usize, any::<u8>(), 1..600_u32), 0..20);
    (jobs, returns).prop_map(|(jobs, returns)| {
        let jobs: Vec<(u32, Act)> = jobs
            .into_iter()
            .map(|(seconds, (here, below))| {
                let mut act = act(seconds, "state.apply", &HERE[..here]);
                act.minions.extend((below > 0).then_some("lower"));
                act.below = BELOW[..below].to_vec();
                (seconds, act)
            })
            .collect();
        let mut deeds = Vec::new();
        for (seconds, act) in &jobs {
            deeds.push((began(*seconds), Deed::Begins(act.clone())));
            if !act.below.is_empty() {
                deeds.push((began(*seconds) + 0.125, Deed::PassedOn(act.clone())));
            }
        }
        let mut seen = BTreeSet::new();
        for (job, minion, kind, after) in returns {
            let (seconds, act) = &jobs[job % jobs.len()];
            let asked = act.minions.iter().filter(|minion| **minion != "lower");
            let asked: Vec<&str> = asked.chain(&act.below).copied().collect();
            let minion = asked[minion % asked.len()];
            if seen.insert((*seconds, minion)) {
                let when = began(*seconds) + f64::from(after) + 0.25;
                deeds.push((when, Deed::Returns(act.clone(), minion, kind)));
            }
        }
        deeds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        deeds
    })
}

fn above() -> Settings {
    Settings { order_masters: true, ..Settings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_gap_that_is_filled_makes_no_difference(
        story in story(),
        from in 0..24_usize,
        length in 0..24_usize,
        late in 0..8_usize,
        is_killed in any::<bool>(),
    ) {
        let mut whole = Heard::with(above(), Default::default(), start());
        for (when, deed) in &story {
            whole.hear(at(*when), &deed.frame());
        }
        let from = from.min(story.len());
        let to = (from + length).min(story.len());
        // How much is heard live again before the past is told.
        let told = (to + late).min(story.len());
        let time = |place: usize| {
            story.get(place).or(story.last()).map_or(0.0, |(when, _)| *when)
        };
        let mut blind = Heard::with(above(), Default::default(), start());
        for (when, deed) in &story[..from] {
            blind.hear(at(*when), &deed.frame());
        }
        if is_killed {
            blind = blind.restart(above(), at(time(to)));
        }
        gap(&mut blind, at(time(to)));
        for (when, deed) in &story[to..told] {
            blind.hear(at(*when), &deed.frame());
        }
        let now = at(time(told.saturating_sub(1)).max(time(to)));
        back_fill(&mut blind, &story[..told], now);
        let before = blind.changes.len();
        back_fill(&mut blind, &story[..told], now);
        prop_assert_eq!(blind.changes.len(), before, "told again it is no news");
        for (when, deed) in &story[told..] {
            blind.hear(at(*when), &deed.frame());
        }
        whole.wait(at(10_000.0));
        blind.wait(at(10_000.0));
        prop_assert_eq!(all(&whole), all(&blind));
    }
}

fn is_said_whole(heard: &Heard) -> bool {
    !announcement(heard, heard.run(1)).tally.contains("not seen in full")
}

#[test]
fn of_two_gaps_of_which_one_was_read_the_other_is_still_missing() {
    let act = act(1, "state.apply", &["web1", "web2", "web3"]);
    let returns = |minion| Deed::Returns(act.clone(), minion, 1);
    let mut heard = Heard::default();
    heard.hear(at(began(1)), &Deed::Begins(act.clone()).frame());
    gap(&mut heard, at(10.0));
    heard.ledger.begin_past(true);
    let changes = heard.ledger.end_past(at(11.0), None);
    heard.take(changes);
    heard.hear(at(20.0), &returns("web1").frame());
    gap(&mut heard, at(30.0));
    heard.ledger.begin_past(true);
    recall(&mut heard, at(25.0), &returns("web2"));
    let changes = heard.ledger.end_past(at(31.0), Some(at(10.0)));
    heard.take(changes);
    assert!(heard.run(1).flags.contains(&Flag::Backfilled));
    assert!(!is_said_whole(&heard));
    // Once somebody could read both.
    let changes = heard.ledger.end_past(at(32.0), WHOLE);
    heard.take(changes);
    assert!(is_said_whole(&heard));
}

#[test]
fn what_was_mended_has_a_hole_again_after_another_gap() {
    let act = act(1, "state.apply", &["web1"]);
    let mut heard = Heard::default();
    heard.hear(at(began(1)), &Deed::Begins(act).frame());
    gap(&mut heard, at(10.0));
    back_fill(&mut heard, &[], at(11.0));
    assert!(is_said_whole(&heard));
    gap(&mut heard, at(20.0));
    assert!(!is_said_whole(&heard));
    let folded = folded(&heard);
    let flags = folded.runs.values().map(|run| run.flags.clone());
    assert_eq!(flags.collect::<Vec<_>>(), [heard.run(1).flags.clone()]);
}

/// An orchestration says which job it publishes next, and then nobody listens.
#[test]
fn what_somebody_asks_for_does_not_take_what_a_gap_is_to_go_on_from() {
    let call = |tag: &str, more: Vec<(&'static str, Value<'static>)>| {
        let mut data = vec![
            ("jid", text(&jid(1000))),
            ("fun", text("runner.state.orchestrate")),
            ("user", text("alice")),
        ];
        data.extend(more);
        frame(&format!("salt/run/{}/{tag}", jid(1000)), &map(data))
    };
    let child = act(3, "state.apply", &["web1"]);
    let mut heard = Heard::default();
    heard.hear(at(1.0), &call("new", vec![("fun_args", list(&["deploy"]))]));
    let step = map(vec![
        ("type", text("state")),
        ("name", text("web")),
        ("tgt", text("*")),
        ("args", map(vec![("tgt_type", text("glob")), ("fun", text("state.apply"))])),
    ]);
    heard.hear(at(2.0), &frame(&format!("salt/run/{}/args", jid(1000)), &step));
    gap(&mut heard, at(10.0));
    heard.ledger.begin_past(false);
    let changes = heard.ledger.end_past(at(11.0), None);
    heard.take(changes);
    back_fill(&mut heard, &[(began(3), Deed::Begins(child))], at(12.0));
    assert_eq!(heard.runs().len(), 1, "{:#?}", heard.runs());
}

#[test]
fn nobody_is_given_up_by_what_is_told_before_its_time() {
    let (slow, early) = (act(10, "state.apply", &["web1"]), act(11, "state.apply", &["web2"]));
    let mut heard = Heard::default();
    gap(&mut heard, at(5_000.0));
    heard.ledger.begin_past(true);
    for act in [&slow, &early] {
        recall(&mut heard, at(11.0), &Deed::Begins(act.clone()));
    }
    let load = early.load();
    let load = Load::read(&load).unwrap().unwrap();
    let kept = map(vec![("return", text("up")), ("retcode", Value::Int(0))]).to_bytes();
    let event = load.returned("web2", &kept).unwrap().unwrap();
    let changes = heard.ledger.handle_past_event(at(4_000.0), at(11.0), &event);
    heard.take(changes);
    recall(&mut heard, at(20.0), &Deed::Returns(slow, "web1", 0));
    let changes = heard.ledger.end_past(at(5_001.0), WHOLE);
    heard.take(changes);
    assert_eq!(heard.run(1).finished_at, Some(at(20.0)));
    assert_eq!(heard.run(1).flags, BTreeSet::from([Flag::Backfilled]));
}
