//! Entries folded into the rows that are queried, in memory that does not grow with their number: runs
//! that are over are put into the tables, and taken up again when something still comes to them.
//!
//! Where the entries come from, and into which file the rows go, is the caller's matter.

use std::collections::{BTreeSet, HashMap};

use herald_core::change::{Change, What};
use herald_core::run::{Job, JobId, Run, RunId, RunStatus};
use herald_core::state::State;
use rusqlite::OptionalExtension;

use super::rows;
use super::write::{Insert, reading, writing};
use crate::store::StoreError;

/// So many runs are held in memory before those that are over are put away.
const MOST: usize = if cfg!(test) { 2 } else { 20_000 };

/// A fold under way.
#[derive(Debug, Default)]
pub(super) struct Fold {
    state: State,
    /// The number of the entry that changed each run last.
    versions: HashMap<RunId, u64>,
    /// Some runs are in the tables only.
    is_any_away: bool,
    /// How many runs make it worth to put some away.
    most: usize,
}

impl Fold {
    /// Begins at the first entry, or with what the last cut's entry knows of those before it.
    pub(super) fn begin(
        cut: Option<(u64, &Change)>,
        insert: &mut Insert<'_>,
    ) -> Result<Self, StoreError> {
        let mut fold = Self { most: MOST, ..Self::default() };
        let Some((number, change)) = cut else { return Ok(fold) };
        fold.state.apply(change);
        let What::Cut(cut) = &change.what else { return Ok(fold) };
        for (minion, name) in (0..).zip(&cut.minions.value.0) {
            let what = What::MinionSeen { minion, name: name.clone() };
            let seen = Change { at: change.at, what, payloads: Vec::new() };
            insert.project(number as i64, &seen).map_err(writing)?;
        }
        Ok(fold)
    }

    /// Takes up the next entry.
    pub(super) fn take(
        &mut self,
        number: u64,
        change: &Change,
        insert: &mut Insert<'_>,
    ) -> Result<(), StoreError> {
        if self.is_any_away {
            self.recall(&change.what, insert)?;
        }
        let run_of = |state: &State, id: JobId| state.jobs.get(&id).map(|job| job.run);
        let job = change.what.job();
        let before = job.and_then(|id| run_of(&self.state, id));
        self.state.apply(change);
        let after = job.and_then(|id| run_of(&self.state, id));
        for run in change.what.runs().into_iter().flatten().chain(before).chain(after) {
            self.versions.insert(run, number);
        }
        insert.project(number as i64, change).map_err(writing)?;
        if self.state.runs.len() >= self.most { self.put_away(insert) } else { Ok(()) }
    }

    /// Writes what is left.
    pub(super) fn end(mut self, insert: &mut Insert<'_>) -> Result<(), StoreError> {
        let all: BTreeSet<RunId> = self.state.runs.keys().copied().collect();
        self.write(all, insert)?;
        insert.clear_strays().map_err(writing)
    }

    fn put_away(&mut self, insert: &mut Insert<'_>) -> Result<(), StoreError> {
        let is_over = |(_, run): &(&RunId, &Run)| run.status != RunStatus::Running;
        let over: BTreeSet<RunId> =
            self.state.runs.iter().filter(is_over).map(|(id, _)| *id).collect();
        self.is_any_away |= !over.is_empty();
        self.write(over, insert)?;
        // Where most are open it would be tried with each entry.
        self.most = MOST.max(2 * self.state.runs.len());
        Ok(())
    }

    fn write(&mut self, runs: BTreeSet<RunId>, insert: &mut Insert<'_>) -> Result<(), StoreError> {
        for id in runs {
            let Some(run) = self.state.runs.remove(&id) else { continue };
            let version = self.versions.remove(&id).unwrap_or_default();
            insert.run(&run, version).map_err(writing)?;
            for job in &run.jobs {
                if let Some(job) = self.state.jobs.remove(job) {
                    insert.job(&job).map_err(writing)?;
                }
            }
        }
        Ok(())
    }

    /// Takes up the runs again that an entry is about.
    fn recall(&mut self, what: &What, insert: &Insert<'_>) -> Result<(), StoreError> {
        if let What::Scrubbed(scrub) = what {
            return scrub.runs.iter().try_for_each(|run| self.recall_run(*run, insert));
        }
        let jobs = match what {
            What::RunStarted { .. } | What::JobStarted { .. } => Vec::new(),
            What::Stood { jobs, .. } => jobs.clone(),
            _ => what.job().into_iter().collect(),
        };
        for job in jobs {
            if self.state.jobs.contains_key(&job) {
                continue;
            }
            let sql = "SELECT run FROM job WHERE id = ?1";
            let run = insert
                .connection
                .prepare_cached(sql)
                .and_then(|mut select| {
                    select.query_row([job.0 as i64], |row| rows::number(row, 0)).optional()
                })
                .map_err(reading)?;
            run.map_or(Ok(()), |run| self.recall_run(RunId(run), insert))?;
        }
        let runs = what.runs().into_iter().flatten();
        runs.filter(|_| !matches!(what, What::RunStarted { .. }))
            .try_for_each(|run| self.recall_run(run, insert))
    }

    fn recall_run(&mut self, id: RunId, insert: &Insert<'_>) -> Result<(), StoreError> {
        if self.state.runs.contains_key(&id) {
            return Ok(());
        }
        let sql = format!("SELECT {} FROM run WHERE id = ?1", rows::RUN);
        let found = insert
            .connection
            .prepare_cached(&sql)
            .and_then(|mut select| select.query_row([id.0 as i64], rows::run).optional())
            .map_err(reading)?;
        let Some((mut run, version)) = found else { return Ok(()) };
        let sql = format!("SELECT {} FROM job WHERE run = ?1 ORDER BY id", rows::JOB);
        let jobs: Vec<Job> = insert
            .connection
            .prepare_cached(&sql)
            .and_then(|mut select| {
                select.query_map([id.0 as i64], rows::job)?.collect::<rusqlite::Result<_>>()
            })
            .map_err(reading)?;
        run.jobs = jobs.iter().map(|job| job.id).collect();
        run.jids = jobs.iter().map(|job| job.jid.clone()).collect();
        self.state.jobs.extend(jobs.into_iter().map(|job| (job.id, job)));
        self.state.runs.insert(id, run);
        self.versions.insert(id, version);
        Ok(())
    }
}
