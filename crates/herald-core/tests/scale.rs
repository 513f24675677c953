//! Many at once: open runs, minions in one job. What one event costs must not grow with them.
//!
//! Costs are compared with one another in the same process, never with a clock on the wall.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use herald_core::run::RunStatus;
use salt_event::event::decode;
use support::{Job, at, list, ret, start, text};

/// As much as there is time for: everywhere, or where `HERALD_LONG` is set.
fn portion(short: usize, long: usize) -> usize {
    let is_long = |long: std::ffi::OsString| !long.is_empty() && long != "0";
    if std::env::var_os("HERALD_LONG").is_some_and(is_long) { long } else { short }
}

fn ledger() -> Ledger {
    Ledger::restore(
        Settings::default(),
        Redactor::new(Marks::new(&[7; 32])),
        start(),
        Restored::default(),
    )
}

/// As the intake does with each event.
fn take(ledger: &mut Ledger, frame: &[u8]) -> usize {
    while ledger.next_timeout().is_some_and(|due| due <= at(1.0)) {
        ledger.handle_timeout(at(1.0));
    }
    let changes = ledger.handle_event(at(1.0), &decode(frame).unwrap()).len();
    ledger.take_touched();
    changes
}

fn jid(number: usize) -> String {
    format!("2026112212{number:010}")
}

fn opened(number: usize) -> Vec<u8> {
    Job::new(&jid(number), "state.apply", list(&["web"]), &["web1", "web2"]).frame()
}

/// What a job that begins and ends costs; the best of several goes, since others use the machine, too.
fn cost_of_a_job(ledger: &mut Ledger, first: usize) -> Duration {
    let goes = (0..9).map(|go| {
        let jobs = (first + go * 100..).take(100);
        let frames: Vec<Vec<u8>> = jobs
            .flat_map(|n| {
                let back = |minion| ret(&jid(n), minion, "state.apply", text("done"), 0);
                [opened(n), back("web1"), back("web2")]
            })
            .collect();
        let begun = Instant::now();
        let changes: usize = frames.iter().map(|frame| take(ledger, frame)).sum();
        assert!(changes >= 400, "{changes}");
        begun.elapsed() / 300
    });
    goes.min().unwrap()
}

#[test]
fn an_event_costs_the_same_however_many_runs_are_open() {
    let most = portion(20_000, 100_000);
    let mut ledger = ledger();
    let mut open = 0;
    let mut costs = Vec::new();
    for wanted in [10, most / 10, most] {
        while open < wanted {
            take(&mut ledger, &opened(open));
            open += 1;
        }
        let cost = cost_of_a_job(&mut ledger, 1_000_000 * (costs.len() + 1));
        eprintln!("{wanted} runs open: {cost:?} an event");
        costs.push(cost);
    }
    assert_eq!(ledger.runs().filter(|run| run.status == RunStatus::Running).count(), most);
    let (few, many) = (costs[0], costs[2]);
    assert!(many < few * 5, "{costs:?}");
}

fn publication(number: usize, names: &[String]) -> Vec<u8> {
    let mut job = Job::new(&jid(number), "state.apply", list(&["web"]), &[]);
    job.minions = names.to_vec();
    job.frame()
}

/// What one of these minions' returns costs; the best of several goes.
fn cost_of_a_return(ledger: &mut Ledger, number: usize, names: &[String]) -> Duration {
    let back = |name: &String| ret(&jid(number), name, "state.apply", text("done"), 0);
    let goes = names.chunks(100).map(|names| {
        let frames: Vec<Vec<u8>> = names.iter().map(back).collect();
        let begun = Instant::now();
        frames.iter().for_each(|frame| assert!(take(ledger, frame) > 0));
        begun.elapsed() / names.len() as u32
    });
    goes.min().unwrap()
}

#[test]
fn a_return_costs_the_same_however_many_minions_were_asked() {
    let names: Vec<String> = (0..100_000).map(|n| format!("web{n:06}.example.org")).collect();
    let mut ledger = ledger();
    take(&mut ledger, &publication(1, &names));
    take(&mut ledger, &publication(2, &names[..500]));
    let few = cost_of_a_return(&mut ledger, 2, &names[..500]);
    let answering = portion(10_000, 100_000);
    let many = cost_of_a_return(&mut ledger, 1, &names[..answering]);
    eprintln!("of 500: {few:?} a return, of 100000: {many:?}");
    let run = ledger.runs().find(|run| run.jids == [jid(1)]).unwrap();
    assert_eq!(run.tally.expected.len(), 100_000);
    assert_eq!(run.tally.returned.len(), answering as u64);
    assert_eq!(run.status == RunStatus::Succeeded, answering == 100_000, "{:?}", run.status);
    assert!(many < few * 5, "{few:?} {many:?}");
}
