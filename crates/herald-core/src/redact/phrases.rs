//! Secrets that a phrase announces: `Bearer x`, `IDENTIFIED BY 'x'`, `Unseal Key 1: x`, `: PSK "x"`, a password
//! on the lines below a sentence on it.
//!
//! It is called at a word that an anchor is in.

use std::ops::Range;

use super::pairs::Name;
use super::scan::Scan;
use super::values::{at, line_end_within, quoted, skip, slice, word};

/// Hides what follows a word of a phrase.
pub(super) fn hide(scan: &mut Scan<'_, '_>, name: Range<usize>, inside: Option<u8>) {
    match slice(scan.text, name.clone()) {
        word if word.eq_ignore_ascii_case(b"bearer") => bearer(scan, name.end),
        word if word.eq_ignore_ascii_case(b"unseal") => unseal_key(scan, name.end),
        word if word.eq_ignore_ascii_case(b"identified") => identified_by(scan, name.end, inside),
        b"PSK" | b"XAUTH" => of_ipsec(scan, name),
        b"password" => below(scan, name),
        _ => {}
    }
}

/// `10.0.0.1 10.0.0.2 : PSK "x"`
fn of_ipsec(scan: &mut Scan<'_, '_>, name: Range<usize>) {
    let before = slice(scan.text, name.start.saturating_sub(2)..name.start);
    if before == b": "
        && at(scan.text, name.end) == b' '
        && let Some(found) = quoted(scan.text, name.end + 1, None)
    {
        scan.hide_value(found.inner, false);
    }
}

/// `Please use the following password to proceed:`, and below it a line with one word.
fn below(scan: &mut Scan<'_, '_>, name: Range<usize>) {
    let text = scan.text;
    let before = slice(text, name.start.saturating_sub(10)..name.start);
    let end = line_end_within(text, name.end, 120);
    let line = slice(text, name.end..end).trim_ascii_end();
    if !before.ends_with(b"following ") || !line.ends_with(b":") {
        return;
    }
    let start = skip(text, end, b"\r\n \t");
    let value = start..line_end_within(text, start, 200);
    let written = slice(text, value.clone()).trim_ascii_end();
    if written.len() >= 8 && written.iter().all(u8::is_ascii_graphic) {
        scan.hide_value(start..start + written.len(), false);
    }
}

/// `Bearer x`, wherever it stands.
fn bearer(scan: &mut Scan<'_, '_>, end: usize) {
    let text = scan.text;
    let found = word(text, skip(text, end, b" "), None);
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
    let is_key = near.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b" key "));
    if let Some(colon) = memchr::memmem::find(near, b": ").filter(|_| is_key) {
        let found = word(scan.text, end + colon + 2, None);
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
    let start = skip(text, end + by + 3, b" ");
    let start = if slice(&lower, by + 3..by + 12) == b"password " { start + 9 } else { start };
    if let Some(found) = quoted(text, start, inside) {
        return scan.hide_value(found.inner, false);
    }
    // Oracle's needs no quotes.
    let found = word(text, start, inside);
    let bare = slice(text, found.inner.clone());
    if at(text, found.end) == b';' || bare.iter().any(u8::is_ascii_digit) {
        scan.hide_value(found.inner, false);
    }
}

/// What a password is called where it is told once.
const TOLD: [&[u8]; 7] =
    [b"initial", b"new", b"generated", b"temporary", b"default", b"initial admin", b"root"];

/// `password is: x`, what MySQL logs (`password is generated for root@localhost: x`), and `new password for bob:
/// x`. A bare `password for bob: ` asks.
pub(super) fn told(text: &[u8], name: &Name, gap: usize) -> Option<usize> {
    let rest = slice(text, gap..line_end_within(text, gap, 120));
    let is_told = rest.starts_with(b"is generated for ")
        || rest.starts_with(b"for ") && {
            let line = slice(text, name.range.start.saturating_sub(40)..name.range.start);
            let line = line.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            let line = line.trim_ascii().to_ascii_lowercase();
            TOLD.iter().any(|word| line.ends_with(word)) || rest.windows(5).any(|it| it == b" is: ")
        };
    if rest.starts_with(b"is: ") {
        return Some(gap + 4);
    }
    let colon = memchr::memmem::find(rest, b": ").filter(|_| is_told)?;
    Some(gap + colon + 2)
}
