//! What the cache keeps of a job that was just published, and of what one minion returned: small files,
//! where the usual hashes put them.
//!
//! The master writes them a moment after it fires the event: how often to look is the caller's matter.

use std::path::{Path, PathBuf};

use herald_core::confirm::{FoundReturn, Kept, said};
use salt_event::job_cache::{Load, kept_return as read_return};
use salt_event::time::is_jid;

use super::files::{self, Why};
use super::{JobCacheError, list, problem};

/// A file that is larger is not looked into, in bytes.
const MAX_FILE: u64 = 8 << 20;

pub(super) fn kept(root: &Path, jid: &str) -> Result<Option<Kept>, JobCacheError> {
    if !is_jid(jid) {
        return Ok(None);
    }
    for folder in list::places(root, jid) {
        let file = folder.join(".load.p");
        match files::read(&file, MAX_FILE) {
            Ok((bytes, _)) => {
                // One that is half written is whole at the next look.
                let load = Load::read(&bytes).ok().flatten();
                return Ok(load.filter(|load| load.jid() == jid).map(|load| Kept::of(&load)));
            }
            Err(Why::Gone) => {}
            Err(Why::TooLarge) => {
                return Ok(Some(Kept {
                    minion: None,
                    user_above: None,
                    asked_by: None,
                    deed: None,
                }));
            }
            Err(Why::Denied) => return Err(denied(file)),
            Err(Why::Odd) => return Ok(None),
        }
    }
    there_is_a_cache(root).map(|()| None)
}

pub(super) fn kept_return(
    root: &Path,
    jid: &str,
    minion: &str,
) -> Result<FoundReturn, JobCacheError> {
    if !is_jid(jid) || !is_one_name(minion) {
        return Ok(FoundReturn::Nothing);
    }
    for folder in list::places(root, jid) {
        let file = folder.join(minion).join("return.p");
        match files::read(&file, MAX_FILE) {
            Ok((bytes, _)) => {
                // One that is half written is whole at the next look.
                let kept = read_return(&bytes).ok();
                let of = |(ret, retcode)| FoundReturn::Kept(said(ret, retcode));
                return Ok(kept.map_or(FoundReturn::Nothing, of));
            }
            Err(Why::Gone) => {}
            Err(Why::TooLarge) => return Ok(FoundReturn::Kept(None)),
            Err(Why::Denied) => return Err(denied(file)),
            Err(Why::Odd) => return Ok(FoundReturn::Nothing),
        }
        // The job is not to be kept: somebody asked for that.
        if folder.join("nocache").exists() {
            return Ok(FoundReturn::Unknown);
        }
    }
    there_is_a_cache(root).map(|()| FoundReturn::Nothing)
}

/// Whether a minion's id can be the name of a folder: any minion chooses what it calls itself.
fn is_one_name(minion: &str) -> bool {
    !matches!(minion, "" | "." | "..") && !minion.contains(['/', '\0'])
}

fn denied(path: PathBuf) -> JobCacheError {
    JobCacheError::Denied { path, source: std::io::ErrorKind::PermissionDenied.into() }
}

/// Nothing is there for many reasons: one of them is that there is no cache at all.
fn there_is_a_cache(root: &Path) -> Result<(), JobCacheError> {
    std::fs::metadata(root).map(|_| ()).map_err(|source| problem(root, source))
}
