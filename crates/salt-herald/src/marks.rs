//! The key of the marks that stand where secrets stood: made at the first start, and kept beside the
//! journal.
//!
//! It never keeps anybody from beginning: without the file the key is one for the process, and marks can't
//! be compared with those before. What a mark says is herald-core's matter.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use herald_core::redact::{KEY_BYTES, Marks};
use rustix::rand::{GetRandomFlags, getrandom};
use thiserror::Error;

use crate::seal::open_regular;

/// Why the key that is kept can't be had.
#[derive(Debug, Error)]
enum KeyError {
    #[error("{} can't be read or made", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} does not hold {KEY_BYTES} bytes", path.display())]
    Length { path: PathBuf },
}

/// The marks of a journal, by the key beside it, which is made if there is none. Who calls holds the
/// journal's lock.
pub fn of_journal(journal: &Path) -> Marks {
    match kept(journal) {
        Ok(key) => Marks::new(&key),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                hint = "make it readable for this user only, or remove it: then a new one is made",
                "what is hidden gets marks by a key of this process, which no later one knows"
            );
            of_process()
        }
    }
}

/// Marks by a key that nobody keeps.
pub fn of_process() -> Marks {
    match random() {
        Ok(key) => Marks::new(&key),
        // Without the kernel's randomness: still nothing that can be guessed from outside.
        Err(_) => {
            let halves = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
            let mut key = [0; KEY_BYTES];
            let bytes = halves.iter().flat_map(|half| half.as_bytes());
            key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            Marks::new(&key)
        }
    }
}

fn kept(journal: &Path) -> Result<[u8; KEY_BYTES], KeyError> {
    let path = path_of(journal);
    let trouble = |source| KeyError::File { path: path.clone(), source };
    let mut bytes = Vec::with_capacity(KEY_BYTES + 1);
    match open_regular(&path) {
        Ok(file) => file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(trouble)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return make(&path, std::fs::metadata(journal).ok().as_ref()).map_err(trouble);
        }
        Err(error) => return Err(trouble(error)),
    };
    bytes.try_into().map_err(|_| KeyError::Length { path })
}

/// The file that holds the key.
fn path_of(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".marks");
    PathBuf::from(name)
}

/// Makes a key. A start that is cut short leaves none behind, or a whole one.
fn make(path: &Path, journal: Option<&Metadata>) -> io::Result<[u8; KEY_BYTES]> {
    let key = random()?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    if let Some(journal) = journal.filter(|_| rustix::process::geteuid().is_root()) {
        // What root makes, whoever owns the journal has to be able to read.
        fchown(&file, Some(journal.uid()), Some(journal.gid()))?;
    }
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    Ok(key)
}

fn random() -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    let mut filled = 0;
    while let Some(rest) = key.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let first = of_journal(&journal).of(b"hunter2");
        assert_eq!(of_journal(&journal).of(b"hunter2"), first);
        let key = folder.path().join("journal.db.marks");
        let found = std::fs::metadata(&key).unwrap();
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (32, 0o600));
        let other = folder.path().join("other.db");
        let keys: Vec<_> = (0..8u8).map(|n| of_journal(&other).of(&[n])).collect();
        let mine: Vec<_> = (0..8u8).map(|n| of_journal(&journal).of(&[n])).collect();
        assert_ne!(keys, mine);
    }

    #[test]
    fn a_key_that_is_no_key_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let key = folder.path().join("journal.db.marks");
        for bytes in [&b""[..], &[1; 31], &[1; 33]] {
            std::fs::write(&key, bytes).unwrap();
            let error = kept(&journal).unwrap_err();
            assert!(error.to_string().ends_with("does not hold 32 bytes"), "{error}");
            of_journal(&journal);
            assert_eq!(std::fs::read(&key).unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let key = folder.path().join("journal.db.marks");
        std::fs::create_dir(&key).unwrap();
        assert!(matches!(kept(&journal), Err(KeyError::File { .. })));
        std::fs::remove_dir(&key).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &key, mode).unwrap();
        assert!(matches!(kept(&journal), Err(KeyError::File { .. })));
        of_journal(&journal);
    }

    #[test]
    fn what_was_begun_and_not_finished_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        std::fs::write(folder.path().join("journal.db.marks.new"), b"half").unwrap();
        kept(&journal).unwrap();
        assert!(!folder.path().join("journal.db.marks.new").exists());
    }
}
