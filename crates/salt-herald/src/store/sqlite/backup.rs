//! A copy of the journal, made while somebody writes it, and looked through before it gets its name.
//!
//! The copy is one file without companions, in SQLite's plain format rather than in WAL mode. By that
//! [`super::restore`] knows a journal that was put back; what becomes of it is decided there.

use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};

use super::chain::{self, Chain};
use super::open::beside;
use super::read::JournalReader;
use super::restore::{PLAIN, VERSIONS_AT};
use super::write::reading;
use crate::store::BackupError;

/// Pages that are copied at once.
const PORTION: i32 = 256;
/// After so many pages the copy is synced, so that the disk never owes it much at once: the daemon's
/// commits wait for the same disk.
const SYNC_EVERY: i32 = 16 * PORTION;
/// The copy rests as long as it worked, but never longer than this.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// Who may not read the journal may not read its copy either.
const MODE: u32 = 0o640;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The file's length.
    pub bytes: u64,
    /// The chain in it, which was recomputed from its first entry to its last.
    pub chain: Chain,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many pages of all are copied.
    Copied {
        /// Copied.
        done: u64,
        /// All.
        all: u64,
    },
    /// The copy is looked through.
    Checking,
}

impl JournalReader {
    /// Copies the journal as it is now into a file, which has its name only once it is whole, on disk
    /// and looked through. Whoever writes the journal goes on meanwhile.
    ///
    /// # Errors
    /// When there is such a file and it is not to be replaced, when it can't be written, or when what
    /// was copied is damaged. There is no new file then.
    pub fn back_up(
        &self,
        to: &Path,
        replace: bool,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<BackedUp, BackupError> {
        refuse(&self.connection, to, replace)?;
        let part = Part::begin(to, MODE)?;
        // What is read from now on is of one moment, whatever is committed meanwhile.
        let moment = self.connection.unchecked_transaction().map_err(reading)?;
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let bytes = self.connection.query_row(size, [], |row| row.get(0)).map_err(reading)?;
        part.refuse_without_room(bytes)?;
        part.copy(&self.connection, tell)?;
        drop(moment);
        tell(Progress::Checking);
        let chain = part.check()?;
        let bytes = part.file.metadata().map_err(|source| part.failed(source))?.len();
        part.finish(to, replace)?;
        Ok(BackedUp { bytes, chain })
    }
}

/// What is there is overwritten only if that was asked for, and the journal itself never.
pub(super) fn refuse(journal: &Connection, to: &Path, replace: bool) -> Result<(), BackupError> {
    let failed = |source| BackupError::Write { path: to.to_owned(), source };
    if to.file_name().is_none() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let found = match std::fs::metadata(to) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let own = journal.path().and_then(|path| std::fs::metadata(path).ok());
    if own.is_some_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino())) {
        return Err(BackupError::Itself);
    }
    if !found.is_file() {
        return Err(failed(io::Error::other("it is there and is no regular file")));
    }
    if replace { Ok(()) } else { Err(BackupError::Exists { path: to.to_owned() }) }
}

/// What was there before is ours alone: another's could be read by them, another name's is another file.
fn require_own(file: &File) -> io::Result<()> {
    let about = file.metadata()?;
    let is_own = about.uid() == rustix::process::geteuid().as_raw() && about.nlink() == 1;
    if about.is_file() && is_own {
        return Ok(());
    }
    Err(io::Error::other(
        "it is there, and is no file of ours alone: remove it, or name another place",
    ))
}

/// A file as long as it is not whole. It goes when it is dropped before.
pub(super) struct Part {
    path: PathBuf,
    /// Holds a lock, so that two who write to one place don't write into each other.
    file: File,
    is_whole: bool,
}

