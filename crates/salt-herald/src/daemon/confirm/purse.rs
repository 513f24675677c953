//! How often something may be done: so many times a second, and some more after a rest.

use std::time::{Duration, Instant};

/// How often in a second.
const EACH_SECOND: u32 = 1_000;
/// How often at once, after a rest.
const AT_ONCE: u32 = 500;

/// What may be spent.
#[derive(Debug)]
pub(super) struct Purse {
    left: u32,
    since: Instant,
}

impl Purse {
    pub(super) fn full(now: Instant) -> Self {
        Self { left: AT_ONCE, since: now }
    }

    /// Whether it may be done once more.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / EACH_SECOND;
        let earned = now.saturating_duration_since(self.since).as_micros() / each.as_micros();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.since = if earned >= AT_ONCE { now } else { self.since + each * earned };
        self.left = self.left.saturating_add(earned).min(AT_ONCE);
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_earned_again() {
        let start = Instant::now();
        let mut purse = Purse::full(start);
        assert_eq!((0..1_000).filter(|_| purse.take(start)).count(), 500);
        let soon = start + Duration::from_millis(100);
        assert_eq!((0..1_000).filter(|_| purse.take(soon)).count(), 100);
        let late = start + Duration::from_secs(3_600);
        assert_eq!((0..1_000).filter(|_| purse.take(late)).count(), 500);
    }
}
