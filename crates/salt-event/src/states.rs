//! What a minion's `return` is: results of states, Salt's refusals, or a plain value.
//!
//! The states are walked in place; which part of a result is stored where is the journal's matter.

use std::borrow::Cow;

use crate::msgpack::{Raw, Reader, Token};
use crate::time::{is_jid, parse_duration, parse_start};

/// The four parts of a state's key stand between these.
const SEPARATOR: &str = "_|-";

/// A return, by its form.
#[derive(Debug, Clone)]
pub enum Returned<'a> {
    /// Results of states, one after the other.
    States(States<'a>),
    /// A list of texts instead of results: states that could not be rendered or begun.
    Refused(Vec<&'a str>),
    /// Anything else.
    Plain(Raw<'a>),
}

impl<'a> Returned<'a> {
    /// Tells the form of a return. Only a map whose every key has a state's form, and whose every
    /// value has a result, is taken for states; `is_state` says whether a state function returned
    /// it, because any function may return a list of texts.
    pub fn of(raw: Raw<'a>, is_state: bool) -> Self {
        match raw.token() {
            Token::Map(1..) => match States::read(raw) {
                Some(states) => Returned::States(states),
                None => Returned::Plain(raw),
            },
            Token::Array(1..) if is_state => {
                let texts: Option<Vec<&str>> = raw.items().map(Raw::text).collect();
                texts.map_or(Returned::Plain(raw), Returned::Refused)
            }
            _ => Returned::Plain(raw),
        }
    }
}

/// Iterates over the results of states, in the order in which they were sent.
#[derive(Debug, Clone)]
pub struct States<'a> {
    results: std::vec::IntoIter<StateResult<'a>>,
}

impl<'a> States<'a> {
    /// Every byte is looked at once, and the first pair that is no state's result ends it.
    fn read(raw: Raw<'a>) -> Option<Self> {
        let mut reader = raw.reader();
        let count = reader.map().ok()?;
        let mut results = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let key = reader.raw().ok()?.text()?;
            results.push(StateResult::read(key, &mut reader)?);
        }
        Some(Self { results: results.into_iter() })
    }
}

impl<'a> Iterator for States<'a> {
    type Item = StateResult<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.results.next()
    }
}

/// One state's result on one minion.
#[derive(Debug, Clone, Copy)]
pub struct StateResult<'a> {
    /// `module_|-id_|-name_|-function`, as sent.
    pub key: &'a str,
    /// `true`: as wanted; `false`: failed; nothing: would change, under `test=True`.
    pub result: Option<bool>,
    /// What changed; empty when nothing did.
    pub changes: Raw<'a>,
    /// What the state says of it.
    pub comment: Raw<'a>,
    /// The state file.
    pub sls: Option<&'a str>,
    /// The state's id.
    pub id: Option<&'a str>,
    /// How long it took, in microseconds.
    pub duration: Option<u64>,
    /// When it began, in microseconds since midnight by the minion's clock.
    pub start: Option<u64>,
    /// Its place in the order of execution.
    pub run_number: Option<i64>,
    /// The whole map, for whatever else it holds.
    pub raw: Raw<'a>,
    /// How many members it has beyond [`NAMED_MEMBERS`].
    pub others: usize,
}

/// Members of a state's result that [`StateResult`] names; all others are its body too.
pub const NAMED_MEMBERS: [&str; 9] = [
    "result",
    "changes",
    "comment",
    "__sls__",
    "__id__",
    "duration",
    "start_time",
    "__run_num__",
    "name",
];

impl<'a> StateResult<'a> {
    /// Nothing where the key has not the form of a state's, or there is no result.
    fn read(key: &'a str, reader: &mut Reader<'a>) -> Option<Self> {
        separators(key).nth(2)?;
        let start = reader.position();
        let members = reader.map().ok()?;
        let mut has_result = false;
        let mut state = StateResult {
            key,
            result: None,
            changes: Raw::NIL,
            comment: Raw::NIL,
            sls: None,
            id: None,
            duration: None,
            start: None,
            run_number: None,
            raw: Raw::NIL,
            others: 0,
        };
        for _ in 0..members {
            let (name, value) = (reader.raw().ok()?, reader.raw().ok()?);
            match name.name() {
                b"result" => (state.result, has_result) = (result(value), true),
                b"changes" => state.changes = value,
                b"comment" => state.comment = value,
                b"__sls__" => state.sls = value.text(),
                b"__id__" => state.id = value.text(),
                b"duration" => state.duration = parse_duration(value),
                b"start_time" => state.start = value.text().and_then(parse_start),
                b"__run_num__" => state.run_number = value.integer(),
                b"name" => {}
                _ => state.others += 1,
            }
        }
        state.raw = reader.since(start);
        has_result.then_some(state)
    }

