//! What happened to minions' keys: rows out.

use std::collections::HashMap;

use herald_core::digest::Digest;
use herald_core::key::KeyAct;
use jiff::Timestamp;
use rusqlite::Row;

use super::read::JournalReader;
use super::rows;
use crate::store::{KeyEvent, StoreError};

impl JournalReader {
    /// What happened from `since` on and before `until`, in the order of entries; not what is of no note.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn key_events(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<KeyEvent>, StoreError> {
        let sql = "SELECT entry, at, act, minion, key FROM key_event \
                   WHERE at >= ?1 AND at < ?2 AND act <> 'seen' ORDER BY entry";
        self.all(sql, [since.as_microsecond(), until.as_microsecond()], key_event)
    }

    /// By which key each minion authenticated last.
    pub(super) fn known_keys(&self) -> Result<HashMap<String, Digest>, StoreError> {
        let sql = "SELECT entry, at, act, minion, key FROM key_event \
                   WHERE act IN ('seen', 'changed', 'deleted', 'rejected') ORDER BY entry";
        let mut known = HashMap::new();
        for event in self.all(sql, [], key_event)? {
            match (event.act, event.key) {
                (KeyAct::Seen | KeyAct::Changed, Some(key)) => known.insert(event.minion, key),
                _ => known.remove(&event.minion),
            };
        }
        Ok(known)
    }
}

pub(super) fn key_event(row: &Row<'_>) -> rusqlite::Result<KeyEvent> {
    let key: Vec<u8> = row.get(4)?;
    Ok(KeyEvent {
        entry: rows::number(row, 0)?,
        at: rows::time(row, 1)?,
        act: rows::named(row, 2, KeyAct::from_name)?,
        minion: row.get(3)?,
        key: Digest::from_slice(&key).filter(|key| *key != Digest::ZERO),
    })
}
