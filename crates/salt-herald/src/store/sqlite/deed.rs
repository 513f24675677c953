//! What the writer is asked to do. It can be done again: what is done in memory while the file can't be
//! written is done once more in the file when it can.

use herald_core::run::{Job, Run, RunId, Tally};
use tokio::sync::oneshot;

use super::write::Insert;
use crate::store::{Batch, Delivery, SinkState, StoreError, Told};

/// Something to be written.
pub(super) enum Deed {
    Record(Batch),
    Deliver(Vec<Delivery>),
    Introduce(String),
    Sink(SinkState),
    Told(String, Option<Told>),
    Withdraw(String, Vec<RunId>),
    Note(&'static str, i64),
    /// Runs after this one have messages with another name in their labels.
    Line(String, RunId),
    Settle,
}

/// A deed, and who waits for it.
pub(super) struct Order {
    pub(super) deed: Deed,
    pub(super) reply: Reply,
}

/// What is told to who waits for a deed, unless it is lost.
pub(super) type Answer = Option<Option<SinkState>>;

/// Who waits.
pub(super) enum Reply {
    Nobody,
    Done(oneshot::Sender<()>),
    Sink(oneshot::Sender<SinkState>),
}

impl Reply {
    /// Tells who waits that it is written. Who waits for what is lost learns that it is.
    pub(super) fn send(self, answer: Answer) {
        let Some(answer) = answer else { return };
        match (self, answer) {
            (Reply::Done(done), _) => {
                let _ = done.send(());
            }
            (Reply::Sink(done), Some(answer)) => {
                let _ = done.send(answer);
            }
            (Reply::Nobody | Reply::Sink(_), _) => {}
        }
    }
}

impl Insert<'_> {
    /// Writes what a deed says, and gives its answer.
    pub(super) fn carry_out(&mut self, deed: &Deed) -> Result<Option<SinkState>, StoreError> {
        match deed {
            Deed::Record(batch) => self.batch(batch)?,
            Deed::Deliver(deliveries) => {
                deliveries.iter().try_for_each(|delivery| self.delivery(delivery))?;
            }
            Deed::Introduce(sink) => return self.introduce(sink).map(Some),
            Deed::Sink(sink) => self.sink(sink)?,
            Deed::Told(sink, told) => self.told(sink, told.as_ref())?,
            Deed::Withdraw(sink, runs) => self.withdraw(sink, runs)?,
            Deed::Note(key, value) => self.note(key, *value)?,
            Deed::Line(name, last) => self.line(name, *last)?,
            Deed::Settle => {}
        }
        Ok(None)
    }
}

impl Deed {
    /// The runs of which it writes something.
    pub(super) fn runs(&self) -> Vec<RunId> {
        match self {
            Deed::Record(batch) => {
                let changed = batch.changes.iter().flat_map(|change| change.what.runs());
                let runs = batch.runs.iter().map(|run| run.id);
                let of_jobs = batch.jobs.iter().map(|job| job.run);
                changed.flatten().chain(runs).chain(of_jobs).collect()
            }
            Deed::Deliver(deliveries) => {
                let leads = deliveries.iter().filter_map(|delivery| delivery.lead);
                deliveries.iter().map(|delivery| delivery.run).chain(leads).collect()
            }
            Deed::Withdraw(_, runs) => runs.clone(),
            _ => Vec::new(),
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        match self {
            Deed::Record(batch) => {
                let payloads = batch.changes.iter().flat_map(|change| &change.payloads);
                let payloads: usize = payloads.map(|payload| payload.bytes.len() + 96).sum();
                let runs: usize = batch.runs.iter().map(size_of_run).sum();
                let jobs: usize = batch.jobs.iter().map(size_of_job).sum();
                payloads + runs + jobs + batch.changes.len() * 512
            }
            Deed::Deliver(deliveries) => deliveries.len() * 512,
            Deed::Withdraw(_, runs) => 64 + runs.len() * 8,
            Deed::Sink(sink) => 256 + sink.doubt.len() * 16,
            Deed::Introduce(_)
            | Deed::Told(..)
            | Deed::Note(..)
            | Deed::Line(..)
            | Deed::Settle => 64,
        }
    }
}

fn size_of_run(run: &Run) -> usize {
    1024 + run.head.command.len() + size_of_tally(&run.tally)
}

fn size_of_job(job: &Job) -> usize {
    512 + size_of_tally(&job.tally)
}

fn size_of_tally(tally: &Tally) -> usize {
    let Tally { expected, returned, failed, changed, would_change, missing, silent } = tally;
    [expected, returned, failed, changed, would_change, missing, silent]
        .iter()
        .map(|set| set.serialized_size())
        .sum()
}
