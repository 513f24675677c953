//! The queue between the reading side and the rest: bounded by bytes, and never waited for by the
//! one who puts in.
//!
//! One item always fits into an empty queue, however large it is.
//!
//! What the job cache tells has a small lane beside it: who fills that waits for room, and nothing is
//! taken out of it while anything else waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use herald_core::change::GapReason;
use jiff::Timestamp;

use super::{Heard, Item};
use crate::metrics::BusNumbers;

/// How many bytes may wait.
pub const MAX_WAITING: usize = 32 << 20;

/// About how many bytes are taken at once at the most: what one commit of the journal holds.
const TAKEN_AT_ONCE: usize = 2 << 20;

/// How many pieces of the past may wait.
const LANE: usize = 256;

/// Says why there is no room for what came at a time.
pub type Excuse = Box<dyn Fn(Timestamp) -> GapReason + Send + Sync>;

/// A bounded queue for one reader and one taker, with a lane for the past.
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// The lane has room again.
    room: Condvar,
    limit: usize,
    numbers: BusNumbers,
    excuse: Excuse,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    size: usize,
    past: VecDeque<Item>,
    past_size: usize,
    /// Whoever takes is to look around, though nothing came.
    nudged: bool,
    /// When the first and the last item was dropped, while items are dropped, and why the first.
    dropping: Option<(Timestamp, Timestamp, GapReason)>,
    closed: bool,
}

impl Queue {
    /// A queue in which so many bytes may wait.
    pub fn new(limit: usize) -> Self {
        Self::with_excuse(limit, Box::new(|_| GapReason::QueueFull))
    }

    /// The same where somebody else knows why nothing is taken out of it.
    pub fn with_excuse(limit: usize, excuse: Excuse) -> Self {
        let (state, filled, room, numbers) = Default::default();
        Self { state, filled, room, limit, numbers, excuse }
    }

    /// Counts there what does not fit.
    pub fn counted_by(self, numbers: &BusNumbers) -> Self {
        Self { numbers: numbers.clone(), ..self }
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.lock().size
    }

