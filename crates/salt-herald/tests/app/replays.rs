//! Recordings: a replay says nothing new, and what is queried can be made again from what was
//! recorded.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use salt_event::capture::{Captured, Record, write_header, write_record};
use salt_herald::daemon::replay;
use salt_herald::store::Journal;

use crate::bus::{Framing, frame};
use crate::events::Event;
use crate::journal::{MADE, count, dump, verify_chain};

/// A recording of events that all came at once.
pub(crate) fn capture(events: &[&Event]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(&mut out);
    let at = Timestamp::from_second(1_795_000_000).unwrap();
    for event in events {
        let bytes = frame(Framing::Bare, event);
        let what = Captured::Bytes(&bytes);
        write_record(Record { at, what }, &mut out);
    }
    out
}

fn buses() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses");
    let files = std::fs::read_dir(folder).unwrap();
    let mut buses: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "bus"))
        .collect();
    buses.sort();
    assert_eq!(buses.len(), 19, "{buses:?}");
    buses
}

#[test]
fn a_replay_says_nothing_new() {
    for bus in buses() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let first = replay(&bus, &journal).unwrap();
        assert!(first.events > 15 && first.runs > 5, "{bus:?} {first:?}");
        let tables = ["run", "job", "return", "failure", "minion", "payload"];
        let before = tables.map(|table| count(&journal, table));
        let second = replay(&bus, &journal).unwrap();
        assert_eq!(first, second, "{bus:?}");
        assert_eq!(before, tables.map(|table| count(&journal, table)), "{bus:?}");
        verify_chain(&journal);
    }
}

#[test]
fn what_is_queried_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.db");
    for bus in buses() {
        replay(&bus, &journal).unwrap();
    }
    let before: Vec<_> = MADE.iter().map(|table| dump(&journal, table)).collect();
    let entries = verify_chain(&journal);
    Journal::rebuild(&journal).unwrap();
    for (table, before) in MADE.iter().zip(before) {
        // A replay has no job cache to look into, owes nobody a word, and takes nothing out.
        let is_empty = ["backfill", "backfilled", "unsaid", "scrub", "scrubbed"].contains(table);
        assert!(!before.is_empty() || is_empty, "{table}");
        assert_eq!(before.len() as i64, count(&journal, table), "{table}");
        for (before, after) in before.iter().zip(dump(&journal, table)) {
            assert_eq!(*before, after, "{table}");
        }
    }
    assert_eq!(entries, verify_chain(&journal));
}
