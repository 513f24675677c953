//! What the minions of a fleet have in common: the canonical form of returned values, in which the
//! minion's own id is a placeholder, so that what is alike is stored once.
//!
//! It copies MessagePack token by token, without building a tree; it does not redact. Reversible:
//! [`restore`] gives the text as the minion sent it.

use std::borrow::Cow;

use memchr::memmem;
use salt_event::Raw;
use salt_event::msgpack::{MsgpackError, Token};

/// Stands for the minion's own id.
const MINION: &str = "\u{E000}m";
/// Stands for the placeholder's first character where the minion itself sent it.
const ESCAPED: &str = "\u{E000}e";
const ESCAPE: char = '\u{E000}';

/// Writes values for one minion.
pub struct Canonical<'m> {
    minion: &'m str,
    finder: memmem::Finder<'m>,
}

impl<'m> Canonical<'m> {
    /// For the returns of this minion. An empty id is never looked for, and neither is one with the
    /// placeholder's sign in it: it could not be told from the sign's own escape.
    pub fn new(minion: &'m str) -> Self {
        let minion = if minion.contains(ESCAPE) { "" } else { minion };
        Self { minion, finder: memmem::Finder::new(minion) }
    }

    /// Whether the bytes hold nothing that would be replaced, so that they can stay as they are.
    pub fn is_plain(&self, bytes: &[u8]) -> bool {
        (self.minion.is_empty() || self.finder.find(bytes).is_none()) && !holds_escape(bytes)
    }

    /// Appends one value.
    ///
    /// # Errors
    /// When the value is no MessagePack.
    pub fn write(&self, raw: Raw<'_>, out: &mut Vec<u8>) -> Result<(), MsgpackError> {
        let mut reader = raw.reader();
        while !reader.is_at_end() {
            match reader.token()? {
                Token::Str(bytes) | Token::Bin(bytes) => self.write_text(bytes, out),
                token => salt_event::write_token(token, out),
            }
        }
        Ok(())
    }

    /// Appends text, or bytes that are none, as a value.
    pub fn write_text(&self, bytes: &[u8], out: &mut Vec<u8>) {
        match str::from_utf8(bytes) {
            Err(_) => salt_event::write_token(Token::Bin(bytes), out),
            Ok(_) if self.is_plain(bytes) => salt_event::write_token(Token::Str(bytes), out),
            Ok(text) => salt_event::write_token(Token::Str(self.replace(text).as_bytes()), out),
        }
    }

    fn replace(&self, text: &str) -> String {
        let escaped = if holds_escape(text.as_bytes()) {
            Cow::Owned(text.replace(ESCAPE, ESCAPED))
        } else {
            Cow::Borrowed(text)
        };
        if self.minion.is_empty() {
            return escaped.into_owned();
        }
        let mut out = String::with_capacity(escaped.len());
        let mut done = 0;
        for at in self.finder.find_iter(escaped.as_bytes()) {
            let end = at + self.minion.len();
            if at >= done && is_boundary(&escaped, at, end) {
                out.push_str(escaped.get(done..at).unwrap_or_default());
                out.push_str(MINION);
                done = end;
            }
        }
        out.push_str(escaped.get(done..).unwrap_or_default());
        out
    }
}

/// Whether the placeholder's first character stands there; its first byte is rare in itself.
fn holds_escape(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0xee, bytes).any(|at| bytes.get(at..at + 3) == Some("\u{E000}".as_bytes()))
}

/// Whether an id stands by itself there: `web1` in `/srv/web1/x` and `web1.example.com`, not in
/// `web10`.
fn is_boundary(text: &str, start: usize, end: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    !before.is_some_and(|c| is_word(c) || c == ESCAPE) && !after.is_some_and(is_word)
}

/// Gives the text as the minion sent it, with its id at its places.
pub fn restore<'t>(text: &'t str, minion: &str) -> Cow<'t, str> {
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + minion.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, if c == ESCAPE { rest.next() } else { None }) {
            (ESCAPE, Some('m')) => out.push_str(minion),
            (ESCAPE, _) => out.push(ESCAPE),
            (c, _) => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use salt_event::{Value, msgpack::Reader};

    use super::*;

    fn canonical(minion: &str, text: &str) -> String {
        let bytes = Value::from(text).to_bytes();
        let mut out = Vec::new();
        let raw = Reader::new(&bytes).raw().unwrap();
        Canonical::new(minion).write(raw, &mut out).unwrap();
        match Value::read(Reader::new(&out).raw().unwrap()).unwrap() {
            Value::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn alike_minions_have_one_form() {
        let of = |minion: &str| canonical(minion, &format!("/srv/{minion}/a {minion}.example.com"));
        assert_eq!(of("web1"), of("web22"));
        assert_eq!(canonical("web1", "web10 and myweb1"), "web10 and myweb1");
    }

    #[test]
    fn numbers_and_nesting_stay() {
        let value = Value::Map(vec![
            (Value::Int(300), Value::Array(vec![Value::Nil, Value::Float(0.5), Value::Bool(true)])),
            ("x".into(), Value::Ext(78, vec![1, 2, 3].into())),
        ]);
        let bytes = value.to_bytes();
        let mut out = Vec::new();
        Canonical::new("web1").write(Reader::new(&bytes).raw().unwrap(), &mut out).unwrap();
        assert_eq!(out, bytes);
    }

    proptest::proptest! {
        #[test]
        fn every_text_can_be_restored(text in "[\u{E000}mea1 w.-]{0,40}", minion in "[\u{E000}a-w1]{1,3}") {
            let canonical = canonical(&minion, &text);
            proptest::prop_assert_eq!(restore(&canonical, &minion), text);
        }
    }
}
