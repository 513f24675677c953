//! Making the query tables again from the entries and their contents, which are the truth.

use std::path::Path;

use herald_core::change::Change;
use herald_core::digest::Digest;
use herald_core::entry::{Contents, EntryError, decode};
use rusqlite::{Connection, OptionalExtension};

use super::fold::Fold;
use super::open::Journal;
use super::payloads;
use super::write::{Inserter, reading, writing};
use crate::store::StoreError;

/// The tables that are made from entries.
const TABLES: &[&str] = &[
    "minion",
    "run",
    "job",
    "return",
    "failure",
    "gap",
    "backfill",
    "backfilled",
    "cut",
    "unsaid",
    "key_event",
    "suspect",
    "seal",
    "scrub",
    "scrubbed",
];

struct Payloads<'a>(&'a Connection);

impl Contents for Payloads<'_> {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        payloads::bytes_of(self.0, digest).ok().flatten()
    }
}

fn read(source: &Connection, number: i64, bytes: &[u8]) -> Result<Change, StoreError> {
    let damaged =
        |error: EntryError| StoreError::Damaged { what: format!("entry {number}: {error}") };
    decode(bytes, &mut Payloads(source)).map(|(_, change)| change).map_err(damaged)
}

impl Journal {
    /// Makes the query tables again. All or nothing.
    ///
    /// # Errors
    /// When an entry can't be read, or a payload that is needed for it is gone.
    pub fn rebuild(path: &Path) -> Result<(), StoreError> {
        let journal = Self::open(path)?;
        let (connection, lock) = journal.into_parts()?;
        let source = super::open::open_for_reading(path)?.connection;
        let mut inserter = Inserter::new(connection)?;
        inserter.transaction(|insert| {
            for table in TABLES {
                insert.clear(table).map_err(writing)?;
            }
            let sql =
                "SELECT number, bytes FROM entry WHERE kind = 16 ORDER BY number DESC LIMIT 1";
            let cut: Option<(i64, Vec<u8>)> = source
                .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(reading)?;
            let cut = cut
                .map(|(number, bytes)| Ok((number as u64, read(&source, number, &bytes)?)))
                .transpose()?;
            let after = cut.as_ref().map_or(0, |(_, change)| last_that_went(change));
            let mut fold =
                Fold::begin(cut.as_ref().map(|(number, change)| (*number, change)), insert)?;
            let mut entries = source
                .prepare("SELECT number, bytes FROM entry WHERE number > ?1 ORDER BY number")
                .map_err(reading)?;
            let mut rows = entries.query([after as i64]).map_err(reading)?;
            while let Some(row) = rows.next().map_err(reading)? {
                let number: i64 = row.get(0).map_err(reading)?;
                let bytes: Vec<u8> = row.get(1).map_err(reading)?;
                fold.take(number as u64, &read(&source, number, &bytes)?, insert)?;
            }
            fold.end(insert)
        })?;
        drop(lock);
        Ok(())
    }
}

/// The last entry that a cut took out; 0 where that is none.
pub(super) fn last_that_went(change: &Change) -> u64 {
    match &change.what {
        herald_core::change::What::Cut(cut) => cut.last,
        _ => 0,
    }
}
