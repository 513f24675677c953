//! The clock is put an hour forward or back while runs are open: nobody is given up for that, and
//! nobody is waited for longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use herald_core::run::RunStatus;
use jiff::{SignedDuration, Timestamp};
use salt_event::event::decode;
use support::{Job, at, jid, list, poll, ret, start, text};

fn ledger() -> Ledger {
    Ledger::restore(
        Settings::default(),
        Redactor::new(Marks::new(&[7; 32])),
        start(),
        Restored::default(),
    )
}

fn take(ledger: &mut Ledger, now: Timestamp, frame: &[u8]) {
    ledger.handle_event(now, &decode(frame).unwrap());
}

fn status(ledger: &Ledger) -> RunStatus {
    ledger.runs().next().unwrap().status
}

fn opened() -> Ledger {
    let mut ledger = ledger();
    let job = Job::new(&jid(1), "state.apply", list(&["web"]), &["web1", "web2"]);
    take(&mut ledger, at(0.0), &job.frame());
    ledger
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[test]
fn nobody_is_given_up_because_the_clock_was_put_forward() {
    let mut ledger = opened();
    ledger.put_clock(HOUR);
    let now = at(3_610.0);
    assert!(ledger.next_timeout().unwrap() > now);
    ledger.handle_timeout(now);
    assert_eq!(status(&ledger), RunStatus::Running);
    take(&mut ledger, now, &ret(&jid(1), "web1", "state.apply", text("done"), 0));
    take(&mut ledger, now, &ret(&jid(1), "web2", "state.apply", text("done"), 0));
    assert_eq!(status(&ledger), RunStatus::Succeeded);
}

#[test]
fn nobody_is_waited_for_longer_because_the_clock_was_put_back() {
    let mut ledger = opened();
    ledger.put_clock(-HOUR);
    let due = ledger.next_timeout().unwrap();
    assert_eq!(due, at(300.0) - HOUR);
    ledger.handle_timeout(due);
    assert_eq!(status(&ledger), RunStatus::Incomplete);
}

/// A run is waited for twice as long as its slowest return took: not twice the hour.
#[test]
fn a_return_did_not_take_the_hour_by_which_the_clock_was_put() {
    for step in [HOUR, -HOUR] {
        let mut ledger = opened();
        ledger.put_clock(step);
        let now = at(10.0) + step;
        take(&mut ledger, now, &ret(&jid(1), "web1", "state.apply", text("done"), 0));
        assert_eq!(ledger.next_timeout().unwrap(), at(310.0) + step, "{step:?}");
    }
}

#[test]
fn a_poll_under_way_is_concluded_in_its_time() {
    for step in [HOUR, -HOUR] {
        let mut ledger = opened();
        take(&mut ledger, at(5.0), &poll(&jid(2), &jid(1), &["web1", "web2"]));
        let due = ledger.next_timeout().unwrap();
        ledger.put_clock(step);
        assert_eq!(ledger.next_timeout().unwrap(), due + step);
    }
}
