//! Cutting the chain: up to which entry it can be cut so that every run stays whole or goes whole, the
//! checkpoint that says so, and taking out what stood before it.
//!
//! How old something may get is decided elsewhere.

use herald_core::change::{Change, Cut, MinionNames, Storable, What};
use herald_core::digest::Digest;
use herald_core::run::{JobId, RunId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use super::write::{Insert, reading, writing};
use crate::store::StoreError;

/// Entries that are looked at at once.
const PORTION: i64 = 500;
/// Rows that are taken out at once.
const ROWS: i64 = 200;
/// Where an entry's fields begin.
const FIELDS: usize = 34;
/// Without a run in it, so many entries are not worth a checkpoint.
pub(super) const FEW: i64 = 1000;

/// Where the chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// The last entry that went; 0: none.
    pub(super) last: i64,
    /// Its hash.
    pub(super) hash: Digest,
    /// Runs up to this one went.
    pub(super) run: i64,
}

/// The last cut of a file, by the entry that says so.
pub(super) fn base(connection: &Connection) -> rusqlite::Result<Base> {
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM entry WHERE number = (SELECT max(entry) FROM cut)")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let number = |bytes: &[u8], at: usize| {
        let field = bytes.get(at..at + 8).and_then(|field| field.first_chunk().copied());
        field.map_or(0, i64::from_be_bytes)
    };
    Ok(found.map_or(Base { last: 0, hash: Digest::ZERO, run: 0 }, |bytes| Base {
        last: number(&bytes, FIELDS),
        hash: bytes.get(42..74).and_then(Digest::from_slice).unwrap_or_default(),
        run: number(&bytes, 74),
    }))
}

/// Looks for the place of a cut, in portions.
#[derive(Debug)]
pub(super) struct Scan {
    /// The cut before.
    base: Base,
    /// Entries after this one are too young.
    until: i64,
    /// Of what changed after this one something may still be owed to a sink.
    settled: i64,
    /// The last entry when it began.
    began: i64,
    /// Looked at so far.
    at: i64,
    /// The last run that began up to there.
    run: i64,
    /// The last run that a job belongs to that began up to there.
    needs: i64,
    /// The best place so far, with the last run before it.
    found: Option<(i64, i64)>,
    /// It ended at a run that only what is owed of it keeps.
    owed: Option<i64>,
    /// It ended at a run that is open.
    open: bool,
    /// A place from this entry on is far enough.
    enough: i64,
}

impl Scan {
    pub(super) fn new(base: Base, until: i64, settled: i64, began: u64) -> Self {
        let (began, at, run) = (began as i64, base.last, base.run);
        let (owed, open, enough) = (None, false, i64::MAX);
        Self { base, until, settled, began, at, run, needs: 0, found: None, owed, open, enough }
    }

    /// The same, that looks no further than for the first place at or after an entry.
    pub(super) fn that_ends_at(self, enough: i64) -> Self {
        Self { enough, ..self }
    }

    /// Whether one of the runs that it would take changed since it began: then it has to begin anew.
    pub(super) fn is_outrun(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let Some((_, run)) = self.found else {
            return Ok(false);
        };
        let sql = "SELECT EXISTS (SELECT 1 FROM run WHERE version > ?1 AND id <= ?2)";
        connection.prepare_cached(sql)?.query_row([self.began, run], |row| row.get(0))
    }

    #[cfg(test)]
    pub(super) fn is_at_its_beginning(&self) -> bool {
        self.at == self.base.last
    }

    /// The run at which it ended, if that is old enough, but may be owed to a sink.
    pub(super) fn owed(&self) -> Option<i64> {
        self.owed
    }

    /// Whether it ended at a run that has not.
    pub(super) fn is_at_open_run(&self) -> bool {
        self.open
    }

