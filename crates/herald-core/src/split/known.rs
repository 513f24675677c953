//! What a splitter has given out already, so that it is neither redacted nor given out again.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::digest::Digest;
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

type Items = HashMap<Digest, Item, BuildHasherDefault<FirstBytes>>;

/// A digest is its own hash: its first bytes are as good as any.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_ne_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

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
