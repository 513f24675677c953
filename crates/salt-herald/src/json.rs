//! Salt's values as JSON, for people and for `--json`.
//!
//! Lossy where JSON is poorer: keys become text, bytes that are no text become a mark with their
//! length.

use herald_core::backfill::{Added, Backfill, CacheState};
use herald_core::literal::is_unseen;
use jiff::Timestamp;
use salt_event::{Raw, Value};
use serde_json::{Map, Value as Json};

use crate::store::{Away, Disk};

/// A raw value as JSON.
pub fn of_raw(raw: Raw<'_>) -> Json {
    Value::read(raw).map_or_else(|error| Json::String(format!("({error})")), |value| of(&value))
}

/// A value as JSON.
pub fn of(value: &Value<'_>) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::UInt(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Text(text) => Json::String(text.clone().into_owned()),
        Value::Bytes(bytes) => Json::String(format!("({} bytes)", bytes.len())),
        Value::Array(items) => Json::Array(items.iter().map(of).collect()),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| (key_text(key), of(value)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
        // Salt's datetimes and constants carry readable text.
        Value::Ext(_, data) => Json::String(String::from_utf8_lossy(data).into_owned()),
    }
}

fn key_text(key: &Value<'_>) -> String {
    match key.as_text() {
        Some(text) => text.to_owned(),
        None => of(key).to_string(),
    }
}

/// An object as one line that does nothing to a terminal either: JSON can write every character as
/// an escape, and so it does with those that can't be seen.
pub(crate) fn line(object: &Json) -> String {
    let mut text = object.to_string();
    // Nearly always.
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        text.push('\n');
        return text;
    }
    let mut line = String::with_capacity(text.len() + 1);
    let mut units = [0; 2];
    for c in text.chars() {
        if is_unseen(c) {
            for unit in c.encode_utf16(&mut units) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

/// A back-fill, without its entry.
pub(crate) fn of_backfill(backfill: &Backfill) -> serde_json::Value {
    serde_json::json!({
        "gap": backfill.gap,
        "from": backfill.from.to_string(),
        "to": backfill.to.to_string(),
        "cache": backfill.cache.name(),
        "runs": backfill.added.runs,
        "returns": backfill.added.returns,
        "completed": backfill.added.completed,
        "unread": backfill.unread,
    })
}

/// What [`of_backfill`] wrote.
pub(crate) fn read_backfill(object: &serde_json::Value) -> Option<Backfill> {
    let time = |key: &str| object.get(key)?.as_str()?.parse().ok();
    let count = |key: &str| object.get(key)?.as_u64();
    Some(Backfill {
        gap: count("gap"),
        from: time("from")?,
        to: time("to")?,
        cache: CacheState::from_name(object.get("cache")?.as_str()?)?,
        added: Added {
            runs: count("runs")?,
            returns: count("returns")?,
            completed: count("completed")?,
        },
        unread: count("unread")?,
    })
}

/// How the journal's disk is, and since when it is slow.
pub(crate) fn of_disk(disk: &Disk, slow: Option<Timestamp>) -> Json {
    let slow = slow.map(|at| at.to_string());
    match disk {
        Disk::Well { .. } => serde_json::json!({"state": "written", "slow_since": slow}),
        Disk::Away(away) => serde_json::json!({
            "state": "in_memory",
            "slow_since": slow,
            "since": away.since.to_string(),
            "why": away.why,
            "recorded": away.recorded,
            "left": away.left,
            "for_good": away.for_good,
        }),
    }
}

/// What [`of_disk`] wrote. What was lost the last time is not in it.
pub(crate) fn read_disk(object: &Json) -> Option<(Disk, Option<Timestamp>)> {
    let time = |key: &str| object.get(key)?.as_str()?.parse().ok();
    let count = |key: &str| object.get(key)?.as_u64();
    let disk = match object.get("state")?.as_str()? {
        "written" => Disk::Well { lost: None },
        "in_memory" => Disk::Away(Away {
            why: object.get("why")?.as_str()?.to_owned(),
            since: time("since")?,
            recorded: count("recorded")?,
            left: usize::try_from(count("left")?).ok()?,
            for_good: object.get("for_good")?.as_bool()?,
        }),
        _ => return None,
    };
    Some((disk, time("slow_since")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_disk_is_comes_back_as_it_was_told() {
        let at = |text: &str| -> Timestamp { format!("2026-11-22T{text}Z").parse().unwrap() };
        let away = Disk::Away(Away {
            why: "database or disk is full".to_owned(),
            since: at("13:59:00"),
            recorded: 12,
            left: 60 << 20,
            for_good: false,
        });
        for told in [(Disk::Well { lost: None }, None), (away, Some(at("13:58:20")))] {
            assert_eq!(read_disk(&of_disk(&told.0, told.1)), Some(told));
        }
        assert_eq!(read_disk(&serde_json::json!({"state": "new"})), None);
    }
}
