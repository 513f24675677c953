//! Back-fill: after each gap, what the master's job cache still knows of it is put into the journal.
//!
//! A thread of low priority looks into the cache and waits for everybody; the intake asks it to, and
//! takes what it finds whenever nothing else is to be done. What an event of the past means is the
//! ledger's matter, and what is said of it the publisher's.

mod by_hand;
mod due;
mod refusals;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use herald_core::backfill::{Added, Backfill, CacheState, Counter};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

pub use by_hand::backfill;
use due::{Again, Due};
use refusals::Refusals;

use super::intake::Intake;
use super::walker::{Errand, Walker, Where, later};
use crate::source::job_cache::Skipped;
use crate::source::{Heard, Item, Past, Queue};
use crate::store::{Gap, JournalWriter, StoreError};

/// Most open jobs that are looked for by their jids.
const MOST_OPEN: usize = 1_000;
/// How long to wait until a gap is on disk, or a batch of the past.
const MOMENT: Duration = Duration::from_millis(20);
/// Most gaps that wait to be looked into once more.
const MOST_AGAIN: usize = 8;

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
    /// Gaps that are to be looked into once more, and when.
    again: VecDeque<(Instant, Again)>,
    /// So much the journal had lost when that was asked last.
    lost: u64,
    refusals: Refusals,
    /// Who is to be told once all is on disk, and what.
    done: Option<(mpsc::UnboundedSender<Answer>, Backfill)>,
}

struct Underway {
    errand: Errand,
    gaps: Vec<Gap>,
    /// It was looked into before.
    again: Option<Again>,
    counter: Counter,
    senseless: u64,
    answers: Option<mpsc::UnboundedSender<Answer>>,
}

impl Underway {
    fn tell(&self, from: Timestamp, cache: CacheState, added: Added) {
        let Added { runs, returns, completed } = added;
        let (from, to, cache) = (from.to_string(), self.errand.to.to_string(), cache.name());
        tracing::info!(from, to, cache, runs, returns, completed, "back-filled");
    }

