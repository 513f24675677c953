//! A back-fill that a person asks for where no daemon runs: it opens the journal itself, and does what the
//! daemon's intake would do for it.

use std::sync::Arc;
use std::time::Duration;

use herald_core::backfill::{Added, Backfill};
use herald_core::redact::Redactor;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Answer, Backfills, Request};
use crate::config::Config;
use crate::daemon::intake::Intake;
use crate::daemon::recording::refuse_away;
use crate::daemon::{Limits, RunError, job_cache_of, ledger_settings};
use crate::marks;
use crate::source::Queue;
use crate::store::Journal;

/// Fills a journal that no daemon has open, and gives what it came to. `tell` hears how it goes.
///
/// # Errors
/// When the journal can't be opened or written, or no thread can be had.
pub fn backfill(
    config: &Config,
    from: Timestamp,
    to: Timestamp,
    mut tell: impl FnMut(Added),
) -> Result<Backfill, RunError> {
    let journal = Journal::open(&config.journal.path)?;
    let (reader, writer) = (journal.reader()?, journal.into_writer()?);
    let redactor = Redactor::new(marks::of_journal(&config.journal.path));
    let now = Timestamp::now();
    let mut intake = Intake::new(ledger_settings(config), redactor, reader, writer.clone(), now)?;
    let queue = Arc::new(Queue::new(crate::source::MAX_WAITING));
    let place = job_cache_of(config, Limits::default());
    let (mut backfills, requests) = Backfills::start(place, Arc::clone(&queue))?;
    let (answers, mut heard) = mpsc::unbounded_channel();
    requests.ask(Request { from, to, answers });
    let done = loop {
        let patience = backfills.patience(Duration::from_secs(1));
        refuse_away(&writer.disk())?;
        let is_ready = backfills.is_ready(&writer);
        queue.take(1, patience, is_ready);
        if is_ready {
            backfills.take(&mut intake, &queue.take_past())?;
        }
        backfills.turn(&mut intake, now)?;
        match heard.try_recv() {
            Ok(Answer::Progress(added)) => tell(added),
            Ok(Answer::Done(backfill)) => break backfill,
            Err(mpsc::error::TryRecvError::Empty) => {}
            Err(mpsc::error::TryRecvError::Disconnected) => {
                return Err("the thread that looks into the job cache is gone".into());
            }
        }
    };
    queue.close();
    backfills.stop();
    intake.flush_all()?;
    drop(intake);
    let disk = writer.disk();
    writer.close();
    refuse_away(&disk)?;
    Ok(done)
}
