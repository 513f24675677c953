//! What the cache keeps of a job that was just published: one small file, where the usual hashes put it.
//!
//! The master writes it a moment after it fires the job's event: how often to look is the caller's
//! matter.

use std::path::Path;

use herald_core::confirm::Kept;
use salt_event::job_cache::Load;
use salt_event::time::is_jid;

use super::files::{self, Why};
use super::{JobCacheError, list, problem};

/// A load that is larger is not looked into, in bytes.
const MAX_LOAD: u64 = 8 << 20;

pub(super) fn kept(root: &Path, jid: &str) -> Result<Option<Kept>, JobCacheError> {
    if !is_jid(jid) {
        return Ok(None);
    }
    for folder in list::places(root, jid) {
        let file = folder.join(".load.p");
        match files::read(&file, MAX_LOAD) {
            Ok((bytes, _)) => {
                // One that is half written is whole at the next look.
                let load = Load::read(&bytes).ok().flatten();
                return Ok(load.filter(|load| load.jid() == jid).map(|load| Kept::of(&load)));
            }
            Err(Why::Gone) => {}
            Err(Why::TooLarge) => {
                return Ok(Some(Kept { minion: None, user_above: None, deed: None }));
            }
            Err(Why::Denied) => {
                return Err(JobCacheError::Denied {
                    path: file,
                    source: std::io::ErrorKind::PermissionDenied.into(),
                });
            }
            Err(Why::Odd) => return Ok(None),
        }
    }
    // Nothing is there for many reasons: one of them is that there is no cache at all.
    match std::fs::metadata(root) {
        Ok(_) => Ok(None),
        Err(source) => Err(problem(root, source)),
    }
}
