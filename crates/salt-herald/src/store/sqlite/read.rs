//! Asking the journal: runs, and what is open.
//!
//! Lists of runs are [`super::list`]'s, what failed in them [`super::failures`]', what minions returned
//! [`super::returns`]', and what was said [`super::deliveries`]'.

use std::path::Path;
use std::sync::Arc;

use herald_core::ledger::Restored;
use herald_core::minions::Minions;
use herald_core::outbox::Lineage;
use herald_core::run::{Job, Run, RunId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params};
use uuid::Uuid;

use super::lock::holder;
use super::open::open_for_reading;
use super::overlay::Place;
use super::restore::UNSURE_UNTIL;
use super::rows;
use super::write::reading;
use crate::store::StoreError;

/// Reads one journal.
#[derive(Debug)]
pub struct JournalReader {
    pub(super) connection: Connection,
    pub(super) minions: Minions,
    unchanging: bool,
    /// Where the writer writes, for those in its process, and what was known of that.
    followed: Option<(Arc<Place>, u64)>,
}

impl JournalReader {
    /// Opens a journal for reading, whether or not somebody writes it.
    ///
    /// # Errors
    /// When it can't be opened, or a later salt-herald made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = open_for_reading(path)?;
        Ok(Self {
            connection: opened.connection,
            minions: Minions::default(),
            unchanging: opened.unchanging,
            followed: None,
        })
    }

    /// Opens what a writer in this process writes, wherever that is.
    pub(super) fn following(place: Arc<Place>) -> Result<Self, StoreError> {
        let moves = place.moves();
        Ok(Self {
            connection: open_where(&place)?,
            minions: Minions::default(),
            unchanging: false,
            followed: Some((place, moves)),
        })
    }

    /// Looks where the writer writes now. To be called before what belongs together is asked.
    ///
    /// # Errors
    /// When that can't be opened.
    pub fn follow(&mut self) -> Result<(), StoreError> {
        if let Some((place, known)) = &mut self.followed {
            let moves = place.moves();
            if *known != moves {
                self.connection = open_where(place)?;
                *known = moves;
            }
        }
        Ok(())
    }

    /// What was asked could not be read. While the writer is in memory, that alone is looked at from
    /// now on.
    pub fn leave_file(&mut self) {
        let alone = self.followed.as_ref().and_then(|(place, _)| place.open_memory());
        if let Some(Ok(connection)) = alone {
            self.connection = connection;
        }
    }

    /// Whether the file was opened as one that nobody changes: what is written to it from now on
    /// is seen only by opening it again.
    pub fn is_unchanging(&self) -> bool {
        self.unchanging
    }

    /// Looks whether the journal at this path would be taken at a start, as far as can be told without
    /// writing to it.
    ///
    /// # Errors
    /// When it is damaged, a later salt-herald made it, or it can't be read.
    pub fn examine(path: &Path) -> Result<(), StoreError> {
        super::examine::examine(path, false)
    }

    /// The process that writes the journal at this path, if one does.
    pub fn holder(path: &Path) -> Option<String> {
        holder(path).map(|holder| holder.process)
    }

    /// Where and since when it writes elsewhere, because it can't write the journal.
    pub fn elsewhere(path: &Path) -> Option<String> {
        holder(path)?.elsewhere
    }

    /// The minions that were seen so far.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn minions(&mut self) -> Result<&Minions, StoreError> {
        let known = self.minions.len() as i64;
        let names: Vec<String> = self.all(
            "SELECT name FROM minion WHERE number >= ?1 ORDER BY number",
            [known],
            |row| row.get(0),
        )?;
        names.iter().for_each(|name| {
            self.minions.intern(name);
        });
        Ok(&self.minions)
    }

    /// What the ledger needs to go on.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn restored(&mut self) -> Result<Restored, StoreError> {
        let sql = format!("SELECT {} FROM run WHERE status = 'running' ORDER BY id", rows::RUN);
        let open: Vec<(Run, u64)> = self.all(&sql, [], rows::run)?;
        let names = self.all("SELECT name FROM minion ORDER BY number", [], |row| row.get(0))?;
        let returned = "SELECT run.id, max(return.at) FROM run JOIN job ON job.run = run.id \
                        JOIN return ON return.job = job.id WHERE run.status = 'running' GROUP BY run.id";
        let returned =
            self.all(returned, [], |row| Ok((RunId(rows::number(row, 0)?), rows::time(row, 1)?)))?;
        Ok(Restored {
            minions: names,
            returned_at: returned.into_iter().collect(),
            open: open.into_iter().map(|(run, _)| self.with_jobs(run)).collect::<Result<_, _>>()?,
            last_run: self.last_given("run")?,
            last_job: self.last_given("job")?,
            keys: self.known_keys()?,
        })
    }

    /// The last number that a run or a job was given, whether or not it is still there.
    fn last_given(&self, table: &str) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT max((SELECT coalesce(max(id), 0) FROM {table}), \
             (SELECT coalesce(max({table}), 0) FROM cut))"
        );
        Ok(self.one(&sql, [], 0)?.unwrap_or(0))
    }

    /// The runs that have a job with this jid.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn runs_with_jid(&self, jid: &str) -> Result<Vec<(Run, Vec<Job>)>, StoreError> {
        let sql = format!(
            "SELECT {} FROM run WHERE id IN (SELECT run FROM job WHERE jid = ?1) ORDER BY id",
            rows::RUN
        );
        let runs: Vec<(Run, u64)> = self.all(&sql, [jid], rows::run)?;
        runs.into_iter().map(|(run, _)| self.with_jobs(run)).collect()
    }

    /// The runs that have a job whose jid begins so, the latest first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn runs_with_jid_prefix(&self, prefix: &str) -> Result<Vec<(Run, Vec<Job>)>, StoreError> {
        let sql = format!(
            "SELECT {} FROM run WHERE id IN (SELECT run FROM job WHERE jid >= ?1 AND jid < ?1 || \
             '~') ORDER BY id DESC LIMIT 100",
            rows::RUN
        );
        let runs: Vec<(Run, u64)> = self.all(&sql, [prefix], rows::run)?;
        runs.into_iter().map(|(run, _)| self.with_jobs(run)).collect()
    }

    /// One run with its version.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn run(&self, id: RunId) -> Result<Option<(Run, u64)>, StoreError> {
        let sql = format!("SELECT {} FROM run WHERE id = ?1", rows::RUN);
        let Some((run, version)) = self.first(&sql, [id.0 as i64], rows::run)? else {
            return Ok(None);
        };
        Ok(Some((self.with_jobs(run)?.0, version)))
    }

    /// The jobs of a run, in the order of their beginning.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn jobs(&self, run: RunId) -> Result<Vec<Job>, StoreError> {
        let sql = format!("SELECT {} FROM job WHERE run = ?1 ORDER BY id", rows::JOB);
        self.all(&sql, [run.0 as i64], rows::job)
    }

    /// The minions that this reader knows, without asking again.
    pub fn known_minions(&self) -> &Minions {
        &self.minions
    }

    /// Runs whose failures are told with this one, itself among them.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn told_with(&self, id: RunId) -> Result<Vec<Run>, StoreError> {
        let sql =
            format!("SELECT {} FROM run WHERE told_with = ?1 ORDER BY id LIMIT 1000", rows::RUN);
        let runs: Vec<(Run, u64)> = self.all(&sql, [id.0 as i64], rows::run)?;
        Ok(runs.into_iter().map(|(run, _)| run).collect())
    }

    /// The runs that changed after a version, with their versions: those that are said.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn said_after(&self, version: u64) -> Result<Vec<(RunId, u64)>, StoreError> {
        self.all(
            "SELECT id, version FROM run WHERE version > ?1 AND (said OR told_with = id) \
             ORDER BY version",
            [version as i64],
            |row| Ok((RunId(rows::number(row, 0)?), rows::number(row, 1)?)),
        )
    }

    /// When something last happened to a run: it began, a minion returned, it ended.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn news_at(&self, run: &Run) -> Result<Timestamp, StoreError> {
        let sql = "SELECT at FROM return WHERE job IN (SELECT id FROM job WHERE run = ?1) \
                   ORDER BY at DESC LIMIT 1";
        let returned = match run.finished_at {
            Some(at) => Some(at),
            None => self.first(sql, [run.id.0 as i64], |row| rows::time(row, 0))?,
        };
        Ok(returned.map_or(run.started_at, |at| at.max(run.started_at)))
    }

    /// The journal's own name, which no other has.
    ///
    /// # Errors
    /// When the journal can't be read, or has none.
    pub fn origin(&self) -> Result<Uuid, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'origin'";
        let bytes: Option<Vec<u8>> = self.first(sql, [], |row| row.get(0))?;
        bytes
            .and_then(|bytes| Uuid::from_slice(&bytes).ok())
            .ok_or_else(|| StoreError::Damaged { what: "its origin".to_owned() })
    }

    /// The names by which messages are labelled.
    ///
    /// # Errors
    /// When the journal can't be read, or has no name.
    pub fn lineage(&self) -> Result<Lineage, StoreError> {
        let sql = "SELECT value, substr(key, 6) FROM meta WHERE key LIKE 'line.%'";
        let lines =
            self.all(sql, [], |row| Ok((RunId(rows::number(row, 0)?), row.get::<_, String>(1)?)))?;
        let unsure = self.noted(UNSURE_UNTIL)?.and_then(|at| Timestamp::from_microsecond(at).ok());
        Ok(Lineage::new(self.origin()?.to_string(), lines).unsure_until(unsure))
    }

    /// A number that was noted: see the writer's `note`.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn noted(&self, key: &str) -> Result<Option<i64>, StoreError> {
        self.first("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// How many runs there are.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn count_runs(&self) -> Result<u64, StoreError> {
        Ok(self.one("SELECT count(*) FROM run", [], 0)?.unwrap_or(0))
    }

    /// The number of the last entry.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn last_entry(&self) -> Result<u64, StoreError> {
        Ok(self.one("SELECT coalesce(max(number), 0) FROM entry", [], 0)?.unwrap_or(0))
    }

    /// How often events were seen that are only counted, by the family of their tag.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn seen(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.all("SELECT family, count FROM seen ORDER BY count DESC, family", [], |row| {
            Ok((row.get(0)?, rows::number(row, 1)?))
        })
    }

    pub(super) fn with_jobs(&self, mut run: Run) -> Result<(Run, Vec<Job>), StoreError> {
        let jobs = self.jobs(run.id)?;
        run.jobs = jobs.iter().map(|job| job.id).collect();
        run.jids = jobs.iter().map(|job| job.jid.clone()).collect();
        Ok((run, jobs))
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(reading)?;
        let rows = statement.query_map(params, read).map_err(reading)?;
        rows.collect::<Result<_, _>>().map_err(reading)
    }

    pub(super) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(reading)?;
        statement.query_row(params, read).optional().map_err(reading)
    }

    pub(super) fn one(
        &self,
        sql: &str,
        params: impl Params,
        column: usize,
    ) -> Result<Option<u64>, StoreError> {
        self.first(sql, params, |row| rows::number(row, column))
    }
}

fn open_where(place: &Place) -> Result<Connection, StoreError> {
    match place.open_both() {
        Some(opened) => opened.map_err(reading),
        None => Ok(open_for_reading(place.path())?.connection),
    }
}
