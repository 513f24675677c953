//! The schema, in numbered steps that are never changed once released.
//!
//! All that is missing is applied in one transaction with the note that it was: a crash leaves it
//! done or not begun, and no reader meets a journal that is half made.

use std::path::Path;

use herald_core::change::What;
use herald_core::digest::Digest;
use herald_core::entry::{Contents, decode, kind_code};
use herald_core::literal;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::StoreError;

const STEPS: &[(i64, &str)] = &[
    (1, include_str!("001_journal.sql")),
    (2, include_str!("002_outbox.sql")),
    (3, include_str!("003_backfill.sql")),
    (4, include_str!("004_size.sql")),
    (5, include_str!("005_mood.sql")),
    (6, include_str!("006_standing.sql")),
    (7, include_str!("007_limit.sql")),
    (8, include_str!("008_keys.sql")),
    (9, include_str!("009_seal.sql")),
    (10, include_str!("010_scrub.sql")),
    (11, include_str!("011_suspect.sql")),
    (12, include_str!("012_thread.sql")),
];

/// The latest schema.
pub(super) const LATEST: i64 = 12;

/// Brings the file to the latest schema.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Sqlite { doing: "migrated", source };
    let all = connection.transaction().map_err(failed)?;
    all.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
             number INTEGER PRIMARY KEY, checksum TEXT NOT NULL
         ) STRICT",
    )
    .map_err(failed)?;
    check_version(&all, path)?;
    for (number, sql) in STEPS {
        let checksum = Digest::of(sql.as_bytes()).to_string();
        let applied: Option<String> = all
            .query_row("SELECT checksum FROM migration WHERE number = ?1", [number], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)?;
        match applied {
            Some(applied) if applied == checksum => {}
            Some(_) => return Err(StoreError::Changed { number: *number }),
            None => {
                all.execute_batch(sql).map_err(failed)?;
                all.execute("INSERT INTO migration VALUES (?1, ?2)", params![number, checksum])
                    .map_err(failed)?;
            }
        }
    }
    all.commit().map_err(failed)
}

/// Refuses a file of a later salt-herald.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: Option<i64> = connection
        .query_row("SELECT max(number) FROM migration", [], |row| row.get(0))
        .map_err(|source| StoreError::Sqlite { doing: "read", source })?;
    match found {
        Some(found) if found > LATEST => {
            let by = maker(connection).map(|version| format!(" ({version})")).unwrap_or_default();
            Err(StoreError::Newer { path: path.to_owned(), by, found, known: LATEST })
        }
        _ => Ok(()),
    }
}

/// Refuses a file that would have to be brought to the latest schema first.
pub(super) fn require_latest(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    check_version(connection, path)?;
    let found: i64 = connection
        .query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))
        .map_err(|source| StoreError::Sqlite { doing: "read", source })?;
    let what = || format!("schema {found} has to become {LATEST} first");
    if found < LATEST { Err(StoreError::Damaged { what: what() }) } else { Ok(()) }
}

/// The version of the salt-herald that opened it last, if the later schema still lets us see it.
fn maker(connection: &Connection) -> Option<String> {
    let opened = kind_code(&What::Opened { version: String::new() });
    let sql = "SELECT bytes FROM entry WHERE kind = ?1 AND number > \
               (SELECT max(number) FROM entry) - 100000 ORDER BY number DESC LIMIT 1";
    let bytes: Vec<u8> = connection.query_row(sql, [opened], |row| row.get(0)).ok()?;
    match decode(&bytes, &mut Nothing).ok()?.1.what {
        What::Opened { version } => Some(literal::line(&version)),
        _ => None,
    }
}

/// Has no contents.
pub(super) struct Nothing;

impl Contents for Nothing {
    fn payload(&mut self, _digest: Digest) -> Option<Vec<u8>> {
        None
    }
}
