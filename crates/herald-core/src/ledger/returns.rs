//! Returns: from minions, runners and wheel functions, with and without a publication before them.

use jiff::Timestamp;
use salt_event::Raw;
use salt_event::event::{Origin, Return};
use salt_event::msgpack::Token;

use super::start::Begun;
use super::{Ledger, learned_as, lone_key};
use crate::change::What;
use crate::command::Program;
use crate::minions::MinionNo;
use crate::redact::Secrets;
use crate::run::{Flag, JobId, RunId, RunKind, RunStatus};

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
        self.flag_return(at, job, minion, ret);
        self.record_return(at, job, minion, ret);
        self.note_sign(now, run);
        self.hear_find_job(now, ret, minion);
        if self.live.contains_key(&run) {
            self.end_if_complete(at, run);
        } else {
            self.end(at, run);
        }
    }

    fn job_of(&self, ret: &Return<'_>) -> Option<JobId> {
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
        let is_late = match minion {
            Some(minion) => job.tally.silent.contains(minion),
            None => !job.ended,
        };
        if !is_asked && !run.flags.contains(&Flag::NoStart) {
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
        self.learn_again(job, ret);
        let split = self.splitter.split(ret, &self.secrets);
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
    /// too.
    fn learn_again(&mut self, job: JobId, ret: &Return<'_>) {
        let args = ret.fun_args;
        if matches!(args.token(), Token::Nil | Token::Array(0))
            || self.learned.contains(&learned_as(&ret.fun, args))
        {
            return;
        }
        let mut secrets = Secrets::default();
        self.learn(&ret.fun, args, &mut secrets);
        if secrets.is_empty() {
            return;
        }
        self.secrets.extend(&secrets);
        let run = self.state.jobs.get(&job).map(|job| job.run);
        if let Some(live) = run.and_then(|run| self.live.get_mut(&run)) {
            live.secrets.extend(&secrets);
        }
    }

    fn note_sign(&mut self, now: Timestamp, run: RunId) {
        let started = self.state.runs.get(&run).map(|run| run.started_at);
        if let (Some(live), Some(started)) = (self.live.get_mut(&run), started) {
            live.last_sign = now;
            live.pace = live.pace.max(now.duration_since(started).unsigned_abs());
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
        let (kind, program) = kind_of(ret);
        let is_lone = matches!(kind, RunKind::Local | RunKind::Scheduled);
        let on_master = matches!(ret.origin, Origin::Runner | Origin::Wheel);
        let minions = match ret.origin {
            Origin::Minion => [self.intern(at, ret.minion)].into_iter().collect(),
            Origin::Runner | Origin::Wheel => Default::default(),
        };
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
            funs: ret
                .fun
                .iter()
                .map(|fun| super::head::fun_name(fun))
                .collect(),
            arg: ret.arg.unwrap_or(ret.fun_args),
            tgt: ret.minion.into(),
            tgt_type: if on_master { "" } else { "list" },
            expected: minions,
            missing: Default::default(),
            schedule: ret.schedule,
            metadata: ret.metadata,
            batch: None,
        };
        let (run, job) = self.begin(now, at, began);
        if !is_lone {
            let flag = if kind == RunKind::Ssh {
                Flag::Inferred
            } else {
                Flag::NoStart
            };
            self.flag(at, run, flag);
            if let Some(live) = self.live.get_mut(&run) {
                live.open_ended = !on_master;
            }
        }
        job
    }
}

fn kind_of(ret: &Return<'_>) -> (RunKind, Program) {
    let is_state = ret.fun.iter().any(|fun| fun.starts_with("state."));
    match ret.origin {
        Origin::Runner => (super::head::runner_kind(&ret.fun), Program::SaltRun),
        Origin::Wheel => (RunKind::Wheel, Program::Wheel),
        Origin::Minion if ret.schedule.is_some() => (RunKind::Scheduled, Program::SaltCall),
        Origin::Minion if ret.cmd.is_none() => (RunKind::Ssh, Program::SaltSsh),
        Origin::Minion if ret.user.is_none() => (RunKind::Local, Program::SaltCall),
        Origin::Minion if is_state => (RunKind::StateRun, Program::Salt),
        Origin::Minion => (RunKind::Command, Program::Salt),
    }
}
