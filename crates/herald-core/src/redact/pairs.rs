//! Secrets that follow their name in a text: `password=x`, `--password x`, `"token": "x"`,
//! `db_password: x`, `Authorization: Bearer x`.
//!
//! It is called at a name and reads what stands behind it. It does not know programs' own options.

use std::ops::Range;

use super::SITE_KEYS;
use super::blocks;
use super::harmless::{is_code, is_harmless, is_metavar, is_no_credential, is_version};
use super::keys::Kind;
use super::marks;
use super::phrases;
use super::plain;
use super::scan::Scan;
use super::tokens::{follows_slash, skip_spaces};
use super::tree::is_random_key;
use super::values::{
    Found, after_scheme, at, line_end_within, quoted, rest_of_line, skip, slice, word,
};

/// How a name and its value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    Equals,
    Colon,
    /// `<password>`
    Tag,
    /// `password is: `
    Sentence,
}

/// A name in a text.
pub(super) struct Name {
    /// Without dashes before it.
    pub(super) range: Range<usize>,
    /// How many dashes stand before it.
    pub(super) dashes: usize,
    /// Whether nothing else stands before it on its line.
    pub(super) leads: bool,
    /// The quote that is open around it.
    pub(super) inside: Option<u8>,
}

/// Hides the value of a name.
pub(super) fn hide_value_of(scan: &mut Scan<'_, '_>, name: &Name) {
    let text = scan.text;
    let word_of = slice(text, name.range.clone());
    let rules = scan.rules;
    let is_sites = rules.site.has_key(word_of);
    if is_sites {
        scan.rule = SITE_KEYS;
    }
    let found = if is_sites { Some(Kind::Strong) } else { scan.kind_of(&name.range) };
    let found = found.or_else(|| signature(text, name)).or_else(|| keyring(text, name));
    let Some(kind) = found else {
        return;
    };
    if follows_slash(text, name.range.start) || is_harmless(text, name) {
        return;
    }
    let is_told = |scan: &mut Scan<'_, '_>| {
        second_argument(scan, name) || set_for(scan, name) || attribute(scan, name)
    };
    if kind == Kind::Strong && is_told(scan) {
        return;
    }
    let closed = after_closers(text, name.range.end);
    let name =
        &Name { inside: still_inside(text, name, closed), range: name.range.clone(), ..*name };
    let gap = skip_spaces(text, closed);
    if let Some((join, value)) = joined(text, name, gap) {
        let apart = gap > closed;
        let spaced = apart || at(text, value) == b' ';
        return assigned(
            scan,
            name,
            kind,
            Assigned { join, spaced, apart, quoted: closed > name.range.end, value },
        );
    }
    if kind == Kind::Strong {
        in_words(scan, name, closed, gap);
    }
    if is_option(text, name) && gap > closed {
        let value = skip(text, gap, b"\\\n \t");
        if at(text, value) != b'-' || at(text, value + 1) == b' ' {
            let found = word(text, value, name.inside);
            take(scan, kind, &found);
        }
    }
}

struct Assigned {
    join: Join,
    /// Whether spaces stand around the sign.
    spaced: bool,
    /// Whether a space stands before the sign.
    apart: bool,
    /// Whether the name stood in quotes or brackets.
    quoted: bool,
    /// Where the value begins, or spaces before it.
    value: usize,
}

fn assigned(scan: &mut Scan<'_, '_>, name: &Name, kind: Kind, it: Assigned) {
    let text = scan.text;
    let value = skip_spaces(text, it.value);
    // `expect "password:"`: the quote that opened before the name.
    let opened = name.range.start.checked_sub(1).map_or(0, |place| at(text, place));
    if value == it.value
        && matches!(opened, b'\'' | b'"')
        && at(text, value) == opened
        && !it.quoted
    {
        return;
    }
    if marks::length_at(slice(text, value..text.len())) > 0 {
        return;
    }
    let empty = matches!(at(text, value), b'\n' | b'\r') || value >= text.len();
    // `PASSWORD= command` is an empty password in a shell.
    if it.join == Join::Equals && value > it.value && !it.spaced_config(name, text) {
        return;
    }
    let opens_block =
        matches!(at(text, value), b'|' | b'>') && !at(text, value + 1).is_ascii_alphanumeric();
    if (empty || opens_block) && name.leads && it.join == Join::Colon {
        if kind == Kind::Strong {
            blocks::hide_block(scan, name.range.start, value, opens_block);
        }
        return;
    }
    if is_header(slice(text, name.range.clone())) && it.join == Join::Colon {
        return header(scan, name, value);
    }
    if let Some(found) = quoted(text, value, name.inside) {
        let plain = found.inner.start > value && at(text, found.end) != b'\'';
        let found =
            if it.join == Join::Equals || !plain { word(text, value, name.inside) } else { found };
        return take(scan, kind, &found);
    }
    if at(text, value) == b'(' && second_of_two(scan, value) {
        return;
    }
    if matches!(at(text, value), b'[' | b'{') && blocks::hide_brackets(scan, value, kind) {
        return;
    }
    let to_line_end = (name.leads && it.spaced && !it.quoted) || it.join == Join::Sentence;
    let found = if to_line_end {
        rest_of_line(text, value, name.inside)
    } else {
        item(text, value, name, &it)
    };
    take(scan, kind, &found);
}

