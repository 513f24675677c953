//! YAML text to a tree that knows where each key stands.
//!
//! The only place that knows which YAML library we use. It judges no key and no value: that is the
//! schema's work. Nothing here prints a piece of the file: a secret may stand in any line, so the
//! library's excerpts are off and its messages are replaced wherever they could quote a value.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Spanned};

use super::problem::Problem;

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<Path>,
    /// From 1; 0 where the file as a whole is meant.
    pub(crate) line: u32,
    /// From 1, in characters.
    pub(crate) column: u32,
}

/// A value and its place. It has no `Debug`, because it may be a secret.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// What YAML can say. Words such as `yes` and `off` stay text here: only who reads a value knows
/// whether it is one of Salt's ways to write a boolean.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value; the place is the key's.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Value {
    /// What it is, for a sentence such as "must be text, not a list".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) | Self::Decimal(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a table",
        }
    }

    /// Whether two values say the same, wherever they stand.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a.total_cmp(b).is_eq(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.value.same(&b.value))
            }
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|entry| {
                        b.iter().any(|other| {
                            entry.key == other.key && entry.node.value.same(&other.node.value)
                        })
                    })
            }
            _ => false,
        }
    }
}

/// Reads one document.
///
/// Gives every key that stands twice in one map as a problem beside the tree, in which the last
/// one stays.
///
/// # Errors
/// The one problem that makes the text no YAML, or too much of it (a billion laughs).
pub(crate) fn parse(file: &Arc<Path>, text: &str) -> Result<(Node, Vec<Problem>), Problem> {
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| describe(&error, file, text))?;
    let mut problems = Vec::new();
    let node = Locator { file, problems: &mut problems }.node(raw, "");
    Ok((node, problems))
}

/// Limits far above any config and far below what would hurt. `crop_radius` and `with_snippet`
/// both switch the excerpts off.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 500_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 48,
            max_documents: 2,
            max_nodes: 200_000,
            max_merge_keys: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        emit_comments: false,
        with_snippet: false,
        crop_radius: 0,
    }
}

/// The library's error as one of ours.
fn describe(error: &serde_saphyr::Error, file: &Arc<Path>, text: &str) -> Problem {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| {
        (u32::try_from(at.line()).unwrap_or(0), u32::try_from(at.column()).unwrap_or(0))
    });
    let place = Place { file: Arc::clone(file), line, column };
    if indented_with_tab(text, line) {
        return Problem::at(&place, "", "a tab stands where YAML wants spaces")
            .hint("indent with spaces only");
    }
    match error {
        // An error in what an alias stands for; where it is used matters less than what it is.
        Error::AliasError { error, .. } => describe(error, file, text),
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => too_much(&place),
        // The parser's own texts name what it wanted and quote nothing.
        Error::ExternalMessage { msg, .. } => {
            Problem::at(&place, "", format!("not valid YAML: {msg}"))
                .hint("the mistake can also stand above; quote a value that holds \": \" or \" #\"")
        }
        Error::Eof { .. } => Problem::at(&place, "", "not valid YAML: the file ends too early"),
        Error::MultipleDocuments { .. } => {
            Problem::at(&place, "", "a second document starts here").hint("remove the \"---\" line")
        }
        Error::UnknownAnchor { .. } => {
            Problem::at(&place, "", "an alias (*name) that no anchor (&name) defines")
                .hint("quote a value that starts with \"*\"")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => too_much(&place),
        _ => Problem::at(
            &place,
            "",
            "YAML that no config needs (a key that is no text, a tag, or an alias to itself)",
        ),
    }
}

fn too_much(place: &Place) -> Problem {
    Problem::at(place, "", "more values, nesting or aliases than a config can need")
}

/// Whether this line, or the one before it, is indented with a tab.
fn indented_with_tab(text: &str, line: u32) -> bool {
    let line = line as usize;
    text.lines()
        .enumerate()
        .filter(|(index, _)| *index + 1 == line || *index + 2 == line)
        .any(|(_, content)| content.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t'))
}

/// A value as the library hands it over, before it knows its file.
enum Raw {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(value))
    }

    // A number too large for us is still a number, and out of every range that we allow.
    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Decimal(value as f64), Raw::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Decimal(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Puts the file to every place and finds keys that stand twice.
struct Locator<'a> {
    file: &'a Arc<Path>,
    problems: &'a mut Vec<Problem>,
}

impl Locator<'_> {
    fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        let at = spanned.referenced;
        Place {
            file: Arc::clone(self.file),
            line: u32::try_from(at.line()).unwrap_or(0),
            column: u32::try_from(at.column()).unwrap_or(0),
        }
    }

    fn node(&mut self, raw: Spanned<Raw>, path: &str) -> Node {
        let place = self.place(&raw);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Integer(value) => Value::Integer(value),
            Raw::Decimal(value) => Value::Decimal(value),
            Raw::Text(value) => Value::Text(value),
            Raw::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item, path)).collect())
            }
            Raw::Map(entries) => Value::Map(self.entries(entries, path)),
        };
        Node { value, place }
    }

    fn entries(&mut self, raw: Vec<(Spanned<String>, Spanned<Raw>)>, path: &str) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        // Looked up by key, so that a hostile file with many keys costs no quadratic time.
        let mut seen = std::collections::HashMap::with_capacity(raw.len());
        for (key, value) in raw {
            let place = self.place(&key);
            let key = key.value;
            let full = join(path, &key);
            let node = self.node(value, &full);
            let entry = Entry { key: key.clone(), place, node };
            let first = seen.get(&key).and_then(|index: &usize| entries.get_mut(*index));
            if let Some(first) = first {
                let message = format!("stands twice, first on line {}", first.place.line);
                self.problems
                    .push(Problem::at(&entry.place, full, message).hint("keep one of the two"));
                *first = entry;
            } else {
                seen.insert(key, entries.len());
                entries.push(entry);
            }
        }
        entries
    }
}

/// A key below its parents.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
