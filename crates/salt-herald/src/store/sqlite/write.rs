//! Writing rows: changes become entries, payloads and the rows of the tables that are queried.
//!
//! Everything happens in the caller's transaction; what is remembered here (the chain's end, the
//! payloads) goes back with it when it fails.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{EntryHead, chain, encode, kind_code};
use herald_core::run::{JobId, Run, RunId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::age::Age;
use super::payloads::Payloads;
use super::stamps::{Stamps, Voice};
use super::upsert::last_runs;
use crate::metrics::JournalNumbers;
use crate::store::{Batch, StoreError};

/// Writes into one file, and knows the end of its chain.
pub(super) struct Inserter {
    pub(super) connection: Connection,
    origin: [u8; 16],
    end: End,
    payloads: Payloads,
    numbers: JournalNumbers,
    stamps: Stamps,
    /// Runs up to this one were taken out.
    gone: u64,
    /// The last run that was given a number.
    last_run: RunId,
    /// The day that was noted last.
    day: i64,
    /// By which day things get old; there is none where nothing is taken out.
    pub(super) age: Option<Age>,
    /// Tells the time: days are noted by it.
    clock: Clock,
}

/// Where the time comes from.
pub(super) type Clock = fn() -> Timestamp;

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) number: u64,
    hash: Digest,
}

/// A transaction that is under way.
pub(super) struct Insert<'a> {
    pub(super) connection: &'a Connection,
    origin: [u8; 16],
    pub(super) end: End,
    pub(super) payloads: &'a mut Payloads,
    pub(super) stamps: &'a mut Stamps,
    pub(super) gone: u64,
    last_run: RunId,
    pub(super) day: i64,
    pub(super) today: i64,
    /// What the writer's clock said when it began.
    pub(super) now: Timestamp,
}

/// What is to be known of a change beside itself.
#[derive(Debug, Clone, Copy)]
struct About {
    /// It comes to a run that was taken out already.
    gone: bool,
    voice: Voice,
}

impl Inserter {
    pub(super) fn new(connection: Connection) -> Result<Self, StoreError> {
        Self::with_clock(connection, Timestamp::now)
    }

