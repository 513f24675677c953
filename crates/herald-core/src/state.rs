//! The fold: changes to runs. The ledger folds as it decides, and a journal that lost its query
//! tables folds its entries; both do it here, so both come to the same.
//!
//! It takes changes as they are and decides nothing.

use std::collections::{BTreeSet, HashMap};

use crate::change::{Change, What};
use crate::minions::{MinionSet, Minions};
use crate::run::{Flag, Job, JobId, Run, RunId, RunStatus, Standing, Tally};
use crate::suspect::{Suspect, Why};

/// Runs and jobs in memory.
#[derive(Debug, Default)]
pub struct State {
    /// All minions that were ever seen.
    pub minions: Minions,
    /// The runs that are held in memory.
    pub runs: HashMap<RunId, Run>,
    /// Their jobs.
    pub jobs: HashMap<JobId, Job>,
}

impl State {
    /// Takes up a change. One that names an unknown run or job has no effect.
    pub fn apply(&mut self, change: &Change) {
        match &change.what {
            What::Opened { .. }
            | What::Gap { .. }
            | What::Forged { .. }
            | What::Key { .. }
            | What::Unreadable { .. }
            | What::Limited(_)
            | What::Backfilled(_)
            | What::Sealed(_) => {}
            What::Suspect(suspect) => self.take_back(suspect),
            What::MinionSeen { name, .. } => {
                self.minions.intern(name);
            }
            What::Cut(cut) => cut.minions.value.0.iter().for_each(|name| {
                self.minions.intern(name);
            }),
            What::RunStarted { .. } => self.start_run(change),
            What::RunRevised { run, head, said, expected } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.head = head.value.clone();
                    run.learn_start();
                    run.said = *said;
                    run.tally.expected |= &expected.value;
                }
            }
            What::JobStarted { .. } => self.start_job(change),
            What::JobExpects { job, expected } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.tally.expected |= &expected.value;
                    job.settle();
                    if let Some(run) = self.runs.get_mut(&job.run) {
                        run.tally.expected |= &expected.value;
                        run.reopen();
                    }
                }
            }
            What::JobNarrowed { job, passed_on, missing } => {
                self.narrow_job(*job, &passed_on.value, &missing.value);
            }
            What::JobMoved { job, to } => self.move_job(*job, *to),
            What::Returned { .. } => self.take_return(change),
            What::RunEnded { run, status, silent } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.status = *status;
                    run.finished_at = Some(change.at);
                    run.tally.silent |= &silent.value;
                    for job in &run.jobs {
                        if let Some(job) = self.jobs.get_mut(job) {
                            job.tally.silent |= job.tally.waiting();
                            job.settle();
                        }
                    }
                }
            }
            What::Scrubbed(scrub) => scrub.runs.iter().for_each(|run| {
                if let Some(run) = self.runs.get_mut(run) {
                    run.flags.insert(Flag::Scrubbed);
                }
            }),
            What::Stood { standing, jobs } => {
                jobs.iter().for_each(|job| self.stand(*job, *standing));
            }
            What::ToldWith { run, with } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.told_with = Some(*with);
                }
            }
            What::Flagged { run, flag } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.flags.insert(*flag);
                    if *flag == Flag::Gap {
                        run.flags.remove(&Flag::Mended);
                    }
                }
            }
        }
    }

    fn start_run(&mut self, change: &Change) {
        let What::RunStarted { run, head, said } = &change.what else {
            return;
        };
        let run = Run {
            id: *run,
            head: head.value.clone(),
            started_at: change.at,
            finished_at: None,
            status: RunStatus::Running,
            jobs: Vec::new(),
            jids: Vec::new(),
            said: *said,
            told_with: None,
            tally: Tally::default(),
            collides_with: Default::default(),
            flags: Default::default(),
            own_failure: false,
        };
        self.runs.insert(run.id, run);
    }

    fn start_job(&mut self, change: &Change) {
        let What::JobStarted { job, run, jid, funs, expected, missing, returns_itself, .. } =
            &change.what
        else {
            return;
        };
        let tally = Tally {
            expected: expected.value.clone(),
            missing: missing.value.clone(),
            ..Tally::default()
        };
        if let Some(run) = self.runs.get_mut(run) {
            run.jobs.push(*job);
            run.jids.push(jid.clone());
            run.tally.merge(&tally);
            run.reopen();
        }
        let job = Job {
            id: *job,
            run: *run,
            jid: jid.clone(),
            funs: funs.clone(),
            started_at: change.at,
            ended: tally.expected.is_empty() && !returns_itself,
            tally,
            returns_itself: *returns_itself,
            standing: None,
        };
        self.jobs.insert(job.id, job);
    }

    fn take_return(&mut self, change: &Change) {
        let What::Returned { job, minion, outcome, collides_with, .. } = &change.what else {
            return;
        };
        let Some(job) = self.jobs.get_mut(job) else {
            return;
        };
        let Some(run) = self.runs.get_mut(&job.run) else {
            return;
        };
        match minion {
            Some(minion) => {
                job.tally.take(*minion, outcome);
                run.tally.take(*minion, outcome);
                job.settle();
            }
            None => {
                job.ended = true;
                run.own_failure |= outcome.failed;
            }
        }
        if !collides_with.is_empty() {
            run.flags.insert(Flag::Collision);
            run.collides_with.extend(collides_with.iter().cloned());
        }
    }

    fn stand(&mut self, id: JobId, standing: Standing) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.standing = Some(standing);
        let Some(run) = self.runs.get_mut(&job.run) else {
            return;
        };
        match standing {
            Standing::Confirmed => {}
            Standing::Unconfirmed | Standing::ByMinion => {
                run.flags.insert(Flag::Unconfirmed);
            }
            Standing::Forged => {
                run.flags.insert(Flag::NotPublished);
            }
            Standing::ConfirmedLate => {
                let in_doubt = |job: &Job| {
                    matches!(job.standing, Some(Standing::Unconfirmed | Standing::ByMinion))
                };
                if !run.jobs.iter().filter_map(|job| self.jobs.get(job)).any(in_doubt) {
                    run.flags.remove(&Flag::Unconfirmed);
                }
            }
        }
    }

    /// What was counted in a minion's name was not its own: it counts no more.
    fn take_back(&mut self, suspect: &Suspect) {
        let minion = self.minions.number(&suspect.minion);
        let job = suspect.job.and_then(|job| self.jobs.get_mut(&job));
        let (Why::Displaced, Some(minion), Some(job)) = (suspect.why, minion, job) else {
            return;
        };
        job.tally.forget(minion);
        job.settle();
        let Some(run) = self.runs.get_mut(&job.run) else {
            return;
        };
        run.tally.forget(minion);
        // It may have returned in another job of the run.
        let mut tally = Tally::default();
        for job in run.jobs.iter().filter_map(|job| self.jobs.get(job)) {
            tally.take_of(minion, &job.tally);
        }
        run.tally.take_of(minion, &tally);
    }

    fn narrow_job(&mut self, id: JobId, passed_on: &MinionSet, missing: &MinionSet) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.tally.expected -= passed_on;
        job.tally.silent -= passed_on;
        job.tally.missing = missing.clone();
        job.settle();
        let Some(run) = self.runs.get_mut(&job.run) else {
            return;
        };
        let mut tally = Tally::default();
        for job in run.jobs.iter().filter_map(|job| self.jobs.get(job)) {
            tally.merge(&job.tally);
        }
        run.tally.expected -= &(passed_on - &tally.expected);
        run.tally.silent -= passed_on;
        run.tally.missing = tally.missing;
    }

    fn move_job(&mut self, id: JobId, to: RunId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let from = std::mem::replace(&mut job.run, to);
        let (jid, tally) = (job.jid.clone(), job.tally.clone());
        let left = self.leave(id, from, &jid);
        if let Some(run) = self.runs.get_mut(&to) {
            run.jobs.push(id);
            run.jids.push(jid);
            run.tally.merge(&tally);
            run.reopen();
            if let Some((flags, collides_with)) = left {
                run.flags.extend(flags);
                run.collides_with.extend(collides_with);
            }
        }
    }

    /// Takes a job out of its run. A run that loses its last job keeps its counts, because its
    /// message may stand somewhere; what else is known of it goes with the job.
    fn leave(
        &mut self,
        id: JobId,
        from: RunId,
        jid: &str,
    ) -> Option<(BTreeSet<Flag>, BTreeSet<String>)> {
        let run = self.runs.get_mut(&from)?;
        run.jobs.retain(|job| *job != id);
        if let Some(place) = run.jids.iter().position(|known| known == jid) {
            run.jids.remove(place);
        }
        if run.jobs.is_empty() {
            return Some((run.flags.clone(), run.collides_with.clone()));
        }
        let mut tally = Tally::default();
        for job in run.jobs.iter().filter_map(|job| self.jobs.get(job)) {
            tally.merge(&job.tally);
        }
        run.tally = tally;
        None
    }

    /// Whether nothing more is expected of a run by its jobs.
    pub fn is_complete(&self, run: &Run) -> bool {
        !run.tally.is_waiting()
            && run.jobs.iter().all(|job| self.jobs.get(job).is_none_or(|job| job.ended))
    }
}
