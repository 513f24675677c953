//! Masters below: what their syndics pass up, and how long that is waited for.
//!
//! A syndic is a minion of the master here. It returns nothing itself: it publishes a job on its own
//! master, and passes up who is asked there, and what they return. So it is not waited for once it has
//! passed a job on. What it passes up is a claim as every other event, and believed like it.

use std::collections::VecDeque;

use jiff::Timestamp;
use salt_event::event::{Behind, NewJob};

use super::finish::{KnownBy, later};
use super::start::{begun_by, is_poll};
use super::{Ledger, named_set};
use crate::change::What;
use crate::minions::{MinionNo, MinionSet};
use crate::run::{Flag, JobId, RunId};

/// Most jobs of each kind that are remembered.
const MAX_REMEMBERED: usize = 256;

/// What is known of masters below.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// Syndics that passed something up.
    syndics: MinionSet,
    /// Minions that are behind one.
    behind: MinionSet,
    /// Jobs that are no master's here, and who was asked: they begin with their first return.
    begun: VecDeque<(String, MinionSet)>,
    /// Which job a `find_job` asks about.
    polls: VecDeque<(String, String)>,
}

impl Below {
    /// Who was asked below, of a job that begins here with its first return.
    pub(super) fn take_begun(&mut self, jid: &str) -> Option<MinionSet> {
        let place = self.begun.iter().position(|(known, _)| known == jid)?;
        self.begun.remove(place).map(|(_, minions)| minions)
    }

    pub(super) fn remember_poll(&mut self, poll: &str, about: &str) {
        remember(&mut self.polls, (poll.to_owned(), about.to_owned()));
    }

    /// Whether any was heard of.
    pub(super) fn has_syndics(&self) -> bool {
        !self.syndics.is_empty()
    }

    /// Without those that pass on what they are asked.
    pub(super) fn without_syndics(&self, asked: &MinionSet) -> MinionSet {
        asked - &self.syndics
    }

    fn polled(&self, poll: &str) -> Option<String> {
        self.polls.iter().rev().find(|(known, _)| known == poll).map(|(_, about)| about.clone())
    }
}

impl Ledger {
    /// Whether minions of masters below may belong to a job, who are not known yet.
    pub(super) fn may_spread(&self, job: &NewJob<'_>) -> bool {
        let has_syndics = self.settings.order_masters || self.below.has_syndics();
        has_syndics && !self.past.is_now && !is_poll(job)
    }

    /// Who is asked by a job, without syndics that ask on: of a `find_job` nobody waits for them.
    pub(super) fn without_syndics(&self, job: &NewJob<'_>, asked: &MinionSet) -> MinionSet {
        if is_poll(job) { self.below.without_syndics(asked) } else { asked.clone() }
    }

    /// Keeps a run open as long as Salt's own client waits for minions of masters below.
    pub(super) fn begin_spread(&mut self, now: Timestamp, run: RunId) {
        if let Some(mut live) = self.live.get_mut(&run) {
            live.spreads_until = Some(later(now, self.settings.syndic_wait));
        }
    }

    /// Whether that time is up only now; who was listed and did not come in is no minion at all.
    pub(super) fn end_spread(&mut self, now: Timestamp, id: RunId) -> bool {
        let Some(live) = self.live.get(&id) else {
            return false;
        };
        if live.spreads_until.is_none_or(|until| until > now) {
            return false;
        }
        let last = self.last_sign(id).unwrap_or(now);
        self.stop_spreading(now, id);
        let is_complete = self.state.runs.get(&id).is_some_and(|run| self.state.is_complete(run));
        self.end_if_complete(if is_complete { last } else { now }, id);
        true
    }

    fn stop_spreading(&mut self, at: Timestamp, id: RunId) {
        let Some(mut live) = self.live.get_mut(&id) else {
            return;
        };
        live.spreads_until = None;
        let elsewhere = std::mem::take(&mut live.elsewhere);
        drop(live);
        let last = self.state.runs.get(&id).and_then(|run| run.jobs.last().copied());
        let Some(job) = last.filter(|_| !elsewhere.is_empty()) else {
            return;
        };
        // Their syndic did not pass it on; perhaps it is away.
        self.widen(at, job, &elsewhere & &self.below.behind);
        let missing = &elsewhere - &self.below.behind;
        if !missing.is_empty() {
            self.narrow(at, job, MinionSet::new(), missing);
        }
    }

    /// A syndic passes up who is asked on its master.
    pub(super) fn hear_behind(&mut self, now: Timestamp, at: Timestamp, behind: &Behind<'_>) {
        let syndic = self.intern(at, &behind.syndic);
        let minions = self.intern_all(at, behind.minions);
        self.below.syndics.insert(syndic);
        self.below.behind |= &minions;
        if let Some(job) = self.by_jid.get(behind.jid.as_ref()).copied() {
            if let Some(about) = self.below.polled(&behind.jid) {
                self.widen_poll(&about, syndic, &minions);
            }
            self.pass_on(now, at, job, syndic, minions);
            return;
        }
        match &behind.job {
            Some(job) => self.begin_below(now, at, job, minions),
            None => remember(&mut self.below.begun, (behind.jid.clone().into_owned(), minions)),
        }
    }

    /// A job that somebody published on a master below.
    fn begin_below(&mut self, now: Timestamp, at: Timestamp, job: &NewJob<'_>, asked: MinionSet) {
        self.hear_poll(now, job, &asked);
        let missing = self.intern_all(at, job.missing);
        let (run, _) = self.begin(now, at, begun_by(job, asked, missing));
        self.flag(at, run, Flag::Syndic);
        self.end_if_complete(at, run);
    }

    fn pass_on(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        job: JobId,
        syndic: MinionNo,
        behind: MinionSet,
    ) {
        let Some(run) = self.state.jobs.get(&job).map(|job| job.run) else {
            return;
        };
        self.widen(at, job, behind.clone());
        self.parents.widen_gather(job, syndic, &behind);
        let Some(known) = self.state.jobs.get(&job) else {
            return;
        };
        let missing = &known.tally.missing - &behind;
        let is_asked = known.tally.expected.contains(syndic);
        let is_waited_for = is_asked && !known.tally.returned.contains(syndic);
        if is_waited_for || missing != known.tally.missing {
            let syndics = is_waited_for.then_some(syndic).into_iter().collect();
            self.reopen(now, run);
            self.narrow(at, job, syndics, missing);
        }
        let mut is_passed_on_by_all = false;
        if let Some(mut live) = self.live.get_mut(&run) {
            live.elsewhere -= &behind;
            live.open_ended &= live.known_by == KnownBy::Return;
            live.passed_on.insert(syndic);
            is_passed_on_by_all = self.below.syndics.is_subset(&live.passed_on);
        }
        if is_passed_on_by_all {
            self.stop_spreading(at, run);
        }
        self.end_if_complete(at, run);
    }

    fn narrow(&mut self, at: Timestamp, job: JobId, passed_on: MinionSet, missing: MinionSet) {
        let mut payloads = Vec::new();
        let passed_on = named_set(passed_on, &mut payloads);
        let missing = named_set(missing, &mut payloads);
        self.emit(at, What::JobNarrowed { job, passed_on, missing }, payloads);
    }
}

fn remember<T>(remembered: &mut VecDeque<T>, one: T) {
    if remembered.len() >= MAX_REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(one);
}
