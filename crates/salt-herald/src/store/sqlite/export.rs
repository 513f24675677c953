//! The entries of a journal in their order, each behind the contents that it is the first to name, for who
//! writes an export; and the file that it becomes.
//!
//! It is of one moment, whatever is written meanwhile, and takes memory for the names of contents only.

use std::io::{BufWriter, Write};
use std::path::Path;

use herald_core::digest::Digest;
use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::backup::{Part, refuse};
use super::chain::{self, Place};
use super::payloads::bytes_of;
use super::read::JournalReader;
use super::rows;
use super::write::reading;
use crate::export::{Begin, Piece, Told};
use crate::store::{BackupError, StoreError};

/// What came of an export into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The file's length.
    pub bytes: u64,
    /// How many entries it holds.
    pub entries: u64,
    /// The last one, or the one behind which it begins.
    pub last: u64,
    /// Its hash.
    pub hash: Digest,
}

/// Of which time an export is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// From the first entry on that is not older.
    pub since: Option<Timestamp>,
    /// Up to the last entry that is older.
    pub until: Option<Timestamp>,
}

impl JournalReader {
    /// Gives all pieces of an export, in their order.
    ///
    /// # Errors
    /// When the journal can't be read, or `take` fails.
    pub fn export<E: From<StoreError>>(
        &self,
        span: Span,
        mut take: impl FnMut(Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let connection = &self.connection;
        let _moment = connection.unchecked_transaction().map_err(reading)?;
        let (after, upto) = bounds(connection, span)?;
        let Span { since, until } = span;
        let origin = chain::origin(connection)?;
        take(Piece::Begin(Begin { origin, after: after.number, hash: after.hash, since, until }))?;
        let sql = "SELECT number, hash, entry.bytes, volatile.bytes FROM entry \
                   LEFT JOIN volatile ON volatile.entry = number \
                   WHERE number > ?1 AND number <= ?2 ORDER BY number";
        let mut select = connection.prepare(sql).map_err(reading)?;
        let mut found = select.query([after.number as i64, upto]).map_err(reading)?;
        let (mut told, mut last) = (Told::default(), after);
        let (mut entries, mut payloads) = (0, 0);
        while let Some(row) = found.next().map_err(reading)? {
            let (place, bytes, times) = entry(row).map_err(reading)?;
            let lacks = told.take(&bytes, |digest, kind| -> Result<_, E> {
                let Some(bytes) = bytes_of(connection, digest).map_err(reading)? else {
                    return Ok(None);
                };
                payloads += 1;
                take(Piece::Payload { digest, kind, bytes: bytes.clone() })?;
                Ok(Some(bytes))
            })?;
            (entries, last) = (entries + 1, place);
            let Place { number, hash } = place;
            take(Piece::Entry { number, hash, bytes, times, gone: lacks.gone })?;
        }
        take(Piece::End { entries, payloads, last: last.number, hash: last.hash })
    }

    /// Writes an export into a file of which nobody else may read anything, and which has its name only
    /// once it is whole and on disk.
    ///
    /// # Errors
    /// When there is such a file and it is not to be replaced, or it can't be written, or the journal can't
    /// be read. There is no new file then.
    pub fn export_to(&self, to: &Path, replace: bool, span: Span) -> Result<Exported, BackupError> {
        refuse(&self.connection, to, replace)?;
        let part = Part::begin(to, 0o600)?;
        let failed = |source| BackupError::Write { path: to.to_owned(), source };
        let mut file = BufWriter::with_capacity(1 << 18, part.file());
        let mut done = None;
        self.export(span, |piece| {
            if let Piece::End { entries, last, hash, .. } = &piece {
                done = Some((*entries, *last, *hash));
            }
            file.write_all(piece.line().as_bytes()).map_err(failed)
        })?;
        file.flush().map_err(failed)?;
        drop(file);
        part.file().sync_all().map_err(failed)?;
        let bytes = part.file().metadata().map_err(failed)?.len();
        part.finish(to, replace)?;
        let (entries, last, hash) = done.unwrap_or_default();
        Ok(Exported { bytes, entries, last, hash })
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<(Place, Vec<u8>, Option<Vec<u8>>)> {
    let place = Place { number: rows::number(row, 0)?, hash: Digest(row.get(1)?) };
    Ok((place, row.get(2)?, row.get(3)?))
}

/// Where to begin: behind which entry; and up to which to go.
fn bounds(connection: &Connection, span: Span) -> Result<(Place, i64), StoreError> {
    let base = chain::begin(connection)?;
    let number = |sql: &str, at: Timestamp| -> Result<Option<i64>, StoreError> {
        connection.query_row(sql, [at.as_microsecond()], |row| row.get(0)).map_err(reading)
    };
    let upto = match span.until {
        None => i64::MAX,
        Some(until) => number("SELECT max(number) FROM entry WHERE at < ?1", until)?.unwrap_or(0),
    };
    let first = match span.since {
        None => return Ok((base, upto)),
        Some(since) => number("SELECT min(number) FROM entry WHERE at >= ?1", since)?,
    };
    // Where all are older, nothing is left but where the chain ends.
    let Some(first) = first else { return Ok((chain::last(connection)?, 0)) };
    let before = u64::try_from(first - 1).unwrap_or_default();
    let place = if before > base.number { chain::place(connection, before)? } else { None };
    Ok((place.unwrap_or(base), upto))
}
