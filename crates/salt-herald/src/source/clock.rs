//! The wall's clock, and when somebody puts it forward or back.
//!
//! What is recorded bears the wall's time. What is waited for must not come an hour early or late
//! because the clock was put: who waits is told of each step, and goes by the old time until then.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// What the clock goes wrong by at once and is no step: it is drawn along, or a thread waited.
const DRIFT: SignedDuration = SignedDuration::from_secs(2);

/// A clock that knows what time it should be.
#[derive(Debug)]
pub struct Clock {
    wall: Timestamp,
    at: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { wall: Timestamp::now(), at: Instant::now() }
    }
}

impl Clock {
    /// The time, and by how much the clock was put since it was last read.
    pub fn read(&mut self) -> (Timestamp, Option<SignedDuration>) {
        self.read_at(Timestamp::now(), Instant::now())
    }

    /// The time by the clock as it was before it was put; that it was is told elsewhere, by
    /// [`Self::set`].
    pub fn steady(&mut self) -> Timestamp {
        self.steady_at(Timestamp::now(), Instant::now())
    }

    /// The clock was put: from now on it is right again.
    pub fn set(&mut self) {
        *self = Self::default();
    }

    fn read_at(&mut self, wall: Timestamp, at: Instant) -> (Timestamp, Option<SignedDuration>) {
        let step = wall.duration_since(self.expected(at));
        *self = Self { wall, at };
        (wall, (step.abs() > DRIFT).then_some(step))
    }

    fn steady_at(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let expected = self.expected(at);
        if wall.duration_since(expected).abs() > DRIFT {
            return expected;
        }
        *self = Self { wall, at };
        wall
    }

    fn expected(&self, at: Instant) -> Timestamp {
        let passed = at.saturating_duration_since(self.at);
        self.wall.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    #[test]
    fn a_step_is_told_once_and_drifting_is_none() {
        let mut clock = Clock::default();
        let (mut wall, mut at) = (clock.wall, clock.at);
        let mut pass = |seconds: i64, passed: u64| {
            wall = wall.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            at += Duration::from_secs(passed);
            clock.read_at(wall, at).1
        };
        assert_eq!(pass(10, 10), None);
        assert_eq!(pass(11, 10), None, "drawn along");
        assert_eq!(pass(3_610, 10), Some(HOUR));
        assert_eq!(pass(10, 10), None);
        assert_eq!(pass(-3_590, 10), Some(-HOUR));
        assert_eq!(pass(0, 0), None);
    }

    #[test]
    fn who_waits_goes_by_the_old_time_until_it_is_told() {
        let mut clock = Clock::default();
        let (wall, at) = (clock.wall, clock.at);
        let put = wall.checked_add(HOUR).unwrap();
        assert_eq!(clock.steady_at(put, at), wall);
        let later = clock.steady_at(put, at + Duration::from_secs(5));
        assert_eq!(later, wall.checked_add(Duration::from_secs(5)).unwrap());
        clock = Clock { wall: put, at };
        assert_eq!(clock.steady_at(put, at), put);
    }
}
