//! What the ledger keeps: open runs, and a bounded number of those that ended.

use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use jiff::Timestamp;

use crate::bus::{Framing, frame};
use crate::events::{jid, scheduled};

#[test]
fn ended_runs_are_forgotten_though_nothing_is_ever_given_up() {
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let mut ledger = Ledger::restore(
        Settings::default(),
        Redactor::new(Marks::new(&[7; 32])),
        now,
        Restored::default(),
    );
    for n in 0..3000 {
        let frame = frame(Framing::Bare, &scheduled(&jid(n), "web1", "test.version", false));
        let event = salt_event::event::decode(&frame).unwrap();
        assert!(!ledger.handle_event(now, &event).is_empty());
        // As the daemon does, not after each event.
        if n % 100 == 0 {
            ledger.take_touched();
        }
    }
    assert_eq!(ledger.next_timeout(), None, "all are over");
    let kept = ledger.runs().count();
    assert!(kept < 700, "{kept} runs are kept");
}
