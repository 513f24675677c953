//! What would be said of a run now, read from the journal.
//!
//! Runs on a thread of its own beside the async world, because SQLite blocks.

use herald_core::announce::Announcement;
use herald_core::compose::{Context, announce, announce_quiet};
use herald_core::digest::Digest;
use herald_core::owed::{Manner, Said, Step, digest_of_message, digest_of_thread, next_step};
use herald_core::run::{Run, RunId, RunStatus};
use std::time::Duration;

use crate::store::{Delivery, DeliveryState, JournalReader, Part, StoreError};

/// One run at one sink.
#[derive(Debug)]
pub(super) struct View {
    pub(super) announcement: Announcement,
    /// The run's version that this was made from.
    pub(super) version: u64,
    pub(super) step: Option<Step>,
    pub(super) message: Option<String>,
    pub(super) thread: Option<String>,
    /// Nothing was ever said of it here.
    pub(super) is_new: bool,
}

/// How a sink is served.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) sink: String,
    pub(super) edits: bool,
    pub(super) slow_after: Duration,
    pub(super) master: Option<String>,
}

/// Reads a run and decides what the sink is owed of it. Nothing when there is no such run.
pub(super) fn look(
    reader: &mut JournalReader,
    service: &Service,
    id: RunId,
) -> Result<Option<View>, StoreError> {
    let Some((run, version)) = reader.run(id)? else {
        return Ok(None);
    };
    let deliveries = reader.deliveries(id, &service.sink)?;
    let Some(announcement) = announcement(reader, service, &run)? else {
        return Ok(None);
    };
    let took = run.finished_at.map(|at| at.duration_since(run.started_at).unsigned_abs());
    let manner =
        Manner { edits: service.edits, slow: took.is_some_and(|took| took > service.slow_after) };
    let said = said(&deliveries, version, &announcement);
    let place = |part| {
        deliveries
            .iter()
            .find(|delivery| delivery.part == part)
            .and_then(|delivery| delivery.message.clone())
    };
    Ok(Some(View {
        step: next_step(&announcement, said, manner),
        announcement,
        version,
        message: place(Part::Message),
        thread: place(Part::Thread),
        is_new: deliveries.is_empty(),
    }))
}

fn announcement(
    reader: &mut JournalReader,
    service: &Service,
    run: &Run,
) -> Result<Option<Announcement>, StoreError> {
    let together = if run.told_with == Some(run.id) && !run.said {
        reader.told_with(run.id)?
    } else {
        vec![run.clone()]
    };
    let has_failed = run.status != RunStatus::Running;
    let ids: Vec<RunId> = together.iter().map(|run| run.id).collect();
    let failures = if has_failed { reader.failures(&ids)? } else { Vec::new() };
    let context = Context { master: service.master.as_deref(), minions: reader.minions()? };
    Ok(match together.as_slice() {
        [run] => Some(announce(run, &failures, context)),
        runs => announce_quiet(runs, &failures, context),
    })
}

/// What was said, by digest. What was said of this very version is as it should be, though this
/// salt-herald would say it in other words: an upgrade does not edit what is closed.
fn said(deliveries: &[Delivery], version: u64, announcement: &Announcement) -> Said {
    let mut said = Said::default();
    for delivery in deliveries {
        let is_this = delivery.version == version && delivery.said.is_some();
        let digest = match delivery.part {
            _ if !is_this => delivery.said.map(Digest),
            Part::Thread => Some(digest_of_thread(announcement)),
            Part::Message | Part::Ending => Some(digest_of_message(announcement)),
        };
        let given_up = delivery.state == DeliveryState::GivenUp;
        match delivery.part {
            Part::Message => (said.message, said.given_up) = (digest, given_up),
            Part::Thread => (said.thread, said.thread_given_up) = (digest, given_up),
            Part::Ending => said.ending = digest,
        }
    }
    said
}
