//! Minion ids as small numbers, and sets of them as bitmaps.
//!
//! A number is given at first sight and never changes; the journal keeps the same numbers.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

/// A minion's number in this journal.
pub type MinionNo = u32;

/// A set of minions, by number.
pub type MinionSet = RoaringBitmap;

/// All minions that were ever seen.
#[derive(Debug, Default)]
pub struct Minions {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, MinionNo>,
}

impl Minions {
    /// Takes up the numbers that the journal has given: names in the order of their numbers.
    pub fn restore(names: impl IntoIterator<Item = String>) -> Self {
        let mut minions = Self::default();
        names.into_iter().for_each(|name| {
            minions.intern(&name);
        });
        minions
    }

    /// The minion's number, and whether it is seen for the first time.
    pub fn intern(&mut self, name: &str) -> (MinionNo, bool) {
        if let Some(number) = self.numbers.get(name) {
            return (*number, false);
        }
        let number = MinionNo::try_from(self.names.len()).unwrap_or(MinionNo::MAX);
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        (number, true)
    }

    /// The number of a minion that was seen before.
    pub fn number(&self, name: &str) -> Option<MinionNo> {
        self.numbers.get(name).copied()
    }

    /// The minion's id.
    pub fn name(&self, number: MinionNo) -> &str {
        self.names.get(number as usize).map_or("?", |name| name)
    }

    /// The names of a set, in the order of the alphabet.
    pub fn names(&self, set: &MinionSet) -> Vec<&str> {
        let mut names: Vec<&str> = set.iter().map(|number| self.name(number)).collect();
        names.sort_unstable();
        names
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// The bytes of a set as the journal keeps them: the portable Roaring format.
pub fn set_bytes(set: &MinionSet) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(set.serialized_size());
    // Writing to a vector can't fail.
    let _ = set.serialize_into(&mut bytes);
    bytes
}

/// Reads a set back; nothing if the bytes are no set.
pub fn read_set(bytes: &[u8]) -> Option<MinionSet> {
    MinionSet::deserialize_from(bytes).ok()
}
