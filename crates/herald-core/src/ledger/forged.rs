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

    /// The same where only the tag tells, as of data that is not whole: `JID/new`.
    pub(super) fn hear_cut_twin(&mut self, at: Timestamp, tag: &str) {
        if let Some((jid, rest)) = tag.split_once('/')
            && is_jid(jid)
            && (rest == "new" || rest.starts_with("ret/"))
        {
            self.hear_twin(at, tag, jid);
        }
    }

    /// A minion that fires events with a prefix has each of them on the bus twice, once under the
    /// bare tag, under which the master fires none.
    pub(super) fn hear_twin(&mut self, at: Timestamp, tag: &str, jid: &str) {
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
