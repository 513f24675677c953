//! Reading one file that somebody else writes, without trusting it: never a link followed, never a
//! pipe waited for, never more held than a limit.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::OFlags;

/// Why a file was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Gone,
    Denied,
    Odd,
    TooLarge,
}

impl Why {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Why::Gone,
            io::ErrorKind::PermissionDenied => Why::Denied,
            _ => Why::Odd,
        }
    }
}

/// The whole content of a plain file, at most so many bytes, and when it was written.
pub(super) fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Option<Timestamp>), Why> {
    let file = open(path).map_err(|error| Why::of(&error))?;
    let about = file.metadata().map_err(|error| Why::of(&error))?;
    if !about.is_file() {
        return Err(Why::Odd);
    }
    if about.len() > limit {
        return Err(Why::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    // It can grow meanwhile.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Why::of(&error))?;
    if bytes.len() as u64 > limit {
        return Err(Why::TooLarge);
    }
    Ok((bytes, written_at(&about)))
}

/// When a plain file was written.
pub(super) fn time(path: &Path) -> Result<Option<Timestamp>, Why> {
    let about = std::fs::symlink_metadata(path).map_err(|error| Why::of(&error))?;
    if about.is_file() { Ok(written_at(&about)) } else { Err(Why::Odd) }
}

fn open(path: &Path) -> io::Result<File> {
    // A pipe would be waited for without NONBLOCK.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

fn written_at(about: &Metadata) -> Option<Timestamp> {
    about.modified().ok().and_then(|time| Timestamp::try_from(time).ok())
}
