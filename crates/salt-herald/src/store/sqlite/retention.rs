//! Taking out what is old, in small portions while nothing else is to be written.
//!
//! A round goes through the file once: it cuts the chain where everything before is old enough, takes
//! out contents that nothing names any more, and gives the space back. It can end at any moment; the
//! next process goes on with what the file says. How long things are kept is the config's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::cut::{self, Base, Scan};
use super::write::{Insert, Inserter, reading, writing};
use crate::store::{Keeping, StoreError};

/// A portion works so long, and is then made durable.
const PORTION: Duration = Duration::from_millis(8);
/// Rows that are looked at at once.
const ROWS: i64 = 500;
/// Bytes of contents that are taken out at once: what is long is freed page by page.
const BYTES: i64 = 2 << 20;
/// Pages that are given back at once.
const PAGES: i64 = 64;
/// So many free pages stay in the file: what is recorded next goes there.
const SPARE: i64 = 512;
/// How long to wait after a portion failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// Up to which entry times of quiet runs were taken out, in `meta`.
const QUIET_TIMES: &str = "quiet_times";

/// The one who takes out what is old.
#[derive(Debug)]
pub(super) struct Retention {
    keeping: Keeping,
    phase: Phase,
    /// The day of the last round.
    done: Option<i64>,
    taken: Taken,
    /// What is owed to these is not taken.
    sinks: Vec<String>,
    /// Up to which run they were taken out.
    gone: Arc<AtomicU64>,
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
#[derive(Debug, Clone, Copy)]
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
    pub(super) fn new(gone: Arc<AtomicU64>) -> Self {
        Self {
            keeping: Keeping::default(),
            phase: Phase::Resting,
            done: None,
            taken: Taken::default(),
            sinks: Vec::new(),
            gone,
            worked: Instant::now(),
            not_before: None,
        }
    }

    /// Goes by other rules from now on.
    pub(super) fn keep(&mut self, keeping: Keeping, sinks: Vec<String>) {
        if self.keeping != keeping || self.sinks != sinks {
            *self = Self { keeping, sinks, ..Self::new(Arc::clone(&self.gone)) };
        }
    }

    /// Whether there is something to do.
    pub(super) fn is_due(&self, inserter: &Inserter) -> bool {
        let is_resting = matches!(self.phase, Phase::Resting);
        self.keeping.is_limited()
            && (!is_resting || self.done != Some(inserter.aged_to()))
            && self.not_before.is_none_or(|until| until <= Instant::now())
    }

    /// Whether the last portion is so long ago.
    pub(super) fn is_starved(&self, patience: Duration) -> bool {
        self.worked.elapsed() >= patience
    }

    /// Does a portion. One that fails is tried again later: nobody waits for it.
    pub(super) fn work(&mut self, inserter: &mut Inserter) {
        self.not_before = None;
        if let Err(error) = self.portion(inserter) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "what is old can't be taken out");
            self.phase = Phase::Resting;
            self.not_before = Some(Instant::now() + AFTER_TROUBLE);
        }
        self.worked = Instant::now();
    }

    fn portion(&mut self, inserter: &mut Inserter) -> Result<(), StoreError> {
        let since = Instant::now();
        if let Phase::Resting = self.phase {
            inserter.advance_age().map_err(writing)?;
        }
        let today = inserter.aged_to();
        if let Phase::Vacuum = self.phase {
            if !give_back(inserter.connection()).map_err(writing)? {
                self.phase = Phase::Resting;
            }
            return Ok(());
        }
        let (settled, last) = settled(inserter.connection(), &self.sinks).map_err(reading)?;
        let mut next = None;
        let (phase, taken) = (&mut self.phase, &mut self.taken);
        let keeping = &self.keeping;
        inserter.transaction(|insert| {
            let mut round = Round { insert, keeping, today, settled, last, taken };
            while since.elapsed() < PORTION {
                match round.step(phase)? {
                    Step::More => {}
                    Step::Next(following) => *phase = following,
                    Step::Done => {
                        next = Some(Phase::Vacuum);
                        break;
                    }
                }
            }
            Ok(())
        })?;
        self.gone.store(inserter.gone(), Ordering::Relaxed);
        if let Some(next) = next {
            self.phase = next;
            self.done = Some(today);
            self.tell();
        }
        Ok(())
    }

    fn tell(&mut self) {
        let Taken { runs, entries, results, bytes } = std::mem::take(&mut self.taken);
        if runs + entries + results > 0 {
            tracing::info!(runs, entries, results, bytes, "what is old was taken out");
        }
    }
}

