//! Secrets in the configuration of network gear, and of programs that write theirs as it does: a word, perhaps the
//! number of a type, and the secret (`snmp-server community x`, `username bob secret 5 $1$…`, `secret "x";`).
//!
//! It is called at a word that an anchor is in. Values that have a password hash's form are found by that.

use std::ops::Range;

use super::keys::{Kind, kind_of};
use super::scan::Scan;
use super::values::{at, line_end_within, quoted, skip, slice, word};

/// How far its line is read before a word.
const MAX_LINE: usize = 200;

/// Words between a key and its value.
const BETWEEN: [&[u8]; 7] =
    [b"ascii-text", b"hexadecimal", b"local", b"remote", b"cipher", b"simple", b"ENC"];

/// Hides what follows a word of a configuration.
pub(super) fn hide(scan: &mut Scan<'_, '_>, name: Range<usize>, leads: bool) {
    let text = scan.text;
    if at(text, name.end) != b' ' || !is_config_word(slice(text, name.clone())) {
        return;
    }
    let named = slice(text, name.clone());
    if is_prose(text, named, name.end + 1) {
        return;
    }
    let mut words = Words { text, place: name.end };
    let Some(first) = words.next() else { return };
    if let Some(value) = keyed(text, named, first.clone(), &mut words) {
        return scan.hide_value(value, false);
    }
    let (kind, mut value) = match type_of(slice(text, first.clone())) {
        Some(kind) => match words.next() {
            Some(value) => (Some(kind), value),
            None => return,
        },
        None => (None, first),
    };
    let mut announced = false;
    while BETWEEN.contains(&slice(text, value.clone())) {
        announced = true;
        let Some(next) = words.next() else { return };
        value = next;
    }
    let written = slice(text, value.clone());
    let is_it = match kind {
        Some(kind) => fits(kind, written),
        None => announced || follows(text, &name, written),
    };
    if is_it || is_statement(text, &name, leads, &value) {
        scan.hide_value(value, false);
    }
}

/// Whether a word of a sentence follows, as behind nearly every `password` that no value follows.
fn is_prose(text: &[u8], name: &[u8], place: usize) -> bool {
    let near = slice(text, place..text.len().min(place + 16));
    let length = near.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let ends = matches!(at(text, place + length), 0 | b' ' | b'\n' | b'.' | b',');
    let any_word = matches!(name, b"password" | b"passwd" | b"passphrase" | b"secret");
    any_word && length > 0 && ends && !BETWEEN.contains(&slice(near, 0..length))
}

/// The rest of a command's words, quotes left out.
struct Words<'t> {
    text: &'t [u8],
    place: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Option<Range<usize>> {
        let start = skip(self.text, self.place, b" ");
        let found = match quoted(self.text, start, None) {
            Some(found) => found,
            None => word(self.text, start, None),
        };
        self.place = found.end;
        (!found.inner.is_empty()).then_some(found.inner)
    }
}

fn is_config_word(name: &[u8]) -> bool {
    let last = name.rsplit(|byte| *byte == b'-').next().unwrap_or_default();
    matches!(
        last,
        b"password"
            | b"passwd"
            | b"passphrase"
            | b"secret"
            | b"psksecret"
            | b"key"
            | b"string"
            | b"community"
            | b"psk"
    )
}

/// What stands before a word on its line, without the signs of a diff.
fn line_before(text: &[u8], place: usize) -> &[u8] {
    let before = slice(text, place.saturating_sub(MAX_LINE)..place);
    let line = before.rsplit(|byte| matches!(byte, b'\n' | b'"' | b'\'')).next();
    let line = line.unwrap_or_default().trim_ascii();
    let line = line.strip_prefix(b"+").or(line.strip_prefix(b"-")).unwrap_or(line);
    line.trim_ascii_start()
}

/// Cisco's number for how a secret is written.
fn type_of(word: &[u8]) -> Option<u8> {
    match word {
        [kind @ (b'0' | b'4'..=b'9')] => Some(*kind),
        _ => None,
    }
}

fn fits(kind: u8, value: &[u8]) -> bool {
    match kind {
        b'0' => true,
        b'6' | b'7' => {
            value.len() >= 4 && value.iter().all(u8::is_ascii_alphanumeric) && tells(value)
        }
        b'4' => value.len() == 43,
        _ => value.starts_with(b"$"),
    }
}

/// `message-digest-key 1 md5 x`, `authentication-key 1 md5 x`
fn keyed(
    text: &[u8],
    name: &[u8],
    first: Range<usize>,
    words: &mut Words<'_>,
) -> Option<Range<usize>> {
    let is_key = name.ends_with(b"message-digest-key") || name.ends_with(b"authentication-key");
    let is_number = slice(text, first).iter().all(u8::is_ascii_digit);
    if !is_key || !is_number {
        return None;
    }
    let how = words.next()?;
    let how = slice(text, how);
    if !how.starts_with(b"md5") && !how.starts_with(b"sha") && !how.starts_with(b"hmac-") {
        return None;
    }
    let value = words.next()?;
    match type_of(slice(text, value.clone())) {
        Some(_) => words.next(),
        None => Some(value),
    }
}

/// Whether what stands before a name on its line makes what follows it a secret.
fn follows(text: &[u8], name: &Range<usize>, value: &[u8]) -> bool {
    let line = || line_before(text, name.start);
    let last = || line().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let has = |part: &[u8]| memchr::memmem::find(line(), part).is_some();
    match slice(text, name.clone()) {
        b"community" => {
            matches!(last(), b"snmp-server" | b"snmp" | b"snmp-agent" | b"read" | b"write")
        }
        b"key" => has(b"radius-server ") || has(b"tacacs-server ") || last() == b"isakmp",
        b"key-string" => true,
        b"pre-shared-key" => !value.starts_with(b"/"),
        b"password" | b"secret" if tells(value) => {
            let line = line();
            line == b"enable" || line.starts_with(b"username ") || line.starts_with(b"neighbor ")
        }
        b"insecure-password" => line().starts_with(b"user "),
        _ => false,
    }
}

/// `secret "x";`, `set … authentication-password "x"`: a statement that ends with it.
fn is_statement(text: &[u8], name: &Range<usize>, leads: bool, value: &Range<usize>) -> bool {
    let close = at(text, value.end);
    let opens = value.start.checked_sub(1).map(|before| at(text, before));
    let is_quoted = opens == Some(close) && matches!(close, b'"' | b'\'');
    if !is_quoted || kind_of(slice(text, name.clone())) != Some(Kind::Strong) {
        return false;
    }
    let rest = slice(text, value.end + 1..line_end_within(text, value.end + 1, 40)).trim_ascii();
    let ends = rest.starts_with(b";") || rest.is_empty();
    ends && (leads || line_before(text, name.start).starts_with(b"set "))
}

/// Whether a value is more than a word of a sentence.
fn tells(value: &[u8]) -> bool {
    value.iter().any(|byte| !byte.is_ascii_lowercase()) && !value.ends_with(b".")
}
