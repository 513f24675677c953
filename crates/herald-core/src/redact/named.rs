//! What is asked where an anchor of names and programs stands: the whole name around it, and by it the rules
//! for what follows names, for programs, for phrases and for network gear.
//!
//! Where the anchors stand was found before; which names are secret, and what a program's words mean, stands in
//! other files.

use std::ops::Range;

use super::pairs::{self, Name};
use super::scan::Scan;
use super::values::{self, at, slice};
use super::{Look, devices, phrases, pipes, programs};

/// Longest name that is read around an anchor, to each side.
const MAX_NAME: usize = 64;

/// Reads the whole name around an anchor and asks the rules.
pub(super) fn at_anchor(scan: &mut Scan<'_, '_>, found: Range<usize>, look: Look) {
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
    phrases::hide(scan, range.clone(), inside);
    scan.rule = "device";
    devices::hide(scan, range, leads);
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
