//! Batches: known from their own events (3008), or inferred from their slices.

use jiff::Timestamp;
use salt_event::Value;
use salt_event::event::Batch;

use super::finish::KnownBy;
use super::head::{RedactedLoad, fun_name, known_user, list_or_text, read, target_text};
use super::parents::{FIRST_SLICE_WITHIN, Gather, NEXT_SLICE_WITHIN, Published, SuspectedBatch};
use super::start::{Begun, are_whole};
use super::{Ledger, Settings, named_set};
use crate::change::{Storable, What};
use crate::command::{Batched, CommandParts, Program, command_line};
use crate::minions::MinionSet;
use crate::redact::Secrets;
use crate::run::{Flag, JobId, Run, RunId, RunKind};
use crate::state::State;

/// What a run is, once it is known to be a batch.
struct AsBatch {
    tgt: Value<'static>,
    tgt_type: String,
    batched: Batched,
    /// Its functions are as they were sent.
    whole: bool,
    /// The arguments, redacted; without them the command line stays as it is.
    arg: Option<Value<'static>>,
    /// Who is still to be asked.
    left: MinionSet,
    is_inferred: bool,
}

/// The target of a batch.
struct Target {
    tgt: Value<'static>,
    tgt_type: String,
    /// Its kind is known.
    is_known: bool,
}

impl Ledger {
    pub(super) fn new_batch(&mut self, now: Timestamp, at: Timestamp, batch: &Batch<'_>) {
        let expected = self.intern_all(at, batch.minions);
        if let Some(known) = self.by_jid.get(batch.jid.as_ref()).copied() {
            self.hear_secrets_of_batch(known, batch);
            self.turn_out_batch(at, known, batch, &expected);
            self.widen(at, known, expected);
            return;
        }
        let is_whole = !expected.is_empty();
        let target = self.target_of(batch, None, &expected);
        let began = Begun {
            jid: batch.jid.as_ref(),
            key: batch.jid.clone().into_owned(),
            kind: RunKind::Batch,
            program: Program::Salt,
            user: batch.user,
            funs: batch.fun.iter().map(|fun| fun_name(fun)).collect(),
            arg: batch.arg,
            tgt: target.tgt,
            tgt_type: &target.tgt_type,
            expected,
            missing: MinionSet::new(),
            elsewhere: MinionSet::new(),
            schedule: None,
            metadata: None,
            batch: Some(batched(batch)),
            whole: target.is_known && are_whole(&batch.fun, batch.is_list),
            known_by: KnownBy::Publication,
        };
        let (run, job) = self.begin(now, at, began);
        if self.past.is_now {
            self.confirm_past(at, job);
        } else {
            self.confirm_batch(job, &batch.jid);
        }
        if let Some(mut live) = self.live.get_mut(&run) {
            live.told_end = !is_whole;
        }
    }

    /// A batch that the master drives tells of itself after its first slice, which looks like a job
    /// on a list.
    fn turn_out_batch(&mut self, at: Timestamp, job: JobId, batch: &Batch<'_>, asked: &MinionSet) {
        let Some(run) = self.state.jobs.get(&job).and_then(|job| self.state.runs.get(&job.run))
        else {
            return;
        };
        let (id, no_start) = (run.id, run.flags.contains(&Flag::NoStart));
        let is_first_slice = run.jobs.len() == 1
            && matches!(run.head.kind, RunKind::Command | RunKind::StateRun)
            && run.head.user == known_user(batch.user);
        if !is_first_slice {
            return;
        }
        let suspected = self.parents.take_suspect(id);
        let slice = self.state.jobs.get(&job).map(|job| &job.tally.expected);
        let asked = slice.map_or_else(|| asked.clone(), |slice| slice | asked);
        let mut target = self.target_of(batch, suspected.as_ref(), &asked);
        self.splitter.redactor().redact_value(&mut target.tgt, &mut Secrets::default());
        let left = suspected.as_ref().map(|batch| batch.left.clone()).unwrap_or_default();
        let arg = match suspected.map(|batch| batch.arg) {
            // Only a return told of it so far, and that does not say what was typed.
            None if no_start => Some(self.learn_arguments(id, batch)),
            arg => arg,
        };
        let as_batch = AsBatch {
            tgt: target.tgt,
            tgt_type: target.tgt_type,
            batched: batched(batch),
            whole: target.is_known && are_whole(&batch.fun, batch.is_list),
            left,
            arg,
            is_inferred: false,
        };
        self.revise(at, id, as_batch);
        self.reopen(at, id);
        if let Some(mut live) = self.live.get_mut(&id) {
            live.told_end = true;
        }
    }

