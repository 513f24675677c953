//! The tables that are queried, against what follows from the entries: these are folded into an empty
//! database by the code that makes the tables, and the two are compared row by row.
//!
//! On the way it is seen whether what entries name is there. That the entries are what was written is
//! known before.

use std::collections::HashMap;
use std::path::Path;

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{Contents as Named, EntryError, decode, outline_of_return};
use herald_core::verify::{Contents, Finding, Report, RowFault};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::compare;
use crate::store::StoreError;
use crate::store::sqlite::fold::Fold;
use crate::store::sqlite::open::cannot_open;
use crate::store::sqlite::rebuild::last_that_went;
use crate::store::sqlite::write::{End, Insert, Inserter, reading, writing};
use crate::store::sqlite::{chain, migrate, overlay, payloads};

/// What came of it.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) contents: Contents,
    pub(super) rows: Option<u64>,
    pub(super) findings: Vec<Finding>,
    pub(super) left_out: u64,
}

/// Folds the entries of the journal at a path, and compares.
pub(super) fn look(path: &Path) -> Result<Tables, StoreError> {
    let (mut inserter, origin) = beside(path)?;
    let mut report = Report { origin, ..Report::default() };
    let mut rows = None;
    inserter.transaction(|insert| {
        let mut names = Names::default();
        let gone = fold(insert, &mut names, &mut report)?;
        // What can't be understood is missing in the tables that we made, too.
        if report.is_whole() {
            rows = Some(compare::all(insert.connection, gone, &mut report)?);
        }
        Ok(())
    })?;
    let Report { contents, findings, left_out, .. } = report;
    Ok(Tables { contents, rows, findings, left_out })
}

/// An empty database in a file that nobody else sees, with the journal attached.
fn beside(path: &Path) -> Result<(Inserter, [u8; 16]), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags("", flags).map_err(writing)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate::migrate(&mut connection, path)?;
    for (name, value) in [("synchronous", "OFF"), ("cache_size", "-64000")] {
        connection.pragma_update(None, name, value).map_err(writing)?;
    }
    if !overlay::attach(&connection, path) {
        return Err(cannot_open(path, std::io::Error::other("it can't be attached")));
    }
    let sql = "SELECT value FROM disk.meta WHERE key = 'origin'";
    let origin: Vec<u8> = connection.query_row(sql, [], |row| row.get(0)).map_err(reading)?;
    let damaged = |_| StoreError::Damaged { what: "its origin".to_owned() };
    let origin: [u8; 16] = origin.try_into().map_err(damaged)?;
    let inserter = Inserter::on_top(connection, origin, End::default(), true).map_err(writing)?;
    Ok((inserter, origin))
}

/// Folds all entries; up to which entry and run all were taken out.
fn fold(
    insert: &mut Insert<'_>,
    names: &mut Names,
    report: &mut Report,
) -> Result<compare::Gone, StoreError> {
    let connection = insert.connection;
    let sql = "SELECT number, bytes FROM disk.entry WHERE kind = ?1 ORDER BY number DESC LIMIT 1";
    let cut: Option<(i64, Vec<u8>)> = connection
        .query_row(sql, [chain::CUT], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(reading)?;
    let cut = cut.and_then(|(number, bytes)| {
        let number = number as u64;
        read(connection, number, &bytes, report).map(|change| (number, change))
    });
    let after = cut.as_ref().map_or(0, |(_, change)| last_that_went(change));
    let mut fold = Fold::begin(cut.as_ref().map(|(number, change)| (*number, change)), insert)?;
    let mut times = Times::after(connection, after)?;
    let sql = "SELECT number, bytes FROM disk.entry WHERE number > ?1 ORDER BY number";
    let mut entries = connection.prepare(sql).map_err(reading)?;
    let mut rows = entries.query([after as i64]).map_err(reading)?;
    while let Some(row) = rows.next().map_err(reading)? {
        let number: i64 = row.get(0).map_err(reading)?;
        let number = number as u64;
        let bytes = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(reading)?;
        let Some(change) = read(connection, number, bytes, report) else { continue };
        if let What::JobStarted { load, .. } = &change.what
            && *load != Digest::ZERO
            && insert.id_of(*load).map_err(reading)? == 0
        {
            report.find(Finding::Missing { entry: number, digest: *load });
        }
        if let What::Returned { failures, .. } = &change.what {
            let failed = failures.iter().flat_map(|one| [one.definition, one.body]);
            names.look(insert, (number, &change), bytes, failed, report)?;
        }
        times.look(number, &change, bytes, report)?;
        fold.take(number, &change, insert)?;
    }
    times.end(report)?;
    fold.end(insert)?;
    let run = match cut.map(|(_, change)| change.what) {
        Some(What::Cut(cut)) => cut.run.0,
        _ => 0,
    };
    Ok(compare::Gone { entry: after, run })
}

/// An entry as a change, if it can be understood.
fn read(connection: &Connection, number: u64, bytes: &[u8], report: &mut Report) -> Option<Change> {
    struct Attached<'c>(&'c Connection);
    impl Named for Attached<'_> {
        fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
            payloads::bytes_in_attached(self.0, digest).ok().flatten()
        }
    }
    match decode(bytes, &mut Attached(connection)) {
        Ok((_, change)) => Some(change),
        Err(EntryError::Payload(digest)) => {
            report.find(Finding::Missing { entry: number, digest });
            None
        }
        Err(error) => {
            report.find(Finding::Unreadable { entry: number, why: error.to_string() });
            None
        }
    }
}

