//! What stands as a value: where a value ends in text as shells, YAML and JSON write it, and which
//! values are no secrets because they are empty, placeholders or references to something else.
//!
//! It reads bytes at a given place and looks ahead only so far, so that many of its calls stay
//! linear. It does not know which names are secret.

use std::ops::Range;
use std::sync::LazyLock;

use super::marks;
use super::words::Words;

/// How far a closing quote is looked for on other lines.
pub(super) const MAX_QUOTED: usize = 8 * 1024;

/// So many backslashes before a quote are counted.
const MAX_ESCAPES: usize = 64;

/// Values that say something about a secret, and are none.
static SAYINGS: LazyLock<Words<()>> = LazyLock::new(|| {
    Words::of_list(
        "\
    - 0 1 absent auto changed chauthtok compat denied disabled empty enabled expired failed \
    argon2 argon2i argon2id bcrypt pbkdf2 scrypt sha-256 sha-512 sha1 yescrypt \
    failure false hidden incorrect invalid is locked md5 missing must n/a never nil no none \
    not null off ok on optional pam present redacted rejected required scram-sha-256 sha256 \
    sha512 success true unchanged undef undefined unknown unset yes ~",
    )
});

/// Values that are hidden where they stand, but not looked for elsewhere: they are words.
static COMMON: LazyLock<Words<()>> = LazyLock::new(|| {
    Words::of_list(
        "\
    admin administrator apache basic bearer default deploy docker example file files grafana \
    guest hash hashed host hostname hunter ldap linux localhost login mysql name nginx nobody \
    oracle plain port postgres postgresql private prod production public redis root salt \
    server service staging state string system test testing text type ubuntu user username \
    users vagrant value values vault",
    )
});

/// Words that stand in front of the credentials of an `Authorization`.
static SCHEMES: LazyLock<Words<()>> = LazyLock::new(|| {
    Words::of_list(
        "\
    apikey aws4-hmac-sha256 basic bearer digest genie negotiate ntlm sharedkey splunk token",
    )
});

/// A value in text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What is to be hidden: without quotes around it.
    pub(super) inner: Range<usize>,
    /// Where reading goes on.
    pub(super) end: usize,
    /// Whether it stood in double quotes or in none, so that a shell puts `$NAME` in.
    pub(super) expands: bool,
}

/// The byte at a place; 0 beyond the end.
pub(super) fn at(text: &[u8], place: usize) -> u8 {
    text.get(place).copied().unwrap_or(0)
}

/// The bytes of a range; none when it is out of the text.
pub(super) fn slice(text: &[u8], range: Range<usize>) -> &[u8] {
    text.get(range).unwrap_or_default()
}

/// The lines of a value, whose ends JSON writes as `\n`.
pub(super) fn lines(value: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut begin, mut place) = (Vec::new(), 0, 0);
    while let Some(end) = memchr::memchr2(b'\n', b'\\', slice(value, place..value.len())) {
        let end = place + end;
        let length = if at(value, end) == b'\n' { 1 } else { 2 };
        if length == 1 || at(value, end + 1) == b'n' {
            lines.push(slice(value, begin..end));
            begin = end + length;
        }
        place = (end + length).min(value.len());
    }
    lines.push(slice(value, begin..value.len()));
    lines
}

/// The first place from `start` whose byte is none of `skipped`.
pub(super) fn skip(text: &[u8], start: usize, skipped: &[u8]) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !skipped.contains(byte)).unwrap_or(rest.len())
}

/// The end of the line that holds `start`.
pub(super) fn line_end(text: &[u8], start: usize) -> usize {
    memchr::memchr(b'\n', text.get(start..).unwrap_or_default()).map_or(text.len(), |at| start + at)
}

/// The end of the line that holds `start`, looked for no further than `limit` bytes: what reads at
/// every place of a text must not read a long line again and again.
pub(super) fn line_end_within(text: &[u8], start: usize, limit: usize) -> usize {
    let near = slice(text, start..text.len().min(start.saturating_add(limit)));
    start + memchr::memchr(b'\n', near).unwrap_or(near.len())
}

/// Reads one word as a shell would. `inside` is the quote in which the whole command stands: it ends
/// the word.
pub(super) fn word(text: &[u8], start: usize, inside: Option<u8>) -> Found {
    if let Some(found) = quoted(text, start, inside) {
        // `'it'\''s'`, `'it'"'"'s'`: the word goes on behind its quote.
        if !continues(text, found.end) || Some(at(text, found.end)) == inside {
            return found;
        }
        let rest = bare(text, found.end, inside);
        return Found { inner: start..rest, end: rest, expands: false };
    }
    let end = bare(text, start, inside);
    Found { inner: start..end, end, expands: true }
}

fn mark_length(text: &[u8], place: usize) -> usize {
    marks::length_at(text.get(place..).unwrap_or_default())
}

