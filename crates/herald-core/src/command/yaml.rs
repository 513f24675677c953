//! YAML 1.1 as Salt's command line reads it: values in flow style on one line, and which plain words
//! it takes for texts.
//!
//! Pure, and bounded: what is longer than any command line is not written to its end. It knows
//! PyYAML with libyaml, its scalars and limits; which word is an argument is not its matter.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;
use salt_event::Value;

use super::MAX_COMMAND_LINE;
use crate::quote::is_unseen;

/// Longest text that is written of one value, in bytes; the line is cut before.
const MAX_TEXT: usize = MAX_COMMAND_LINE * 4;
/// libyaml gives up a key of more than 1024 characters, unless a `?` announces it.
const LONG_KEY: usize = 1_000;
/// What stands in an event where Salt left something out.
const TRIMMED: &str = "VALUE_TRIMMED";

/// Something in words, and whether they mean it exactly.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) exact: bool,
}

/// A value in flow style; mostly it is JSON, too.
pub(super) fn flow(value: &Value<'_>) -> Said {
    let mut said = Said { text: String::new(), exact: true };
    said.flow(value);
    said
}

/// A text in double quotes that stands by itself. Salt returns such an argument unread, quotes and
/// all, if it holds a `#`: so it holds none.
pub(super) fn quoted(text: &str) -> Said {
    let mut said = Said { text: String::new(), exact: text != TRIMMED };
    said.quote(text, true);
    said
}

impl Said {
    fn flow(&mut self, value: &Value<'_>) {
        if self.text.len() > MAX_TEXT {
            self.exact = false;
            return;
        }
        match value {
            Value::Nil => self.text.push_str("null"),
            Value::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            // Writing to a string does not fail.
            Value::Int(number) => _ = write!(self.text, "{number}"),
            Value::UInt(number) => _ = write!(self.text, "{number}"),
            Value::Float(number) => self.float(*number),
            Value::Text(text) => {
                self.exact &= text != TRIMMED;
                self.quote(text, false);
            }
            // No word of a command line comes to these.
            Value::Bytes(bytes) | Value::Ext(_, bytes) => {
                self.exact = false;
                self.quote(&String::from_utf8_lossy(bytes), false);
            }
            Value::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.comma(index);
                    self.flow(item);
                    if !self.exact && self.text.len() > MAX_TEXT {
                        return;
                    }
                }
                self.text.push(']');
            }
            Value::Map(pairs) => self.map(pairs),
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.text.push_str(", ");
        }
    }

    fn map(&mut self, pairs: &[(Value<'_>, Value<'_>)]) {
        self.exact &= are_keys(pairs);
        self.text.push('{');
        for (index, (key, item)) in pairs.iter().enumerate() {
            self.comma(index);
            let begin = self.text.len();
            self.flow(key);
            if self.text.len() - begin > LONG_KEY {
                self.text.insert_str(begin, "? ");
                self.text.push(' ');
            }
            self.text.push_str(": ");
            self.flow(item);
            if !self.exact && self.text.len() > MAX_TEXT {
                return;
            }
        }
        self.text.push('}');
    }

    /// YAML wants a point in every float, and a sign in its exponent.
    fn float(&mut self, number: f64) {
        if number.is_nan() {
            return self.text.push_str(".nan");
        }
        if number.is_infinite() {
            return self.text.push_str(if number > 0.0 { ".inf" } else { "-.inf" });
        }
        let written = format!("{number:?}");
        let Some((digits, exponent)) = written.split_once('e') else {
            return self.text.push_str(&written);
        };
        self.text.push_str(digits);
        if !digits.contains('.') {
            self.text.push_str(".0");
        }
        self.text.push('e');
        if !exponent.starts_with('-') {
            self.text.push('+');
        }
        self.text.push_str(exponent);
    }

    fn quote(&mut self, text: &str, hides_hash: bool) {
        self.text.push('"');
        for c in text.chars() {
            let code = u32::from(c);
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '#' if hides_hash => self.text.push_str("\\x23"),
                _ if !is_unseen(c) => self.text.push(c),
                _ if code < 0x100 => _ = write!(self.text, "\\x{code:02x}"),
                _ if code < 0x1_0000 => _ = write!(self.text, "\\u{code:04x}"),
                _ => _ = write!(self.text, "\\U{code:08x}"),
            }
            if self.text.len() > MAX_TEXT {
                self.exact = false;
                return;
            }
        }
        self.text.push('"');
    }
}

