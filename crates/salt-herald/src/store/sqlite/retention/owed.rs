//! What sinks are still owed of what is to be taken out: it stays, unless the file is too large and nobody
//! mended the sink for long. Then it is told what will not be said.
//!
//! How far sinks are is the publisher's word.

use herald_core::limited::Unsaid;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::sqlite::rows;

/// A sink that could not be told anything for so many days is not waited for when the file is too large.
pub(super) const PATIENCE: i64 = 7;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What some sinks are owed.
#[derive(Debug)]
pub(super) struct Owed {
    sinks: Vec<Owing>,
    /// Those that are not waited for.
    left: Vec<Owing>,
}

#[derive(Debug)]
struct Owing {
    sink: String,
    /// Up to this entry nothing is owed.
    settled: i64,
    /// What came up to this entry was never owed.
    since: i64,
    /// The day on which it was able for the last time, if it is not.
    failing_since: Option<i64>,
}

impl Owed {
    /// One that was never served is owed all.
    pub(super) fn to(sinks: &[String], connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT settled, since, failing_since FROM sink WHERE name = ?1";
        let mut select = connection.prepare_cached(sql)?;
        let mut owing = |sink: &String| {
            let row = |row: &rusqlite::Row<'_>| {
                let failing: Option<i64> = row.get(2)?;
                let failing_since = failing.map(|at| at.div_euclid(DAY));
                Ok(Owing {
                    sink: sink.clone(),
                    settled: row.get(0)?,
                    since: row.get(1)?,
                    failing_since,
                })
            };
            let never = Owing { sink: sink.clone(), settled: 0, since: 0, failing_since: None };
            Ok(select.query_row([sink], row).optional()?.unwrap_or(never))
        };
        let sinks = sinks.iter().map(&mut owing).collect::<rusqlite::Result<_>>()?;
        Ok(Self { sinks, left: Vec::new() })
    }

    /// Without those that nobody mended for long.
    pub(super) fn without_given_up(self, today: i64) -> Self {
        let is_able = |one: &Owing| one.failing_since.is_none_or(|day| today - day < PATIENCE);
        let (sinks, left) = self.sinks.into_iter().partition(is_able);
        Self { sinks, left }
    }

    /// Up to which entry nothing is owed to any of them.
    pub(super) fn settled(&self) -> i64 {
        self.sinks.iter().map(|one| one.settled).min().unwrap_or(i64::MAX)
    }

    /// The one that is owed most.
    pub(super) fn last(&self) -> Option<&str> {
        let least = self.sinks.iter().min_by_key(|one| one.settled);
        least.map(|one| one.sink.as_str())
    }

    /// The day from which on something is needed: of a run that is open, or of which something is owed.
    pub(super) fn first_day(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let sql = "SELECT started_at FROM run WHERE id = \
                   (SELECT min(id) FROM run WHERE version > ?1 OR status = 'running')";
        let began = connection.prepare_cached(sql)?;
        let mut began = began;
        let began: Option<i64> = began.query_row([self.settled()], |row| row.get(0)).optional()?;
        Ok(began.map_or(i64::MAX, |at| at.div_euclid(DAY)))
    }

    /// What those that are not waited for will not be told, where runs after one and up to another go.
    pub(super) fn unsaid(
        &self,
        connection: &Connection,
        (after, upto): (i64, i64),
    ) -> rusqlite::Result<Vec<Unsaid>> {
        let sql = "SELECT count(*), coalesce(min(started_at), 0), coalesce(max(started_at), 0) \
                   FROM run WHERE id > ?1 AND id <= ?2 AND version > ?3 \
                   AND (said OR told_with = id) AND NOT EXISTS (SELECT 1 FROM delivery \
                   WHERE delivery.run = run.id AND sink = ?4 AND delivery.version >= run.version)";
        let mut select = connection.prepare_cached(sql)?;
        let mut unsaid = Vec::new();
        for Owing { sink, settled, since, .. } in &self.left {
            let values = params![after, upto, settled.max(since), sink];
            let (runs, from, to) = select.query_row(values, |row| {
                Ok((rows::number(row, 0)?, rows::time(row, 1)?, rows::time(row, 2)?))
            })?;
            if runs > 0 {
                unsaid.push(Unsaid { sink: sink.clone(), runs, from, to });
            }
        }
        Ok(unsaid)
    }
}