fn continues(text: &[u8], place: usize) -> bool {
    let byte = at(text, place);
    byte.is_ascii_alphanumeric()
        || byte == b'\''
        || (byte == b'"' && slice(text, place..place + 4) == b"\"'\"'")
        || (byte == b'\\' && !matches!(at(text, place + 1), b'n' | b'r' | b't'))
}

/// Reads to the end of an unquoted word, over quotes that open inside it.
fn bare(text: &[u8], start: usize, inside: Option<u8>) -> usize {
    let mut place = start;
    // In `c:\\new` no line ends.
    let is_path = at(text, start).is_ascii_alphabetic()
        && at(text, start + 1) == b':'
        && at(text, start + 2) == b'\\';
    while let Some(&byte) = text.get(place) {
        match byte {
            // A mark has spaces in it, and is one word.
            b'[' | b'$' if mark_length(text, place) > 0 => place += mark_length(text, place) - 1,
            b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'<' | b'>' | b'`' | 0 => break,
            b'_' if slice(text, place..place + 3) == b"_|-" => break,
            b'\\' if is_path && at(text, place + 1).is_ascii_alphanumeric() => {}
            b'\\' if matches!(at(text, place + 1), b'n' | b'r' | b't' | b'"') => break,
            b'\\' if at(text, place + 1) == b'\n' => break,
            // What it escapes; a mark is none.
            b'\\' if mark_length(text, place + 1) == 0 => place += 1,
            b'\'' | b'"' if Some(byte) == inside => break,
            b'\'' | b'"' => match closing(text, place, 0, false) {
                Some(end) => place = end,
                None if place == start || ends_word(text, place + 1) => break,
                // A letter of the word.
                None => {}
            },
            _ => {}
        }
        place += 1;
    }
    place.min(text.len())
}

/// Whether a word ends at a place, but for signs that belong to what it stands in.
fn ends_word(text: &[u8], place: usize) -> bool {
    matches!(at(text, skip(text, place, b",;}])")), 0 | b' ' | b'\t' | b'\n' | b'\r')
}

/// Reads a value that begins with a quote, escaped or not.
pub(super) fn quoted(text: &[u8], start: usize, inside: Option<u8>) -> Option<Found> {
    let open = skip(text, start, b"\\");
    let quote = at(text, open);
    if !matches!(quote, b'\'' | b'"') {
        return None;
    }
    let escapes = open - start;
    // The quote around the whole command, closing: an empty value.
    if escapes == 0 && Some(quote) == inside && !at(text, open + 1).is_ascii_alphanumeric() {
        return Some(Found { inner: start..start, end: start, expands: false });
    }
    let begin = open + 1;
    Some(closed_at(text, open, escapes).unwrap_or_else(|| {
        let end = line_end(text, begin);
        Found { inner: begin..end, end, expands: false }
    }))
}

/// What the quote at `open` begins, escaped or not, if something closes it.
pub(super) fn closed(text: &[u8], open: usize) -> Option<Found> {
    closed_at(text, open, trailing_escapes(text, open.saturating_sub(MAX_ESCAPES), open))
}

fn closed_at(text: &[u8], open: usize, escapes: usize) -> Option<Found> {
    let begin = open + 1;
    let close = closing(text, open, escapes, true)?;
    let inner = begin..close - trailing_escapes(text, begin, close).min(escapes);
    Some(Found { inner, end: close + 1, expands: at(text, open) == b'"' })
}

/// Whether a letter stands before a quote and the backslashes before that.
pub(super) fn follows_letter(text: &[u8], quote: usize) -> bool {
    let escapes = trailing_escapes(text, quote.saturating_sub(MAX_ESCAPES), quote);
    (quote - escapes).checked_sub(1).is_some_and(|before| at(text, before).is_ascii_alphanumeric())
}

/// The quote that closes the one at `open`, behind which `escapes` backslashes stood: the next one
/// that is no deeper escaped. On another line only where a value can end.
fn closing(text: &[u8], open: usize, escapes: usize, multiline: bool) -> Option<usize> {
    let quote = at(text, open);
    let begin = open + 1;
    let limit = text.len().min(begin + MAX_QUOTED);
    let line = line_end_within(text, begin, MAX_QUOTED);
    let mut place = begin;
    while let Some(next) = memchr::memchr(quote, slice(text, place..limit)) {
        let found = place + next;
        let backslashes = trailing_escapes(text, begin, found);
        // In a shell a backslash does not escape `'`; in Python's and JSON's texts it does.
        let escaped = backslashes > escapes
            && (backslashes - escapes) % 2 == 1
            && (quote == b'"' || at(text, found + 1).is_ascii_alphanumeric());
        if !escaped && found < line {
            return Some(found);
        }
        if !escaped && multiline && ends_value(text, found + 1) {
            return Some(found);
        }
        if !escaped && !multiline {
            return None;
        }
        place = found + 1;
    }
    None
}

fn trailing_escapes(text: &[u8], begin: usize, place: usize) -> usize {
    slice(text, begin..place).iter().rev().take_while(|byte| **byte == b'\\').count()
}

