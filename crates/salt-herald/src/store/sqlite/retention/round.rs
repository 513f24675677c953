//! One round through the file, step by step, in the transaction of whoever lets it work.

use std::time::Duration;

use rusqlite::params;

use super::limit::{Pressure, Stop};
use super::owed::Owed;
use super::{Limits, Phase, Taken};
use crate::store::sqlite::cut::{self, Scan};
use crate::store::sqlite::sealing::signed_within;
use crate::store::sqlite::write::{Insert, reading, writing};
use crate::store::{Keeping, StoreError};

/// What a step came to.
pub(super) enum Step {
    More,
    Next(Phase),
    Done,
}

pub(super) struct Round<'r, 'i> {
    pub(super) insert: &'r mut Insert<'i>,
    pub(super) keeping: &'r Keeping,
    pub(super) today: i64,
    pub(super) owed: &'r Owed,
    pub(super) taken: &'r mut Taken,
    /// It is for the file's size, and not for what is old.
    pub(super) pressure: &'r mut Option<Pressure>,
}

impl Round<'_, '_> {
    pub(super) fn step(&mut self, phase: &mut Phase) -> Result<Step, StoreError> {
        let connection = self.insert.connection;
        match phase {
            Phase::Resting if self.pressure.is_some() => self.press(),
            Phase::Resting => {
                let base = cut::base(connection).map_err(reading)?;
                let first = first_day(self.keeping.runs, self.today);
                let until = self.entry_of(first).map_err(reading)? - 1;
                let until = signed_within(connection, until).map_err(reading)?;
                let began = self.insert.end.number;
                let scan = Scan::new(base, until, self.owed.settled(), began);
                Ok(Step::Next(Phase::Scanning(scan)))
            }
            Phase::Weighing(weighing) => {
                if weighing.step(connection).map_err(reading)? {
                    return Ok(Step::More);
                }
                self.weighed(weighing)
            }
            Phase::Scanning(scan) => {
                if scan.step(connection).map_err(reading)? {
                    return Ok(Step::More);
                }
                if scan.is_outrun(connection).map_err(reading)? {
                    return Ok(Step::Next(Phase::Resting));
                }
                self.scanned(scan)
            }
            Phase::Clearing(base) => {
                let Some((runs, entries)) = self.insert.clear_cut(*base)? else {
                    let limits = match self.pressure {
                        Some(pressure) => pressure.limits(),
                        None => limits(self.keeping, self.today),
                    };
                    return Ok(Step::Next(Phase::Contents { after: 0, limits, base: *base }));
                };
                self.taken.runs += runs;
                self.taken.entries += entries;
                Ok(Step::More)
            }
            Phase::Contents { after, limits, base } => {
                let (limits, base) = (*limits, *base);
                match self.clear_contents(*after, limits, base).map_err(writing)? {
                    Some(last) => *after = last,
                    None => return Ok(Step::Next(Phase::Times(limits))),
                }
                Ok(Step::More)
            }
            Phase::Times(limits) => {
                let limits = *limits;
                if self.clear_times(limits).map_err(writing)? {
                    return Ok(Step::More);
                }
                if self.pressure.is_some() {
                    return self.press();
                }
                self.note_looked().and_then(|()| self.note("age")).map_err(writing)?;
                Ok(Step::Done)
            }
            Phase::Vacuum => Ok(Step::Done),
        }
    }

    fn scanned(&mut self, scan: &Scan) -> Result<Step, StoreError> {
        let connection = self.insert.connection;
        let before = cut::base(connection).map_err(reading)?;
        let has_cut = scan.cut(self.insert)?;
        let base = cut::base(connection).map_err(reading)?;
        let Some(pressure) = self.pressure.as_mut() else {
            self.note_owed(scan.owed()).map_err(writing)?;
            return Ok(Step::Next(Phase::Clearing(base)));
        };
        if !has_cut {
            pressure.cannot_cut(match (scan.owed(), self.owed.last()) {
                (Some(_), Some(sink)) => Stop::Owed(sink.to_owned()),
                _ if scan.is_at_open_run() => Stop::Open,
                _ => Stop::Young,
            });
            return self.press();
        }
        let unsaid = self.owed.unsaid(connection, (before.run, base.run)).map_err(reading)?;
        for one in &unsaid {
            let (sink, runs) = (&one.sink, one.runs);
            let what = "the journal's limit takes runs that this sink was not told of";
            tracing::error!(sink, runs, from = %one.from, to = %one.to, "{what}");
        }
        self.say_limited(base.last, unsaid)?;
        Ok(Step::Next(Phase::Clearing(base)))
    }

    /// Notes for which sink a run is kept that is old enough.
    fn note_owed(&self, run: Option<i64>) -> rusqlite::Result<()> {
        let connection = self.insert.connection;
        connection.execute("DELETE FROM meta WHERE key IN ('kept_run', 'kept_for')", [])?;
        if let (Some(run), Some(sink)) = (run, self.owed.last()) {
            let sql = "INSERT INTO meta VALUES ('kept_run', ?1), ('kept_for', ?2)";
            connection.execute(sql, params![run, sink])?;
        }
        Ok(())
    }

    /// The first entry of that day, or of one after it.
    pub(super) fn entry_of(&self, day: i64) -> rusqlite::Result<i64> {
        let sql = "SELECT min(entry) FROM day WHERE day >= ?1";
        let found: Option<i64> = self.insert.connection.query_row(sql, [day], |row| row.get(0))?;
        // Nothing was recorded since.
        Ok(found.unwrap_or(self.insert.end.number as i64 + 1))
    }

    fn note_looked(&self) -> rusqlite::Result<()> {
        let at = self.insert.now.as_microsecond();
        let sql = "INSERT OR REPLACE INTO meta VALUES ('looked_for_old_at', ?1)";
        self.insert.connection.execute(sql, [at]).map(|_| ())
    }

    /// Notes what the round took, and why.
    pub(super) fn note(&mut self, why: &str) -> rusqlite::Result<()> {
        let Taken { runs, entries, results, bytes } = *self.taken;
        if runs + entries + results == 0 {
            return Ok(());
        }
        let at = self.insert.now.as_microsecond();
        self.insert.connection.execute(
            "INSERT OR REPLACE INTO taken VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![at, why, entries as i64, runs as i64, results as i64, bytes as i64],
        )?;
        let sql = "DELETE FROM taken WHERE at < (SELECT at FROM taken ORDER BY at DESC LIMIT 1 OFFSET 99)";
        self.insert.connection.execute(sql, [])?;
        Ok(())
    }
}

/// From which day on contents are kept, by the config.
pub(super) fn limits(keeping: &Keeping, today: i64) -> Limits {
    let loud = first_day(keeping.results, today);
    Limits { loud, quiet: first_day(keeping.quiet, today).max(loud) }
}

/// The first day of which something is kept.
fn first_day(span: Option<Duration>, today: i64) -> i64 {
    let days = span.map_or(i64::MAX, |span| (span.as_secs() / 86_400) as i64);
    today.saturating_sub(days)
}
