//! Writing what happened: changes become entries, payloads and the rows of the tables that are queried.
//!
//! Everything happens in the caller's transaction.

use std::collections::HashMap;

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{EntryHead, chain, encode, kind_code};
use herald_core::run::{JobId, Run, RunId};
use rusqlite::{OptionalExtension, params};

use super::rows;
use super::stamps::{Stamps, Voice};
use super::write::{End, Insert, reading, writing};
use crate::store::{Batch, StoreError};

/// What is to be known of a change beside itself.
#[derive(Debug, Clone, Copy)]
struct About {
    /// It comes to a run that was taken out already.
    gone: bool,
    voice: Voice,
}

impl Insert<'_> {
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let run_of: HashMap<_, _> = batch.jobs.iter().map(|job| (job.id, job.run)).collect();
        let is_said = |run: &Run| (run.id, run.said || run.told_with.is_some());
        let said: HashMap<_, _> = batch.runs.iter().map(is_said).collect();
        let (mut versions, mut run_then) = (HashMap::new(), HashMap::new());
        for change in &batch.changes {
            self.change(change, self.about(change, &run_of, &said))?;
            let run = change.what.job().and_then(|job| run_of.get(&job).copied());
            let left = self.left(change, &mut run_then).map_err(reading)?;
            for run in change.what.runs().into_iter().flatten().chain(run).chain(left) {
                versions.insert(run, self.end.number);
            }
        }
        // As the tables are before: what was said then has nothing to be raised.
        let louder = self.louder(batch, &said).map_err(reading)?;
        let gone = self.gone;
        for run in batch.runs.iter().filter(|run| run.id.0 > gone) {
            let version = versions.get(&run.id).copied();
            self.run(run, version.unwrap_or(self.end.number)).map_err(writing)?;
            self.last_run = self.last_run.max(run.id);
        }
        for job in batch.jobs.iter().filter(|job| job.run.0 > gone) {
            self.job(job).map_err(writing)?;
        }
        self.raise_voices(&louder).map_err(writing)?;
        for (family, count) in &batch.seen {
            let last = batch.changes.last().map_or(0, |change| change.at.as_microsecond());
            self.seen(family, *count, last).map_err(writing)?;
        }
        Ok(())
    }

    /// The run that a job leaves for another. Jobs are written behind the entries: the table has them as
    /// they were before, `run_then` as they came to be since.
    fn left(
        &self,
        change: &Change,
        run_then: &mut HashMap<JobId, RunId>,
    ) -> rusqlite::Result<Option<RunId>> {
        let (job, to) = match &change.what {
            What::JobStarted { job, run, .. } => {
                run_then.insert(*job, *run);
                return Ok(None);
            }
            What::JobMoved { job, to } => (*job, *to),
            _ => return Ok(None),
        };
        if let Some(left) = run_then.insert(job, to) {
            return Ok(Some(left));
        }
        let mut select = self.connection.prepare_cached("SELECT run FROM job WHERE id = ?1")?;
        select.query_row([job.0 as i64], |row| rows::number(row, 0).map(RunId)).optional()
    }

    /// A return to a run that was taken out is recorded, but does not bring the run back.
    fn about(
        &self,
        change: &Change,
        run_of: &HashMap<JobId, RunId>,
        said: &HashMap<RunId, bool>,
    ) -> About {
        let job = change.what.job();
        let run = job.and_then(|job| run_of.get(&job).copied()).or(change
            .what
            .runs()
            .into_iter()
            .flatten()
            .next());
        let failed = matches!(&change.what, What::Returned { outcome, .. } if outcome.failed);
        let is_quiet = run.is_some_and(|run| said.get(&run) == Some(&false)) && !failed;
        About {
            gone: run.is_some_and(|run| run.0 <= self.gone),
            voice: if is_quiet { Voice::Quiet } else { Voice::Loud },
        }
    }

    /// An entry that follows from no event.
    pub(super) fn entry(&mut self, change: &Change) -> Result<(), StoreError> {
        self.change(change, About { gone: false, voice: Voice::Loud })
    }

    fn change(&mut self, change: &Change, about: About) -> Result<(), StoreError> {
        self.payloads.insert(self.connection, &change.payloads).map_err(writing)?;
        self.note_day().map_err(writing)?;
        let number = self.end.number + 1;
        let bytes = encode(EntryHead { origin: self.origin, number }, change);
        let hash = chain(self.end.hash, &bytes);
        self.connection
            .prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut insert| {
                insert.execute(params![
                    number as i64,
                    change.at.as_microsecond(),
                    kind_code(&change.what),
                    bytes,
                    hash.0
                ])
            })
            .map_err(writing)?;
        self.end = End { number, hash };
        self.stamp(number as i64, change, about).map_err(writing)?;
        if about.gone { Ok(()) } else { self.project(number as i64, change).map_err(writing) }
    }

    fn stamp(&mut self, entry: i64, change: &Change, about: About) -> rusqlite::Result<()> {
        let named = change.what.contents().into_iter().flatten();
        Stamps::entry(self.connection, self.payloads, entry, named)?;
        if let What::Returned { shape, .. } = &change.what
            && let Some(shape) = self.payloads.find(self.connection, *shape)?
        {
            let (voice, today) = (about.voice, self.today);
            self.stamps.shape(self.connection, self.payloads, shape, voice, today)?;
        }
        Ok(())
    }

    /// The rows that follow from one change alone.
    pub(super) fn project(&mut self, entry: i64, change: &Change) -> rusqlite::Result<()> {
        match &change.what {
            What::MinionSeen { minion, name } => {
                self.connection
                    .prepare_cached("INSERT OR IGNORE INTO minion VALUES (?1, ?2)")?
                    .execute(params![minion, name])?;
            }
            What::Cut(cut) => self.cut(entry, change.at, cut)?,
            What::Key { act, minion, key } => {
                self.connection
                    .prepare_cached("INSERT INTO key_event VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![
                        entry,
                        change.at.as_microsecond(),
                        act.name(),
                        minion,
                        key.0
                    ])?;
            }
            What::Suspect(suspect) => self.suspect(entry, change.at, suspect)?,
            What::Limited(limited) => self.limited(entry, change.at, limited)?,
            What::Sealed(seal) => self.sealed(entry, seal)?,
            What::Scrubbed(scrub) => self.scrubbed(entry, scrub)?,
            What::Gap { .. } | What::Backfilled(_) | What::Flagged { .. } => {
                self.blindness(entry, &change.what)?;
            }
            What::Returned { volatile, .. } => {
                if !volatile.is_empty() {
                    self.connection
                        .prepare_cached("INSERT INTO volatile VALUES (?1, ?2)")?
                        .execute(params![entry, volatile])?;
                }
                self.returned(entry, change)?;
            }
            // The other may be out of the ledger's memory, but its message says more from now on.
            What::ToldWith { with, .. } => {
                self.connection
                    .prepare_cached("UPDATE run SET version = max(version, ?2) WHERE id = ?1")?
                    .execute(params![with.0 as i64, entry])?;
            }
            _ => {}
        }
        Ok(())
    }

    fn returned(&mut self, entry: i64, change: &Change) -> rusqlite::Result<()> {
        let What::Returned { job, minion, outcome, shape, failures, .. } = &change.what else {
            return Ok(());
        };
        let minion = minion.map_or(-1, i64::from);
        let shape = self.id_of(*shape)?;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO return VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                job.0 as i64,
                minion,
                change.at.as_microsecond(),
                entry,
                outcome.failed,
                outcome.changed || outcome.would_change,
                outcome.retcode,
                outcome.duration as i64,
                shape
            ])?;
        for failure in failures {
            let definition = match failure.definition {
                Digest::ZERO => None,
                definition => Some(self.id_of(definition)?),
            };
            let body = self.id_of(failure.body)?;
            self.connection
                .prepare_cached("INSERT INTO failure VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![job.0 as i64, minion, definition, body, failure.follows])?;
        }
        Ok(())
    }

    /// The number of some contents in this file; 0, which none has, where they are not kept any more.
    pub(super) fn id_of(&mut self, digest: Digest) -> rusqlite::Result<i64> {
        self.payloads.id_of(self.connection, digest)
    }

    fn seen(&mut self, family: &str, count: u64, at: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO seen VALUES (?1, ?2, ?3) ON CONFLICT (family) \
                 DO UPDATE SET count = count + ?2, last_at = max(last_at, ?3)",
            )?
            .execute(params![family, count as i64, at])?;
        Ok(())
    }
}
