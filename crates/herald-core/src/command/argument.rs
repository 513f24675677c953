//! One argument, written as Salt's command line reads it back: it takes every word for YAML.
//!
//! Texts stay as they are where YAML leaves them alone, and get quotes of YAML's where they would
//! come back as a number, a boolean, nothing or a list (Salt's `yamlify_arg`, 3007). The shell's own
//! quotes are not its matter.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;
use salt_event::Value;

/// Longest text that is written of one argument; the line is cut before.
const MAX_TEXT: usize = 16_000;

/// A positional argument.
pub(super) fn positional<'a>(value: &'a Value<'_>) -> Cow<'a, str> {
    match value {
        Value::Text(text) if comes_back(text) && !is_taken_otherwise(text) => Cow::Borrowed(text),
        other => top(other),
    }
}

/// The value of a keyword argument.
pub(super) fn keyword<'a>(value: &'a Value<'_>) -> Cow<'a, str> {
    match value {
        // Salt does not read `key=value` over lines.
        Value::Text(text) if comes_back(text) && !text.contains('\n') => Cow::Borrowed(text),
        other => top(other),
    }
}

/// Single words of Python's, as people type them; all else as in a flow.
fn top<'a>(value: &Value<'_>) -> Cow<'a, str> {
    match value {
        Value::Nil => Cow::Borrowed("None"),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Bool(false) => Cow::Borrowed("False"),
        other => Cow::Owned(flow(other)),
    }
}

/// YAML in flow style; mostly it is JSON, too.
pub(super) fn flow(value: &Value<'_>) -> String {
    let mut out = String::new();
    write_flow(value, &mut out);
    out
}

fn write_flow(value: &Value<'_>, out: &mut String) {
    if out.len() > MAX_TEXT {
        return;
    }
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        // Writing to a string does not fail.
        Value::Int(number) => _ = write!(out, "{number}"),
        Value::UInt(number) => _ = write!(out, "{number}"),
        Value::Float(number) => write_float(*number, out),
        Value::Text(text) => write_text(text, out),
        Value::Bytes(bytes) | Value::Ext(_, bytes) => {
            write_text(&String::from_utf8_lossy(bytes), out);
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_flow(item, out);
                if out.len() > MAX_TEXT {
                    return;
                }
            }
            out.push(']');
        }
        Value::Map(pairs) => {
            out.push('{');
            for (index, (key, item)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_flow(key, out);
                out.push_str(": ");
                write_flow(item, out);
                if out.len() > MAX_TEXT {
                    return;
                }
            }
            out.push('}');
        }
    }
}

/// YAML wants a point in every float, and a sign in its exponent.
fn write_float(number: f64, out: &mut String) {
    if number.is_nan() {
        return out.push_str(".nan");
    }
    if number.is_infinite() {
        return out.push_str(if number > 0.0 { ".inf" } else { "-.inf" });
    }
    let written = format!("{number:?}");
    match written.split_once('e') {
        None => out.push_str(&written),
        Some((digits, exponent)) => {
            out.push_str(digits);
            if !digits.contains('.') {
                out.push_str(".0");
            }
            out.push('e');
            if !exponent.starts_with('-') {
                out.push('+');
            }
            out.push_str(exponent);
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
        if out.len() > MAX_TEXT {
            break;
        }
    }
    out.push('"');
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

/// Whether Salt reads a word as this very text.
fn comes_back(text: &str) -> bool {
    let trimmed = text.trim();
    // Salt leaves these alone. With a `#` it returns what was typed, with any quotes.
    if matches!(trimmed, "" | "---" | "...") || text.contains(['\t', '\r', '\n', '#']) {
        return true;
    }
    if text.contains('_') && trimmed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return true;
    }
    trimmed.len() == text.len()
        && !text.starts_with(['{', '[', '"', '\'', '&', '!', '|', '>'])
        && NOT_TEXT.as_ref().is_some_and(|words| !words.is_match(text))
}

/// Whether Salt takes a word for an option or a keyword argument.
fn is_taken_otherwise(text: &str) -> bool {
    if text.starts_with('-') {
        return true;
    }
    let Some((name, value)) = text.split_once('=') else {
        return false;
    };
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
        && !value.starts_with('=')
        && !value.trim_end_matches('\n').contains('\n')
}
