//! What belongs together although no event says so in full: an orchestration's children, and the
//! slices of a batch before 3008.
//!
//! Only memory of what may come; it changes nothing by itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salt_event::Value;

use super::finish::moved;
use crate::digest::Digest;
use crate::minions::{MinionNo, MinionSet};
use crate::run::{JobId, RunId};

/// How long after its announcement an orchestration publishes the job.
const CHILD_WITHIN: Duration = Duration::from_secs(60);
/// How long a `test.ping` is remembered.
const GATHER_WITHIN: Duration = Duration::from_secs(300);
/// How long a batch waits between the end of a slice and the next, unless it is told to wait longer.
pub(super) const NEXT_SLICE_WITHIN: Duration = Duration::from_secs(60);
/// How long after the last answer to its `test.ping` a batch publishes its first slice.
pub(super) const FIRST_SLICE_WITHIN: Duration = Duration::from_secs(5);
/// How long a batch can be without a new slice.
const BATCH_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Most of each kind that are remembered.
const MAX_REMEMBERED: usize = 256;

/// What may come.
#[derive(Debug, Clone, Default)]
pub(super) struct Parents {
    children: Vec<ExpectedChild>,
    gathers: Vec<Gather>,
    batches: Vec<SuspectedBatch>,
}

/// A job that an orchestration said it would publish.
#[derive(Debug, Clone)]
pub(super) struct ExpectedChild {
    pub(super) run: RunId,
    /// Who runs the orchestration, and so its children.
    pub(super) user: Option<String>,
    pub(super) is_state: bool,
    pub(super) name: String,
    pub(super) tgt: String,
    pub(super) tgt_type: String,
    pub(super) since: Timestamp,
}

/// A `test.ping` that may be a batch looking for its minions.
#[derive(Debug, Clone)]
pub(super) struct Gather {
    pub(super) job: JobId,
    pub(super) user: Option<String>,
    pub(super) minions: MinionSet,
    pub(super) tgt: String,
    pub(super) tgt_type: String,
    pub(super) since: Timestamp,
}

/// A list job that may be the first slice of a batch, or a batch that is known by two.
#[derive(Debug, Clone)]
pub(super) struct SuspectedBatch {
    pub(super) run: RunId,
    /// The job that looked for its minions.
    pub(super) gather: JobId,
    /// The arguments, redacted.
    pub(super) arg: Value<'static>,
    pub(super) user: Option<String>,
    pub(super) load: Digest,
    pub(super) left: MinionSet,
    pub(super) size: u64,
    pub(super) tgt: String,
    pub(super) tgt_type: String,
    pub(super) last: Timestamp,
}

/// A published job, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published<'a> {
    pub(super) user: &'a Option<String>,
    pub(super) funs: &'a [String],
    pub(super) load: Digest,
    pub(super) tgt: &'a str,
    pub(super) tgt_type: &'a str,
    pub(super) minions: &'a MinionSet,
    /// A slice is a list of minions that just answered: none of them is missing.
    pub(super) can_be_slice: bool,
    pub(super) at: Timestamp,
}

impl Parents {
    pub(super) fn expect(&mut self, child: ExpectedChild) {
        make_room(&mut self.children);
        self.children.push(child);
    }

    /// The orchestration that said it would publish this job.
    pub(super) fn take_child(&mut self, job: Published<'_>) -> Option<RunId> {
        let fun = job.funs.first()?;
        let is_it = |child: &ExpectedChild| {
            (child.user.is_none() || child.user == *job.user)
                && child.tgt == job.tgt
                && child.tgt_type == job.tgt_type
                && if child.is_state { fun.starts_with("state.") } else { child.name == *fun }
        };
        let place = self.children.iter().position(is_it)?;
        Some(self.children.remove(place).run)
    }

    pub(super) fn gather(&mut self, gather: Gather) {
        make_room(&mut self.gathers);
        self.gathers.push(gather);
    }

