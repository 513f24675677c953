//! Looks whether a journal is whole before anything is written to it, and says what is wrong.
//!
//! A small one is looked through. Of a large one the ends of every table and index, the last entries
//! and a sample of the rest are looked at: that takes as long at ten gigabytes as at one. It mends
//! nothing, and writes nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use herald_core::digest::Digest;
use herald_core::entry::chain;
use rusqlite::{Connection, OptionalExtension};

use super::open::{beside, has_unmerged_wal, is_damage};
use super::{migrate, open, scrubs};
use crate::store::StoreError;

/// Up to this size in bytes a journal is looked through from end to end.
const SMALL: u64 = 32 << 20;
/// So many of the last entries of a larger one are checked.
const LAST: i64 = 2000;
/// So many samples of a larger one are taken.
const SAMPLES: i64 = 64;
/// What every SQLite database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// What a WAL begins with, and the format's version behind it.
const WAL_MAGIC: [[u8; 8]; 2] =
    [*b"\x37\x7f\x06\x82\x00\x2d\xe2\x18", *b"\x37\x7f\x06\x83\x00\x2d\xe2\x18"];

/// Refuses a journal that is damaged, or that a later salt-herald made. One that is not there yet,
/// or was not finished when it was made, is fine.
///
/// `known` is whether there was a journal at this path before.
pub(super) fn examine(path: &Path, known: bool) -> Result<(), StoreError> {
    examine_as(path, known, SMALL)
}

/// The same with another size up to which it is looked through.
fn examine_as(path: &Path, known: bool, small: u64) -> Result<(), StoreError> {
    let damaged = |what: String| StoreError::Broken { path: path.to_owned(), what };
    let length = match std::fs::metadata(path).map(|file| file.len()) {
        Ok(0) if known => return Err(damaged("it is empty, and it was not".to_owned())),
        Err(_) | Ok(0) => return Ok(()),
        Ok(length) => length,
    };
    let start = beginning::<100>(path);
    if !start.starts_with(MAGIC) {
        return Err(damaged("it does not begin as a SQLite database does".to_owned()));
    }
    examine_wal(&beside(path, "-wal"), &damaged)?;
    let looked =
        open::read_only(path).and_then(|opened| look(&opened.connection, path, length <= small));
    // In a WAL stands what the file lacks.
    let cut_off = || cut_off(&start, length).filter(|_| !has_unmerged_wal(path));
    match looked {
        Err(StoreError::Sqlite { source, .. }) if is_damage(&source) => {
            Err(damaged(cut_off().unwrap_or_else(|| source.to_string())))
        }
        Err(StoreError::Broken { what, .. }) => Err(damaged(cut_off().unwrap_or(what))),
        // SQLite lets the last page be a little short.
        Ok(()) => cut_off().map_or(Ok(()), |what| Err(damaged(what))),
        looked => looked,
    }
}

/// SQLite takes a WAL whose header it can't read for an empty one: what was committed into it would
/// be gone without a word.
fn examine_wal(wal: &Path, damaged: &impl Fn(String) -> StoreError) -> Result<(), StoreError> {
    let header = beginning::<32>(wal);
    let is_torn = header.len() < 32 || header.iter().all(|byte| *byte == 0);
    if is_torn || header.first_chunk().is_some_and(|start| WAL_MAGIC.contains(start)) {
        return Ok(());
    }
    let name = wal.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(damaged(format!("{name} beside it, with what was written last, is no WAL")))
}

fn beginning<const LENGTH: usize>(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    if let Ok(file) = File::open(path) {
        let _ = file.take(LENGTH as u64).read_to_end(&mut bytes);
    }
    bytes
}

/// The size that the header tells, where the file is shorter.
fn cut_off(header: &[u8], length: u64) -> Option<String> {
    let size = u64::from(u16::from_be_bytes(*header.get(16..)?.first_chunk()?));
    let size = if size == 1 { 65_536 } else { size };
    let pages = u64::from(u32::from_be_bytes(*header.get(28..)?.first_chunk()?));
    let whole = size * pages;
    (whole > length).then(|| format!("it is cut off: {length} of {whole} bytes are there"))
}

