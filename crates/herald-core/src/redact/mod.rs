//! Keeping secrets out of everything that is stored and said: by the names under which they stand,
//! by their own shapes, and by finding known ones again.
//!
//! The rules hide rather too much than too little, and leave names, paths and options readable. They
//! are not proof against somebody who wants to get a secret past them. Nothing here is configured,
//! and nothing keeps a secret longer than the [`Secrets`] of its run.
//!
//! A text is first searched for anchors (`pass`, `://`, `ghp_`, …) in one pass; only where one is
//! found do the rules read. Every rule reads a bounded way, so that no text takes longer than its
//! length allows.

mod arguments;
mod blocks;
mod commands;
mod forms;
mod harmless;
mod keys;
mod marks;
mod pairs;
mod pipes;
mod places;
mod plain;
mod programs;
mod scan;
mod secrets;
mod sieve;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod values;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use salt_event::Value;

pub use marks::{KEY_BYTES, Mark, Marks};
pub use secrets::{Rule, Secrets};

use pairs::Name;
use scan::Scan;
use sieve::{Anchor, Family, Sieve};
use values::{at, slice};

/// Parts of names, in any case of letters, at which the rules for names are asked.
const NAME_ANCHORS: &[&str] = &[
    "pass",
    "pw",
    "secret",
    "token",
    "key",
    "psk",
    "auth",
    "cred",
    "cookie",
    "bearer",
    "identified",
    "signature",
    "community",
    "kennwort",
    "contrase",
    "unseal",
    "&sig=",
    "?sig=",
];

/// How often a text is read at the most. Two do, but for texts that were made to need more.
const MAX_ROUNDS: usize = 8;

/// Longest name that is read around an anchor, to each side.
const MAX_NAME: usize = 64;

/// What is asked where an anchor stands.
#[derive(Clone, Copy)]
enum Look {
    Shape(tokens::Look),
    /// The whole name around it.
    Name,
    /// `<<<`
    HereString,
    /// ` -p `
    BesideName,
}

/// The rules by which secrets are found, compiled once.
#[derive(Clone)]
pub struct Redactor {
    marks: Marks,
    /// For texts.
    rules: Arc<Sieve<Look>>,
    /// For one quick look at a whole tree, whose keys are asked for more.
    trees: Arc<Sieve<()>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// Every anchor of the rules for texts, with what it means.
fn anchors() -> impl Iterator<Item = Anchor<Look>> {
    let shape = |(text, look)| Anchor { text, family: Family::Shape, means: Look::Shape(look) };
    let name = |text| Anchor { text, family: Family::Name, means: Look::Name };
    let names = NAME_ANCHORS.iter().copied().chain(programs::anchors());
    let signs = [(pipes::HERE_STRING, Look::HereString), (programs::OPTION, Look::BesideName)];
    let signs = signs.map(|(text, means)| Anchor { text, family: Family::Name, means });
    tokens::anchors().map(shape).chain(names.map(name)).chain(signs)
}

impl Redactor {
    /// Compiles the rules. What they hide is marked by a key.
    pub fn new(marks: Marks) -> Self {
        let of_text = anchors().map(|Anchor { text, family, .. }| (text, family));
        let of_keys = tree::anchors().map(|text| (text, Family::Name));
        let plain = |(text, family)| Anchor { text, family, means: () };
        Redactor {
            marks,
            rules: Arc::new(Sieve::new(anchors())),
            trees: Arc::new(Sieve::new(of_text.chain(of_keys).map(plain))),
        }
    }

