//! What becomes of minions' keys.
//!
//! Which event means what is the ledger's matter; how it is shown, the edges'.

use crate::run::named;

named! {
    /// What happened to a minion's key, or by it.
    KeyAct {
        /// Somebody accepted it.
        Accepted = 1, "accepted";
        /// Somebody rejected it.
        Rejected = 2, "rejected";
        /// Somebody deleted it.
        Deleted = 3, "deleted";
        /// A minion came with a new key, which waits to be accepted.
        Waiting = 4, "waiting";
        /// A minion came with another key than the one that is known under its name, and was refused.
        Denied = 5, "denied";
        /// A minion could not authenticate for another reason.
        Failed = 6, "failed";
        /// A minion authenticated with another key than before.
        Changed = 7, "changed";
        /// A minion authenticated for the first time since the journal began: nothing of note, but what
        /// comes later is compared with it.
        Seen = 8, "seen";
    }
}

impl KeyAct {
    /// What it is in words, after the minion's id.
    pub fn in_words(self) -> &'static str {
        match self {
            KeyAct::Accepted => "its key was accepted",
            KeyAct::Rejected => "its key was rejected",
            KeyAct::Deleted => "its key was deleted",
            KeyAct::Waiting => "its key waits to be accepted",
            KeyAct::Denied => "refused: it came with another key than the one that is known",
            KeyAct::Failed => "it could not authenticate",
            KeyAct::Changed => "it authenticated with another key than before",
            KeyAct::Seen => "it authenticated for the first time",
        }
    }
}
