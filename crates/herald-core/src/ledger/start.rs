//! Beginnings: jobs, batches, runners and wheel functions, and to which run they belong.

use std::borrow::Cow;

use jiff::Timestamp;
use salt_event::event::{Call, Child, MAX_FUNS, NewJob, Origin};
use salt_event::states::is_state_function;
use salt_event::{Raw, Value};

use super::batch::is_near;
use super::finish::{KnownBy, Live};
use super::head::{fun_name, head_of, known_user, runner_kind, target_text};
use super::metadata::is_published;
use super::parents::{ExpectedChild, Gather, Published};
use super::{Ledger, named_set, store};
use crate::change::{Storable, What};
use crate::command::{Batched, Program};
use crate::minions::MinionSet;
use crate::payload::PayloadKind;
use crate::redact::Secrets;
use crate::run::{Flag, JobId, RunHead, RunId, RunKind};

/// A job that begins, wherever it is known from.
pub(super) struct Begun<'a> {
    pub(super) jid: &'a str,
    pub(super) key: String,
    pub(super) kind: RunKind,
    pub(super) program: Program,
    pub(super) user: Option<&'a str>,
    pub(super) funs: Vec<String>,
    pub(super) arg: Raw<'a>,
    pub(super) tgt: Value<'a>,
    pub(super) tgt_type: &'a str,
    pub(super) expected: MinionSet,
    pub(super) missing: MinionSet,
    /// Listed, no minions of this master, and perhaps of one below.
    pub(super) elsewhere: MinionSet,
    pub(super) schedule: Option<&'a str>,
    pub(super) metadata: Option<Raw<'a>>,
    pub(super) batch: Option<Batched>,
    /// The functions are as they were sent.
    pub(super) whole: bool,
    pub(super) known_by: KnownBy,
}

impl Ledger {
    pub(super) fn new_job(&mut self, now: Timestamp, at: Timestamp, job: &NewJob<'_>) {
        let expected = self.intern_all(at, job.minions);
        if let Some(known) = self.by_jid.get(job.jid.as_ref()).copied() {
            if self.past.is_now {
                self.hear_start(now, at, known, job, expected);
            } else if self.is_same(known, job) && self.does_same(known, job) {
                self.hear_secrets(known, job);
                self.widen(at, known, expected);
                self.confirm_published(known, job);
            } else {
                self.flag_conflict(at, known);
            }
            return;
        }
        let missing = self.intern_all(at, job.missing);
        self.hear_poll(now, job, &expected);
        let expected = self.without_syndics(job, &expected);
        let may_spread = self.may_spread(job);
        let is_empty = expected.is_empty() && missing.is_empty();
        let (missing, elsewhere) =
            if may_spread { (MinionSet::new(), missing) } else { (missing, MinionSet::new()) };
        let mut began = begun_by(job, expected, missing);
        began.elsewhere = elsewhere;
        let (run, begun) = self.begin(now, at, began);
        self.confirm_new(at, begun, job);
        if may_spread {
            self.begin_spread(now, run);
        } else if let Some(mut live) = self.live.get_mut(&run).filter(|_| is_empty) {
            // A target that matches nobody is not published: they are behind a syndic, and come in later.
            live.open_ended = true;
        }
        self.end_if_complete(at, run);
    }