    pub(super) fn with_clock(connection: Connection, clock: Clock) -> Result<Self, StoreError> {
        let origin: Vec<u8> = connection
            .query_row("SELECT value FROM meta WHERE key = 'origin'", [], |row| row.get(0))
            .map_err(reading)?;
        let end = connection
            .query_row("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()
            .map_err(reading)?;
        let damaged = |what: &str| StoreError::Damaged { what: what.to_owned() };
        let end = match end {
            None => End { number: 0, hash: Digest::ZERO },
            Some((number, hash)) => End {
                number: u64::try_from(number).map_err(|_| damaged("an entry's number"))?,
                hash: Digest::from_slice(&hash).ok_or_else(|| damaged("an entry's hash"))?,
            },
        };
        let origin = origin.try_into().map_err(|_| damaged("its origin"))?;
        let alone = Self::on_top(connection, origin, end, false).map_err(reading)?;
        let age = Some(Age::load(&alone.connection).map_err(reading)?);
        Ok(Self { age, clock, ..alone })
    }

    /// Counts commits there.
    pub(super) fn counted_by(self, numbers: JournalNumbers) -> Self {
        Self { numbers, ..self }
    }

    /// Goes on behind that end, in a database that holds nothing before it; what it names may stand in
    /// the one that is attached.
    pub(super) fn on_top(
        connection: Connection,
        origin: [u8; 16],
        end: End,
        attached: bool,
    ) -> rusqlite::Result<Self> {
        let payloads = Payloads::load_on_top(&connection, attached)?;
        let (gone, last_run) = last_runs(&connection)?;
        let (stamps, numbers, day) = (Stamps::default(), JournalNumbers::default(), 0);
        let (age, clock) = (None, Timestamp::now as Clock);
        Ok(Self {
            connection,
            origin,
            end,
            payloads,
            numbers,
            stamps,
            gone,
            last_run,
            day,
            age,
            clock,
        })
    }

    /// The journal's own name.
    pub(super) fn origin(&self) -> [u8; 16] {
        self.origin
    }

    /// The end of what is committed.
    pub(super) fn end(&self) -> End {
        self.end
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs up to this one were taken out.
    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    /// The last run that was given a number.
    pub(super) fn last_run(&self) -> RunId {
        self.last_run
    }

    /// What the writer's clock says.
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The number of the last entry that is committed.
    pub(super) fn last_number(&self) -> u64 {
        self.end.number
    }

    /// Does all or nothing.
    pub(super) fn transaction(
        &mut self,
        work: impl FnOnce(&mut Insert<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let (now, today) = (self.now(), self.today());
        // Deferred, it would fail at once if another wrote after our first look: now that is waited for.
        let immediate = TransactionBehavior::Immediate;
        let transaction =
            Transaction::new_unchecked(&self.connection, immediate).map_err(writing)?;
        let mut insert = Insert {
            connection: &self.connection,
            origin: self.origin,
            end: self.end,
            payloads: &mut self.payloads,
            stamps: &mut self.stamps,
            gone: self.gone,
            last_run: self.last_run,
            day: self.day,
            today,
            now,
        };
        let done = work(&mut insert).and_then(|()| insert.index_if_due());
        let (end, gone, day) = (insert.end, insert.gone, insert.day);
        let last_run = insert.last_run;
        let done = done.and_then(|()| transaction.commit().map_err(writing));
        self.numbers.commit(began, done.is_ok());
        match done {
            Ok(()) => {
                (self.end, self.gone, self.day, self.last_run) = (end, gone, day, last_run);
                Ok(())
            }
            Err(error) => {
                self.stamps = Stamps::default();
                self.payloads.forget(&self.connection).map_err(reading)?;
                Err(error)
            }
        }
    }

    /// Whether there is work left over for when nothing else is to be done.
    pub(super) fn is_behind(&self) -> bool {
        self.payloads.is_behind()
    }

    /// Does the work that was left over.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreError> {
        self.transaction(|insert| insert.payloads.index(insert.connection).map_err(writing))
    }
}

impl Insert<'_> {
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let run_of: HashMap<_, _> = batch.jobs.iter().map(|job| (job.id, job.run)).collect();
        let is_said = |run: &Run| (run.id, run.said || run.told_with.is_some());
        let said: HashMap<_, _> = batch.runs.iter().map(is_said).collect();
        let mut versions = HashMap::new();
        for change in &batch.changes {
            self.change(change, self.about(change, &run_of, &said))?;
            let run = change.what.job().and_then(|job| run_of.get(&job).copied());
            for run in change.what.runs().into_iter().flatten().chain(run) {
                versions.insert(run, self.end.number);
            }
        }
        let gone = self.gone;
        for run in batch.runs.iter().filter(|run| run.id.0 > gone) {
            let version = versions.get(&run.id).copied();
            self.run(run, version.unwrap_or(self.end.number)).map_err(writing)?;
            self.last_run = self.last_run.max(run.id);
        }
        for job in batch.jobs.iter().filter(|job| job.run.0 > gone) {
            self.job(job).map_err(writing)?;
        }
        self.raise_voices(batch, &said).map_err(writing)?;
        for (family, count) in &batch.seen {
            let last = batch.changes.last().map_or(0, |change| change.at.as_microsecond());
            self.seen(family, *count, last).map_err(writing)?;
        }
        Ok(())
    }

    /// A return to a run that was taken out is recorded, but does not bring the run back.
    fn about(
        &self,
        change: &Change,
        run_of: &HashMap<JobId, RunId>,
        said: &HashMap<RunId, bool>,
    ) -> About {
        let job = change.what.job();
        let run = job.and_then(|job| run_of.get(&job).copied()).or(change
            .what
            .runs()
            .into_iter()
            .flatten()
            .next());
        let failed = matches!(&change.what, What::Returned { outcome, .. } if outcome.failed);
        let is_quiet = run.is_some_and(|run| said.get(&run) == Some(&false)) && !failed;
        About {
            gone: run.is_some_and(|run| run.0 <= self.gone),
            voice: if is_quiet { Voice::Quiet } else { Voice::Loud },
        }
    }

