//! Looks through a whole journal, or a backup: the chain of its entries, what they name, and the tables
//! that are queried against what follows from the entries.
//!
//! It reads only, whether or not somebody writes meanwhile.

mod compare;
mod contents;
mod tables;

#[cfg(test)]
mod tests;

use std::path::Path;

use herald_core::verify::{Contents, Finding, Report, RowFault, Scrubs, Witness, judge};
use rusqlite::Connection;

use super::chain::Looked;
use super::open::open_for_reading;
use super::write::reading;
use super::{chain, migrate};
use crate::seal::is_signed;
use crate::store::StoreError;

/// How a journal is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// With so many threads.
    pub threads: u64,
    /// The chain of its entries, and nothing else.
    pub chain_only: bool,
}

/// Looks through the journal at a path.
///
/// # Errors
/// When it can't be read: it is no journal, SQLite can't follow it, or a later salt-herald made it.
pub fn verify(path: &Path, manner: Manner, witness: &Witness) -> Result<Report, StoreError> {
    let connection = open_for_reading(path)?.connection;
    let moment = connection.unchecked_transaction().map_err(reading)?;
    let Looked { base, end, found, told } = chain::look(path, &connection, manner.threads)?;
    let mut report = Report { origin: chain::origin(&connection)?, ..Report::default() };
    if end.number > base.number {
        (report.first, report.last, report.hash) = (base.number + 1, end.number, end.hash);
    }
    if let Some(found) = found {
        report.find(Finding::Chain(found));
    }
    report.cut = chain::cut_of(&connection, base)?;
    for number in chain::below(&connection)? {
        let (table, key) = ("entry".to_owned(), format!("number {number}"));
        report.find(Finding::Row { table, key, fault: RowFault::Stray });
    }
    let hash_at = |number: u64| {
        let there = || chain::place(&connection, number).ok().flatten().map(|place| place.hash);
        if number == base.number { Some(base.hash) } else { there() }
    };
    judge(witness, &told.seals, &mut report, hash_at, is_signed);
    let mut scrubs = Scrubs::default();
    told.scrubs.iter().for_each(|(entry, scrub)| scrubs.take(*entry, scrub));
    report.scrubs = scrubs.told().to_vec();
    if manner.chain_only {
        return Ok(report);
    }
    let is_whole = found.is_none() && migrate::require_latest(&connection, path).is_ok();
    drop(moment);
    look_at_contents(path, manner, is_whole, &scrubs, &mut report)?;
    Ok(report)
}

/// Contents in some threads, the tables in another.
fn look_at_contents(
    path: &Path,
    manner: Manner,
    is_whole: bool,
    scrubs: &Scrubs,
    report: &mut Report,
) -> Result<(), StoreError> {
    let threads = manner.threads.max(1);
    let bounds = contents::bounds(&open_for_reading(path)?.connection, threads)?;
    let (parts, tables) = std::thread::scope(|scope| {
        let tables = (is_whole && threads > 1).then(|| scope.spawn(|| tables::look(path)));
        let parts: Vec<_> = bounds
            .iter()
            .map(|(after, upto)| scope.spawn(|| contents::look(path, *after, *upto, scrubs)))
            .collect();
        let parts: Vec<_> = parts.into_iter().map(|part| part.join()).collect();
        let tables = match tables {
            Some(tables) => Some(tables.join()),
            None => is_whole.then(|| Ok(tables::look(path))),
        };
        (parts, tables)
    });
    for part in parts {
        let part = part.map_err(|_| StoreError::Closed)??;
        report.contents.payloads += part.payloads;
        report.contents.bytes += part.bytes;
        report.contents.scrubbed += part.scrubbed;
        part.findings.into_iter().for_each(|finding| report.find(finding));
        report.left_out += part.left_out;
    }
    contents::look_at_index(&open_for_reading(path)?.connection, report)?;
    if let Some(tables) = tables {
        let tables = tables.map_err(|_| StoreError::Closed)??;
        report.rows = tables.rows;
        let Contents { payloads, bytes, scrubbed, .. } = report.contents;
        report.contents = Contents { payloads, bytes, scrubbed, ..tables.contents };
        tables.findings.into_iter().for_each(|finding| report.find(finding));
        report.left_out += tables.left_out;
    }
    Ok(())
}

/// All rows of a query that says what it finds.
fn count(connection: &Connection, sql: &str) -> Result<u64, StoreError> {
    connection.query_row(sql, [], |row| super::rows::number(row, 0)).map_err(reading)
}