    /// Whether it says that something changed or, under `test=True`, would change.
    pub fn has_changes(&self) -> bool {
        !matches!(
            self.changes.token(),
            Token::Nil | Token::Map(0) | Token::Array(0) | Token::Str(b"") | Token::Bool(false)
        )
    }

    /// The four parts of the key: module, id, name and function. Where the result names its id,
    /// the separator may stand in it.
    pub fn parts(&self) -> KeyParts<'a> {
        let parts = KeyParts::split(self.key);
        self.id.and_then(|id| parts.with_id(self.key, id)).unwrap_or(parts)
    }
}

/// As Salt judges: only `False` is a failure, only `None` is undecided, and states of people's own
/// return all kinds of things for "well".
fn result(value: Raw<'_>) -> Option<bool> {
    match value.token() {
        Token::Nil => None,
        Token::Bool(value) => Some(value),
        _ => Some(true),
    }
}

/// A state's key, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyParts<'a> {
    /// The state module: `pkg`.
    pub module: &'a str,
    /// The state's id.
    pub id: &'a str,
    /// The `name` argument.
    pub name: &'a str,
    /// The state function: `installed`.
    pub function: &'a str,
}

impl<'a> KeyParts<'a> {
    /// Splits a key: the module before the first separator, the function behind the last one.
    pub fn split(key: &'a str) -> Self {
        let mut places = separators(key);
        let (first, second) = (places.next(), places.next());
        let last = places.last().or(second).or(first);
        let part = |from: Option<usize>, to: Option<usize>| {
            let from = from.map_or(0, |place| place + SEPARATOR.len());
            key.get(from..to.unwrap_or(key.len())).unwrap_or_default()
        };
        match (first, second, last) {
            (Some(_), Some(_), Some(_)) => Self {
                module: part(None, first),
                id: part(first, second),
                name: part(second, last),
                function: part(last, None),
            },
            _ => Self {
                module: if first.is_some() { part(None, first) } else { "" },
                id: "",
                name: "",
                function: part(first, None),
            },
        }
    }

    fn with_id(self, key: &'a str, id: &str) -> Option<Self> {
        let rest = key.strip_prefix(self.module)?.strip_prefix(SEPARATOR)?;
        let (name, function) =
            rest.strip_prefix(id)?.strip_prefix(SEPARATOR)?.rsplit_once(SEPARATOR)?;
        Some(Self { id: rest.get(..id.len())?, name, function, ..self })
    }
}

/// Where the separators stand in a key, from the left; they do not overlap.
fn separators(key: &str) -> impl Iterator<Item = usize> {
    let bytes = key.as_bytes();
    let is_one = move |bar: &usize| {
        bar.checked_sub(1).is_some_and(|before| bytes.get(before..bar + 2) == Some(b"_|-"))
    };
    memchr::memchr_iter(b'|', bytes).filter(is_one).map(|bar| bar - 1)
}

/// Most jids that are read out of a refusal.
const MAX_COLLISIONS: usize = 32;

/// The jids of state runs that Salt says it met on a minion: "The function … is running as PID …
/// and was started at … with jid …". One text can name several; each is given once.
pub fn collisions(texts: &[&str]) -> Vec<String> {
    let mut jids: Vec<String> = Vec::new();
    let named = texts
        .iter()
        .filter(|text| text.contains("is running as PID"))
        .flat_map(|text| text.split("with jid ").skip(1))
        .filter_map(jid_at_start);
    for jid in named {
        if jids.len() < MAX_COLLISIONS && !jids.iter().any(|known| known == jid) {
            jids.push(jid.to_owned());
        }
    }
    jids
}

fn jid_at_start(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    text.get(..end).filter(|jid| is_jid(jid))
}

/// Whether a function runs states, so that its return is results or a refusal.
pub fn is_state_function(fun: &str) -> bool {
    matches!(
        fun,
        "state.highstate"
            | "state.apply"
            | "state.sls"
            | "state.sls_id"
            | "state.single"
            | "state.top"
            | "state.high"
            | "state.low"
            | "state.template"
            | "state.template_str"
            | "state.pkg"
            | "state.request"
            | "state.run_request"
            | "state.test"
    )
}

/// The text of a comment, which can be a list. Bytes that are not UTF-8 become replacement
/// characters.
pub fn comment_text(comment: Raw<'_>) -> Cow<'_, str> {
    match comment.token() {
        Token::Str(bytes) | Token::Bin(bytes) => String::from_utf8_lossy(bytes),
        _ => Cow::Owned(
            comment
                .items()
                .filter_map(|item| match item.token() {
                    Token::Str(bytes) | Token::Bin(bytes) => Some(String::from_utf8_lossy(bytes)),
                    _ => None,
                })
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    }
}
