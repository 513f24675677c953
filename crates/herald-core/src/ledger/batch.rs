//! Batches: known from their own events (3008), or inferred from their slices.

use jiff::Timestamp;
use salt_event::Value;
use salt_event::event::Batch;

use super::head::{RedactedLoad, fun_name, list_or_text};
use super::parents::{Gather, Published};
use super::start::Begun;
use super::{Ledger, named_set};
use crate::change::{Storable, What};
use crate::command::{CommandParts, Program, command_line};
use crate::minions::MinionSet;
use crate::run::{Flag, RunHead, RunId, RunKind};

impl Ledger {
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

    pub(super) fn remember_gather(&mut self, now: Timestamp, head: &RunHead, minions: &MinionSet) {
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