    /// As of a job: what is secret in it the journal does not give back.
    fn hear_secrets_of_batch(&mut self, known: JobId, batch: &Batch<'_>) {
        let run = self.state.jobs.get(&known).and_then(|job| self.state.runs.get(&job.run));
        let is_same = |run: &&Run| run.head.user == known_user(batch.user);
        if let Some(run) =
            run.filter(is_same).map(|run| run.id).filter(|id| self.lacks_secrets(*id))
        {
            self.learn_arguments(run, batch);
        }
    }

    fn learn_arguments(&mut self, run: RunId, batch: &Batch<'_>) -> Value<'static> {
        let funs: Vec<String> = batch.fun.iter().map(|fun| fun_name(fun)).collect();
        let mut secrets = Secrets::default();
        let arg = self.learn(&funs, batch.arg, &mut secrets);
        self.secrets.extend(&secrets);
        if let Some(mut live) = self.live.get_mut(&run) {
            live.secrets.extend(&secrets);
        }
        arg
    }

    /// The target of a batch. The program `salt` calls every target a glob in its event (3008.2); what
    /// kind it is tells the `test.ping` before it, where the target stands as it was published.
    fn target_of(
        &self,
        batch: &Batch<'_>,
        suspected: Option<&SuspectedBatch>,
        asked: &MinionSet,
    ) -> Target {
        let user = known_user(batch.user);
        let gathered = match suspected {
            Some(known) => Some((known.tgt.as_str(), known.tgt_type.as_str())),
            None => self.parents.gathered(&user, asked),
        };
        match gathered.filter(|_| batch.tgt_type == "glob") {
            Some((tgt, tgt_type)) => Target {
                tgt: list_or_text(tgt, tgt_type),
                tgt_type: tgt_type.to_owned(),
                is_known: true,
            },
            None => Target {
                tgt: read(batch.tgt),
                tgt_type: batch.tgt_type.to_owned(),
                is_known: batch.tgt_type != "glob",
            },
        }
    }

    /// The master says that a batch is over: who has not returned will not be asked.
    pub(super) fn end_batch(&mut self, at: Timestamp, jid: &str) {
        let run = self.by_jid.get(jid).and_then(|job| self.state.jobs.get(job)).map(|job| job.run);
        let is_batch = |run: &RunId| {
            self.live.contains_key(run)
                && self.state.runs.get(run).is_some_and(|run| run.head.kind == RunKind::Batch)
        };
        let Some(run) = run.filter(is_batch) else {
            return;
        };
        // What is returned through a syndic comes behind that word.
        let is_complete = self.state.runs.get(&run).is_some_and(|run| !run.tally.is_waiting());
        let passed_on = self.live.get(&run).is_some_and(|live| !live.passed_on.is_empty());
        if is_complete || !passed_on {
            self.end(at, run);
        } else if let Some(mut live) = self.live.get_mut(&run) {
            live.told_end = false;
        }
    }

    /// The run that a published job belongs to, if it is not one by itself.
    pub(super) fn parent_of(
        &mut self,
        at: Timestamp,
        job: Published<'_>,
        redacted: &RedactedLoad,
    ) -> Option<RunId> {
        if let Some(run) = self.parents.take_child(job) {
            return Some(run).filter(|run| self.live.contains_key(run));
        }
        let goes_on = |batch: &SuspectedBatch| {
            let ended = self.state.runs.get(&batch.run).map(|run| run.finished_at);
            match ended {
                Some(Some(ended)) => at.duration_since(ended).unsigned_abs() < NEXT_SLICE_WITHIN,
                Some(None) => true,
                None => false,
            }
        };
        let slice = self.parents.take_slice(job, goes_on)?;
        let (run, gather) = (slice.run, slice.gather);
        let as_batch = AsBatch {
            tgt: list_or_text(&slice.tgt, &slice.tgt_type),
            tgt_type: slice.tgt_type.clone(),
            batched: Batched { size: u32::try_from(slice.size).ok(), ..Batched::default() },
            whole: true,
            arg: Some(redacted.arg.clone()),
            left: slice.left.clone(),
            is_inferred: true,
        };
        let known = self.state.runs.get(&run)?;
        let is_news = known.head.kind != RunKind::Batch;
        self.reopen(job.at, run);
        if is_news {
            self.give_up_absent(run, gather, &as_batch.left);
            self.revise(at, run, as_batch);
        }
        Some(run)
    }

    /// Who did not answer the `test.ping` before a batch is never asked.
    fn give_up_absent(&mut self, run: RunId, gather: JobId, left: &MinionSet) {
        if let (Some(gather), Some(mut live)) =
            (self.state.jobs.get(&gather), self.live.get_mut(&run))
        {
            live.gone |= left - &gather.tally.returned;
        }
    }

    fn revise(&mut self, at: Timestamp, run: RunId, batch: AsBatch) {
        let Some(known) = self.state.runs.get(&run) else {
            return;
        };
        let mut head = known.head.clone();
        head.kind = RunKind::Batch;
        let line = batch.arg.as_ref().map(|arg| {
            command_line(&CommandParts {
                program: Program::Salt,
                tgt: Some(&batch.tgt),
                tgt_type: &batch.tgt_type,
                funs: &head.funs,
                arg,
                batch: Some(batch.batched),
                whole: batch.whole,
            })
        });
        let exact = line.as_ref().is_some_and(|line| line.exact);
        head.command = line.map_or(head.command, |line| line.text);
        (head.tgt, head.tgt_type) = (target_text(&batch.tgt), batch.tgt_type);
        let said = known.said;
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        let expected = named_set(batch.left, &mut payloads);
        let what = What::RunRevised { run, head, said, expected };
        self.emit(at, what, payloads);
        if batch.is_inferred {
            self.flag(at, run, Flag::Inferred);
        }
        if !exact {
            self.flag(at, run, Flag::Inexact);
        }
    }

    pub(super) fn remember_gather(&mut self, now: Timestamp, run: RunId, job: JobId) {
        let (Some(run), Some(known)) = (self.state.runs.get(&run), self.state.jobs.get(&job))
        else {
            return;
        };
        let is_gather = matches!(run.head.funs.as_slice(), [fun] if fun == "test.ping");
        if is_gather && run.jobs.len() == 1 {
            self.parents.gather(Gather {
                job,
                user: run.head.user.clone(),
                minions: known.tally.expected.clone(),
                tgt: run.head.tgt.clone(),
                tgt_type: run.head.tgt_type.clone(),
                since: now,
            });
        }
    }
}

/// Whether a `test.ping` may have been a batch's, that publishes its first slice now: as soon as all
/// have answered, or when its time is up.
pub(super) fn is_near(state: &State, settings: &Settings, gather: &Gather, now: Timestamp) -> bool {
    let run = state.jobs.get(&gather.job).and_then(|job| state.runs.get(&job.run));
    let since = |at: Timestamp| now.duration_since(at).unsigned_abs();
    let waits = settings.timeout + settings.gather_job_timeout + FIRST_SLICE_WITHIN;
    match run.map(|run| run.finished_at) {
        Some(Some(ended)) => {
            // With masters below, the client waits on for minions that may be there.
            since(ended) < FIRST_SLICE_WITHIN
                || settings.order_masters && since(ended) < waits
                || run.is_some_and(|run| !run.tally.silent.is_empty()) && since(ended) < waits
        }
        Some(None) => since(gather.since) < waits,
        None => false,
    }
}

fn batched(batch: &Batch<'_>) -> Batched {
    let size = batch.size.and_then(|size| u32::try_from(size).ok());
    Batched { size, failhard: batch.failhard, wait: batch.wait }
}
