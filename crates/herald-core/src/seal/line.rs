//! Lines of checkpoints as people paste them: out of a chat, a log, a terminal. What stands around them
//! and what a chat makes of spaces, quotes and hyphens does no harm; what is missing is told.
//!
//! Whether a signature is good is not looked at.

use jiff::Timestamp;

use super::{Checkpoint, Signed};
use crate::digest::Digest;

/// A line that looks like a checkpoint, and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// The number of the entry, if that can be read.
    pub number: Option<u64>,
    /// What can't be read.
    pub what: &'static str,
}

/// All checkpoints in a text, in their order, and what looks like one.
pub fn read(text: &str) -> Vec<Result<Signed, Odd>> {
    let plain = plain(text);
    let words: Vec<&str> = plain.split_whitespace().collect();
    let mut found = Vec::new();
    for (place, _) in words.iter().enumerate().filter(|(_, word)| **word == "checkpoint") {
        // What is said about checkpoints is none.
        let is_ours =
            place.checked_sub(1).and_then(|before| words.get(before)) == Some(&"salt-herald");
        let fields = words.get(place + 1..).unwrap_or_default();
        let number = fields.first().and_then(|word| word.parse().ok());
        if is_ours {
            found.push(signed(fields).map_err(|what| Odd { number, what }));
        }
    }
    found
}

fn signed(fields: &[&str]) -> Result<Signed, &'static str> {
    let field = |place: usize, what| fields.get(place).copied().ok_or(what);
    let number = field(0, "number")?.parse().map_err(|_| "number")?;
    let at: Timestamp = field(1, "time")?.parse().map_err(|_| "time")?;
    let origin = field(2, "journal")?.replace('-', "");
    let origin = from_hex(&origin).ok_or("journal")?;
    let hash = from_hex(field(3, "hash")?).map(Digest).ok_or("hash")?;
    let signature = from_hex(field(4, "signature")?).ok_or("signature")?;
    Ok(Signed { checkpoint: Checkpoint::new(origin, number, hash, at), signature })
}

/// The text with what chats and editors put in the place of plain characters put right.
fn plain(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => Some('-'),
        '<' | '>' | '`' | '*' | '|' | '"' | '\'' | '(' | ')' | '[' | ']' | ',' | ';' => Some(' '),
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' => Some(' '),
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => None,
        c if c.is_whitespace() => Some(' '),
        c => Some(c),
    };
    text.chars().filter_map(plain).collect()
}

/// Reads so many bytes of hexadecimal digits, and no more.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A UUID as it is usually written.
pub fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
