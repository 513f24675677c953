//! Which gap is to be looked into, and from when on.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::store::Gap;

/// How long at most to wait until a gap is on disk.
pub(super) const GIVE_UP: Duration = Duration::from_secs(60);

/// A gap of which the journal is to tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// It ended then or later; any will do where nothing is said.
    pub(super) to: Option<Timestamp>,
    pub(super) since: Instant,
}

impl Due {
    /// Of whatever is not filled yet.
    pub(super) fn any(since: Instant) -> Self {
        Self { to: None, since }
    }

    /// Whether its time has come.
    pub(super) fn is_ripe(&self, now: Instant) -> bool {
        now >= self.since
    }

    /// Of a gap that may never come: who wrote it may have made another of it.
    pub(super) fn waits_for(&self, gaps: &[Gap], now: Instant) -> bool {
        let is_it = |to: Timestamp, gap: &Gap| gap.to.as_microsecond() >= to.as_microsecond();
        let is_there = self.to.is_none_or(|to| gaps.iter().any(|gap| is_it(to, gap)));
        !is_there && now.saturating_duration_since(self.since) < GIVE_UP
    }
}

/// A gap that was looked into, and is once more.
#[derive(Debug, Clone)]
pub(super) struct Again {
    pub(super) gap: Gap,
    /// So many files could not be read at first.
    pub(super) unread: u64,
}
