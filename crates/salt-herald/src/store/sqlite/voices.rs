//! What came back in a quiet run that turns out to be said is kept as long as that of those that always
//! were.
//!
//! A run can have a hundred thousand returns, and can be revised with each slice of a batch: they are gone
//! through only when it was quiet until then, and of a job that is moved only its own.

use std::collections::{BTreeSet, HashMap};

use herald_core::change::What;
use herald_core::run::{JobId, RunId};
use rusqlite::OptionalExtension;

use super::stamps::Voice;
use super::write::Insert;
use crate::store::Batch;

/// Whose returns were those of a quiet run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Louder {
    Run(RunId),
    Job(JobId),
}

impl Insert<'_> {
    /// What is said by a batch, and was not before. To be asked before the batch's rows are written.
    pub(super) fn louder(
        &self,
        batch: &Batch,
        said: &HashMap<RunId, bool>,
    ) -> rusqlite::Result<BTreeSet<Louder>> {
        let mut louder = BTreeSet::new();
        for change in &batch.changes {
            let (run, which) = match &change.what {
                What::ToldWith { run, .. } | What::RunRevised { run, .. } => {
                    (*run, Louder::Run(*run))
                }
                What::JobMoved { job, to } => (*to, Louder::Job(*job)),
                _ => continue,
            };
            if said.get(&run) == Some(&true) && !louder.contains(&which) && self.is_quiet(which)? {
                louder.insert(which);
            }
        }
        Ok(louder)
    }

    /// Whether it was not said until now. What is new has no returns in the tables.
    fn is_quiet(&self, which: Louder) -> rusqlite::Result<bool> {
        let (of, id) = match which {
            Louder::Run(run) => ("?1", run.0),
            Louder::Job(job) => ("(SELECT run FROM job WHERE id = ?1)", job.0),
        };
        let sql = format!("SELECT NOT said AND told_with IS NULL FROM run WHERE id = {of}");
        let mut select = self.connection.prepare_cached(&sql)?;
        let quiet = select.query_row([id as i64], |row| row.get(0)).optional()?;
        Ok(quiet.unwrap_or(false))
    }

    pub(super) fn raise_voices(&mut self, louder: &BTreeSet<Louder>) -> rusqlite::Result<()> {
        for which in louder {
            let (of, id) = match which {
                Louder::Run(run) => ("IN (SELECT id FROM job WHERE run = ?1)", run.0),
                Louder::Job(job) => ("= ?1", job.0),
            };
            let sql = format!(
                "SELECT shape, max(at) / 86400000000 FROM return WHERE job {of} GROUP BY shape"
            );
            let returned = self
                .connection
                .prepare_cached(&sql)?
                .query_map([id as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
            for (shape, day) in returned {
                let day = day.min(self.today);
                self.stamps.shape(self.connection, self.payloads, shape, Voice::Loud, day)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use herald_core::change::{Change, Named};
    use herald_core::digest::Digest;
    use herald_core::run::{Run, RunStatus};
    use rusqlite::params;

    use super::super::away_tests::{begin, execute, minion, run};
    use super::super::open::reopen;
    use super::super::tests::{place, writer};
    use super::super::write::Inserter;
    use super::*;

    const RETURNS: i64 = 100_000;
    /// When they came, in microseconds since 1970.
    const AT: i64 = 1_795_000_000_000_000;

    /// A run with many returns, of a thousand shapes; the other of its jobs has one.
    fn journal(path: &Path, said: bool) -> Inserter {
        let own = writer(path);
        minion(&own);
        begin(&own, 1);
        own.close();
        let sql = format!(
            "UPDATE run SET said = {said}; INSERT INTO job SELECT 2, 1, '2', funs, started_at, ended, \
             returns_itself, expected, returned, failed, changed, would_change, missing, silent, standing \
             FROM job WHERE id = 1; \
             INSERT INTO return VALUES (2, 0, {AT}, 1, 0, 0, 0, 0, 77); \
             WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {RETURNS} - 1) \
             INSERT INTO return SELECT 1, n, {AT}, 1, 0, 0, 0, 0, 100 + n % 1000 FROM n; \
             INSERT INTO used SELECT DISTINCT shape, 0, 0, 1, 0 FROM return"
        );
        execute(path, &sql);
        Inserter::new(reopen(path).unwrap()).unwrap()
    }

    /// How many contents are kept longer by such a change, and how long that took.
    fn raised(journal: &mut Inserter, what: What, run: Run) -> (i64, Duration) {
        let mut took = Duration::ZERO;
        let written = journal.transaction(|insert| {
            let batch = Batch {
                changes: vec![Change { at: run.started_at, what, payloads: Vec::new() }],
                runs: vec![run.clone()],
                ..Batch::default()
            };
            let said = HashMap::from([(run.id, true)]);
            let began = Instant::now();
            let louder = insert.louder(&batch, &said).unwrap();
            insert.raise_voices(&louder).unwrap();
            took = began.elapsed();
            Ok(())
        });
        written.unwrap();
        let sql = "SELECT count(*) FROM used WHERE loud > 0 AND payload >= ?1";
        let count = journal.connection.query_row(sql, params![77], |row| row.get(0));
        (count.unwrap(), took)
    }

    fn revised(run: &Run) -> What {
        let head = Named { digest: Digest::ZERO, value: run.head.clone() };
        let expected = Named { digest: Digest::ZERO, value: Default::default() };
        What::RunRevised { run: run.id, head, said: true, expected }
    }

    #[test]
    fn what_came_back_is_gone_through_only_when_its_run_was_quiet() {
        let run = run(1, RunStatus::Running);
        let (_folder, path) = place();
        let mut journal_of_quiet = journal(&path, false);
        let (count, once) = raised(&mut journal_of_quiet, revised(&run), run.clone());
        assert_eq!(count, 1_001, "each of its shapes");
        let (_folder, path) = place();
        let mut journal_of_said = journal(&path, true);
        let (count, again) = raised(&mut journal_of_said, revised(&run), run.clone());
        assert_eq!(count, 0, "nothing had to be raised");
        let (_folder, path) = place();
        let mut journal_of_quiet = journal(&path, false);
        let moved = What::JobMoved { job: JobId(2), to: run.id };
        let (count, of_job) = raised(&mut journal_of_quiet, moved, run);
        assert_eq!(count, 1, "of a job that is moved only its own");
        eprintln!(
            "{RETURNS} returns: {once:?} as it is said at last, {again:?} for each revision after that, \
             {of_job:?} for a job that is moved"
        );
    }
}