/// What a step came to.
enum Step {
    More,
    Next(Phase),
    Done,
}

struct Round<'r, 'i> {
    insert: &'r mut Insert<'i>,
    keeping: &'r Keeping,
    today: i64,
    settled: i64,
    /// The sink that is owed most.
    last: Option<&'r str>,
    taken: &'r mut Taken,
}

impl Round<'_, '_> {
    fn step(&mut self, phase: &mut Phase) -> Result<Step, StoreError> {
        let connection = self.insert.connection;
        match phase {
            Phase::Resting => {
                let base = cut::base(connection).map_err(reading)?;
                let first = self.first_kept(self.keeping.runs).map_err(reading)?;
                let began = self.insert.end.number;
                let scan = Scan::new(base, first - 1, self.settled, began);
                Ok(Step::Next(Phase::Scanning(scan)))
            }
            Phase::Scanning(scan) => {
                if scan.step(connection).map_err(reading)? {
                    return Ok(Step::More);
                }
                if scan.is_outrun(connection).map_err(reading)? {
                    return Ok(Step::Next(Phase::Resting));
                }
                scan.cut(self.insert)?;
                self.note_owed(scan.owed()).map_err(writing)?;
                Ok(Step::Next(Phase::Clearing(cut::base(connection).map_err(reading)?)))
            }
            Phase::Clearing(base) => {
                let Some((runs, entries)) = self.insert.clear_cut(*base)? else {
                    let limits = self.limits();
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
                self.note().map_err(writing)?;
                Ok(Step::Done)
            }
            Phase::Vacuum => Ok(Step::Done),
        }
    }

    /// Notes for which sink a run is kept that is old enough.
    fn note_owed(&self, run: Option<i64>) -> rusqlite::Result<()> {
        let connection = self.insert.connection;
        connection.execute("DELETE FROM meta WHERE key IN ('kept_run', 'kept_for')", [])?;
        if let (Some(run), Some(sink)) = (run, self.last) {
            let sql = "INSERT INTO meta VALUES ('kept_run', ?1), ('kept_for', ?2)";
            connection.execute(sql, params![run, sink])?;
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        let day = |span: Option<Duration>| self.first_day(span);
        let loud = day(self.keeping.results);
        Limits { loud, quiet: day(self.keeping.quiet).max(loud) }
    }

    /// The first day of which something is kept.
    fn first_day(&self, span: Option<Duration>) -> i64 {
        let days = span.map_or(i64::MAX, |span| (span.as_secs() / 86_400) as i64);
        self.today.saturating_sub(days)
    }

    /// The first entry that is kept.
    fn first_kept(&self, span: Option<Duration>) -> rusqlite::Result<i64> {
        self.entry_of(self.first_day(span))
    }

    /// The first entry of that day, or of one after it.
    fn entry_of(&self, day: i64) -> rusqlite::Result<i64> {
        let sql = "SELECT min(entry) FROM day WHERE day >= ?1";
        let found: Option<i64> = self.insert.connection.query_row(sql, [day], |row| row.get(0))?;
        // Nothing was recorded since.
        Ok(found.unwrap_or(self.insert.end.number as i64 + 1))
    }

    /// Takes out contents that nothing names that is kept; up to which were looked at.
    fn clear_contents(
        &mut self,
        after: i64,
        limits: Limits,
        base: Base,
    ) -> rusqlite::Result<Option<i64>> {
        let mut select = self.insert.connection.prepare_cached(
            "SELECT payload, entry <= ?3 AND (loud = 0 OR loud < ?4) AND (quiet = 0 OR quiet < ?5), \
             loud + quiet > 0, bytes FROM used WHERE payload > ?1 ORDER BY payload LIMIT ?2",
        )?;
        let values = [after, ROWS, base.last, limits.loud, limits.quiet];
        let found = select.query_map(values, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })?;
        let found: Vec<(i64, bool, bool, i64)> = found.collect::<Result<_, _>>()?;
        let (mut last, mut freed) = (None, 0);
        for (id, is_over, is_result, bytes) in found {
            last = Some(id);
            if !is_over {
                continue;
            }
            self.insert.payloads.remove(self.insert.connection, id)?;
            self.insert.stamps.forget(id);
            self.taken.results += u64::from(is_result);
            self.taken.bytes += u64::try_from(bytes).unwrap_or_default();
            freed += bytes;
            if freed >= BYTES {
                break;
            }
        }
        Ok(last)
    }

    /// Takes out the times of returns whose contents are over; whether there may be more.
    fn clear_times(&mut self, limits: Limits) -> rusqlite::Result<bool> {
        let connection = self.insert.connection;
        let loud = self.entry_of(limits.loud)?;
        let sql = "DELETE FROM volatile WHERE entry IN \
                   (SELECT entry FROM volatile WHERE entry < ?1 ORDER BY entry LIMIT ?2)";
        if connection.prepare_cached(sql)?.execute([loud, ROWS])? > 0 {
            return Ok(true);
        }
        let quiet = self.entry_of(limits.quiet)?;
        let done = "SELECT coalesce((SELECT value FROM meta WHERE key = ?1), 0)";
        let done: i64 =
            connection.prepare_cached(done)?.query_row([QUIET_TIMES], |row| row.get(0))?;
        let mut select = connection.prepare_cached(
            "SELECT volatile.entry, bytes FROM (SELECT entry FROM volatile WHERE entry > ?1 \
             AND entry < ?2 ORDER BY entry LIMIT ?3) AS volatile JOIN entry ON number = volatile.entry",
        )?;
        let mut rows = select.query([done, quiet, ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let entry: i64 = row.get(0)?;
            last = Some(entry);
            if is_quiet(connection, row.get_ref(1)?.as_blob().unwrap_or_default())? {
                let sql = "DELETE FROM volatile WHERE entry = ?1";
                connection.prepare_cached(sql)?.execute([entry])?;
            }
        }
        if let Some(last) = last {
            let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
            connection.prepare_cached(sql)?.execute(params![QUIET_TIMES, last])?;
        }
        Ok(last.is_some())
    }

    /// Notes what the round took.
    fn note(&mut self) -> rusqlite::Result<()> {
        let Taken { runs, entries, results, bytes } = *self.taken;
        let at = self.insert.now.as_microsecond();
        self.insert
            .connection
            .execute("INSERT OR REPLACE INTO meta VALUES ('looked_for_old_at', ?1)", [at])?;
        if runs + entries + results == 0 {
            return Ok(());
        }
        self.insert.connection.execute(
            "INSERT OR REPLACE INTO taken VALUES (?1, 'age', ?2, ?3, ?4, ?5)",
            params![at, entries as i64, runs as i64, results as i64, bytes as i64],
        )?;
        let sql = "DELETE FROM taken WHERE at < (SELECT at FROM taken ORDER BY at DESC LIMIT 1 OFFSET 99)";
        self.insert.connection.execute(sql, [])?;
        Ok(())
    }
}

/// Up to which entry nothing is owed to any of these sinks, and to which of them from there on. One
/// that was never served is owed all.
fn settled<'s>(
    connection: &Connection,
    sinks: &'s [String],
) -> rusqlite::Result<(i64, Option<&'s str>)> {
    let sql = "SELECT coalesce(max(settled), 0) FROM sink WHERE name = ?1";
    let mut select = connection.prepare_cached(sql)?;
    let mut least = (i64::MAX, None);
    for sink in sinks {
        let settled = select.query_row([sink], |row| row.get(0))?;
        if settled < least.0 {
            least = (settled, Some(sink.as_str()));
        }
    }
    Ok(least)
}

/// Whether an entry is a return of a run that is not said, and did not fail.
fn is_quiet(connection: &Connection, entry: &[u8]) -> rusqlite::Result<bool> {
    let job = entry.get(34..42).and_then(|bytes| bytes.first_chunk().copied());
    let failed = entry.get(50).is_none_or(|bits| bits & 1 != 0);
    let sql = "SELECT EXISTS (SELECT 1 FROM job JOIN run ON run.id = job.run WHERE job.id = ?1 \
               AND (said OR told_with IS NOT NULL))";
    let job = i64::from_be_bytes(job.unwrap_or_default());
    let is_loud: bool = connection.prepare_cached(sql)?.query_row([job], |row| row.get(0))?;
    Ok(!failed && !is_loud)
}

/// Gives some free pages back; whether there are more. A file that was not made for it keeps them for
/// what comes.
fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    if ask("PRAGMA auto_vacuum")? != 2 || ask("PRAGMA freelist_count")? <= SPARE {
        return Ok(false);
    }
    // Each step gives back one page only.
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}

#[cfg(test)]
mod tests;
