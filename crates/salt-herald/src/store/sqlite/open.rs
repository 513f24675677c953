//! Opening the journal: for the one who writes, with a lock; for those who read, in a way that
//! needs no permission to write.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use herald_core::run::RunId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use super::lock::{Lock, holder};
use super::overlay::Place;
use super::read::JournalReader;
use super::recorder::{Recorder, Shared};
use super::sealing::Sealing;
use super::write::{End, Inserter};
use super::writer::{self, JournalWriter};
use super::{examine, migrate, restore, write};
use crate::metrics::JournalNumbers;
use crate::seal::SealKey;
use crate::store::StoreError;

/// A journal that is open for writing. Holds its lock.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Opening,
    /// How many bytes may wait in memory while the file can't be written.
    memory: usize,
    numbers: JournalNumbers,
    key: Option<SealKey>,
}

#[derive(Debug)]
enum Opening {
    Writable(Connection, Lock),
    /// It can be read only: where it ends, and why it can't be written.
    ReadOnly {
        origin: [u8; 16],
        end: End,
        last: RunId,
        lock: Option<Lock>,
        why: StoreError,
    },
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it can't be, when another salt-herald has it, when a later one made it, or when it is
    /// damaged: then nothing is written to it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (connection, lock) = open_to_write(path)?;
        Ok(Self::of(path, Opening::Writable(connection, lock), writer::MEMORY))
    }

    /// The same for one who only changes what stands in it: a backup stays one, for whoever puts it back.
    /// One that was put back is taken up as by the daemon.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_as_it_is(path: &Path) -> Result<Self, StoreError> {
        refuse_special(path)?;
        let lock = Lock::take(path)?;
        let is_backup = restore::is_put_back(path).map_err(|source| cannot_open(path, source))?;
        if !is_backup || lock.knows_journal || beside(path, "-wal").exists() {
            drop(lock);
            return Self::open(path);
        }
        roll_back(path)?;
        examine::examine(path, false)?;
        let mut connection = connect(path)?;
        tune(&connection).map_err(|source| cannot_open(path, source))?;
        migrate::migrate(&mut connection, path)?;
        Ok(Self::of(path, Opening::Writable(connection, lock), writer::MEMORY))
    }

    /// The same for one who has to begin though the disk is full, or can only be read: what is
    /// written is kept in memory until it can be written.
    ///
    /// # Errors
    /// As [`Journal::open`], and when the file can't be read either.
    pub fn open_or_read(path: &Path, memory: usize) -> Result<Self, StoreError> {
        let file = match open_to_write(path) {
            Ok((connection, lock)) => Opening::Writable(connection, lock),
            Err(why) if is_unwritable(&why) => match open_to_read(path) {
                Ok((origin, end, last, lock)) => Opening::ReadOnly { origin, end, last, lock, why },
                Err(_) => return Err(why),
            },
            Err(why) => return Err(why),
        };
        Ok(Self::of(path, file, memory))
    }

    fn of(path: &Path, file: Opening, memory: usize) -> Self {
        Self { path: path.to_owned(), file, memory, numbers: JournalNumbers::default(), key: None }
    }

    /// Signs with that key how the chain stands, from time to time.
    pub fn sealed_by(self, key: Option<SealKey>) -> Self {
        Self { key, ..self }
    }

    /// Counts there what is written.
    pub fn counted_by(self, numbers: &JournalNumbers) -> Self {
        Self { numbers: numbers.clone(), ..self }
    }

    /// A reader of the same file.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn reader(&self) -> Result<JournalReader, StoreError> {
        JournalReader::open(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_parts(self) -> Result<(Connection, Lock), StoreError> {
        match self.file {
            Opening::Writable(connection, lock) => Ok((connection, lock)),
            Opening::ReadOnly { why, .. } => Err(why),
        }
    }

    /// Hands the file to a thread that writes.
    ///
    /// # Errors
    /// When the end of the chain can't be read.
    pub fn into_writer(self) -> Result<JournalWriter, StoreError> {
        let shared = Arc::new(Shared::new(Place::new(&self.path), self.numbers));
        let recorder = match self.file {
            Opening::Writable(connection, lock) => {
                let file = Inserter::new(connection)?.counted_by(shared.numbers.clone());
                Recorder::new(file, lock, self.memory, Arc::clone(&shared))
            }
            Opening::ReadOnly { origin, end, last, lock, why } => Recorder::begin_away(
                (origin, end, last),
                lock,
                self.memory,
                Arc::clone(&shared),
                &why,
            )?,
        };
        Ok(JournalWriter::start(recorder, shared, self.key.map(Sealing::new)))
    }
}

fn open_to_write(path: &Path) -> Result<(Connection, Lock), StoreError> {
    refuse_special(path)?;
    let mut lock = Lock::take(path)?;
    roll_back(path)?;
    let is_put_back = restore::is_put_back(path).map_err(|source| cannot_open(path, source))?;
    if is_put_back {
        restore::set_aside(path).map_err(|source| cannot_open(path, source))?;
    }
    examine::examine(path, lock.knows_journal)?;
    if !path.exists() {
        // From here on, until it is made to its end, an empty one is a new one.
        lock.forget();
    }
    // SQLite would make it readable by all.
    let made = File::options().create(true).append(true).mode(0o640).open(path);
    made.map_err(|source| cannot_open(path, source))?;
    let mut connection = if is_put_back { take_up(path)? } else { connect(path)? };
    configure(&connection).map_err(|source| cannot_open(path, source))?;
    migrate::migrate(&mut connection, path)?;
    prepare(&connection).map_err(|source| cannot_open(path, source))?;
    if lock.was_away {
        restore::note_unsure(&connection).map_err(|source| cannot_open(path, source))?;
    }
    lock.confirm();
    Ok((connection, lock))
}

