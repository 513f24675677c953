//! Rate limits: so many at once, so many a second after that. Time is an argument.

use tokio::time::Instant;

/// How fast something may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// In the long run, a second.
    pub per_second: f64,
    /// At once.
    pub burst: f64,
}

impl Rate {
    /// Messages into one channel: about one a second, short bursts pass.
    pub const POSTS: Self = Self { per_second: 1.0, burst: 5.0 };
    /// Slack's third tier: 50 a minute.
    pub const TIER_3: Self = Self { per_second: 50.0 / 60.0, burst: 20.0 };
}

/// One thing that is limited. No rate is no limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket {
    /// What was free when it was last looked at.
    last: Option<(Instant, f64)>,
}

impl Bucket {
    /// Takes one, or says how many seconds to wait.
    pub(crate) fn take(&mut self, rate: Option<Rate>, now: Instant) -> Result<(), u64> {
        let Some(rate) = rate else { return Ok(()) };
        let free = match self.last {
            None => rate.burst,
            Some((then, free)) => {
                let passed = now.saturating_duration_since(then).as_secs_f64();
                (free + passed * rate.per_second).min(rate.burst)
            }
        };
        let taken = free >= 1.0;
        self.last = Some((now, if taken { free - 1.0 } else { free }));
        if taken {
            return Ok(());
        }
        let wait = ((1.0 - free) / rate.per_second).ceil().clamp(1.0, 3_600.0);
        Err(wait as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::default();
        let rate = Some(Rate { per_second: 1.0, burst: 2.0 });
        assert_eq!(bucket.take(rate, start), Ok(()));
        assert_eq!(bucket.take(rate, start), Ok(()));
        assert_eq!(bucket.take(rate, start), Err(1));
        let later = start + Duration::from_secs(1);
        assert_eq!(bucket.take(rate, later), Ok(()));
        assert_eq!(bucket.take(rate, later), Err(1));
        assert_eq!(bucket.take(None, later), Ok(()));
    }
}