    /// What marks what it hides.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Hides what is secret in a text by its name or its shape, and adds it to `secrets`.
    pub fn redact_text<'t>(&self, text: &'t str, secrets: &mut Secrets) -> Cow<'t, str> {
        let Some(clean) = self.clean(text.as_bytes(), secrets) else {
            return Cow::Borrowed(text);
        };
        match String::from_utf8(clean) {
            Ok(hidden) => Cow::Owned(hidden),
            // No rule cuts a character; if one did, rather nothing than a part of a secret.
            Err(_) => Cow::Owned(self.marks.of(text.as_bytes()).to_string()),
        }
    }

    /// Hides what is secret in a tree by its names and shapes, at any depth, and adds it to
    /// `secrets`: for arguments, and for whatever else names a run's secrets.
    pub fn redact_value(&self, value: &mut Value<'_>, secrets: &mut Secrets) {
        tree::redact(self, value, secrets);
    }

    /// The arguments of a function: as [`Redactor::redact_value`], and also what is secret by its
    /// place, as in `mysql.user_create bob localhost hunter2`.
    ///
    /// `arg` is the list of a job with one function. For several functions it is called for each.
    pub fn redact_arguments(&self, fun: &str, arg: &mut Value<'_>, secrets: &mut Secrets) {
        arguments::redact(self, fun, arg, secrets);
        tree::redact(self, arg, secrets);
    }

    /// A return: what its own names and shapes say is hidden in all of it, and every secret that is
    /// known. What a return teaches is forgotten with it.
    pub fn clean_return(&self, value: &mut Value<'_>, secrets: &Secrets) {
        let mut own = Secrets::default();
        tree::redact(self, value, &mut own);
        secrets.hide_value(value);
        own.hide_value(value);
    }

    /// Whether the rules would look closer at anything in these bytes, a whole tree in MessagePack:
    /// else there is nothing to hide but what is known to be secret.
    pub fn may_hold_secret(&self, bytes: &[u8]) -> bool {
        self.trees.is_in(bytes)
    }

    /// Hides every text and number of a tree: the return of a function that was asked for a secret
    /// (see [`returns_secret`]).
    pub fn hide_all(&self, value: &mut Value<'_>, secrets: &mut Secrets) {
        tree::hide_leaves(&self.marks, value, secrets);
    }

    /// The text without its secrets, if it has some. It is read again until nothing more is found:
    /// what was hidden can give the rest another meaning, and twice has to be the same as once.
    fn clean(&self, text: &[u8], secrets: &mut Secrets) -> Option<Vec<u8>> {
        let mut clean = self.clean_once(text, secrets)?;
        for _ in 1..MAX_ROUNDS {
            match self.clean_once(&clean, secrets) {
                Some(next) => clean = next,
                None => break,
            }
        }
        Some(clean)
    }

    fn clean_once(&self, text: &[u8], secrets: &mut Secrets) -> Option<Vec<u8>> {
        let mut names = Vec::new();
        let mut scan = Scan::new(text, &self.marks, secrets);
        self.rules.each(text, |found, look| match look {
            Look::Shape(shape) => at_shape(&mut scan, found, shape),
            _ => names.push((found, look)),
        });
        let shapes = scan.into_spans();
        if shapes.is_empty() {
            let named = self.find_named(text, names, secrets);
            return (!named.is_empty()).then(|| replace_ranges(text, &named));
        }
        // Names are looked for in what stands there now: a mark is a value.
        let shaped = replace_ranges(text, &shapes);
        names.clear();
        self.rules.each(&shaped, |found, look| match look {
            Look::Shape(_) => {}
            _ => names.push((found, look)),
        });
        let named = self.find_named(&shaped, names, secrets);
        Some(if named.is_empty() { shaped } else { replace_ranges(&shaped, &named) })
    }

    fn find_named(
        &self,
        text: &[u8],
        names: Vec<(Range<usize>, Look)>,
        secrets: &mut Secrets,
    ) -> Spans {
        let mut scan = Scan::new(text, &self.marks, secrets);
        for (found, look) in names {
            if found.start >= scan.done {
                at_name(&mut scan, found, look);
            }
        }
        scan.into_spans()
    }
}

/// Whether a name says that its value is secret: a map's key, an option, a pillar's path.
pub fn names_secret(name: &str) -> bool {
    keys::names_secret(name)
}

/// Whether all that a function returns is secret, because it was asked for a secret: `pillar.get
/// db:password`, `vault.read_secret`.
pub fn returns_secret(fun: &str, arg: &Value<'_>) -> bool {
    arguments::returns_secret(fun, arg)
}

/// Asks the rule of a shape.
fn at_shape(scan: &mut Scan<'_, '_>, found: Range<usize>, look: tokens::Look) {
    if found.start < scan.done {
        return;
    }
    let text = scan.text;
    let Some(span) = look.secret(text, found) else { return };
    scan.rule = look.rule();
    if look.is_aws_id()
        && let Some(near) = tokens::aws_secret_near(text, &span)
    {
        scan.hide(near);
    }
    scan.done = span.end;
    let plain = look.plain(slice(text, span.clone()));
    scan.hide_as(span, &plain);
}

