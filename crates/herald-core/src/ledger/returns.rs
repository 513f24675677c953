//! Returns: from minions, runners and wheel functions, with and without a publication before them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use salt_event::Raw;
use salt_event::event::{Origin, Return};
use salt_event::msgpack::Token;
use salt_event::states::{Returned, is_state_function};
use salt_event::time::jid_time;

use super::finish::KnownBy;
use super::head::{UNKNOWN_TARGET, fun_name, runner_kind};
use super::start::Begun;
use super::{Ledger, learned_as, lone_key};
use crate::change::What;
use crate::command::Program;
use crate::minions::MinionNo;
use crate::redact::Secrets;
use crate::run::{Flag, JobId, RunId, RunKind, RunStatus};
use crate::split::orchestrated;

/// A jid that lies further back is not believed.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

impl Ledger {
    pub(super) fn take_return(&mut self, now: Timestamp, at: Timestamp, ret: &Return<'_>) {
        let job = match self.job_of(ret) {
            Some(job) => job,
            None => self.begin_by_return(now, at, ret),
        };
        let minion = match ret.origin {
            Origin::Minion => Some(self.intern(at, ret.minion)),
            Origin::Runner | Origin::Wheel => None,
        };
        if self.is_repeated(job, minion) {
            return;
        }
        let Some(run) = self.state.jobs.get(&job).map(|job| job.run) else {
            return;
        };
        self.attach_children(now, at, run, ret);
        self.flag_return(at, job, minion, ret);
        self.record_return(at, job, minion, ret);
        if let Some(minion) = minion {
            self.remember_returned(job, minion, ret);
        }
        self.hear_metadata(at, job, ret.metadata);
        self.note_sign(now, run);
        self.hear_find_job(now, ret, minion);
        self.end_by_return(at, run);
    }

    /// What the past adds may have come before what is known already.
    fn end_by_return(&mut self, at: Timestamp, id: RunId) {
        let last = self.returned_at.entry(id).or_insert(at);
        *last = at.max(*last);
        let last = *last;
        if self.live.contains_key(&id) {
            self.end_if_complete(last, id);
        } else if let Some(run) = self.state.runs.get(&id) {
            let given_up = run.finished_at.filter(|_| !run.tally.silent.is_empty());
            self.end(given_up.map_or(last, |given_up| last.max(given_up)), id);
        }
    }

    /// An orchestration names the jobs of its steps when it is over. One that we did not know for its
    /// own comes to it now.
    fn attach_children(&mut self, now: Timestamp, at: Timestamp, to: RunId, ret: &Return<'_>) {
        if ret.origin != Origin::Runner {
            return;
        }
        let jids = orchestrated(ret.ret)
            .into_iter()
            .flatten()
            .filter_map(|state| state.raw.get("__jid__")?.text());
        for jid in jids {
            self.attach_child(now, at, to, jid);
        }
    }

    fn attach_child(&mut self, now: Timestamp, at: Timestamp, to: RunId, jid: &str) -> Option<()> {
        let job = *self.by_jid.get(jid)?;
        let from = self.state.jobs.get(&job)?.run;
        let (child, parent) = (self.state.runs.get(&from)?, self.state.runs.get(&to)?);
        let user = &parent.head.user;
        let is_child = from != to
            && matches!(child.head.kind, RunKind::Command | RunKind::StateRun | RunKind::Batch)
            && parent.head.kind == RunKind::Orchestration
            && (user.is_none() || child.head.user == *user);
        if is_child {
            let jobs = child.jobs.clone();
            self.reopen(now, to);
            for job in jobs {
                self.emit(at, What::JobMoved { job, to }, Vec::new());
            }
            self.leave_empty(at, from, to);
        }
        Some(())
    }

    /// A run all whose jobs belong to another: it is over, and told of there.
    fn leave_empty(&mut self, at: Timestamp, from: RunId, to: RunId) {
        if self.live.contains_key(&from) {
            self.end(at, from);
        }
        let Some(run) = self.state.runs.get(&from) else {
            return;
        };
        if run.told_with.is_none() {
            self.emit(at, What::ToldWith { run: from, with: to }, Vec::new());
        }
    }

    pub(super) fn job_of(&self, ret: &Return<'_>) -> Option<JobId> {
        self.by_jid
            .get(ret.jid.as_ref())
            .or_else(|| self.by_jid.get(&lone_key(&ret.jid, ret.minion)))
            .copied()
    }

