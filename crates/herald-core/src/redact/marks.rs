//! What stands in the place of a secret: a mark with a short fingerprint, by which the same secret is
//! known again without being shown.
//!
//! The fingerprint is the first 16 bits of an HMAC-SHA256. Who has the journal alone learns which marks
//! are of the same secret, and nothing else; the key is handed over by the edges, and stays out of
//! the journal. What is secret is not decided here.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How many bytes a key has.
pub const KEY_BYTES: usize = 32;

/// SHA-256 takes so many bytes at a time.
const BLOCK: usize = 64;

/// What earlier versions wrote, in journals that are kept.
const OLD: &[u8] = b"[hidden]";
const OPEN: &[u8] = b"[hidden ";
const OPEN_VARIABLE: &[u8] = b"${hidden_";
const CLOSE_VARIABLE: &[u8] = b":?hidden by salt-herald}";
const HEX_DIGITS: usize = 4;

/// Makes marks with one key.
#[derive(Clone)]
pub struct Marks {
    /// The hashes that have taken in the key, for the inner and the outer part of the HMAC.
    keyed: Arc<(Sha256, Sha256)>,
}

impl Marks {
    /// By a random key that stays where the journal is not shown.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let keyed = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new_with_prefix(block.as_slice())
        };
        Self { keyed: Arc::new((keyed(0x36), keyed(0x5c))) }
    }

    /// The mark of a secret in its plain form.
    pub fn of(&self, secret: &[u8]) -> Mark {
        let (inner, outer) = self.keyed.as_ref();
        let inner = inner.clone().chain_update(secret).finalize();
        let whole = outer.clone().chain_update(inner).finalize();
        Mark(whole.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)))
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marks")
    }
}

/// Stands where a secret stood: `[hidden 3f2a]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(u16);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[hidden {:04x}]", self.0)
    }
}

impl Mark {
    /// How many bytes it is, as text.
    pub(super) const LENGTH: usize = OPEN.len() + HEX_DIGITS + 1;

    /// Writes it behind other bytes.
    pub(super) fn push_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(OPEN);
        for shift in [12, 8, 4, 0] {
            let digit = (self.0 >> shift) & 15;
            out.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit as u8));
        }
        out.push(b']');
    }

    /// As a shell's parameter: it stops a command line that is pasted as it is, and is the secret once
    /// somebody has set it.
    pub fn parameter(self) -> String {
        format!("${{hidden_{:04x}:?hidden by salt-herald}}", self.0)
    }

    /// The mark that a text begins with, and its length.
    pub fn read(text: &[u8]) -> Option<(Mark, usize)> {
        let digits = text.strip_prefix(OPEN)?.get(..HEX_DIGITS)?;
        let is_hex = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let closes = text.get(OPEN.len() + HEX_DIGITS) == Some(&b']');
        let number = std::str::from_utf8(digits).ok().filter(|_| is_hex && closes)?;
        let number = u16::from_str_radix(number, 16).ok()?;
        Some((Mark(number), Mark::LENGTH))
    }

    /// The first mark in a text, and where it begins.
    pub fn find(text: &str) -> Option<(Mark, usize, usize)> {
        let bytes = text.as_bytes();
        memchr::memmem::find_iter(bytes, OPEN).find_map(|start| {
            let (mark, length) = Mark::read(bytes.get(start..)?)?;
            Some((mark, start, start + length))
        })
    }
}

/// How long the mark is that a text begins with, in any of its forms; 0 when it begins with none.
pub(super) fn length_at(text: &[u8]) -> usize {
    if text.starts_with(OLD) {
        return OLD.len();
    }
    if let Some((_, length)) = Mark::read(text) {
        return length;
    }
    let rest = text.strip_prefix(OPEN_VARIABLE).and_then(|rest| rest.get(HEX_DIGITS..));
    let is_variable = rest.is_some_and(|rest| rest.starts_with(CLOSE_VARIABLE));
    if is_variable { OPEN_VARIABLE.len() + HEX_DIGITS + CLOSE_VARIABLE.len() } else { 0 }
}

/// Whether a place in a text is inside of a mark.
pub(super) fn covers(text: &[u8], place: usize) -> bool {
    let longest = OPEN_VARIABLE.len() + HEX_DIGITS + CLOSE_VARIABLE.len();
    (place.saturating_sub(longest)..=place).any(|start| {
        let rest = text.get(start..).unwrap_or_default();
        matches!(rest.first(), Some(b'[' | b'$')) && start + length_at(rest) > place
    })
}

/// Whether a value is a part of what every mark says, or holds a mark.
pub(super) fn is_of_marks(value: &[u8]) -> bool {
    const PARTS: &[u8] = b"[hidden ]${hidden_:?hidden by salt-herald}";
    let is_part = PARTS.windows(value.len().max(1)).any(|part| part == value);
    is_part
        || memchr::memchr2_iter(b'[', b'$', value).any(|place| {
            let rest = value.get(place..).unwrap_or_default();
            rest.starts_with(b"[hidden") || rest.starts_with(OPEN_VARIABLE)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_begins_an_hmac() {
        // python3: hmac.new(bytes(range(32)), b"hunter2", "sha256").hexdigest()[:4]
        let key: [u8; KEY_BYTES] = std::array::from_fn(|at| at as u8);
        assert_eq!(Marks::new(&key).of(b"hunter2").to_string(), "[hidden 8629]");
    }

    #[test]
    fn every_form_is_known_again() {
        let mark = Mark(0x3f2a);
        let parameter = "${hidden_3f2a:?hidden by salt-herald}";
        assert_eq!(
            (mark.to_string().as_str(), mark.parameter().as_str()),
            ("[hidden 3f2a]", parameter)
        );
        for (text, length) in [
            ("[hidden 3f2a] x", 13),
            ("[hidden] x", 8),
            ("${hidden_3f2a:?hidden by salt-herald}x", 37),
            ("[hidden 3F2A]", 0),
            ("[hidden 3f2]", 0),
            ("[hidden 3f2a", 0),
            ("${hidden_3f2a}", 0),
            ("[hid", 0),
            ("", 0),
        ] {
            assert_eq!(length_at(text.as_bytes()), length, "{text}");
        }
        assert_eq!(Mark::find("a [hidden x] [hidden 3f2a]b"), Some((mark, 13, 26)));
        let text = b"x [hidden 3f2a] 3f2a";
        assert!(covers(text, 10) && covers(text, 2) && !covers(text, 16) && !covers(text, 1));
    }
}
