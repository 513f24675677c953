//! Asking the journal: runs, what failed in them, what was said, what is open.

use std::collections::BTreeMap;
use std::path::Path;

use herald_core::canonical::restore;
use herald_core::compose::{FailureGroup, sort_failures};
use herald_core::ledger::Restored;
use herald_core::minions::{MinionNo, MinionSet, Minions};
use herald_core::run::{Job, Run, RunId};
use jiff::Timestamp;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Params, params_from_iter};
use salt_event::Raw;
use salt_event::msgpack::Reader;

use super::open::{holder, open_for_reading};
use super::rows;
use super::write::reading;
use crate::store::{Delivery, StoreError};

/// Reads one journal.
#[derive(Debug)]
pub struct JournalReader {
    connection: Connection,
    minions: Minions,
}

/// Which runs are wanted; all conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Begun at that time or later.
    pub since: Option<Timestamp>,
    /// Begun before that time.
    pub until: Option<Timestamp>,
    /// By that user.
    pub user: Option<String>,
    /// Running a function that this glob matches (SQLite's GLOB).
    pub fun: Option<String>,
    /// That minion was asked.
    pub minion: Option<String>,
    /// Failed, or incomplete.
    pub failed: bool,
    /// Not ended.
    pub running: bool,
    /// Said, or told of: without the noise.
    pub said: bool,
    /// At most so many, the latest.
    pub limit: usize,
}

/// Failed states that are read of one run; folding needs no more.
const MAX_FAILURE_ROWS: usize = 20_000;
/// How many distinct failures are read with their texts.
const MAX_GROUPS: i64 = 200;

