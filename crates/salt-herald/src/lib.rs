//! The edges of salt-herald: the bus, the journal, the chats, the command line, and the daemon that
//! ties them together.
//!
//! Nothing is decided here: that is `herald-core`'s.

mod accounts;
pub mod chat;
pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod export;
mod hex;
pub mod json;
pub mod marks;
pub mod metrics;
pub mod publish;
pub mod seal;
pub mod source;
pub mod store;
pub mod web;