    /// Says what could not be read.
    fn warn(&self, skipped: Skipped, unread: u64) {
        if unread == 0 {
            return;
        }
        let Skipped { gone, denied, odd, too_large, unreadable, no_load } = skipped;
        let unreadable = unreadable + self.senseless;
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
            again: VecDeque::new(),
            lost: 0,
            refusals: Refusals::default(),
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
                self.due = self.due.or(Some(Due::any(Instant::now())));
            }
            _ => {}
        }
    }

    /// Whether the journal lost something since that was asked last, which is to be looked for then.
    pub(super) fn has_lost(&mut self, writer: &JournalWriter) -> bool {
        let lost = writer.lost();
        let is_more = std::mem::replace(&mut self.lost, lost) != lost;
        if is_more {
            let now = Instant::now();
            let pause = self.refusals.note(now);
            if !pause.is_zero() {
                tracing::warn!(
                    seconds = pause.as_secs(),
                    "the journal refuses again what is found in the job cache: it is looked for later"
                );
            }
            self.due = self.due.or(Some(Due::any(now + pause)));
        }
        is_more
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
        let now = Instant::now();
        let due = self.due.filter(|_| self.now.is_none());
        let waits = self.settling.is_some() || due.is_some_and(|due| due.is_ripe(now));
        let ripens = due.map_or(patience, |due| due.since.saturating_duration_since(now));
        if waits { patience.min(MOMENT) } else { patience.min(ripens.max(MOMENT)) }
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
                    self.end(intake, item.at, *cache, *skipped)?;
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
                self.end(intake, now, CacheState::Failed, Skipped::default())?;
            }
            return Ok(());
        }
        let due = self.due.filter(|due| due.is_ripe(Instant::now()));
        match (due, self.requests.try_recv()) {
            // Who asks is served first: gaps may be waited for.
            (_, Ok(request)) => {
                self.begin_asked(intake, now, request);
                Ok(())
            }
            (Some(due), Err(_)) => self.begin_due(intake, now, due),
            (None, Err(_)) => {
                self.begin_again(intake, now);
                Ok(())
            }
        }
    }

    fn begin_asked(&mut self, intake: &mut Intake, now: Timestamp, request: Request) {
        let Request { from, to, answers } = request;
        let (to, not_before) = (to.min(now), self.place.not_before(now));
        let open = intake.open_jids(MOST_OPEN);
        let errand = Errand { from, to, returns_to: now, not_before, open, asked_at: now };
        self.begin(intake, errand, Vec::new(), Some(answers));
    }

    /// What the master was late with.
    fn begin_again(&mut self, intake: &mut Intake, now: Timestamp) {
        if self.again.front().is_none_or(|(due, _)| *due > Instant::now()) {
            return;
        }
        let Some((_, again)) = self.again.pop_front() else { return };
        let to = again.gap.to;
        let errand = Errand {
            from: to,
            to,
            returns_to: later(to, self.place.look_again),
            not_before: self.place.not_before(now),
            open: intake.open_jids(MOST_OPEN),
            asked_at: now,
        };
        self.begin(intake, errand, Vec::new(), None);
        self.now.iter_mut().for_each(|underway| underway.again = Some(again.clone()));
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
        intake.begin_past(!gaps.is_empty());
        let counter = Counter::new(ends);
        let (again, senseless) = (None, 0);
        self.now = Some(Underway { errand, gaps, again, counter, senseless, answers });
    }

    /// Records what it came to.
    fn end(
        &mut self,
        intake: &mut Intake,
        now: Timestamp,
        cache: CacheState,
        skipped: Skipped,
    ) -> Result<(), StoreError> {
        let Some(mut underway) = self.now.take() else { return Ok(()) };
        let unread = skipped.total() + underway.senseless;
        let from = self.place.reaches_back_to(underway.errand.from, underway.errand.asked_at);
        // What somebody asked for mends no gap, and the master may have cleaned away what is older.
        let whole = cache == CacheState::Read
            && unread == 0
            && !underway.gaps.is_empty()
            && from == underway.errand.from
            && underway.errand.open.len() < MOST_OPEN;
        let whole_since = if whole { self.whole_since(intake, &underway.gaps)? } else { None };
        intake.end_past(now, whole_since, &mut underway.counter);
        let to = underway.errand.to;
        let all = sum(&underway.counter);
        if let Some(Again { gap, unread: before }) = &underway.again {
            // Mostly there is nothing, and then nothing is to be told.
            if underway.counter.has_changes() {
                let (gap, from, unread) = (Some(gap.entry), gap.from, unread.max(*before));
                let cache = CacheState::Read;
                intake.note_backfilled(now, Backfill { gap, from, to, cache, added: all, unread });
            }
            return Ok(());
        }
        let gaps = underway.gaps.iter().map(|gap| Some(gap.entry));
        let gaps: Vec<Option<u64>> =
            if underway.gaps.is_empty() { vec![None] } else { gaps.collect() };
        for (gap, added) in gaps.into_iter().zip(underway.counter.added()) {
            intake.note_backfilled(now, Backfill { gap, from, to, cache, added, unread });
        }
        if let Some(answers) = &underway.answers {
            let backfill = Backfill { gap: None, from, to, cache, added: all, unread };
            self.done = Some((answers.clone(), backfill));
        }
        if cache == CacheState::Read {
            self.look_again(&underway, unread);
        }
        underway.tell(from, cache, all);
        underway.warn(skipped, unread);
        Ok(())
    }

    /// The last of the gaps is looked into once more, if it ended a short while ago.
    fn look_again(&mut self, underway: &Underway, unread: u64) {
        let wait = self.place.look_again;
        let asked_at = underway.errand.asked_at;
        let latest = underway.gaps.iter().max_by_key(|gap| gap.to);
        let Some(gap) = latest.filter(|gap| later(gap.to, wait) > asked_at) else { return };
        if self.again.len() < MOST_AGAIN {
            let again = Again { gap: gap.clone(), unread };
            self.again.push_back((Instant::now() + wait, again));
        }
    }

    /// Since when nothing is missing any more, these gaps being read whole. One that came meanwhile is
    /// not read yet.
    fn whole_since(
        &self,
        intake: &mut Intake,
        gaps: &[Gap],
    ) -> Result<Option<Timestamp>, StoreError> {
        let read = gaps.iter().map(|gap| gap.entry).max().unwrap_or_default();
        let due = self.due.and_then(|due| due.to);
        Ok(intake.blind_until(read)?.map(|until| due.map_or(until, |due| due.max(until))))
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
