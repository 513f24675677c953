//! What goes because the file is too large, and when: contents of returns first, those of quiet runs
//! before others, then the oldest runs with their entries; in each case the oldest of it.
//!
//! So much is kept of a month that nobody has to do without what happened lately; only where that is not
//! enough, it goes down to three days. What an able sink is owed stays, and so does what is open. What
//! that comes to is said: by an entry, in the log, and to those who ask how the journal is.

use std::collections::BTreeMap;

use herald_core::change::{Change, What};
use herald_core::limited::{Limited, Unsaid};
use rusqlite::Connection;

use super::round::{Round, Step};
use super::watch::{Size, room, spare};
use super::{Limits, Phase};
use crate::store::StoreError;
use crate::store::sqlite::cut::{self, Base, FEW, Scan};
use crate::store::sqlite::sealing::signed_within;
use crate::store::sqlite::write::{reading, writing};

/// One part in so many goes beyond what has to, so that it is not always the last entry that is one
/// too many.
const AHEAD: u64 = 32;
/// Rows that are summed up at once.
const ROWS: i64 = 1000;

/// What goes in turn, and down to how many days.
const STAGES: [(Kind, i64); 6] = [
    (Kind::Quiet, 30),
    (Kind::Results, 30),
    (Kind::Runs, 30),
    (Kind::Quiet, SHORTEST),
    (Kind::Results, SHORTEST),
    (Kind::Runs, SHORTEST),
];
/// What was given out lately is not given out again: whoever remembers it does so for a day.
const SHORTEST: i64 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Contents that only quiet runs returned.
    Quiet,
    /// Contents.
    Results,
    /// Runs and all else, by cutting the chain.
    Runs,
}

/// Why no more can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// What is left is of the last days.
    Young,
    /// The oldest run has not ended.
    Open,
    /// This sink is owed the oldest run.
    Owed(String),
    /// The file can't get shorter.
    Stiff,
}

impl Stop {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Young => "young",
            Self::Open => "open",
            Self::Owed(_) => "owed",
            Self::Stiff => "stiff",
        }
    }

    pub(super) fn sink(&self) -> Option<&str> {
        match self {
            Self::Owed(sink) => Some(sink),
            _ => None,
        }
    }
}

/// What a round for the file's size has come to.
#[derive(Debug)]
pub(super) struct Pressure {
    limit: u64,
    /// Which of the stages is on.
    stage: usize,
    /// From which day on contents are kept.
    limits: Limits,
    /// What is needed begins on that day.
    needed: Option<i64>,
    stop: Option<Stop>,
}

impl Pressure {
    pub(super) fn new(limit: u64, limits: Limits) -> Self {
        Self { limit, stage: 0, limits, needed: None, stop: None }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Why no more can go, if that is so.
    pub(super) fn stopped(self) -> Option<Stop> {
        self.stop
    }

    /// The chain can't be cut any further.
    pub(super) fn cannot_cut(&mut self, why: Stop) {
        self.stop = Some(why);
        self.stage += 1;
    }
}

/// Sums up by day what contents could go.
#[derive(Debug)]
pub(super) struct Weighing {
    kind: Kind,
    limits: Limits,
    base: Base,
    /// The first day of which all is kept.
    floor: i64,
    /// How many bytes are too many.
    excess: u64,
    /// Looked at up to this payload.
    after: i64,
    /// What goes once a day's contents go.
    by_day: BTreeMap<i64, u64>,
}

impl Weighing {
    /// Looks at some more; whether there are more to look at.
    pub(super) fn step(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let sql = "SELECT payload, loud, quiet, bytes, entry FROM used WHERE payload > ?1 \
                   ORDER BY payload LIMIT ?2";
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query([self.after, ROWS])?;
        let mut any = false;
        while let Some(row) = rows.next()? {
            any = true;
            self.after = row.get(0)?;
            let (loud, quiet): (i64, i64) = (row.get(1)?, row.get(2)?);
            let (bytes, entry): (i64, i64) = (row.get(3)?, row.get(4)?);
            if entry <= self.base.last
                && let Some(day) = self.goes_after(loud, quiet)
            {
                *self.by_day.entry(day).or_default() += bytes.unsigned_abs();
            }
        }
        Ok(any)
    }

