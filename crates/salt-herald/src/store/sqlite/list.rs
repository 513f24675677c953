//! Lists of runs, in pages: however long somebody takes to read a list, nothing in the file waits
//! for it.

use std::ops::ControlFlow;

use herald_core::glob::fnmatch;
use herald_core::minions::{MinionSet, Minions};
use herald_core::run::{Run, RunId};
use jiff::Timestamp;
use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;

use super::read::JournalReader;
use super::rows;
use super::write::reading;

use crate::store::StoreError;

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
    /// A minion that this glob matches was asked (as Salt matches ids).
    pub minion: Option<String>,
    /// Failed, or incomplete.
    pub failed: bool,
    /// Not ended.
    pub running: bool,
    /// Said, or told of: without the noise.
    pub said: bool,
    /// Their command line holds this text, in capitals or not.
    pub text: Option<String>,
    /// At most so many, the latest.
    pub limit: usize,
}

/// In which order runs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The first one first.
    EarliestFirst,
    /// The last one first.
    LatestFirst,
}

/// Runs that are read at once.
const PAGE: usize = 500;

/// Where a page ends: the next one begins behind it.
#[derive(Debug, Clone, Copy)]
struct Mark {
    started_at: Timestamp,
    id: RunId,
}

impl JournalReader {
    /// The runs that a filter lets through, in the order of their beginning.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn runs(&mut self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        self.each_run(filter, Order::LatestFirst, |_, run| {
            runs.push(run);
            Ok::<_, StoreError>(if runs.len() >= filter.limit.max(1) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        runs.reverse();
        Ok(runs)
    }

    /// Shows each run that a filter lets through, without regard to its limit, until told to stop.
    /// The names of all minions that the run has are known then.
    ///
    /// # Errors
    /// When the journal can't be read, or when `visit` fails.
    pub fn each_run<E: From<StoreError>>(
        &mut self,
        filter: &RunFilter,
        order: Order,
        mut visit: impl FnMut(&Self, Run) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut mark = None;
        loop {
            let page = self.page(filter, order, mark)?;
            let asked = match &filter.minion {
                Some(pattern) => Some(named_by(pattern, self.minions()?)),
                None => {
                    self.minions()?;
                    None
                }
            };
            let is_last = page.len() < PAGE;
            for run in page {
                mark = Some(Mark { started_at: run.started_at, id: run.id });
                let is_asked = |asked: &MinionSet| !asked.is_disjoint(&run.tally.expected);
                if !asked.as_ref().is_none_or(is_asked) {
                    continue;
                }
                let (run, _) = self.with_jobs(run)?;
                if visit(self, run)?.is_break() {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The runs that changed after a version, with their versions, in the order of their changes.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn changed_after(&mut self, version: u64) -> Result<Vec<(Run, u64)>, StoreError> {
        let sql = format!(
            "SELECT {} FROM run WHERE version > ?1 ORDER BY version LIMIT {PAGE}",
            rows::RUN
        );
        let changed = self.all(&sql, [version as i64], rows::run)?;
        self.minions()?;
        changed.into_iter().map(|(run, version)| Ok((self.with_jobs(run)?.0, version))).collect()
    }

    /// The highest version of a run.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn last_version(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(version), 0) FROM run";
        Ok(self.first(sql, [], |row| rows::number(row, 0))?.unwrap_or(0))
    }

    fn page(
        &self,
        filter: &RunFilter,
        order: Order,
        mark: Option<Mark>,
    ) -> Result<Vec<Run>, StoreError> {
        let (mut conditions, mut values) = conditions_of(filter);
        let (than, direction) = match order {
            Order::EarliestFirst => (">", "ASC"),
            Order::LatestFirst => ("<", "DESC"),
        };
        if let Some(mark) = mark {
            let place = values.len() + 1;
            conditions.push(format!("(started_at, id) {than} (?{place}, ?{})", place + 1));
            values.push(mark.started_at.as_microsecond().into());
            values.push((mark.id.0 as i64).into());
        }
        let sql = format!(
            "SELECT {} FROM run WHERE {} ORDER BY started_at {direction}, id {direction} \
             LIMIT {PAGE}",
            rows::RUN,
            conditions.join(" AND ")
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(reading)?;
        let found = statement.query_map(params_from_iter(values), rows::run).map_err(reading)?;
        found.map(|run| run.map(|(run, _)| run).map_err(reading)).collect()
    }
}

/// The minions that a glob names.
fn named_by(pattern: &str, minions: &Minions) -> MinionSet {
    if let Some(number) = minions.number(pattern) {
        return MinionSet::from_iter([number]);
    }
    (0..minions.len() as u32).filter(|number| fnmatch(pattern, minions.name(*number))).collect()
}

/// The conditions in SQL, with the values for their numbered places.
fn conditions_of(filter: &RunFilter) -> (Vec<String>, Vec<SqlValue>) {
    // A run whose only job turned out to belong to another is no run any more.
    let mut conditions = vec!["EXISTS (SELECT 1 FROM job WHERE job.run = run.id)".to_owned()];
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
        add("EXISTS (SELECT 1 FROM json_each(funs) WHERE value GLOB ?)", fun.clone().into());
    }
    if let Some(text) = &filter.text {
        add("instr(lower(command), lower(?)) > 0", SqlValue::from(text.clone()));
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
    (conditions, values)
}
