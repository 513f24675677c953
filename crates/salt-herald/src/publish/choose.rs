//! What a sink's publisher does next: the most urgent thing that may be done now, or when one may.
//!
//! It takes permissions from the sink's limits, and carries nothing out.

use std::collections::BTreeSet;
use std::time::Duration;

use herald_core::burst::{Plan, Waiting, plan};
use herald_core::owed::{Part, Step};
use jiff::Timestamp;
use tokio::time::Instant;

use super::checkpoints::Act;
use super::doubt::Place;
use super::health::Due;
use super::view::{Subject, View};
use super::worker::Worker;

/// A message is rewritten for progress no more often than this.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_secs(3);
/// A message takes up more runs no more often than this.
const JOIN_EVERY: Duration = Duration::from_secs(1);

/// What to do next.
pub(super) enum Next {
    /// Say runs of which nothing was said yet.
    Say(Plan),
    /// Take the step that is owed.
    Take(Subject),
    /// Look for messages that may have arrived.
    Look(Place),
    /// Tell that something is the matter at another sink, or no longer.
    Tell(Due),
    /// Tell that nothing is known of a time in which we were blind.
    TellUnknown,
    /// Tell what will not be said any more.
    TellUnsaid,
    /// Tell what minions made up, and what happened to keys.
    TellAlarms,
    /// Do something for checkpoints.
    Checkpoints(Act),
    /// Nothing may be done before.
    Wait(Instant),
    /// Nothing is owed.
    Idle,
}

