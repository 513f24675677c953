//! What minions returned, item by item, with its contents.

use std::time::Duration;

use herald_core::digest::Digest;
use herald_core::join::{Item, items};
use herald_core::minions::MinionNo;
use herald_core::run::{JobId, RunId};
use jiff::Timestamp;

use super::read::JournalReader;
use super::write::reading;
use super::{payloads, rows};
use crate::store::StoreError;

/// One return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Of which job.
    pub job: JobId,
    /// Of which minion; nothing for runners and wheel functions.
    pub minion: Option<MinionNo>,
    /// When it came.
    pub at: Timestamp,
    /// It failed.
    pub failed: bool,
    /// It changed something, or would.
    pub changed: bool,
    /// Its return code.
    pub retcode: Option<i64>,
    /// The sum of its states' durations.
    pub duration: Duration,
    entry: i64,
    shape: i64,
}

impl JournalReader {
    /// What came back in a run, in the order of its coming.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn returns(&self, run: RunId) -> Result<Vec<Returned>, StoreError> {
        self.all(
            "SELECT job, minion, at, failed, changed, retcode, duration, entry, shape FROM return \
             WHERE job IN (SELECT id FROM job WHERE run = ?1) ORDER BY entry",
            [run.0 as i64],
            |row| {
                Ok(Returned {
                    job: JobId(rows::number(row, 0)?),
                    minion: MinionNo::try_from(row.get::<_, i64>(1)?).ok(),
                    at: rows::time(row, 2)?,
                    failed: row.get(3)?,
                    changed: row.get(4)?,
                    retcode: row.get(5)?,
                    duration: Duration::from_micros(rows::number(row, 6)?),
                    entry: row.get(7)?,
                    shape: row.get(8)?,
                })
            },
        )
    }

    /// What a return consists of; nothing where its contents are gone.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn items(&self, returned: &Returned) -> Result<Vec<Item>, StoreError> {
        let bytes = |sql: &str, id: i64| self.first(sql, [id], |row| row.get::<_, Vec<u8>>(0));
        let shape = bytes("SELECT bytes FROM payload WHERE id = ?1", returned.shape)?;
        let volatile = bytes("SELECT bytes FROM volatile WHERE entry = ?1", returned.entry)?;
        Ok(items(&shape.unwrap_or_default(), &volatile.unwrap_or_default()))
    }

    /// Contents by their name, unless they are gone.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn content(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        payloads::bytes_of(&self.connection, digest).map_err(reading)
    }
}
