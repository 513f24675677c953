//! Keys of minions: what the master tells when one is changed, and when a minion authenticates.
//!
//! It is a claim like all that is on the bus. Salt 3006 and 3007 say `accept` where 3008 says `accepted`.

use super::{Fields, Kind};

/// `salt/key` and `salt/auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEvent<'a> {
    /// A minion authenticated, or tried to; else somebody changed its key.
    pub is_auth: bool,
    /// It went well.
    pub is_good: bool,
    /// What was done: `accept`, `reject`, `delete`, `pend`, `denied`, `full`; empty where Salt does not say.
    pub act: &'a str,
    /// Whose key.
    pub minion: &'a str,
    /// The key, in PEM.
    pub key: Option<&'a str>,
}

pub(super) fn key<'a>(fields: &Fields<'a>, is_auth: bool) -> Option<Kind<'a>> {
    Some(Kind::Key(KeyEvent {
        is_auth,
        is_good: fields.get("result")?.boolean()?,
        act: fields.text("act").unwrap_or_default(),
        minion: fields.text("id").filter(|id| crate::tag::is_minion(id))?,
        key: fields.text("pub"),
    }))
}
