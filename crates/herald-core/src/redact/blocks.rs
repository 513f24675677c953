//! Secrets on the lines below their name, and in brackets behind it: YAML's blocks and lists, JSON's
//! containers, and how Salt's own outputter writes a map.
//!
//! It is called behind a name that is known to be secret. It reads a bounded part of the text.

use super::keys::Kind;
use super::marks;
use super::scan::Scan;
use super::values::{at, line_end, quoted, skip, slice};

/// Longest container in brackets that is read.
const MAX_BRACKETS: usize = 8 * 1024;

/// Hides the lines below a name that are indented deeper than it. With `whole`, it is one block of
/// text; else each line can be a name and a value.
pub(super) fn hide_block(scan: &mut Scan<'_, '_>, name: usize, value: usize, whole: bool) {
    let text = scan.text;
    let depth = indent(text, line_start(text, name)).1;
    let mut line = line_end(text, value) + 1;
    let mut block: Option<(usize, usize)> = None;
    while line < text.len() {
        let end = line_end(text, line);
        let (content, deeper) = indent(text, line);
        if content < end && deeper <= depth {
            break;
        }
        if content < end {
            match whole {
                true => block = Some((block.map_or(content, |(start, _)| start), end)),
                false => hide_line(scan, content, end),
            }
            scan.done = scan.done.max(end);
        }
        line = end + 1;
    }
    if let Some((start, end)) = block {
        scan.hide(start..end);
    }
}

/// Hides what a nested line says: behind its last name, behind its dashes.
fn hide_line(scan: &mut Scan<'_, '_>, start: usize, end: usize) {
    let text = scan.text;
    let mut content = start;
    while slice(text, content..content + 2) == b"- " {
        content = skip(text, content + 1, b" ");
    }
    let line = slice(text, content..end).trim_ascii_end();
    // Lines that only draw or open something.
    if line.ends_with(b":") || line.iter().all(|byte| b"-{}[],".contains(byte)) {
        return;
    }
    let from = memchr::memmem::find(line, b": ").map_or(0, |colon| colon + 2);
    let inner = skip(text, content + from, b" ");
    match quoted(text, inner, None) {
        Some(found) if found.end <= end => scan.hide_value(found.inner, found.expands),
        _ => scan.hide_value(inner..content + line.len(), true),
    }
}

/// Where a line's content begins, and how deep: a diff's sign counts as a column.
fn indent(text: &[u8], line: usize) -> (usize, usize) {
    let signed = matches!(at(text, line), b'+' | b'-') && at(text, line + 1) != b' ';
    let diff = matches!(at(text, line), b'+' | b'-')
        && at(text, line + 1) == b' '
        && at(text, line + 2) == b' ';
    let from = if signed || diff { line + 1 } else { line };
    let content = skip(text, from, b" \t\r");
    (content, content - line)
}

fn line_start(text: &[u8], place: usize) -> usize {
    memchr::memrchr(b'\n', slice(text, 0..place)).map_or(0, |newline| newline + 1)
}

/// Hides a whole list or map in brackets and learns the texts in it; says whether it was one.
pub(super) fn hide_brackets(scan: &mut Scan<'_, '_>, open: usize, kind: Kind) -> bool {
    let text = scan.text;
    if kind == Kind::Weak || marks::length_at(slice(text, open..text.len())) > 0 {
        return false;
    }
    let Some(close) = matching(text, open) else {
        return false;
    };
    let inner = slice(text, open + 1..close);
    // A list of states that is called so; a template.
    let states = [&b"__sls__"[..], b"__id__", b"__env__"];
    let is_state = states.iter().any(|key| memchr::memmem::find(inner, key).is_some());
    if is_state || inner.starts_with(b"{") && at(text, open) == b'{' {
        return false;
    }
    let trimmed = inner.trim_ascii();
    if trimmed.is_empty() {
        return true;
    }
    let mut place = open + 1;
    while place < close {
        match quoted(text, place, None) {
            Some(found) if found.end <= close => {
                place = found.end.max(place + 1);
                if at(text, skip(text, place, b" ")) != b':' {
                    scan.learn(found.inner);
                }
            }
            _ => place += 1,
        }
    }
    scan.hide_unlearned(open + 1..close);
    scan.done = scan.done.max(close);
    true
}

fn matching(text: &[u8], open: usize) -> Option<usize> {
    let limit = text.len().min(open + MAX_BRACKETS);
    let mut depth = 0usize;
    for (offset, byte) in slice(text, open..limit).iter().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset);
                }
            }
            _ => {}
        }
    }
    None
}
