//! A stand-in for Slack on this machine: for tests, and to see messages without a workspace.
//!
//! It keeps channels and answers as Slack's documentation says Slack does: tokens and scopes,
//! channel names and IDs, threads, edits, size limits, rate limits and their error codes. On request
//! it is slow, overloaded or gone. It renders nothing as Slack would, and it is no place for secrets:
//! whoever reaches its port reads the channel.

mod api;
mod arguments;
mod content;
pub mod draw;
mod faults;
mod history;
mod limits;
mod rules;
mod server;
mod workspace;

pub use api::Sent;
pub use content::{Content, Span, Style};
pub use faults::Fault;
pub use limits::Rate;
pub use server::FakeSlack;
pub use workspace::{By, Change, Channel, Edit, Message, Options, What};
