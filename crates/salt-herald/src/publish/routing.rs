//! Whether a run goes to a sink by the routes, asked before the first word of it is said there.
//!
//! The routes decide themselves, in [`herald_core::route`]; here it is only found out which run
//! they are asked about. What was said already is kept up to date whatever they say.

use std::borrow::Cow;
use std::time::Duration;

use herald_core::route::{Facts, Route, leader, leads_to};
use herald_core::run::{Run, RunKind, RunStatus};
use jiff::Timestamp;
use tokio::time::Instant;

use super::view::Service;
use crate::store::{JournalReader, StoreError};

/// Whether a run goes to the sink.
pub(super) fn leads_here(
    reader: &mut JournalReader,
    service: &Service,
    run: &Run,
) -> Result<bool, StoreError> {
    if service.routes.is_empty() {
        return Ok(true);
    }
    let leading = leading_run(reader, run)?;
    let facts = facts_of(reader, &leading)?;
    Ok(leads_to(&service.routes, facts, &service.sink))
}

/// The master tells a job's metadata a moment after the job itself, seen up to 50 ms later.
const METADATA_WITHIN: Duration = Duration::from_millis(250);

/// Until when a run waits for its metadata, where a route asks for it.
pub(super) fn waits_until(service: &Service, run: &Run) -> Option<Instant> {
    let is_published =
        matches!(run.head.kind, RunKind::StateRun | RunKind::Command | RunKind::Batch);
    let is_missed = is_published
        && run.status == RunStatus::Running
        && run.head.metadata.is_none()
        && service.routes.iter().any(Route::asks_for_metadata);
    let age = Timestamp::now().duration_since(run.started_at).unsigned_abs();
    let left = METADATA_WITHIN.checked_sub(age).filter(|_| is_missed)?;
    Some(Instant::now() + left)
}

/// The run whose facts decide: what is told together goes together.
pub(crate) fn leading_run<'a>(
    reader: &JournalReader,
    run: &'a Run,
) -> Result<Cow<'a, Run>, StoreError> {
    let leader = leader(run);
    if leader == run.id {
        return Ok(Cow::Borrowed(run));
    }
    Ok(reader.run(leader)?.map_or(Cow::Borrowed(run), |(leading, _)| Cow::Owned(leading)))
}

/// What the routes look at.
pub(crate) fn facts_of<'a>(
    reader: &'a mut JournalReader,
    run: &'a Run,
) -> Result<Facts<'a>, StoreError> {
    Ok(Facts::of(run, reader.minions()?))
}
