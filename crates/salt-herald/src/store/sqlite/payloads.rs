//! Payloads and the index by which they are found.
//!
//! Digests are random: in a flood, every commit would rewrite nearly every page of an index over
//! them. So the index is made behind the writing, in large sorted portions, and holds eight bytes of
//! each digest. What is not in it yet is the file's last payloads: the writer remembers them, a
//! reader looks through them. Which payloads there are is not decided here.

use herald_core::digest::{Digest, DigestMap};
use herald_core::payload::Payload;
use rusqlite::{Connection, OptionalExtension, params};

use super::filter::{self, Filter};

/// So few are put into the index with the commit that brings them.
const AT_ONCE: usize = 256;
/// So many are put into the index though more is coming.
const AT_MOST: usize = 32_768;
/// Ids of older payloads that are remembered; beyond it, all are forgotten and asked of the file.
const MAX_CACHED: usize = 65_536;

/// The id that no payload has.
const NO_PAYLOAD: i64 = 0;

/// Up to which payload the index reaches, in `meta`.
const INDEXED: &str = "payloads_indexed";
/// The last id that was given when a payload was taken out last, in `meta`.
const LAST: &str = "payloads_last";

/// The writer's knowledge of which payloads there are.
pub(super) struct Payloads {
    /// What may be in the index.
    filter: Filter,
    /// Not in the index yet.
    fresh: DigestMap<i64>,
    cached: DigestMap<i64>,
    /// What is not here may be in the database that is attached as `disk`.
    attached: bool,
    /// The last id that was given. None is given twice: what named contents that are gone must not
    /// come to name others.
    last: i64,
}

impl Payloads {
    /// The same for a database that lies over another.
    pub(super) fn load_on_top(connection: &Connection, attached: bool) -> rusqlite::Result<Self> {
        Ok(Self { attached, ..Self::load(connection)? })
    }

    /// Knows only what the database does, after something went back.
    pub(super) fn forget(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        *self = Self::load_on_top(connection, self.attached)?;
        Ok(())
    }

    /// Remembers what is not in the index yet.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut select = connection.prepare("SELECT digest, id FROM payload WHERE id > ?1")?;
        let rows = select.query_map([indexed(connection)?], |row| {
            Ok((Digest(row.get::<_, [u8; 32]>(0)?), row.get(1)?))
        })?;
        let fresh = rows.collect::<Result<_, _>>()?;
        let last: i64 =
            connection
                .query_row("SELECT coalesce(max(id), 0) FROM payload", [], |row| row.get(0))?;
        let last = last.max(indexed(connection)?).max(noted(connection, LAST)?);
        let cached = DigestMap::default();
        Ok(Self { filter: load_filter(connection)?, fresh, cached, attached: false, last })
    }

    /// Keeps payloads, unless they are kept already.
    pub(super) fn insert(
        &mut self,
        connection: &Connection,
        payloads: &[Payload],
    ) -> rusqlite::Result<()> {
        if payloads.is_empty() {
            return Ok(());
        }
        let mut insert =
            connection.prepare_cached("INSERT INTO payload VALUES (?1, ?2, ?3, ?4)")?;
        let mut measure = connection.prepare_cached("INSERT INTO used VALUES (?1, 0, 0, 0, ?2)")?;
        for payload in payloads {
            let digest = payload.digest;
            if self.find(connection, digest)?.is_some() {
                continue;
            }
            let id = self.last + 1;
            insert.execute(params![id, digest.0, payload.kind.code(), &payload.bytes[..]])?;
            measure.execute(params![id, payload.bytes.len() as i64])?;
            self.last = id;
            self.fresh.insert(digest, id);
        }
        Ok(())
    }

    /// The id of a payload. One that is not kept any more has none, and is not shown.
    pub(super) fn id_of(
        &mut self,
        connection: &Connection,
        digest: Digest,
    ) -> rusqlite::Result<i64> {
        match self.find(connection, digest)? {
            None if self.attached => self.find_attached(connection, digest),
            found => Ok(found.unwrap_or(NO_PAYLOAD)),
        }
    }

    /// The id of a payload in the database that is attached. Where that can't be read, there is none:
    /// its contents are not shown, and nothing else is lost.
    fn find_attached(&mut self, connection: &Connection, digest: Digest) -> rusqlite::Result<i64> {
        let found = find_in_attached(connection, digest).unwrap_or_default().unwrap_or(NO_PAYLOAD);
        self.remember(digest, found);
        Ok(found)
    }

    /// Where nothing new comes, nothing but this bounds what is remembered.
    fn remember(&mut self, digest: Digest, id: i64) {
        if self.cached.len() >= MAX_CACHED {
            self.cached = DigestMap::default();
        }
        self.cached.insert(digest, id);
    }

    /// The id of a payload, if it is there.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        digest: Digest,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.cached.get(&digest).or_else(|| self.fresh.get(&digest)) {
            return Ok(Some(*id));
        }
        if !self.filter.may_hold(key(digest)) {
            return Ok(None);
        }
        let found = find(connection, digest)?;
        if let Some(id) = found {
            self.remember(digest, id);
        }
        Ok(found)
    }

    /// Takes a payload out.
    pub(super) fn remove(&mut self, connection: &Connection, id: i64) -> rusqlite::Result<()> {
        let digest: Option<[u8; 32]> = connection
            .prepare_cached("DELETE FROM payload WHERE id = ?1 RETURNING digest")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        connection.prepare_cached("DELETE FROM used WHERE payload = ?1")?.execute([id])?;
        let Some(digest) = digest.map(Digest) else {
            return Ok(());
        };
        connection
            .prepare_cached("DELETE FROM payload_key WHERE key = ?1 AND payload = ?2")?
            .execute([key(digest), id])?;
        self.fresh.remove(&digest);
        self.cached.remove(&digest);
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?
            .execute(params![LAST, self.last])?;
        Ok(())
    }

    /// Whether the index should be brought up to date with this commit.
    pub(super) fn is_due(&self) -> bool {
        !self.fresh.is_empty() && (self.fresh.len() <= AT_ONCE || self.fresh.len() >= AT_MOST)
    }

    /// Whether anything is not in the index yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Brings the index up to date.
    pub(super) fn index(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(last) = self.fresh.values().max().copied() else {
            return Ok(());
        };
        let mut keys: Vec<(i64, i64)> =
            self.fresh.iter().map(|(digest, id)| (key(*digest), *id)).collect();
        keys.sort_unstable();
        let mut insert = connection.prepare_cached("INSERT INTO payload_key VALUES (?1, ?2)")?;
        for (key, id) in keys {
            insert.execute([key, id])?;
            self.filter.insert(key);
        }
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?
            .execute(params![INDEXED, last])?;
        if self.cached.len() + self.fresh.len() > MAX_CACHED {
            self.cached = DigestMap::default();
        }
        self.cached.extend(self.fresh.drain());
        Ok(())
    }
}

