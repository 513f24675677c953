//! What things are called: minions by number, jobs by jid.

use jiff::Timestamp;
use salt_event::Raw;

use super::Ledger;
use crate::change::What;
use crate::minions::{MinionNo, MinionSet, Minions};
use crate::run::{Job, Run};

impl Ledger {
    /// The number of a minion, which it has from now on.
    pub(super) fn intern(&mut self, at: Timestamp, name: &str) -> MinionNo {
        if let Some(number) = self.state.minions.number(name) {
            return number;
        }
        let minion = MinionNo::try_from(self.state.minions.len()).unwrap_or(MinionNo::MAX);
        self.emit(at, What::MinionSeen { minion, name: name.to_owned() }, Vec::new());
        minion
    }

    pub(super) fn intern_all(&mut self, at: Timestamp, names: Raw<'_>) -> MinionSet {
        let is_id = |id: &&str| !id.is_empty() && id.len() <= salt_event::tag::MAX_MINION;
        names.items().filter_map(Raw::text).filter(is_id).map(|id| self.intern(at, id)).collect()
    }
}

/// The key of a job in memory. Jobs without a publication can share a jid, by the clocks of two
/// minions: they are told apart by the minion.
pub(super) fn key_of(job: &Job, run: &Run, minions: &Minions) -> String {
    use crate::run::RunKind::{Local, Scheduled};
    match (run.head.kind, job.tally.expected.min()) {
        (Local | Scheduled, Some(minion)) => lone_key(&job.jid, minions.name(minion)),
        _ => job.jid.clone(),
    }
}

pub(super) fn lone_key(jid: &str, minion: &str) -> String {
    format!("{jid} {minion}")
}

/// A name from an event, cut to a length that an entry may hold.
pub(super) fn short(text: &str) -> String {
    text.chars().take(256).collect()
}
