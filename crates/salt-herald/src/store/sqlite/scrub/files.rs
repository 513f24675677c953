//! The files of the journal's folder, looked through as bytes: whatever wrote them, and whatever they are.
//!
//! Folders in it are left alone, and so are links and what is no file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use herald_core::scrub::Sought;

use super::Held;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// The files that hold a secret, and those that can't be read. Not to be asked while this process has the
/// journal open: closing a file would take SQLite's locks.
pub(super) fn search(journal: &Path, sought: &Sought) -> Vec<Held> {
    let folder = journal.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut held = Vec::new();
    let Ok(files) = std::fs::read_dir(folder) else {
        let name = folder.display().to_string();
        return vec![Held { name, places: None }];
    };
    for file in files.flatten() {
        if !file.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let name = file.file_name().to_string_lossy().into_owned();
        match count(&file.path(), sought) {
            Ok(0) => {}
            Ok(places) => held.push(Held { name, places: Some(places) }),
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => held.push(Held { name, places: None }),
        }
    }
    held.sort_by(|one, other| one.name.cmp(&other.name));
    held
}

fn count(path: &Path, sought: &Sought) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let overlap = sought.longest().saturating_sub(1);
    let (mut held, mut seen, mut places) = (Vec::with_capacity(PIECE + overlap), 0, 0);
    loop {
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut held)?;
        if read == 0 {
            return Ok(places);
        }
        places += sought.count(&held, seen);
        held.drain(..held.len().saturating_sub(overlap));
        seen = held.len();
    }
}
