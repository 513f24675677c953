//! A backup that was put back in the journal's place: how it is known, and what has to be done before
//! anybody goes on with it.
//!
//! A journal that is in use is in WAL mode; a backup never is. Whatever lies beside a file that is not
//! in WAL mode belongs to the file that was there before: SQLite would write it over the backup.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use herald_core::outbox::{Doubt, write_doubt};
use herald_core::owed::Part;
use herald_core::run::RunId;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::open::beside;
use super::read::JournalReader;
use super::rows;
use super::sealing;
use crate::store::StoreError;

/// What is noted: of runs that began before, something may have been said that the journal does not
/// know of, by other numbers.
pub(super) const UNSURE_UNTIL: &str = "unsure_until";
/// How a file of SQLite's begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where the two versions of its format stand.
pub(super) const VERSIONS_AT: u64 = 18;
/// The versions without WAL mode.
pub(super) const PLAIN: [u8; 2] = [1, 1];
/// So many runs of a sink are taken for said, perhaps, after the backup.
const MOST_IN_DOUBT: i64 = 2_000;

/// Whether there is a database that is not in WAL mode. Not to be asked while SQLite has the file open
/// in this process: closing it would take SQLite's locks.
pub(super) fn is_put_back(path: &Path) -> io::Result<bool> {
    let mut start = [0; 20];
    match File::open(path).and_then(|file| file.read_exact_at(&mut start, 0)) {
        Ok(()) => Ok(start.starts_with(MAGIC) && start.ends_with(&PLAIN)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Puts aside what belongs to the journal that was there before. It is kept: somebody may have moved
/// that journal elsewhere, and miss its end.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    let (stranger, aside) = (beside(path, "-wal"), beside(path, "-wal.before-restore"));
    match std::fs::rename(&stranger, &aside) {
        Ok(()) => tracing::warn!(
            file = %aside.display(),
            "the journal was put back from a backup: what the one before had not merged is set aside"
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // It only says what stands in the other.
    match std::fs::remove_file(beside(path, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Notes that what happens from now on is another story than what happened after the backup: runs
/// will get numbers that others had then, and what was owed may have been said.
pub(super) fn note(connection: &Connection) -> rusqlite::Result<()> {
    let all = connection.unchecked_transaction()?;
    all.execute(
        "INSERT INTO meta SELECT 'line.' || ?1, coalesce(max(id), 0) FROM run",
        [Uuid::new_v4().to_string()],
    )?;
    note_unsure(&all)?;
    all.execute("INSERT OR REPLACE INTO meta VALUES (?1, 1)", [sealing::PUT_BACK])?;
    let mut select = all.prepare("SELECT name, settled FROM sink")?;
    let sinks = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
    for (sink, settled) in sinks {
        let doubt = in_doubt(&all, &sink, settled)?;
        all.execute(
            "UPDATE sink SET doubt = ?2 WHERE name = ?1",
            params![sink, write_doubt(&doubt)],
        )?;
    }
    drop(select);
    all.commit()
}

/// Notes that up to now more may have been said than the journal knows: it went back, or its last
/// writer ended with something in memory.
pub(super) fn note_unsure(connection: &Connection) -> rusqlite::Result<()> {
    let now = jiff::Timestamp::now().as_microsecond();
    let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
    connection.execute(sql, params![UNSURE_UNTIL, now]).map(|_| ())
}

/// What the backup does not know to be said at a sink, of runs that may have gone on.
fn in_doubt(connection: &Connection, sink: &str, settled: i64) -> rusqlite::Result<Doubt> {
    let mut select = connection.prepare(
        "SELECT id, part FROM run LEFT JOIN delivery ON delivery.run = id AND sink = ?1 \
         WHERE id IN (SELECT id FROM run WHERE (run.version > ?2 OR status = 'running') \
         AND (said OR told_with IS NOT NULL) ORDER BY run.version DESC LIMIT ?3)",
    )?;
    let mut doubt = Doubt::new();
    let mut said = Doubt::new();
    let mut rows = select.query(params![sink, settled, MOST_IN_DOUBT])?;
    while let Some(row) = rows.next()? {
        let run = RunId(rows::number(row, 0)?);
        doubt.extend(Part::ALL.iter().map(|part| (*part, run)));
        let part: Option<String> = row.get(1)?;
        said.extend(part.and_then(|part| Part::from_name(&part)).map(|part| (part, run)));
    }
    Ok(&doubt - &said)
}

impl JournalReader {
    /// The run of each of these jids, where it is the only one.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn only_runs_with_jids(
        &self,
        jids: &[String],
    ) -> Result<HashMap<String, RunId>, StoreError> {
        let sql = "SELECT min(run) FROM job WHERE jid = ?1 HAVING count(DISTINCT run) = 1";
        let mut only = HashMap::new();
        for jid in jids {
            let run = self.first(sql, [jid], |row| rows::number(row, 0))?;
            only.extend(run.map(|run| (jid.clone(), RunId(run))));
        }
        Ok(only)
    }
}
