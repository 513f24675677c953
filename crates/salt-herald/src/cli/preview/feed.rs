//! A job cache's events through the real ledger, in memory: what runs they make, and what would have
//! been said of each.
//!
//! Nothing is written, and nothing is decided here: the ledger decides, the composer puts into words.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use herald_core::announce::Announcement;
use herald_core::burst::Likeness;
use herald_core::compose::{Context, Telling, announce, announce_quiet, announce_together, person};
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::names::Names;
use herald_core::noise::SayRules;
use herald_core::redact::Redactor;
use herald_core::route::{Facts, Route, leader};
use herald_core::run::{Job, Run, RunId, RunStatus};
use herald_core::survey::{Seen, Voice, Way, Ways};
use jiff::Timestamp;
use salt_event::event::Event;

/// Most quiet runs whose failures are put into one message.
const MAX_TOGETHER: usize = 1000;

/// What became of all events.
pub(super) struct Fed {
    /// Every run.
    pub(super) seen: Vec<Seen>,
    /// Those that are heard of, whole.
    runs: HashMap<RunId, Run>,
    /// Quiet runs that failed, by the run whose message tells of them.
    together: HashMap<RunId, Vec<Run>>,
    /// It knows the minions' names.
    ledger: Ledger,
    master: Option<String>,
    names: Names,
}

impl Fed {
    /// What a message about some runs says at its end.
    pub(super) fn says(&self, runs: &[RunId]) -> Option<Announcement> {
        let context = Context {
            master: self.master.as_deref(),
            minions: self.ledger.minions(),
            names: &self.names,
        };
        let runs: Vec<Run> = runs.iter().filter_map(|run| self.runs.get(run)).cloned().collect();
        match runs.as_slice() {
            [run] => match self.together.get(&run.id).filter(|_| !run.said) {
                Some(together) => announce_quiet(together, &[], context),
                None => Some(announce(run, &[], context)),
            },
            runs => announce_together(runs, Telling::News, context),
        }
    }

    /// Where the runs go that are heard of.
    pub(super) fn ways(&self, routes: &[Route], places: &[String]) -> Ways {
        let mut ways = Ways::default();
        for run in self.runs.values() {
            let facts = Facts::of(run, self.ledger.minions());
            ways.insert(run.id, Way::of(routes, facts, places));
        }
        ways
    }

    /// A run that is heard of.
    pub(super) fn run(&self, run: RunId) -> Option<&Run> {
        self.runs.get(&run)
    }
}

/// Takes events, and keeps what is needed of the runs that they make.
pub(super) struct Feed<'c> {
    ledger: Ledger,
    rules: SayRules,
    master: Option<&'c str>,
    known: BTreeMap<RunId, Seen>,
    /// Those that are heard of.
    runs: HashMap<RunId, Run>,
    /// Quiet runs that failed, by the run whose message tells of them.
    together: HashMap<RunId, Vec<Run>>,
    /// Runs that were given up, by jid: a late return would revive them.
    given_up: HashMap<String, (Run, Vec<Job>)>,
}

impl<'c> Feed<'c> {
    pub(super) fn new(
        settings: Settings,
        redactor: Redactor,
        master: Option<&'c str>,
        begin: Timestamp,
    ) -> Self {
        Self {
            rules: settings.say.clone(),
            ledger: Ledger::restore(settings, redactor, begin, Restored::default()),
            master,
            known: BTreeMap::new(),
            runs: HashMap::new(),
            together: HashMap::new(),
            given_up: HashMap::new(),
        }
    }

    /// Takes one event, at its time.
    pub(super) fn take(&mut self, at: Timestamp, event: &Event<'_>) {
        self.catch_up(at);
        if let Some(jid) = self.ledger.unknown_jid(event)
            && let Some((run, jobs)) = self.given_up.remove(jid)
        {
            self.ledger.adopt(at, run, jobs);
        }
        self.ledger.handle_event(at, event);
        self.absorb();
    }

    /// Lets time pass.
    fn catch_up(&mut self, now: Timestamp) {
        while let Some(due) = self.ledger.next_timeout().filter(|due| *due <= now) {
            self.ledger.handle_timeout(due);
            self.absorb();
            if self.ledger.next_timeout() == Some(due) {
                break;
            }
        }
    }

    /// Takes up the runs that changed and are over. What is not, is taken up at the end.
    fn absorb(&mut self) {
        let (runs, jobs) = self.ledger.take_touched();
        let runs: Vec<Run> =
            runs.into_iter().filter(|run| run.status != RunStatus::Running).cloned().collect();
        for run in &runs {
            if run.status == RunStatus::Incomplete {
                let own = |job: &&&Job| job.run == run.id;
                let jobs: Vec<Job> = jobs.iter().filter(own).map(|job| (*job).clone()).collect();
                for job in &jobs {
                    self.given_up.insert(job.jid.clone(), (run.clone(), jobs.clone()));
                }
            }
        }
        for run in runs {
            self.keep(run);
        }
    }

    fn keep(&mut self, run: Run) {
        // All its jobs turned out to be another's, and so is its message.
        if run.jobs.is_empty() {
            self.known.remove(&run.id);
            self.runs.remove(&run.id);
            return;
        }
        let voice = match run.told_with {
            _ if run.said => Voice::Said,
            Some(with) if with == run.id => Voice::Told,
            Some(_) => Voice::ToldWith,
            None => Voice::Quiet,
        };
        let seen = Seen {
            run: run.id,
            leader: leader(&run),
            likeness: Likeness::of(&run.head),
            began: run.started_at,
            ended: run.finished_at,
            heard_at: match voice {
                Voice::Said => run.started_at,
                _ => run.finished_at.unwrap_or(run.started_at),
            },
            person: person(&run).into(),
            user: run.head.user.as_deref().map(Rc::from),
            fun: run.head.funs.join(",").into(),
            rule: self.rules.rule(&run.head),
            voice,
            failed: run.status == RunStatus::Failed,
            bad: matches!(run.status, RunStatus::Failed | RunStatus::Incomplete),
        };
        self.known.insert(run.id, seen);
        if matches!(voice, Voice::Said | Voice::Told) {
            self.runs.insert(run.id, run.clone());
        }
        if let Some(with) = run.told_with.filter(|_| !run.said) {
            let together = self.together.entry(with).or_default();
            together.retain(|other| other.id != run.id);
            if together.len() < MAX_TOGETHER {
                together.push(run);
            }
        }
    }

    /// What it all came to, by now.
    pub(super) fn finish(mut self, now: Timestamp, names: &Names) -> Fed {
        self.catch_up(now);
        let open: Vec<Run> =
            self.ledger.runs().filter(|run| run.status == RunStatus::Running).cloned().collect();
        for run in open {
            self.keep(run);
        }
        Fed {
            seen: self.known.into_values().collect(),
            runs: self.runs,
            together: self.together,
            ledger: self.ledger,
            master: self.master.map(str::to_owned),
            names: names.clone(),
        }
    }
}