    /// The past tells of a job that is known. Where only its returns were, what it is is news.
    fn hear_start(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        known: JobId,
        job: &NewJob<'_>,
        expected: MinionSet,
    ) {
        let run = self.state.jobs.get(&known).and_then(|job| self.state.runs.get(&job.run));
        let Some(run) = run.filter(|run| run.flags.contains(&Flag::NoStart)) else {
            if self.is_same(known, job) {
                self.hear_secrets(known, job);
                self.confirm_past(at, known);
                // Only slices are published more than once, and on lists. Who else stands there and is
                // not waited for has passed the job on.
                if job.tgt_type == "list" {
                    self.widen(at, known, self.below.without_syndics(&expected));
                }
            }
            return;
        };
        let (id, said) = (run.id, run.said);
        let missing = self.intern_all(at, job.missing);
        let began = begun_by(job, expected.clone(), missing);
        if self.state.jobs.get(&known).is_none_or(|job| job.funs != began.funs) {
            return;
        }
        let mut secrets = Secrets::default();
        let redacted = self.redact_load(&began, &mut secrets);
        let (head, exact) = head_of(&began, &redacted);
        let said = said || self.settings.say.rule(&head).is_said();
        self.secrets.extend(&secrets);
        if let Some(mut live) = self.live.get_mut(&id) {
            live.sign(now, true);
            live.secrets.extend(&secrets);
            (live.known_by, live.open_ended) = (KnownBy::Publication, false);
        }
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        let none = named_set(MinionSet::new(), &mut payloads);
        self.emit(at, What::RunRevised { run: id, head, said, expected: none }, payloads);
        if !exact {
            self.flag(at, id, Flag::Inexact);
        }
        self.confirm_past(at, known);
        self.widen(at, known, expected);
        self.end_if_complete(at, id);
    }

    fn confirm_new(&mut self, at: Timestamp, job: JobId, said: &NewJob<'_>) {
        if self.past.is_now {
            self.confirm_past(at, job);
        } else {
            self.does_same(job, said);
            self.confirm_published(job, said);
        }
    }

    /// Hears again how a job began that is open since before a restart. Nothing is recorded by that; what is
    /// secret in it is looked for from now on.
    pub fn remind(&mut self, job: &NewJob<'_>) {
        if let Some(known) = self.by_jid.get(job.jid.as_ref()).copied()
            && self.is_same(known, job)
        {
            self.hear_secrets(known, job);
        }
    }

    /// What is secret in an open run the journal does not give back: the job's load tells it anew.
    fn hear_secrets(&mut self, known: JobId, job: &NewJob<'_>) {
        let Some(run) = self.state.jobs.get(&known).map(|job| job.run) else {
            return;
        };
        if !self.lacks_secrets(run) {
            return;
        }
        let mut secrets = Secrets::default();
        self.redact_load(&begun_by(job, MinionSet::new(), MinionSet::new()), &mut secrets);
        self.secrets.extend(&secrets);
        let is_all = self.state.runs.get(&run).is_some_and(|run| run.jobs.len() == 1);
        if let Some(mut live) = self.live.get_mut(&run) {
            live.secrets.extend(&secrets);
            if is_all {
                live.known_by = KnownBy::Publication;
            }
        }
    }

    /// Whether a run is open, and the journal gave it back without its secrets.
    pub(super) fn lacks_secrets(&self, run: RunId) -> bool {
        self.live.get(&run).is_some_and(|live| live.known_by == KnownBy::Journal)
    }

    /// Whether a publication is of the job that we know by its jid: a later slice, or said again.
    fn is_same(&self, known: JobId, job: &NewJob<'_>) -> bool {
        let Some(known) = self.state.jobs.get(&known) else {
            return true;
        };
        let run = self.state.runs.get(&known.run);
        let funs = job.fun.iter().map(|fun| fun_name(fun));
        funs.eq(known.funs.iter().cloned())
            && run.is_none_or(|run| {
                // Whoever ran it above, the syndic publishes as root.
                run.head.user == known_user(job.user) || run.flags.contains(&Flag::Syndic)
            })
    }

    fn flag_conflict(&mut self, at: Timestamp, known: JobId) {
        if let Some(run) = self.state.jobs.get(&known).map(|job| job.run) {
            self.flag(at, run, Flag::Conflict);
        }
    }

    /// A client that waits asks the minions whether they still work.
    pub(super) fn hear_poll(&mut self, now: Timestamp, job: &NewJob<'_>, asked: &MinionSet) {
        if is_poll(job)
            && let Some(jid) = job.arg.items().next().and_then(Raw::text)
        {
            self.begin_poll(now, jid, asked.clone());
            self.below.remember_poll(&job.jid, jid);
        }
    }

