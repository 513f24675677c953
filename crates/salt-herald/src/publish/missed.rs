//! What happened while we were blind: it is told as one digest once the back-fill that found it is
//! over, and not as news. Where nothing could be found out, that is told.
//!
//! How the digest reads is decided in [`herald_core::compose`], what goes into it in
//! [`herald_core::burst`].

use std::time::Duration;

use herald_core::announce::Notice;
use herald_core::backfill::CacheState;
use herald_core::compose::{Missed, not_known};
use herald_core::run::{Flag, Run};
use jiff::Timestamp;

use super::worker::Worker;
use crate::chat::DeliveryError;
use crate::metrics::Request;
use crate::store::{Backfilled, JournalReader, StoreError};

/// Of a shorter time it is not told that nothing is known of it.
const WORTH_A_WORD: Duration = Duration::from_secs(60);

/// How a run stands to what was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// It was seen as it happened, or something happened to it since.
    News,
    /// A back-fill is finding it: it is told of when that is over.
    UnderWay,
    /// The back-fill with this entry found it.
    Found(u64, Missed),
}

/// What became of a run when the past was looked into.
pub(super) fn finding(reader: &JournalReader, run: &Run) -> Result<Finding, StoreError> {
    if !run.flags.contains(&Flag::Backfilled) {
        return Ok(Finding::News);
    }
    Ok(match reader.found_by(run.id)? {
        None => Finding::UnderWay,
        Some(found) if reader.news_at(run)? >= found.backfill.to => Finding::News,
        // It was seen to begin, and would have been told of if anything could have been said.
        Some(found) if run.started_at < found.backfill.from => Finding::News,
        Some(found) => Finding::Found(found.entry, missed(&found)),
    })
}

/// The time of which a digest tells, if all its runs were found by a back-fill.
pub(super) fn told_as_missed<'a>(
    reader: &JournalReader,
    runs: impl Iterator<Item = &'a Run>,
) -> Result<Option<Missed>, StoreError> {
    let mut told = None;
    for run in runs {
        match reader.found_by(run.id)? {
            Some(found) if run.started_at < found.backfill.to => {
                told = told.or_else(|| Some(missed(&found)));
            }
            _ => return Ok(None),
        }
    }
    Ok(told)
}

fn missed(found: &Backfilled) -> Missed {
    let backfill = &found.backfill;
    Missed { from: backfill.from, to: backfill.to, asked: backfill.gap.is_none() }
}

/// The latest gap of which nobody could find out what ran, if that is to be told.
pub(super) fn unknown_since(
    reader: &JournalReader,
    sink: &str,
    entry: u64,
) -> Result<Option<Backfilled>, StoreError> {
    // Another channel of the same bot is not told.
    if sink.contains('#') {
        return Ok(None);
    }
    let is_worth_it = |one: &Backfilled| {
        let span = one.backfill.to.duration_since(one.backfill.from);
        one.backfill.cache != CacheState::Read
            && one.backfill.gap.is_some()
            && span.unsigned_abs() > WORTH_A_WORD
    };
    Ok(reader.backfills_after(entry)?.into_iter().rev().find(is_worth_it))
}

impl Worker {
    /// Tells that nothing is known of a time, once.
    pub(super) async fn tell_unknown(&mut self) {
        let Some(unknown) = self.unknown.take() else { return };
        let backfill = &unknown.backfill;
        let master = self.service.master.as_deref();
        let notice = not_known(backfill.from, backfill.to, &backfill.in_words(), master);
        if !self.notify_once(&notice).await {
            self.unknown = Some(unknown);
            return;
        }
        self.state.missed = unknown.entry;
        self.note_state().await;
    }

    /// Says a notice; false where it is to be tried again.
    pub(super) async fn notify_once(&mut self, notice: &Notice) -> bool {
        match self.counted(Request::Notice, self.sink.notify(notice)).await {
            Ok(()) => self.succeeded().await,
            // One that may have arrived, or is not taken, is not worth a second.
            Err(DeliveryError::InDoubt(_)) => {}
            Err(error) => {
                tracing::warn!(sink = self.service.sink, %error, "a notice was not said");
                return !self.comes_back(&error).await;
            }
        }
        true
    }
}

/// Whether it failed within the time of which it was told as missed: then the digest has said so.
pub(super) fn ended_within(missed: Missed, finished: Option<Timestamp>) -> bool {
    finished.is_some_and(|at| at < missed.to)
}
