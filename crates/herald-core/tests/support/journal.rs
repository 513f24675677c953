//! A journal in memory, for the tests of the ledger: the fold of what it gave out, and going on from
//! that after a restart. It expires nothing.

use std::collections::HashMap;

use herald_core::change::What;
use herald_core::digest::Digest;
use herald_core::entry::{Contents, EntryHead, decode, encode};
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use herald_core::run::{Job, Run, RunStatus};
use herald_core::state::State;
use jiff::Timestamp;
use salt_event::event::Event;

use super::Heard;

struct Payloads<'a>(&'a Heard);

impl Contents for Payloads<'_> {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        self.0.payloads.get(&digest).map(|(_, bytes)| bytes.clone())
    }
}

/// The fold of everything that was given out, by the way of its bytes.
pub fn folded(heard: &Heard) -> State {
    let mut state = State::default();
    for (place, change) in heard.changes.iter().enumerate() {
        let head = EntryHead { origin: [7; 16], number: place as u64 + 1 };
        let bytes = encode(head, change);
        let (read, change) = decode(&bytes, &mut Payloads(heard)).unwrap();
        assert_eq!(read, head);
        state.apply(&change);
    }
    state
}

/// What a journal would give back after a restart.
fn restored(heard: &Heard, state: &State) -> Restored {
    let minions = &state.minions;
    let open = state.runs.values().filter(|run| run.status == RunStatus::Running);
    let mut open: Vec<_> = open.map(|run| (run.clone(), jobs_of(state, run))).collect();
    open.sort_by_key(|(run, _)| run.id);
    let returned = heard.changes.iter().filter_map(|change| match &change.what {
        What::Returned { job, .. } => Some((state.jobs[job].run, change.at)),
        _ => None,
    });
    let mut returned_at = HashMap::new();
    for (run, at) in returned {
        let last = returned_at.entry(run).or_insert(at);
        *last = at.max(*last);
    }
    Restored {
        returned_at,
        minions: (0..minions.len()).map(|no| minions.name(no as u32).to_owned()).collect(),
        open,
        last_run: state.runs.keys().map(|run| run.0).max().unwrap_or(0),
        last_job: state.jobs.keys().map(|job| job.0).max().unwrap_or(0),
        keys: Default::default(),
    }
}

fn jobs_of(state: &State, run: &Run) -> Vec<Job> {
    run.jobs.iter().map(|job| state.jobs[job].clone()).collect()
}

impl Heard {
    /// Ends the process and begins another on its journal.
    pub fn restart(self, settings: Settings, now: Timestamp) -> Self {
        let journal = folded(&self);
        let ledger = Ledger::restore(
            settings,
            Redactor::new(Marks::new(&[7; 32])),
            now,
            restored(&self, &journal),
        );
        Self { ledger, journal, ..self }
    }

    /// Gives the ledger a run that only the journal remembers, as the daemon does.
    pub fn adopt(&mut self, now: Timestamp, event: &Event<'_>) {
        let Some(jid) = self.ledger.unknown_jid(event) else { return };
        let is_it = |run: &&Run| run.jids.iter().any(|known| known == jid);
        for run in self.journal.runs.values().filter(is_it) {
            self.ledger.adopt(now, run.clone(), jobs_of(&self.journal, run));
        }
    }
}