/// Whether Python can hold these pairs in one dictionary: no key is a list or a map, and none is
/// there twice, where 1, 1.0 and true are one.
fn are_keys(pairs: &[(Value<'_>, Value<'_>)]) -> bool {
    #[derive(PartialEq, Eq, Hash)]
    enum Key<'a> {
        Nil,
        Number(i128),
        Float(u64),
        Text(&'a str),
    }
    let key = |key: &'_ Value<'_>| match key {
        Value::Bool(value) => Some(Key::Number(i128::from(*value))),
        Value::Int(number) => Some(Key::Number(i128::from(*number))),
        Value::UInt(number) => Some(Key::Number(i128::from(*number))),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e30 => {
            Some(Key::Number(*number as i128))
        }
        Value::Float(number) => Some(Key::Float(number.to_bits())),
        Value::Nil => Some(Key::Nil),
        _ => None,
    };
    let mut known = HashSet::new();
    pairs.iter().all(|(name, _)| {
        let key = name.as_text().map(Key::Text).or_else(|| key(name));
        key.is_some_and(|key| known.insert(key))
    })
}

/// What YAML 1.1 takes for something else than text: nothing, booleans, integers, floats.
static NOT_TEXT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        "^(?x: None | ~ | null | Null | NULL
        | yes | Yes | YES | no | No | NO | true | True | TRUE | false | False | FALSE
        | on | On | ON | off | Off | OFF
        | [-+]?0b[01_]+ | [-+]?0[0-7_]+ | [-+]?(?:0|[1-9][0-9_]*) | [-+]?0x[0-9a-fA-F_]+
        | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\\.[0-9_]*)?
        | [-+]?[0-9][0-9_]*\\.[0-9_]*(?:[eE][-+][0-9]+)? | [-+]?\\.[0-9_]+(?:[eE][-+][0-9]+)?
        | [-+]?\\.(?:inf|Inf|INF) | \\.(?:nan|NaN|NAN) )$",
    )
    .ok()
});

fn is_text(word: &str) -> bool {
    NOT_TEXT.as_ref().is_some_and(|words| !words.is_match(word))
}

/// Whether Salt's `yamlify_arg` gives a word back as this very text. It says no where that would have
/// to be thought about; every character of the text can be seen.
pub(super) fn comes_back(text: &str) -> bool {
    let trimmed = text.trim();
    if matches!(trimmed, "" | "---" | "...") {
        return true;
    }
    if text.contains('_') && trimmed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return true;
    }
    if text.contains('#') {
        return comes_back_with_hash(text);
    }
    // What YAML can't read, and lists and maps without brackets, come back as they are.
    trimmed.len() == text.len()
        && !text.starts_with(['{', '[', '"', '\'', '&', '!', '|', '>'])
        && !text.starts_with("--- ")
        && !text.starts_with("... ")
        && is_text(text)
}

/// With a `#`, anything comes back that YAML takes for text or for nothing.
fn comes_back_with_hash(text: &str) -> bool {
    let begins = |c: char| c.is_alphanumeric() || "#/_$(".contains(c);
    let before = text.split(" #").next().unwrap_or(text).trim();
    text.starts_with('#')
        || text.starts_with(begins)
            && !text.contains(": ")
            && !text.ends_with(':')
            && !before.ends_with(':')
            && is_text(before)
}
