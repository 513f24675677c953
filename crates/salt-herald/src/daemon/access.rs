//! Which groups may read the journal, and have the daemon do something: they are given the files and the
//! socket, and the kernel decides whom it lets in.
//!
//! Nobody's groups are looked up: what a caller is in can change while it is asked for.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use tokio::sync::watch;

use crate::accounts;
use crate::config::AccessConfig;
use crate::store::{Disk, JournalReader, JournalWriter, StoreError, files_of_readers};

/// Under which name the group that may read is noted.
const READ: &str = "access_read";

/// The groups that the config names, by their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Groups {
    read: Option<u32>,
    hold: Option<u32>,
}

impl Groups {
    /// Looks them up. One that is not there is told of, and is given nothing.
    pub(super) fn of(config: &AccessConfig) -> Self {
        let find = |key: &str, name: &Option<String>| {
            let name = name.as_deref()?;
            let found = accounts::gid(name);
            if found.is_none() {
                tracing::error!("access.{key}: there is no group {name}: nobody is let in by it");
            }
            found
        };
        Self { read: find("read", &config.read), hold: find("hold", &config.hold) }
    }

    /// What was in force when it was noted last, by whatever daemon.
    pub(super) fn noted(reader: &JournalReader) -> Result<Self, StoreError> {
        let read = reader.noted(READ)?.and_then(|gid| u32::try_from(gid).ok());
        Ok(Self { read, hold: None })
    }

    /// Notes what is in force: a daemon that was begun anew has to know what to take back.
    pub(super) fn note(self, writer: &JournalWriter) -> Result<(), StoreError> {
        writer.note(READ, self.read.map_or(-1, i64::from))
    }

    /// Lets the group read the journal; or, where there was one before and there is none now, the
    /// daemon's own alone.
    pub(super) fn open_journal(self, before: Self, journal: &Path) {
        let Some(gid) = self.read.or_else(|| before.read.map(|_| own())) else { return };
        if let Err(error) = open_folder(journal, gid) {
            cannot_give(journal, gid, &error);
            return;
        }
        for file in files_of_readers(journal) {
            match lchown(&file, None, Some(gid)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return cannot_give(&file, gid, &error);
                }
                _ => {}
            }
        }
    }

    /// The same, without waiting for a disk that may not answer.
    pub(super) fn open_journal_soon(self, before: Self, journal: &Path) {
        let journal = journal.to_owned();
        tokio::task::spawn_blocking(move || self.open_journal(before, &journal));
    }

    /// Lets the group write to the socket; without one, the daemon's user and root alone.
    pub(super) fn open_socket(self, socket: &Path) -> io::Result<()> {
        let closed = Permissions::from_mode(0o600);
        let Some(gid) = self.hold else { return fs::set_permissions(socket, closed) };
        if let Err(error) = lchown(socket, None, Some(gid)) {
            cannot_give(socket, gid, &error);
            return fs::set_permissions(socket, closed);
        }
        fs::set_permissions(socket, Permissions::from_mode(0o660))
    }
}

/// Completes when the journal can be written again: then the files beside it are new ones.
pub(super) async fn until_written_again(disk: &mut watch::Receiver<Disk>) {
    loop {
        if disk.changed().await.is_err() {
            return std::future::pending().await;
        }
        if matches!(*disk.borrow_and_update(), Disk::Well { .. }) {
            return;
        }
    }
}

fn own() -> u32 {
    rustix::process::getegid().as_raw()
}

/// A folder that all may enter, or that is another's, is left as it is: it is not ours alone.
fn open_folder(journal: &Path, gid: u32) -> io::Result<()> {
    let folder = journal.parent().unwrap_or(Path::new("/"));
    let found = fs::symlink_metadata(folder)?;
    let is_ours = found.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || found.mode() & 0o001 != 0 {
        return Ok(());
    }
    lchown(folder, None, Some(gid))?;
    if found.mode() & 0o050 == 0o050 {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(found.mode() & 0o7777 | 0o050))
}

fn cannot_give(path: &Path, gid: u32, error: &io::Error) {
    let error = error as &dyn std::error::Error;
    tracing::error!(
        path = %path.display(),
        gid,
        error,
        "can't be given to a group that access names: the daemon has to be in it (SupplementaryGroups=)"
    );
}
