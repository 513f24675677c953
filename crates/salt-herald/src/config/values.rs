//! From a YAML value to a Rust value of one kind, or why not.
//!
//! No message repeats the value: it may be a secret under the wrong key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::Problem;
use super::yaml::{Node, Place, Value};

/// A century: more than any setting can mean, and far from overflowing a timestamp.
const LONGEST_SECONDS: f64 = 100.0 * 365.0 * 86_400.0;

/// Why a value is not of the wanted kind.
pub(super) struct Mismatch {
    message: String,
    hint: Option<String>,
}

impl Mismatch {
    /// With a message that goes after the key.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn wanted(wanted: &str, value: &Value) -> Self {
        match value {
            // `channel: #ops` is the classic: to YAML, that is a key with nothing but a comment.
            Value::Null => Self::new(format!("has no value; it must be {wanted}")).hint(
                "quote a value that starts with \"#\" (YAML takes it for a comment), or remove the key",
            ),
            other => Self::new(format!("must be {wanted}, not {}", other.kind())),
        }
    }

    /// With what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As a problem of a key at its place.
    pub(super) fn at(self, place: &Place, key: String) -> Problem {
        Problem { hint: self.hint, ..Problem::at(place, key, self.message) }
    }
}

/// Text with something in it.
pub(super) fn text(value: Value) -> Result<String, Mismatch> {
    match value {
        Value::Text(text) if text.trim().is_empty() => Err(Mismatch::new("is empty")),
        Value::Text(text) => Ok(text),
        other @ (Value::Integer(_) | Value::Decimal(_) | Value::Bool(_)) => {
            Err(Mismatch::wanted("text", &other).hint("put it between quotes"))
        }
        other => Err(Mismatch::wanted("text", &other)),
    }
}

/// Text in one line.
pub(super) fn line(value: Value) -> Result<String, Mismatch> {
    let text = text(value)?;
    if text.contains(char::is_control) {
        return Err(Mismatch::new("must be one line without control characters"));
    }
    Ok(text)
}

/// Text as Salt takes it where numbers will do (`id: 12`).
pub(super) fn salt_text(value: Value) -> Result<String, Mismatch> {
    match value {
        Value::Integer(number) => Ok(number.to_string()),
        other => text(other),
    }
}

/// Text that may be missing: Salt's way to switch something off is an empty value.
pub(super) fn optional_text(value: Value) -> Result<Option<String>, Mismatch> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        other => text(other).map(Some),
    }
}

/// A path that starts with `/`.
pub(super) fn absolute_path(value: Value) -> Result<PathBuf, Mismatch> {
    let path = PathBuf::from(line(value)?);
    if !Path::new(&path).is_absolute() {
        return Err(Mismatch::new("must be an absolute path").hint("start it with \"/\""));
    }
    Ok(path)
}

