//! Times in which we were blind, and what was found of them afterwards: rows in and out.
//!
//! When a back-fill is due, and what is said of it, is decided elsewhere.

use herald_core::backfill::{Added, Backfill, CacheState};
use herald_core::change::What;
use herald_core::run::{Flag, RunId};
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::read::JournalReader;
use super::rows;
use super::write::Insert;
use crate::store::{Backfilled, Gap, StoreError};

/// The columns of `backfill`, in the order in which [`backfilled`] reads them.
const BACKFILL: &str = "backfill.entry, backfill.gap, backfill.from_at, backfill.to_at, \
    backfill.cache, backfill.runs, backfill.returns, backfill.completed, backfill.unread";

/// Where a batch was refused, each entry that it had is the same gap: it goes by the first.
const GAPS: &str = "(SELECT min(entry) AS entry, from_at, to_at, reason FROM gap \
    GROUP BY from_at, to_at, reason) AS gap";

impl Insert<'_> {
    /// The rows of gaps, of back-fills, and of what they found.
    pub(super) fn blindness(&mut self, entry: i64, what: &What) -> rusqlite::Result<()> {
        match what {
            What::Gap { from, to, reason } => {
                let (from, to) = (from.as_microsecond(), to.as_microsecond());
                let sql = "INSERT INTO gap VALUES (?1, ?2, ?3, ?4)";
                self.connection.prepare_cached(sql)?.execute(params![
                    entry,
                    from,
                    to,
                    reason.name()
                ])?;
            }
            What::Backfilled(backfill) => {
                let Backfill { gap, from, to, cache, added, unread } = backfill;
                self.connection
                    .prepare_cached(
                        "INSERT INTO backfill VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    )?
                    .execute(params![
                        entry,
                        gap.map(|gap| gap as i64),
                        from.as_microsecond(),
                        to.as_microsecond(),
                        cache.name(),
                        added.runs as i64,
                        added.returns as i64,
                        added.completed as i64,
                        *unread as i64
                    ])?;
            }
            What::Flagged { run, flag: Flag::Backfilled } => {
                self.connection
                    .prepare_cached("INSERT OR IGNORE INTO backfilled VALUES (?1, ?2)")?
                    .execute(params![run.0 as i64, entry])?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl JournalReader {
    /// The times in which we were blind, the latest first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn gaps(&self, limit: usize) -> Result<Vec<Gap>, StoreError> {
        let sql = gap_query("", "ORDER BY gap.entry DESC LIMIT ?1");
        self.all(&sql, [limit as i64], gap)
    }

    /// The times in which we were blind that began before `until` and ended at `since` or later, in
    /// the order of their beginning.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn gaps_between(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Gap>, StoreError> {
        let sql = gap_query(
            "WHERE gap.to_at >= ?1 AND gap.from_at < ?2",
            "ORDER BY gap.from_at, gap.entry",
        );
        self.all(&sql, [since.as_microsecond(), until.as_microsecond()], gap)
    }

    /// The gaps for which nobody looked into the job cache to the end, the earliest first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn gaps_to_fill(&self) -> Result<Vec<Gap>, StoreError> {
        let sql = gap_query("WHERE backfill.entry IS NULL", "ORDER BY gap.entry");
        self.all(&sql, [], gap)
    }

    /// When the latest of the gaps ended that were not read whole: their back-fill could not read
    /// everything, or they come after this entry and nobody looked yet. Up to it, who had none has it now.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn blind_until(&self, read: u64) -> Result<Option<Timestamp>, StoreError> {
        let looked = "SELECT 1 FROM backfill WHERE backfill.gap = gap.entry";
        let sql = format!(
            "SELECT to_at FROM {GAPS} WHERE (entry > ?1 OR EXISTS ({looked})) AND NOT EXISTS \
             ({looked} AND cache = 'read' AND unread = 0 AND backfill.from_at <= gap.from_at) \
             ORDER BY to_at DESC LIMIT 1"
        );
        self.first(&sql, [read as i64], |row| rows::time(row, 0))
    }

    /// When this journal was begun.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn begun_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.first("SELECT at FROM entry ORDER BY number LIMIT 1", [], |row| rows::time(row, 0))
    }

    /// The runs that the back-fills found whose entries come after this one: those that are said.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn found_after(&self, entry: u64) -> Result<Vec<RunId>, StoreError> {
        let entry = entry as i64;
        let sql = "SELECT max(entry) FROM backfill WHERE entry > ?1";
        let last: Option<i64> = self.first(sql, [entry], |row| row.get(0))?.flatten();
        let Some(last) = last else { return Ok(Vec::new()) };
        let sql = "SELECT coalesce(max(entry), 0) FROM backfill WHERE entry <= ?1";
        let before: i64 = self.first(sql, [entry], |row| row.get(0))?.unwrap_or(0);
        self.all(
            "SELECT id FROM backfilled JOIN run ON run.id = backfilled.run \
             WHERE entry > ?1 AND entry < ?2 AND (said OR told_with = id) ORDER BY id",
            [before, last],
            |row| Ok(RunId(rows::number(row, 0)?)),
        )
    }

    /// The back-fills whose entries come after this one.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn backfills_after(&self, entry: u64) -> Result<Vec<Backfilled>, StoreError> {
        let sql = format!("SELECT {BACKFILL} FROM backfill WHERE entry > ?1 ORDER BY entry");
        self.all(&sql, [entry as i64], |row| backfilled(row, 0))
    }

    /// The back-fill that found a run of which nothing was known: it ended after the run was added.
    /// Nothing, too, while it is under way.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn found_by(&self, run: RunId) -> Result<Option<Backfilled>, StoreError> {
        let sql = format!(
            "SELECT {BACKFILL} FROM backfill JOIN backfilled ON backfill.entry > backfilled.entry \
             WHERE run = ?1 ORDER BY backfill.entry LIMIT 1"
        );
        self.first(&sql, [run.0 as i64], |row| backfilled(row, 0))
    }
}

