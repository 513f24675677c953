//! What was taken out of contents as it was secret: the rows that follow from the entries that say so, what they
//! tell of contents that are not what their name says, and saying it again before such an entry goes.
//!
//! Who takes something out is not known here.

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::redact::Mark;
use herald_core::run::RunId;
use herald_core::scrub::{Scrub, Scrubbed};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use super::write::{Insert, reading};
use crate::store::StoreError;

impl Insert<'_> {
    /// The rows of an entry.
    pub(super) fn scrubbed(&mut self, entry: i64, scrub: &Scrub) -> rusqlite::Result<()> {
        let marks: Vec<String> = scrub.marks.iter().map(Mark::to_string).collect();
        self.connection
            .prepare_cached("INSERT INTO scrub VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
                entry,
                scrub.when.as_microsecond(),
                scrub.first.map(|first| first as i64),
                scrub.reason,
                scrub.by,
                scrub.sudo,
                rows::json_list(&marks),
                scrub.places as i64
            ])?;
        let mut insert =
            self.connection.prepare_cached("INSERT INTO scrubbed VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (place, pair) in (0_i64..).zip(&scrub.pairs) {
            let Scrubbed { digest, became, places } = pair;
            insert.execute(params![entry, place, digest.0, became.0, *places as i64])?;
        }
        Ok(())
    }

    /// Says again what entries up to that one say of contents that are still there: those entries go.
    pub(super) fn say_scrubs_again(&mut self, upto: i64, gone: u64) -> Result<(), StoreError> {
        for scrub in scrubs_upto(self.connection, upto, gone).map_err(reading)? {
            for what in scrub.portions().into_iter().map(What::Scrubbed) {
                self.entry(&Change { at: self.now, what, payloads: Vec::new() })?;
            }
        }
        Ok(())
    }
}

/// What entries up to one say, as far as it is still the last word on contents that are there.
fn scrubs_upto(connection: &Connection, upto: i64, gone: u64) -> rusqlite::Result<Vec<Scrub>> {
    let mut select = connection.prepare(
        "SELECT entry, at, first, reason, by, sudo, marks FROM scrub WHERE entry <= ?1 ORDER BY entry",
    )?;
    let mut found = select.query([upto])?;
    let mut scrubs = Vec::new();
    while let Some(row) = found.next()? {
        let entry: i64 = row.get(0)?;
        let pairs = pairs_of(connection, entry)?;
        if pairs.is_empty() {
            continue;
        }
        let marks: Vec<String> =
            serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default();
        scrubs.push(Scrub {
            when: rows::time(row, 1)?,
            first: Some(row.get::<_, Option<i64>>(2)?.unwrap_or(entry) as u64),
            reason: row.get(3)?,
            by: row.get(4)?,
            sudo: row.get(5)?,
            marks: marks.iter().filter_map(|mark| Some(Mark::read(mark.as_bytes())?.0)).collect(),
            places: pairs.iter().map(|pair| pair.places).sum(),
            runs: runs_of(connection, entry, gone)?,
            pairs,
        });
    }
    Ok(scrubs)
}

/// The contents of which an entry has the last word, if they are there.
fn pairs_of(connection: &Connection, entry: i64) -> rusqlite::Result<Vec<Scrubbed>> {
    let mut select = connection.prepare_cached(
        "SELECT digest, became, places FROM scrubbed AS this WHERE entry = ?1 AND NOT EXISTS \
         (SELECT 1 FROM scrubbed AS later WHERE later.digest = this.digest AND later.entry > ?1) \
         ORDER BY place",
    )?;
    let pairs = select.query_map([entry], |row| {
        let (digest, became) = (Digest(row.get(0)?), Digest(row.get(1)?));
        Ok(Scrubbed { digest, became, places: rows::number(row, 2)? })
    })?;
    let mut there = Vec::new();
    for pair in pairs {
        let pair = pair?;
        if super::payloads::bytes_of(connection, pair.digest)?.is_some() {
            there.push(pair);
        }
    }
    Ok(there)
}

/// The runs that an entry tells of, and that stay.
fn runs_of(connection: &Connection, entry: i64, gone: u64) -> rusqlite::Result<Vec<RunId>> {
    let sql = "SELECT bytes FROM entry WHERE number = ?1";
    let bytes: Option<Vec<u8>> = connection.query_row(sql, [entry], |row| row.get(0)).optional()?;
    let nothing = &mut super::migrate::Nothing;
    let decoded = bytes.and_then(|bytes| herald_core::entry::decode(&bytes, nothing).ok());
    Ok(match decoded.map(|(_, change)| change.what) {
        Some(What::Scrubbed(scrub)) => scrub.runs.into_iter().filter(|run| run.0 > gone).collect(),
        _ => Vec::new(),
    })
}

/// The entries that say that a secret with one of these marks was taken out, with the runs that named it.
pub(super) fn said_before(
    connection: &Connection,
    marks: &[Mark],
) -> rusqlite::Result<Vec<(u64, Vec<RunId>)>> {
    let mut select = connection.prepare("SELECT entry, marks FROM scrub ORDER BY entry")?;
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut before = Vec::new();
    for row in rows {
        let (entry, told) = row?;
        if marks.iter().any(|mark| told.contains(&mark.to_string())) {
            before.push((entry as u64, runs_of(connection, entry, 0)?));
        }
    }
    Ok(before)
}

/// What contents by that name are now, by the last word on them; nothing where none was ever taken out.
pub(super) fn became(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT became FROM scrubbed WHERE digest = ?1 ORDER BY entry DESC LIMIT 1";
    let mut select = connection.prepare_cached(sql)?;
    select.query_row([digest.0], |row| row.get(0).map(Digest)).optional()
}

/// Writes the entries that say what was replaced, in the transaction of who replaced it; their numbers.
pub(super) fn record(insert: &mut Insert<'_>, scrub: Scrub) -> Result<Vec<u64>, StoreError> {
    let mut entries = Vec::new();
    for what in scrub.portions().into_iter().map(What::Scrubbed) {
        insert.entry(&Change { at: insert.now, what, payloads: Vec::new() })?;
        entries.push(insert.end.number);
    }
    Ok(entries)
}