fn look(connection: &Connection, path: &Path, is_small: bool) -> Result<(), StoreError> {
    let reading = super::write::reading;
    let tables = tables(connection).map_err(reading)?;
    if tables.is_empty() {
        // Whoever began to make it did not come far.
        return Ok(());
    }
    let damaged = |what: String| StoreError::Broken { path: path.to_owned(), what };
    if !["migration", "entry", "payload"].iter().all(|name| tables.iter().any(|one| one == name)) {
        return Err(damaged("it is a database, but no journal".to_owned()));
    }
    migrate::check_version(connection, path)?;
    if is_small {
        let found: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(reading)?;
        if found != "ok" {
            return Err(damaged(found.replace('\n', ": ")));
        }
    } else {
        tables.iter().try_for_each(|table| touch_ends(connection, table)).map_err(reading)?;
    }
    let wrong = Entries(connection).examine(is_small).map_err(reading)?;
    match wrong {
        Some(what) => Err(damaged(what)),
        None => Ok(()),
    }
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Reads the first and the last row of a table, and of each of its indexes.
fn touch_ends(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let sql = "SELECT name FROM pragma_table_info(?1) ORDER BY pk = 0, pk LIMIT 1";
    let key: String = connection.query_row(sql, [table], |row| row.get(0))?;
    let sql = "SELECT info.name FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS info \
               WHERE NOT list.partial AND info.seqno = 0 AND info.name IS NOT NULL";
    let indexed: Vec<String> =
        connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for column in indexed.iter().chain([&key]) {
        for order in ["ASC", "DESC"] {
            let sql = format!("SELECT * FROM \"{table}\" ORDER BY \"{column}\" {order} LIMIT 1");
            connection.prepare(&sql)?.query_row([], |_| Ok(())).optional()?;
        }
    }
    Ok(())
}

/// An entry with what its columns repeat.
struct Entry {
    number: i64,
    at: i64,
    kind: u8,
    bytes: Vec<u8>,
    hash: Vec<u8>,
}

struct Entries<'a>(&'a Connection);

impl Entries<'_> {
    /// What is wrong with the entries and what they name, if anything is.
    fn examine(&self, all: bool) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM entry";
        let (first, last): (i64, i64) =
            self.0.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let begin = if all { first } else { first.max(last - LAST) };
        let mut wrong = self.wrong_in_chain(begin, -1)?;
        for sample in 0..SAMPLES {
            if wrong.is_some() || all {
                break;
            }
            wrong = self.wrong_in_chain(first + (last - first) / SAMPLES * sample, 2)?;
        }
        if wrong.is_none() {
            wrong = self.wrong_in_payloads(all)?;
        }
        Ok(wrong)
    }

    /// Checks so many entries from a number on; all with −1.
    fn wrong_in_chain(&self, from: i64, count: i64) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT number, at, kind, bytes, hash FROM entry WHERE number >= ?1 \
                   ORDER BY number LIMIT ?2";
        let mut select = self.0.prepare_cached(sql)?;
        let mut rows = select.query([from, count])?;
        // What stands before the first one that we look at is known of the very first only.
        let mut before = None;
        while let Some(row) = rows.next()? {
            let entry = Entry {
                number: row.get(0)?,
                at: row.get(1)?,
                kind: row.get(2)?,
                bytes: row.get(3)?,
                hash: row.get(4)?,
            };
            let Some(hash) = entry.hash_after(before) else {
                return Ok(Some(format!("entry {} is not what was written", entry.number)));
            };
            before = Some((entry.number, hash));
        }
        Ok(None)
    }

    /// Checks contents against their names.
    fn wrong_in_payloads(&self, all: bool) -> rusqlite::Result<Option<String>> {
        let last: i64 =
            self.0.query_row("SELECT coalesce(max(id), 0) FROM payload", [], |row| row.get(0))?;
        let sql = "SELECT id, digest, bytes FROM payload WHERE id >= ?1 ORDER BY id LIMIT ?2";
        let mut select = self.0.prepare_cached(sql)?;
        let portions = if all { vec![(0, -1)] } else { samples(last) };
        for (from, count) in portions {
            let mut rows = select.query([from, count])?;
            while let Some(row) = rows.next()? {
                let digest = row.get_ref(1)?.as_blob().ok().and_then(Digest::from_slice);
                let found = Digest::of(row.get_ref(2)?.as_blob().unwrap_or_default());
                if digest != Some(found) && !self.was_scrubbed(digest, found)? {
                    let id: i64 = row.get(0)?;
                    return Ok(Some(format!("payload {id} is not what its name says")));
                }
            }
        }
        Ok(None)
    }

    /// Whether it is known that contents are others than their name says. An older journal has no table for it.
    fn was_scrubbed(&self, digest: Option<Digest>, found: Digest) -> rusqlite::Result<bool> {
        let Some(digest) =
            digest.filter(|_| self.0.table_exists(None, "scrubbed").unwrap_or(false))
        else {
            return Ok(false);
        };
        Ok(scrubs::became(self.0, digest)? == Some(found))
    }
}

fn samples(last: i64) -> Vec<(i64, i64)> {
    (0..=SAMPLES).map(|sample| (last / SAMPLES * sample, 1)).collect()
}

