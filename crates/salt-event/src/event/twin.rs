//! Events that give away that a minion sent others in the master's name.
//!
//! A minion can send a list of events with a prefix for their tags. The master fires each under the whole
//! tag, as if it were its own, and once more without the prefix. Where the tag is cut is the minion's
//! choice. Whether the other event is false is not decided here.

use super::{Fields, Kind};
use crate::time::is_jid;

/// Whether a tag is the end of the one that the data belongs under.
pub(super) fn twin<'a>(tag: &str, fields: &Fields<'a>) -> Option<Kind<'a>> {
    let jid = fields.jid().filter(|jid| is_jid(jid))?;
    fields.get("fun")?;
    let whole = match fields.text("id") {
        Some(minion) if fields.get("return").is_some() => format!("salt/job/{jid}/ret/{minion}"),
        _ => format!("salt/job/{jid}/new"),
    };
    let is_piece = whole.strip_suffix(tag).is_some_and(|before| before.ends_with('/'));
    is_piece.then_some(Kind::Twin { jid })
}
