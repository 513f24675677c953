//! A return, put together again: the way back from [`crate::split`].
//!
//! It reads what a journal holds and trusts none of it: what can't be read is left out, or named as
//! such. Redaction was done before; nothing here can undo it.

use std::borrow::Cow;
use std::time::Duration;

use salt_event::msgpack::{Raw, Reader};
use salt_event::{Value, states};

use crate::canonical::restore;
use crate::digest::Digest;

/// One part of a return: a state, or the whole of a plain return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Names the state's definition; nothing for a plain return.
    pub definition: Option<Digest>,
    /// Names the state's result, or the plain return.
    pub body: Digest,
    /// How long the state took.
    pub duration: Option<Duration>,
    /// When it began, since midnight by the minion's clock.
    pub start: Option<Duration>,
    /// Its place in the order of running.
    pub run_number: Option<u64>,
}

/// A state as the tree has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its id.
    pub id: String,
    /// The file that holds it; can be empty.
    pub sls: String,
    /// Its `name`.
    pub name: String,
    /// Its function: `service.running`.
    pub function: String,
}

/// What came of a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// True, false, or nothing under `test=True` where it would change something.
    pub result: Option<bool>,
    /// What Salt said.
    pub comment: String,
    /// What changed; [`Value::Nil`] or an empty map when nothing did.
    pub changes: Value<'static>,
}

/// What a return consists of, in the order in which the states ran.
pub fn items(shape: &[u8], volatile: &[u8]) -> Vec<Item> {
    let mut rest = volatile;
    let mut items: Vec<Item> = shape
        .chunks_exact(64)
        .filter_map(|pair| {
            let (definition, body) = pair.split_at_checked(32)?;
            let definition = Digest::from_slice(definition)?;
            let is_state = definition != Digest::ZERO;
            let mut number = || is_state.then(|| next_number(&mut rest)).flatten();
            Some(Item {
                duration: number().map(Duration::from_micros),
                start: number().map(Duration::from_micros),
                run_number: number(),
                definition: is_state.then_some(definition),
                body: Digest::from_slice(body)?,
            })
        })
        .collect();
    items.sort_by_key(|item| item.run_number.unwrap_or(u64::MAX));
    items
}

impl Definition {
    /// Reads a definition's payload, for one minion.
    pub fn read(bytes: &[u8], minion: &str) -> Option<Self> {
        let raw = Reader::new(bytes).raw().ok()?;
        let mut parts =
            raw.items().map(|part| restore(part.text().unwrap_or_default(), minion).into_owned());
        Some(Self {
            id: parts.next()?,
            sls: parts.next()?,
            name: parts.next()?,
            function: parts.next()?,
        })
    }

    /// `nginx (service.running) in web.nginx`.
    pub fn title(&self) -> String {
        let Self { id, sls, function, .. } = self;
        if sls.is_empty() {
            format!("{id} ({function})")
        } else {
            format!("{id} ({function}) in {sls}")
        }
    }
}

impl Body {
    /// Reads a state's result, for one minion.
    pub fn read(bytes: &[u8], minion: &str) -> Option<Self> {
        let raw = Reader::new(bytes).raw().ok()?;
        let comment = raw.get("comment").map(states::comment_text);
        Some(Self {
            result: raw.get("result").and_then(Raw::boolean),
            comment: restore(&comment.unwrap_or_default(), minion).into_owned(),
            changes: raw.get("changes").map_or(Value::Nil, |changes| value_of(changes, minion)),
        })
    }

    /// Whether something changed, or would.
    pub fn has_changes(&self) -> bool {
        match &self.changes {
            Value::Nil | Value::Bool(false) => false,
            Value::Map(pairs) => !pairs.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Text(text) => !text.is_empty(),
            _ => true,
        }
    }
}

/// Reads a plain return, for one minion.
pub fn plain(bytes: &[u8], minion: &str) -> Value<'static> {
    match Reader::new(bytes).raw() {
        Ok(raw) => value_of(raw, minion),
        Err(error) => Value::from(format!("({error})")),
    }
}

fn value_of(raw: Raw<'_>, minion: &str) -> Value<'static> {
    match Value::read(raw) {
        Ok(value) => restored(value, minion),
        Err(error) => Value::from(format!("({error})")),
    }
}

/// The value as the minion sent it. As deep as [`salt_event::MAX_DEPTH`] at the most.
fn restored(value: Value<'_>, minion: &str) -> Value<'static> {
    match value {
        Value::Text(text) => Value::Text(Cow::Owned(restore(&text, minion).into_owned())),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| restored(item, minion)).collect())
        }
        Value::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| (restored(key, minion), restored(value, minion)))
                .collect(),
        ),
        other => other.into_owned(),
    }
}

/// The next LEB128 number less one; nothing where it is 0, or where no more is there.
fn next_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(definition: u8, body: u8) -> Vec<u8> {
        [[definition; 32], [body; 32]].concat()
    }

    #[test]
    fn states_come_in_the_order_of_running() {
        let shape = [pair(1, 2), pair(3, 4)].concat();
        // 300 µs, no start, number 1; no duration, 0 µs, number 0.
        let volatile = [0xad, 0x02, 0, 2, 0, 1, 1];
        let items = items(&shape, &volatile);
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].definition, Some(Digest([3; 32])));
        assert_eq!(items[0].start, Some(Duration::ZERO));
        assert_eq!(items[0].duration, None);
        assert_eq!(items[1].duration, Some(Duration::from_micros(300)));
        assert_eq!(items[1].run_number, Some(1));
    }

    #[test]
    fn a_plain_return_has_no_times() {
        let items = items(&pair(0, 9), &[]);
        assert_eq!(items[0].definition, None);
        assert_eq!(items[0].body, Digest([9; 32]));
    }

    #[test]
    fn damaged_contents_end_nothing() {
        assert!(items(&[1; 63], &[0xff; 3]).is_empty());
        assert_eq!(items(&pair(1, 1), &[0xff; 30]).len(), 1);
        assert_eq!(Definition::read(&[0x91, 0xc0], "web1"), None);
        assert!(matches!(plain(&[0xc1], "web1"), Value::Text(_)));
    }

    #[test]
    fn the_minions_id_is_back() {
        let value = Value::Map(vec![("\u{E000}m".into(), "on \u{E000}m".into())]);
        let plain = plain(&value.to_bytes(), "web1");
        assert_eq!(plain.get("web1").and_then(Value::as_text), Some("on web1"));
    }
}