    fn is_repeated(&self, job: JobId, minion: Option<MinionNo>) -> bool {
        self.state.jobs.get(&job).is_none_or(|job| match minion {
            Some(minion) => job.tally.returned.contains(minion),
            None => job.ended,
        })
    }

    fn flag_return(
        &mut self,
        at: Timestamp,
        job: JobId,
        minion: Option<MinionNo>,
        ret: &Return<'_>,
    ) {
        let Some(job) = self.state.jobs.get(&job) else {
            return;
        };
        let Some(run) = self.state.runs.get(&job.run) else {
            return;
        };
        let (id, status) = (run.id, run.status);
        let is_asked = minion.is_none_or(|minion| job.tally.expected.contains(minion));
        // What the past adds may have come before the run was given up.
        let is_late = run.finished_at.is_some_and(|finished| at > finished)
            && match minion {
                Some(minion) => job.tally.silent.contains(minion),
                None => !job.ended,
            };
        // salt-ssh asks without a publication.
        let is_known = run.head.kind != RunKind::Ssh && !run.flags.contains(&Flag::NoStart);
        // Who was asked behind a syndic may come in after the first return.
        if !is_asked && is_known && !ret.through_syndic {
            self.flag(at, id, Flag::UnaskedReturn);
        }
        if is_late && status != RunStatus::Running {
            self.flag(at, id, Flag::LateReturn);
        }
        if ret.ret.text() == Some("VALUE_TRIMMED") {
            self.flag(at, id, Flag::Trimmed);
        }
    }

    fn record_return(
        &mut self,
        at: Timestamp,
        job: JobId,
        minion: Option<MinionNo>,
        ret: &Return<'_>,
    ) {
        let own = self.learn_again(job, ret);
        let split = if own.is_empty() {
            self.splitter.split(ret, &self.secrets)
        } else {
            let mut secrets = self.secrets.clone();
            secrets.extend(&own);
            self.splitter.split(ret, &secrets)
        };
        let what = What::Returned {
            job,
            minion,
            outcome: split.outcome,
            shape: split.shape,
            volatile: split.volatile,
            failures: split.failures,
            collides_with: split.collides_with,
        };
        self.emit(at, what, split.payloads);
    }

    /// A return repeats its job's arguments: what is secret in them is found again, after a restart
    /// too. Gives what is to be hidden in this return alone: where the master's word on the arguments
    /// is known, another word is a minion's, and no reason to blank what others do.
    fn learn_again(&mut self, job: JobId, ret: &Return<'_>) -> Secrets {
        let run = self.state.jobs.get(&job).map(|job| job.run);
        let known_by = run
            .and_then(|run| self.live.get(&run))
            .map_or(KnownBy::Publication, |live| live.known_by);
        let mut secrets = Secrets::default();
        let args = ret.fun_args;
        let key = learned_as(&ret.fun, args);
        let is_new = !matches!(args.token(), Token::Nil | Token::Array(0));
        if is_new && !self.learned.contains(&key) {
            self.learn(&ret.fun, args, &mut secrets);
            if known_by != KnownBy::Journal {
                self.learned.remove(&key);
            }
        }
        let Some(mut live) = run.and_then(|run| self.live.get_mut(&run)) else {
            return secrets;
        };
        match known_by {
            KnownBy::Publication => {}
            KnownBy::Journal => {
                live.secrets.extend(&secrets);
                self.secrets.extend(&secrets);
            }
            KnownBy::Return => secrets.extend(&live.secrets),
        }
        secrets
    }

    fn note_sign(&mut self, now: Timestamp, run: RunId) {
        let started = self.state.runs.get(&run).map(|run| run.started_at);
        if let (Some(mut live), Some(started)) = (self.live.get_mut(&run), started) {
            live.sign(now, self.past.is_now);
            let passed = now.duration_since(started).saturating_sub(live.put);
            live.pace = live.pace.max(passed.unsigned_abs());
        }
    }

    /// The answer to `saltutil.find_job`: a map that tells of the job, or an empty one.
    fn hear_find_job(&mut self, now: Timestamp, ret: &Return<'_>, minion: Option<MinionNo>) {
        if ret.fun.first().is_none_or(|fun| fun != "saltutil.find_job") {
            return;
        }
        let Some(jid) = ret.fun_args.items().next().and_then(Raw::text) else {
            return;
        };
        if let (Some(minion), Token::Map(1..)) = (minion, ret.ret.token()) {
            self.still_works(now, jid, minion);
        }
    }

