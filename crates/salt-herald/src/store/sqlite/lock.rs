//! The lock beside a journal: only one may write it. It goes with the process, however that ends.
//!
//! The lock itself is the kernel's. What stands in its file is for people, and for those who only read:
//! who holds it, that there is a journal, and where its holder writes at the moment.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use super::open::{beside, cannot_open};
use crate::store::StoreError;

/// Second line: there is a journal beside it, made to its end.
const MADE: &str = "a journal was made";
/// So long is the file from the beginning: writing over it takes no room on a disk that has none.
const LENGTH: usize = 400;
/// How long who only looks may have it.
const INSTANT: Duration = Duration::from_millis(20);

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// There was a journal beside it once: an empty file in its place is no new one.
    pub(super) knows_journal: bool,
    /// Who held it before ended with something in memory.
    pub(super) was_away: bool,
    /// Its file can't be written.
    is_weak: bool,
}

impl Lock {
    /// Takes it, and says who holds it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let mut options = File::options();
        options.create(true).read(true).write(true).truncate(false).mode(0o640);
        // It is written over: not what a link leads to.
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(beside(path, ".lock"));
        let mut lock = Self::of(path, file.map_err(|source| cannot_open(path, source))?)?;
        lock.tell(None);
        Ok(lock)
    }

    /// Takes it where nothing can be written, as far as that can be.
    pub(super) fn take_weak(path: &Path) -> Result<Option<Self>, StoreError> {
        let Ok(file) = File::open(beside(path, ".lock")) else { return Ok(None) };
        let lock = Self::of(path, file)?;
        Ok(Some(Self { is_weak: true, ..lock }))
    }

    fn of(path: &Path, mut file: File) -> Result<Self, StoreError> {
        let locked = lock_in_time(&file);
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = line(&text, 0).to_owned();
                return Err(StoreError::Busy { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(cannot_open(path, source)),
        }
        let (knows_journal, was_away) = (line(&text, 1) == MADE, !line(&text, 2).is_empty());
        Ok(Self { file, knows_journal, was_away, is_weak: false })
    }

    /// Whether it has to be taken again before anything is written.
    pub(super) fn is_weak(&self) -> bool {
        self.is_weak
    }

    /// The journal is there, whole.
    pub(super) fn confirm(&mut self) {
        self.knows_journal = true;
        self.tell(None);
    }

    /// It is not there any more.
    pub(super) fn forget(&mut self) {
        self.knows_journal = false;
        self.tell(None);
    }

    /// Says where is written, if not in the journal's file.
    pub(super) fn tell(&mut self, elsewhere: Option<&str>) {
        let made = if self.knows_journal { MADE } else { "" };
        let elsewhere = elsewhere.unwrap_or_default().replace('\n', " ");
        let text = format!("{}\n{made}\n{elsewhere}\n", std::process::id());
        let text = format!("{text:<width$}\n", width = LENGTH - 1);
        // Nobody depends on it: that it is held is the lock's word.
        let _ = self.file.rewind().and_then(|()| self.file.write_all(text.as_bytes()));
    }
}

/// Who only looks whether somebody writes takes it, too, for an instant.
fn lock_in_time(file: &File) -> Result<(), TryLockError> {
    for _ in 0..5 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(INSTANT),
            done => return done,
        }
    }
    file.try_lock()
}

fn line(text: &str, number: usize) -> &str {
    text.lines().nth(number).unwrap_or_default().trim()
}

/// Who holds a lock, and where it writes, if not in the journal's file.
pub(super) struct Holder {
    pub(super) process: String,
    pub(super) elsewhere: Option<String>,
}

/// Who writes the journal, if somebody does.
pub(super) fn holder(path: &Path) -> Option<Holder> {
    let mut file = File::open(beside(path, ".lock")).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            let elsewhere = Some(line(&text, 2)).filter(|line| !line.is_empty());
            let elsewhere = elsewhere.map(str::to_owned);
            Some(Holder { process: line(&text, 0).to_owned(), elsewhere })
        }
        _ => None,
    }
}
