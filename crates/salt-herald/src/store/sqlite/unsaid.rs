//! Runs that the limit took before a sink was told of them: rows in and out.

use herald_core::limited::{Limited, Unsaid};
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::read::JournalReader;
use super::rows;
use super::write::Insert;
use crate::store::{NotTold, StoreError};

impl Insert<'_> {
    pub(super) fn limited(
        &mut self,
        entry: i64,
        at: Timestamp,
        limited: &Limited,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO unsaid VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = self.connection.prepare_cached(sql)?;
        for Unsaid { sink, runs, from, to } in &limited.unsaid {
            let (at, from, to) = (at.as_microsecond(), from.as_microsecond(), to.as_microsecond());
            insert.execute(params![entry, sink, at, *runs as i64, from, to])?;
        }
        Ok(())
    }
}

impl JournalReader {
    /// What sinks will not be told of any more, the latest first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn not_told(&self, limit: usize) -> Result<Vec<NotTold>, StoreError> {
        let sql = "SELECT entry, sink, at, runs, from_at, to_at FROM unsaid \
                   ORDER BY entry DESC, sink LIMIT ?1";
        self.all(sql, [limit as i64], not_told)
    }

    /// What one sink will not be told of any more, as entries after this one say it: in all.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn not_told_after(&self, sink: &str, entry: u64) -> Result<Option<NotTold>, StoreError> {
        let sql = "SELECT max(entry), sink, max(at), sum(runs), min(from_at), max(to_at) \
                   FROM unsaid WHERE sink = ?1 AND entry > ?2 GROUP BY sink";
        self.first(sql, params![sink, entry as i64], not_told)
    }
}

fn not_told(row: &Row<'_>) -> rusqlite::Result<NotTold> {
    let runs = rows::number(row, 3)?;
    let unsaid =
        Unsaid { sink: row.get(1)?, runs, from: rows::time(row, 4)?, to: rows::time(row, 5)? };
    Ok(NotTold { entry: rows::number(row, 0)?, at: rows::time(row, 2)?, unsaid })
}
