//! Back-fill: after each gap, what the master's job cache still knows of it is put into the journal.
//!
//! A thread of low priority looks into the cache and waits for everybody; the intake asks it to, and
//! takes what it finds whenever nothing else is to be done. What an event of the past means is the
//! ledger's matter, and what is said of it the publisher's.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use herald_core::backfill::{Added, Backfill, CacheState, Counter};
use herald_core::redact::Redactor;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::intake::Intake;
use super::recording::refuse_away;
use super::walker::{Errand, Walker, Where};
use super::{Limits, RunError, job_cache_of, ledger_settings};
use crate::config::Config;
use crate::marks;
use crate::source::job_cache::Skipped;
use crate::source::{Heard, Item, Past, Queue};
use crate::store::{Gap, Journal, JournalWriter, StoreError};

/// Most open jobs that are looked for by their jids.
const MOST_OPEN: usize = 1_000;
/// How long to wait until a gap is on disk, or a batch of the past.
const MOMENT: Duration = Duration::from_millis(20);
/// How long at most to wait until a gap is on disk.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The back-fills of a daemon, one at a time.
pub(super) struct Backfills {
    place: Where,
    errands: Option<SyncSender<Errand>>,
    walker: Option<JoinHandle<()>>,
    /// A gap is to be filled, once it is on disk.
    due: Option<Due>,
    now: Option<Underway>,
    requests: Receiver<Request>,
    /// The last batch of the past is not on disk yet: no more before it is.
    settling: Option<oneshot::Receiver<()>>,
    was_connected: bool,
    /// Who is to be told once all is on disk, and what.
    done: Option<(mpsc::UnboundedSender<Answer>, Backfill)>,
}

/// A gap of which the journal is to tell.
#[derive(Debug, Clone, Copy)]
struct Due {
    /// It ended then or later; any will do where nothing is said.
    to: Option<Timestamp>,
    since: Instant,
}

impl Due {
    /// Of a gap that may never come: who wrote it may have made another of it.
    fn waits_for(&self, gaps: &[Gap], now: Instant) -> bool {
        let is_it = |to: Timestamp, gap: &Gap| gap.to.as_microsecond() >= to.as_microsecond();
        let is_there = self.to.is_none_or(|to| gaps.iter().any(|gap| is_it(to, gap)));
        !is_there && now.duration_since(self.since) < GIVE_UP
    }
}

struct Underway {
    errand: Errand,
    gaps: Vec<Gap>,
    counter: Counter,
    senseless: u64,
    answers: Option<mpsc::UnboundedSender<Answer>>,
}

/// Somebody asks for a back-fill of a time.
#[derive(Debug)]
pub(super) struct Request {
    /// From when on.
    pub(super) from: Timestamp,
    /// Until when.
    pub(super) to: Timestamp,
    /// Where it is told how it goes.
    pub(super) answers: mpsc::UnboundedSender<Answer>,
}

/// How a back-fill goes that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// So much was added so far.
    Progress(Added),
    /// It is over.
    Done(Backfill),
}

/// Asks for back-fills.
#[derive(Clone)]
pub(super) struct Requests {
    to: Sender<Request>,
    queue: Arc<Queue>,
}

impl Requests {
    /// Asks; false where nobody is there any more.
    pub(super) fn ask(&self, request: Request) -> bool {
        let is_asked = self.to.send(request).is_ok();
        self.queue.nudge();
        is_asked
    }
}

impl Backfills {
    /// Begins the thread that looks into the cache, and gives the way to ask for more than gaps.
    pub(super) fn start(place: Where, queue: Arc<Queue>) -> std::io::Result<(Self, Requests)> {
        let (to, requests) = channel();
        let asking = Requests { to, queue: Arc::clone(&queue) };
        let (errands, orders): (_, Receiver<Errand>) = sync_channel(1);
        let walker = Walker { place: place.clone(), queue };
        let thread = std::thread::Builder::new()
            .name("backfill".to_owned())
            .spawn(move || walker.walk_all(&orders))?;
        let backfills = Self {
            place,
            errands: Some(errands),
            walker: Some(thread),
            due: None,
            now: None,
            requests,
            settling: None,
            was_connected: false,
            done: None,
        };
        Ok((backfills, asking))
    }

    /// Takes note of what was heard.
    pub(super) fn hear(&mut self, item: &Item) {
        match item.heard {
            Heard::Gap { .. } => {
                self.due = Some(Due { to: Some(item.at), since: Instant::now() });
            }
            // One that an earlier process left.
            Heard::Connected if !self.was_connected => {
                self.was_connected = true;
                self.due = self.due.or(Some(Due { to: None, since: Instant::now() }));
            }
            _ => {}
        }
    }

