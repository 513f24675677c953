//! Whether a run goes to a sink by the routes, asked before the first word of it is said there.
//!
//! The routes decide themselves, in [`herald_core::route`]; here it is only found out which run
//! they are asked about. What was said already is kept up to date whatever they say.

use std::borrow::Cow;

use herald_core::route::{Facts, leads_to};
use herald_core::run::Run;

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

/// The run whose facts decide: what is told together goes together.
pub(crate) fn leading_run<'a>(
    reader: &JournalReader,
    run: &'a Run,
) -> Result<Cow<'a, Run>, StoreError> {
    let Some(with) = run.told_with.filter(|with| *with != run.id) else {
        return Ok(Cow::Borrowed(run));
    };
    Ok(reader.run(with)?.map_or(Cow::Borrowed(run), |(leading, _)| Cow::Owned(leading)))
}

/// What the routes look at.
pub(crate) fn facts_of<'a>(
    reader: &'a mut JournalReader,
    run: &'a Run,
) -> Result<Facts<'a>, StoreError> {
    // The one line to connect what the API was given along with a job.
    let metadata = None;
    Ok(Facts { run, minions: reader.minions()?, metadata })
}
