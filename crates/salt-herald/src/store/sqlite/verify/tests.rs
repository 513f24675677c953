//! What is whole is found whole: all recorded buses, with runs that are put away and taken up again.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::{Journal, JournalReader};

const ALL: Manner = Manner { threads: 2, chain_only: false };

/// A journal of all buses that were recorded.
fn journal() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let buses = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses");
    let mut buses: Vec<PathBuf> =
        std::fs::read_dir(buses).unwrap().map(|file| file.unwrap().path()).collect();
    buses.sort();
    buses.retain(|file| file.extension().is_some_and(|kind| kind == "bus"));
    assert!(buses.len() > 10);
    for bus in buses {
        crate::daemon::replay(&bus, &path).unwrap();
    }
    (folder, path)
}

fn refuse_findings(report: &Report) {
    assert!(report.is_whole(), "{:#?}", report.findings);
}

#[test]
fn what_real_masters_said_is_whole_before_and_after_it_is_made_again() {
    let (_folder, path) = journal();
    let before = verify(&path, ALL, &Witness::default()).unwrap();
    refuse_findings(&before);
    assert!(before.rows.unwrap() > 1000 && before.contents.payloads > 500, "{before:?}");
    assert_eq!(before.contents.expired, 0);
    assert_eq!(before.first, 1);
    let last = JournalReader::open(&path).unwrap().last_entry().unwrap();
    assert_eq!(before.last, last);
    Journal::rebuild(&path).unwrap();
    assert_eq!(verify(&path, ALL, &Witness::default()).unwrap(), before);
    assert_eq!(verify(&path, Manner { threads: 7, ..ALL }, &Witness::default()).unwrap(), before);
}

#[test]
fn it_is_verified_while_it_is_written() {
    let (_folder, path) = journal();
    let writer = Journal::open(&path).unwrap().into_writer().unwrap();
    let before = verify(&path, ALL, &Witness::default()).unwrap().last;
    let batch = crate::store::Batch {
        changes: (0..100).map(super::super::tests::opened).collect(),
        ..Default::default()
    };
    writer.record(batch).unwrap();
    writer.note("tried", 1).unwrap();
    writer.close();
    // Its end stands in a WAL that nobody has merged.
    let keeper = Connection::open(&path).unwrap();
    keeper.execute("UPDATE meta SET value = 2 WHERE key = 'tried'", []).unwrap();
    let after = verify(&path, ALL, &Witness::default()).unwrap();
    refuse_findings(&after);
    assert_eq!(after.last, before + 100);
}
