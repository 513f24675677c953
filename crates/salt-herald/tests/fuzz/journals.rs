//! Journals and exports, mutilated, before `verify`: it never panics, of an export it finds every change, and
//! of a journal every change of what is chained or named.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use herald_core::verify::Witness;
use rusqlite::Connection;
use salt_herald::seal::SealKey;
use salt_herald::store::{Journal, JournalReader, Manner, Span, StoreError, verify};

use crate::chance::{Chance, rounds};
use crate::mutilate::fuzz;

const ALL: Manner = Manner { threads: 2, chain_only: false };

/// A journal of what a real master said, signed for, in one file.
fn journal(folder: &Path) -> PathBuf {
    let buses = concat!(env!("CARGO_MANIFEST_DIR"), "/../salt-event/tests/buses/salt-ssh-3006.bus");
    let (path, copy) = (folder.join("journal.db"), folder.join("copy.db"));
    salt_herald::daemon::replay(Path::new(buses), &path).unwrap();
    let key = SealKey::of_journal(&path).unwrap();
    Journal::open(&path).unwrap().sealed_by(Some(key)).into_writer().unwrap().close();
    JournalReader::open(&path).unwrap().back_up(&copy, true, &mut |_| {}).unwrap();
    copy
}

fn is_whole(path: &Path) -> bool {
    verify(path, ALL, &Witness::default()).is_ok_and(|report| report.is_whole())
}

#[test]
fn any_journal_is_verified_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::fs::read(journal(folder.path())).unwrap();
    let path = folder.path().join("mutilated.db");
    let found = Cell::new(0_u64);
    fuzz("journals", &[seed], |bytes| {
        std::fs::write(&path, bytes).unwrap();
        found.set(found.get() + u64::from(!is_whole(&path)));
    });
    assert!(found.get() > 0, "nothing was found");
}

/// As who knows SQL would: a byte of what is chained, or of contents, is another one.
#[test]
fn no_byte_of_what_is_chained_or_named_can_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(folder.path());
    assert!(is_whole(&path));
    let connection = Connection::open(&path).unwrap();
    let columns = [
        ("entry", "number", "bytes"),
        ("entry", "number", "hash"),
        ("payload", "id", "bytes"),
        ("payload", "id", "digest"),
        ("volatile", "entry", "bytes"),
        ("seal", "entry", "signature"),
    ];
    let mut chance = Chance::new();
    for _ in 0..rounds(60, 3000) {
        let (table, key, column) = columns[chance.index(columns.len())];
        let count: i64 = connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert!(count > 0, "{table} is empty");
        let (row, before): (i64, Vec<u8>) = connection
            .query_row(
                &format!("SELECT {key}, {column} FROM {table} LIMIT 1 OFFSET ?1"),
                [chance.index(count as usize) as i64],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let mut after = before.clone();
        let at = chance.index(after.len());
        after[at] ^= 1 << chance.index(8);
        let update = format!("UPDATE {table} SET {column} = ?2 WHERE {key} = ?1");
        connection.execute(&update, (row, &after)).unwrap();
        assert!(!is_whole(&path), "byte {at} of {column} in {table}, {key} {row}, can be changed");
        connection.execute(&update, (row, &before)).unwrap();
    }
    assert!(is_whole(&path));
}

#[test]
fn any_export_is_verified_and_no_change_passes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    // A part that is short, so that it can be looked through often.
    let until: i64 = Connection::open(&journal)
        .and_then(|it| it.query_row("SELECT at FROM entry WHERE number = 12", [], |row| row.get(0)))
        .unwrap();
    let until = Some(jiff::Timestamp::from_microsecond(until).unwrap());
    let reader = JournalReader::open(&journal).unwrap();
    let mut seed = Vec::new();
    let write = |piece: salt_herald::export::Piece| -> Result<(), StoreError> {
        seed.extend_from_slice(piece.line().as_bytes());
        Ok(())
    };
    reader.export(Span { since: None, until }, write).unwrap();
    for kind in ["payload", "entry", "end"] {
        let start = format!("{{\"type\":\"{kind}\"");
        assert!(seed.split(|byte| *byte == b'\n').any(|line| line.starts_with(start.as_bytes())));
    }
    let path = folder.path().join("mutilated.jsonl");
    let whole = seed.clone();
    eprintln!("{} bytes", seed.len());
    fuzz("exports", &[seed], |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let found = salt_herald::export::verify(&path, &Witness::default());
        let is_whole = found.is_ok_and(|report| report.is_whole());
        assert_eq!(is_whole, bytes == whole, "a change passed");
    });
}
