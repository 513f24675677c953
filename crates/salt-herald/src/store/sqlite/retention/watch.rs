//! How large the file is, whether that is too much, and what is noted of it for those who ask.
//!
//! What goes then is decided elsewhere.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::limit::{Pressure, Stop};
use super::{SPARE, gauge_of_bytes, gives_back, number};
use crate::metrics::JournalNumbers;
use crate::store::StoreError;
use crate::store::sqlite::size;
use crate::store::sqlite::write::{Insert, writing};

/// How often it is looked how large the file is.
const LOOK: Duration = Duration::from_secs(5);
/// After nothing more could go.
const AFTER_VAIN: Duration = Duration::from_secs(600);
/// So much of the limit, and no more than a quarter, is left for what is not merged into the file yet.
const UNMERGED: u64 = 32 << 20;
/// Bytes of a page.
const PAGE: u64 = 4096;

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
pub(super) struct Size {
    /// Bytes of pages that hold something.
    pub(super) used: u64,
    /// Bytes of all of them.
    file: u64,
}

impl Size {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
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
pub(super) fn room(limit: u64) -> u64 {
    limit - unmerged(limit)
}

/// Lets what is recorded be merged into the file before it is too much.
fn merge_in_time(limit: u64, connection: &Connection) -> rusqlite::Result<()> {
    let unmerged = unmerged(limit);
    connection.pragma_update(None, "wal_autocheckpoint", (unmerged / 2 / PAGE).min(4000) as i64)?;
    connection.pragma_update(None, "journal_size_limit", unmerged as i64)
}

/// Bytes of the free pages that stay in the file.
pub(super) fn spare(limit: u64) -> u64 {
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
    noted: Noted,
}

/// What was noted of a limit.
#[derive(Debug, Default)]
enum Noted {
    /// Nobody said what the limit is, so that what is noted stays.
    #[default]
    Left,
    Not,
    So(Option<u64>, Option<Stop>),
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

    /// From now on it is known what the limit is.
    pub(super) fn begin(&mut self) {
        self.noted = Noted::Not;
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
        let limit = pressure.limit();
        let stopped = pressure.stopped();
        if let (Some(stop), None) = (&stopped, &self.vain) {
            let why = stop.name();
            let sink = stop.sink();
            tracing::error!(
                limit,
                why,
                sink,
                "the journal is larger than its limit, and no more can go"
            );
        }
        (self.vain, self.need) = (stopped, Need::Nothing);
        self.looked = Some(Instant::now());
    }

    pub(super) fn is_noted(&self, limit: Option<u64>) -> bool {
        match &self.noted {
            Noted::Left => true,
            Noted::Not => false,
            Noted::So(noted, stop) => (*noted, stop) == (limit, &self.vain),
        }
    }

    /// Notes for those who ask what the limit is, and why it can't be kept.
    pub(super) fn note(
        &mut self,
        limit: Option<u64>,
        insert: &mut Insert<'_>,
    ) -> Result<(), StoreError> {
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
        self.noted = Noted::So(limit, self.vain.clone());
        Ok(())
    }
}
