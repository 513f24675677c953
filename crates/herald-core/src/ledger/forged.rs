//! Events that a minion made up: what can be told of them.
//!
//! It is not proof that all others are true: see the master's job cache.

use jiff::Timestamp;
use salt_event::time::is_jid;

use super::{Ledger, short};
use crate::change::What;
use crate::run::{Flag, RunId};

/// Most jids of forged jobs that are remembered.
const MAX_FORGED: usize = 256;

impl Ledger {
    /// The master says who sent it, or (with an empty sender) only that it can't be its own.
    pub(super) fn note_forged(&mut self, at: Timestamp, sender: &str, tag: &str) {
        let what = What::Forged { sender: short(sender), tag: short(tag) };
        self.emit(at, what, Vec::new());
    }

    /// A minion that fires events with a prefix has each of them on the bus twice, once under the
    /// bare tag: `JID/new`, which the master never fires.
    pub(super) fn hear_twin(&mut self, at: Timestamp, tag: &str) {
        let Some((jid, rest)) = tag.split_once('/') else {
            return;
        };
        if !is_jid(jid) || !(rest == "new" || rest.starts_with("ret/")) {
            return;
        }
        self.note_forged(at, "", tag);
        if self.forged.iter().any(|known| known == jid) {
            return;
        }
        if self.forged.len() >= MAX_FORGED {
            self.forged.pop_front();
        }
        self.forged.push_back(jid.to_owned());
        let job = self.by_jid.get(jid).and_then(|job| self.state.jobs.get(job));
        if let Some(run) = job.map(|job| job.run) {
            self.flag(at, run, Flag::Forged);
        }
    }

    /// The twin can come before the event itself.
    pub(super) fn flag_if_forged(&mut self, at: Timestamp, run: RunId, jid: &str) {
        if self.forged.iter().any(|known| known == jid) {
            self.flag(at, run, Flag::Forged);
        }
    }
}