/// `auth=('bob', 'x')`
fn second_of_two(scan: &mut Scan<'_, '_>, open: usize) -> bool {
    let text = scan.text;
    let Some(first) = quoted(text, open + 1, None) else { return false };
    if at(text, first.end) != b',' {
        return false;
    }
    let Some(second) = quoted(text, skip(text, first.end + 1, b" "), None) else { return false };
    scan.done = scan.done.max(second.inner.end);
    scan.hide_value(second.inner, false);
    true
}

impl Assigned {
    fn spaced_config(&self, name: &Name, text: &[u8]) -> bool {
        let first = at(text, name.range.start);
        self.apart || (name.leads && first.is_ascii_lowercase())
    }
}

/// A bare value among others: a comma or bracket at its end is not its own.
fn item(text: &[u8], value: usize, name: &Name, it: &Assigned) -> Found {
    let mut found = word(text, value, name.inside);
    if it.quoted && it.join == Join::Colon {
        let bare = slice(text, found.inner.clone());
        let end = bare.iter().position(|byte| b",}]".contains(byte)).unwrap_or(bare.len());
        found.inner.end = found.inner.start + end;
    }
    if !slice(text, found.inner.clone()).starts_with(b"$") {
        let bare = slice(text, found.inner.clone());
        let tail = bare.iter().rev().take_while(|byte| b",)]}:".contains(byte)).count();
        found.inner.end -= tail;
    }
    found
}

/// What is longer is hidden, though it looks harmless: else a word without an end would be read to its
/// end at each name in it.
const MAX_HARMLESS: usize = 1024;

fn take(scan: &mut Scan<'_, '_>, kind: Kind, found: &Found) {
    let found = &substituted(scan.text, found);
    let value = slice(scan.text, found.inner.clone());
    // What is to be looked for; what it becomes stands behind it.
    if value.starts_with(b".*") {
        return;
    }
    if marks::length_at(slice(scan.text, found.inner.start..scan.text.len())) > 0 {
        return;
    }
    let before = found.inner.start.checked_sub(1).map_or(0, |before| at(scan.text, before));
    let is_quoted = matches!(before, b'"' | b'\'');
    let is_code =
        !is_quoted && (is_code(value, at(scan.text, found.inner.end)) || is_metavar(value));
    let is_short = value.len() <= MAX_HARMLESS;
    let is_harmless = kind == Kind::Weak && is_no_credential(value) || is_code || is_version(value);
    if is_short && is_harmless {
        return;
    }
    // The scheme stays: `Bearer [hidden]`.
    let scheme = match value {
        // What openssl takes: from the command line, from elsewhere.
        _ if value.starts_with(b"pass:") => 5,
        _ if is_short && (value.starts_with(b"file:") || value.starts_with(b"env:")) => return,
        _ if after_scheme(value).is_none() => 0,
        _ => memchr::memchr(b' ', value).map_or(0, |space| space + 1),
    };
    let part = found.inner.start + scheme..found.inner.end;
    scan.done = scan.done.max(found.inner.end);
    match plain::basic_password(slice(scan.text, part.clone())) {
        Some(password) if value.get(..6).is_some_and(|it| it.eq_ignore_ascii_case(b"basic ")) => {
            scan.hide_as(part, &password);
        }
        _ => scan.hide_value(part, found.expands),
    }
}