/// A payload's id, by the index.
fn find(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT payload.id FROM payload_key JOIN payload ON payload.id = payload_key.payload
             WHERE payload_key.key = ?1 AND payload.digest = ?2",
        )?
        .query_row(params![key(digest), digest.0], |row| row.get(0))
        .optional()
}

/// The same for the database that is attached: by its index, and among what is not in it yet.
fn find_in_attached(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT payload.id FROM disk.payload_key AS found JOIN disk.payload \
               ON payload.id = found.payload WHERE found.key = ?1 AND payload.digest = ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![key(digest), digest.0], |row| row.get(0))
        .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let sql = "SELECT id FROM disk.payload WHERE digest = ?2 AND id > \
               coalesce((SELECT value FROM disk.meta WHERE key = ?1), 0)";
    connection
        .prepare_cached(sql)?
        .query_row(params![INDEXED, digest.0], |row| row.get(0))
        .optional()
}

/// The contents of a payload of the database that is attached.
pub(super) fn bytes_in_attached(
    connection: &Connection,
    digest: Digest,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let Some(id) = find_in_attached(connection, digest)? else { return Ok(None) };
    let sql = "SELECT bytes FROM disk.payload WHERE id = ?1";
    connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()
}

fn load_filter(connection: &Connection) -> rusqlite::Result<Filter> {
    if indexed(connection)? > filter::MOST {
        return Ok(Filter::blind());
    }
    let mut filter = Filter::new();
    let mut select = connection.prepare("SELECT key FROM payload_key")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        filter.insert(row.get(0)?);
    }
    Ok(filter)
}

/// The contents of a payload, for those who only read.
pub(super) fn bytes_of(
    connection: &Connection,
    digest: Digest,
) -> rusqlite::Result<Option<Vec<u8>>> {
    // Asked first: what the index takes up from now on is found in it.
    let indexed = indexed(connection)?;
    let (sql, id) = match find(connection, digest)? {
        Some(id) => ("SELECT bytes FROM payload WHERE id = ?1 AND digest = ?2", id),
        None => ("SELECT bytes FROM payload WHERE id > ?1 AND digest = ?2", indexed),
    };
    connection.prepare_cached(sql)?.query_row(params![id, digest.0], |row| row.get(0)).optional()
}