    pub(super) fn new_call(&mut self, now: Timestamp, at: Timestamp, call: &Call<'_>) {
        if self.by_jid.contains_key(call.jid.as_ref()) {
            return;
        }
        let (kind, program) = match call.origin {
            Origin::Wheel => (RunKind::Wheel, Program::Wheel),
            Origin::Runner | Origin::Minion => {
                (runner_kind(std::slice::from_ref(&call.fun)), Program::SaltRun)
            }
        };
        let began = Begun {
            jid: call.jid.as_ref(),
            key: call.jid.clone().into_owned(),
            kind,
            program,
            user: call.user,
            funs: vec![fun_name(&call.fun)],
            arg: call.fun_args,
            tgt: Value::Nil,
            tgt_type: "",
            expected: MinionSet::new(),
            missing: MinionSet::new(),
            elsewhere: MinionSet::new(),
            schedule: None,
            metadata: None,
            batch: None,
            whole: call.fun.ends_with(fun_name(&call.fun).as_str()),
            known_by: KnownBy::Publication,
        };
        self.begin(now, at, began);
    }

    pub(super) fn expect_child(&mut self, now: Timestamp, child: &Child<'_>) {
        let job = self.by_jid.get(child.jid.as_ref()).and_then(|job| self.state.jobs.get(job));
        let Some(run) = job.map(|job| job.run).filter(|run| self.live.contains_key(run)) else {
            return;
        };
        let user = self.state.runs.get(&run);
        let user = user.and_then(|run| run.head.user.clone());
        self.parents.expect(ExpectedChild {
            run,
            user,
            is_state: child.is_state,
            name: child.name.to_owned(),
            tgt: target_text(&Value::read(child.tgt).unwrap_or(Value::Nil)),
            tgt_type: child.tgt_type.to_owned(),
            since: now,
        });
    }

    /// More minions belong to a job than its publication said: behind a syndic, or the next slice
    /// of a batch.
    pub(super) fn more_minions(
        &mut self,
        _now: Timestamp,
        at: Timestamp,
        jid: &str,
        minions: Raw<'_>,
    ) {
        // Without a publication this is the event that stands before it, and says nothing more.
        if let Some(job) = self.by_jid.get(jid).copied() {
            let expected = self.intern_all(at, minions);
            self.widen(at, job, expected);
        }
    }

    pub(super) fn widen(&mut self, at: Timestamp, job: JobId, minions: MinionSet) {
        let Some(known) = self.state.jobs.get(&job) else {
            return;
        };
        let more = &minions - &known.tally.expected;
        if more.is_empty() {
            return;
        }
        let run = known.run;
        self.reopen(at, run);
        let mut payloads = Vec::new();
        let expected = named_set(more, &mut payloads);
        self.emit(at, What::JobExpects { job, expected }, payloads);
    }

    /// More is to come of a run that was taken for ended.
    pub(super) fn reopen(&mut self, now: Timestamp, id: RunId) {
        let Some(run) = self.state.runs.get(&id) else {
            return;
        };
        if !self.live.contains_key(&id) {
            self.live.insert(id, Live::new(now, run.head.kind, self.past.is_now));
            self.ended.retain(|ended| *ended != id);
        }
    }

