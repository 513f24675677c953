//! What a splitter has given out already, so that it is neither redacted nor given out again.

use crate::digest::{Digest, DigestMap};
use crate::redact::Secrets;

/// What the digest of an unredacted item stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) definition: Digest,
    pub(super) body: Digest,
}

/// What was given out, in two generations: when the newer is full, the older is forgotten.
#[derive(Default)]
pub(super) struct Known {
    newer: Items,
    older: Items,
}

type Items = DigestMap<Item>;

/// How many items a generation of the memory holds: about 5 MB.
const GENERATION: usize = 32_768;

impl Known {
    pub(super) fn get(&mut self, key: &Digest) -> Option<Item> {
        if let Some(item) = self.newer.get(key) {
            return Some(*item);
        }
        let item = *self.older.get(key)?;
        self.insert(*key, item);
        Some(item)
    }

    pub(super) fn insert(&mut self, key: Digest, item: Item) {
        if self.newer.len() >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, item);
    }
}

/// What an item is remembered by: its unredacted form and the secrets that are looked for. Never
/// stored.
pub(super) fn known_as(bytes: &[u8], secrets: &Secrets) -> Digest {
    Digest::of_parts(&[&secrets.fingerprint().to_be_bytes(), bytes])
}