/// True or false, in the spellings of `PyYAML`.
pub(super) fn boolean(value: Value) -> Result<bool, Mismatch> {
    match value {
        Value::Bool(value) => Ok(value),
        Value::Text(text) if is_one_of(&text, &["yes", "on"]) => Ok(true),
        Value::Text(text) if is_one_of(&text, &["no", "off"]) => Ok(false),
        other => Err(Mismatch::wanted("true or false", &other)),
    }
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A time span in seconds, whole or not.
pub(super) fn seconds(value: Value) -> Result<Duration, Mismatch> {
    // A count of seconds beyond 2^52 is refused below anyway.
    #[allow(clippy::cast_precision_loss)]
    let number = match value {
        Value::Integer(number) => number as f64,
        Value::Decimal(number) => number,
        Value::Text(text) => {
            let mismatch = Mismatch::new("must be a number of seconds, not text");
            return Err(match spelled_seconds(&text) {
                Some(number) => mismatch.hint(format!("write {number}")),
                None => mismatch.hint("write the number alone, without quotes or unit"),
            });
        }
        other => return Err(Mismatch::wanted("a number of seconds", &other)),
    };
    if number < 0.0 {
        return Err(Mismatch::new("must not be negative"));
    }
    if number > LONGEST_SECONDS {
        return Err(Mismatch::new("is more seconds than a hundred years"));
    }
    Duration::try_from_secs_f64(number).map_err(|_| Mismatch::new("must be a number of seconds"))
}

/// What `5m` or `"300"` would be in seconds.
fn spelled_seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..)?.trim() {
        "" | "s" | "sec" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hours" => 3_600,
        "d" | "days" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// At least one second: a setting whose zero would make no sense.
pub(super) fn some_seconds(value: Value) -> Result<Duration, Mismatch> {
    let span = seconds(value)?;
    if span < Duration::from_secs(1) {
        return Err(Mismatch::new("must be at least 1 second"));
    }
    Ok(span)
}

/// A count that Salt keeps as seconds or hours; it takes numbers in quotes, too.
pub(super) fn salt_seconds(value: Value) -> Result<Duration, Mismatch> {
    match value {
        Value::Text(text) if text.trim().parse::<i64>().is_ok() => {
            seconds(text.trim().parse().map_or(Value::Text(text), Value::Integer))
        }
        other => seconds(other),
    }
}

/// A TCP port.
pub(super) fn port(value: Value) -> Result<u16, Mismatch> {
    let number = match &value {
        Value::Integer(number) => u16::try_from(*number).ok(),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(port) if port > 0 => Ok(port),
        _ => Err(Mismatch::new("must be a TCP port, 1 to 65535")),
    }
}

/// A list of texts; one text alone is a list of one, as with Salt's own settings.
pub(super) fn texts(value: Value) -> Result<Vec<String>, Mismatch> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Text(_) => Ok(vec![text(value)?]),
        Value::List(items) => items
            .into_iter()
            .map(|item| {
                text(item.value).map_err(|mismatch| Mismatch {
                    message: format!("item on line {}: {}", item.place.line, mismatch.message),
                    hint: mismatch.hint,
                })
            })
            .collect(),
        other => Err(Mismatch::wanted("a list of texts", &other)),
    }
}

/// A text with its place, where it has one of its own.
pub(super) struct Placed {
    pub(super) text: String,
    pub(super) place: Option<Place>,
}

/// A list of texts with their places; one text alone stands where its key does.
pub(super) fn placed_texts(value: Value) -> Result<Vec<Placed>, Mismatch> {
    let nodes = match value {
        Value::List(nodes) => nodes,
        value @ Value::Text(_) => return Ok(vec![Placed { text: text(value)?, place: None }]),
        other => return Err(Mismatch::wanted("a list of texts", &other)),
    };
    let read = |node: Node| {
        let place = Some(node.place);
        text(node.value).map(|text| Placed { text, place })
    };
    nodes.into_iter().map(read).collect()
}

/// A list of texts, or one, where numbers and booleans will do.
pub(super) fn loose_texts(value: Value) -> Result<Vec<String>, Mismatch> {
    match value {
        Value::Integer(number) => Ok(vec![number.to_string()]),
        Value::Bool(value) => Ok(vec![value.to_string()]),
        Value::List(items) => {
            let read = items.into_iter().map(|item| match item.value {
                Value::List(_) => Err(Mismatch::new("must be a list of texts, not of lists")),
                other => loose_texts(other),
            });
            Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
        }
        other => texts(other),
    }
}

/// A table of lists of paths, such as `file_roots`; a key with nothing under it is an empty list.
pub(super) fn path_lists(value: Value) -> Result<BTreeMap<String, Vec<PathBuf>>, Mismatch> {
    let Value::Map(entries) = value else {
        return Err(Mismatch::wanted("a table of lists of paths", &value));
    };
    entries
        .into_iter()
        .map(|entry| {
            let paths = texts(entry.node.value)?.into_iter().map(PathBuf::from).collect();
            Ok((entry.key, paths))
        })
        .collect()
}

/// A table of texts, such as `nodegroups`. Salt allows a list of words in place of a text, and a
/// list of one-key tables in place of the table.
pub(super) fn text_table(value: Value) -> Result<BTreeMap<String, String>, Mismatch> {
    let entries = match value {
        Value::Null => Vec::new(),
        Value::Map(entries) => entries,
        Value::List(items) => {
            let mut entries = Vec::new();
            for item in items {
                match item.value {
                    Value::Map(below) => entries.extend(below),
                    other => return Err(Mismatch::wanted("a table of texts", &other)),
                }
            }
            entries
        }
        other => return Err(Mismatch::wanted("a table of texts", &other)),
    };
    entries.into_iter().map(|entry| Ok((entry.key, texts(entry.node.value)?.join(" ")))).collect()
}
