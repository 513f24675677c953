//! What the bus said of some jobs, in the order of time: beginnings by their jids, returns by the time
//! at which the master wrote them.
//!
//! A job is opened when its time comes, a return when its own does, so that little is in memory at
//! once. A copy of a cache may have lost the files' times: then a return has its job's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use salt_event::event::Event;
use salt_event::job_cache::{Begun, Load};

use super::Skipped;
use super::files::{self, Why};
use super::list::Place;
use super::piece::{Contents, Kept, Part, Piece};

/// Longest file that is read, in bytes. Salt's own events end at 1 MiB; the cache keeps more.
const MAX_FILE: u64 = 32 << 20;
/// Most bytes that may wait for the time of their returns.
const MAX_WAITING: usize = 64 << 20;
/// How long after its jid a job's load is written at the latest.
const WRITTEN_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// The events of some jobs; see [`Timeline::each`].
#[derive(Debug)]
pub struct Timeline {
    root: PathBuf,
    jobs: std::vec::IntoIter<Place>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Bytes that wait.
    held: usize,
    count: u64,
    /// The files' times are those at which the master wrote them.
    times_hold: bool,
    /// What came later is another's to tell.
    until: Timestamp,
    skipped: Skipped,
}

/// A return whose time has not come. What is compared comes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at: Timestamp,
    number: u64,
    minion: String,
    job: Arc<Kept>,
}

impl Timeline {
    pub(super) fn new(root: PathBuf, jobs: Vec<Place>) -> Self {
        Self {
            root,
            jobs: jobs.into_iter(),
            waiting: BinaryHeap::new(),
            held: 0,
            count: 0,
            times_hold: true,
            until: Timestamp::MAX,
            skipped: Skipped::default(),
        }
    }

    /// Leaves out what happened at that time or later.
    pub fn until(self, until: Timestamp) -> Self {
        Self { until, ..self }
    }

