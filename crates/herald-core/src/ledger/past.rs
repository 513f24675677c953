//! The past: what a master's job cache tells after the fact, handled between live events.
//!
//! Past events come in the order of their own time, which is the only clock that counts for them:
//! a run that they alone tell of is given up when it would have been. What they infer is kept apart
//! from what live events do. What is known already is left alone. Where they come from is not known
//! here.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use salt_event::event::Event;

use super::finish::Live;
use super::parents::Parents;
use super::{Ledger, Restored};
use crate::change::{Change, What};
use crate::run::{Flag, Run, RunId};

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

    /// Forgets all, and goes on from what the journal has, as after a restart.
    pub fn begin_anew(&mut self, now: Timestamp, from: Restored) {
        let redactor = self.splitter.redactor().clone();
        *self = Self::restore(self.settings.clone(), redactor, now, from);
    }

    /// Past events are about to come: of a gap, or of a time that somebody asks for, which goes on from
    /// nothing that is known.
    pub fn begin_past(&mut self, of_gap: bool) {
        let at_gap = if of_gap { self.past.at_gap.take() } else { None };
        self.past.parents = at_gap.unwrap_or_default();
        self.past.told.clear();
    }

    /// Takes an event of the past, with the time at which it happened, and up to when all was told: no
    /// run is given up for what may still come.
    pub fn handle_past_event(
        &mut self,
        at: Timestamp,
        told_until: Timestamp,
        event: &Event<'_>,
    ) -> Vec<Change> {
        self.in_past(|ledger| {
            ledger.give_up_past(at.min(told_until));
            ledger.dispatch(at, event);
        });
        self.forget_ended();
        std::mem::take(&mut self.out)
    }

    /// The past is told. What is still open goes on as any other run; what would have been given up
    /// by now is. Nothing is missing any more of runs that began after `whole_since`: all gaps that
    /// ended later were read whole.
    pub fn end_past(&mut self, now: Timestamp, whole_since: Option<Timestamp>) -> Vec<Change> {
        self.in_past(|ledger| ledger.give_up_past(now));
        let is_mended = |run: &&Run| {
            run.flags.contains(&Flag::Gap) && whole_since.is_some_and(|at| run.started_at > at)
        };
        let mut mended: Vec<RunId> =
            self.state.runs.values().filter(is_mended).map(|run| run.id).collect();
        mended.sort_unstable();
        mended.into_iter().for_each(|run| self.flag(now, run, Flag::Mended));
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
