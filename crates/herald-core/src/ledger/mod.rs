//! The ledger: events and time in, changes out. It decides what is a run, what belongs to it, and
//! when it is over.
//!
//! It does no I/O and reads no clock. Every change that it gives out it has already folded into its
//! own [`State`], by the code that folds a journal's entries.

mod batch;
mod behind;
mod confirm;
mod doubted;
mod finish;
mod forged;
mod head;
mod keys;
mod live;
mod metadata;
mod names;
mod parents;
mod past;
mod returns;
mod settings;
mod start;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salt_event::event::{Event, Kind};
use salt_event::{Raw, Value};

use crate::change::{Change, Storable, What};
use crate::digest::Digest;
use crate::minions::{MinionSet, Minions};
use crate::payload::{Payload, PayloadKind};
use crate::redact::{Redactor, Secrets};
use crate::run::{Flag, Job, JobId, Run, RunId, RunStatus, Standing};
use crate::split::Splitter;
use crate::state::State;
use crate::suspect::{Suspect, Why};

use behind::Below;
use confirm::Confirming;
use doubted::ReturnedAs;
use finish::Live;
use forged::Suspects;
use keys::Keys;
use live::{LiveRuns, Patience};
use names::{key_of, lone_key, short};
use parents::Parents;
use past::Past;

pub use confirm::Confirm;
pub use settings::Settings;

/// What a journal must give back so that the ledger goes on where it stopped.
#[derive(Debug, Default)]
pub struct Restored {
    /// All minions, in the order of their numbers.
    pub minions: Vec<String>,
    /// Runs that have not ended, with their jobs.
    pub open: Vec<(Run, Vec<Job>)>,
    /// When the latest return of each of these came, if any did.
    pub returned_at: HashMap<RunId, Timestamp>,
    /// The highest run number that was given.
    pub last_run: u64,
    /// The highest job number that was given.
    pub last_job: u64,
    /// The digests of the keys by which minions authenticated last.
    pub keys: HashMap<String, Digest>,
}

/// Ended runs that are kept in memory, for late returns; older ones are asked of the journal.
const MAX_ENDED: usize = 512;
/// What no return named for twice as long is given out again. A journal keeps contents longer.
const FORGET_EVERY: Duration = Duration::from_secs(12 * 3600);
/// Arguments whose secrets are known, by digest.
const MAX_LEARNED: usize = 16_384;

/// Decides what events mean.
pub struct Ledger {
    settings: Settings,
    state: State,
    splitter: Splitter,
    /// When the splitter last forgot what was not used.
    forgot_at: Timestamp,
    /// Jobs in memory by jid; for jobs without a publication also by minion.
    by_jid: HashMap<String, JobId>,
    live: LiveRuns,
    parents: Parents,
    /// What is known of masters below.
    below: Below,
    /// What counts for events of the past.
    past: Past,
    /// When the latest return came, of the runs in memory.
    returned_at: HashMap<RunId, Timestamp>,
    /// Secrets of all open runs.
    secrets: Secrets,
    learned: HashSet<Digest>,
    ended: VecDeque<RunId>,
    /// Jids under which a minion fired events of its own.
    forged: VecDeque<String>,
    suspects: Suspects,
    /// What the latest returns said.
    returned_as: ReturnedAs,
    /// What is looked for in the master's job cache.
    confirming: Confirming,
    keys: Keys,
    /// Since when the failures of a quiet function are told with a run.
    told: HashMap<String, (RunId, Timestamp)>,
    touched: BTreeSet<RunId>,
    touched_jobs: BTreeSet<JobId>,
    last_run: u64,
    last_job: u64,
    out: Vec<Change>,
}

impl Ledger {
    /// Goes by other settings from now on; what was decided stays.
    pub fn change_settings(&mut self, settings: Settings) {
        self.live.change_patience(Patience::of(&settings));
        if !Arc::ptr_eq(&settings.site, &self.settings.site) {
            self.splitter.change_site(Arc::clone(&settings.site));
            self.learned.clear();
        }
        self.settings = settings;
    }

    /// Goes on where a journal stopped.
    pub fn restore(settings: Settings, redactor: Redactor, now: Timestamp, from: Restored) -> Self {
        let patience = Patience::of(&settings);
        let redactor = Redactor::with_site(redactor.marks().clone(), Arc::clone(&settings.site));
        let mut ledger = Self {
            settings,
            state: State { minions: Minions::restore(from.minions), ..State::default() },
            splitter: Splitter::new(redactor),
            forgot_at: now,
            by_jid: HashMap::new(),
            live: LiveRuns::new(patience),
            parents: Parents::default(),
            below: Below::default(),
            past: Past::default(),
            returned_at: from.returned_at,
            secrets: Secrets::default(),
            learned: HashSet::new(),
            ended: VecDeque::new(),
            forged: VecDeque::new(),
            suspects: Suspects::default(),
            returned_as: ReturnedAs::default(),
            confirming: Confirming::default(),
            keys: Keys::restored(from.keys),
            told: HashMap::new(),
            touched: BTreeSet::new(),
            touched_jobs: BTreeSet::new(),
            last_run: from.last_run,
            last_job: from.last_job,
            out: Vec::new(),
        };
        from.open.into_iter().for_each(|(run, jobs)| ledger.adopt(now, run, jobs));
        ledger
    }