    /// How many bytes may.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Puts items in, in order. What does not fit is dropped, and told of as a gap once there is
    /// room again.
    pub fn push(&self, items: impl IntoIterator<Item = Item>) {
        let mut state = self.lock();
        for item in items {
            if !state.push(item, self.limit, &self.excuse) {
                self.numbers.dropped.inc();
            }
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Puts a piece of the past into its lane, and waits for room there. False once the queue is closed.
    pub fn push_past(&self, item: Item) -> bool {
        let is_full = |state: &mut State| {
            !state.closed && (state.past.len() >= LANE || state.past_size >= TAKEN_AT_ONCE)
        };
        let state = self.room.wait_while(self.lock(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return false;
        }
        state.past_size += item.size();
        state.past.push_back(item);
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Ends the wait of whoever takes, though nothing came.
    pub fn nudge(&self) {
        self.lock().nudged = true;
        self.filled.notify_one();
    }

    /// Takes the past that waits; nothing while anything else does.
    pub fn take_past(&self) -> Vec<Item> {
        let mut state = self.lock();
        if !state.items.is_empty() {
            return Vec::new();
        }
        state.past_size = 0;
        let taken = state.past.drain(..).collect();
        drop(state);
        self.room.notify_all();
        taken
    }

    /// Takes what waits, up to a number of items; waits for the first one, but not longer than
    /// `patience`, and not if `wants_past` and some of the past waits. Nothing, for ever, once the queue
    /// is closed and empty.
    pub fn take(&self, most: usize, patience: Duration, wants_past: bool) -> Option<Vec<Item>> {
        let state = self.lock();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, patience, |state| {
                let has_past = wants_past && !state.past.is_empty();
                state.items.is_empty() && !has_past && !state.nudged && !state.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.nudged = false;
        if state.items.is_empty() && state.closed {
            return None;
        }
        let mut size = 0;
        let fits = |item: &&Item| {
            let before = size;
            size += item.size();
            before < TAKEN_AT_ONCE
        };
        let count = state.items.iter().take(most).take_while(fits).count();
        let taken: Vec<Item> = state.items.drain(..count).collect();
        state.size -= taken.iter().map(Item::size).sum::<usize>();
        // Half of it must be free again before the next is taken: else there would be a gap for
        // every other event.
        if state.size <= self.limit / 2 {
            state.end_drop();
        }
        Some(taken)
    }

    /// Nothing more will come.
    pub fn close(&self) {
        let mut state = self.lock();
        state.end_drop();
        state.closed = true;
        drop(state);
        self.filled.notify_all();
        self.room.notify_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether it fitted.
    fn push(&mut self, item: Item, limit: usize, excuse: &Excuse) -> bool {
        let fits = self.items.is_empty() || self.size + item.size() <= limit;
        let is_small = !matches!(item.heard, Heard::Frame(_) | Heard::TooLong { .. });
        let is_taken = is_small || (fits && self.dropping.is_none());
        if is_taken {
            self.add(item);
        } else {
            let why = excuse(item.at);
            let (from, _, why) = self.dropping.unwrap_or((item.at, item.at, why));
            self.dropping = Some((from, item.at, why));
        }
        is_taken
    }

    /// There is room again: tells what was not taken.
    fn end_drop(&mut self) {
        if let Some((from, at, reason)) = self.dropping.take() {
            self.add(Item { at, heard: Heard::Gap { from, reason } });
        }
    }

    fn add(&mut self, item: Item) {
        self.size += item.size();
        self.items.push_back(item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Past;
    use super::*;
    use crate::source::job_cache::Skipped;
    use herald_core::backfill::CacheState;

    fn frame(second: i64, size: usize) -> Item {
        let at = Timestamp::from_second(second).unwrap();
        Item { at, heard: Heard::Frame(vec![0; size].into()) }
    }

    #[test]
    fn what_does_not_fit_is_one_gap() {
        let queue = Queue::new(1000);
        queue.push((0..10).map(|second| frame(second, 200)));
        let first = queue.take(100, Duration::ZERO, false).unwrap();
        let taken = first.len();
        assert!((1..10).contains(&taken), "{taken}");
        queue.push([frame(20, 10)]);
        let next = queue.take(100, Duration::ZERO, false).unwrap();
        let from = Timestamp::from_second(taken as i64).unwrap();
        let gap = Item {
            at: Timestamp::from_second(9).unwrap(),
            heard: Heard::Gap { from, reason: GapReason::QueueFull },
        };
        assert_eq!(next, [gap, frame(20, 10)]);
    }

    #[test]
    fn a_gap_is_told_though_nothing_comes_after_it() {
        let is_gap = |item: &Item| matches!(item.heard, Heard::Gap { .. });
        let queue = Queue::new(1000);
        queue.push((0..10).map(|second| frame(second, 200)));
        queue.take(100, Duration::ZERO, false).unwrap();
        assert!(queue.take(1, Duration::ZERO, false).unwrap().iter().all(is_gap));
        queue.push((0..10).map(|second| frame(second, 200)));
        queue.close();
        assert!(queue.take(100, Duration::ZERO, false).unwrap().iter().any(is_gap));
    }

    #[test]
    fn one_item_of_any_size_fits() {
        let queue = Queue::new(10);
        queue.push([frame(0, 100_000)]);
        assert_eq!(queue.take(1, Duration::ZERO, false).unwrap().len(), 1);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_then_nothing() {
        let queue = Queue::new(1000);
        queue.push([frame(0, 1)]);
        queue.close();
        assert_eq!(queue.take(9, Duration::from_secs(60), false).unwrap().len(), 1);
        assert_eq!(queue.take(9, Duration::from_secs(60), false), None);
    }

    fn past(second: i64) -> Item {
        let heard = Heard::Past(Past::Ends(CacheState::Read, Skipped::default()));
        Item { at: Timestamp::from_second(second).unwrap(), heard }
    }

    #[test]
    fn the_past_comes_after_all_that_is_heard() {
        let queue = Queue::new(1000);
        assert!(queue.push_past(past(1)));
        queue.push([frame(2, 1)]);
        assert_eq!(queue.take_past(), []);
        assert_eq!(queue.take(9, Duration::ZERO, true).unwrap(), [frame(2, 1)]);
        assert_eq!(queue.take(9, Duration::from_secs(60), true).unwrap(), []);
        assert_eq!(queue.take_past(), [past(1)]);
    }

    #[test]
    fn the_past_waits_for_room_and_nothing_waits_for_it() {
        let queue = Queue::new(1000);
        std::thread::scope(|scope| {
            let pushed = scope.spawn(|| (0..1000).all(|second| queue.push_past(past(second))));
            let mut taken = 0;
            while taken < 1000 {
                queue.push([frame(1, 1)]);
                queue.take(9, Duration::from_secs(60), true).unwrap();
                let some = queue.take_past();
                assert!(some.len() <= LANE);
                taken += some.len();
            }
            assert!(pushed.join().unwrap());
            queue.close();
            assert!(!queue.push_past(past(0)), "closed");
        });
    }
}
