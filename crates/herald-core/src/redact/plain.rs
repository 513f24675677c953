//! The plain form of a value that stands in quotes, behind a scheme or in an encoding: what its mark is
//! made of, so that one secret has one mark wherever it stands.
//!
//! It undoes one way of writing, the one in which the value was found. What is secret, and how far it
//! reaches, is known before.

use std::borrow::Cow;
use std::ops::Range;

use super::values::{after_scheme, at, slice};

/// A value of a tree: without spaces around it, the scheme before it, or what a PEM block adds.
pub(super) fn core(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if let Some(bare) = after_scheme(value) {
        return basic(value, bare).map_or(Cow::Borrowed(bare), Cow::Owned);
    }
    match pem_body(value) {
        Some(body) => Cow::Owned(squeezed(body)),
        None => Cow::Borrowed(value),
    }
}

/// How a value is written where it stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Writing {
    /// A bare word of a shell.
    Bare,
    /// Between `'`.
    Single,
    /// Between `"`.
    Double,
    /// Between `\"`.
    Escaped,
    /// As it is.
    Plain,
    /// In a way of its own.
    Other,
}

impl Writing {
    /// By the quotes around it.
    pub(super) fn of(text: &[u8], part: &Range<usize>) -> Self {
        let before = part.start.checked_sub(1).map_or(0, |place| at(text, place));
        let escaped = part.start.checked_sub(2).is_some_and(|place| at(text, place) == b'\\');
        match before {
            b'\'' => Writing::Single,
            b'"' if escaped => Writing::Escaped,
            b'"' => Writing::Double,
            _ => Writing::Bare,
        }
    }
}

/// A value in a text as its program reads it.
pub(super) fn in_text(value: &[u8], writing: Writing) -> Vec<u8> {
    match writing {
        Writing::Single => single(value),
        Writing::Escaped => unescaped(&unescaped(value)),
        Writing::Double => unescaped(value),
        Writing::Bare => unquoted(value),
        Writing::Plain | Writing::Other => value.to_vec(),
    }
}

/// The password of `Basic dXNlcjpwYXNzd29yZA==`.
fn basic(value: &[u8], bare: &[u8]) -> Option<Vec<u8>> {
    let is_basic = value.get(..6)?.eq_ignore_ascii_case(b"basic ");
    let decoded = from_base64(bare).filter(|_| is_basic)?;
    let colon = memchr::memchr(b':', &decoded)?;
    (decoded.is_ascii() && colon + 1 < decoded.len())
        .then(|| slice(&decoded, colon + 1..decoded.len()).to_vec())
}

/// The same for what stands behind `Basic `.
pub(super) fn basic_password(bare: &[u8]) -> Option<Vec<u8>> {
    basic(b"basic ", bare)
}

fn from_base64(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for &byte in value {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// The letters of a PEM block between its lines.
fn pem_body(value: &[u8]) -> Option<&[u8]> {
    let rest = value.strip_prefix(b"-----BEGIN")?;
    let begin = memchr::memmem::find(rest, b"-----")? + 5;
    let body = slice(rest, begin..rest.len());
    let end = memchr::memmem::find(body, b"-----END").unwrap_or(body.len());
    Some(slice(body, 0..end))
}

/// A long secret without the spaces and line ends in it, written out or not.
pub(super) fn squeezed(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if matches!(bytes.peek(), Some(b'n' | b'r' | b't')) => _ = bytes.next(),
            b'\\' => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => out.push(byte),
        }
    }
    out
}

/// As in a URL: `%40` is `@`.
pub(super) fn from_percent(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut place = 0;
    while let Some(&byte) = value.get(place) {
        let digits = value.get(place + 1..place + 3).and_then(|two| std::str::from_utf8(two).ok());
        match digits.filter(|_| byte == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                place += 3;
            }
            None => {
                out.push(byte);
                place += 1;
            }
        }
    }
    out
}

/// Between single quotes: of a shell, which closes them for one in the value, or of Python.
fn single(value: &[u8]) -> Vec<u8> {
    let of_shell = replaced(&replaced(value, b"'\"'\"'", b"'"), b"'\\''", b"'");
    match of_shell.len() == value.len() {
        true => replaced(value, b"\\'", b"'"),
        false => of_shell,
    }
}

/// Between double quotes, of a shell or of JSON.
fn unescaped(value: &[u8]) -> Vec<u8> {
    if !value.contains(&b'\\') {
        return value.to_vec();
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek().copied()) {
            (b'\\', Some(next @ (b'"' | b'\\' | b'$' | b'`' | b'/' | b'\''))) => {
                out.push(next);
                bytes.next();
            }
            _ => out.push(byte),
        }
    }
    out
}

/// A bare word of a shell: without the quotes in it and the backslashes before signs.
fn unquoted(value: &[u8]) -> Vec<u8> {
    if memchr::memchr3(b'\\', b'\'', b'"', value).is_none() {
        return value.to_vec();
    }
    let mut out = Vec::with_capacity(value.len());
    let mut open = 0u8;
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\'
                if open != b'\''
                    && bytes.peek().is_some_and(|next| !next.is_ascii_alphanumeric()) =>
            {
                out.extend(bytes.next());
            }
            b'\'' | b'"' if open == 0 => open = byte,
            _ if byte == open => open = 0,
            _ => out.push(byte),
        }
    }
    out
}

fn replaced(value: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(found) = memchr::memmem::find(rest, from) {
        out.extend_from_slice(slice(rest, 0..found));
        out.extend_from_slice(to);
        rest = slice(rest, found + from.len()..rest.len());
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, value: &str) -> String {
        let start = text.find(value).unwrap();
        let writing = Writing::of(text.as_bytes(), &(start..start + value.len()));
        String::from_utf8(in_text(value.as_bytes(), writing)).unwrap()
    }

    #[test]
    fn a_value_is_read_by_its_quotes() {
        assert_eq!(text(r#"p='a "b" c'"#, r#"a "b" c"#), r#"a "b" c"#);
        assert_eq!(text(r"p='a\b'", r"a\b"), r"a\b");
        assert_eq!(text(r"{'p': 'it\'s'}", r"it\'s"), "it's");
        assert_eq!(text(r"-p'it'\''s' x", r"it'\''s"), "it's");
        assert_eq!(text(r#"-p'it'"'"'s' x"#, r#"it'"'"'s"#), "it's");
        assert_eq!(text(r#"{"p": "hunt\"er"}"#, r#"hunt\"er"#), r#"hunt"er"#);
        assert_eq!(text(r#"{\"p\": \"hunt\\\"er\"}"#, r#"hunt\\\"er"#), r#"hunt"er"#);
        assert_eq!(text(r"-p a\ b\$c x", r"a\ b\$c"), "a b$c");
        assert_eq!(text(r#"-p a'b c'"d" x"#, r#"a'b c'"d""#), "ab cd");
    }

    #[test]
    fn a_value_is_read_without_what_carries_it() {
        let core = |value: &str| String::from_utf8(core(value.as_bytes()).into_owned()).unwrap();
        assert_eq!(core(" Bearer abc "), "abc");
        assert_eq!(core("Basic YWxpY2U6aHVudGVyMg=="), "hunter2");
        assert_eq!(core("Basic no:base64"), "no:base64");
        assert_eq!(core("-----BEGIN X KEY-----\nab\ncd\n-----END X KEY-----"), "abcd");
        assert_eq!(squeezed(b"\\nab\\ncd\n"), b"abcd");
        assert_eq!(from_percent(b"p%40s%zz%2"), b"p@s%zz%2");
    }
}
