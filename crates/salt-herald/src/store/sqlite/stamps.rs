//! Notes what still names each payload, so that one goes only when nothing that is kept needs it.
//!
//! By which entry it is needed for folding is noted exactly; on which day a return named it last, once
//! a day for each. So a flood of alike returns costs one look into memory each. What goes, and when,
//! is decided elsewhere.

use std::collections::HashMap;

use herald_core::digest::Digest;
use rusqlite::{Connection, OptionalExtension, params};

use super::payloads::Payloads;

/// Payloads whose stamps are remembered; beyond it, all are forgotten and written again.
const MAX_REMEMBERED: usize = 262_144;

/// Whose return names a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Voice {
    /// A run that is said, or a return that failed.
    Loud,
    /// One that is only recorded.
    Quiet,
}

/// What was stamped already.
#[derive(Default)]
pub(super) struct Stamps(HashMap<(i64, Voice), i64>);

impl Stamps {
    /// Notes that an entry names payloads that are needed to fold it.
    pub(super) fn entry(
        connection: &Connection,
        payloads: &mut Payloads,
        entry: i64,
        named: impl IntoIterator<Item = Digest>,
    ) -> rusqlite::Result<()> {
        let mut update = connection
            .prepare_cached("UPDATE used SET entry = max(entry, ?2) WHERE payload = ?1")?;
        for digest in named {
            if let Some(id) = payloads.find(connection, digest)? {
                update.execute([id, entry])?;
            }
        }
        Ok(())
    }

    /// Notes that a return on that day consists of this, and of all that stands in it.
    pub(super) fn shape(
        &mut self,
        connection: &Connection,
        payloads: &mut Payloads,
        shape: i64,
        voice: Voice,
        day: i64,
    ) -> rusqlite::Result<()> {
        if self.is_noted(shape, voice, day) {
            return Ok(());
        }
        let bytes: Option<Vec<u8>> = connection
            .prepare_cached("SELECT bytes FROM payload WHERE id = ?1")?
            .query_row([shape], |row| row.get(0))
            .optional()?;
        for digest in bytes.unwrap_or_default().chunks_exact(32).filter_map(Digest::from_slice) {
            if digest != Digest::ZERO
                && let Some(id) = payloads.find(connection, digest)?
            {
                self.note(connection, id, voice, day)?;
            }
        }
        self.note(connection, shape, voice, day)
    }

    fn note(
        &mut self,
        connection: &Connection,
        id: i64,
        voice: Voice,
        day: i64,
    ) -> rusqlite::Result<()> {
        if self.is_noted(id, voice, day) {
            return Ok(());
        }
        let sql = match voice {
            Voice::Loud => "UPDATE used SET loud = max(loud, ?2) WHERE payload = ?1",
            Voice::Quiet => "UPDATE used SET quiet = max(quiet, ?2) WHERE payload = ?1",
        };
        connection.prepare_cached(sql)?.execute(params![id, day])?;
        if self.0.len() >= MAX_REMEMBERED {
            self.0.clear();
        }
        self.0.insert((id, voice), day);
        Ok(())
    }

    fn is_noted(&self, id: i64, voice: Voice, day: i64) -> bool {
        self.0.get(&(id, voice)).is_some_and(|noted| *noted >= day)
    }

    /// A payload is gone.
    pub(super) fn forget(&mut self, id: i64) {
        self.0.remove(&(id, Voice::Loud));
        self.0.remove(&(id, Voice::Quiet));
    }
}