    /// Looks at some more entries; whether there are more to look at.
    pub(super) fn step(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut select = connection.prepare_cached(
            "SELECT number, kind, bytes FROM entry WHERE number > ?1 AND number <= ?2 \
             ORDER BY number LIMIT ?3",
        )?;
        let mut rows = select.query([self.at, self.until, PORTION])?;
        let mut any = false;
        while let Some(row) = rows.next()? {
            any = true;
            self.at = row.get(0)?;
            let subject = row.get_ref(2)?.as_blob().unwrap_or_default().get(FIELDS..FIELDS + 8);
            let subject = subject.and_then(|bytes| bytes.first_chunk().copied());
            let subject = i64::from_be_bytes(subject.unwrap_or_default());
            match row.get::<_, i64>(1)? {
                4 if self.stays(connection, subject)? => return Ok(false),
                4 => self.run = subject,
                6 => self.needs = self.needs.max(run_of(connection, subject)?),
                _ => {}
            }
            // A job that came to belong to a run after the cut would lose its beginning.
            if self.needs <= self.run {
                self.found = Some((self.at, self.run));
                if self.at >= self.enough {
                    return Ok(false);
                }
            }
        }
        Ok(any)
    }

    /// A run stays if it is open, if something may be owed of it, or if it changed too lately.
    fn stays(&mut self, connection: &Connection, run: i64) -> rusqlite::Result<bool> {
        let found: Option<(bool, i64)> = connection
            .prepare_cached("SELECT status = 'running', version FROM run WHERE id = ?1")?
            .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((open, version)) = found else {
            return Ok(false);
        };
        let is_kept = open || version > self.until;
        self.open = open;
        self.owed = (!is_kept && version > self.settled).then_some(run);
        Ok(is_kept || self.owed.is_some())
    }

    /// The cut that it came to, if it is worth one.
    pub(super) fn cut(&self, insert: &mut Insert<'_>) -> Result<bool, StoreError> {
        let Some((last, run)) = self.found else {
            return Ok(false);
        };
        if run <= self.base.run && last - self.base.last < FEW {
            return Ok(false);
        }
        let connection = insert.connection;
        let change = checkpoint(connection, last, run, insert.now).map_err(reading)?;
        insert.entry(&change)?;
        insert.say_scrubs_again(last, run as u64)?;
        Ok(true)
    }
}

fn run_of(connection: &Connection, job: i64) -> rusqlite::Result<i64> {
    let run = connection
        .prepare_cached("SELECT run FROM job WHERE id = ?1")?
        .query_row([job], |row| row.get(0))
        .optional()?;
    Ok(run.unwrap_or(0))
}

fn checkpoint(
    connection: &Connection,
    last: i64,
    run: i64,
    at: Timestamp,
) -> rusqlite::Result<Change> {
    let hash = connection
        .query_row("SELECT hash FROM entry WHERE number = ?1", [last], |row| row.get(0))?;
    let job = connection
        .query_row("SELECT coalesce(max(id), 0) FROM job", [], |row| rows::number(row, 0))?;
    let before: u64 = connection
        .query_row("SELECT coalesce(max(job), 0) FROM cut", [], |row| rows::number(row, 0))?;
    let mut names = connection.prepare("SELECT name FROM minion ORDER BY number")?;
    let names = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut payloads = Vec::new();
    let cut = Cut {
        last: last as u64,
        hash: Digest(hash),
        run: RunId(run as u64),
        job: JobId(job.max(before)),
        minions: MinionNames(names).named(&mut payloads),
    };
    Ok(Change { at, what: What::Cut(cut), payloads })
}