    /// A return that nothing announced: `salt-call`, a schedule, salt-ssh, a runner or a job that
    /// began while we were not there.
    fn begin_by_return(&mut self, now: Timestamp, at: Timestamp, ret: &Return<'_>) -> JobId {
        let below = self.below.take_begun(&ret.jid);
        let (kind, program) = kind_of(ret, below.is_some());
        let is_lone = matches!(kind, RunKind::Local | RunKind::Scheduled);
        let on_master = matches!(ret.origin, Origin::Runner | Origin::Wheel);
        let mut minions = match ret.origin {
            Origin::Minion => [self.intern(at, ret.minion)].into_iter().collect(),
            Origin::Runner | Origin::Wheel => Default::default(),
        };
        let knows_all = below.is_some();
        minions |= below.unwrap_or_default();
        let began = Begun {
            jid: ret.jid.as_ref(),
            key: if is_lone {
                lone_key(&ret.jid, ret.minion)
            } else {
                ret.jid.clone().into_owned()
            },
            kind,
            program,
            user: ret.user,
            funs: ret.fun.iter().map(|fun| fun_name(fun)).collect(),
            arg: ret.arg.unwrap_or(ret.fun_args),
            // It returned, but that says little of who else was asked.
            tgt: if is_lone { ret.minion.into() } else { UNKNOWN_TARGET.into() },
            tgt_type: if is_lone { "list" } else { "" },
            expected: minions,
            missing: Default::default(),
            elsewhere: Default::default(),
            schedule: ret.schedule,
            metadata: ret.metadata,
            batch: None,
            whole: true,
            known_by: KnownBy::Return,
        };
        let (run, job) = self.begin(now, began_at(at, ret, &self.settings.jid_zone), began);
        if self.past.is_now {
            self.confirm_past(at, job);
        } else {
            self.confirm_returned(job, kind, ret);
        }
        if ret.through_syndic {
            self.flag(at, run, Flag::Syndic);
        }
        if !is_lone {
            if kind != RunKind::Ssh {
                self.flag(at, run, Flag::NoStart);
            }
            if let Some(mut live) = self.live.get_mut(&run) {
                live.open_ended = !on_master && !knows_all;
            }
        }
        job
    }
}

/// When a job began that only its return tells of: at the time that its jid is, unless that is
/// the time of the return (the master makes the jid of a `salt-call` only then); and before its
/// states had run.
fn began_at(at: Timestamp, ret: &Return<'_>, zone: &TimeZone) -> Timestamp {
    let by_jid = jid_time(&ret.jid)
        .and_then(|time| time.to_zoned(zone.clone()).ok())
        .map(|time| time.timestamp())
        .filter(|time| *time <= at && at.duration_since(*time).unsigned_abs() <= MAX_AGE);
    let took = match Returned::of(ret.ret, false) {
        Returned::States(states) => {
            states.filter_map(|state| state.duration).fold(0, u64::saturating_add)
        }
        _ => 0,
    };
    let by_states = at.checked_sub(Duration::from_micros(took).min(MAX_AGE)).unwrap_or(at);
    by_jid.unwrap_or(at).min(by_states)
}

/// `is_published`: a master below told of the job.
fn kind_of(ret: &Return<'_>, is_published: bool) -> (RunKind, Program) {
    let is_state = ret.fun.iter().any(|fun| is_state_function(fun));
    match ret.origin {
        Origin::Runner => (runner_kind(&ret.fun), Program::SaltRun),
        Origin::Wheel => (RunKind::Wheel, Program::Wheel),
        Origin::Minion if ret.schedule.is_some() => (RunKind::Scheduled, Program::Schedule),
        // What the master makes of a syndic's is as little as that of salt-ssh, but no `salt-call` has
        // a word on its success.
        Origin::Minion if ret.through_syndic && !is_published && ret.success.is_none() => {
            (RunKind::Local, Program::SaltCall)
        }
        Origin::Minion if ret.through_syndic && is_state => (RunKind::StateRun, Program::Salt),
        Origin::Minion if ret.through_syndic => (RunKind::Command, Program::Salt),
        Origin::Minion if ret.cmd.is_none() => (RunKind::Ssh, Program::SaltSsh),
        Origin::Minion if ret.user.is_none() => (RunKind::Local, Program::SaltCall),
        Origin::Minion if is_state => (RunKind::StateRun, Program::Salt),
        Origin::Minion => (RunKind::Command, Program::Salt),
    }
}
