//! A job cache's events through the real ledger, in memory: what runs they make, and what would have
//! been said of each.
//!
//! Nothing is written, and nothing is decided here: the ledger decides, the composer puts into words.

use std::collections::{BTreeMap, HashMap};

use herald_core::announce::Announcement;
use herald_core::compose::{Context, announce, announce_quiet, person};
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::noise::SayRules;
use herald_core::redact::Redactor;
use herald_core::run::{Job, Run, RunId, RunStatus};
use herald_core::survey::{Seen, Voice};
use jiff::Timestamp;
use salt_event::event::Event;

/// Most quiet runs whose failures are put into one message.
const MAX_TOGETHER: usize = 1000;

/// What the channel would have shown of a run.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// When it would have been posted.
    pub(super) at: Timestamp,
    /// What it says at its end.
    pub(super) says: Announcement,
    /// The run's first jid.
    pub(super) jid: Option<String>,
    /// How the run ended.
    pub(super) status: RunStatus,
    /// The run, as it is counted.
    pub(super) seen: Seen,
}

/// What became of all events.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// Every run.
    pub(super) seen: Vec<Seen>,
    /// The messages, in the order of time.
    pub(super) messages: Vec<Message>,
}

/// A run that is known to the end, or as far as it went.
struct Known {
    seen: Seen,
    says: Option<Announcement>,
    jid: Option<String>,
    status: RunStatus,
}

/// Takes events, and keeps what is needed of the runs that they make.
pub(super) struct Feed<'c> {
    ledger: Ledger,
    rules: SayRules,
    master: Option<&'c str>,
    known: BTreeMap<RunId, Known>,
    /// Quiet runs that failed, by the run whose message tells of them.
    together: HashMap<RunId, Vec<Run>>,
    /// Runs that were given up, by jid: a late return would revive them.
    given_up: HashMap<String, (Run, Vec<Job>)>,
}

impl<'c> Feed<'c> {
    pub(super) fn new(settings: Settings, master: Option<&'c str>, begin: Timestamp) -> Self {
        Self {
            rules: settings.say.clone(),
            ledger: Ledger::restore(settings, Redactor::new(), begin, Restored::default()),
            master,
            known: BTreeMap::new(),
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
            return;
        }
        let voice = match run.told_with {
            _ if run.said => Voice::Said,
            Some(with) if with == run.id => Voice::Told,
            Some(_) => Voice::ToldWith,
            None => Voice::Quiet,
        };
        let context = Context { master: self.master, minions: self.ledger.minions() };
        let says = (voice == Voice::Said).then(|| announce(&run, &[], context));
        let seen = Seen {
            began: run.started_at,
            said_at: match voice {
                Voice::Said => run.started_at,
                _ => run.finished_at.unwrap_or(run.started_at),
            },
            person: person(&run),
            user: run.head.user.clone(),
            fun: run.head.funs.join(","),
            rule: self.rules.rule(&run.head),
            voice,
            failed: run.status == RunStatus::Failed,
        };
        let known = Known { seen, says, jid: run.jids.first().cloned(), status: run.status };
        self.known.insert(run.id, known);
        if let Some(with) = run.told_with.filter(|_| !run.said) {
            let together = self.together.entry(with).or_default();
            together.retain(|other| other.id != run.id);
            if together.len() < MAX_TOGETHER {
                together.push(run);
            }
        }
    }

    /// What it all came to, by now.
    pub(super) fn finish(mut self, now: Timestamp) -> Fed {
        self.catch_up(now);
        let open: Vec<Run> =
            self.ledger.runs().filter(|run| run.status == RunStatus::Running).cloned().collect();
        for run in open {
            self.keep(run);
        }
        let context = Context { master: self.master, minions: self.ledger.minions() };
        let mut fed = Fed::default();
        for (id, known) in self.known {
            let together = self.together.get(&id);
            let says = match known.seen.voice {
                Voice::Told => together.and_then(|runs| announce_quiet(runs, &[], context)),
                _ => known.says,
            };
            if let Some(says) = says {
                fed.messages.push(Message {
                    at: known.seen.said_at,
                    says,
                    jid: known.jid,
                    status: known.status,
                    seen: known.seen.clone(),
                });
            }
            fed.seen.push(known.seen);
        }
        fed.messages.sort_by_key(|message| message.at);
        fed
    }
}