impl JournalReader {
    /// Opens a journal for reading, whether or not somebody writes it.
    ///
    /// # Errors
    /// When it can't be opened, or a later salt-herald made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            connection: open_for_reading(path)?,
            minions: Minions::default(),
        })
    }

    /// The process that writes the journal at this path, if one does.
    pub fn holder(path: &Path) -> Option<String> {
        holder(path)
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
        let sql = format!(
            "SELECT {} FROM run WHERE status = 'running' ORDER BY id",
            rows::RUN
        );
        let open: Vec<(Run, u64)> = self.all(&sql, [], rows::run)?;
        let names = self.all("SELECT name FROM minion ORDER BY number", [], |row| {
            row.get(0)
        })?;
        Ok(Restored {
            minions: names,
            open: open
                .into_iter()
                .map(|(run, _)| self.with_jobs(run))
                .collect::<Result<_, _>>()?,
            last_run: self
                .one("SELECT coalesce(max(id), 0) FROM run", [], 0)?
                .unwrap_or(0),
            last_job: self
                .one("SELECT coalesce(max(id), 0) FROM job", [], 0)?
                .unwrap_or(0),
        })
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
        runs.into_iter()
            .map(|(run, _)| self.with_jobs(run))
            .collect()
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
        runs.into_iter()
            .map(|(run, _)| self.with_jobs(run))
            .collect()
    }

    /// The runs that a filter lets through, in the order of their beginning.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn runs(&mut self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        let minion = match &filter.minion {
            None => None,
            Some(name) => match self.minions()?.number(name) {
                None => return Ok(Vec::new()),
                number => number,
            },
        };
        let (sql, values) = filter_sql(filter);
        let mut statement = self.connection.prepare_cached(&sql).map_err(reading)?;
        let found = statement
            .query_map(params_from_iter(values), rows::run)
            .map_err(reading)?;
        let mut runs = Vec::new();
        for run in found {
            let (run, _) = run.map_err(reading)?;
            if minion.is_none_or(|minion| run.tally.expected.contains(minion)) {
                runs.push(self.with_jobs(run)?.0);
            }
            if runs.len() >= filter.limit.max(1) {
                break;
            }
        }
        runs.reverse();
        Ok(runs)
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

    /// Runs whose failures are told with this one, itself among them.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn told_with(&self, id: RunId) -> Result<Vec<Run>, StoreError> {
        let sql = format!(
            "SELECT {} FROM run WHERE told_with = ?1 ORDER BY id LIMIT 1000",
            rows::RUN
        );
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

    /// What was said of a run at a sink.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn deliveries(&self, run: RunId, sink: &str) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {} FROM delivery WHERE run = ?1 AND sink = ?2",
            rows::DELIVERY
        );
        self.all(&sql, (run.0 as i64, sink), rows::delivery)
    }

    /// Whether anything was said of a run anywhere.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn is_announced(&self, run: RunId) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM delivery WHERE run = ?1 AND state = 'said'";
        Ok(self.one(sql, [run.0 as i64], 0)?.unwrap_or(0) > 0)
    }

    /// The last failed deliveries, by sink.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn given_up(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {} FROM delivery WHERE state = 'given_up' ORDER BY at DESC LIMIT ?1",
            rows::DELIVERY
        );
        self.all(&sql, [limit as i64], rows::delivery)
    }

    /// The times in which we were blind, the latest first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn gaps(&self, limit: usize) -> Result<Vec<(Timestamp, Timestamp, String)>, StoreError> {
        self.all(
            "SELECT from_at, to_at, reason FROM gap ORDER BY entry DESC LIMIT ?1",
            [limit as i64],
            |row| Ok((rows::time(row, 0)?, rows::time(row, 1)?, row.get(2)?)),
        )
    }

    /// A number that was noted: see the writer's `note`.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn noted(&self, key: &str) -> Result<Option<i64>, StoreError> {
        self.first("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.get(0)
        })
    }

    /// Since which entry a sink is served: what nobody was told of before is old news there.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn sink_since(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        let key = super::write::sink_key(sink);
        Ok(self
            .noted(&key)?
            .and_then(|since| u64::try_from(since).ok()))
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
        Ok(self
            .one("SELECT coalesce(max(number), 0) FROM entry", [], 0)?
            .unwrap_or(0))
    }

    /// How often events were seen that are only counted, by the family of their tag.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn seen(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.all(
            "SELECT family, count FROM seen ORDER BY count DESC, family",
            [],
            |row| Ok((row.get(0)?, rows::number(row, 1)?)),
        )
    }

    /// What failed in some runs, folded over the minions, most useful first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn failures(&mut self, runs: &[RunId]) -> Result<Vec<FailureGroup>, StoreError> {
        self.minions()?;
        let mut groups: BTreeMap<(Option<i64>, i64, bool, String), MinionSet> = BTreeMap::new();
        for run in runs.iter().take(1000) {
            let found = self.all(
                "SELECT definition, body, follows, minion, funs FROM failure \
                 JOIN job ON job.id = failure.job WHERE job.run = ?1 LIMIT ?2",
                [run.0 as i64, MAX_FAILURE_ROWS as i64],
                |row| {
                    let key = (
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get::<_, String>(4)?,
                    );
                    Ok((key, row.get::<_, i64>(3)?))
                },
            )?;
            for (key, minion) in found {
                let group = groups.entry(key).or_default();
                group.extend(MinionNo::try_from(minion).ok());
            }
        }
        let mut failures = Vec::new();
        for ((definition, body, follows, funs), minions) in
            groups.into_iter().take(MAX_GROUPS as usize)
        {
            failures.push(self.failure_group(definition, body, follows, &funs, &minions)?);
        }
        sort_failures(&mut failures);
        Ok(failures)
    }

    fn failure_group(
        &self,
        definition: Option<i64>,
        body: i64,
        follows: bool,
        funs: &str,
        minions: &MinionSet,
    ) -> Result<FailureGroup, StoreError> {
        let names: Vec<String> = self
            .minions
            .names(minions)
            .into_iter()
            .take(10)
            .map(str::to_owned)
            .collect();
        let minion = names.first().map_or("", String::as_str);
        let body = self.payload(body)?;
        let (title, text) = match definition {
            Some(definition) => (
                state_title(&self.payload(definition)?, minion),
                comment_of(&body, minion),
            ),
            None => {
                let funs: Vec<String> = serde_json::from_str(funs).unwrap_or_default();
                (funs.join(","), plain_text(&body, minion))
            }
        };
        Ok(FailureGroup {
            title,
            minions: names,
            count: minions.len(),
            text,
            follows,
        })
    }

    /// Contents by their number in this file.
    fn payload(&self, id: i64) -> Result<Vec<u8>, StoreError> {
        let found = self.first("SELECT bytes FROM payload WHERE id = ?1", [id], |row| {
            row.get(0)
        })?;
        Ok(found.unwrap_or_default())
    }

    fn with_jobs(&self, mut run: Run) -> Result<(Run, Vec<Job>), StoreError> {
        let sql = format!("SELECT {} FROM job WHERE run = ?1 ORDER BY id", rows::JOB);
        let jobs: Vec<Job> = self.all(&sql, [run.id.0 as i64], rows::job)?;
        run.jobs = jobs.iter().map(|job| job.id).collect();
        run.jids = jobs.iter().map(|job| job.jid.clone()).collect();
        Ok((run, jobs))
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(reading)?;
        let rows = statement.query_map(params, read).map_err(reading)?;
        rows.collect::<Result<_, _>>().map_err(reading)
    }

    fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(reading)?;
        statement
            .query_row(params, read)
            .optional()
            .map_err(reading)
    }

    fn one(
        &self,
        sql: &str,
        params: impl Params,
        column: usize,
    ) -> Result<Option<u64>, StoreError> {
        self.first(sql, params, |row| rows::number(row, column))
    }
}

