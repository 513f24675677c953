//! Keys of minions: which of the master's words on them are worth an entry.
//!
//! A master tells of each authentication: after its restart, one for every minion. Only what differs from
//! before is recorded. A minion that is refused tries again every few seconds: the same is
//! recorded once an hour.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use salt_event::event::KeyEvent;

use super::{Ledger, short};
use crate::change::What;
use crate::digest::Digest;
use crate::key::KeyAct;

/// How long the same is not recorded again.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Most refusals and waiting keys of an hour: whoever reaches the master's port can make them up.
const MOST_REFUSED: usize = 256;
/// Most of all else in an hour: a minion can make up events of the master's. As many keys can be accepted
/// at once.
const MOST_DONE: usize = 16_384;
/// Most minions whose key is known.
const MOST_KNOWN: usize = 131_072;

/// What is known of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// By which key a minion authenticated last.
    known: HashMap<String, Digest>,
    /// Who was refused or waits, and when that was recorded.
    noted: HashMap<(String, KeyAct, Digest), Timestamp>,
    /// How much else was recorded since: who authenticated for the first time, and the rest.
    done: [Option<(Timestamp, usize)>; 2],
}

impl Keys {
    pub(super) fn restored(known: HashMap<String, Digest>) -> Self {
        Self { known, ..Self::default() }
    }

    /// Whether it is not the same once more, nor one too many.
    fn is_news(&mut self, now: Timestamp, what: (String, KeyAct, Digest)) -> bool {
        self.noted.retain(|_, since| now.duration_since(*since).abs() < AGAIN_AFTER);
        let is_new = !self.noted.contains_key(&what) && self.noted.len() < MOST_REFUSED;
        if is_new {
            self.noted.insert(what, now);
        }
        is_new
    }

    /// Whether more may be recorded within the hour.
    fn has_room(&mut self, now: Timestamp, act: KeyAct) -> bool {
        let [seen, rest] = &mut self.done;
        let done = if act == KeyAct::Seen { seen } else { rest };
        let is_fresh =
            |(since, _): &(Timestamp, usize)| now.duration_since(*since).abs() < AGAIN_AFTER;
        let (since, count) = done.filter(is_fresh).unwrap_or((now, 0));
        *done = Some((since, count + 1));
        count < MOST_DONE
    }
}

impl Ledger {
    pub(super) fn hear_key(&mut self, now: Timestamp, at: Timestamp, event: &KeyEvent<'_>) {
        let key = event.key.map_or(Digest::ZERO, |key| Digest::of(key.trim().as_bytes()));
        let act = if event.is_auth { self.act_of_auth(event, key) } else { act_of_key(event) };
        let Some(act) = act else { return };
        let minion = short(event.minion);
        match act {
            KeyAct::Waiting | KeyAct::Denied | KeyAct::Failed => {
                if !self.keys.is_news(now, (minion.clone(), act, key)) {
                    return;
                }
            }
            _ if !self.keys.has_room(now, act) => return,
            // Of those beyond, it is not known what they came with before.
            KeyAct::Seen if self.keys.known.len() >= MOST_KNOWN => return,
            KeyAct::Seen | KeyAct::Changed => {
                self.keys.known.insert(minion.clone(), key);
            }
            KeyAct::Deleted | KeyAct::Rejected => {
                self.keys.known.remove(&minion);
            }
            KeyAct::Accepted => {}
        }
        self.emit(at, What::Key { act, minion, key }, Vec::new());
    }

    fn act_of_auth(&self, event: &KeyEvent<'_>, key: Digest) -> Option<KeyAct> {
        match (event.is_good, event.act) {
            (true, "accept") if key == Digest::ZERO => None,
            (true, "accept") => match self.keys.known.get(event.minion) {
                None => Some(KeyAct::Seen),
                Some(known) => (*known != key).then_some(KeyAct::Changed),
            },
            (true, "pend") => Some(KeyAct::Waiting),
            (true, _) => None,
            (false, "denied") => Some(KeyAct::Denied),
            (false, _) => Some(KeyAct::Failed),
        }
    }
}

fn act_of_key(event: &KeyEvent<'_>) -> Option<KeyAct> {
    match event.act {
        _ if !event.is_good => None,
        "accept" | "accepted" => Some(KeyAct::Accepted),
        "reject" | "rejected" => Some(KeyAct::Rejected),
        "delete" | "deleted" => Some(KeyAct::Deleted),
        "denied" => Some(KeyAct::Denied),
        _ => None,
    }
}
