//! What goes because the file is too large, and when: contents of returns first, those of quiet runs
//! before others, then the oldest runs with their entries; in each case the oldest of it.
//!
//! So much is kept of a month that nobody has to do without what happened lately; only where that is not
//! enough, it goes down to three days. What an able sink is owed stays, and so does what is open. What
//! that comes to is said: by an entry, in the log, and to those who ask how the journal is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use herald_core::change::{Change, What};
use herald_core::limited::{Limited, Unsaid};
use rusqlite::{Connection, params};

use super::round::{Round, Step};
use super::{Limits, Phase, SPARE, gauge_of_bytes, gives_back, number};
use crate::metrics::JournalNumbers;
use crate::store::StoreError;
use crate::store::sqlite::cut::{self, Base, FEW, Scan};
use crate::store::sqlite::size;
use crate::store::sqlite::write::{Insert, reading, writing};

/// How often it is looked how large the file is.
const LOOK: Duration = Duration::from_secs(5);
/// After nothing more could go.
const AFTER_VAIN: Duration = Duration::from_secs(600);
/// So much of the limit, and no more than a quarter, is left for what is not merged into the file yet.
const UNMERGED: u64 = 32 << 20;
/// One part in so many goes beyond what has to, so that it is not always the last entry that is one
/// too many.
const AHEAD: u64 = 32;
/// Bytes of a page.
const PAGE: u64 = 4096;
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
    fn name(&self) -> &'static str {
        match self {
            Self::Young => "young",
            Self::Open => "open",
            Self::Owed(_) => "owed",
            Self::Stiff => "stiff",
        }
    }

    fn sink(&self) -> Option<&str> {
        match self {
            Self::Owed(sink) => Some(sink),
            _ => None,
        }
    }
}

/// What the file's size asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Need {
    #[default]
    Nothing,
    /// To give back what is free.
    Space,
    /// That something goes.
    Less { limit: u64 },
}

/// How much of the file is used.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Bytes of pages that hold something.
    used: u64,
    /// Bytes of all of them.
    file: u64,
}

impl Size {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let ask = |sql| number(connection, sql).map(|number| number.unsigned_abs());
        let (pages, free) = (ask("PRAGMA page_count")?, ask("PRAGMA freelist_count")?);
        Ok(Self { used: pages.saturating_sub(free) * PAGE, file: pages * PAGE })
    }
}

/// How much may be not merged into the file yet.
fn unmerged(limit: u64) -> u64 {
    (limit / 4).min(UNMERGED)
}

/// How much may be used, so that file, free pages and what is not merged yet stay within the limit.
fn room(limit: u64) -> u64 {
    limit - unmerged(limit)
}

/// Lets what is recorded be merged into the file before it is too much.
fn merge_in_time(limit: u64, connection: &Connection) -> rusqlite::Result<()> {
    let unmerged = unmerged(limit);
    connection.pragma_update(None, "wal_autocheckpoint", (unmerged / 2 / PAGE).min(4000) as i64)?;
    connection.pragma_update(None, "journal_size_limit", unmerged as i64)
}

/// Bytes of the free pages that stay in the file.
fn spare(limit: u64) -> u64 {
    (SPARE.unsigned_abs() * PAGE).min(limit / 16)
}

/// How many free pages stay in the file.
pub(super) fn spare_pages(limit: Option<u64>) -> i64 {
    limit.map_or(SPARE, |limit| (spare(limit) / PAGE) as i64)
}

/// Looks how large the file is.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looked: Option<Instant>,
    need: Need,
    /// It is too large, and no more can go.
    vain: Option<Stop>,
    /// What the file says of the limit, and of why it can't be kept.
    noted: Option<(Option<u64>, Option<Stop>)>,
}

impl Watch {
    /// Looks, if that is due; whether anything is to be done.
    pub(super) fn look(
        &mut self,
        limit: Option<u64>,
        connection: &Connection,
        numbers: &JournalNumbers,
    ) -> bool {
        let every = if self.vain.is_some() { AFTER_VAIN } else { LOOK };
        if self.looked.is_none_or(|looked| looked.elapsed() >= every) {
            self.looked = Some(Instant::now());
            match limit.map_or(Ok(Need::Nothing), |limit| self.measure(limit, connection)) {
                Ok(need) => self.need = need,
                Err(error) => tracing::warn!(%error, "the journal's size can't be asked"),
            }
            if limit.is_none() {
                self.vain = None;
            }
        }
        numbers.over.set(i64::from(self.vain.is_some()));
        self.need != Need::Nothing || !self.is_noted(limit)
    }

    fn measure(&mut self, limit: u64, connection: &Connection) -> rusqlite::Result<Need> {
        merge_in_time(limit, connection)?;
        let Size { used, file } = Size::of(connection)?;
        let room = room(limit);
        if used + spare(limit) > room {
            return Ok(Need::Less { limit });
        }
        self.vain = None;
        if file <= room {
            return Ok(Need::Nothing);
        }
        if gives_back(connection)? {
            return Ok(Need::Space);
        }
        let wal = connection.path().map_or(0, |path| size::unmerged(path.as_ref()));
        self.vain = (file + wal > limit).then_some(Stop::Stiff);
        Ok(Need::Nothing)
    }

    pub(super) fn need(&self) -> Need {
        self.need
    }

    /// Whether something has to go.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.need, Need::Less { .. })
    }

    /// Looks with the next question.
    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.looked = None;
    }

    /// Why no more can go.
    #[cfg(test)]
    pub(super) fn vain(&self) -> Option<&Stop> {
        self.vain.as_ref()
    }

    pub(super) fn look_anew(&mut self) {
        self.need = Need::Nothing;
        if self.vain.is_none() {
            self.looked = None;
        }
    }

    /// A round is over.
    pub(super) fn ended(&mut self, pressure: Pressure) {
        if let (Some(stop), None) = (&pressure.stop, &self.vain) {
            let (why, limit) = (stop.name(), pressure.limit);
            let sink = stop.sink();
            tracing::error!(
                limit,
                why,
                sink,
                "the journal is larger than its limit, and no more can go"
            );
        }
        (self.vain, self.need) = (pressure.stop, Need::Nothing);
        self.looked = Some(Instant::now());
    }

    fn is_noted(&self, limit: Option<u64>) -> bool {
        self.noted.as_ref().is_some_and(|(noted, stop)| (*noted, stop) == (limit, &self.vain))
    }

    /// Notes for those who ask what the limit is, and why it can't be kept.
    pub(super) fn note(
        &mut self,
        limit: Option<u64>,
        insert: &mut Insert<'_>,
    ) -> Result<(), StoreError> {
        if self.is_noted(limit) {
            return Ok(());
        }
        let connection = insert.connection;
        let note = |key: &str, value: &dyn rusqlite::ToSql| {
            connection.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, value])
        };
        let noted = || {
            let keys = "DELETE FROM meta WHERE key IN ('limit', 'limit_stop', 'limit_stop_for')";
            connection.execute(keys, [])?;
            if let Some(limit) = limit {
                note("limit", &gauge_of_bytes(limit))?;
            }
            if let Some(stop) = &self.vain {
                note("limit_stop", &stop.name())?;
            }
            if let Some(sink) = self.vain.as_ref().and_then(Stop::sink) {
                note("limit_stop_for", &sink)?;
            }
            Ok(())
        };
        noted().map_err(writing)?;
        self.noted = Some((limit, self.vain.clone()));
        Ok(())
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
