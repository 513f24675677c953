//! Contents that were replaced because they held a secret, by the word of the chain: which of those that are not
//! what their name says are all the same what they should be.
//!
//! Who appends such an entry can pass off a change of contents as that: the next checkpoint signs for the entry,
//! with who did it, and when, by its own word.

use jiff::Timestamp;

use crate::digest::{Digest, DigestMap};
use crate::scrub::Scrub;

/// All that the chain says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubs {
    /// What each of the contents became, by the last word on it, and which entry that is.
    became: DigestMap<(u64, Digest)>,
    /// Who took what out, one for each time.
    told: Vec<ScrubTold>,
}

/// That something was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubTold {
    /// The entry that says so; where that is gone itself, one that repeats it.
    pub entry: u64,
    /// When it was done.
    pub when: Timestamp,
    /// Who did it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// How many contents were replaced.
    pub contents: u64,
}

/// What contents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// What their name says.
    AsNamed,
    /// What stands there since a secret was taken out.
    Scrubbed,
    /// What their name says, though a secret was taken out of that by this entry's word.
    Back(u64),
    /// Something else.
    Changed,
}

impl Scrubs {
    /// Takes up the next entry of the chain that says so.
    pub fn take(&mut self, entry: u64, scrub: &Scrub) {
        for pair in &scrub.pairs {
            self.became.insert(pair.digest, (entry, pair.became));
        }
        let contents = scrub.pairs.len() as u64;
        let (who, reason) = (scrub.who(), &scrub.reason);
        // One that was said in portions, or is said again.
        let same = self
            .told
            .iter_mut()
            .find(|told| told.when == scrub.when && told.who == who && told.reason == *reason);
        match same {
            Some(told) => told.contents += contents,
            None => self.told.push(ScrubTold {
                entry,
                when: scrub.when,
                who,
                reason: reason.clone(),
                contents,
            }),
        }
    }

    /// What contents by that name, with that digest, are.
    pub fn judge(&self, name: Digest, found: Digest) -> Stands {
        match (self.became.get(&name), found == name) {
            (Some((_, became)), _) if *became == found => Stands::Scrubbed,
            (Some((entry, _)), true) => Stands::Back(*entry),
            (None, true) => Stands::AsNamed,
            _ => Stands::Changed,
        }
    }

    /// Who took what out, in the order in which they did.
    pub fn told(&self) -> &[ScrubTold] {
        &self.told
    }
}
