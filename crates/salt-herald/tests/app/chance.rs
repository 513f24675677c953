//! Chance that can be played again: a test that fails says its seed, `SALT_HERALD_SEED` sets it.

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator of numbers: SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    /// By `SALT_HERALD_SEED`, or another one each time. The seed is printed: it is seen when the test fails.
    pub(crate) fn new() -> Self {
        let given = std::env::var("SALT_HERALD_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or_else(|| now() % 1_000_000_000);
        eprintln!("SALT_HERALD_SEED={seed}");
        Self::of(seed)
    }

    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// How often something is tried: a few times, and many times with `HERALD_LONG=1`.
pub(crate) fn rounds(few: u64, many: u64) -> u64 {
    if std::env::var_os("HERALD_LONG").is_some_and(|long| long != "0") { many } else { few }
}
