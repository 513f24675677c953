//! Chance that can be played again: a test that fails says its seed, `HERALD_SEED` sets it.

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator of numbers: SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    /// By `HERALD_SEED`, or another one each time. The seed is printed: it is seen when the test fails.
    pub(crate) fn new() -> Self {
        let given = std::env::var("HERALD_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or_else(|| now() % 1_000_000_000);
        eprintln!("HERALD_SEED={seed}");
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

    /// One of so many, counted from 0.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    /// Whether it happens, in so many of a hundred cases.
    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// How often something is tried: a few times, and many times with `HERALD_LONG=1`.
pub(crate) fn rounds<T>(few: T, many: T) -> T {
    let is_long = |long: std::ffi::OsString| !long.is_empty() && long != "0";
    if std::env::var_os("HERALD_LONG").is_some_and(is_long) { many } else { few }
}