    /// Minions behind a syndic were asked, too, and the syndic only passed that on.
    pub(super) fn widen_gather(&mut self, job: JobId, syndic: MinionNo, behind: &MinionSet) {
        for gather in self.gathers.iter_mut().filter(|gather| gather.job == job) {
            gather.minions |= behind;
            gather.minions.remove(syndic);
        }
    }

    /// The target of the last `test.ping` that these minions answered to for the same person.
    pub(super) fn gathered(
        &self,
        user: &Option<String>,
        minions: &MinionSet,
    ) -> Option<(&str, &str)> {
        let is_it = |gather: &&Gather| gather.user == *user && minions.is_subset(&gather.minions);
        let gather = self.gathers.iter().rev().find(is_it)?;
        Some((&gather.tgt, &gather.tgt_type))
    }

    /// The batch that this job is a later slice of, among those that go on.
    pub(super) fn take_slice(
        &mut self,
        job: Published<'_>,
        goes_on: impl Fn(&SuspectedBatch) -> bool,
    ) -> Option<&mut SuspectedBatch> {
        if !job.can_be_slice {
            return None;
        }
        let batch = self.batches.iter_mut().find(|batch| {
            batch.user == *job.user
                && batch.load == job.load
                && job.minions.is_subset(&batch.left)
                && goes_on(batch)
        })?;
        batch.left -= job.minions;
        batch.last = job.at;
        Some(batch)
    }

    /// Remembers a list job that follows a `test.ping` of the same person: it may be a first slice.
    pub(super) fn suspect(
        &mut self,
        run: RunId,
        job: Published<'_>,
        arg: &Value<'static>,
        is_near: impl Fn(&Gather) -> bool,
    ) {
        if !job.can_be_slice {
            return;
        }
        let is_it = |gather: &Gather| {
            gather.user == *job.user
                && job.minions.is_subset(&gather.minions)
                && job.minions.len() < gather.minions.len()
                && is_near(gather)
        };
        let Some(place) = self.gathers.iter().rposition(is_it) else {
            return;
        };
        let gather = self.gathers.remove(place);
        make_room(&mut self.batches);
        self.batches.push(SuspectedBatch {
            run,
            gather: gather.job,
            arg: arg.clone(),
            user: gather.user,
            load: job.load,
            left: &gather.minions - job.minions,
            size: job.minions.len(),
            tgt: gather.tgt,
            tgt_type: gather.tgt_type,
            last: job.at,
        });
    }

    /// What was suspected of a run, which is known to be a batch by now.
    pub(super) fn take_suspect(&mut self, run: RunId) -> Option<SuspectedBatch> {
        let place = self.batches.iter().position(|batch| batch.run == run)?;
        Some(self.batches.remove(place))
    }

    /// Takes up what another remembers, and this one does not.
    pub(super) fn join(&mut self, other: Parents) {
        for gather in other.gathers {
            if self.gathers.iter().all(|known| known.job != gather.job) {
                make_room(&mut self.gathers);
                self.gathers.push(gather);
            }
        }
        for batch in other.batches {
            if self.batches.iter().all(|known| known.run != batch.run) {
                make_room(&mut self.batches);
                self.batches.push(batch);
            }
        }
    }

    /// The clock was put.
    pub(super) fn put_clock(&mut self, step: SignedDuration) {
        self.children.iter_mut().for_each(|child| child.since = moved(child.since, step));
        self.gathers.iter_mut().for_each(|gather| gather.since = moved(gather.since, step));
        self.batches.iter_mut().for_each(|batch| batch.last = moved(batch.last, step));
    }

    pub(super) fn forget_before(&mut self, now: Timestamp) {
        let is_fresh =
            |since: Timestamp, within: Duration| now.duration_since(since).unsigned_abs() < within;
        self.children.retain(|child| is_fresh(child.since, CHILD_WITHIN));
        self.gathers.retain(|gather| is_fresh(gather.since, GATHER_WITHIN));
        self.batches.retain(|batch| !batch.left.is_empty() && is_fresh(batch.last, BATCH_WITHIN));
    }
}

fn make_room<T>(remembered: &mut Vec<T>) {
    if remembered.len() >= MAX_REMEMBERED {
        remembered.remove(0);
    }
}