impl Entry {
    /// Its hash, unless something is wrong with it. Before it stand a number and a hash, where they
    /// are known.
    fn hash_after(&self, before: Option<(i64, Digest)>) -> Option<Digest> {
        let told = Digest::from_slice(&self.hash)?;
        let head = (self.bytes.get(17..25)?, self.bytes.get(25..33)?, self.bytes.get(33)?);
        let repeated = (&self.number.to_be_bytes()[..], &self.at.to_be_bytes()[..], &self.kind);
        let (is_next, hash) = match before {
            Some((number, hash)) => (self.number == number + 1, Some(chain(hash, &self.bytes))),
            None if self.number == 1 => (true, Some(chain(Digest::ZERO, &self.bytes))),
            None => (true, None),
        };
        (is_next && head == repeated && hash.is_none_or(|hash| hash == told)).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::super::Journal;
    use super::*;

    /// A journal of what a real master said.
    fn journal() -> (TempDir, PathBuf) {
        let bus = concat!(env!("CARGO_MANIFEST_DIR"), "/../salt-event/tests/buses/3008.bus");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        crate::daemon::replay(Path::new(bus), &path).unwrap();
        (folder, path)
    }

    /// Opens it; what is wrong, if it is refused. Then it has to be as it was.
    fn refused(path: &Path, small: u64) -> Option<String> {
        let before = std::fs::read(path).unwrap();
        let looked = examine_as(path, true, small);
        assert_eq!(std::fs::read(path).unwrap(), before, "it was written to");
        match looked {
            Ok(()) => None,
            Err(StoreError::Broken { what, .. }) => Some(what),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_whole_one_is_taken_as_it_is() {
        let (_folder, path) = journal();
        assert_eq!(refused(&path, SMALL), None);
        assert_eq!(refused(&path, 0), None);
        drop(Journal::open(&path).unwrap());
    }

    #[test]
    fn one_that_was_cut_off_is_refused() {
        let (_folder, path) = journal();
        let whole = std::fs::read(&path).unwrap();
        for part in [1, 99, 100, 4096, 8191, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
            std::fs::write(&path, &whole[..part]).unwrap();
            for small in [0, SMALL] {
                let what =
                    refused(&path, small).unwrap_or_else(|| panic!("{part} bytes are taken"));
                let named = ["it is cut off", "it does not begin", "not a database"];
                assert!(named.iter().any(|name| what.contains(name)), "{part}: {what}");
            }
        }
        std::fs::write(&path, "").unwrap();
        assert_eq!(refused(&path, 0).unwrap(), "it is empty, and it was not");
        let opened = Journal::open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(opened, StoreError::Broken { .. }), "{opened}");
    }

    #[test]
    fn any_damaged_page_of_a_small_one_is_found() {
        let (_folder, path) = journal();
        let whole = std::fs::read(&path).unwrap();
        for page in 0..whole.len() / 4096 {
            let mut damaged = whole.clone();
            damaged[page * 4096..(page + 1) * 4096].fill(0xa5);
            std::fs::write(&path, &damaged).unwrap();
            assert!(refused(&path, SMALL).is_some(), "page {page}");
        }
    }

    #[test]
    fn a_changed_entry_or_content_is_found() {
        let (_folder, path) = journal();
        let whole = std::fs::read(&path).unwrap();
        let change = |sql: &str| {
            std::fs::write(&path, &whole).unwrap();
            let connection = Connection::open(&path).unwrap();
            assert_eq!(connection.execute(sql, []).unwrap(), 1);
            drop(connection);
        };
        for (sql, wrong) in [
            ("UPDATE entry SET at = at + 1 WHERE number = 30", "entry 30 is not"),
            ("UPDATE entry SET hash = zeroblob(32) WHERE number = 7", "entry 7 is not"),
            ("DELETE FROM entry WHERE number = 12", "entry 13 is not"),
            ("UPDATE entry SET bytes = zeroblob(9) WHERE number = 9", "entry 9 is not"),
            ("UPDATE payload SET bytes = x'00' WHERE id = 5", "payload 5 is not"),
        ] {
            change(sql);
            let what = refused(&path, SMALL).unwrap();
            assert!(what.contains(wrong), "{sql}: {what}");
        }
        // The last entries of a large one, too.
        change("UPDATE entry SET at = 0 WHERE number = (SELECT max(number) FROM entry)");
        assert!(refused(&path, 0).unwrap().contains("is not what was written"));
    }

    #[test]
    fn a_wal_of_garbage_is_refused_and_one_that_was_hardly_begun_is_not() {
        let (_folder, path) = journal();
        let wal = beside(&path, "-wal");
        std::fs::write(&wal, [0xa5; 5000]).unwrap();
        let what = refused(&path, SMALL).unwrap();
        assert_eq!(what, "journal.db-wal beside it, with what was written last, is no WAL");
        for begun in [&[0xa5; 31][..], &[0; 5000][..]] {
            std::fs::write(&wal, begun).unwrap();
            assert_eq!(refused(&path, SMALL), None);
        }
    }

    #[test]
    fn another_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
        assert_eq!(refused(&path, 0).unwrap(), "it is a database, but no journal");
        assert!(matches!(Journal::open(&path), Err(StoreError::Broken { .. })));
    }
}