/// Up to which payload the index reaches.
pub(super) fn indexed(connection: &Connection) -> rusqlite::Result<i64> {
    noted(connection, INDEXED)
}

fn noted(connection: &Connection, key: &str) -> rusqlite::Result<i64> {
    let value = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0));
    Ok(value.optional()?.unwrap_or_default())
}

/// What the index knows of a digest.
pub(super) fn key(digest: Digest) -> i64 {
    digest.0.first_chunk().copied().map_or(0, i64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use herald_core::payload::PayloadKind;

    fn payloads(numbers: std::ops::Range<u32>) -> Vec<Payload> {
        numbers.map(|n| Payload::new(PayloadKind::Body, &n.to_be_bytes())).collect()
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    }

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("001_journal.sql")).unwrap();
        connection.execute_batch(include_str!("004_size.sql")).unwrap();
        connection
    }

    #[test]
    fn what_is_not_in_the_index_yet_is_found_and_is_not_kept_twice() {
        let file = connection();
        let many = payloads(0..1000);
        let mut writer = Payloads::load(&file).unwrap();
        writer.insert(&file, &many).unwrap();
        assert!(!writer.is_due() && writer.is_behind());
        let last = many.last().unwrap();
        assert_eq!(bytes_of(&file, last.digest).unwrap().as_deref(), Some(&last.bytes[..]));

        // As after a crash: only the file knows.
        let mut writer = Payloads::load(&file).unwrap();
        writer.insert(&file, &many).unwrap();
        assert_eq!((count(&file, "payload"), count(&file, "payload_key")), (1000, 0));
        assert_eq!(writer.find(&file, last.digest).unwrap(), Some(1000));
    }

    #[test]
    fn what_is_asked_for_is_remembered_up_to_a_number() {
        let file = connection();
        let many = payloads(0..MAX_CACHED as u32 + 10);
        file.execute_batch("BEGIN").unwrap();
        let mut writer = Payloads::load(&file).unwrap();
        writer.insert(&file, &many).unwrap();
        writer.index(&file).unwrap();
        // As after a restart, on a site where nothing is new.
        let mut writer = Payloads::load(&file).unwrap();
        for payload in &many {
            assert!(writer.find(&file, payload.digest).unwrap().is_some());
        }
        assert!(writer.cached.len() <= MAX_CACHED, "{}", writer.cached.len());
    }

    #[test]
    fn what_is_in_the_index_is_found_and_is_not_kept_twice() {
        let file = connection();
        let many = payloads(0..1000);
        let mut writer = Payloads::load(&file).unwrap();
        writer.insert(&file, &many).unwrap();
        writer.index(&file).unwrap();
        assert!(!writer.is_behind());
        assert_eq!(count(&file, "payload_key"), 1000);

        let mut writer = Payloads::load(&file).unwrap();
        writer.insert(&file, &payloads(999..1001)).unwrap();
        assert!(writer.is_due());
        assert_eq!(count(&file, "payload"), 1001);
        for payload in &many {
            assert_eq!(
                bytes_of(&file, payload.digest).unwrap().as_deref(),
                Some(&payload.bytes[..])
            );
        }
        assert_eq!(bytes_of(&file, Digest::of(b"never")).unwrap(), None);
        assert_eq!(writer.find(&file, Digest::of(b"never")).unwrap(), None);
    }

    #[test]
    fn what_was_taken_out_is_not_found_and_its_id_is_never_given_again() {
        let file = connection();
        let many = payloads(0..300);
        let mut writer = Payloads::load(&file).unwrap();
        writer.insert(&file, &many).unwrap();
        for is_indexed in [false, true] {
            let ids: Vec<i64> = many
                .iter()
                .filter_map(|payload| writer.find(&file, payload.digest).unwrap())
                .collect();
            assert_eq!(ids.len(), 300);
            for id in &ids {
                writer.remove(&file, *id).unwrap();
            }
            let tables = ["payload", "payload_key", "used"].map(|table| count(&file, table));
            assert_eq!(tables, [0, 0, 0]);
            assert_eq!(writer.find(&file, many[7].digest).unwrap(), None);
            // As after a restart.
            writer = Payloads::load(&file).unwrap();
            writer.insert(&file, &many).unwrap();
            assert!(writer.find(&file, many[7].digest).unwrap() > ids.iter().max().copied());
            if !is_indexed {
                writer.index(&file).unwrap();
            }
        }
    }
}
