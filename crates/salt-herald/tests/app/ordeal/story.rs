//! What a site's people do, by chance: jobs of all kinds whose events are mixed with one
//! another, with what becomes of each in truth.
//!
//! Every job has a mark that stands in its command and in no other.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::cache::{Cache, jid_of};
use crate::chance::Chance;
use crate::events::{
    Event, batch_ends, batch_new, jid, map_of, new_job, ret_of, runner_ret_with, runner_with,
    state, text,
};

/// What kind of job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Command,
    States,
    Batch,
    Runner,
    /// Recorded, and not said.
    Quiet,
}

/// What an event tells of its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tells {
    /// That it begins.
    Begin,
    /// What this minion returned.
    Return(String),
    /// That a runner returned.
    RunnerReturn,
    /// Nothing that leaves a mark of its own.
    More,
}

/// A job, and what is still to come of it.
pub(super) struct Told {
    pub(super) jid: String,
    /// What stands in its command.
    pub(super) mark: String,
    pub(super) deed: Deed,
    pub(super) minions: Vec<String>,
    /// Those that return a failure.
    pub(super) failing: BTreeSet<String>,
    coming: VecDeque<(Tells, Event)>,
    /// What happened of it so far.
    pub(super) happened: Vec<Tells>,
    /// So many lives pass before what comes next.
    rests: usize,
}

/// An event that was sent: of which job, and what it tells.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) job: usize,
    pub(super) tells: Tells,
}

pub(super) struct Story {
    pub(super) jobs: Vec<Told>,
    open: Vec<usize>,
    /// Only what a job cache keeps, with jids of the time at which it happens.
    is_kept: bool,
    last: Timestamp,
}

impl Story {
    pub(super) fn new(is_kept: bool) -> Self {
        Self { jobs: Vec::new(), open: Vec::new(), is_kept, last: Timestamp::UNIX_EPOCH }
    }

    /// What happens in one more life.
    pub(super) fn go_on(&mut self, chance: &mut Chance) -> Vec<(Sent, Event)> {
        let more = if chance.happens(6) { 5 + chance.index(20) } else { chance.index(4) };
        for _ in 0..more {
            self.open.push(self.jobs.len());
            let told = self.begin(chance);
            self.jobs.push(told);
        }
        for job in &self.open {
            self.jobs[*job].rests = self.jobs[*job].rests.saturating_sub(1);
        }
        let count = chance.index(4 + 3 * self.open.len());
        self.mix(count, chance)
    }

    fn begin(&mut self, chance: &mut Chance) -> Told {
        let number = self.jobs.len();
        let mut id = jid(u32::try_from(number).unwrap());
        if self.is_kept {
            let next = self.last + Duration::from_micros(1);
            self.last = Timestamp::now().max(next);
            id = jid_of(self.last);
        }
        begin(number, id, self.is_kept, chance)
    }

    /// All that is still to come.
    pub(super) fn end(&mut self, chance: &mut Chance) -> Vec<(Sent, Event)> {
        self.jobs.iter_mut().for_each(|job| job.rests = 0);
        self.mix(usize::MAX, chance)
    }

    /// So many events of jobs that are open, each job's in its order.
    fn mix(&mut self, count: usize, chance: &mut Chance) -> Vec<(Sent, Event)> {
        let mut events = Vec::new();
        while events.len() < count {
            self.open.retain(|job| !self.jobs[*job].coming.is_empty());
            let ready: Vec<usize> =
                self.open.iter().copied().filter(|job| self.jobs[*job].rests == 0).collect();
            if ready.is_empty() {
                break;
            }
            let job = chance.one_of(&ready);
            let told = &mut self.jobs[job];
            let Some((tells, event)) = told.coming.pop_front() else { continue };
            told.happened.push(tells.clone());
            events.push((Sent { job, tells }, event));
            if chance.happens(5) {
                // A minion that takes its time.
                told.rests = 1 + chance.index(6);
            }
        }
        events
    }
}

fn begin(number: usize, id: String, is_kept: bool, chance: &mut Chance) -> Told {
    let mark = format!("role{number:05}");
    let deeds = [
        Deed::Command,
        Deed::Command,
        Deed::States,
        Deed::States,
        Deed::States,
        Deed::Quiet,
        Deed::Batch,
        Deed::Runner,
    ];
    let deed = chance.one_of(if is_kept { &deeds[..6] } else { &deeds });
    let count = match deed {
        Deed::Runner => 0,
        Deed::Batch => 4,
        Deed::Command | Deed::States | Deed::Quiet => 1 + chance.index(4),
    };
    let minions: Vec<String> = (0..count).map(|n| format!("web{n}")).collect();
    let fails = chance.happens(20) && deed != Deed::Quiet;
    let failing = minions.iter().filter(|_| fails && chance.happens(50)).cloned().collect();
    let mut told = Told {
        jid: id,
        mark,
        deed,
        minions,
        failing,
        coming: VecDeque::new(),
        happened: Vec::new(),
        rests: 0,
    };
    told.coming = told.events(chance).into();
    told
}

impl Told {
    fn events(&self, chance: &mut Chance) -> Vec<(Tells, Event)> {
        let (id, arg) = (self.jid.as_str(), vec![text(&self.mark)]);
        let begin = |event| (Tells::Begin, event);
        match self.deed {
            Deed::Runner => vec![
                begin(runner_with(id, "deploy.release", &arg)),
                (Tells::RunnerReturn, runner_ret_with(id, "deploy.release", &arg)),
            ],
            Deed::Batch => {
                let mut events = vec![begin(batch_new(id, "state.apply", &arg, &self.minions))];
                for slice in self.minions.chunks(2) {
                    events.push((Tells::More, new_job(id, "state.apply", arg.clone(), slice)));
                    events.extend(slice.iter().map(|minion| self.ret(minion)));
                }
                events.push((Tells::More, batch_ends(id)));
                events
            }
            Deed::Command | Deed::States | Deed::Quiet => {
                let fun = self.fun();
                let mut events = vec![begin(new_job(id, fun, arg, &self.minions))];
                // Now and then one never answers.
                let answers = |chance: &mut Chance| !chance.happens(4);
                let answer: Vec<&String> =
                    self.minions.iter().filter(|_| answers(chance)).collect();
                events.extend(answer.into_iter().map(|minion| self.ret(minion)));
                events
            }
        }
    }

    /// As the master keeps what an event tells.
    pub(super) fn keep(&self, cache: &Cache, tells: &Tells) {
        match tells {
            Tells::Begin => cache.job_with(&self.jid, self.fun(), &self.mark, &self.minions),
            Tells::Return(minion) => {
                let failed = self.failing.contains(minion);
                cache.returns(&self.jid, minion, if failed { 2 } else { 0 });
            }
            Tells::RunnerReturn | Tells::More => {}
        }
    }

    fn fun(&self) -> &'static str {
        match self.deed {
            Deed::Command => "cmd.run",
            Deed::Quiet => "test.arg",
            _ => "state.apply",
        }
    }

    fn ret(&self, minion: &str) -> (Tells, Event) {
        let failed = self.failing.contains(minion);
        let retcode = if failed { 2 } else { 0 };
        let result = match self.deed {
            Deed::Command | Deed::Quiet => text("done"),
            _ => map_of(vec![state("nginx", !failed, !failed, "as it is")]),
        };
        let arg = vec![text(&self.mark)];
        let event = ret_of(&self.jid, minion, self.fun(), arg, result, retcode);
        (Tells::Return(minion.to_owned()), event)
    }
}
