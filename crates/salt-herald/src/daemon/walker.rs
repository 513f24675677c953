//! The thread that looks into the master's job cache: with low priority, waiting for everybody, writing
//! nothing.
//!
//! It looks twice: at once, and, where that was within a few seconds after the gap, a little later
//! again, since the master writes its files a moment after it fires its events. That it is asked once
//! more later is another's matter. It understands none of what it finds.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use herald_core::backfill::CacheState;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Limits;
use crate::config::Config;
use crate::source::job_cache::{JobCache, JobCacheError, Place, Skipped, Span};
use crate::source::{Heard, Item, Past, Queue};

/// How long before a gap what may have been missed can have been written.
const BEFORE: Duration = Duration::from_secs(10);
/// What was written so long after a gap can be of an event within it.
const AFTER: Duration = Duration::from_secs(2);
/// A request to stop is heard after so long.
const STOP_WITHIN: Duration = Duration::from_millis(50);
/// After so many folders others may go first.
const YIELD_EVERY: u32 = 64;

/// Where the job cache is, and what is known of it by the config.
#[derive(Debug, Clone)]
pub(super) struct Where {
    pub(super) root: PathBuf,
    /// By which clock jids are made.
    pub(super) zone: TimeZone,
    /// The master puts into it what minions return.
    pub(super) keeps_returns: bool,
    /// How long it keeps a job; zero: for ever.
    pub(super) keep_jobs: Duration,
    /// How long the journal keeps a run, if not for ever: what is older stays away.
    pub(super) keep_runs: Option<Duration>,
    /// How long after an event the master has written its files.
    pub(super) written_within: Duration,
    /// How long after a gap it is looked into once more.
    pub(super) look_again: Duration,
}

/// What is to be looked for.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// What returned until then is told of the jobs that began before `to`: after a gap, what came
    /// later was heard; of what somebody asks for, nothing may have been.
    pub(super) returns_to: Timestamp,
    /// What began earlier is not wanted.
    pub(super) not_before: Timestamp,
    /// Jobs that were open at the end, whenever they began.
    pub(super) open: Vec<String>,
    pub(super) asked_at: Timestamp,
}

pub(super) struct Walker {
    pub(super) place: Where,
    pub(super) queue: Arc<Queue>,
}

impl Where {
    /// From when on the cache can know anything of a time that began at `from`.
    pub(super) fn reaches_back_to(&self, from: Timestamp, now: Timestamp) -> Timestamp {
        let kept = (!self.keep_jobs.is_zero()).then_some(self.keep_jobs);
        let limits = [kept, self.keep_runs].into_iter().flatten();
        limits.map(|limit| earlier(now, limit)).fold(from, Timestamp::max)
    }

    /// What is older the journal would not keep.
    pub(super) fn not_before(&self, now: Timestamp) -> Timestamp {
        self.keep_runs.map_or(Timestamp::MIN, |limit| earlier(now, limit))
    }
}

impl Walker {
    /// Runs errands until nobody has any, or the queue is closed.
    pub(super) fn walk_all(&self, errands: &Receiver<Errand>) {
        // The thread alone is made nicer, and stays so.
        if let Err(error) = rustix::process::nice(19) {
            tracing::debug!(%error, "the thread keeps its priority");
        }
        while let Ok(errand) = errands.recv() {
            let mut skipped = Skipped::default();
            let ControlFlow::Continue(cache) = self.walk(&errand, &mut skipped) else { return };
            let heard = Heard::Past(Past::Ends(cache, skipped));
            if !self.queue.push_past(Item { at: Timestamp::now(), heard }) {
                return;
            }
        }
    }

    fn walk(&self, errand: &Errand, skipped: &mut Skipped) -> ControlFlow<(), CacheState> {
        if !self.place.keeps_returns {
            return ControlFlow::Continue(CacheState::NotKept);
        }
        let settled = later(errand.to, self.place.written_within);
        let looks_twice = Timestamp::now() < settled;
        let span = Span {
            since: earlier(errand.from, BEFORE),
            until: errand.to,
            not_before: errand.not_before,
        };
        // Only the last look may tell what was written just after the end.
        let after = later(errand.returns_to, AFTER);
        let until = if looks_twice { errand.returns_to } else { after };
        let first = self.look(span, &errand.open, until, skipped)?;
        if !looks_twice || first != CacheState::Read {
            return ControlFlow::Continue(first);
        }
        self.wait_until(settled)?;
        let span = Span { since: earlier(errand.to, BEFORE), ..span };
        let mut again = Skipped::default();
        let state = self.look(span, &errand.open, after, &mut again)?;
        // What was found at first stands; only its end is not known then.
        again.denied += u64::from(state != CacheState::Read && again.total() == 0);
        *skipped = skipped.max(again);
        ControlFlow::Continue(first)
    }