fn filter_sql(filter: &RunFilter) -> (String, Vec<SqlValue>) {
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    let mut add = |condition: &str, value: SqlValue| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(since) = filter.since {
        add("started_at >= ?", since.as_microsecond().into());
    }
    if let Some(until) = filter.until {
        add("started_at < ?", until.as_microsecond().into());
    }
    if let Some(user) = &filter.user {
        add("user = ?", user.clone().into());
    }
    if let Some(fun) = &filter.fun {
        add(
            "EXISTS (SELECT 1 FROM json_each(funs) WHERE value GLOB ?)",
            fun.clone().into(),
        );
    }
    if filter.failed {
        conditions.push("status IN ('failed', 'incomplete')".to_owned());
    }
    if filter.running {
        conditions.push("status = 'running'".to_owned());
    }
    if filter.said {
        conditions.push("(said OR told_with IS NOT NULL)".to_owned());
    }
    let sql = format!(
        "SELECT {} FROM run WHERE {} ORDER BY started_at DESC, id DESC",
        rows::RUN,
        conditions.join(" AND ")
    );
    (sql, values)
}

/// `nginx (service.running) in web.nginx`.
fn state_title(definition: &[u8], minion: &str) -> String {
    let Ok(raw) = Reader::new(definition).raw() else {
        return String::new();
    };
    let parts: Vec<String> = raw
        .items()
        .map(|part| restore(part.text().unwrap_or_default(), minion).into_owned())
        .collect();
    match parts.as_slice() {
        [id, sls, _, function] if sls.is_empty() => format!("{id} ({function})"),
        [id, sls, _, function] => format!("{id} ({function}) in {sls}"),
        _ => String::new(),
    }
}

fn comment_of(body: &[u8], minion: &str) -> String {
    let comment = Reader::new(body)
        .raw()
        .ok()
        .and_then(|raw| raw.get("comment"));
    let text = comment
        .map(salt_event::states::comment_text)
        .unwrap_or_default();
    restore(&text, minion).into_owned()
}

/// A whole return as text: a list of texts by lines, anything else as JSON would show it.
fn plain_text(body: &[u8], minion: &str) -> String {
    let Ok(raw) = Reader::new(body).raw() else {
        return String::new();
    };
    let lines: Option<Vec<&str>> = raw.items().map(Raw::text).collect();
    let text = match (raw.text(), lines) {
        (Some(text), _) => text.to_owned(),
        (None, Some(lines)) if !lines.is_empty() => lines.join("\n"),
        _ => crate::json::of_raw(raw).to_string(),
    };
    restore(&text, minion).into_owned()
}
