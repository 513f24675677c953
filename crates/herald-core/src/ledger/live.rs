//! The open runs, and for which of them time is up next.
//!
//! Each is filed under its deadline whenever it may have changed, so that nobody has to look at all of
//! them to know the next one: ten thousand can be open at once, and the question comes with each event.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use jiff::Timestamp;

use super::Settings;
use super::finish::Live;
use crate::run::RunId;

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Salt's `timeout`.
    pub(super) timeout: Duration,
    /// Salt's `gather_job_timeout`.
    pub(super) gather_job_timeout: Duration,
    /// For a run that nobody polls.
    pub(super) unpolled: Duration,
}

impl Patience {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            timeout: settings.timeout,
            gather_job_timeout: settings.gather_job_timeout,
            unpolled: settings.patience,
        }
    }
}

/// The open runs.
#[derive(Debug)]
pub(super) struct LiveRuns {
    runs: HashMap<RunId, Filed>,
    deadlines: Deadlines,
    patience: Patience,
}

/// By deadline: those for which time passes now, and those for which it passes in the past.
#[derive(Debug, Default)]
struct Deadlines {
    now: BTreeSet<(Timestamp, RunId)>,
    past: BTreeSet<(Timestamp, RunId)>,
}

/// A run, and under what it is filed.
#[derive(Debug)]
struct Filed {
    live: Live,
    due: Timestamp,
    by_past: bool,
}

impl Deadlines {
    fn of(&mut self, by_past: bool) -> &mut BTreeSet<(Timestamp, RunId)> {
        if by_past { &mut self.past } else { &mut self.now }
    }

    fn file(&mut self, id: RunId, filed: &mut Filed, patience: Patience) {
        let (due, by_past) = (filed.live.deadline(patience), filed.live.by_past);
        if (due, by_past) != (filed.due, filed.by_past) {
            self.of(filed.by_past).remove(&(filed.due, id));
            self.of(by_past).insert((due, id));
            (filed.due, filed.by_past) = (due, by_past);
        }
    }
}

/// A run that is being changed. It is filed anew when this is dropped.
pub(super) struct LiveMut<'a> {
    id: RunId,
    filed: &'a mut Filed,
    deadlines: &'a mut Deadlines,
    patience: Patience,
}

impl Deref for LiveMut<'_> {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.filed.live
    }
}

impl DerefMut for LiveMut<'_> {
    fn deref_mut(&mut self) -> &mut Live {
        &mut self.filed.live
    }
}

impl Drop for LiveMut<'_> {
    fn drop(&mut self) {
        self.deadlines.file(self.id, self.filed, self.patience);
    }
}

impl LiveRuns {
    pub(super) fn new(patience: Patience) -> Self {
        Self { runs: HashMap::new(), deadlines: Deadlines::default(), patience }
    }

    /// Waits longer or shorter from now on.
    pub(super) fn change_patience(&mut self, patience: Patience) {
        self.patience = patience;
        self.change_all(|_| {});
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn contains_key(&self, id: &RunId) -> bool {
        self.runs.contains_key(id)
    }

    pub(super) fn get(&self, id: &RunId) -> Option<&Live> {
        self.runs.get(id).map(|filed| &filed.live)
    }

    pub(super) fn get_mut(&mut self, id: &RunId) -> Option<LiveMut<'_>> {
        let filed = self.runs.get_mut(id)?;
        let (deadlines, patience) = (&mut self.deadlines, self.patience);
        Some(LiveMut { id: *id, filed, deadlines, patience })
    }

    pub(super) fn insert(&mut self, id: RunId, live: Live) {
        self.remove(&id);
        let (due, by_past) = (live.deadline(self.patience), live.by_past);
        self.deadlines.of(by_past).insert((due, id));
        self.runs.insert(id, Filed { live, due, by_past });
    }

    pub(super) fn remove(&mut self, id: &RunId) -> Option<Live> {
        let Filed { live, due, by_past } = self.runs.remove(id)?;
        self.deadlines.of(by_past).remove(&(due, *id));
        Some(live)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &RunId> {
        self.runs.keys()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Live> {
        self.runs.values().map(|filed| &filed.live)
    }

    /// Changes every run.
    pub(super) fn change_all(&mut self, change: impl Fn(&mut Live)) {
        for (id, filed) in &mut self.runs {
            change(&mut filed.live);
            self.deadlines.file(*id, filed, self.patience);
        }
    }

    /// When time is up next: of those that live events tell of, or of those that only the past does.
    pub(super) fn next_due(&self, by_past: bool) -> Option<Timestamp> {
        let deadlines = if by_past { &self.deadlines.past } else { &self.deadlines.now };
        deadlines.first().map(|(due, _)| *due)
    }

    /// The runs whose time is up, in the order of their numbers.
    pub(super) fn due(&self, by_past: bool, now: Timestamp) -> Vec<RunId> {
        let deadlines = if by_past { &self.deadlines.past } else { &self.deadlines.now };
        let due = deadlines.iter().take_while(|(due, _)| *due <= now);
        let mut due: Vec<RunId> = due.map(|(_, id)| *id).collect();
        due.sort_unstable();
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::RunKind;

    fn at(second: u32) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + i64::from(second)).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_filed_is_what_a_walk_over_all_finds(
            deeds in prop::collection::vec((0u8..6, 0u64..8, 0u32..1_000), 0..80),
        ) {
            let mut runs = LiveRuns::new(Patience::of(&Settings::default()));
            for (deed, id, second) in deeds {
                let id = RunId(id);
                match deed {
                    0 | 1 => runs.insert(id, Live::new(at(second), RunKind::Command, deed == 1)),
                    2 => drop(runs.remove(&id)),
                    3 => {
                        if let Some(mut live) = runs.get_mut(&id) {
                            live.sign(at(second), second % 2 == 0);
                        }
                    }
                    4 => {
                        if let Some(mut live) = runs.get_mut(&id) {
                            live.open_ended = !live.open_ended;
                        }
                    }
                    _ => {
                        let patience = Duration::from_secs(u64::from(second));
                        let settings = Settings { patience, ..Settings::default() };
                        runs.change_patience(Patience::of(&settings));
                    }
                }
                for by_past in [false, true] {
                    let wanted = runs.values().filter(|live| live.by_past == by_past);
                    let wanted = wanted.map(|live| live.deadline(runs.patience)).min();
                    prop_assert_eq!(runs.next_due(by_past), wanted);
                    let due = runs.due(by_past, wanted.unwrap_or(at(0)));
                    prop_assert_eq!(due.is_empty(), wanted.is_none());
                }
            }
        }
    }
}
