//! The journal in memory: where everything is written, by the same code, while the file can't be.
//!
//! It is a SQLite database of the same schema, and goes on with the numbers and the chain where the
//! file ended. Of what the file holds it has what is needed to go on, and each run that is touched, with
//! all that hangs on it: a run is here whole, or not at all. So a reader that lays it over the file
//! ([`super::overlay`]) sees both as one.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use herald_core::run::RunId;
use rusqlite::{Connection, OpenFlags, params};
use uuid::Uuid;

use super::deed::Deed;
use super::write::{End, Inserter, writing};
use super::{migrate, overlay};
use crate::store::{SinkState, StoreError};

/// What is taken over whole.
pub(super) const SEEDED: [&str; 4] = ["meta", "minion", "sink", "cut"];
/// Runs of the file that were touched, and of which could not be read what was said of them.
const UNKNOWN: &str = "CREATE TABLE unknown (run INTEGER PRIMARY KEY)";
/// What hangs on a run, and which of it.
const OF_A_RUN: [(&str, &str); 5] = [
    ("run", "id = ?1"),
    ("return", "job IN (SELECT id FROM disk.job WHERE run = ?1)"),
    ("failure", "job IN (SELECT id FROM disk.job WHERE run = ?1)"),
    ("delivery", "run = ?1"),
    ("job", "run = ?1"),
];

/// How long those who read are waited for in one go. Those who come meanwhile wait, too.
const PATIENCE: Duration = Duration::from_millis(500);

/// The journal in memory.
pub(super) struct Memory {
    inserter: Inserter,
    /// The file can be read.
    attached: bool,
    /// The last run in the file.
    last: RunId,
    /// Where it is found by others in this process.
    pub(super) place: String,
    /// The end of the file when it could not be written any more.
    pub(super) base: End,
    /// What was done here, to be done in the file.
    pub(super) done: Vec<Deed>,
    /// About how many bytes `done` takes.
    size: usize,
}

impl Memory {
    /// Begins where the file ends, with that last run. What can't be read of it is left out, and told of.
    pub(super) fn begin(
        path: &Path,
        origin: [u8; 16],
        (base, last): (End, RunId),
    ) -> Result<Self, StoreError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = format!("file:/journal-{}-{number}?vfs=memdb", std::process::id());
        let mut connection = Connection::open_with_flags(&place, flags()).map_err(writing)?;
        connection.busy_timeout(PATIENCE).map_err(writing)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate::migrate(&mut connection, path)?;
        connection.execute_batch(UNKNOWN).map_err(writing)?;
        let attached = overlay::attach(&connection, path);
        if attached {
            seed(&connection);
        }
        connection
            .execute("INSERT OR REPLACE INTO meta VALUES ('origin', ?1)", [&origin[..]])
            .map_err(writing)?;
        let inserter = Inserter::on_top(connection, origin, base, attached).map_err(writing)?;
        let mut memory = Self { inserter, attached, last, place, base, done: Vec::new(), size: 0 };
        memory.begin_line(last)?;
        Ok(memory)
    }

    /// If the process ends before the file can be written, its numbers are given to other runs: the
    /// messages that were posted meanwhile must not be taken for theirs.
    fn begin_line(&mut self, last: RunId) -> Result<(), StoreError> {
        let line = Deed::Line(Uuid::new_v4().to_string(), last);
        self.write(vec![line]).map(|_| ()).map_err(|(error, _)| error)
    }

    /// Does some deeds, all or nothing, and keeps them.
    pub(super) fn write(
        &mut self,
        deeds: Vec<Deed>,
    ) -> Result<Vec<Option<SinkState>>, (StoreError, Vec<Deed>)> {
        let mut answers = Vec::with_capacity(deeds.len());
        let written = self.inserter.transaction(|insert| {
            for deed in &deeds {
                let of_file = deed.runs().into_iter().filter(|run| *run <= self.last);
                of_file
                    .into_iter()
                    .try_for_each(|run| take_over(insert.connection, run, self.attached))?;
                answers.push(insert.carry_out(deed)?);
            }
            Ok(())
        });
        match written {
            Ok(()) => {
                self.size += deeds.iter().map(Deed::size).sum::<usize>();
                self.done.extend(deeds.into_iter().filter(|deed| !matches!(deed, Deed::Settle)));
                Ok(answers)
            }
            Err(error) => Err((error, deeds)),
        }
    }

    /// The number of the last entry.
    pub(super) fn last_number(&self) -> u64 {
        self.inserter.last_number()
    }

    /// The end of the chain.
    pub(super) fn end(&self) -> End {
        self.inserter.end()
    }

    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let pages = self.inserter.connection().query_row(sql, [], |row| row.get::<_, i64>(0));
        self.size + pages.map_or(0, |bytes| usize::try_from(bytes).unwrap_or_default())
    }
}

/// How the journal in memory is opened.
pub(super) fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Takes over what is needed to go on. Each table by itself: one of them may be damaged.
fn seed(connection: &Connection) {
    let tell = |what: &str, error: rusqlite::Error| {
        tracing::error!(%error, what, "this can't be read from the journal");
    };
    for table in SEEDED {
        let sql = format!("INSERT OR REPLACE INTO main.{table} SELECT * FROM disk.{table}");
        if let Err(error) = connection.execute(&sql, []) {
            tell(table, error);
        }
    }
    // What is new gets numbers behind the file's.
    let sql = "INSERT INTO main.payload SELECT * FROM disk.payload ORDER BY id DESC LIMIT 1";
    if let Err(error) = connection.execute(sql, []) {
        tell("payload", error);
    }
}

/// Takes over a run with all that hangs on it, unless it is here. What was said of it may not be
/// readable: then nobody may think that nothing was.
fn take_over(connection: &Connection, run: RunId, attached: bool) -> Result<(), StoreError> {
    let run = run.0 as i64;
    let is_here = connection
        .prepare_cached("SELECT 1 FROM main.run WHERE id = ?1")
        .and_then(|mut select| select.exists([run]))
        .map_err(writing)?;
    if is_here {
        return Ok(());
    }
    let mut is_known = attached;
    for (table, rows) in OF_A_RUN.iter().filter(|_| attached) {
        let sql =
            format!("INSERT OR IGNORE INTO main.{table} SELECT * FROM disk.{table} WHERE {rows}");
        let taken = connection.prepare_cached(&sql).and_then(|mut take| take.execute(params![run]));
        if let Err(error) = taken {
            is_known &= *table != "delivery";
            tracing::error!(%error, run, table, "this can't be read from the journal");
        }
    }
    if !is_known {
        connection
            .prepare_cached("INSERT OR IGNORE INTO main.unknown VALUES (?1)")
            .and_then(|mut note| note.execute([run]))
            .map_err(writing)?;
    }
    Ok(())
}
