//! Taking out what is old, and what is too much, in small portions while nothing else is to be written.
//!
//! A round goes through the file once: it cuts the chain, takes out contents that nothing names any
//! more, and gives the space back. It can end at any moment; the next process goes on with what the file
//! says. How long things are kept, and how large the file may be, is the config's; what goes for its
//! size is [`limit`]'s, how it goes [`round`]'s.

mod contents;
mod limit;
mod owed;
mod round;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::cut::{Base, Scan};
use super::write::{Inserter, reading, writing};
use crate::metrics::JournalNumbers;
use crate::store::{Keeping, StoreError};

use limit::{Pressure, Weighing};
use owed::Owed;
use round::{Round, Step};
use watch::{Need, Watch};

/// A portion works so long, and is then made durable.
const PORTION: Duration = Duration::from_millis(8);
/// Pages that are given back at once.
const PAGES: i64 = 64;
/// So many free pages stay in the file: what is recorded next goes there.
const SPARE: i64 = 512;
/// How long to wait after a portion failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// Where no lull comes, some is taken out as often as this; and while the file is too large.
const STARVED: [Duration; 2] = [Duration::from_secs(2), Duration::from_millis(200)];

/// The one who takes things out.
#[derive(Debug)]
pub(super) struct Retention {
    keeping: Keeping,
    phase: Phase,
    /// The day of the last round for what is old.
    done: Option<i64>,
    taken: Taken,
    /// What is owed to these is not taken.
    sinks: Vec<String>,
    /// How large the file is.
    watch: Watch,
    /// The round that is under way is for the file's size.
    pressure: Option<Pressure>,
    /// Up to which run they were taken out.
    gone: Arc<AtomicU64>,
    numbers: JournalNumbers,
    /// When the last portion ended.
    worked: Instant,
    /// Not before: the last portion failed.
    not_before: Option<Instant>,
}

/// How far a round is.
#[derive(Debug)]
enum Phase {
    /// None is under way.
    Resting,
    /// Summing up what could go for the file's size.
    Weighing(Weighing),
    /// Looking for the place of the cut.
    Scanning(Scan),
    /// Taking out what stood before it.
    Clearing(Base),
    /// Going through the contents.
    Contents { after: i64, limits: Limits, base: Base },
    /// Going through the times of returns.
    Times(Limits),
    /// Giving space back.
    Vacuum,
}

/// From which day on things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    loud: i64,
    quiet: i64,
}

/// What a round took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Taken {
    runs: u64,
    entries: u64,
    results: u64,
    bytes: u64,
}

impl Retention {
    pub(super) fn new(gone: Arc<AtomicU64>, numbers: JournalNumbers) -> Self {
        Self {
            keeping: Keeping::default(),
            phase: Phase::Resting,
            done: None,
            taken: Taken::default(),
            sinks: Vec::new(),
            watch: Watch::default(),
            pressure: None,
            gone,
            numbers,
            worked: Instant::now(),
            not_before: None,
        }
    }

    /// Goes by other rules from now on.
    pub(super) fn keep(&mut self, keeping: Keeping, sinks: Vec<String>) {
        if self.keeping != keeping || self.sinks != sinks {
            let new = Self::new(Arc::clone(&self.gone), self.numbers.clone());
            *self = Self { keeping, sinks, ..new };
        }
        self.watch.begin();
        self.numbers.limit.set(self.keeping.size.map_or(0, gauge_of_bytes));
    }

    /// Whether there is something to do.
    pub(super) fn is_due(&mut self, inserter: &Inserter) -> bool {
        if self.not_before.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        !matches!(self.phase, Phase::Resting)
            || self.is_another_day(inserter)
            || self.watch.look(self.keeping.size, inserter.connection(), &self.numbers)
    }

    fn is_another_day(&self, inserter: &Inserter) -> bool {
        self.keeping.is_limited() && self.done != Some(inserter.aged_to())
    }

    /// Whether the last portion is so long ago that the next one does not wait for a lull.
    pub(super) fn is_starved(&self) -> bool {
        let [usual, pressed] = STARVED;
        let patience = if self.watch.is_over() { pressed } else { usual };
        self.worked.elapsed() >= patience
    }

