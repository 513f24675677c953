//! Back-fill: what a time in which we were blind left out, and what was found of it afterwards in the
//! master's job cache.
//!
//! Only the account of it. How past events become runs is the ledger's matter, and reading a cache is
//! done elsewhere.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::change::{Change, What};
use crate::run::{RunId, named};

named! {
    /// How the job cache was found.
    CacheState {
        /// It was read.
        Read = 1, "read";
        /// There is none where the master's config says.
        Absent = 2, "absent";
        /// We may not read it.
        Denied = 3, "denied";
        /// The disk or the system says no.
        Failed = 4, "failed";
        /// The master puts no returns into it.
        NotKept = 5, "not_kept";
    }
}

/// What one back-fill came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfill {
    /// The number of the gap's entry; none where a person asked for it.
    pub gap: Option<u64>,
    /// From when on it looked: where the first of the gaps began.
    pub from: Timestamp,
    /// Until when it looked.
    pub to: Timestamp,
    /// How the job cache was found.
    pub cache: CacheState,
    /// What was added.
    pub added: Added,
    /// Files that could not be read, or made no sense.
    pub unread: u64,
}

/// What nobody can find afterwards.
pub const NOT_IN_A_CACHE: &str =
    "no job cache knows of runners that had not ended, wheel functions, and other events";

impl Backfill {
    /// What it came to, for people.
    pub fn in_words(&self) -> String {
        let unknown = "what ran is not known";
        let mut text = match self.cache {
            CacheState::Absent => format!("there is no job cache: {unknown}"),
            CacheState::Denied => format!("the job cache may not be read: {unknown}"),
            CacheState::Failed => format!("the job cache can't be read: {unknown}"),
            CacheState::NotKept => {
                format!("the master keeps no returns in its job cache: {unknown}")
            }
            CacheState::Read if self.added.is_nothing() => {
                "the job cache has nothing that is missing here".to_owned()
            }
            CacheState::Read => self.added.in_words(),
        };
        if self.unread > 0 {
            text.push_str(&format!(", {} of its files can't be read", self.unread));
        }
        text
    }
}

impl Added {
    /// Takes up another's.
    pub fn add(&mut self, other: Added) {
        self.runs += other.runs;
        self.returns += other.returns;
        self.completed += other.completed;
    }

    fn in_words(&self) -> String {
        let count = |count: u64, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            count => Some(format!("{count} {what}s")),
        };
        let found = [count(self.runs, "run"), count(self.returns, "return")];
        let found: Vec<String> = found.into_iter().flatten().collect();
        let completed = count(self.completed, "run").map(|runs| format!("{runs} completed"));
        let found = (!found.is_empty()).then(|| format!("{} back-filled", found.join(" and ")));
        found.into_iter().chain(completed).collect::<Vec<_>>().join(", ")
    }
}

/// What a back-fill added to the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Runs of which nothing was known.
    pub runs: u64,
    /// Returns.
    pub returns: u64,
    /// Runs that were open and are over now.
    pub completed: u64,
}

impl Added {
    /// Whether anything was.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts what past events change, for each of the gaps that are filled together.
#[derive(Debug)]
pub struct Counter {
    /// When each gap ended, and what was added to it.
    gaps: Vec<(Timestamp, Added)>,
    /// Anything was changed, whether or not it is counted.
    has_changes: bool,
    begun: HashSet<RunId>,
    completed: HashSet<RunId>,
}

impl Counter {
    /// For gaps that ended at these times, the earliest first. What came after the last counts for it.
    pub fn new(ends: impl IntoIterator<Item = Timestamp>) -> Self {
        let gaps = ends.into_iter().map(|end| (end, Added::default())).collect();
        Self { gaps, has_changes: false, begun: HashSet::new(), completed: HashSet::new() }
    }

    /// Takes note of changes that past events came to.
    pub fn take(&mut self, changes: &[Change]) {
        self.has_changes |= !changes.is_empty();
        for change in changes {
            let place = self.gaps.iter().position(|(end, _)| change.at < *end);
            let place = place.unwrap_or(self.gaps.len().saturating_sub(1));
            let Some((_, added)) = self.gaps.get_mut(place) else { return };
            match &change.what {
                What::RunStarted { run, .. } => {
                    self.begun.insert(*run);
                    added.runs += 1;
                }
                What::Returned { .. } => added.returns += 1,
                What::RunEnded { run, .. }
                    if !self.begun.contains(run) && self.completed.insert(*run) =>
                {
                    added.completed += 1;
                }
                _ => {}
            }
        }
    }

    /// Whether the past changed anything.
    pub fn has_changes(&self) -> bool {
        self.has_changes
    }

    /// What was added, for each gap.
    pub fn added(&self) -> impl Iterator<Item = Added> {
        self.gaps.iter().map(|(_, added)| *added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_back_fill_came_to_is_said() {
        let at = Timestamp::UNIX_EPOCH;
        let said = |cache, runs, returns, completed, unread| {
            let added = Added { runs, returns, completed };
            Backfill { gap: None, from: at, to: at, cache, added, unread }.in_words()
        };
        let texts = [
            said(CacheState::Read, 0, 0, 0, 0),
            said(CacheState::Read, 3, 12, 1, 0),
            said(CacheState::Read, 1, 1, 0, 2),
            said(CacheState::Read, 0, 1, 1, 0),
            said(CacheState::Read, 0, 0, 2, 0),
            said(CacheState::Absent, 0, 0, 0, 0),
            said(CacheState::Denied, 0, 0, 0, 0),
            said(CacheState::Failed, 1, 0, 0, 1),
            said(CacheState::NotKept, 0, 0, 0, 0),
        ];
        insta::assert_snapshot!(texts.join("\n"));
    }
}
