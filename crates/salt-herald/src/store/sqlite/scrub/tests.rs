//! What was taken out stays known after the entry that says so is taken out itself, and is found again after a kill.

use std::path::{Path, PathBuf};

use herald_core::change::{Change, Storable, What};
use herald_core::minions::MinionSet;
use herald_core::redact::Marks;
use herald_core::run::RunStatus;
use herald_core::verify::{ScrubTold, Witness};
use tempfile::TempDir;

use super::*;
use crate::store::sqlite::cut::{self, Scan};
use crate::store::sqlite::verify::{Manner, verify};

/// It stands in what many states returned.
const SECRET: &str = "Success!";

fn replay(name: &str, path: &Path) {
    let buses = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses");
    crate::daemon::replay(&buses.join(name), path).unwrap();
    end_what_is_open(path);
}

/// What is open is never cut away, and of a bus that was recorded nobody says how it ended.
fn end_what_is_open(path: &Path) {
    let (connection, lock) = Journal::open(path).unwrap().into_parts().unwrap();
    let open: Vec<i64> = {
        let mut select = connection.prepare("SELECT id FROM run WHERE status = 'running'").unwrap();
        let open = select.query_map([], |row| row.get(0)).unwrap();
        open.map(Result::unwrap).collect()
    };
    let mut inserter = Inserter::new(connection).unwrap();
    let ends = open.into_iter().map(|run| {
        let mut payloads = Vec::new();
        let silent = MinionSet::new().named(&mut payloads);
        let run = RunId(run as u64);
        let what = What::RunEnded { run, status: RunStatus::Incomplete, silent };
        Change { at: Timestamp::UNIX_EPOCH, what, payloads }
    });
    inserter
        .transaction(|insert| ends.into_iter().try_for_each(|change| insert.entry(&change)))
        .unwrap();
    drop((inserter, lock));
    Journal::rebuild(path).unwrap();
}

fn scrub(path: &Path) -> Cleaned {
    let sought = Sought::new(SECRET.as_bytes(), &Marks::new(&[7; 32]), []).unwrap();
    let reason = "the password of db1";
    let order = ScrubOrder { sought: &sought, reason, by: "root", sudo: "alice" };
    Journal::open(path).unwrap().scrub(&order).unwrap()
}

/// A journal of two buses, with a secret taken out between them.
fn journal() -> (TempDir, PathBuf, Cleaned) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    replay("3006.bus", &path);
    let cleaned = scrub(&path);
    replay("3007.bus", &path);
    (folder, path, cleaned)
}

/// Cuts the chain as far as that can be, and takes out what stood before.
fn cut(path: &Path) -> i64 {
    let (connection, _lock) = Journal::open(path).unwrap().into_parts().unwrap();
    let mut inserter = Inserter::new(connection).unwrap();
    let last = inserter.last_number();
    let base = cut::base(inserter.connection()).unwrap();
    let mut scan = Scan::new(base, last as i64, i64::MAX, last);
    while scan.step(inserter.connection()).unwrap() {}
    inserter.transaction(|insert| scan.cut(insert).map(|has_cut| assert!(has_cut))).unwrap();
    let base = cut::base(inserter.connection()).unwrap();
    let mut is_done = false;
    while !is_done {
        inserter
            .transaction(|insert| {
                is_done = insert.clear_cut(base)?.is_none();
                Ok(())
            })
            .unwrap();
    }
    base.last
}

fn whole(path: &Path) -> (u64, Vec<ScrubTold>) {
    let manner = Manner { threads: 2, chain_only: false };
    let report = verify(path, manner, &Witness::default()).unwrap();
    assert!(report.is_whole(), "{:#?}", report.findings);
    (report.contents.scrubbed, report.scrubs)
}

#[test]
fn what_is_cut_away_is_said_again_of_contents_that_stay() {
    let (_folder, path, cleaned) = journal();
    assert!(cleaned.is_clean(), "{cleaned:?}");
    let (before, told) = whole(&path);
    assert!(before > 1 && told.len() == 1 && told[0].contents == before, "{told:?}");
    let first = cleaned.entries[0];
    let mut entry = told[0].entry;
    for round in 1..3 {
        let last = cut(&path);
        assert!(last > entry as i64, "the entry went: {last}");
        let (after, again) = whole(&path);
        assert_eq!((after, again.len()), (before, 1), "round {round}");
        entry = again[0].entry;
        let said = ScrubTold { entry, ..told[0].clone() };
        assert_eq!(again, [said]);
        let connection = open_for_reading(&path).unwrap().connection;
        let rows: (i64, i64) = connection
            .query_row("SELECT count(*), max(first) FROM scrub", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(rows, (1, first as i64));
        drop(connection);
        // It opens as any other, and there is something to cut again.
        replay("3008.bus", &path);
    }
}

#[test]
fn what_is_taken_out_is_measured_anew_and_nothing_else_is_touched() {
    let (_folder, path, cleaned) = journal();
    let connection = open_for_reading(&path).unwrap().connection;
    let wrong: i64 = connection
        .query_row(
            "SELECT count(*) FROM payload JOIN used ON payload = id WHERE length(payload.bytes) <> used.bytes",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wrong, 0);
    let changed: i64 =
        connection.query_row("SELECT count(*) FROM scrubbed", [], |row| row.get(0)).unwrap();
    let payloads: u64 = cleaned.found.payloads.values().sum();
    assert_eq!(changed as u64, payloads);
    assert_eq!(cleaned.found.runs.len(), {
        let sql = "SELECT count(*) FROM run WHERE instr(flags, '\"scrubbed\"')";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    });
}
