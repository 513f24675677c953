//! Salt's event bus as typed events: framing, MessagePack, tags, jobs, returns and state results;
//! and back from a job to the command line that made it.
//!
//! Pure functions over borrowed bytes. This crate does no I/O, reads no clock, and knows nothing of
//! salt-herald: anybody who reads Salt's bus can use it.

pub mod capture;
pub mod event;
pub mod frame;
pub mod msgpack;
pub mod states;
pub mod tag;
pub mod time;
mod value;

pub use msgpack::Raw;
pub use value::{MAX_DEPTH, MAX_VALUES, Value, write_token};