    /// Takes a run into memory that the journal holds, with its jobs: see [`Self::unknown_jid`].
    pub fn adopt(&mut self, now: Timestamp, run: Run, jobs: Vec<Job>) {
        if self.state.runs.contains_key(&run.id) {
            return;
        }
        for job in jobs {
            self.by_jid.insert(key_of(&job, &run, &self.state.minions), job.id);
            self.state.jobs.insert(job.id, job);
        }
        if run.status == RunStatus::Running {
            let is_complete = self.state.is_complete(&run);
            self.live.insert(run.id, Live::restored(now, &run, is_complete));
        } else {
            self.ended.push_back(run.id);
            self.returned_at.extend(run.finished_at.map(|at| (run.id, at)));
        }
        self.state.runs.insert(run.id, run);
    }

    /// The jid of an event on a job that is not in memory: the journal may know it, and then it is
    /// to be adopted before the event is handled.
    pub fn unknown_jid<'e>(&self, event: &'e Event<'_>) -> Option<&'e str> {
        let jid = match &event.kind {
            Kind::NewJob(job) => &job.jid,
            Kind::Return(ret) => &ret.jid,
            Kind::Minions { jid, .. }
            | Kind::BatchComplete { jid }
            | Kind::Published { jid, .. } => jid,
            Kind::Behind(behind) => &behind.jid,
            Kind::Call(call) => &call.jid,
            Kind::BatchNew(batch) => &batch.jid,
            Kind::Twin { jid } => jid,
            Kind::Child(_)
            | Kind::FromMinion { .. }
            | Kind::Key(_)
            | Kind::Echo
            | Kind::Odd
            | Kind::Other => return None,
        };
        (!self.by_jid.contains_key(jid.as_ref())).then_some(jid)
    }

    /// Takes an event.
    pub fn handle_event(&mut self, now: Timestamp, event: &Event<'_>) -> Vec<Change> {
        self.forget_contents(now);
        self.dispatch(now, event);
        // Not only when a time-out is due: where everything ends well, none ever is.
        self.forget_ended();
        std::mem::take(&mut self.out)
    }

    fn dispatch(&mut self, now: Timestamp, event: &Event<'_>) {
        let at = believable(event.stamp, now);
        match &event.kind {
            Kind::NewJob(job) => self.new_job(now, at, job),
            Kind::Return(ret) if ret.tag_differs => {
                self.note_forged(now, at, Why::TagDiffers, "", &event.tag);
            }
            Kind::Return(ret) if self.is_of_no_syndic(ret) => {
                self.note_false_return(now, at, Why::NoSyndic, ret);
            }
            Kind::Return(ret) => self.take_return(now, at, ret),
            Kind::Minions { jid, minions } => self.more_minions(now, at, jid, *minions),
            Kind::Published { jid, metadata } => self.take_metadata(at, jid, *metadata),
            Kind::Behind(behind) => self.hear_behind(now, at, behind),
            Kind::Call(call) => self.new_call(now, at, call),
            Kind::Child(child) => self.expect_child(now, child),
            Kind::BatchNew(batch) => self.new_batch(now, at, batch),
            Kind::BatchComplete { jid } => self.end_batch(at, jid),
            Kind::FromMinion { sender, claims_job: true } => {
                self.note_forged(now, at, Why::InMastersName, sender, &event.tag)
            }
            Kind::Key(event) => self.hear_key(now, at, event),
            Kind::Twin { jid } => self.hear_twin(now, at, &event.tag, jid),
            Kind::Other => self.hear_cut_twin(now, at, &event.tag),
            Kind::FromMinion { .. } | Kind::Echo | Kind::Odd => {}
        }
    }

    /// After a long silence all is forgotten at once.
    fn forget_contents(&mut self, now: Timestamp) {
        let mut since = now.duration_since(self.forgot_at).unsigned_abs();
        for _ in 0..2 {
            if since >= FORGET_EVERY {
                since -= FORGET_EVERY;
                self.forgot_at = now;
                self.splitter.forget_unused();
            }
        }
    }