impl Part {
    /// Begins what will have that name, with no more of a mode than this.
    pub(super) fn begin(to: &Path, mode: u32) -> Result<Self, BackupError> {
        let path = beside(to, ".part");
        let failed = |source| BackupError::Write { path: path.clone(), source };
        let mut options = File::options();
        options.create(true).read(true).write(true).truncate(false).mode(mode);
        // Who may write in that folder could have put a link there, to have a file emptied by root.
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(failed)?;
        require_own(&file).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Another may have finished, and given the file its name, before we had the lock.
        let (own, named) = (file.metadata().map_err(failed)?, std::fs::metadata(&path));
        if !named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())) {
            return Err(BackupError::Busy { path });
        }
        // What a backup that was killed left is worth nothing.
        file.set_len(0).map_err(failed)?;
        let mode = Permissions::from_mode(own.permissions().mode() & mode);
        file.set_permissions(mode).map_err(failed)?;
        Ok(Self { path, file, is_whole: false })
    }

    /// What is written.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    fn failed(&self, source: io::Error) -> BackupError {
        BackupError::Write { path: self.path.clone(), source }
    }

    fn refuse_without_room(&self, bytes: i64) -> Result<(), BackupError> {
        let needed = u64::try_from(bytes).unwrap_or_default();
        match rustix::fs::fstatvfs(&self.file) {
            Ok(found) if found.f_bavail.saturating_mul(found.f_frsize) < needed => {
                let free = found.f_bavail.saturating_mul(found.f_frsize);
                Err(BackupError::NoRoom { path: self.path.clone(), needed, free })
            }
            _ => Ok(()),
        }
    }

    /// Copies all pages, in portions, and rests between them.
    fn copy(&self, from: &Connection, tell: &mut dyn FnMut(Progress)) -> Result<(), BackupError> {
        let mut to = Connection::open(&self.path).map_err(BackupError::copying)?;
        // If it breaks off there is nothing to save, and what has to be synced is synced below.
        to.pragma_update(None, "journal_mode", "OFF").map_err(BackupError::copying)?;
        to.pragma_update(None, "synchronous", "OFF").map_err(BackupError::copying)?;
        let backup = Backup::new(from, &mut to).map_err(BackupError::copying)?;
        let (mut since, mut unsynced) = (Instant::now(), 0);
        loop {
            let step = backup.step(PORTION).map_err(BackupError::copying)?;
            if step == StepResult::Done {
                break;
            }
            unsynced += PORTION;
            if unsynced >= SYNC_EVERY {
                unsynced = 0;
                self.file.sync_data().map_err(|source| self.failed(source))?;
                let progress = backup.progress();
                let all = u64::try_from(progress.pagecount).unwrap_or_default();
                let left = u64::try_from(progress.remaining).unwrap_or_default();
                tell(Progress::Copied { done: all.saturating_sub(left), all });
            }
            std::thread::sleep(since.elapsed().min(LONGEST_REST));
            since = Instant::now();
        }
        drop(backup);
        to.close().map_err(|(_, error)| BackupError::copying(error))?;
        // A file in WAL mode could not be opened by who may not write beside it.
        self.file.write_all_at(&PLAIN, VERSIONS_AT).map_err(|source| self.failed(source))?;
        self.file.sync_all().map_err(|source| self.failed(source))
    }

    /// Looks through the whole copy as it is on disk.
    fn check(&self) -> Result<Chain, BackupError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copy = Connection::open_with_flags(&self.path, flags).map_err(reading)?;
        let said: String =
            copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(reading)?;
        if said != "ok" {
            return Err(BackupError::Damaged { what: said });
        }
        Ok(chain::verify(&copy)?)
    }

    /// Gives it its name.
    pub(super) fn finish(mut self, to: &Path, replace: bool) -> Result<(), BackupError> {
        let failed = |source: io::Error| BackupError::Write { path: to.to_owned(), source };
        let named =
            if replace { std::fs::rename(&self.path, to) } else { rename_to_new(&self.path, to) };
        match named {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { path: to.to_owned() });
            }
            named => named.map_err(failed)?,
        }
        self.is_whole = true;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        folder.sync_all().map_err(failed)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Somebody may have made a file of that name since we looked. Not every file system can tell.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => {
            std::fs::rename(from, to)
        }
        done => Ok(done?),
    }
}
