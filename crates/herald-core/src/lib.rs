//! What salt-herald decides, as pure functions: which events make a run, what is secret, what is
//! said, and in which words.
//!
//! This crate does no I/O, reads no clock (time is an argument), and knows nothing of SQL, HTTP or
//! Slack: see `ARCHITECTURE.md`.

pub mod alarm;
pub mod amount;
pub mod announce;
pub mod backfill;
pub mod burst;
pub mod canonical;
pub mod change;
pub mod command;
pub mod compose;
pub mod confirm;
pub mod digest;
pub mod entry;
pub mod glob;
pub mod join;
pub mod key;
pub mod ledger;
pub mod limited;
pub mod literal;
pub mod minions;
pub mod names;
pub mod noise;
pub mod outbox;
pub mod owed;
pub mod payload;
pub mod python;
pub mod quote;
pub mod reacted;
pub mod redact;
pub mod rehearsal;
pub mod route;
pub mod run;
pub mod scrub;
pub mod seal;
pub mod slowness;
pub mod split;
pub mod state;
pub mod survey;
pub mod suspect;
pub mod verify;