/// Gaps with the last back-fill of each, and what all of them added.
fn gap_query(filter: &str, order: &str) -> String {
    // Where one maximum is asked for, the other columns are of the row that has it.
    format!(
        "SELECT gap.entry, gap.from_at, gap.to_at, gap.reason, max(backfill.entry), backfill.gap, \
         backfill.from_at, backfill.to_at, backfill.cache, sum(backfill.runs), \
         sum(backfill.returns), sum(backfill.completed), backfill.unread FROM {GAPS} \
         LEFT JOIN backfill ON backfill.gap = gap.entry {filter} GROUP BY gap.entry {order}"
    )
}

fn gap(row: &Row<'_>) -> rusqlite::Result<Gap> {
    let filled: Option<i64> = row.get(4)?;
    Ok(Gap {
        entry: rows::number(row, 0)?,
        from: rows::time(row, 1)?,
        to: rows::time(row, 2)?,
        reason: row.get(3)?,
        filled: filled.map(|_| backfilled(row, 4)).transpose()?,
    })
}

fn backfilled(row: &Row<'_>, first: usize) -> rusqlite::Result<Backfilled> {
    let gap: Option<i64> = row.get(first + 1)?;
    Ok(Backfilled {
        entry: rows::number(row, first)?,
        backfill: Backfill {
            gap: gap.map(|gap| gap as u64),
            from: rows::time(row, first + 2)?,
            to: rows::time(row, first + 3)?,
            cache: rows::named(row, first + 4, CacheState::from_name)?,
            added: Added {
                runs: rows::number(row, first + 5)?,
                returns: rows::number(row, first + 6)?,
                completed: rows::number(row, first + 7)?,
            },
            unread: rows::number(row, first + 8)?,
        },
    })
}