impl Insert<'_> {
    /// The rows of a cut: from now on what comes to those runs does not bring them back.
    pub(super) fn cut(&mut self, entry: i64, at: Timestamp, cut: &Cut) -> rusqlite::Result<()> {
        self.gone = self.gone.max(cut.run.0);
        self.connection.execute(
            "INSERT INTO cut VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                entry,
                at.as_microsecond(),
                cut.last as i64,
                cut.hash.0,
                cut.run.0 as i64,
                cut.job.0 as i64
            ],
        )?;
        Ok(())
    }

    /// Takes out some of what stood before the cut: first the runs, which hides them, then what
    /// belonged to them, then the entries. How many runs and entries went; nothing is left when both
    /// are nothing.
    pub(super) fn clear_cut(&mut self, base: Base) -> Result<Option<(u64, u64)>, StoreError> {
        self.clear_rows(base).map_err(writing)
    }

    fn clear_rows(&mut self, base: Base) -> rusqlite::Result<Option<(u64, u64)>> {
        let run = |sql: &str, upto: i64| -> rusqlite::Result<u64> {
            Ok(self.connection.prepare_cached(sql)?.execute([upto, ROWS])? as u64)
        };
        let runs = run(
            "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE id <= ?1 LIMIT ?2)",
            base.run,
        )?;
        if runs > 0 {
            return Ok(Some((runs, 0)));
        }
        let job: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM job WHERE run <= ?1 LIMIT 1")?
            .query_row([base.run], |row| row.get(0))
            .optional()?;
        if let Some(job) = job {
            self.clear_job(job)?;
            return Ok(Some((0, 0)));
        }
        let others = [
            "DELETE FROM delivery WHERE (run, sink, part) IN \
             (SELECT run, sink, part FROM delivery WHERE run <= ?1 LIMIT ?2)",
            "DELETE FROM backfilled WHERE run IN \
             (SELECT run FROM backfilled WHERE run <= ?1 LIMIT ?2)",
        ];
        for sql in others {
            if run(sql, base.run)? > 0 {
                return Ok(Some((0, 0)));
            }
        }
        for table in [
            "gap",
            "backfill",
            "cut",
            "unsaid",
            "key_event",
            "suspect",
            "seal",
            "scrub",
            "scrubbed",
            "volatile",
        ] {
            let sql = format!(
                "DELETE FROM {table} WHERE entry IN \
                 (SELECT entry FROM {table} WHERE entry <= ?1 LIMIT ?2)"
            );
            if run(&sql, base.last)? > 0 {
                return Ok(Some((0, 0)));
            }
        }
        let entries = run(
            "DELETE FROM entry WHERE number IN \
             (SELECT number FROM entry WHERE number <= ?1 ORDER BY number LIMIT ?2)",
            base.last,
        )?;
        if entries > 0 {
            return Ok(Some((0, entries)));
        }
        // The first of the days that are left is known by its own row only.
        let sql = "DELETE FROM day WHERE entry <= ?1 AND day < (SELECT max(day) FROM day WHERE entry <= ?1)";
        self.connection.execute(sql, [base.last])?;
        Ok(None)
    }

    fn clear_job(&mut self, job: i64) -> rusqlite::Result<()> {
        let clear = |sql: &str| -> rusqlite::Result<usize> {
            self.connection.prepare_cached(sql)?.execute([job, ROWS])
        };
        let returns = clear(
            "DELETE FROM return WHERE job = ?1 AND minion IN \
             (SELECT minion FROM return WHERE job = ?1 LIMIT ?2)",
        )?;
        let failures = clear(
            "DELETE FROM failure WHERE rowid IN (SELECT rowid FROM failure WHERE job = ?1 LIMIT ?2)",
        )?;
        if returns + failures == 0 {
            self.connection.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([job])?;
        }
        Ok(())
    }

    /// Takes out rows that belong to no job or run that is there.
    pub(super) fn clear_strays(&mut self) -> rusqlite::Result<()> {
        let gone = "DELETE FROM backfilled WHERE run <= (SELECT coalesce(max(run), 0) FROM cut)";
        self.connection.execute(gone, [])?;
        for table in ["return", "failure"] {
            let sql = format!("DELETE FROM {table} WHERE job NOT IN (SELECT id FROM job)");
            self.connection.execute(&sql, [])?;
        }
        Ok(())
    }
}
