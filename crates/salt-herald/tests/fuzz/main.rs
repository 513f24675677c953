//! Everything that reads what it did not write, against what nobody should ever have written: recorded
//! events, files and texts, mutilated at random.
//!
//! Each target goes on for some seconds, for a minute where `HERALD_LONG` is set. What fails is kept in a
//! file, and its seed tells it again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
#[allow(dead_code)]
#[path = "../app/chance.rs"]
mod chance;
mod journals;
mod mutilate;
mod records;
mod redaction;
mod seeds;
mod texts;
mod wire;
