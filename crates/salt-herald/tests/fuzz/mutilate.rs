//! How an input is mutilated, and how a target is driven.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::chance::{Chance, rounds};

/// Nothing that is read may take so long, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many inputs are tried, however slow the machine is.
const LEAST: u64 = 20;
/// Longest input.
const MOST: usize = 1 << 20;

/// Bytes at which formats turn: MessagePack's headers, ends of text, quotes.
const TURNS: &[u8] =
    b"\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc4\xc6\xc9\xd4\xd9\xdb\xdc\xdd\xde\xdf\xff\
    \n\t \"'\\{}[]:,-&*!|>%@`#0eE.";

/// Feeds a target with mutilated seeds until its time is over.
pub(crate) fn fuzz(target: &str, seeds: &[Vec<u8>], check: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let mut chance = Chance::new();
    // As they are first: what is recorded can be read.
    for seed in seeds {
        try_one(target, seed, &check);
    }
    let until = Instant::now() + rounds(Duration::from_secs(2), Duration::from_secs(60));
    let mut count = 0_u64;
    while count < LEAST || Instant::now() < until {
        let input = mutilated(seeds, &mut chance);
        try_one(target, &input, &check);
        count += 1;
    }
    eprintln!("{target}: {count} inputs of {} seeds", seeds.len());
}

fn try_one(target: &str, input: &[u8], check: &impl Fn(&[u8])) {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let took = begun.elapsed();
    if outcome.is_err() || took > PATIENCE {
        let file = keep(target, input);
        panic!("{target}: an input of {} bytes took {took:?}, see {}", input.len(), file.display());
    }
}

fn keep(target: &str, input: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("fuzz-{target}.input"));
    std::fs::write(&file, input).unwrap();
    file
}

/// A seed to which something happened, mostly little.
pub(crate) fn mutilated(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = seeds[chance.index(seeds.len())].clone();
    for _ in 0..1 + chance.index(4) {
        mutilate(&mut input, seeds, chance);
    }
    input.truncate(MOST);
    input
}

fn mutilate(input: &mut Vec<u8>, seeds: &[Vec<u8>], chance: &mut Chance) {
    if input.is_empty() {
        input.push(chance.next() as u8);
        return;
    }
    let at = chance.index(input.len());
    let bits = chance.index(10);
    let end = (at + 1 + chance.index(1 << bits)).min(input.len());
    match chance.index(10) {
        0 => input[at] ^= 1 << chance.index(8),
        1 => input[at] = TURNS[chance.index(TURNS.len())],
        2 => input[at] = chance.next() as u8,
        3 => drop(input.drain(at..end)),
        4 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        5 => {
            let count = 1 + chance.index(8);
            let new: Vec<u8> = (0..count).map(|_| TURNS[chance.index(TURNS.len())]).collect();
            input.splice(at..at, new);
        }
        6 => input.truncate(at),
        // A length that lies.
        7 => {
            let lies = [0, 1, 0x7fff_ffff, 0xffff_ffff, u64::from(chance.next() as u32)];
            let length = chance.one_of(&lies) as u32;
            let bytes = length.to_be_bytes();
            let width = chance.one_of(&[1, 2, 4]).min(input.len() - at);
            input[at..at + width].copy_from_slice(&bytes[4 - width..]);
        }
        // The end of another.
        8 => {
            let other = &seeds[chance.index(seeds.len())];
            input.truncate(at);
            input.extend_from_slice(&other[chance.index(other.len() + 1)..]);
        }
        // The same byte for very long, or very deep.
        _ => {
            let (byte, bits) = (input[at], chance.index(14));
            let count = 1 << bits;
            input.splice(at..at, std::iter::repeat_n(byte, count));
        }
    }
}