    /// Looks once: hands over what began before the span's end and what returned before `until`.
    fn look(
        &self,
        span: Span,
        open: &[String],
        until: Timestamp,
        skipped: &mut Skipped,
    ) -> ControlFlow<(), CacheState> {
        let (cache, mut listing) = match self.list(span) {
            Ok(found) => found,
            Err(state) => return ControlFlow::Continue(state),
        };
        if self.queue.is_closed() {
            return ControlFlow::Break(());
        }
        let listed: HashSet<&str> = listing.jobs.iter().map(|place| &*place.jid).collect();
        let unlisted = open.iter().filter(|jid| !listed.contains(jid.as_str()));
        let found: Vec<Place> = unlisted.filter_map(|jid| cache.look_up(jid)).collect();
        listing.jobs.extend(found);
        listing.jobs.sort_unstable();
        let mut pieces = 0_u64;
        let told = cache.events(listing.jobs).until(until).pieces(|at, piece| {
            pieces += 1;
            let item = Item { at, heard: Heard::Past(Past::Piece(piece)) };
            if self.queue.push_past(item) { Ok(()) } else { Err(()) }
        });
        let Ok(told) = told else { return ControlFlow::Break(()) };
        skipped.add(listing.skipped);
        skipped.add(told);
        let denied = pieces == 0 && listing.skipped.denied + told.denied > 0;
        ControlFlow::Continue(if denied { CacheState::Denied } else { CacheState::Read })
    }

    fn list(
        &self,
        span: Span,
    ) -> Result<(JobCache, crate::source::job_cache::Listing), CacheState> {
        let Where { root, zone, .. } = &self.place;
        let mut count = 0_u32;
        let mut go_on = || {
            count = count.wrapping_add(1);
            if count.is_multiple_of(YIELD_EVERY) {
                std::thread::yield_now();
                return !self.queue.is_closed();
            }
            true
        };
        let listed = JobCache::open(root).and_then(|cache| {
            let cache = cache.in_zone(zone.clone());
            let listing = cache.changed(span, &mut go_on)?;
            Ok((cache, listing))
        });
        listed.map_err(|error| self.state_of(&error))
    }

    fn state_of(&self, error: &JobCacheError) -> CacheState {
        let cause = error as &dyn std::error::Error;
        match error {
            // A master that published no job yet has made its folder, and none for jobs.
            JobCacheError::Absent { .. } if self.place.root.parent().is_some_and(is_folder) => {
                CacheState::Read
            }
            JobCacheError::Absent { .. } => {
                tracing::warn!(error = cause, "nothing can be back-filled");
                CacheState::Absent
            }
            JobCacheError::Denied { .. } => {
                tracing::warn!(error = cause, "nothing can be back-filled");
                CacheState::Denied
            }
            JobCacheError::Io { .. } => {
                tracing::warn!(error = cause, "nothing can be back-filled");
                CacheState::Failed
            }
        }
    }

    fn wait_until(&self, until: Timestamp) -> ControlFlow<()> {
        // By no clock that can be put meanwhile.
        let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
        let left = left.min(self.place.written_within);
        let begun = Instant::now();
        while begun.elapsed() < left {
            if self.queue.is_closed() {
                return ControlFlow::Break(());
            }
            std::thread::sleep(STOP_WITHIN);
        }
        ControlFlow::Continue(())
    }
}

fn is_folder(path: &std::path::Path) -> bool {
    std::fs::read_dir(path).is_ok()
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Where what was missed can be found.
pub(super) fn job_cache_of(config: &Config, limits: Limits) -> Where {
    let master = &config.master;
    Where {
        root: master.job_cache_dir(),
        zone: master.jid_zone(),
        keeps_returns: master.keeps_returns(),
        keep_jobs: master.keep_jobs,
        keep_runs: config.journal.keeping.runs,
        written_within: limits.written_within,
        look_again: limits.look_again,
    }
}
