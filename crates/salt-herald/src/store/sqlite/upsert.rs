//! Writing the rows that change: runs and jobs as they are now, and what each sink was told.

use herald_core::announce::Mood;
use herald_core::outbox::write_doubt;
use herald_core::run::{Job, Run, RunId};
use rusqlite::{Connection, params};

use super::rows::{self, json_list, set};
use super::write::{Insert, reading, writing};
use crate::store::{Delivery, SinkState, StoreError, Told};

impl Insert<'_> {
    /// `version` is the number of the entry that changed it last.
    pub(super) fn run(&mut self, run: &Run, version: u64) -> rusqlite::Result<()> {
        let head = &run.head;
        let flags: Vec<&str> = run.flags.iter().map(|flag| flag.name()).collect();
        let collides: Vec<&str> = run.collides_with.iter().map(String::as_str).collect();
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
                 ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
            )?
            .execute(params![
                run.id.0 as i64,
                head.kind.name(),
                head.user,
                head.command,
                json_list(&head.funs),
                head.tgt,
                head.tgt_type,
                head.test,
                head.schedule,
                head.saltenv,
                run.started_at.as_microsecond(),
                run.finished_at.map(|at| at.as_microsecond()),
                run.status.name(),
                run.said,
                run.told_with.map(|run| run.0 as i64),
                run.own_failure,
                json_list(&flags),
                json_list(&collides),
                set(&run.tally.expected),
                set(&run.tally.returned),
                set(&run.tally.failed),
                set(&run.tally.changed),
                set(&run.tally.would_change),
                set(&run.tally.missing),
                set(&run.tally.silent),
                version as i64,
                head.metadata.as_ref().map(salt_event::Value::to_bytes)
            ])?;
        Ok(())
    }

    pub(super) fn job(&mut self, job: &Job) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
                 ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                job.id.0 as i64,
                job.run.0 as i64,
                job.jid,
                json_list(&job.funs),
                job.started_at.as_microsecond(),
                job.ended,
                job.returns_itself,
                set(&job.tally.expected),
                set(&job.tally.returned),
                set(&job.tally.failed),
                set(&job.tally.changed),
                set(&job.tally.would_change),
                set(&job.tally.missing),
                set(&job.tally.silent),
                job.standing.map(|standing| standing.name())
            ])?;
        Ok(())
    }

    pub(super) fn delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO delivery (run, sink, part, lead, message, said, version, \
                 state, error, at, late, mood) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    delivery.run.0 as i64,
                    delivery.sink,
                    delivery.part.name(),
                    delivery.lead.map(|lead| lead.0 as i64),
                    delivery.message,
                    delivery.said.as_ref().map(<[u8; 32]>::as_slice),
                    delivery.version as i64,
                    delivery.state.name(),
                    delivery.error,
                    delivery.at.as_microsecond(),
                    delivery.late,
                    delivery.mood.map(Mood::name)
                ])
            })
            .map(|_| ())
            .map_err(writing)
    }

    /// Takes up a sink: what was recorded so far is old news there.
    pub(super) fn introduce(&mut self, sink: &str) -> Result<SinkState, StoreError> {
        let now = self.end.number as i64;
        self.connection
            .execute(
                "INSERT INTO sink (name, since, settled) VALUES (?1, ?2, ?2) \
                 ON CONFLICT DO UPDATE SET trouble = NULL",
                params![sink, now],
            )
            .map_err(writing)?;
        let sql = format!("SELECT {} FROM sink WHERE name = ?1", rows::SINK);
        self.connection.query_row(&sql, [sink], rows::sink).map_err(reading)
    }

    /// Keeps how far a sink is.
    pub(super) fn sink(&mut self, sink: &SinkState) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE sink SET settled = ?2, trouble = ?3, doubt = ?4, blind = ?5, missed = ?6, \
                 failing_since = ?7, unsaid = ?8, alarmed = ?9, thread = ?10, checkpoint = ?11, \
                 checkpoint_at = ?12, attempt = ?13 WHERE name = ?1",
            )
            .and_then(|mut update| {
                let doubt = (!sink.doubt.is_empty()).then(|| write_doubt(&sink.doubt));
                let (settled, missed) = (sink.settled as i64, sink.missed as i64);
                let since = sink.failing_since.map(|at| at.as_microsecond());
                let (unsaid, alarmed) = (sink.unsaid as i64, sink.alarmed as i64);
                let (trouble, blind) = (&sink.trouble, sink.blind);
                let micros = |at: jiff::Timestamp| at.as_microsecond();
                let checkpoint = sink.checkpoint.map_or(0, |told| told.number as i64);
                let (at, attempt) =
                    (sink.checkpoint.map(|told| micros(told.at)), sink.attempt.map(micros));
                update.execute(params![
                    sink.name,
                    settled,
                    trouble,
                    doubt,
                    blind,
                    missed,
                    since,
                    unsaid,
                    alarmed,
                    sink.thread,
                    checkpoint,
                    at,
                    attempt
                ])
            })
            .map(|_| ())
            .map_err(writing)
    }

    /// Keeps where a sink's trouble was told.
    pub(super) fn told(&mut self, sink: &str, told: Option<&Told>) -> Result<(), StoreError> {
        let (told_in, at) = (told.map(|told| &told.sink), told.map(|told| told.at));
        let at = at.map(|at| at.as_microsecond());
        self.connection
            .execute(
                "UPDATE sink SET told_in = ?2, told_at = ?3 WHERE name = ?1",
                params![sink, told_in, at],
            )
            .map(|_| ())
            .map_err(writing)
    }

    /// Takes runs out of a message about several that never showed them.
    pub(super) fn withdraw(&mut self, sink: &str, runs: &[RunId]) -> Result<(), StoreError> {
        let sql = "DELETE FROM delivery WHERE run = ?1 AND sink = ?2 AND part = 'message'";
        let mut delete = self.connection.prepare_cached(sql).map_err(writing)?;
        for run in runs {
            delete.execute(params![run.0 as i64, sink]).map_err(writing)?;
        }
        Ok(())
    }

    /// Notes that messages about runs after this one have another name in their labels.
    pub(super) fn line(&mut self, name: &str, last: RunId) -> Result<(), StoreError> {
        // No run began since the line before with the same last run, so nothing that is here has its
        // name. What is not here may have it, and must not be taken for what comes now.
        let older = "DELETE FROM meta WHERE key LIKE 'line.%' AND value = ?1";
        self.connection.execute(older, [last.0 as i64]).map_err(writing)?;
        let sql = "INSERT OR REPLACE INTO meta VALUES ('line.' || ?1, ?2)";
        let noted = self.connection.execute(sql, params![name, last.0 as i64]);
        noted.map(|_| ()).map_err(writing)
    }
}

/// The last run that was taken out, and the last one that there ever was.
pub(super) fn last_runs(connection: &Connection) -> rusqlite::Result<(u64, RunId)> {
    let sql = "SELECT coalesce(max(run), 0), (SELECT coalesce(max(id), 0) FROM run) FROM cut";
    connection.query_row(sql, [], |row| {
        let (gone, last) = (rows::number(row, 0)?, rows::number(row, 1)?);
        Ok((gone, RunId(last.max(gone))))
    })
}