    /// The last day that has to go for these contents to go, if they can.
    fn goes_after(&self, loud: i64, quiet: i64) -> Option<i64> {
        let day = match self.kind {
            Kind::Quiet if loud < self.limits.loud || loud == 0 => quiet,
            Kind::Results if quiet < self.limits.quiet => loud,
            Kind::Results => loud.max(quiet),
            Kind::Quiet | Kind::Runs => return None,
        };
        (day < self.floor).then_some(day)
    }

    /// From which day on contents are kept, so that enough of them go; nothing where none can.
    fn choose(&self) -> Option<Limits> {
        let mut freed = 0;
        let mut last = None;
        for (day, bytes) in &self.by_day {
            last = Some(*day);
            freed += bytes;
            if freed >= self.excess {
                break;
            }
        }
        let first = last? + 1;
        let Limits { loud, quiet } = self.limits;
        Some(match self.kind {
            Kind::Quiet => Limits { loud, quiet: quiet.max(first) },
            _ => Limits { loud: loud.max(first), quiet: quiet.max(first) },
        })
    }
}

impl Round<'_, '_> {
    /// What is to go next for the file's size.
    pub(super) fn press(&mut self) -> Result<Step, StoreError> {
        let connection = self.insert.connection;
        let Size { used, .. } = Size::of(connection).map_err(reading)?;
        let (settled, today) = (self.owed.settled(), self.today);
        let Some(pressure) = self.pressure.as_mut() else { return Ok(Step::Done) };
        let room = room(pressure.limit) - spare(pressure.limit);
        let excess = used.saturating_sub(room - room / AHEAD);
        let stage = STAGES.get(pressure.stage).filter(|_| excess > 0);
        let Some((kind, days)) = stage.copied() else {
            pressure.stop = pressure.stop.take().filter(|_| used > room);
            self.note("limit").map_err(writing)?;
            return Ok(Step::Done);
        };
        let needed = match pressure.needed {
            Some(day) => day,
            None => self.owed.first_day(connection).map_err(reading)?,
        };
        pressure.needed = Some(needed);
        let floor = (today - days).min(needed);
        let limits = pressure.limits;
        let base = cut::base(connection).map_err(reading)?;
        if kind != Kind::Runs {
            let by_day = BTreeMap::new();
            let weighing = Weighing { kind, limits, base, floor, excess, after: 0, by_day };
            return Ok(Step::Next(Phase::Weighing(weighing)));
        }
        // On the average an entry, with all that belongs to it, takes its part of the file.
        let began = self.insert.end.number;
        let entries = u128::from(began).saturating_sub(base.last.unsigned_abs().into());
        let part = entries * u128::from(excess) / u128::from(used.max(1));
        let enough = base.last + i64::try_from(part).unwrap_or(i64::MAX).max(FEW);
        let until = self.entry_of(today - days).map_err(reading)? - 1;
        let until = signed_within(connection, until).map_err(reading)?;
        let scan = Scan::new(base, until, settled, began).that_ends_at(enough);
        Ok(Step::Next(Phase::Scanning(scan)))
    }

    /// All contents were summed up.
    pub(super) fn weighed(&mut self, weighing: &Weighing) -> Result<Step, StoreError> {
        let Some(pressure) = self.pressure.as_mut() else { return Ok(Step::Done) };
        let Some(limits) = weighing.choose() else {
            pressure.stage += 1;
            return self.press();
        };
        pressure.limits = limits;
        self.say_limited(0, Vec::new())?;
        Ok(Step::Next(Phase::Contents { after: 0, limits, base: weighing.base }))
    }

    /// Records what goes from now on.
    pub(super) fn say_limited(&mut self, last: i64, unsaid: Vec<Unsaid>) -> Result<(), StoreError> {
        let Some(pressure) = self.pressure.as_ref() else { return Ok(()) };
        let day = |day: i64| u32::try_from(day.max(0)).unwrap_or(u32::MAX);
        let limited = Limited {
            limit: pressure.limit,
            results_before: day(pressure.limits.loud),
            quiet_before: day(pressure.limits.quiet),
            last: last.unsigned_abs(),
            unsaid,
        };
        let (at, what) = (self.insert.now, What::Limited(limited));
        self.insert.entry(&Change { at, what, payloads: Vec::new() })
    }
}
