//! Tells in nanoseconds that a key was surely never seen, so that the file need not be asked.
//!
//! A Bloom filter whose bits for one key lie in one line of the processor's cache. Keys are parts of
//! digests, as random as can be; they are not hashed again.

/// Lines of 512 bits: 2 MiB, which is ten bits for each of 1.6 million keys.
const LINES: usize = 32_768;
/// With more keys than this it would say "maybe" too often to be worth filling.
pub(super) const MOST: i64 = 4_000_000;
/// Bits that are set for each key.
const BITS: u32 = 5;

/// Which keys were seen, perhaps.
pub(super) struct Filter(Vec<[u64; 8]>);

impl Filter {
    /// Has seen nothing.
    pub(super) fn new() -> Self {
        Self(vec![[0; 8]; LINES])
    }

    /// Has seen everything, perhaps.
    pub(super) fn blind() -> Self {
        Self(Vec::new())
    }

    pub(super) fn insert(&mut self, key: i64) {
        let (line, mask) = place(key);
        if let Some(line) = self.0.get_mut(line) {
            line.iter_mut().zip(mask).for_each(|(word, bits)| *word |= bits);
        }
    }

    /// Whether a key may have been seen.
    pub(super) fn may_hold(&self, key: i64) -> bool {
        let (line, mask) = place(key);
        self.0
            .get(line)
            .is_none_or(|line| line.iter().zip(mask).all(|(word, bits)| word & bits == bits))
    }
}

/// A key's line, and its bits there.
fn place(key: i64) -> (usize, [u64; 8]) {
    let key = key.cast_unsigned();
    let mut mask = [0; 8];
    for bit in 0..BITS {
        let place = key >> (9 * bit) & 511;
        if let Some(word) = mask.get_mut((place >> 6) as usize) {
            *word |= 1 << (place & 63);
        }
    }
    ((key >> 45) as usize % LINES, mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use herald_core::digest::Digest;

    fn key(number: u32) -> i64 {
        let digest = Digest::of(&number.to_be_bytes());
        i64::from_be_bytes(*digest.0.first_chunk().unwrap())
    }

    #[test]
    fn what_was_seen_is_never_denied_and_what_was_not_nearly_always() {
        let mut filter = Filter::new();
        (0..100_000).for_each(|number| filter.insert(key(number)));
        assert!((0..100_000).all(|number| filter.may_hold(key(number))));
        let wrong = (100_000..200_000).filter(|number| filter.may_hold(key(*number))).count();
        assert!(wrong < 1_000, "{wrong} of 100,000");
        assert!(Filter::blind().may_hold(1));
    }
}