    /// Records a job, and the run that it begins or belongs to.
    pub(super) fn begin(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        began: Begun<'_>,
    ) -> (RunId, JobId) {
        self.parents.forget_before(now);
        let mut secrets = Secrets::default();
        let redacted = self.redact_load(&began, &mut secrets);
        let (head, exact) = head_of(&began, &redacted);
        // The slices of a batch are lists of minions that just answered, wherever they are.
        let listed = &began.expected | &began.elsewhere;
        let published = Published {
            user: &head.user,
            funs: &head.funs,
            load: redacted.same,
            tgt: &head.tgt,
            tgt_type: &head.tgt_type,
            minions: &listed,
            can_be_slice: began.program == Program::Salt
                && began.kind != RunKind::Batch
                && began.tgt_type == "list"
                && began.missing.is_empty()
                && !listed.is_empty(),
            at: now,
        };
        // Only what somebody publishes can be a part of more: what is known by its return is not.
        let parent = match began.program {
            Program::Salt => self.parent_of(at, published, &redacted),
            _ => None,
        };
        let begins = parent.is_none();
        let run = match parent {
            Some(run) => run,
            None => {
                let run = self.start_run(now, at, head.clone());
                let is_near = |gather: &Gather| is_near(&self.state, &self.settings, gather, now);
                self.parents.suspect(run, published, &redacted.arg, is_near);
                run
            }
        };
        if let Some(mut live) = self.live.get_mut(&run) {
            live.secrets.extend(&secrets);
            live.sign(now, self.past.is_now);
            live.known_by = began.known_by;
            live.elsewhere |= &began.elsewhere;
        }
        if began.known_by == KnownBy::Publication {
            self.secrets.extend(&secrets);
        }
        let is_client = head.metadata.is_some() && is_published(began.kind);
        let jid = began.jid;
        let job = self.start_job(at, run, began, head.funs, redacted.load);
        self.remember_gather(now, run, job);
        self.flag_if_forged(at, run, jid);
        if begins && !exact {
            self.flag(at, run, Flag::Inexact);
        }
        if begins && is_client {
            self.flag(at, run, Flag::Api);
        }
        (run, job)
    }

    fn start_run(&mut self, now: Timestamp, at: Timestamp, head: RunHead) -> RunId {
        self.last_run += 1;
        let run = RunId(self.last_run);
        let said = self.settings.say.rule(&head).is_said();
        self.live.insert(run, Live::new(now, head.kind, self.past.is_now));
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        self.emit(at, What::RunStarted { run, head, said }, payloads);
        run
    }

    fn start_job(
        &mut self,
        at: Timestamp,
        run: RunId,
        began: Begun<'_>,
        funs: Vec<String>,
        load: Vec<u8>,
    ) -> JobId {
        self.last_job += 1;
        let job = JobId(self.last_job);
        self.by_jid.insert(began.key, job);
        let mut payloads = Vec::new();
        let what = What::JobStarted {
            job,
            run,
            jid: began.jid.to_owned(),
            funs,
            load: store(PayloadKind::Load, &load, &mut payloads),
            expected: named_set(began.expected, &mut payloads),
            missing: named_set(began.missing, &mut payloads),
            returns_itself: matches!(began.program, Program::SaltRun | Program::Wheel),
        };
        self.emit(at, what, payloads);
        job
    }
}

pub(super) fn is_poll(job: &NewJob<'_>) -> bool {
    job.fun.first().is_some_and(|fun| fun == "saltutil.find_job")
}

pub(super) fn begun_by<'a>(
    job: &'a NewJob<'a>,
    expected: MinionSet,
    missing: MinionSet,
) -> Begun<'a> {
    let is_state = job.fun.iter().any(|fun| is_state_function(fun));
    Begun {
        jid: job.jid.as_ref(),
        key: job.jid.clone().into_owned(),
        kind: if is_state { RunKind::StateRun } else { RunKind::Command },
        program: Program::Salt,
        user: job.user,
        funs: job.fun.iter().map(|fun| fun_name(fun)).collect(),
        arg: job.arg,
        tgt: Value::read(job.tgt).unwrap_or(Value::Nil),
        tgt_type: job.tgt_type,
        expected,
        missing,
        elsewhere: MinionSet::new(),
        schedule: None,
        metadata: job.metadata,
        batch: None,
        whole: are_whole(&job.fun, job.is_list),
        known_by: KnownBy::Publication,
    }
}

/// Whether the functions' names are known as they were sent: all, uncut, and not one as a list.
pub(super) fn are_whole(fun: &[Cow<'_, str>], is_list: bool) -> bool {
    fun.len() < MAX_FUNS
        && is_list == (fun.len() > 1)
        && fun.iter().all(|name| fun_name(name) == name.as_ref())
}
