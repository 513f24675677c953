//! Asking the journal what was said of runs, where, and how far each sink is.

use herald_core::run::{Run, RunId};
use jiff::Timestamp;

use super::read::JournalReader;
use super::rows;
use crate::store::{Delivery, SinkState, StoreError};

impl JournalReader {
    /// What was said of a run at a sink.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn deliveries(&self, run: RunId, sink: &str) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!("SELECT {} FROM delivery WHERE run = ?1 AND sink = ?2", rows::DELIVERY);
        self.all(&sql, (run.0 as i64, sink), rows::delivery)
    }

    /// Runs of which something was said at a sink that is to be compared with what would be said now, though
    /// nothing happened to them: what was said of may have been replaced.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn to_compare(&self, sink: &str) -> Result<Vec<RunId>, StoreError> {
        let sql =
            "SELECT DISTINCT run FROM delivery WHERE sink = ?1 AND version = 0 AND state = 'said'";
        self.all(sql, [sink], |row| Ok(RunId(rows::number(row, 0)?)))
    }

    /// Whether something may have been said of a run that can't be read at the moment.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn is_said_unknown(&self, run: RunId) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'unknown'";
        if self.one(sql, [], 0)? == Some(0) {
            return Ok(false);
        }
        let sql = "SELECT count(*) FROM main.unknown WHERE run = ?1";
        Ok(self.one(sql, [run.0 as i64], 0)? != Some(0))
    }

    /// The runs that were told in one message at a sink, with their versions.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn told_together(&self, lead: RunId, sink: &str) -> Result<Vec<(Run, u64)>, StoreError> {
        let sql = format!(
            "SELECT {} FROM delivery JOIN run ON run.id = delivery.run \
             WHERE delivery.lead = ?1 AND delivery.sink = ?2 ORDER BY run.id",
            rows::RUN
        );
        self.all(&sql, (lead.0 as i64, sink), rows::run)
    }

    /// The runs that were to be taken up into a message about several at a sink, which does not show them
    /// yet, with their versions.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn not_shown(&self, lead: RunId, sink: &str) -> Result<Vec<(RunId, u64)>, StoreError> {
        // What was found in the channel has no version either, but something was said of it.
        let sql = "SELECT run.id, run.version FROM delivery JOIN run ON run.id = delivery.run \
                   WHERE delivery.lead = ?1 AND delivery.run <> ?1 AND delivery.sink = ?2 \
                   AND delivery.part = 'message' AND delivery.version = 0 AND delivery.said IS NULL";
        let row =
            |row: &rusqlite::Row<'_>| Ok((RunId(rows::number(row, 0)?), rows::number(row, 1)?));
        self.all(sql, (lead.0 as i64, sink), row)
    }

    /// When the latest of a sink's deliveries was touched, and a message of it.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn last_delivery(&self, sink: &str) -> Result<Option<(Timestamp, String)>, StoreError> {
        let sql = "SELECT at, message FROM delivery WHERE sink = ?1 AND message <> '' \
                   ORDER BY at DESC LIMIT 1";
        self.first(sql, [sink], |row| Ok((rows::time(row, 0)?, row.get(1)?)))
    }

    /// Whether anything was said of a run anywhere.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn is_announced(&self, run: RunId) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM delivery WHERE run = ?1 AND state = 'said'";
        Ok(self.one(sql, [run.0 as i64], 0)?.unwrap_or(0) > 0)
    }

    /// What was said of a run, at all sinks.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn all_deliveries(&self, run: RunId) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {} FROM delivery WHERE run = ?1 ORDER BY sink, at, part",
            rows::DELIVERY
        );
        self.all(&sql, [run.0 as i64], rows::delivery)
    }

    /// The last failed deliveries, by sink.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn given_up(&self, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {} FROM delivery WHERE state = 'given_up' ORDER BY at DESC LIMIT ?1",
            rows::DELIVERY
        );
        self.all(&sql, [limit as i64], rows::delivery)
    }

    /// How far each sink is, by name.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn sinks(&self) -> Result<Vec<SinkState>, StoreError> {
        let sql = format!("SELECT {} FROM sink ORDER BY name", rows::SINK);
        self.all(&sql, [], rows::sink)
    }
}
