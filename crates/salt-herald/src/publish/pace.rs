//! How often something may be said: Slack's limits, kept by us before Slack has to say no.
//!
//! Only arithmetic over instants that are passed in.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How fast a publisher goes: as fast as Slack lets everybody, or several times as fast beside a chat
/// that minds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(u32);

impl Default for Pace {
    fn default() -> Self {
        Self(1)
    }
}

impl Pace {
    /// So many times as fast as usual: everything that is waited for takes that much less.
    pub fn times(times: u32) -> Self {
        Self(times.max(1))
    }

    pub(super) fn wait(self, usual: Duration) -> Duration {
        usual / self.0
    }

    fn rate(self, per_second: f64) -> f64 {
        per_second * f64::from(self.0)
    }

    /// A sink's posts: one a second.
    pub(super) fn posts(self) -> Bucket {
        Bucket::new(1, self.rate(1.0))
    }

    /// How long to wait after so many failures in a row.
    pub(super) fn backoff(self, failures: u32) -> Duration {
        self.wait(Duration::from_millis(500 * (1 << failures.min(7))))
    }
}

/// A bucket of permissions that fills with time.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// Full at the beginning.
    pub(super) fn new(capacity: u32, per_second: f64) -> Self {
        Self { capacity: f64::from(capacity), per_second, level: f64::from(capacity), at: None }
    }

    fn fill(&mut self, now: Instant) {
        if let Some(at) = self.at {
            let passed = now.saturating_duration_since(at).as_secs_f64();
            self.level = (self.level + passed * self.per_second).min(self.capacity);
        }
        self.at = Some(now);
    }

    /// Takes one permission, leaving at least `reserve`; or says how long to wait.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(super) fn take(&mut self, now: Instant, reserve: f64) -> Result<(), Duration> {
        self.fill(now);
        let missing = 1.0 + reserve.min(self.capacity - 1.0) - self.level;
        if missing <= 1e-9 {
            self.level -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(missing / self.per_second))
    }
}

/// The edits of the whole app: all sinks share it.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Bucket>);

/// Edits that progress may not take, because endings will need them.
const RESERVE: f64 = 6.0;

impl Budget {
    /// Slack's Tier 3: 50 edits a minute for an app, of which some may come at once.
    pub(super) fn for_edits(pace: Pace) -> Self {
        Self(Mutex::new(Bucket::new(12, pace.rate(48.0 / 60.0))))
    }

    /// Takes an edit; progress leaves some for endings.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(super) fn take(&self, now: Instant, is_progress: bool) -> Result<(), Duration> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(now, if is_progress { RESERVE } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_by_the_clock() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, 1.0);
        assert_eq!(bucket.take(start, 0.0), Ok(()));
        assert_eq!(bucket.take(start, 0.0), Ok(()));
        assert_eq!(bucket.take(start, 0.0), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(start + Duration::from_secs(1), 0.0), Ok(()));
        assert!(bucket.take(start + Duration::from_secs(1), 0.0).is_err());
    }

    #[test]
    fn progress_leaves_edits_for_endings() {
        let start = Instant::now();
        let budget = Budget::for_edits(Pace::default());
        let progress = (0..50).take_while(|_| budget.take(start, true).is_ok()).count();
        let endings = (0..50).take_while(|_| budget.take(start, false).is_ok()).count();
        assert_eq!((progress, endings), (6, 6));
    }

    #[test]
    fn waiting_grows_and_is_bounded() {
        let pace = Pace::default();
        assert_eq!(pace.backoff(0), Duration::from_millis(500));
        assert!(pace.backoff(3) > pace.backoff(2));
        assert_eq!(pace.backoff(100), pace.backoff(7));
    }

    #[test]
    fn in_a_hurry_all_of_it_takes_less() {
        let (start, pace) = (Instant::now(), Pace::times(10));
        assert_eq!(pace.backoff(0), Duration::from_millis(50));
        let mut posts = pace.posts();
        assert_eq!(posts.take(start, 0.0), Ok(()));
        assert_eq!(posts.take(start, 0.0), Err(Duration::from_millis(100)));
    }
}
