//! Returns that are looked up in the master's job cache before they are believed: of a minion that was
//! not asked, and a second one that says something else.
//!
//! The master writes what a minion returned into its cache when the minion sends it, and keeps the first
//! of one minion; an event that a minion fires does not get there. All other returns are believed, for
//! looking each up would cost more than reading the bus does.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use salt_event::event::{Event, Kind, Origin, Return};

use super::Ledger;
use crate::change::Change;
use crate::confirm::{FoundReturn, said};
use crate::digest::Digest;
use crate::minions::MinionNo;
use crate::run::{Flag, JobId, RunKind};
use crate::suspect::Why;

/// Most returns of which it is remembered what they said: the latest.
const MAX_REMEMBERED: usize = 65_536;

/// What the latest returns said.
#[derive(Debug, Default)]
pub(super) struct ReturnedAs {
    said: HashMap<(JobId, MinionNo), Digest>,
    /// In the order in which they came.
    order: VecDeque<(JobId, MinionNo)>,
}

impl ReturnedAs {
    fn remember(&mut self, job: JobId, minion: MinionNo, said: Digest) {
        if self.said.insert((job, minion), said).is_some() {
            return;
        }
        self.order.push_back((job, minion));
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.said.remove(&oldest);
        }
    }
}

impl Ledger {
    /// Whether an event is a return that is to be looked up first: then it is to be given to
    /// [`Self::hear_looked_up`], once that is done, and not to [`Self::handle_event`]. Its jid and its minion.
    pub fn doubts<'e>(&self, event: &'e Event<'_>) -> Option<(&'e str, &'e str)> {
        match &event.kind {
            Kind::Return(ret) if self.doubt_of(ret).is_some() => Some((&ret.jid, ret.minion)),
            _ => None,
        }
    }

    /// Takes a return that was looked up.
    pub fn hear_looked_up(
        &mut self,
        now: Timestamp,
        event: &Event<'_>,
        found: FoundReturn,
    ) -> Vec<Change> {
        let doubt = match &event.kind {
            Kind::Return(ret) => self.doubt_of(ret).map(|why| (why, ret)),
            _ => None,
        };
        let Some((why, ret)) = doubt else {
            return self.handle_event(now, event);
        };
        let is_kept = match (found, said(ret.ret, ret.retcode)) {
            (FoundReturn::Unknown, _) => return self.handle_event(now, event),
            (FoundReturn::Nothing, _) => false,
            (FoundReturn::Kept(Some(kept)), Some(said)) => kept == said,
            // Nothing to compare: that it is there has to do for a first one.
            (FoundReturn::Kept(_), _) => why == Why::Unasked,
        };
        let at = super::believable(event.stamp, now);
        match (is_kept, why) {
            (true, Why::Again) => {
                self.note_false_return(now, at, Why::Displaced, ret);
                self.take_return(now, at, ret);
            }
            (true, _) => self.take_return(now, at, ret),
            (false, why) => self.note_false_return(now, at, why, ret),
        }
        self.forget_ended();
        std::mem::take(&mut self.out)
    }

    fn doubt_of(&self, ret: &Return<'_>) -> Option<Why> {
        if !self.settings.confirm.returns || ret.origin != Origin::Minion || ret.tag_differs {
            return None;
        }
        let job = self.state.jobs.get(&self.job_of(ret)?)?;
        let run = self.state.runs.get(&job.run)?;
        let minion = self.state.minions.number(ret.minion);
        if minion.is_some_and(|minion| job.tally.returned.contains(minion)) {
            let before = self.returned_as(Some(job.id), ret)?;
            return (before != as_it_came(ret)).then_some(Why::Again);
        }
        // salt-ssh asks without a publication, and who is behind a syndic may come in after a return.
        let is_known = run.head.kind != RunKind::Ssh && !run.flags.contains(&Flag::NoStart);
        let is_asked = minion.is_some_and(|minion| job.tally.expected.contains(minion));
        (is_known && !is_asked && !ret.through_syndic).then_some(Why::Unasked)
    }

    /// Whether it came as a syndic passes returns on, though there is none: a master that has syndics has
    /// `order_masters` set.
    pub(super) fn is_of_no_syndic(&self, ret: &Return<'_>) -> bool {
        let confirm = self.settings.confirm;
        let there_are_none = !self.settings.order_masters && !self.below.has_syndics();
        confirm.jobs && confirm.below && there_are_none && ret.through_syndic && !self.past.is_now
    }

    /// What a minion returned before, if that is remembered.
    pub(super) fn returned_as(&self, job: Option<JobId>, ret: &Return<'_>) -> Option<Digest> {
        let minion = self.state.minions.number(ret.minion)?;
        self.returned_as.said.get(&(job?, minion)).copied()
    }

    /// Remembers what a minion returned, where it can be asked for.
    pub(super) fn remember_returned(&mut self, job: JobId, minion: MinionNo, ret: &Return<'_>) {
        if self.settings.confirm.returns && !self.past.is_now {
            self.returned_as.remember(job, minion, as_it_came(ret));
        }
    }
}

/// The digest of what was returned, by its bytes on the bus: who sends the same again sends the same bytes.
pub(super) fn as_it_came(ret: &Return<'_>) -> Digest {
    Digest::of_parts(&[ret.ret.bytes(), ret.retcode.bytes()])
}
