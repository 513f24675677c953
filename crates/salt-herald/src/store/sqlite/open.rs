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
use super::{examine, migrate, restore, write};
use crate::metrics::JournalNumbers;
use crate::store::StoreError;

/// A journal that is open for writing. Holds its lock.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
    lock: File,
    numbers: JournalNumbers,
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it can't be, when another salt-herald has it, when a later one made it, or when it is
    /// damaged: then nothing is written to it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        refuse_special(path)?;
        let lock = Lock::take(path)?;
        let is_put_back = restore::is_put_back(path).map_err(|source| cannot_open(path, source))?;
        if is_put_back {
            restore::set_aside(path).map_err(|source| cannot_open(path, source))?;
        }
        examine::examine(path, lock.knows_journal)?;
        // SQLite would make it readable by all.
        let made = File::options().create(true).append(true).mode(0o640).open(path);
        made.map_err(|source| cannot_open(path, source))?;
        let mut connection = if is_put_back { take_up(path)? } else { connect(path)? };
        configure(&connection).map_err(|source| cannot_open(path, source))?;
        migrate::migrate(&mut connection, path)?;
        prepare(&connection).map_err(|source| cannot_open(path, source))?;
        let numbers = JournalNumbers::default();
        Ok(Self { path: path.to_owned(), connection, lock: lock.confirmed(), numbers })
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

    pub(super) fn into_parts(self) -> (Connection, File) {
        (self.connection, self.lock)
    }

    /// Hands the file to a thread that writes.
    ///
    /// # Errors
    /// When the end of the chain can't be read.
    pub fn into_writer(self) -> Result<JournalWriter, StoreError> {
        let inserter = write::Inserter::new(self.connection)?.counted_by(self.numbers);
        Ok(JournalWriter::start(inserter, self.lock))
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
struct Lock {
    file: File,
    /// There was a journal beside it once: an empty file in its place is no new one.
    knows_journal: bool,
}

/// Second line of the lock's file: there is a journal beside it, made to its end.
const MADE: &str = "a journal was made";

impl Lock {
    fn take(path: &Path) -> Result<Self, StoreError> {
        let mut file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o640)
            .open(beside(path, ".lock"))
            .map_err(|source| cannot_open(path, source))?;
        let locked = file.try_lock();
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder_in(&text);
                return Err(StoreError::Busy { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(cannot_open(path, source)),
        }
        let mut lock = Self { file, knows_journal: text.lines().nth(1) == Some(MADE) };
        lock.note();
        Ok(lock)
    }

    /// The journal is there now, whole.
    fn confirmed(mut self) -> File {
        self.knows_journal = true;
        self.note();
        self.file
    }

    /// Only for people: who it is stands in the file, that it is held is the lock's word.
    fn note(&mut self) {
        let made = if self.knows_journal { format!("{MADE}\n") } else { String::new() };
        let text = format!("{}\n{made}", std::process::id());
        // Written over before it is cut: what it says of the journal is never lost on the way.
        let _ = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.set_len(text.len() as u64));
    }
}

fn holder_in(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// The file with the same name and something behind it.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The process that writes the journal, if one does.
pub(super) fn holder(path: &Path) -> Option<String> {
    let mut file = File::open(beside(path, ".lock")).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            Some(holder_in(&text))
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
        Err(source) if has_unmerged_wal(path) => return Err(cannot_open(path, source)),
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
fn has_a_strangers_wal(path: &Path) -> bool {
    has_unmerged_wal(path) && holder(path).is_none() && restore::is_put_back(path).unwrap_or(false)
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
    touch(&connection)?;
    Ok(connection)
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