impl Worker {
    /// The most urgent step that may be taken now, or when one may.
    pub(super) fn next(&mut self) -> Next {
        let now = Instant::now();
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            // Though nothing be pending: it may be that the journal could not be read.
            return Next::Wait(until);
        }
        let mut told = None;
        match self.health.due(&self.service.sink, now) {
            Some(Ok(due)) => match self.posts.take(now, 0.0) {
                Ok(()) => return Next::Tell(due),
                Err(patience) => {
                    self.health.was_told(&due, None, now);
                    told = Some(now + patience);
                }
            },
            Some(Err(until)) => told = Some(until),
            None => {}
        }
        let unknown = self.unknown.as_ref().map(|_| Next::TellUnknown);
        let alarms = match self.alarms.due(now) {
            Some(Ok(())) => Some(Next::TellAlarms),
            Some(Err(until)) => {
                told = Some(told.map_or(until, |other: Instant| other.min(until)));
                None
            }
            None => None,
        };
        let unsaid = || self.unsaid.as_ref().map(|_| Next::TellUnsaid);
        if let Some(own) = alarms.or(unknown).or_else(unsaid) {
            match self.posts.take(now, 0.0) {
                Ok(()) => return own,
                Err(patience) => {
                    let until = now + patience;
                    told = Some(told.map_or(until, |other: Instant| other.min(until)));
                }
            }
        }
        let next = match (self.next_step(now), told) {
            (Next::Wait(until), Some(told)) => Next::Wait(until.min(told)),
            (Next::Idle, Some(told)) => Next::Wait(told),
            (next, _) => next,
        };
        // Whatever else there is goes first.
        let until = match next {
            Next::Idle => None,
            Next::Wait(until) => Some(until),
            next => return next,
        };
        match self.next_for_checkpoints(now) {
            Some(Ok(act)) => Next::Checkpoints(act),
            Some(Err(other)) => Next::Wait(until.map_or(other, |until| until.min(other))),
            None => until.map_or(Next::Idle, Next::Wait),
        }
    }

    fn next_step(&mut self, now: Instant) -> Next {
        let new = self.next_new(now);
        let wait = match new {
            Some(Next::Wait(until)) => Some(until),
            None | Some(Next::Idle) => None,
            Some(next) => return next,
        };
        match self.next_owed(now) {
            Next::Wait(until) => Next::Wait(wait.map_or(until, |other| other.min(until))),
            Next::Idle => wait.map_or(Next::Idle, Next::Wait),
            next => next,
        }
    }

    /// Runs of which nothing was said yet.
    fn next_new(&mut self, now: Instant) -> Option<Next> {
        let ripens = |view: &View| view.waits_until.filter(|until| *until > now);
        let is_new = |view: &View| view.step == Some(Step::Post) && !view.is_held;
        let new = self.pending.values().filter(|view| is_new(view));
        let first_ripe = new.filter_map(ripens).min();
        let waiting: Vec<Waiting> = self
            .pending
            .iter()
            .filter(|(_, view)| is_new(view) && ripens(view).is_none())
            .filter_map(|(subject, view)| match subject {
                Subject::Run(run) => {
                    let (run, likeness, news_at) = (*run, view.likeness, view.news_at);
                    let missed = view.missed.map(|(entry, _)| entry);
                    Some(Waiting { run, likeness, news_at, missed })
                }
                Subject::Together(_) => None,
            })
            .collect();
        if let Some(before) =
            waiting.first().and_then(|first| self.doubts.before(Step::Post, first.run, now))
        {
            return Some(before);
        }
        // What may be there already is said again by itself, so that it can be marked.
        let may_be = |one: &Waiting| self.doubts.is_repeat(Part::Message, one.run);
        // Of a digest of what was missed only some may be noted.
        let digests: BTreeSet<u64> =
            waiting.iter().filter(|one| may_be(one)).filter_map(|one| one.missed).collect();
        let is_repeat = |one: &&Waiting| {
            may_be(one) || one.missed.is_some_and(|entry| digests.contains(&entry))
        };
        let repeats: Vec<Waiting> = waiting.iter().filter(is_repeat).copied().collect();
        let today = Timestamp::now();
        let planned = if repeats.is_empty() {
            plan(&waiting, &self.recent.open(now), today)
        } else {
            plan(&repeats, &[], today)
        };
        let Some(plan) = planned else {
            return first_ripe.map(Next::Wait);
        };
        let allowed = match &plan {
            Plan::Post(_) | Plan::Late(_) | Plan::Missed(_) => self.posts.take(now, 0.0),
            Plan::Join { lead, .. } => {
                let rests = |subject| {
                    let written = self.written.get(&subject).copied();
                    written.map(|at| at + self.pace.wait(JOIN_EVERY)).filter(|until| *until > now)
                };
                let late = self.doubts.edits_rest_until(now);
                match rests(Subject::Run(*lead)).max(rests(Subject::Together(*lead))).max(late) {
                    Some(until) => Err(until - now),
                    None => self.budget.take(now, false),
                }
            }
        };
        Some(match allowed {
            Ok(()) => Next::Say(plan),
            Err(patience) => Next::Wait(now + patience),
        })
    }

    /// What was said before and is not right any more.
    fn next_owed(&mut self, now: Instant) -> Next {
        let mut waits: Option<Instant> = None;
        let mut wait = |until: Instant| waits = Some(waits.map_or(until, |other| other.min(until)));
        let mut order: Vec<(Step, Subject)> = self
            .pending
            .iter()
            .filter_map(|(subject, view)| Some((view.step?, *subject)))
            .filter(|(step, _)| *step != Step::Post)
            .collect();
        order.sort_unstable();
        let mut posts_tried = false;
        for (step, subject) in order {
            let is_progress = step == Step::Progress;
            let rests_until =
                self.written.get(&subject).map(|at| *at + self.pace.wait(PROGRESS_EVERY));
            if let Some(until) = rests_until.filter(|until| is_progress && *until > now) {
                wait(until);
                continue;
            }
            let is_post = matches!(step, Step::PostEnding | Step::Reply);
            if is_post && posts_tried {
                continue;
            }
            let (Subject::Run(run) | Subject::Together(run)) = subject;
            match self.doubts.before(step, run, now) {
                Some(Next::Wait(until)) => {
                    wait(until);
                    continue;
                }
                Some(look) => return look,
                None => {}
            }
            let allowed = if is_post {
                posts_tried = true;
                self.posts.take(now, 0.0)
            } else {
                self.budget.take(now, is_progress)
            };
            match allowed {
                Ok(()) => return Next::Take(subject),
                Err(patience) => wait(now + patience),
            }
        }
        waits.map_or(Next::Idle, Next::Wait)
    }
}
