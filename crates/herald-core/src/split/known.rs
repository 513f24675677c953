//! What a splitter has given out already, so that it is neither redacted nor given out again.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128_with_secret;

use crate::digest::Digest;
use crate::redact::Secrets;

/// What an unredacted item stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) definition: Digest,
    pub(super) body: Digest,
}

/// What an item is remembered by. Never stored: it is made from what is not redacted.
pub(super) type Key = u128;

/// Makes keys. They only have to be told apart by this process, and nobody outside sees one, so a
/// quick hash with a secret of our own does; what the journal names is named by SHA-256.
#[derive(Clone)]
pub(super) struct KeyMaker {
    secret: Arc<[u8; 192]>,
}

impl Default for KeyMaker {
    fn default() -> Self {
        let mut secret = [0; 192];
        let random = RandomState::new();
        for (place, part) in secret.chunks_exact_mut(8).enumerate() {
            part.copy_from_slice(&random.hash_one(place).to_ne_bytes());
        }
        Self { secret: Arc::new(secret) }
    }
}

impl KeyMaker {
    /// The key of an unredacted item, together with the secrets that are looked for in it.
    pub(super) fn key(&self, bytes: &mut Vec<u8>, secrets: &Secrets) -> Key {
        let length = bytes.len();
        bytes.extend_from_slice(&secrets.fingerprint().to_ne_bytes());
        let key = xxh3_128_with_secret(bytes, self.secret.as_slice());
        bytes.truncate(length);
        key
    }

    /// The key of what has a digest already.
    pub(super) fn of_digest(&self, digest: &Digest) -> Key {
        xxh3_128_with_secret(&digest.0, self.secret.as_slice())
    }
}

/// What was given out, in two generations: when the newer is full, the older is forgotten.
#[derive(Default)]
pub(super) struct Known {
    newer: Items,
    older: Items,
}

type Items = HashMap<Key, Item, BuildHasherDefault<LastBytes>>;

/// A key is its own hash.
#[derive(Default)]
struct LastBytes(u64);

impl Hasher for LastBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }
}

/// How many items a generation of the memory holds: about 5 MB.
const GENERATION: usize = 32_768;

impl Known {
    pub(super) fn get(&mut self, key: Key) -> Option<Item> {
        if let Some(item) = self.newer.get(&key) {
            return Some(*item);
        }
        let item = *self.older.get(&key)?;
        self.insert(key, item);
        Some(item)
    }

    pub(super) fn insert(&mut self, key: Key, item: Item) {
        if self.newer.len() >= GENERATION {
            self.age();
        }
        self.newer.insert(key, item);
    }

    /// Forgets what was not asked for since the last time.
    pub(super) fn age(&mut self) {
        std::mem::swap(&mut self.newer, &mut self.older);
        self.newer.clear();
    }
}