/// What returns consist of, by the digest of their shape: whether all of it is there.
#[derive(Default)]
struct Names(HashMap<Digest, bool>);

impl Names {
    fn look(
        &mut self,
        insert: &mut Insert<'_>,
        (number, change): (u64, &Change),
        bytes: &[u8],
        failed: impl Iterator<Item = Digest>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let Some((shape, _)) = outline_of_return(bytes) else { return Ok(()) };
        let is_there = |insert: &mut Insert<'_>, digest: Digest| -> Result<bool, StoreError> {
            Ok(digest == Digest::ZERO || insert.id_of(digest).map_err(reading)? != 0)
        };
        let mut is_whole = match self.0.get(&shape) {
            Some(known) => *known,
            None => {
                let bytes =
                    payloads::bytes_in_attached(insert.connection, shape).map_err(reading)?;
                let mut is_whole = bytes.is_some();
                for part in bytes.unwrap_or_default().chunks_exact(32) {
                    let digest = Digest::from_slice(part).unwrap_or_default();
                    is_whole &= is_there(insert, digest)?;
                }
                self.0.insert(shape, is_whole);
                is_whole
            }
        };
        for digest in failed {
            is_whole &= is_there(insert, digest)?;
        }
        if !is_whole {
            report.contents.expired += 1;
            report.contents.latest_expired = Some((number, change.at));
        }
        Ok(())
    }
}

/// The times of returns, read beside their entries.
struct Times<'c> {
    connection: &'c Connection,
    /// What was read ahead.
    ahead: Vec<(u64, Vec<u8>)>,
    after: u64,
    nothing: Digest,
}

impl<'c> Times<'c> {
    /// Rows that are read at once.
    const PORTION: usize = 1000;

    fn after(connection: &'c Connection, after: u64) -> Result<Self, StoreError> {
        Ok(Self { connection, ahead: Vec::new(), after, nothing: Digest::of(&[]) })
    }

    /// The next row, if there is one up to that entry.
    fn next(&mut self, upto: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        if self.ahead.is_empty() {
            let sql =
                "SELECT entry, bytes FROM disk.volatile WHERE entry > ?1 ORDER BY entry LIMIT ?2";
            let mut select = self.connection.prepare_cached(sql).map_err(reading)?;
            let rows = select
                .query_map([self.after as i64, Self::PORTION as i64], |row| {
                    Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
                })
                .map_err(reading)?;
            self.ahead = rows.collect::<rusqlite::Result<_>>().map_err(reading)?;
            self.ahead.reverse();
        }
        match self.ahead.last() {
            Some((entry, _)) if *entry <= upto => {
                let next = self.ahead.pop();
                self.after = next.as_ref().map_or(self.after, |(entry, _)| *entry);
                Ok(next)
            }
            _ => Ok(None),
        }
    }

    fn look(
        &mut self,
        number: u64,
        change: &Change,
        bytes: &[u8],
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let told = match change.what {
            What::Returned { .. } => outline_of_return(bytes).map(|(_, times)| times),
            _ => None,
        };
        let mut own = None;
        while let Some((entry, times)) = self.next(number)? {
            if entry == number && told.is_some() {
                own = Some(Digest::of(&times));
            } else {
                report.find(stray(entry));
            }
        }
        match (told, own) {
            (Some(told), Some(own)) if told != own => report.find(Finding::Times { entry: number }),
            (Some(told), None) if told != self.nothing => report.contents.times_expired += 1,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, report: &mut Report) -> Result<(), StoreError> {
        while let Some((entry, _)) = self.next(u64::MAX)? {
            report.find(stray(entry));
        }
        Ok(())
    }
}

fn stray(entry: u64) -> Finding {
    let (table, key) = ("volatile".to_owned(), format!("entry {entry}"));
    Finding::Row { table, key, fault: RowFault::Stray }
}
