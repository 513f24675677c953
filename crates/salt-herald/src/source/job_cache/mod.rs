//! The master's job cache: which jobs it holds, and the events that its bus gave of them.
//!
//! It only reads, and takes nothing for granted: a file that vanishes, grows, is half written or is no
//! file at all is counted and left out. What the events mean is the ledger's to say.

mod files;
mod kept;
mod list;
mod piece;
mod timeline;

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use herald_core::confirm::{FoundReturn, Kept};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

pub use list::{Listing, Place, Span};
pub use piece::Piece;
pub use timeline::Timeline;

/// A job cache on disk (Salt's `local_cache`).
#[derive(Debug, Clone)]
pub struct JobCache {
    root: PathBuf,
    zone: TimeZone,
}

/// Why a job cache can't be read.
#[derive(Debug, Error)]
pub enum JobCacheError {
    /// There is none.
    #[error("there is no job cache at {path}")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// We may not.
    #[error("the job cache {path} may not be read")]
    Denied {
        /// What may not be read.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// It can't be read for another reason.
    #[error("the job cache {path} can't be read")]
    Io {
        /// What can't be read.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// What was left out, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Gone while we read: the master cleans up.
    pub gone: u64,
    /// Not ours to read.
    pub denied: u64,
    /// A link, a pipe, a name that is none: nothing that Salt makes.
    pub odd: u64,
    /// Larger than anything that we hold in memory.
    pub too_large: u64,
    /// Cut off, or no MessagePack.
    pub unreadable: u64,
    /// Returns whose job's load is not there.
    pub no_load: u64,
}

impl Skipped {
    /// How much in all.
    pub fn total(&self) -> u64 {
        let Skipped { gone, denied, odd, too_large, unreadable, no_load } = self;
        gone + denied + odd + too_large + unreadable + no_load
    }

    /// Counts what another counted.
    pub fn add(&mut self, other: Skipped) {
        self.gone += other.gone;
        self.denied += other.denied;
        self.odd += other.odd;
        self.too_large += other.too_large;
        self.unreadable += other.unreadable;
        self.no_load += other.no_load;
    }

    /// What either counted, where both may have met the same.
    pub fn max(self, other: Skipped) -> Self {
        Self {
            gone: self.gone.max(other.gone),
            denied: self.denied.max(other.denied),
            odd: self.odd.max(other.odd),
            too_large: self.too_large.max(other.too_large),
            unreadable: self.unreadable.max(other.unreadable),
            no_load: self.no_load.max(other.no_load),
        }
    }

    fn count(&mut self, why: files::Why) {
        let place = match why {
            files::Why::Gone => &mut self.gone,
            files::Why::Denied => &mut self.denied,
            files::Why::Odd => &mut self.odd,
            files::Why::TooLarge => &mut self.too_large,
        };
        *place += 1;
    }
}

impl JobCache {
    /// The cache in a folder, `<cachedir>/jobs`.
    ///
    /// # Errors
    /// When there is none, or it may not be read.
    pub fn open(root: &Path) -> Result<Self, JobCacheError> {
        match std::fs::read_dir(root) {
            Ok(_) => Ok(Self { root: root.to_owned(), zone: TimeZone::UTC }),
            Err(source) => Err(problem(root, source)),
        }
    }

    /// The same, of a master whose jids are times in that zone; it is UTC otherwise.
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The jobs that began at `since` or later and before `until`, by their jids' own times.
    ///
    /// # Errors
    /// When the folder can't be read. What can't be read in it is counted.
    pub fn list(&self, since: Timestamp, until: Timestamp) -> Result<Listing, JobCacheError> {
        list::list(&self.root, &self.zone, since, until)
    }

    /// The jobs of which something was written within a time: one that began before it may have gone
    /// on. `go_on` is asked at every folder whether that is still wanted.
    ///
    /// # Errors
    /// When the folder can't be read. What can't be read in it is counted.
    pub fn changed(
        &self,
        span: Span,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Listing, JobCacheError> {
        list::changed(&self.root, &self.zone, span, go_on)
    }

    /// One job by the place at which the usual hashes put it: without a search.
    pub fn look_up(&self, jid: &str) -> Option<Place> {
        list::look_up(&self.root, &self.zone, jid)
    }

    /// What it keeps of a job that was just published. Reads two small files, where the usual hashes
    /// put them.
    ///
    /// # Errors
    /// When that can't be told: there is no cache, or not for us.
    pub fn kept(root: &Path, jid: &str) -> Result<Option<Kept>, JobCacheError> {
        kept::kept(root, jid)
    }

    /// What it keeps of what a minion returned. Reads one file, where the usual hashes put it.
    ///
    /// # Errors
    /// When that can't be told: there is no cache, or not for us.
    pub fn kept_return(root: &Path, jid: &str, minion: &str) -> Result<FoundReturn, JobCacheError> {
        kept::kept_return(root, jid, minion)
    }

    /// One job, if the cache holds it.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn find(&self, jid: &str) -> Result<Option<Place>, JobCacheError> {
        list::find(&self.root, &self.zone, jid)
    }

    /// What the bus said of some jobs, in the order of time.
    pub fn events(&self, jobs: Vec<Place>) -> Timeline {
        Timeline::new(self.root.clone(), jobs)
    }
}

fn problem(path: &Path, source: io::Error) -> JobCacheError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => JobCacheError::Absent { path },
        io::ErrorKind::PermissionDenied => JobCacheError::Denied { path, source },
        _ => JobCacheError::Io { path, source },
    }
}
