//! The Slack sink against a stand-in that keeps Slack's rules: what arrives, and what each kind of
//! trouble is called.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod checks;
mod deliveries;
mod outages;
mod refusals;
mod seeking;
mod support;
