//! The past: what a master's job cache tells after the fact, handled between live events.
//!
//! Past events come in the order of their own time, which is the only clock that counts for them:
//! a run that they alone tell of is given up when it would have been. What they infer is kept apart
//! from what live events do. What is known already is left alone. Where they come from is not known
//! here.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use salt_event::event::Event;

use super::Ledger;
use super::finish::Live;
use super::parents::Parents;
use crate::change::{Change, What};
use crate::run::{Flag, RunId};

/// What counts for past events only.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// A past event is being handled.
    pub(super) is_now: bool,
    /// What may come, as it was known when the gap began.
    parents: Parents,
    told: HashMap<String, (RunId, Timestamp)>,
    /// The same as a gap left it, for the back-fill that is to come.
    at_gap: Option<Parents>,
}

impl Live {
    /// By whose clock the run is judged, now that an event of it is handled; whether the event counts
    /// for that. Of a run that was heard since we are back, the past says no more how it is.
    pub(super) fn attend(&mut self, in_past: bool) -> bool {
        if in_past {
            self.by_past |= !self.heard;
            self.by_past
        } else {
            (self.heard, self.by_past) = (true, false);
            true
        }
    }

    /// A sign of life.
    pub(super) fn sign(&mut self, at: Timestamp, in_past: bool) {
        self.attend(in_past);
        self.last_sign = if self.is_guess { at } else { self.last_sign.max(at) };
        self.is_guess = false;
    }
}

impl Ledger {
    /// Keeps what may come as it was when we went blind: that is what the past goes on from.
    pub(super) fn keep_for_past(&mut self) {
        if self.past.at_gap.is_none() {
            self.past.at_gap = Some(self.parents.clone());
        }
        self.live.change_all(|live| live.heard = false);
    }

    /// Past events are about to come.
    pub fn begin_past(&mut self) {
        self.past.parents = self.past.at_gap.take().unwrap_or_default();
        self.past.told.clear();
    }

    /// Takes an event of the past, with the time at which it happened. These times must not go back
    /// between [`Self::begin_past`] and [`Self::end_past`].
    pub fn handle_past_event(&mut self, at: Timestamp, event: &Event<'_>) -> Vec<Change> {
        self.in_past(|ledger| {
            ledger.give_up_past(at);
            ledger.dispatch(at, event);
        });
        self.forget_ended();
        std::mem::take(&mut self.out)
    }

    /// The past is told. What is still open goes on as any other run; what would have been given up
    /// by now is. Where the past was `whole`, runs with a gap count as mended: of
    /// an earlier gap that was not filled nothing is known here.
    pub fn end_past(&mut self, now: Timestamp, whole: bool) -> Vec<Change> {
        self.in_past(|ledger| ledger.give_up_past(now));
        let mut mended: Vec<RunId> = self.state.runs.values().map(|run| run.id).collect();
        mended
            .retain(|id| whole && self.run(*id).is_some_and(|run| run.flags.contains(&Flag::Gap)));
        mended.sort_unstable();
        mended.into_iter().for_each(|run| self.flag(now, run, Flag::Backfilled));
        self.live.change_all(|live| live.by_past = false);
        let past = std::mem::take(&mut self.past.parents);
        self.parents.join(past);
        self.parents.forget_before(now);
        self.past.told.clear();
        self.forget_ended();
        std::mem::take(&mut self.out)
    }

    /// Does something with what counts for the past, and flags the runs that it changes.
    fn in_past(&mut self, work: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.swap_past();
        self.past.is_now = true;
        work(self);
        self.past.is_now = false;
        self.swap_past();
        self.flag_backfilled(before);
    }

    fn swap_past(&mut self) {
        std::mem::swap(&mut self.parents, &mut self.past.parents);
        std::mem::swap(&mut self.told, &mut self.past.told);
    }

    fn flag_backfilled(&mut self, from: usize) {
        let mut runs = BTreeSet::new();
        for change in self.out.iter().skip(from) {
            match &change.what {
                What::RunStarted { run, .. }
                | What::RunRevised { run, .. }
                | What::RunEnded { run, .. }
                | What::JobMoved { to: run, .. } => {
                    runs.insert((*run, change.at));
                }
                What::JobStarted { job, .. }
                | What::JobExpects { job, .. }
                | What::Returned { job, .. } => {
                    let run = self.state.jobs.get(job).map(|job| job.run);
                    runs.extend(run.map(|run| (run, change.at)));
                }
                _ => {}
            }
        }
        for (run, at) in runs {
            self.flag(at, run, Flag::Backfilled);
        }
    }

    /// Lets time pass for the runs that the past alone tells of, one deadline after the other.
    fn give_up_past(&mut self, at: Timestamp) {
        let due = |ledger: &Self| ledger.live.next_due(true).filter(|due| *due <= at);
        let mut last = None;
        while let Some(next) = due(self).filter(|next| last != Some(*next)) {
            self.give_up_silent(next);
            last = Some(next);
        }
    }
}