    /// What came back in runs that turn out to be said is kept as long as of those that always were.
    fn raise_voices(&mut self, batch: &Batch, said: &HashMap<RunId, bool>) -> rusqlite::Result<()> {
        let louder = batch.changes.iter().filter_map(|change| match &change.what {
            What::ToldWith { run, .. }
            | What::RunRevised { run, .. }
            | What::JobMoved { to: run, .. } => Some(*run),
            _ => None,
        });
        let louder: BTreeSet<RunId> = louder.filter(|run| said.get(run) == Some(&true)).collect();
        for run in louder {
            let returned = self
                .connection
                .prepare_cached(
                    "SELECT shape, max(at) / 86400000000 FROM return \
                     WHERE job IN (SELECT id FROM job WHERE run = ?1) GROUP BY shape",
                )?
                .query_map([run.0 as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
            for (shape, day) in returned {
                let day = day.min(self.today);
                self.stamps.shape(self.connection, self.payloads, shape, Voice::Loud, day)?;
            }
        }
        Ok(())
    }

    /// An entry that follows from no event.
    pub(super) fn entry(&mut self, change: &Change) -> Result<(), StoreError> {
        self.change(change, About { gone: false, voice: Voice::Loud })
    }

    fn change(&mut self, change: &Change, about: About) -> Result<(), StoreError> {
        self.payloads.insert(self.connection, &change.payloads).map_err(writing)?;
        self.note_day().map_err(writing)?;
        let number = self.end.number + 1;
        let bytes = encode(EntryHead { origin: self.origin, number }, change);
        let hash = chain(self.end.hash, &bytes);
        self.connection
            .prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut insert| {
                insert.execute(params![
                    number as i64,
                    change.at.as_microsecond(),
                    kind_code(&change.what),
                    bytes,
                    hash.0
                ])
            })
            .map_err(writing)?;
        self.end = End { number, hash };
        self.stamp(number as i64, change, about).map_err(writing)?;
        if about.gone { Ok(()) } else { self.project(number as i64, change).map_err(writing) }
    }

    fn stamp(&mut self, entry: i64, change: &Change, about: About) -> rusqlite::Result<()> {
        let named = change.what.contents().into_iter().flatten();
        Stamps::entry(self.connection, self.payloads, entry, named)?;
        if let What::Returned { shape, .. } = &change.what
            && let Some(shape) = self.payloads.find(self.connection, *shape)?
        {
            let (voice, today) = (about.voice, self.today);
            self.stamps.shape(self.connection, self.payloads, shape, voice, today)?;
        }
        Ok(())
    }

    /// The rows that follow from one change alone.
    pub(super) fn project(&mut self, entry: i64, change: &Change) -> rusqlite::Result<()> {
        match &change.what {
            What::MinionSeen { minion, name } => {
                self.connection
                    .prepare_cached("INSERT OR IGNORE INTO minion VALUES (?1, ?2)")?
                    .execute(params![minion, name])?;
            }
            What::Cut(cut) => self.cut(entry, change.at, cut)?,
            What::Gap { .. } | What::Backfilled(_) | What::Flagged { .. } => {
                self.blindness(entry, &change.what)?;
            }
            What::Returned { volatile, .. } => {
                if !volatile.is_empty() {
                    self.connection
                        .prepare_cached("INSERT INTO volatile VALUES (?1, ?2)")?
                        .execute(params![entry, volatile])?;
                }
                self.returned(entry, change)?;
            }
            // The other may be out of the ledger's memory, but its message says more from now on.
            What::ToldWith { with, .. } => {
                self.connection
                    .prepare_cached("UPDATE run SET version = max(version, ?2) WHERE id = ?1")?
                    .execute(params![with.0 as i64, entry])?;
            }
            _ => {}
        }
        Ok(())
    }

    fn returned(&mut self, entry: i64, change: &Change) -> rusqlite::Result<()> {
        let What::Returned { job, minion, outcome, shape, failures, .. } = &change.what else {
            return Ok(());
        };
        let minion = minion.map_or(-1, i64::from);
        let shape = self.id_of(*shape)?;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO return VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                job.0 as i64,
                minion,
                change.at.as_microsecond(),
                entry,
                outcome.failed,
                outcome.changed || outcome.would_change,
                outcome.retcode,
                outcome.duration as i64,
                shape
            ])?;
        for failure in failures {
            let definition = match failure.definition {
                Digest::ZERO => None,
                definition => Some(self.id_of(definition)?),
            };
            let body = self.id_of(failure.body)?;
            self.connection
                .prepare_cached("INSERT INTO failure VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![job.0 as i64, minion, definition, body, failure.follows])?;
        }
        Ok(())
    }

    /// The number of some contents in this file; 0, which none has, where they are not kept any more.
    fn id_of(&mut self, digest: Digest) -> rusqlite::Result<i64> {
        self.payloads.id_of(self.connection, digest)
    }

    fn index_if_due(&mut self) -> Result<(), StoreError> {
        if self.payloads.is_due() {
            self.payloads.index(self.connection).map_err(writing)?;
        }
        Ok(())
    }

    fn seen(&mut self, family: &str, count: u64, at: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO seen VALUES (?1, ?2, ?3) ON CONFLICT (family) \
                 DO UPDATE SET count = count + ?2, last_at = max(last_at, ?3)",
            )?
            .execute(params![family, count as i64, at])?;
        Ok(())
    }

    pub(super) fn clear(&mut self, table: &str) -> rusqlite::Result<()> {
        self.connection.execute(&format!("DELETE FROM {table}"), []).map(|_| ())
    }

    pub(super) fn note(&mut self, key: &str, value: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![key, value]))
            .map(|_| ())
            .map_err(writing)
    }
}

pub(super) fn writing(source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite { doing: "written", source }
}

pub(super) fn reading(source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite { doing: "read", source }
}
