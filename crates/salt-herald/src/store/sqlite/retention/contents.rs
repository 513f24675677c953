//! Taking out the contents of returns, and their times, that are not kept any longer.
//!
//! From which day on they are kept is decided elsewhere.

use rusqlite::{Connection, params};

use super::Limits;
use super::round::Round;
use crate::store::sqlite::cut::Base;

/// Rows that are looked at at once.
const ROWS: i64 = 500;
/// Bytes of contents that are taken out at once: what is long is freed page by page.
const BYTES: i64 = 2 << 20;
/// Up to which entry times of quiet runs were taken out, in `meta`.
const QUIET_TIMES: &str = "quiet_times";

impl Round<'_, '_> {
    /// Takes out contents that nothing names that is kept; up to which were looked at.
    pub(super) fn clear_contents(
        &mut self,
        after: i64,
        limits: Limits,
        base: Base,
    ) -> rusqlite::Result<Option<i64>> {
        let mut select = self.insert.connection.prepare_cached(
            "SELECT payload, entry <= ?3 AND (loud = 0 OR loud < ?4) AND (quiet = 0 OR quiet < ?5), \
             loud + quiet > 0, bytes FROM used WHERE payload > ?1 ORDER BY payload LIMIT ?2",
        )?;
        let values = [after, ROWS, base.last, limits.loud, limits.quiet];
        let found = select.query_map(values, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })?;
        let found: Vec<(i64, bool, bool, i64)> = found.collect::<Result<_, _>>()?;
        let (mut last, mut freed) = (None, 0);
        for (id, is_over, is_result, bytes) in found {
            last = Some(id);
            if !is_over {
                continue;
            }
            self.insert.payloads.remove(self.insert.connection, id)?;
            self.insert.stamps.forget(id);
            self.taken.results += u64::from(is_result);
            self.taken.bytes += u64::try_from(bytes).unwrap_or_default();
            freed += bytes;
            if freed >= BYTES {
                break;
            }
        }
        Ok(last)
    }

    /// Takes out the times of returns whose contents are over; whether there may be more.
    pub(super) fn clear_times(&mut self, limits: Limits) -> rusqlite::Result<bool> {
        let connection = self.insert.connection;
        let loud = self.entry_of(limits.loud)?;
        let sql = "DELETE FROM volatile WHERE entry IN \
                   (SELECT entry FROM volatile WHERE entry < ?1 ORDER BY entry LIMIT ?2)";
        if connection.prepare_cached(sql)?.execute([loud, ROWS])? > 0 {
            return Ok(true);
        }
        let quiet = self.entry_of(limits.quiet)?;
        let done = "SELECT coalesce((SELECT value FROM meta WHERE key = ?1), 0)";
        let done: i64 =
            connection.prepare_cached(done)?.query_row([QUIET_TIMES], |row| row.get(0))?;
        let mut select = connection.prepare_cached(
            "SELECT volatile.entry, bytes FROM (SELECT entry FROM volatile WHERE entry > ?1 \
             AND entry < ?2 ORDER BY entry LIMIT ?3) AS volatile JOIN entry ON number = volatile.entry",
        )?;
        let mut rows = select.query([done, quiet, ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let entry: i64 = row.get(0)?;
            last = Some(entry);
            if is_quiet(connection, row.get_ref(1)?.as_blob().unwrap_or_default())? {
                let sql = "DELETE FROM volatile WHERE entry = ?1";
                connection.prepare_cached(sql)?.execute([entry])?;
            }
        }
        if let Some(last) = last {
            let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
            connection.prepare_cached(sql)?.execute(params![QUIET_TIMES, last])?;
        }
        Ok(last.is_some())
    }
}

/// Whether an entry is a return of a run that is not said, and did not fail.
fn is_quiet(connection: &Connection, entry: &[u8]) -> rusqlite::Result<bool> {
    let job = entry.get(34..42).and_then(|bytes| bytes.first_chunk().copied());
    let failed = entry.get(50).is_none_or(|bits| bits & 1 != 0);
    let sql = "SELECT EXISTS (SELECT 1 FROM job JOIN run ON run.id = job.run WHERE job.id = ?1 \
               AND (said OR told_with IS NOT NULL))";
    let job = i64::from_be_bytes(job.unwrap_or_default());
    let is_loud: bool = connection.prepare_cached(sql)?.query_row([job], |row| row.get(0))?;
    Ok(!failed && !is_loud)
}