    /// Takes note that time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<Change> {
        self.forget_contents(now);
        self.parents.forget_before(now);
        self.give_up_silent(now);
        self.forget_ended();
        std::mem::take(&mut self.out)
    }

    /// Takes note that the clock was put, forward or back: what is waited for is due as much later, or
    /// sooner. Runs that only the past tells of have a time of their own.
    pub fn put_clock(&mut self, step: SignedDuration) {
        self.live.change_all(|live| {
            if !live.by_past {
                live.put_clock(step);
            }
        });
        self.parents.put_clock(step);
        self.told.values_mut().for_each(|(_, since)| *since = finish::moved(*since, step));
    }

    /// When [`Self::handle_timeout`] is needed next.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.live.next_due(false)
    }

    /// Takes note that nothing was seen for a time: open runs may lack returns.
    pub fn handle_gap(&mut self, at: Timestamp) -> Vec<Change> {
        self.keep_for_past();
        let mut open: Vec<RunId> = self.live.keys().copied().collect();
        open.sort_unstable();
        open.into_iter().for_each(|run| self.flag(at, run, Flag::Gap));
        std::mem::take(&mut self.out)
    }

    /// The runs and jobs that were changed since the last call.
    pub fn take_touched(&mut self) -> (Vec<&Run>, Vec<&Job>) {
        let runs = std::mem::take(&mut self.touched);
        let jobs = std::mem::take(&mut self.touched_jobs);
        (
            runs.iter().filter_map(|id| self.state.runs.get(id)).collect(),
            jobs.iter().filter_map(|id| self.state.jobs.get(id)).collect(),
        )
    }

    /// A run that is in memory.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.state.runs.get(&id)
    }

    /// How many runs have not ended.
    pub fn open_runs(&self) -> usize {
        self.live.len()
    }

    /// All runs that are in memory.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.state.runs.values()
    }

    /// All minions that were ever seen.
    pub fn minions(&self) -> &Minions {
        &self.state.minions
    }

    /// Folds a change and gives it out.
    fn emit(&mut self, at: Timestamp, what: What, payloads: Vec<Payload>) {
        let change = Change { at, what, payloads };
        self.state.apply(&change);
        match &change.what {
            What::RunStarted { run, .. }
            | What::RunRevised { run, .. }
            | What::ToldWith { run, .. }
            | What::Flagged { run, .. } => {
                self.touched.insert(*run);
            }
            What::RunEnded { run, .. } => {
                self.touched.insert(*run);
                if let Some(run) = self.state.runs.get(run) {
                    self.touched_jobs.extend(run.jobs.iter().copied());
                }
            }
            What::Stood { standing: Standing::Confirmed, jobs } => {
                self.touched_jobs.extend(jobs.iter().copied());
            }
            What::Stood { jobs, .. } => {
                let known = jobs.iter().filter_map(|job| self.state.jobs.get(job));
                self.touched.extend(known.map(|job| job.run));
                self.touched_jobs.extend(jobs.iter().copied());
            }
            What::JobStarted { job, .. }
            | What::JobExpects { job, .. }
            | What::JobNarrowed { job, .. }
            | What::JobMoved { job, .. }
            | What::Returned { job, .. }
            | What::Suspect(Suspect { why: Why::Displaced, job: Some(job), .. }) => {
                self.touched_jobs.insert(*job);
                self.touched.extend(self.state.jobs.get(job).map(|job| job.run));
            }
            _ => {}
        }
        self.out.push(change);
    }

    fn flag(&mut self, at: Timestamp, run: RunId, flag: Flag) {
        let is_known = |run: &Run| match flag {
            // One that was mended has a hole again.
            Flag::Gap => run.flags.contains(&flag) && !run.flags.contains(&Flag::Mended),
            _ => run.flags.contains(&flag),
        };
        let is_new = self.state.runs.get(&run).is_some_and(|run| !is_known(run));
        if is_new {
            self.emit(at, What::Flagged { run, flag }, Vec::new());
        }
    }

    /// Reads arguments, redacted; what was hidden is hidden wherever it comes back.
    fn learn<S: AsRef<str>>(
        &mut self,
        funs: &[S],
        raw: Raw<'_>,
        secrets: &mut Secrets,
    ) -> Value<'static> {
        if self.learned.len() >= MAX_LEARNED {
            self.learned.clear();
        }
        self.learned.insert(learned_as(funs, raw));
        let mut value = head::read(raw);
        self.splitter.redactor().redact_call(funs, &mut value, secrets);
        value
    }
}

/// What arguments are remembered by: which of them are secret is the function's matter.
fn learned_as<S: AsRef<str>>(funs: &[S], args: Raw<'_>) -> Digest {
    let mut parts: Vec<&[u8]> = Vec::with_capacity(2 * funs.len() + 1);
    for fun in funs {
        let fun = fun.as_ref();
        let fun = fun.strip_prefix("runner.").unwrap_or(fun);
        parts.extend([fun.as_bytes(), b"\0".as_slice()]);
    }
    parts.push(args.bytes());
    Digest::of_parts(&parts)
}

/// The master's own time, unless it is far from ours: then somebody made it up.
fn believable(stamp: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match stamp {
        Some(stamp) if stamp.duration_since(now).abs().as_secs() < 3600 => stamp,
        _ => now,
    }
}

/// Puts contents with the others and gives their name.
fn store(kind: PayloadKind, bytes: &[u8], payloads: &mut Vec<Payload>) -> Digest {
    let payload = Payload::new(kind, bytes);
    let digest = payload.digest;
    payloads.push(payload);
    digest
}

/// A set and its payload.
fn named_set(set: MinionSet, payloads: &mut Vec<Payload>) -> crate::change::Named<MinionSet> {
    set.named(payloads)
}
