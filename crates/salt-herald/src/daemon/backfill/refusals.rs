//! How soon what the journal refused is looked for again. What it refuses each time would be found, and
//! refused, for ever.

use std::time::{Duration, Instant};

/// How long to wait after the second refusal; after each further one twice as long.
const FIRST: Duration = Duration::from_secs(10);
/// And no longer.
const MOST: Duration = Duration::from_secs(600);
/// After so long without one, the next is the first again.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// What is remembered of refusals.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    last: Option<Instant>,
    pause: Duration,
}

impl Refusals {
    /// Notes one, and gives how long to wait before it is looked for.
    pub(super) fn note(&mut self, now: Instant) -> Duration {
        let is_again = self.last.is_some_and(|last| now.duration_since(last) < FORGOTTEN);
        self.pause = if is_again { (self.pause * 2).clamp(FIRST, MOST) } else { Duration::ZERO };
        self.last = Some(now);
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_again_and_again_is_looked_for_less_and_less() {
        let (start, mut refusals) = (Instant::now(), Refusals::default());
        let pauses: Vec<u64> = (0..9).map(|_| refusals.note(start).as_secs()).collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(refusals.note(start + FORGOTTEN), Duration::ZERO);
    }
}
