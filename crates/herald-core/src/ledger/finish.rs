//! When a run is over: all returned, or the rest is given up.
//!
//! A client that waits asks the minions with `saltutil.find_job` who still works; those answers are
//! on the bus. Where nobody asks, a run is given up after a time without a sign of life.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::live::{LiveMut, Patience};
use super::{Ledger, MAX_ENDED, key_of, named_set};
use crate::change::What;
use crate::minions::{MinionNo, MinionSet};
use crate::redact::Secrets;
use crate::run::{Flag, Job, JobId, Run, RunId, RunKind, RunStatus};

/// What is added to Salt's own time-outs for the way there and back.
const SLACK: Duration = Duration::from_secs(2);
/// Runners can take hours, and nothing tells that they live.
const RUNNER_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// For how long the failures of a quiet function are told in one message.
const TOLD_TOGETHER: Duration = Duration::from_secs(300);
/// Most quiet functions whose failures are gathered at a time.
const MAX_TOLD: usize = 1024;

/// What is known of an open run beyond what the journal holds.
#[derive(Debug)]
pub(super) struct Live {
    /// When it last gave a sign of life.
    pub(super) last_sign: Timestamp,
    /// The longest time between its beginning and a return.
    pub(super) pace: Duration,
    /// A `find_job` that is under way.
    pub(super) poll: Option<Poll>,
    /// Asked by `find_job`, and did not answer.
    pub(super) gone: MinionSet,
    /// More may return than is known: its start was not seen, or the minions are behind a syndic.
    pub(super) open_ended: bool,
    /// Until then more minions may come in from masters below.
    pub(super) spreads_until: Option<Timestamp>,
    /// Listed in the target, but no minion of this master: of one below, perhaps.
    pub(super) elsewhere: MinionSet,
    /// The syndics that passed it on.
    pub(super) passed_on: MinionSet,
    /// Runners and wheel functions.
    pub(super) on_master: bool,
    /// The master will tell when it is over: a batch whose slices are not known beforehand.
    pub(super) told_end: bool,
    /// What is secret in it.
    pub(super) secrets: Secrets,
    /// Whose word on its arguments we have.
    pub(super) known_by: KnownBy,
    /// It was heard of since we were blind last.
    pub(super) heard: bool,
    /// Only the past tells of it so far: time passes for it as it does there.
    pub(super) by_past: bool,
    /// By how much the clock was put since it began.
    pub(super) put: SignedDuration,
    /// When it last gave a sign of life is not known: [`Self::last_sign`] is when we began.
    pub(super) is_guess: bool,
}

/// Whose word on a run's arguments we have: a minion's is not believed for more than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownBy {
    /// The master published it.
    Publication,
    /// The journal gave it back, without its secrets: its returns repeat them.
    Journal,
    /// Only its returns.
    Return,
}

/// Who was asked whether they still work.
#[derive(Debug)]
pub(super) struct Poll {
    asked: MinionSet,
    working: MinionSet,
    until: Timestamp,
}

impl Live {
    pub(super) fn new(now: Timestamp, kind: RunKind, in_past: bool) -> Self {
        Self {
            last_sign: now,
            pace: Duration::ZERO,
            poll: None,
            gone: MinionSet::new(),
            open_ended: false,
            spreads_until: None,
            elsewhere: MinionSet::new(),
            passed_on: MinionSet::new(),
            on_master: is_on_master(kind),
            told_end: false,
            secrets: Secrets::default(),
            known_by: KnownBy::Publication,
            heard: !in_past,
            by_past: in_past,
            put: SignedDuration::ZERO,
            is_guess: false,
        }
    }

    /// For a run that a journal gave back. Open although all returned: its end is told, or its start
    /// was not seen.
    pub(super) fn restored(now: Timestamp, run: &Run, is_complete: bool) -> Self {
        let mut live = Self::new(now, run.head.kind, false);
        (live.heard, live.is_guess) = (false, true);
        live.known_by = KnownBy::Journal;
        live.told_end = run.head.kind == RunKind::Batch && is_complete;
        live.open_ended = !live.on_master && !live.told_end && is_complete
            || run.flags.contains(&Flag::NoStart) && !live.on_master;
        live
    }

    /// The clock was put: what is waited for comes no sooner or later for that.
    pub(super) fn put_clock(&mut self, step: SignedDuration) {
        self.last_sign = moved(self.last_sign, step);
        self.put = self.put.saturating_add(step);
        if let Some(poll) = &mut self.poll {
            poll.until = moved(poll.until, step);
        }
    }

    pub(super) fn deadline(&self, patience: Patience) -> Timestamp {
        let due = self.due(patience);
        self.spreads_until.map_or(due, |until| until.min(due))
    }