    /// Whether the past may be taken now. While the disk is away, the memory is for what happens.
    pub(super) fn is_ready(&mut self, writer: &JournalWriter) -> bool {
        let is_settled = |waiting: &mut oneshot::Receiver<()>| {
            !matches!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        };
        if self.settling.as_mut().is_some_and(is_settled) {
            self.settling = None;
        }
        let is_ready = self.settling.is_none();
        if is_ready && let Some((answers, backfill)) = self.done.take() {
            let _ = answers.send(Answer::Done(backfill));
        }
        is_ready && !writer.is_away()
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
        if let Some(Underway { counter, answers: Some(answers), .. }) = &self.now {
            let _ = answers.send(Answer::Progress(sum(counter)));
        }
        Ok(())
    }

    /// Begins what is due.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub(super) fn turn(&mut self, intake: &mut Intake, now: Timestamp) -> Result<(), StoreError> {
        if self.now.is_some() {
            if self.walker.as_ref().is_none_or(JoinHandle::is_finished) {
                tracing::error!("the thread that looks into the job cache is gone");
                self.end(intake, now, CacheState::Failed, Skipped::default());
            }
            return Ok(());
        }
        match (self.due, self.requests.try_recv()) {
            // Who asks is served first: gaps may be waited for.
            (_, Ok(request)) => {
                self.begin_asked(intake, now, request);
                Ok(())
            }
            (Some(due), Err(_)) => self.begin_due(intake, now, due),
            (None, Err(_)) => Ok(()),
        }
    }

    fn begin_asked(&mut self, intake: &mut Intake, now: Timestamp, request: Request) {
        let Request { from, to, answers } = request;
        let (to, not_before) = (to.min(now), self.place.not_before(now));
        let open = intake.open_jids(MOST_OPEN);
        let errand = Errand { from, to, returns_to: now, not_before, open, asked_at: now };
        self.begin(intake, errand, Vec::new(), Some(answers));
    }

    fn begin_due(
        &mut self,
        intake: &mut Intake,
        now: Timestamp,
        due: Due,
    ) -> Result<(), StoreError> {
        let gaps = intake.gaps_to_fill()?;
        if due.waits_for(&gaps, Instant::now()) {
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
        let errand = Errand { from, to, returns_to: to, not_before, open, asked_at: now };
        self.begin(intake, errand, gaps, None);
        Ok(())
    }

    fn begin(
        &mut self,
        intake: &mut Intake,
        errand: Errand,
        gaps: Vec<Gap>,
        answers: Option<mpsc::UnboundedSender<Answer>>,
    ) {
        let ends: Vec<Timestamp> =
            if gaps.is_empty() { vec![errand.to] } else { gaps.iter().map(|gap| gap.to).collect() };
        // If nobody is there to take it, the next turn ends it.
        let _ = self.errands.as_ref().map(|errands| errands.try_send(errand.clone()));
        intake.begin_past();
        let counter = Counter::new(ends);
        self.now = Some(Underway { errand, gaps, counter, senseless: 0, answers });
    }

    /// Records what it came to.
    fn end(&mut self, intake: &mut Intake, now: Timestamp, cache: CacheState, skipped: Skipped) {
        let Some(mut underway) = self.now.take() else { return };
        let unread = skipped.total() + underway.senseless;
        let from = self.place.reaches_back_to(underway.errand.from, underway.errand.asked_at);
        // What somebody asked for mends no gap, and the master may have cleaned away what is older.
        let whole = cache == CacheState::Read
            && unread == 0
            && !underway.gaps.is_empty()
            && from == underway.errand.from
            && underway.errand.open.len() < MOST_OPEN;
        intake.end_past(now, whole, &mut underway.counter);
        let to = underway.errand.to;
        let gaps = underway.gaps.iter().map(|gap| Some(gap.entry));
        let gaps: Vec<Option<u64>> =
            if underway.gaps.is_empty() { vec![None] } else { gaps.collect() };
        let all = sum(&underway.counter);
        for (gap, added) in gaps.into_iter().zip(underway.counter.added()) {
            intake.note_backfilled(now, Backfill { gap, from, to, cache, added, unread });
        }
        if let Some(answers) = &underway.answers {
            let backfill = Backfill { gap: None, from, to, cache, added: all, unread };
            self.done = Some((answers.clone(), backfill));
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

fn sum(counter: &Counter) -> Added {
    let mut all = Added::default();
    counter.added().for_each(|added| all.add(added));
    all
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_that_never_comes_is_not_waited_for_for_ever() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let gap = |to| Gap {
            entry: 1,
            from: at(0),
            to: at(to),
            reason: "not running".to_owned(),
            filled: None,
        };
        let since = Instant::now();
        let due = Due { to: Some(at(10)), since };
        assert!(due.waits_for(&[gap(9)], since + GIVE_UP - MOMENT));
        assert!(!due.waits_for(&[gap(9), gap(10)], since));
        assert!(!due.waits_for(&[gap(9)], since + GIVE_UP));
        assert!(!Due { to: None, since }.waits_for(&[], since));
    }
}
