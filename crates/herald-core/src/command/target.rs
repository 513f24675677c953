//! A target as Salt's command line takes it: the option for its kind, and one word that is not YAML.
//!
//! Exact is what `salt` publishes again: lists from their words, compounds with one space between
//! (Salt's `LocalClient._prep_pub`). It does not judge whether a target matches anybody.

use salt_event::Value;

use super::{CommandParts, MAX_COMMAND_LINE, yaml};

/// A target in words.
pub(super) struct Target {
    /// `-G` and the like; empty for a glob.
    pub(super) option: &'static str,
    pub(super) text: String,
    pub(super) exact: bool,
}

/// The target in words. `is_batch`: it is the target of a batch, which the bus tells as it was typed;
/// of a job it tells what the client made of it.
pub(super) fn target(tgt: &Value<'_>, tgt_type: &str, is_batch: bool) -> Target {
    let (option, known) = option(tgt, tgt_type);
    match tgt {
        Value::Array(items) => {
            let (text, exact) = list(items);
            Target { option, text, exact: exact && known && option == "-L" }
        }
        Value::Text(text) => {
            let kept = match option {
                "-L" => false,
                "-C" => is_batch || is_resolved(text),
                _ => true,
            };
            Target { option, text: text.clone().into_owned(), exact: known && kept }
        }
        other => Target { option, text: yaml::flow(other).text, exact: false },
    }
}

/// The target's text alone; empty where none is known.
pub(super) fn text(parts: &CommandParts<'_>) -> String {
    parts.tgt.map_or_else(String::new, |tgt| target(tgt, parts.tgt_type, false).text)
}

/// The option, and whether there is one for this very kind.
fn option(tgt: &Value<'_>, tgt_type: &str) -> (&'static str, bool) {
    let option = match tgt_type {
        "glob" => "",
        "pcre" => "-E",
        "list" => "-L",
        "grain" => "-G",
        "grain_pcre" => "-P",
        "nodegroup" => "-N",
        "range" => "-R",
        "compound" => "-C",
        "pillar" => "-I",
        "pillar_pcre" => "-J",
        "ipcidr" => "-S",
        // A list is told by its form, whatever it is called.
        _ if matches!(tgt, Value::Array(_)) => return ("-L", false),
        _ => return ("", false),
    };
    (option, true)
}

/// Salt splits at commas, without the spaces; where there is no comma, at whitespace.
fn list(items: &[Value<'_>]) -> (String, bool) {
    let names: Vec<&str> =
        items.iter().take(MAX_COMMAND_LINE).map(|item| item.as_text().unwrap_or("?")).collect();
    let is_said = |name: &&str| match items.len() {
        1 => !name.is_empty() && !name.contains(',') && !name.contains(is_python_space),
        _ => !name.contains([',', ' ']),
    };
    let exact = items.iter().all(|item| item.as_text().is_some())
        && items.len() <= MAX_COMMAND_LINE
        && names.iter().all(is_said);
    (names.join(","), exact)
}

/// Whether a compound is as the client publishes it: its words with one space between, and every
/// nodegroup replaced by what it stands for.
fn is_resolved(text: &str) -> bool {
    let words: Vec<&str> = text.split(is_python_space).filter(|word| !word.is_empty()).collect();
    words.join(" ") == text && !words.iter().any(|word| word.len() > 2 && word.starts_with("N@"))
}

/// What Python's `str.split()` takes for whitespace.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}