    /// Hands over one event after the other, with its time. What could not be read is counted.
    ///
    /// # Errors
    /// What `take` gives: nothing more is handed over then.
    pub fn each<E>(
        self,
        mut take: impl FnMut(Timestamp, &Event<'_>) -> Result<(), E>,
    ) -> Result<Skipped, E> {
        let mut senseless = 0;
        let mut skipped = self.pieces(|at, piece| {
            senseless += u64::from(!piece.each(|event| take(at, event))?);
            Ok(())
        })?;
        skipped.unreadable += senseless;
        Ok(skipped)
    }

    /// Hands over one piece after the other, with its time. Whether it makes sense is not known yet.
    ///
    /// # Errors
    /// What `take` gives: nothing more is handed over then.
    pub fn pieces<E>(
        mut self,
        mut take: impl FnMut(Timestamp, Piece) -> Result<(), E>,
    ) -> Result<Skipped, E> {
        while let Some(place) = self.jobs.next() {
            self.give_returns(&mut take, |at| at <= place.at)?;
            self.begin(&place, &mut take)?;
            self.make_room(place.at, &mut take)?;
        }
        self.give_returns(&mut take, |_| true)?;
        Ok(self.skipped)
    }

    fn give_returns<E>(
        &mut self,
        take: &mut impl FnMut(Timestamp, Piece) -> Result<(), E>,
        is_due: impl Fn(Timestamp) -> bool,
    ) -> Result<(), E> {
        while let Some(Reverse(next)) = self.waiting.peek()
            && is_due(next.at)
            && let Some(Reverse(next)) = self.waiting.pop()
        {
            let told_until = next.at;
            self.give(next, told_until, take)?;
        }
        Ok(())
    }

    /// Nobody has so much under way at a time: the earliest are given before their time then.
    fn make_room<E>(
        &mut self,
        told_until: Timestamp,
        take: &mut impl FnMut(Timestamp, Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.held > MAX_WAITING
            && let Some(Reverse(next)) = self.waiting.pop()
        {
            self.give(next, told_until, take)?;
        }
        Ok(())
    }

    fn give<E>(
        &mut self,
        next: Waiting,
        told_until: Timestamp,
        take: &mut impl FnMut(Timestamp, Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held = self.held.saturating_sub(size_of::<Waiting>() + next.minion.len());
        let path = next.job.folder.join(&next.minion).join("return.p");
        if Arc::strong_count(&next.job) == 1 {
            self.held = self.held.saturating_sub(next.job.load.len());
        }
        match files::read(&path, MAX_FILE) {
            Ok((bytes, _)) => {
                let part = Part::Returned { minion: next.minion, bytes };
                take(next.at, Piece { job: next.job, part, told_until })
            }
            Err(why) => {
                self.skipped.count(why);
                Ok(())
            }
        }
    }

    /// Tells of a job's beginning, and puts its returns with those that wait.
    fn begin<E>(
        &mut self,
        place: &Place,
        take: &mut impl FnMut(Timestamp, Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let folder = self.root.join(&*place.folder);
        let contents = match self.contents(&folder) {
            Ok(contents) => contents,
            Err(why) => {
                self.skipped.count(why);
                return Ok(());
            }
        };
        let (bytes, written) = match files::read(&folder.join(".load.p"), MAX_FILE) {
            Ok(read) => read,
            Err(Why::Gone) => {
                // A jid that was made and not used has neither.
                self.skipped.no_load += contents.returned.len() as u64;
                return Ok(());
            }
            Err(why) => {
                self.skipped.count(why);
                return Ok(());
            }
        };
        let Some(load) = Load::read(&bytes).ok().flatten().filter(|l| l.jid() == &*place.jid)
        else {
            self.skipped.unreadable += 1;
            return Ok(());
        };
        let is_batch = !contents.batch.is_empty();
        if load.begun() == Begun::Published && !is_batch {
            let after = written.map(|written| written.duration_since(place.at).abs());
            self.times_hold = after.is_some_and(|after| after <= WRITTEN_WITHIN);
        }
        drop(load);
        let mut contents = contents;
        let returned = std::mem::take(&mut contents.returned);
        let job = Arc::new(Kept { folder, load: bytes });
        let part = Part::Begins(Box::new(contents));
        let begins = Piece { job: Arc::clone(&job), part, told_until: place.at };
        take(place.at, begins)?;
        self.put_by(place.at, &job, returned);
        Ok(())
    }

    fn put_by(&mut self, began: Timestamp, job: &Arc<Kept>, returned: Vec<String>) {
        if !returned.is_empty() {
            self.held += job.load.len();
        }
        for minion in returned {
            let at = match files::time(&job.folder.join(&minion).join("return.p")) {
                Ok(written) => self.return_time(began, written),
                // The folder is made first.
                Err(Why::Gone) => continue,
                Err(why) => {
                    self.skipped.count(why);
                    continue;
                }
            };
            if at >= self.until {
                continue;
            }
            self.count += 1;
            self.held += size_of::<Waiting>() + minion.len();
            let job = Arc::clone(job);
            self.waiting.push(Reverse(Waiting { at, number: self.count, minion, job }));
        }
    }

    fn return_time(&self, began: Timestamp, written: Option<Timestamp>) -> Timestamp {
        written.filter(|at| self.times_hold && *at >= began).unwrap_or(began)
    }

    fn contents(&mut self, folder: &Path) -> Result<Contents, Why> {
        let mut contents = Contents::default();
        for entry in std::fs::read_dir(folder).map_err(|error| Why::of(&error))? {
            let entry = entry.map_err(|error| Why::of(&error))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            match entry.file_name().into_string().map_err(OsString::into_string) {
                Ok(name) if is_folder => contents.returned.push(name),
                Ok(name) if name == ".minions.p" => contents.minions = self.list_file(&path),
                Ok(name) if name == ".batch.p" => contents.batch = self.list_file(&path),
                Ok(name) => {
                    if let Some(syndic) = syndic_of(&name) {
                        let list = self.list_file(&path);
                        contents.behind_syndics.push((syndic.to_owned(), list));
                    }
                }
                Err(_) => self.skipped.odd += 1,
            }
        }
        contents.returned.sort_unstable();
        Ok(contents)
    }

    /// A file that stands beside the load; empty where it can't be read.
    fn list_file(&mut self, path: &Path) -> Vec<u8> {
        files::read(path, MAX_FILE).map_or_else(
            |why| {
                self.skipped.count(why);
                Vec::new()
            },
            |(bytes, _)| bytes,
        )
    }
}

/// The syndic whose minions a file lists.
fn syndic_of(name: &str) -> Option<&str> {
    name.strip_prefix(".minions.")?.strip_suffix(".p").filter(|syndic| !syndic.is_empty())
}
