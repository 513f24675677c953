//! Beginnings: jobs, batches, runners and wheel functions, and to which run they belong.

use jiff::Timestamp;
use salt_event::event::{Batch, Call, Child, NewJob, Origin};
use salt_event::states::is_state_function;
use salt_event::{Raw, Value};

use super::finish::Live;
use super::parents::{ExpectedChild, Gather, Published};
use super::{Ledger, named_set, short, store};
use crate::change::{Storable, What};
use crate::command::{CommandParts, Program, command_line};
use crate::digest::Digest;
use crate::minions::MinionSet;
use crate::noise::Namespace;
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
    pub(super) schedule: Option<&'a str>,
    pub(super) metadata: Option<Raw<'a>>,
    pub(super) batch: Option<u32>,
}

impl Ledger {
    pub(super) fn new_job(&mut self, now: Timestamp, at: Timestamp, job: &NewJob<'_>) {
        let expected = self.intern_all(at, job.minions);
        if let Some(known) = self.by_jid.get(job.jid.as_ref()).copied() {
            self.widen(at, known, expected);
            return;
        }
        let is_state = job.fun.iter().any(|fun| is_state_function(fun));
        let missing = self.intern_all(at, job.missing);
        if job
            .fun
            .first()
            .is_some_and(|fun| fun == "saltutil.find_job")
        {
            if let Some(jid) = job.arg.items().next().and_then(Raw::text) {
                self.begin_poll(now, jid, expected.clone());
            }
        }
        let began = Begun {
            jid: job.jid.as_ref(),
            key: job.jid.clone().into_owned(),
            kind: if is_state {
                RunKind::StateRun
            } else {
                RunKind::Command
            },
            program: Program::Salt,
            user: job.user,
            funs: job.fun.iter().map(|fun| fun_name(fun)).collect(),
            arg: job.arg,
            tgt: Value::read(job.tgt).unwrap_or(Value::Nil),
            tgt_type: job.tgt_type,
            expected,
            missing,
            schedule: None,
            metadata: job.metadata,
            batch: None,
        };
        let (run, _) = self.begin(now, at, began);
        self.end_if_complete(at, run);
    }

    pub(super) fn new_batch(&mut self, now: Timestamp, at: Timestamp, batch: &Batch<'_>) {
        let expected = self.intern_all(at, batch.minions);
        if let Some(known) = self.by_jid.get(batch.jid.as_ref()).copied() {
            self.widen(at, known, expected);
            return;
        }
        let began = Begun {
            jid: batch.jid.as_ref(),
            key: batch.jid.clone().into_owned(),
            kind: RunKind::Batch,
            program: Program::Salt,
            user: batch.user,
            funs: batch.fun.iter().map(|fun| fun_name(fun)).collect(),
            arg: batch.arg,
            tgt: Value::read(batch.tgt).unwrap_or(Value::Nil),
            tgt_type: batch.tgt_type,
            expected,
            missing: MinionSet::new(),
            schedule: None,
            metadata: None,
            batch: batch.size.and_then(|size| u32::try_from(size).ok()),
        };
        self.begin(now, at, began);
    }

    /// The master says that a batch is over: who has not returned will not be asked.
    pub(super) fn end_batch(&mut self, at: Timestamp, jid: &str) {
        let run = self
            .by_jid
            .get(jid)
            .and_then(|job| self.state.jobs.get(job))
            .map(|job| job.run);
        if let Some(run) = run.filter(|run| self.live.contains_key(run)) {
            self.end(at, run);
        }
    }

    pub(super) fn new_call(&mut self, now: Timestamp, at: Timestamp, call: &Call<'_>) {
        if self.by_jid.contains_key(call.jid.as_ref()) {
            return;
        }
        let (kind, program) = match call.origin {
            Origin::Wheel => (RunKind::Wheel, Program::Wheel),
            Origin::Runner | Origin::Minion => (
                runner_kind(std::slice::from_ref(&call.fun)),
                Program::SaltRun,
            ),
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
            schedule: None,
            metadata: None,
            batch: None,
        };
        self.begin(now, at, began);
    }