/// What was begun and never finished in a file that was not in WAL mode is taken back: before that it
/// is no whole database, and only who may write can do it.
fn roll_back(path: &Path) -> Result<(), StoreError> {
    if !has_hot_journal(path) || !path.exists() {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match Connection::open_with_flags(path, flags).and_then(|connection| touch(&connection)) {
        // What is wrong with it is found by who examines it.
        Err(error) if is_damage(&error) => Ok(()),
        tried => tried.map(|_| ()).map_err(|source| cannot_open(path, source)),
    }
}

/// Where a file ends that can't be written. It has to be of our schema: it can't be brought to it.
fn open_to_read(path: &Path) -> Result<([u8; 16], End, RunId, Option<Lock>), StoreError> {
    let lock = Lock::take_weak(path)?;
    examine::examine(path, false)?;
    let opened = open_for_reading(path)?;
    migrate::require_latest(&opened.connection, path)?;
    let file = Inserter::new(opened.connection)?;
    Ok((file.origin(), file.end(), file.last_run(), lock))
}

/// Opens a journal again that can be written again, perhaps. It is tried with a byte.
pub(super) fn reopen(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        configure(&connection)?;
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('tried', 1)", [])?;
        Ok(connection)
    });
    let connection = opened.map_err(write::writing)?;
    migrate::require_latest(&connection, path)?;
    Ok(connection)
}

/// Whether a file can't be written for a reason that may pass.
fn is_unwritable(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let by_sqlite = |error: &rusqlite::Error| {
        let code = error.sqlite_error_code();
        matches!(code, Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure))
    };
    match error {
        StoreError::Sqlite { source, .. } => by_sqlite(source),
        StoreError::Open { source, .. } => {
            let file = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            matches!(file, Some(QuotaExceeded | ReadOnlyFilesystem | StorageFull))
                || source.downcast_ref().is_some_and(by_sqlite)
        }
        _ => false,
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    Connection::open(path).map_err(|source| cannot_open(path, source))
}

/// A backup that was put back. It is known by not being in WAL mode, so that all that has to be done
/// once is done before it is.
fn take_up(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect(path)?;
    migrate::migrate(&mut connection, path)?;
    restore::note(&connection).map_err(|source| cannot_open(path, source))?;
    tracing::info!(journal = %path.display(), "the journal was put back from a backup");
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    // Of a file that is there already it changes nothing.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    tune(connection)
}

/// What leaves the file as it is.
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "cache_size", -12000)?;
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

/// What has to be readable for who reads a journal, as far as it is there.
pub fn files_of_readers(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", ".lock"].map(|ending| beside(path, ending))
}

/// The file with the same name and something behind it.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
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
    let opened = read_only(path)?;
    let checked = probe(&opened.connection).map_err(|source| cannot_open(path, source));
    checked.and_then(|_| migrate::check_version(&opened.connection, path))?;
    Ok(opened)
}

/// Opens for reading, whatever it is.
pub(super) fn read_only(path: &Path) -> Result<Opened, StoreError> {
    if !path.exists() {
        return Err(StoreError::Absent { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if has_a_strangers_wal(path) {
        let opened = open_unchanging(path, flags);
        let connection = opened.map_err(|source| cannot_open(path, source))?;
        return Ok(ready(connection, true));
    }
    let plain = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(10))?;
        touch(&connection)?;
        Ok(connection)
    });
    let (connection, unchanging) = match plain {
        Ok(connection) => (connection, false),
        Err(source) if is_damage(&source) => {
            let what = source.to_string();
            return Err(StoreError::Broken { path: path.to_owned(), what });
        }
        Err(source) if has_unmerged_wal(path) || has_hot_journal(path) => {
            return Err(cannot_open(path, source));
        }
        Err(_) => {
            let opened = open_unchanging(path, flags);
            (opened.map_err(|source| cannot_open(path, source))?, true)
        }
    };
    Ok(ready(connection, unchanging))
}

fn ready(connection: Connection, unchanging: bool) -> Opened {
    connection.set_prepared_statement_cache_capacity(64);
    Opened { connection, unchanging }
}

/// A backup was put back beside the unmerged end of another journal, and nobody began with it yet. While
/// somebody writes, the file is not looked at: to close it would take SQLite's locks from our process.
pub(super) fn has_a_strangers_wal(path: &Path) -> bool {
    has_unmerged_wal(path) && holder(path).is_none() && restore::is_put_back(path).unwrap_or(false)
}

fn open_unchanging(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let uri = as_uri(path, "immutable=1");
    let connection = Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?;
    touch(&connection)?;
    Ok(connection)
}

/// A file's name as SQLite takes it, with how it is to be opened.
pub(super) fn as_uri(path: &Path, way: &str) -> String {
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
    format!("file:{escaped}?{way}")
}

/// Reads something: only then the file is opened.
fn touch(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

fn probe(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT number FROM migration LIMIT 1", [], |row| row.get(0)).optional()
}

pub(super) fn has_unmerged_wal(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0)
}

/// SQLite's own journal, by which it takes back what was not finished. A file in WAL mode has none.
fn has_hot_journal(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-journal")).is_ok_and(|journal| journal.len() > 0)
}

/// Whether SQLite found that the file is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

pub(super) fn cannot_open(
    path: &Path,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Open { path: path.to_owned(), source: Box::new(source) }
}
