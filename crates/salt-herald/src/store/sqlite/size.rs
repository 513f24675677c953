//! How large the journal is, how far back it goes, and what was taken out of it.

use std::path::Path;

use jiff::Timestamp;

use super::open::beside;
use super::read::JournalReader;
use super::rows;
use crate::store::StoreError;

/// The journal's size and age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the file.
    pub file: u64,
    /// Bytes that are to be merged into it.
    pub wal: u64,
    /// Bytes of the file that are free.
    pub free: u64,
    /// The number of the first entry; 0 without any.
    pub first_entry: u64,
    /// When the oldest run began.
    pub oldest: Option<Timestamp>,
    /// When it was last looked for what is old; never where all is kept for ever.
    pub looked_at: Option<Timestamp>,
    /// What was taken last.
    pub taken: Option<Taken>,
    /// How many bytes file and what is to be merged may take, when it was last looked.
    pub limit: Option<u64>,
    /// Why that can't be kept: `young`, `open`, `owed`, `stiff`; and the sink that is owed something.
    pub stopped_by: Option<(String, Option<String>)>,
    /// The sink that is owed a run which is old enough to go, when it was last looked and still now.
    pub kept_for: Option<String>,
}

/// What a round took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// When.
    pub at: Timestamp,
    /// Why: `age`, `limit`.
    pub why: String,
    /// Entries.
    pub entries: u64,
    /// Runs.
    pub runs: u64,
    /// Contents of returns.
    pub results: u64,
    /// Bytes of contents.
    pub bytes: u64,
}

impl JournalReader {
    /// How large the journal is, and how far back it goes.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn extent(&self) -> Result<Extent, StoreError> {
        let pages = "SELECT page_count * page_size, freelist_count * page_size \
                     FROM pragma_page_count, pragma_page_size, pragma_freelist_count";
        let pages =
            self.first(pages, [], |row| Ok((rows::number(row, 0)?, rows::number(row, 1)?)))?;
        let (file, free) = pages.unwrap_or_default();
        let wal = self.connection.path().map_or(0, |path| unmerged(path.as_ref()));
        let text = |key: &str| {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            self.first(sql, [key], |row| row.get::<_, String>(0))
        };
        let stopped_by = match text("limit_stop")? {
            Some(why) => Some((why, text("limit_stop_for")?)),
            None => None,
        };
        let taken =
            "SELECT at, why, entries, runs, results, bytes FROM taken ORDER BY at DESC LIMIT 1";
        let oldest = "SELECT started_at FROM run ORDER BY started_at LIMIT 1";
        let kept_for = "SELECT noted.value FROM meta AS noted JOIN meta AS kept ON kept.key = 'kept_run' \
                        JOIN run ON run.id = kept.value LEFT JOIN sink ON sink.name = noted.value \
                        WHERE noted.key = 'kept_for' AND run.version > coalesce(settled, 0)";
        let looked_at = self.noted("looked_for_old_at")?;
        Ok(Extent {
            file,
            wal,
            free,
            first_entry: self
                .first("SELECT coalesce(min(number), 0) FROM entry", [], |row| {
                    rows::number(row, 0)
                })?
                .unwrap_or(0),
            oldest: self.first(oldest, [], |row| rows::time(row, 0))?,
            looked_at: looked_at.and_then(|at| Timestamp::from_microsecond(at).ok()),
            limit: self.noted("limit")?.and_then(|limit| u64::try_from(limit).ok()),
            stopped_by,
            kept_for: self.first(kept_for, [], |row| row.get(0))?,
            taken: self.first(taken, [], |row| {
                Ok(Taken {
                    at: rows::time(row, 0)?,
                    why: row.get(1)?,
                    entries: rows::number(row, 2)?,
                    runs: rows::number(row, 3)?,
                    results: rows::number(row, 4)?,
                    bytes: rows::number(row, 5)?,
                })
            })?,
        })
    }
}

/// How many bytes are to be merged into a file.
pub(super) fn unmerged(path: &Path) -> u64 {
    std::fs::metadata(beside(path, "-wal")).map_or(0, |wal| wal.len())
}

/// How many bytes a journal takes on disk.
pub(super) fn on_disk(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len()) + unmerged(path)
}
