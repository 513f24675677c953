//! What is said at once though it is no run: what minions made up, and what happens to keys.
//!
//! Which of it is said is the config's matter, how often, the publisher's, and in which words,
//! [`crate::compose`]'s.

use crate::key::KeyAct;
use crate::suspect::{Suspect, Why};

/// Something that is to be said, by its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The number of its entry.
    pub entry: u64,
    /// What it is.
    pub matter: Matter,
}

/// What there is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// Somebody made something up, or may have.
    Suspect(Suspect),
    /// Something happened to a minion's key.
    Key {
        /// What.
        act: KeyAct,
        /// Whose.
        minion: String,
    },
}

/// By which two are of the same kind: from whom it comes, or else whom it names; and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Likeness {
    who: String,
    what: Result<Why, KeyAct>,
}

impl Matter {
    /// By which it is of the same kind as another.
    pub fn likeness(&self) -> Likeness {
        let (who, what) = match self {
            Matter::Suspect(suspect) if suspect.sender.is_empty() => {
                (&suspect.minion, Ok(suspect.why))
            }
            Matter::Suspect(suspect) => (&suspect.sender, Ok(suspect.why)),
            Matter::Key { act, minion } => (minion, Err(*act)),
        };
        Likeness { who: who.clone(), what }
    }

    /// For how many it stands.
    pub fn count(&self) -> u64 {
        match self {
            Matter::Suspect(suspect) => u64::from(suspect.count),
            Matter::Key { .. } => 1,
        }
    }
}

/// What of it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRules {
    /// What minions made up.
    pub suspects: bool,
    /// What happens to keys.
    pub keys: Vec<KeyAct>,
}

impl Default for AlarmRules {
    /// A key that is another than before is said: somebody may have taken a minion's place. That keys are
    /// accepted and deleted is what sites do all day that let machines come and go.
    fn default() -> Self {
        Self { suspects: true, keys: vec![KeyAct::Denied, KeyAct::Changed] }
    }
}

impl AlarmRules {
    /// Whether it is said.
    pub fn say(&self, matter: &Matter) -> bool {
        match matter {
            // A minion that answers twice is for those who look.
            Matter::Suspect(suspect) => self.suspects && suspect.why != Why::Again,
            Matter::Key { act, .. } => self.keys.contains(act),
        }
    }
}
