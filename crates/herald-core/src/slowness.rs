//! Whether a disk is slow: commits that take seconds, again and again, or one that does not come back.
//!
//! One that takes long by itself is none: a disk that wakes up, or is copied, does that.

use std::time::{Duration, Instant};

/// What takes so long is slow.
pub const SLOW: Duration = Duration::from_secs(3);
/// So long it has to go on for people to be told.
pub const LASTS: Duration = Duration::from_secs(10);
/// So long after the last that was slow it is over.
pub const CALM: Duration = Duration::from_secs(20);

/// What is known of a disk's speed. It is told when something begins and ends, and asked now and then.
#[derive(Debug, Clone, Default)]
pub struct Slowness {
    /// What is under way began then.
    began: Option<Instant>,
    /// From when to when it was slow, without a calm between.
    spell: Option<(Instant, Instant)>,
    is_told: bool,
}

impl Slowness {
    /// Something begins.
    pub fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// It ends.
    pub fn end(&mut self, now: Instant) {
        self.weigh(now);
        self.began = None;
    }

    /// Since when the disk is slow, if it is.
    pub fn look(&mut self, now: Instant) -> Option<Instant> {
        self.weigh(now);
        let (since, last) = self.spell?;
        if now.saturating_duration_since(last) >= CALM {
            (self.spell, self.is_told) = (None, false);
            return None;
        }
        self.is_told |= last.saturating_duration_since(since) >= LASTS;
        self.is_told.then_some(since)
    }

    /// Takes what is under way for slow, once it takes long.
    fn weigh(&mut self, now: Instant) {
        let slow = self.began.filter(|began| now.saturating_duration_since(*began) >= SLOW);
        let Some(began) = slow else { return };
        let goes_on =
            |(_, last): &(Instant, Instant)| began.saturating_duration_since(*last) < CALM;
        let since = self.spell.filter(goes_on).map_or(began, |(since, _)| since);
        self.spell = Some((since, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known of the disk at some seconds, where commits take from one second to another.
    fn slow_at(commits: &[(u64, u64)], looks: &[u64]) -> Vec<Option<u64>> {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut slowness = Slowness::default();
        let mut found = Vec::new();
        for second in 0..=*looks.last().unwrap() {
            if commits.iter().any(|(_, end)| *end == second) {
                slowness.end(at(second));
            }
            if commits.iter().any(|(begin, _)| *begin == second) {
                slowness.begin(at(second));
            }
            let slow = slowness.look(at(second));
            if looks.contains(&second) {
                found.push(slow.map(|since| since.duration_since(start).as_secs()));
            }
        }
        found
    }

    #[test]
    fn a_commit_that_does_not_come_back_is_told_after_a_while_and_its_end_after_another() {
        let found = slow_at(&[(5, 100)], &[14, 15, 99, 119, 120, 121]);
        assert_eq!(found, [None, Some(5), Some(5), Some(5), None, None]);
    }

    #[test]
    fn commits_that_each_take_seconds_are_a_slow_disk() {
        let commits: Vec<(u64, u64)> = (0..9).map(|n| (n * 8, n * 8 + 4)).collect();
        assert_eq!(
            slow_at(&commits, &[10, 11, 68, 87, 88]),
            [None, Some(0), Some(0), Some(0), None]
        );
    }

    #[test]
    fn one_that_takes_long_now_and_then_is_no_slow_disk() {
        let commits = [(0, 9), (30, 39), (60, 62), (62, 64)];
        assert_eq!(slow_at(&commits, &[9, 20, 39, 64, 90]), [None; 5]);
    }
}