    /// Does a portion. One that fails is tried again later: nobody waits for it.
    pub(super) fn work(&mut self, inserter: &mut Inserter) {
        self.not_before = None;
        if let Err(error) = self.portion(inserter) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "what is to go from the journal can't be taken out");
            self.phase = Phase::Resting;
            self.not_before = Some(Instant::now() + AFTER_TROUBLE);
        }
        self.worked = Instant::now();
    }

    fn portion(&mut self, inserter: &mut Inserter) -> Result<(), StoreError> {
        let since = Instant::now();
        if let Phase::Resting = self.phase {
            inserter.advance_age().map_err(writing)?;
            if !self.begin(inserter)? {
                return Ok(());
            }
        }
        let today = inserter.aged_to();
        if let Phase::Vacuum = self.phase {
            let spare = watch::spare_pages(self.keeping.size);
            if !give_back(inserter.connection(), spare).map_err(writing)? {
                self.phase = Phase::Resting;
                self.watch.look_anew();
            }
            return Ok(());
        }
        let owed = Owed::to(&self.sinks, inserter.connection()).map_err(reading)?;
        let owed = if self.pressure.is_some() { owed.without_given_up(today) } else { owed };
        let mut is_done = false;
        let (phase, taken) = (&mut self.phase, &mut self.taken);
        let (keeping, pressure) = (&self.keeping, &mut self.pressure);
        inserter.transaction(|insert| {
            let mut round = Round { insert, keeping, today, owed: &owed, taken, pressure };
            while since.elapsed() < PORTION {
                match round.step(phase)? {
                    Step::More => {}
                    Step::Next(following) => *phase = following,
                    Step::Done => {
                        is_done = true;
                        break;
                    }
                }
            }
            Ok(())
        })?;
        self.gone.store(inserter.gone(), Ordering::Relaxed);
        if is_done {
            self.end(today);
        }
        Ok(())
    }

    /// Begins a round: for what is old, once a day, and else for the file's size. Whether there is one.
    fn begin(&mut self, inserter: &mut Inserter) -> Result<bool, StoreError> {
        self.pressure = None;
        if self.is_another_day(inserter) {
            return Ok(true);
        }
        match self.watch.need() {
            Need::Nothing => {}
            Need::Space => self.phase = Phase::Vacuum,
            Need::Less { limit } => {
                let today = inserter.aged_to();
                self.pressure = Some(Pressure::new(limit, round::limits(&self.keeping, today)));
            }
        }
        if !self.watch.is_noted(self.keeping.size) {
            inserter.transaction(|insert| self.watch.note(self.keeping.size, insert))?;
        }
        Ok(self.watch.need() != Need::Nothing)
    }

    fn end(&mut self, today: i64) {
        self.phase = Phase::Vacuum;
        let Taken { runs, entries, results, bytes } = std::mem::take(&mut self.taken);
        let is_any = runs + entries + results > 0;
        let Some(pressure) = self.pressure.take() else {
            self.done = Some(today);
            self.numbers.took("age", runs, bytes);
            if is_any {
                tracing::info!(runs, entries, results, bytes, "what is old was taken out");
            }
            return;
        };
        self.numbers.took("limit", runs, bytes);
        let limit = pressure.limit();
        if is_any {
            let what = "the journal came to its limit: the oldest was taken out";
            tracing::warn!(limit, runs, entries, results, bytes, "{what}");
        }
        self.watch.ended(pressure);
    }
}

fn gauge_of_bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Gives some free pages back; whether there are more. A file that was not made for it keeps them for
/// what comes.
fn give_back(connection: &Connection, spare: i64) -> rusqlite::Result<bool> {
    if !gives_back(connection)? || number(connection, "PRAGMA freelist_count")? <= spare {
        return Ok(false);
    }
    // Each step gives back one page only.
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}

/// Whether the file was made so that it can get shorter.
fn gives_back(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(number(connection, "PRAGMA auto_vacuum")? == 2)
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}

#[cfg(test)]
mod tests;
