//! The words of a command, as a shell takes it apart and as Python and JSON write a list of them.
//!
//! It reads to the end of one command. What is secret in it is not known here.

use std::ops::Range;

use super::keys::names_secret_bytes;
use super::values::{at, quoted, skip, slice, word};

/// Most words of a command that are read.
const MAX_WORDS: usize = 80;

/// The words of a command up to its end, quotes around whole words left out.
pub(super) fn words_behind(text: &[u8], start: usize, inside: Option<u8>) -> Vec<Range<usize>> {
    if let Some(words) = listed(text, start) {
        return words;
    }
    let mut words = Vec::new();
    let mut place = start;
    while words.len() < MAX_WORDS {
        place = skip(text, place, b" \t");
        if at(text, place) == b'\\' && at(text, place + 1) == b'\n' {
            place += 2;
            continue;
        }
        let byte = at(text, place);
        if byte == 0 || Some(byte) == inside {
            break;
        }
        let found = word(text, place, inside);
        if found.end <= place {
            break;
        }
        words.push(found.inner);
        place = found.end;
    }
    words
}

pub(super) fn strip_quotes(text: &[u8], value: Range<usize>) -> (Range<usize>, bool) {
    let (first, last) = (at(text, value.start), at(text, value.end.saturating_sub(1)));
    let is_quoted = value.len() >= 2 && first == last && matches!(first, b'\'' | b'"');
    match is_quoted {
        true => (value.start + 1..value.end - 1, first == b'"'),
        false => (value, true),
    }
}

/// Without a bracket of the command around it.
pub(super) fn without_bracket(text: &[u8], word: Range<usize>) -> Range<usize> {
    let opens = slice(text, word.clone()).contains(&b'(');
    let tail = slice(text, word.clone()).iter().rev().take_while(|byte| **byte == b')').count();
    word.start..word.end - if opens { 0 } else { tail }
}

/// The words behind the first one of `['mysql', '-px', 'db']`.
fn listed(text: &[u8], name_end: usize) -> Option<Vec<Range<usize>>> {
    let quote = at(text, name_end);
    if !matches!(quote, b'\'' | b'"') || at(text, name_end + 1) != b',' {
        return None;
    }
    let mut words = Vec::new();
    let mut place = name_end + 1;
    while words.len() < MAX_WORDS && at(text, place) == b',' {
        let start = skip(text, place + 1, b" \n\t");
        let Some(found) = quoted(text, start, None).filter(|_| at(text, start) == quote) else {
            break;
        };
        words.push(found.inner);
        place = found.end;
    }
    Some(words)
}

/// Which words `printf 'user=%s\npassword=%s' a b` puts behind the name of a secret.
pub(super) fn printed(text: &[u8], words: &[Range<usize>]) -> Vec<Range<usize>> {
    let Some((format, given)) = words.split_first() else { return Vec::new() };
    let mut secret = Vec::new();
    let mut place = format.start;
    for value in given {
        let rest = slice(text, place..format.end);
        let Some(sign) = memchr::memmem::find(rest, b"%s") else { break };
        let before = slice(rest, 0..sign).trim_ascii_end();
        let named = before.strip_suffix(b"=").or(before.strip_suffix(b":"));
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        let name = named.map(|named| {
            let length = named.iter().rev().take_while(|byte| is_name(byte)).count();
            slice(named, named.len() - length..named.len())
        });
        // The letter of a `\n` before it.
        let name =
            name.map(|name| if at(name, 0) == b'n' { slice(name, 1..name.len()) } else { name });
        if name.is_some_and(names_secret_bytes) {
            secret.push(value.clone());
        }
        place += sign + 2;
    }
    secret
}