/// `sed 's/^password=.*/password=x/'`: without the sign at its end.
fn substituted(text: &[u8], found: &Found) -> Found {
    let whole = Found { inner: found.inner.clone(), ..*found };
    let value = slice(text, found.inner.clone());
    let Some(&sign) = value.last().filter(|last| matches!(last, b'/' | b'|' | b'#' | b',')) else {
        return whole;
    };
    let before = slice(text, found.inner.start.saturating_sub(160)..found.inner.start);
    let begins = [[b'\'', b's', sign], [b'"', b's', sign]];
    match begins.iter().any(|begin| memchr::memmem::find(before, begin).is_some()) {
        true => Found { inner: found.inner.start..found.inner.end - 1, ..*found },
        false => whole,
    }
}

/// `define('DB_PASSWORD', 'x')`, `putenv("TOKEN", "x")`.
fn second_argument(scan: &mut Scan<'_, '_>, name: &Name) -> bool {
    let text = scan.text;
    let quote = at(text, name.range.end);
    let begins = name
        .range
        .start
        .checked_sub(2)
        .is_some_and(|before| at(text, before) == b'(' && at(text, before + 1) == quote);
    if !matches!(quote, b'\'' | b'"') || !begins || at(text, name.range.end + 1) != b',' {
        return false;
    }
    let start = skip(text, name.range.end + 2, b" ");
    let Some(found) = quoted(text, start, None) else { return false };
    scan.done = scan.done.max(found.inner.end);
    scan.hide_value(found.inner, false);
    true
}

/// `<add key="ApiSecret" value="x"/>`, `<property name="db.password">x</property>`
fn attribute(scan: &mut Scan<'_, '_>, name: &Name) -> bool {
    let text = scan.text;
    let before = slice(text, name.range.start.saturating_sub(6)..name.range.start);
    let is_quoted = before.ends_with(b"\"");
    if !is_quoted || !before.ends_with(b"name=\"") && !before.ends_with(b"key=\"") {
        return false;
    }
    let rest = slice(text, name.range.end..line_end_within(text, name.range.end, 200));
    let (start, end) = match rest {
        _ if rest.starts_with(b"\" value=\"") => (9, b'"'),
        _ if rest.starts_with(b"\">") => (2, b'<'),
        _ => return false,
    };
    let value = slice(rest, start..rest.len());
    let Some(length) = memchr::memchr(end, value) else { return false };
    scan.hide_value(name.range.end + start..name.range.end + start + length, false);
    true
}

/// `SET PASSWORD FOR 'bob'@'%' = 'x'`
fn set_for(scan: &mut Scan<'_, '_>, name: &Name) -> bool {
    let text = scan.text;
    let word_behind = slice(text, name.range.end..name.range.end + 5);
    if !word_behind.eq_ignore_ascii_case(b" for ") {
        return false;
    }
    let rest = slice(text, name.range.end..line_end_within(text, name.range.end, 120));
    let Some(equals) = memchr::memmem::find(rest, b"= '") else { return false };
    let Some(found) = quoted(text, name.range.end + equals + 2, None) else { return false };
    scan.hide_value(found.inner, false);
    true
}

fn is_header(name: &[u8]) -> bool {
    let ends = |tail: &[u8]| {
        name.len() >= tail.len()
            && slice(name, name.len() - tail.len()..name.len()).eq_ignore_ascii_case(tail)
    };
    ends(b"authorization") || ends(b"cookie")
}

/// `Authorization: Bearer x`, `Cookie: a=b; c=d`: everything to the end of the header.
fn header(scan: &mut Scan<'_, '_>, name: &Name, value: usize) {
    let found = quoted(scan.text, value, name.inside)
        .unwrap_or_else(|| rest_of_line(scan.text, value, name.inside));
    take(scan, Kind::Weak, &found);
}

/// Words of config files behind which a secret stands, parted by spaces.
const CONFIGURED: [&[u8]; 8] = [
    b"requirepass",
    b"masterauth",
    b"rootpw",
    b"bindpw",
    b"auth_pass",
    b"rocommunity",
    b"rwcommunity",
    b"insecure-password",
];

/// `password 'x'` of SQL, `login u password x` of netrc, `requirepass x`.
fn in_words(scan: &mut Scan<'_, '_>, name: &Name, closed: usize, gap: usize) {
    let text = scan.text;
    let word_of = slice(text, name.range.clone());
    if closed > name.range.end || (gap == closed && at(text, gap) != b'(') {
        return;
    }
    let is = |known: &[u8]| word_of.eq_ignore_ascii_case(known);
    if is(b"password") && at(text, gap) == b'(' && matches!(at(text, gap + 1), b'\'' | b'"') {
        if let Some(found) = quoted(text, gap + 1, name.inside) {
            scan.hide_value(found.inner, false);
        }
        return;
    }
    // In what `sed` puts in, it leads, too.
    let before = name.range.start.checked_sub(1).map_or(0, |place| at(text, place));
    let leads = name.leads || name.inside.is_some() && matches!(before, b'/' | b'|' | b'#');
    let configured = leads && CONFIGURED.iter().any(|known| is(known));
    let spoken =
        is(b"password") && (at(text, gap) == b'\'' || follows_login(text, name.range.start));
    if configured || spoken {
        let found = word(text, gap, name.inside);
        if at(text, gap) != b'-' {
            take(scan, Kind::Strong, &found);
        }
    }
}

