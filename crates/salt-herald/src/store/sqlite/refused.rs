//! What can't be kept though nothing is wrong with the place where it is to be kept: it costs only itself,
//! and a gap says that it is missing.

use herald_core::change::{Change, GapReason, What};

use crate::store::Batch;

/// Says that a batch is missing; nothing where it says nothing.
pub(super) fn gap_instead(batch: &Batch) -> Option<Change> {
    let (first, last) = (batch.changes.first()?, batch.changes.last()?);
    let (from, to) = (first.at.min(last.at), first.at.max(last.at));
    let what = What::Gap { from, to, reason: GapReason::DiskAway };
    Some(Change { at: to, what, payloads: Vec::new() })
}
