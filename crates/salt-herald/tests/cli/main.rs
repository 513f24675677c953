//! The command line as people and scripts use it: the real binary on journals that were made
//! through the store.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod announce;
mod backup;
mod checkpoints;
mod errors;
mod exports;
mod listing;
mod live;
mod preview;
mod routes;
mod scrub;
mod secrets;
mod show;
mod site;
mod support;
mod verify;
