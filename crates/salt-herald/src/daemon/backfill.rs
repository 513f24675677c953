//! Back-fill: after each gap, what the master's job cache still knows of it is put into the journal.
//!
//! A thread of low priority looks into the cache and waits for everybody; the intake asks it to, and
//! takes what it finds whenever nothing else is to be done. What an event of the past means is the
//! ledger's matter, and what is said of it the publisher's.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use herald_core::backfill::{Added, Backfill, CacheState, Counter};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::intake::Intake;
use super::walker::{Errand, Walker, Where};
use crate::source::job_cache::Skipped;
use crate::source::{Heard, Item, Past, Queue};
use crate::store::{Gap, StoreError};

/// Most open jobs that are looked for by their jids.
const MOST_OPEN: usize = 1_000;
/// How long to wait until a gap is on disk, or a batch of the past.
const MOMENT: Duration = Duration::from_millis(20);

/// The back-fills of a daemon, one at a time.
pub(super) struct Backfills {
    place: Where,
    errands: Option<SyncSender<Errand>>,
    walker: Option<JoinHandle<()>>,
    /// A gap that ended then is to be filled, once it is on disk.
    due: Option<Timestamp>,
    now: Option<Underway>,
    /// The last batch of the past is not on disk yet: no more before it is.
    settling: Option<oneshot::Receiver<()>>,
    was_connected: bool,
}

struct Underway {
    errand: Errand,
    gaps: Vec<Gap>,
    counter: Counter,
    senseless: u64,
}

impl Backfills {
    /// Begins the thread that looks into the cache.
    pub(super) fn start(place: Where, queue: Arc<Queue>) -> std::io::Result<Self> {
        let (errands, orders): (_, Receiver<Errand>) = sync_channel(1);
        let walker = Walker { place: place.clone(), queue };
        let thread = std::thread::Builder::new()
            .name("backfill".to_owned())
            .spawn(move || walker.walk_all(&orders))?;
        Ok(Self {
            place,
            errands: Some(errands),
            walker: Some(thread),
            due: None,
            now: None,
            settling: None,
            was_connected: false,
        })
    }

    /// Takes note of what was heard.
    pub(super) fn hear(&mut self, item: &Item) {
        match item.heard {
            Heard::Gap { .. } => self.due = Some(item.at),
            // One that an earlier process left.
            Heard::Connected if !self.was_connected => {
                self.was_connected = true;
                self.due = self.due.or(Some(Timestamp::MIN));
            }
            _ => {}
        }
    }

    /// Whether the past may be taken now.
    pub(super) fn is_ready(&mut self) -> bool {
        let is_settled = |waiting: &mut oneshot::Receiver<()>| {
            !matches!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        };
        if self.settling.as_mut().is_some_and(is_settled) {
            self.settling = None;
        }
        self.settling.is_none()
    }

    /// How long the intake may wait for what it hears.
    pub(super) fn patience(&self, patience: Duration) -> Duration {
        let waits = self.settling.is_some() || (self.due.is_some() && self.now.is_none());
        if waits { patience.min(MOMENT) } else { patience }
    }

    /// Takes what the cache told.
    ///
    /// # Errors
    /// When the journal is closed, or can't be read.
    pub(super) fn take(&mut self, intake: &mut Intake, items: &[Item]) -> Result<(), StoreError> {
        for item in items {
            let Some(underway) = &mut self.now else { return Ok(()) };
            match &item.heard {
                Heard::Past(Past::Piece(piece)) => {
                    let sense = intake.take_past(item.at, piece, &mut underway.counter)?;
                    underway.senseless += u64::from(!sense);
                }
                Heard::Past(Past::Ends(cache, skipped)) => {
                    self.end(intake, item.at, *cache, *skipped)
                }
                _ => {}
            }
        }
        if intake.waiting() > 0 {
            intake.flush()?;
            self.settling = Some(intake.writer().settling()?);
        }
        Ok(())
    }

    /// Begins what is due.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub(super) fn turn(&mut self, intake: &mut Intake, now: Timestamp) -> Result<(), StoreError> {
        let Some(due) = self.due.filter(|_| self.now.is_none()) else { return Ok(()) };
        let gaps = intake.gaps_to_fill()?;
        let is_there = gaps.iter().any(|gap| gap.to.as_microsecond() >= due.as_microsecond());
        if due > Timestamp::MIN && !is_there {
            return Ok(());
        }
        self.due = None;
        let (Some(from), Some(to)) =
            (gaps.iter().map(|gap| gap.from).min(), gaps.iter().map(|gap| gap.to).max())
        else {
            return Ok(());
        };
        let open = intake.open_jids(MOST_OPEN);
        let not_before = self.place.not_before(now).max(intake.begun_at()?.unwrap_or(from));
        self.begin(intake, Errand { from, to, not_before, open, asked_at: now }, gaps);
        Ok(())
    }

    fn begin(&mut self, intake: &mut Intake, errand: Errand, gaps: Vec<Gap>) {
        let ends: Vec<Timestamp> =
            if gaps.is_empty() { vec![errand.to] } else { gaps.iter().map(|gap| gap.to).collect() };
        let sent = self.errands.as_ref().map(|errands| errands.try_send(errand.clone()));
        if let Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) = sent {
            tracing::error!("the thread that looks into the job cache is gone");
            return;
        }
        intake.begin_past();
        self.now = Some(Underway { errand, gaps, counter: Counter::new(ends), senseless: 0 });
    }

    /// Records what it came to.
    fn end(&mut self, intake: &mut Intake, now: Timestamp, cache: CacheState, skipped: Skipped) {
        let Some(mut underway) = self.now.take() else { return };
        let unread = skipped.total() + underway.senseless;
        let whole = cache == CacheState::Read && unread == 0;
        intake.end_past(now, whole, &mut underway.counter);
        let from = self.place.reaches_back_to(underway.errand.from, underway.errand.asked_at);
        let to = underway.errand.to;
        let gaps = underway.gaps.iter().map(|gap| Some(gap.entry));
        let gaps: Vec<Option<u64>> =
            if underway.gaps.is_empty() { vec![None] } else { gaps.collect() };
        let mut all = Added::default();
        for (gap, added) in gaps.into_iter().zip(underway.counter.added()) {
            intake.note_backfilled(now, Backfill { gap, from, to, cache, added, unread });
            all.add(added);
        }
        let Added { runs, returns, completed } = all;
        let (from, to, cache) = (from.to_string(), to.to_string(), cache.name());
        tracing::info!(from, to, cache, runs, returns, completed, unread, "back-filled");
        if unread > 0 {
            let Skipped { gone, denied, odd, too_large, unreadable, no_load } = skipped;
            let unreadable = unreadable + underway.senseless;
            tracing::warn!(
                gone,
                denied,
                odd,
                too_large,
                unreadable,
                no_load,
                "not all of the job cache can be read"
            );
        }
    }

    /// Waits for the thread's end; the queue was closed.
    pub(super) fn stop(mut self) {
        self.errands = None;
        if let Some(walker) = self.walker.take() {
            let _ = walker.join();
        }
    }
}
