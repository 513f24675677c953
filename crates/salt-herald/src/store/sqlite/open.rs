//! Opening the journal: for the one who writes, with a lock; for those who read, in a way that
//! needs no permission to write.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use super::read::JournalReader;
use super::writer::JournalWriter;
use super::{migrate, write};
use crate::store::StoreError;

/// A journal that is open for writing. Holds its lock.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
    lock: File,
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it can't be, when another salt-herald has it, or a later one made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        refuse_special(path)?;
        let lock = lock(path)?;
        // SQLite would make it readable by all.
        let made = File::options().create(true).append(true).mode(0o640).open(path);
        made.map_err(|source| cannot_open(path, source))?;
        let mut connection = Connection::open(path).map_err(|source| cannot_open(path, source))?;
        configure(&connection).map_err(|source| cannot_open(path, source))?;
        migrate::migrate(&mut connection, path)?;
        prepare(&connection).map_err(|source| cannot_open(path, source))?;
        Ok(Self { path: path.to_owned(), connection, lock })
    }

    /// A reader of the same file.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn reader(&self) -> Result<JournalReader, StoreError> {
        JournalReader::open(&self.path)
    }

    pub(super) fn into_parts(self) -> (Connection, File) {
        (self.connection, self.lock)
    }

    /// Hands the file to a thread that writes.
    ///
    /// # Errors
    /// When the end of the chain can't be read.
    pub fn into_writer(self) -> Result<JournalWriter, StoreError> {
        let inserter = write::Inserter::new(self.connection)?;
        Ok(JournalWriter::start(inserter, self.lock))
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "cache_size", -12000)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let origin = Uuid::new_v4();
    connection.execute(
        "INSERT INTO meta VALUES ('origin', ?1) ON CONFLICT DO NOTHING",
        params![origin.as_bytes().as_slice()],
    )?;
    // Of a sink that is served no more nobody would take it back.
    connection.execute("UPDATE sink SET trouble = NULL WHERE trouble IS NOT NULL", [])?;
    Ok(())
}

/// A pipe or a device would be waited for, or written over.
fn refuse_special(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let why = std::io::Error::other("it is there and is no regular file");
            Err(cannot_open(path, why))
        }
        _ => Ok(()),
    }
}

/// A lock that goes with the process, however it ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = lock_path(path);
    let mut file = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .mode(0o640)
        .open(&lock_path)
        .map_err(|source| cannot_open(path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(StoreError::Busy {
                path: path.to_owned(),
                holder: holder.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(cannot_open(path, source)),
    }
    // Only for people: who it is stands in the file, that it is held is the lock's word.
    let _ = file.set_len(0).and_then(|()| file.rewind());
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// The process that writes the journal, if one does.
pub(super) fn holder(path: &Path) -> Option<String> {
    let mut file = File::open(lock_path(path)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok()?;
            Some(holder.trim().to_owned())
        }
        _ => None,
    }
}

/// A connection that only reads.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// SQLite was told that nobody changes the file.
    pub(super) unchanging: bool,
}

/// Opens for reading. While nobody writes, and who asks may not write either, a WAL file that was
/// cleanly closed can only be opened as a file that nobody will change.
pub(super) fn open_for_reading(path: &Path) -> Result<Opened, StoreError> {
    if !path.exists() {
        return Err(StoreError::Absent { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let plain = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(10))?;
        probe(&connection)?;
        Ok(connection)
    });
    let (connection, unchanging) = match plain {
        Ok(connection) => (connection, false),
        Err(source) if has_unmerged_wal(path) => return Err(cannot_open(path, source)),
        Err(_) => {
            let opened = open_unchanging(path, flags);
            (opened.map_err(|source| cannot_open(path, source))?, true)
        }
    };
    connection.set_prepared_statement_cache_capacity(64);
    migrate::check_version(&connection, path)?;
    Ok(Opened { connection, unchanging })
}

fn open_unchanging(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|c| match c {
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            '%' => "%25".to_owned(),
            c => c.to_string(),
        })
        .collect();
    let uri = format!("file:{escaped}?immutable=1");
    let connection = Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?;
    probe(&connection)?;
    Ok(connection)
}

fn probe(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT number FROM migration LIMIT 1", [], |row| row.get(0)).optional()
}

fn has_unmerged_wal(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    std::fs::metadata(PathBuf::from(name)).is_ok_and(|wal| wal.len() > 0)
}

pub(super) fn cannot_open(
    path: &Path,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Open { path: path.to_owned(), source: Box::new(source) }
}