fn ends_value(text: &[u8], place: usize) -> bool {
    matches!(at(text, place), 0 | b' ' | b'\n' | b'\r' | b',' | b';' | b'}' | b']' | b')' | b'\'')
}

/// Reads the rest of a line as YAML and INI write values, without a comma or quote at its end.
pub(super) fn rest_of_line(text: &[u8], start: usize, inside: Option<u8>) -> Found {
    let stop = line_end(text, start);
    let bar = memchr::memchr_iter(b'|', slice(text, start..stop)).find(|bar| {
        *bar > 0 && at(text, start + bar - 1) == b'_' && at(text, start + bar + 1) == b'-'
    });
    let mut end = bar.map_or(stop, |bar| start + bar - 1);
    if let Some(quote) = inside {
        end = start + memchr::memchr(quote, slice(text, start..end)).unwrap_or(end - start);
    }
    // Where a line ends inside of JSON or Python text.
    let escape = memchr::memchr_iter(b'\\', slice(text, start..end))
        .find(|escape| start + escape + 1 < end && at(text, start + escape + 1) == b'n');
    if let Some(escape) = escape {
        end = start + escape;
    }
    let trimmed = slice(text, start..end).trim_ascii_end();
    let inner = start..start + trimmed.len();
    Found { inner, end, expands: true }
}

/// The credentials behind `Bearer `, `Basic ` and the like.
pub(super) fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let space = memchr::memchr(b' ', slice(value, 0..value.len().min(20)))?;
    let scheme = slice(value, 0..space);
    SCHEMES.has(scheme).then(|| slice(value, space + 1..value.len()).trim_ascii())
}

/// Whether a value is no secret: empty, a word such as `yes`, a mask, our own mark.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    if marks::length_at(value) > 0 || value.is_empty() || is_one_of(value, &SAYINGS) {
        return true;
    }
    value == b"x"
        || value.iter().all(|byte| matches!(byte, b'*' | b'!' | b'.' | b'_'))
        || value.eq_ignore_ascii_case(b"XXX-REDACTED-XXX")
        || (value.starts_with(b"__") && value.ends_with(b"__") && is_blank(value))
        || is_wrapped(value, b"<", b">")
        || is_wrapped(value, b"(", b")")
        || value.starts_with(b"[not kept by redact.")
        || value.starts_with(b"sdb://")
        || value.starts_with(b"|-") && value.len() < 4
        || matches!(
            value,
            b"|" | b">" | b"{" | b"[" | b"[]" | b"{}" | b"|+" | b">-" | b"''" | b"\"\""
        )
}

/// `__DB_PASSWORD__`, for which something is put in later; passwords have digits.
fn is_blank(value: &[u8]) -> bool {
    value.len() > 4 && value.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

/// `<redacted>`, `(none)`: words in brackets, which nobody takes as a password.
fn is_wrapped(value: &[u8], open: &[u8], close: &[u8]) -> bool {
    let inner = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    inner.is_some_and(|words| {
        words.iter().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(byte))
    })
}

/// What stands before the place of a secret that is kept elsewhere, or before one that is encrypted.
const ELSEWHERE: [&[u8]; 10] = [
    b"ENC[",
    b"!vault",
    b"$ANSIBLE_VAULT",
    b"{cipher}",
    b"op://",
    b"ref+",
    b"arn:aws:",
    b"@Microsoft.KeyVault(",
    b"secretref:",
    b"vault:secret/",
];

/// Whether a value is put in later: `$NAME`, `${NAME}`, `$(command)`, `{{ jinja }}`, `%s`.
pub(super) fn is_reference(value: &[u8], expands: bool) -> bool {
    if is_between(value, b"{{", b"}}")
        || is_between(value, b"<%", b"%>")
        || is_between(value, b"${", b"}")
        || ELSEWHERE.iter().any(|sign| value.starts_with(sign))
        || is_path_of_variable(value)
    {
        return true;
    }
    if matches!(value, b"%s" | b"{}" | b"?" | b"%(password)s" | b"{0}") {
        return true;
    }
    let Some(name) = value.strip_prefix(b"$").filter(|_| expands) else {
        return false;
    };
    name.starts_with(b"(")
        || (!at(name, 0).is_ascii_digit()
            && !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
}

/// `${user.home}/.ssh/id_rsa`
fn is_path_of_variable(value: &[u8]) -> bool {
    value.starts_with(b"${")
        && memchr::memchr(b'}', value).is_some_and(|close| at(value, close + 1) == b'/')
}

fn is_between(value: &[u8], open: &[u8], close: &[u8]) -> bool {
    value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).is_some_and(|inner| {
        memchr::memmem::find(inner, open).is_none() && memchr::memmem::find(inner, close).is_none()
    })
}

/// Whether a value is a word that texts are full of.
pub(super) fn is_common(value: &[u8]) -> bool {
    is_one_of(value, &COMMON)
}

fn is_one_of(value: &[u8], words: &Words<()>) -> bool {
    value.len() < 20 && words.has(value)
}
