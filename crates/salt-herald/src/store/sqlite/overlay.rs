//! File and memory as one, for those who read while the file can't be written.
//!
//! The file is attached to a connection to the journal in memory. Views of the tables' names lie over
//! both, so that every question can be asked as it is asked of the file alone: what is in memory hides
//! what the file holds of it. Nothing is written here.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::memory;
use super::open::{as_uri, has_a_strangers_wal, has_unmerged_wal};

/// Tables of which both hold rows, and which of the file's count.
pub(super) const BOTH: [(&str, &str); 17] = [
    ("entry", "number NOT IN (SELECT number FROM main.entry)"),
    ("payload", "id NOT IN (SELECT id FROM main.payload)"),
    ("volatile", "entry NOT IN (SELECT entry FROM main.volatile)"),
    ("run", "id NOT IN (SELECT id FROM main.run)"),
    ("job", "run NOT IN (SELECT id FROM main.run) AND id NOT IN (SELECT id FROM main.job)"),
    ("return", "job NOT IN (SELECT id FROM main.job)"),
    ("failure", "job NOT IN (SELECT id FROM main.job)"),
    ("gap", "entry NOT IN (SELECT entry FROM main.gap)"),
    ("backfill", "entry NOT IN (SELECT entry FROM main.backfill)"),
    ("backfilled", "run NOT IN (SELECT run FROM main.backfilled)"),
    ("key_event", "entry NOT IN (SELECT entry FROM main.key_event)"),
    ("suspect", "entry NOT IN (SELECT entry FROM main.suspect)"),
    ("unsaid", "entry NOT IN (SELECT entry FROM main.unsaid)"),
    ("seal", "entry NOT IN (SELECT entry FROM main.seal)"),
    ("scrub", "entry NOT IN (SELECT entry FROM main.scrub)"),
    ("scrubbed", "entry NOT IN (SELECT entry FROM main.scrubbed)"),
    (
        "delivery",
        "(run NOT IN (SELECT id FROM main.run) OR run IN (SELECT run FROM main.unknown)) \
         AND (run, sink, part) NOT IN (SELECT run, sink, part FROM main.delivery)",
    ),
];

/// Where the writer writes at the moment, as readers in this process see it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Changes with each move.
    moves: AtomicU64,
    memory: Mutex<Option<String>>,
}

impl Place {
    pub(super) fn new(path: &Path) -> Arc<Self> {
        let path = path.to_owned();
        Arc::new(Self { path, moves: AtomicU64::new(0), memory: Mutex::new(None) })
    }

    /// The writer goes on in memory, or in the file again.
    pub(super) fn move_to(&self, memory: Option<String>) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
        self.moves.fetch_add(1, Ordering::Release);
    }

    /// How often it moved so far.
    pub(super) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens file and memory as one, if the writer is in memory.
    pub(super) fn open_both(&self) -> Option<rusqlite::Result<Connection>> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(open(&memory, Some(&self.path)))
    }

    /// Opens the memory by itself: the file can't be read either.
    pub(super) fn open_memory(&self) -> Option<rusqlite::Result<Connection>> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(open(&memory, None))
    }
}

fn open(memory: &str, file: Option<&Path>) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(memory, memory::flags())?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    if file.is_some_and(|file| attach(&connection, file)) {
        for (table, rows) in BOTH {
            connection.execute_batch(&format!(
                "CREATE TEMP VIEW \"{table}\" AS SELECT * FROM main.\"{table}\" UNION ALL \
                 SELECT * FROM disk.\"{table}\" WHERE {rows}"
            ))?;
        }
    }
    Ok(connection)
}

/// Attaches the file, to be read only; whether that could be done.
pub(super) fn attach(connection: &Connection, file: &Path) -> bool {
    // Else it would be looked for in memory, as what it is attached to.
    let (plain, unchanging) = ("vfs=unix&mode=ro", "vfs=unix&immutable=1");
    let ways = if has_a_strangers_wal(file) {
        vec![unchanging]
    } else if has_unmerged_wal(file) {
        vec![plain]
    } else {
        // Where not even the files beside it can be made.
        vec![plain, unchanging]
    };
    for way in ways {
        let attached = connection.execute("ATTACH ?1 AS disk", [as_uri(file, way)]);
        let readable = attached.and_then(|_| {
            connection
                .query_row("SELECT count(*) FROM disk.migration", [], |row| row.get::<_, i64>(0))
        });
        match readable {
            Ok(_) => return true,
            Err(error) => {
                tracing::warn!(%error, way, "the journal can't be read");
                let _ = connection.execute_batch("DETACH disk");
            }
        }
    }
    false
}