    fn due(&self, patience: Patience) -> Timestamp {
        if let Some(poll) = &self.poll {
            return poll.until;
        }
        let patience = if self.open_ended {
            patience.timeout + patience.gather_job_timeout
        } else if self.on_master {
            RUNNER_PATIENCE
        } else {
            patience.unpolled.max(self.pace * 2)
        };
        later(self.last_sign, patience)
    }
}

fn is_on_master(kind: RunKind) -> bool {
    matches!(kind, RunKind::Runner | RunKind::Wheel | RunKind::Orchestration)
}

pub(super) fn moved(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl Ledger {
    /// Somebody asks the minions whether they still work on a job.
    pub(super) fn begin_poll(&mut self, now: Timestamp, jid: &str, asked: MinionSet) {
        let until = later(now, self.settings.gather_job_timeout + SLACK);
        if let Some(mut live) = self.live_of(jid) {
            let working = live.poll.take().map(|poll| poll.working).unwrap_or_default();
            // An answer to an earlier question still counts while it can be on its way.
            live.poll = Some(Poll { working: &working & &asked, asked, until });
        }
    }

    /// The question goes on to minions behind a syndic.
    pub(super) fn widen_poll(&mut self, jid: &str, syndic: MinionNo, behind: &MinionSet) {
        if let Some(mut live) = self.live_of(jid)
            && let Some(poll) = &mut live.poll
        {
            poll.asked |= behind;
            poll.asked.remove(syndic);
        }
    }

    /// A minion says that it still works on a job.
    pub(super) fn still_works(&mut self, now: Timestamp, jid: &str, minion: MinionNo) {
        if let Some(mut live) = self.live_of(jid) {
            live.last_sign = live.last_sign.max(now);
            live.gone.remove(minion);
            if let Some(poll) = &mut live.poll {
                poll.working.insert(minion);
            }
        }
    }

    /// The open run of a jid, if what is heard of it now counts.
    fn live_of(&mut self, jid: &str) -> Option<LiveMut<'_>> {
        let in_past = self.past.is_now;
        let job = self.by_jid.get(jid)?;
        let run = self.state.jobs.get(job)?.run;
        let mut live = self.live.get_mut(&run)?;
        live.attend(in_past).then_some(live)
    }

    /// Ends the run if nothing more is expected of it.
    pub(super) fn end_if_complete(&mut self, at: Timestamp, id: RunId) {
        let Some(run) = self.state.runs.get(&id) else {
            return;
        };
        let Some(live) = self.live.get(&id) else {
            return;
        };
        let is_over = if live.gone.is_empty() {
            self.state.is_complete(run)
        } else {
            run.tally.waiting().is_subset(&live.gone) && !self.waits_for_master(run)
        };
        if is_over && !live.open_ended && !live.told_end && live.spreads_until.is_none() {
            // What the past tells may lie before a return that is known already.
            let last = self.returned_at.get(&id).copied();
            self.end(last.map_or(at, |last| at.max(last)), id);
        }
    }

    /// Whether a runner of the run has not returned.
    fn waits_for_master(&self, run: &Run) -> bool {
        let waits = |job: &JobId| {
            self.state.jobs.get(job).is_some_and(|job| job.returns_itself && !job.ended)
        };
        run.jobs.iter().any(waits)
    }

    /// Ends the run: who has not returned is silent.
    pub(super) fn end(&mut self, at: Timestamp, id: RunId) {
        let Some(run) = self.state.runs.get(&id) else {
            return;
        };
        let silent = &run.tally.waiting() | &run.tally.silent;
        let status = status_of(run, &silent, self.waits_for_master(run));
        let at = at.max(run.started_at);
        let mut payloads = Vec::new();
        let silent = named_set(silent, &mut payloads);
        self.emit(at, What::RunEnded { run: id, status, silent }, payloads);
        if let Some(live) = self.live.remove(&id) {
            self.ended.push_back(id);
            if !live.secrets.is_empty() {
                self.gather_secrets();
            }
        }
        if status == RunStatus::Failed {
            self.tell_quiet_failure(at, id);
        }
    }

    /// A quiet run that failed is told of all the same, once for each function in a while.
    fn tell_quiet_failure(&mut self, at: Timestamp, id: RunId) {
        let Some(run) = self.state.runs.get(&id) else {
            return;
        };
        if run.said || run.told_with.is_some() {
            return;
        }
        let fun = run.head.funs.join(",");
        let is_fresh = |since: Timestamp| at.duration_since(since).unsigned_abs() < TOLD_TOGETHER;
        let with = match self.told.get(&fun) {
            Some((with, since)) if is_fresh(*since) => *with,
            _ => {
                self.told.retain(|_, (_, since)| is_fresh(*since));
                if self.told.len() < MAX_TOLD {
                    self.told.insert(fun, (id, at));
                }
                id
            }
        };
        self.emit(at, What::ToldWith { run: id, with }, Vec::new());
        self.touched.insert(with);
    }

    /// Looks at the runs whose time has come.
    pub(super) fn give_up_silent(&mut self, now: Timestamp) {
        for id in self.live.due(self.past.is_now, now) {
            if self.end_spread(now, id) {
                continue;
            }
            match self.live.get_mut(&id).and_then(|mut live| live.poll.take()) {
                Some(poll) => self.conclude_poll(now, id, &poll),
                None => self.give_up(now, id),
            }
        }
    }

    /// A run that we only kept open in case that more would come ended with its last return.
    fn give_up(&mut self, now: Timestamp, id: RunId) {
        let is_complete = self.state.runs.get(&id).is_some_and(|run| self.state.is_complete(run));
        let last = self.last_sign(id).filter(|_| is_complete);
        self.end(last.unwrap_or(now), id);
    }

    /// When something was last heard of an open run, before a restart, too.
    pub(super) fn last_sign(&self, id: RunId) -> Option<Timestamp> {
        let live = self.live.get(&id)?;
        let returned = self.returned_at.get(&id).copied();
        let known = (!live.is_guess).then_some(live.last_sign);
        returned.max(known).or(Some(live.last_sign))
    }

    fn conclude_poll(&mut self, now: Timestamp, id: RunId, poll: &Poll) {
        let Some(run) = self.state.runs.get(&id) else {
            return;
        };
        let gone = &(&run.tally.waiting() & &poll.asked) - &poll.working;
        if let Some(mut live) = self.live.get_mut(&id) {
            live.gone |= gone;
        }
        self.end_if_complete(now, id);
    }

    /// Forgets ended runs beyond a number; the journal has them. One that the journal was not given
    /// yet stays, and those behind it.
    pub(super) fn forget_ended(&mut self) {
        while self.ended.len() > MAX_ENDED
            && let Some(id) = self.ended.front().copied()
            && self.is_handed_over(id)
        {
            self.ended.pop_front();
            self.forget_run(id);
        }
    }

    /// Forgets the ended runs up to this number: the journal has thrown them away. What still comes of
    /// one begins a run of its own.
    pub fn forget_up_to(&mut self, last: RunId) {
        let is_gone = |id: &RunId| *id <= last && self.is_handed_over(*id);
        let gone: Vec<RunId> = self.ended.iter().copied().filter(is_gone).collect();
        self.ended.retain(|id| !gone.contains(id));
        gone.into_iter().for_each(|id| self.forget_run(id));
    }

    /// Whether nothing of a run waits to be given to the journal.
    fn is_handed_over(&self, id: RunId) -> bool {
        let waits = |run: &Run| run.jobs.iter().any(|job| self.confirming.is_to_record(*job));
        !self.touched.contains(&id) && !self.state.runs.get(&id).is_some_and(waits)
    }

    fn forget_run(&mut self, id: RunId) {
        self.returned_at.remove(&id);
        let Some(run) = self.state.runs.remove(&id) else {
            return;
        };
        for job in &run.jobs {
            self.confirming.forget(*job);
            if let Some(job) = self.state.jobs.remove(job) {
                self.forget_jid(&job, &run);
            }
        }
    }

    fn forget_jid(&mut self, job: &Job, run: &Run) {
        let key = key_of(job, run, &self.state.minions);
        if self.by_jid.get(&key) == Some(&job.id) {
            self.by_jid.remove(&key);
        }
    }

    /// Puts the secrets of the open runs together.
    fn gather_secrets(&mut self) {
        let mut secrets = Secrets::default();
        let shared = self.live.values().filter(|live| live.known_by != KnownBy::Return);
        shared.for_each(|live| secrets.extend(&live.secrets));
        self.secrets = secrets;
        self.learned.clear();
    }
}

fn status_of(run: &Run, silent: &MinionSet, master_silent: bool) -> RunStatus {
    let nobody = run.tally.expected.is_empty() && !run.tally.missing.is_empty();
    let on_minions = !matches!(run.head.kind, RunKind::Runner | RunKind::Wheel);
    if run.own_failure || !run.tally.failed.is_empty() {
        RunStatus::Failed
    } else if !silent.is_empty() || master_silent || (nobody && on_minions) {
        RunStatus::Incomplete
    } else {
        RunStatus::Succeeded
    }
}
