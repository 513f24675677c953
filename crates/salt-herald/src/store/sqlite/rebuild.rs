//! Making the query tables again from the entries and their contents, which are the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{Contents, decode};
use herald_core::run::Job;
use herald_core::state::State;
use rusqlite::{Connection, OptionalExtension};

use super::open::Journal;
use super::payloads;
use super::write::{Insert, Inserter, reading, writing};
use crate::store::StoreError;

/// The tables that are made from entries.
const TABLES: &[&str] =
    &["minion", "run", "job", "return", "failure", "gap", "backfill", "backfilled", "cut"];

struct Payloads<'a>(&'a Connection);

impl Contents for Payloads<'_> {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        payloads::bytes_of(self.0, digest).ok().flatten()
    }
}

/// Begins with what is known of the entries before the last cut; up to which they went.
fn begin(
    source: &Connection,
    state: &mut State,
    insert: &mut Insert<'_>,
) -> Result<i64, StoreError> {
    let sql = "SELECT number, bytes FROM entry WHERE kind = 16 ORDER BY number DESC LIMIT 1";
    let found: Option<(i64, Vec<u8>)> = source
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(reading)?;
    let Some((number, bytes)) = found else {
        return Ok(0);
    };
    let damaged = |error| StoreError::Damaged { what: format!("entry {number}: {error}") };
    let (_, change) = decode(&bytes, &mut Payloads(source)).map_err(damaged)?;
    let What::Cut(cut) = &change.what else {
        return Ok(0);
    };
    state.apply(&change);
    for (minion, name) in (0..).zip(&cut.minions.value.0) {
        let what = What::MinionSeen { minion, name: name.clone() };
        let seen = Change { at: change.at, what, payloads: Vec::new() };
        insert.project(number, &seen).map_err(writing)?;
    }
    Ok(cut.last as i64)
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
            let mut state = State::default();
            let after = begin(&source, &mut state, insert)?;
            let mut versions = BTreeMap::new();
            let mut entries = source
                .prepare("SELECT number, bytes FROM entry WHERE number > ?1 ORDER BY number")
                .map_err(reading)?;
            let mut rows = entries.query([after]).map_err(reading)?;
            while let Some(row) = rows.next().map_err(reading)? {
                let number: i64 = row.get(0).map_err(reading)?;
                let bytes: Vec<u8> = row.get(1).map_err(reading)?;
                let (_, change) = decode(&bytes, &mut Payloads(&source)).map_err(|error| {
                    StoreError::Damaged { what: format!("entry {number}: {error}") }
                })?;
                state.apply(&change);
                let job = change.what.job().and_then(|id| state.jobs.get(&id));
                let run = job.map(|job| job.run);
                for run in change.what.runs().into_iter().flatten().chain(run) {
                    versions.insert(run, number as u64);
                }
                insert.project(number, &change).map_err(writing)?;
            }
            for (id, version) in versions {
                if let Some(run) = state.runs.get(&id) {
                    insert.run(run, version).map_err(writing)?;
                }
            }
            let jobs: BTreeSet<_> = state.jobs.keys().copied().collect();
            // What comes to a run that was taken out does not bring it back.
            let is_whole = |job: &&Job| state.runs.contains_key(&job.run);
            for job in jobs.iter().filter_map(|id| state.jobs.get(id)).filter(is_whole) {
                insert.job(job).map_err(writing)?;
            }
            insert.clear_strays().map_err(writing)
        })?;
        drop(lock);
        Ok(())
    }
}