    pub(super) fn expect_child(&mut self, now: Timestamp, child: &Child<'_>) {
        let job = self
            .by_jid
            .get(child.jid.as_ref())
            .and_then(|job| self.state.jobs.get(job));
        let Some(run) = job
            .map(|job| job.run)
            .filter(|run| self.live.contains_key(run))
        else {
            return;
        };
        self.parents.expect(ExpectedChild {
            run,
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

    fn widen(&mut self, at: Timestamp, job: JobId, minions: MinionSet) {
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
    fn reopen(&mut self, now: Timestamp, run: RunId) {
        self.live.entry(run).or_insert_with(|| Live::new(now));
        self.ended.retain(|ended| *ended != run);
    }

    /// Records a job, and the run that it begins or belongs to.
    pub(super) fn begin(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        began: Begun<'_>,
    ) -> (RunId, JobId) {
        let mut secrets = Secrets::default();
        let redacted = self.redact_load(&began, &mut secrets);
        let head = head_of(&began, &redacted);
        let published = Published {
            user: &head.user,
            funs: &head.funs,
            load: redacted.same,
            tgt: &head.tgt,
            tgt_type: &head.tgt_type,
            minions: &began.expected,
            at: now,
        };
        let run = match self.parent_of(at, published, &redacted) {
            Some(run) => run,
            None => {
                let run = self.start_run(now, at, head.clone());
                self.parents.suspect(run, published);
                run
            }
        };
        self.remember_gather(now, &head, &began.expected);
        if let Some(live) = self.live.get_mut(&run) {
            live.secrets.extend(&secrets);
            live.last_sign = now;
        }
        self.secrets.extend(&secrets);
        (
            run,
            self.start_job(at, run, began, head.funs, redacted.load),
        )
    }

    fn redact_load(&mut self, began: &Begun<'_>, secrets: &mut Secrets) -> RedactedLoad {
        let arg = self.learn(began.arg, secrets);
        let mut tgt = began.tgt.clone().into_owned();
        self.splitter.redactor().redact_value(&mut tgt, secrets);
        let metadata = match began.metadata {
            Some(metadata) => self.learn(metadata, secrets),
            None => Value::Nil,
        };
        let funs = began
            .funs
            .iter()
            .map(|fun| Value::from(fun.as_str()))
            .collect();
        let what = Value::Map(vec![
            ("fun".into(), Value::Array(funs)),
            ("arg".into(), arg.clone()),
        ]);
        let same = Digest::of(&what.to_bytes());
        let load = Value::Map(vec![
            ("what".into(), what),
            ("tgt".into(), tgt.clone()),
            ("tgt_type".into(), began.tgt_type.into()),
            ("user".into(), began.user.map_or(Value::Nil, Value::from)),
            ("metadata".into(), metadata),
        ]);
        RedactedLoad {
            load: load.to_bytes(),
            same,
            arg,
            tgt,
        }
    }

    fn start_run(&mut self, now: Timestamp, at: Timestamp, head: RunHead) -> RunId {
        self.last_run += 1;
        let run = RunId(self.last_run);
        let said = self.is_said(&head);
        let live = Live::new(now);
        let on_master = matches!(
            head.kind,
            RunKind::Runner | RunKind::Wheel | RunKind::Orchestration
        );
        self.live
            .insert(run, if on_master { live.on_master() } else { live });
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        self.emit(at, What::RunStarted { run, head, said }, payloads);
        run
    }

    fn is_said(&self, head: &RunHead) -> bool {
        let namespace = match head.kind {
            RunKind::Runner | RunKind::Orchestration => Namespace::Runner,
            RunKind::Wheel => Namespace::Wheel,
            _ => Namespace::Execution,
        };
        self.settings
            .say
            .is_said(namespace, &head.funs, head.kind == RunKind::Scheduled)
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

    /// The run that a published job belongs to, if it is not one by itself.
    fn parent_of(
        &mut self,
        at: Timestamp,
        job: Published<'_>,
        redacted: &RedactedLoad,
    ) -> Option<RunId> {
        if let Some(run) = self.parents.take_child(job) {
            return Some(run).filter(|run| self.live.contains_key(run));
        }
        let batch = self.parents.take_slice(job)?;
        let (run, size) = (batch.run, u32::try_from(batch.size).ok());
        let (tgt, tgt_type, left) = (
            batch.tgt.clone(),
            batch.tgt_type.clone(),
            batch.left.clone(),
        );
        let known = self.state.runs.get(&run)?;
        if known.head.kind != RunKind::Batch {
            let tgt_value = list_or_text(&tgt, &tgt_type);
            let mut head = known.head.clone();
            head.kind = RunKind::Batch;
            head.command = command_line(&CommandParts {
                program: Program::Salt,
                tgt: Some(&tgt_value),
                tgt_type: &tgt_type,
                funs: &head.funs,
                arg: &redacted.arg,
                batch: size,
            });
            (head.tgt, head.tgt_type) = (tgt, tgt_type);
            let said = known.said;
            let mut payloads = Vec::new();
            let head = head.named(&mut payloads);
            let expected = named_set(left, &mut payloads);
            self.emit(
                at,
                What::RunRevised {
                    run,
                    head,
                    said,
                    expected,
                },
                payloads,
            );
            self.flag(at, run, Flag::Inferred);
        }
        self.reopen(job.at, run);
        Some(run)
    }

    fn remember_gather(&mut self, now: Timestamp, head: &RunHead, minions: &MinionSet) {
        if head.funs.first().is_some_and(|fun| fun == "test.ping") && head.funs.len() == 1 {
            self.parents.gather(Gather {
                user: head.user.clone(),
                minions: minions.clone(),
                tgt: head.tgt.clone(),
                tgt_type: head.tgt_type.clone(),
                since: now,
            });
        }
    }
}

/// A job's load without its secrets.
pub(super) struct RedactedLoad {
    load: Vec<u8>,
    /// The same for all jobs that do the same.
    same: Digest,
    arg: Value<'static>,
    tgt: Value<'static>,
}

fn head_of(began: &Begun<'_>, redacted: &RedactedLoad) -> RunHead {
    let user = began
        .user
        .filter(|user| !user.is_empty() && *user != "UNKNOWN");
    let has_target = matches!(began.program, Program::Salt | Program::SaltSsh);
    RunHead {
        kind: began.kind,
        user: user.map(|user| short(user.strip_prefix("sudo_").unwrap_or(user))),
        command: command_line(&CommandParts {
            program: began.program,
            tgt: has_target.then_some(&redacted.tgt),
            tgt_type: began.tgt_type,
            funs: &began.funs,
            arg: &redacted.arg,
            batch: began.batch,
        }),
        funs: began.funs.clone(),
        tgt: target_text(&redacted.tgt),
        tgt_type: began.tgt_type.to_owned(),
        test: is_test(&redacted.arg),
        schedule: began.schedule.map(short),
    }
}

/// Whether keyword arguments say `test=True`.
fn is_test(arg: &Value<'_>) -> bool {
    let Value::Array(items) = arg else {
        return false;
    };
    items.iter().any(|item| match item {
        Value::Map(_) => item.get("test") == Some(&Value::Bool(true)),
        Value::Array(_) => is_test(item),
        _ => false,
    })
}

/// A target as text: a list with commas between.
fn target_text(tgt: &Value<'_>) -> String {
    match tgt {
        Value::Text(text) => text.clone().into_owned(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_text)
            .collect::<Vec<_>>()
            .join(","),
        _ => String::new(),
    }
}

fn list_or_text(tgt: &str, tgt_type: &str) -> Value<'static> {
    if tgt_type == "list" {
        Value::Array(
            tgt.split(',')
                .map(|id| Value::from(id.to_owned()))
                .collect(),
        )
    } else {
        Value::from(tgt.to_owned())
    }
}

/// A function's name, without what the bus puts before runners and wheel functions.
pub(super) fn fun_name(fun: &str) -> String {
    let name = fun
        .strip_prefix("runner.")
        .or_else(|| fun.strip_prefix("wheel."))
        .unwrap_or(fun);
    short(name)
}

pub(super) fn runner_kind<S: AsRef<str>>(funs: &[S]) -> RunKind {
    let is_orchestration = |fun: &S| {
        let fun = fun.as_ref();
        let name = fun.strip_prefix("runner.").unwrap_or(fun);
        matches!(
            name,
            "state.orchestrate" | "state.orch" | "state.sls" | "state.orchestrate_single"
        )
    };
    if funs.iter().any(is_orchestration) {
        RunKind::Orchestration
    } else {
        RunKind::Runner
    }
}
