//! The whole app against a bus on a real socket and a stand-in for Slack: what people see in the
//! channel, and what the journal holds, for every trouble that is not one part's alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod app;
mod backfill;
mod backups;
mod below;
mod bursts;
mod bus;
mod cache;
mod chance;
mod checkpoints;
mod confirm;
mod crash;
mod daily;
mod disk;
mod events;
mod faults;
mod fleet;
mod gaps;
mod hostile;
mod journal;
mod leaks;
mod memory;
mod metrics;
mod modes;
mod noise;
mod oddities;
mod ordeal;
mod outbox;
mod outside;
mod replays;
mod routes;
mod runs;
mod scrub;
mod secrets;
mod size;
mod slack;
mod stops;
mod systemd;
mod unprivileged;
mod versions;
