//! The one who writes a file: all or nothing, and what is remembered of the file (the chain's end, the
//! payloads) goes back with a transaction that fails.
//!
//! What is written in it is the matter of those who are handed an [`Insert`].

use std::time::Instant;

use herald_core::digest::Digest;
use herald_core::run::RunId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::age::Age;
use super::payloads::Payloads;
use super::stamps::Stamps;
use super::upsert::last_runs;
use crate::metrics::JournalNumbers;
use crate::store::StoreError;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct End {
    pub(super) number: u64,
    pub(super) hash: Digest,
}

/// A transaction that is under way.
pub(super) struct Insert<'a> {
    pub(super) connection: &'a Connection,
    pub(super) origin: [u8; 16],
    pub(super) end: End,
    pub(super) payloads: &'a mut Payloads,
    pub(super) stamps: &'a mut Stamps,
    pub(super) gone: u64,
    pub(super) last_run: RunId,
    pub(super) day: i64,
    pub(super) today: i64,
    /// What the writer's clock said when it began.
    pub(super) now: Timestamp,
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
    fn index_if_due(&mut self) -> Result<(), StoreError> {
        if self.payloads.is_due() {
            self.payloads.index(self.connection).map_err(writing)?;
        }
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
