//! One argument, written as Salt's command line reads it back: it takes every word for YAML, and
//! `name=value` for a keyword argument.
//!
//! Texts stay as they are where they come back so, and get quotes of YAML's where they would come
//! back as a number, a boolean, nothing or a list (Salt's `parse_input` and `yamlify_arg`, 3006 to
//! 3008). The shell's own quotes are not its matter.

use salt_event::Value;

use super::yaml::{self, Said, comes_back};
use crate::quote::is_unseen;
use crate::redact::Mark;

/// How a text is written of which a part is hidden: whether it needs quotes of YAML's can lie in that part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// As the text that stands there.
    AsText,
    /// As a text that needs none for the hidden part's sake.
    Bare,
    /// In quotes.
    Quoted,
}

/// A positional argument.
pub(super) fn positional(value: &Value<'_>, hidden: Hidden) -> Said {
    match value {
        Value::Text(text) if stays(text, hidden) && !is_keyword(text) || is_jid_text(text) => {
            Said { text: text.clone().into_owned(), exact: true }
        }
        // Salt makes a text of every number that looks like a jid.
        Value::Int(number) if is_jid(&number.to_string()) => inexact(value),
        Value::UInt(number) if is_jid(&number.to_string()) => inexact(value),
        other => top(other),
    }
}

/// The value of a keyword argument.
pub(super) fn keyword(value: &Value<'_>, hidden: Hidden) -> Said {
    match value {
        // `name==value` is no keyword argument.
        Value::Text(text) if stays(text, hidden) && !text.starts_with('=') => {
            Said { text: text.clone().into_owned(), exact: true }
        }
        other => top(other),
    }
}

/// Whether Salt reads a text that is typed as it is as this very text.
fn stays(text: &str, hidden: Hidden) -> bool {
    if hidden != Hidden::AsText && Mark::find(text).is_some() {
        return hidden == Hidden::Bare && stays(&without_marks(text), Hidden::AsText);
    }
    text != "VALUE_TRIMMED" && !text.chars().any(is_unseen) && comes_back(text)
}

/// The text with a letter in the place of each mark.
fn without_marks(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((_, start, end)) = Mark::find(rest) {
        out.push_str(rest.get(..start).unwrap_or_default());
        out.push('x');
        rest = rest.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn inexact(value: &Value<'_>) -> Said {
    Said { exact: false, ..top(value) }
}

/// Single words of Python's, as people type them; texts in quotes; all else as in a flow.
fn top(value: &Value<'_>) -> Said {
    let word = match value {
        Value::Nil => "None",
        Value::Bool(true) => "True",
        Value::Bool(false) => "False",
        Value::Text(text) => return yaml::quoted(text),
        other => return yaml::flow(other),
    };
    Said { text: word.to_owned(), exact: true }
}

/// Whether Salt may take a word for a keyword argument. Of letters that are not ASCII it is not asked
/// which of them are digits.
pub(super) fn is_keyword(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    text.split_once('=').is_some_and(|(name, value)| {
        name.starts_with(is_letter)
            && name.chars().all(|c| is_letter(c) || c.is_ascii_digit() || matches!(c, '.' | '-'))
            && !value.starts_with('=')
    })
}

/// Whether Salt surely takes `name=value` for a keyword argument of this name.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Salt's `is_jid`, of a number.
fn is_jid(digits: &str) -> bool {
    digits.len() == 20
}

/// A jid is typed as a number, and Salt makes a text of it.
fn is_jid_text(text: &str) -> bool {
    is_jid(text) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
}