/// Reads the whole name around an anchor and asks the rules.
fn at_name(scan: &mut Scan<'_, '_>, found: Range<usize>, look: Look) {
    let text = scan.text;
    match look {
        Look::HereString => {
            scan.done = found.end;
            scan.rule = "pipe";
            let inside = scan.quote_at(found.start);
            return pipes::here_string(scan, found, inside);
        }
        // `-P` is another option.
        Look::BesideName if slice(text, found.clone()) == programs::OPTION.as_bytes() => {
            scan.done = found.end - 1;
            scan.rule = "program";
            let inside = scan.quote_at(found.start);
            return programs::beside_name(scan, found, inside);
        }
        _ => {}
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let floor = scan.done.max(found.start.saturating_sub(MAX_NAME));
    let left =
        slice(text, floor..found.start).iter().rev().take_while(|byte| is_name(byte)).count();
    // `?sig=` brings its own sign along.
    let begin = match at(text, found.start) {
        b'?' | b'&' => found.start + 1,
        _ => found.start - left,
    };
    let limit = text.len().min(found.end + MAX_NAME);
    let end = begin + slice(text, begin..limit).iter().take_while(|byte| is_name(byte)).count();
    let (start, escaped_line) = without_escape(text, begin, end);
    let dashes = values::skip(text, start, b"-").min(end) - start;
    let range = start + dashes..end - trailing_dots(text, start + dashes, end);
    scan.done = end.max(found.end);
    let inside = scan.quote_at(start);
    let leads = escaped_line || leads_line(text, start);
    let name = Name { range: range.clone(), dashes, leads, inside };
    scan.rule = "name";
    pairs::hide_value_of(scan, &name);
    scan.rule = "program";
    programs::hide_words(scan, range.clone(), inside);
    scan.rule = "phrase";
    match slice(text, range.clone()) {
        word if word.eq_ignore_ascii_case(b"bearer") => bearer(scan, range.end),
        word if word.eq_ignore_ascii_case(b"unseal") => unseal_key(scan, range.end),
        word if word.eq_ignore_ascii_case(b"identified") => identified_by(scan, range.end, inside),
        _ => {}
    }
}

/// Without the letter of a `\n` or `\t` that was written out before a name.
fn without_escape(text: &[u8], start: usize, end: usize) -> (usize, bool) {
    let backslash = start.checked_sub(1).is_some_and(|before| at(text, before) == b'\\');
    match at(text, start) {
        b'n' if backslash && start + 1 < end => (start + 1, true),
        b't' | b'r' if backslash && start + 1 < end => (start + 1, false),
        _ => (start, false),
    }
}

fn trailing_dots(text: &[u8], start: usize, end: usize) -> usize {
    slice(text, start..end).iter().rev().take_while(|byte| matches!(byte, b'.' | b'-')).count()
}

/// Whether only signs stand before a place on its line.
fn leads_line(text: &[u8], place: usize) -> bool {
    let window = slice(text, place.saturating_sub(200)..place);
    let line = match memchr::memrchr(b'\n', window) {
        Some(newline) => slice(window, newline + 1..window.len()),
        None if place <= 200 => window,
        None => return false,
    };
    let line = line.trim_ascii();
    let line = line.strip_suffix(b"export").or(line.strip_suffix(b"set")).unwrap_or(line);
    line.iter().all(|byte| b" \t+-#;\"'>\\".contains(byte))
}

/// `Bearer x`, wherever it stands.
fn bearer(scan: &mut Scan<'_, '_>, end: usize) {
    let text = scan.text;
    let found = values::word(text, values::skip(text, end, b" "), None);
    let token = slice(text, found.inner.clone());
    let token = token.split(|byte| matches!(byte, b'"' | b'\'' | b',')).next().unwrap_or_default();
    let is_token = token.len() >= 12 && token.iter().any(u8::is_ascii_digit);
    if is_token && at(text, end) == b' ' {
        scan.hide(found.inner.start..found.inner.start + token.len());
    }
}

/// `Unseal Key 1: x`
fn unseal_key(scan: &mut Scan<'_, '_>, end: usize) {
    let near = slice(scan.text, end..scan.text.len().min(end + 12));
    if let Some(colon) = memchr::memmem::find(near, b": ").filter(|_| near.starts_with(b" Key ")) {
        let found = values::word(scan.text, end + colon + 2, None);
        scan.hide_value(found.inner, false);
    }
}

/// SQL's `IDENTIFIED BY 'x'`, `IDENTIFIED WITH plugin BY 'x'`.
fn identified_by(scan: &mut Scan<'_, '_>, end: usize, inside: Option<u8>) {
    let text = scan.text;
    let window = slice(text, end..text.len().min(end + 80));
    let lower = window.to_ascii_lowercase();
    let Some(by) = memchr::memmem::find(&lower, b"by ").or(memchr::memmem::find(&lower, b"as "))
    else {
        return;
    };
    let start = values::skip(text, end + by + 3, b" ");
    let start = if slice(&lower, by + 3..by + 12) == b"password " { start + 9 } else { start };
    if let Some(found) = values::quoted(text, start, inside) {
        return scan.hide_value(found.inner, false);
    }
    // Oracle's needs no quotes.
    let found = values::word(text, start, inside);
    let bare = slice(text, found.inner.clone());
    if at(text, found.end) == b';' || bare.iter().any(u8::is_ascii_digit) {
        scan.hide_value(found.inner, false);
    }
}

/// Parts of a text that are hidden, in order and apart, and what stands in their place.
type Spans = Vec<(Range<usize>, Mark)>;

/// The text with a mark in the place of each part.
fn replace_ranges(text: &[u8], spans: &[(Range<usize>, Mark)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for (range, mark) in spans {
        out.extend_from_slice(slice(text, from..range.start));
        mark.push_to(&mut out);
        from = range.end;
    }
    out.extend_from_slice(slice(text, from..text.len()));
    out
}