/// `login bob password x`, `mysql-server/root_password password x`.
fn follows_login(text: &[u8], place: usize) -> bool {
    let before = slice(text, place.saturating_sub(120)..place);
    let mut words = before
        .rsplit(|byte| byte.is_ascii_whitespace())
        .filter(|word| !matches!(*word, b"" | b"+" | b"-"));
    let last = words.next().unwrap_or_default();
    let login = words.next().unwrap_or_default();
    matches!(login, b"login" | b"user")
        || last.ends_with(b"password")
        || last.ends_with(b"password-again")
        || last.ends_with(b"password_again")
}

/// The sign between a name and its value, and where the value may begin.
fn joined(text: &[u8], name: &Name, gap: usize) -> Option<(Join, usize)> {
    let (first, second) = (at(text, gap), at(text, gap + 1));
    match first {
        b'=' if second == b'~' => None,
        b'=' => Some((Join::Equals, skip(text, gap + 1, b"=>"))),
        // LDIF's, of base64.
        b':' if second == b':' && at(text, gap + 2) == b' ' => Some((Join::Colon, gap + 2)),
        b':' if second == b':' || slice(text, gap + 1..gap + 3) == b"//" => None,
        b':' if second == b'=' => Some((Join::Equals, gap + 2)),
        b':' => Some((Join::Colon, gap + 1)),
        b'>' if name.range.start.checked_sub(1).map(|at_| at(text, at_)) == Some(b'<') => {
            Some((Join::Tag, gap + 1))
        }
        b'i' | b'f' => phrases::told(text, name, gap).map(|value| (Join::Sentence, value)),
        _ => None,
    }
}

/// Behind the quote and the bracket that close a name: `config["password"]`.
fn after_closers(text: &[u8], place: usize) -> usize {
    skip(text, place, b"\\\"'`]").min(place + 8)
}

/// The quote around the name and its value: not one that closed behind the name.
fn still_inside(text: &[u8], name: &Name, closed: usize) -> Option<u8> {
    let closers = slice(text, name.range.end..closed);
    let bare = closers
        .iter()
        .zip([0].iter().chain(closers))
        .any(|(byte, before)| Some(*byte) == name.inside && *before != b'\\');
    name.inside.filter(|_| !bare)
}

fn is_option(text: &[u8], name: &Name) -> bool {
    // `-psecret1` is an option `-p`, whatever its value sounds like.
    let word = slice(text, name.range.clone());
    let is_attached = word.starts_with(b"p")
        && ![&b"pass"[..], b"pw", b"private", b"psk"].iter().any(|known| word.starts_with(known));
    name.dashes >= 2 || (name.dashes == 1 && !name.leads && !is_attached)
}

/// `key = AQBk3…==`, as Ceph's keyrings have it: the name says little, and the value all.
fn keyring(text: &[u8], name: &Name) -> Option<Kind> {
    let gap = skip_spaces(text, name.range.end);
    let is_key = slice(text, name.range.clone()) == b"key" && name.leads;
    if !is_key || !matches!(at(text, gap), b'=' | b':') {
        return None;
    }
    let value = word(text, skip_spaces(text, gap + 1), name.inside).inner;
    let value = std::str::from_utf8(slice(text, value)).ok()?;
    // Public keys of SSH begin so.
    (is_random_key(value) && !value.starts_with("AAAA")).then_some(Kind::Strong)
}

/// `?sig=…` of Azure and `X-Amz-Signature=…`.
fn signature(text: &[u8], name: &Name) -> Option<Kind> {
    let word_of = slice(text, name.range.clone());
    let before = name.range.start.checked_sub(1).map_or(0, |place| at(text, place));
    let in_query = matches!(before, b'?' | b'&');
    (in_query && (word_of == b"sig" || word_of.ends_with(b"-Signature"))).then_some(Kind::Strong)
}
