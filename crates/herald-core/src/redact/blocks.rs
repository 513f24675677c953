//! Secrets on the lines below their name, and in brackets behind it: YAML's blocks and lists, JSON's
//! containers, and how Salt's own outputter writes a map.
//!
//! It is called behind a name that is known to be secret. It reads a bounded part of the text.

use std::ops::Range;

use super::keys::Kind;
use super::marks;
use super::scan::Scan;
use super::values::{self, at, line_end, quoted, skip, slice};

/// So far a container in brackets is read before it is known to be hidden.
const MAX_BRACKETS: usize = 8 * 1024;
/// Longest container in brackets that is hidden.
const MAX_HIDDEN: usize = 256 * 1024;

/// Hides the lines below a name that are indented deeper than it, or are a list as deep as it. With `whole`,
/// it is one block of text; else each line can be a name and a value.
pub(super) fn hide_block(scan: &mut Scan<'_, '_>, name: usize, value: usize, whole: bool) {
    let text = scan.text;
    let (named, depth) = indent(text, line_start(text, name));
    // YAML needs no indent for the list of a key, unless the key stands in a list itself.
    let lists = !whole && !is_item(text, named);
    let mut line = line_end(text, value) + 1;
    let mut block: Option<(usize, usize)> = None;
    while line < text.len() {
        let end = line_end(text, line);
        let (content, deeper) = indent(text, line);
        let is_list = lists && deeper == depth && is_item(text, content);
        if content < end && deeper <= depth && !is_list {
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
    while is_item(text, content) {
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

fn is_item(text: &[u8], content: usize) -> bool {
    slice(text, content..content + 2) == b"- "
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
    let mut read = Container::read(text, open, MAX_BRACKETS);
    let inner = slice(text, open + 1..read.end);
    // A list of states that is called so; a template.
    let states = [&b"__sls__"[..], b"__id__", b"__env__"];
    let is_state = states.iter().any(|key| memchr::memmem::find(inner, key).is_some());
    if is_state || inner.starts_with(b"{") && at(text, open) == b'{' {
        return false;
    }
    if !read.closed {
        // Was hidden before.
        if marks::length_at(inner) > 0 {
            return true;
        }
        read = Container::read(text, open, MAX_HIDDEN);
    }
    if !read.closed && !opens_container(inner) {
        return false;
    }
    scan.done = scan.done.max(read.end);
    if slice(text, open + 1..read.end).trim_ascii().is_empty() {
        return true;
    }
    for value in read.texts {
        scan.learn(value);
    }
    scan.hide_unlearned(open + 1..read.end);
    true
}

/// Whether what stands behind a bracket that nothing closes is a container all the same, and not a password
/// that begins so.
fn opens_container(inner: &[u8]) -> bool {
    let content = inner.trim_ascii_start();
    let unescaped = content.get(skip(content, 0, b"\\")..).unwrap_or_default();
    matches!(unescaped.first(), None | Some(b'"' | b'\'' | b'[' | b'{')) || inner.starts_with(b"\n")
}

/// What stands in brackets.
struct Container {
    /// Where the bracket stands that closes it, or reading ended.
    end: usize,
    closed: bool,
    /// The texts in quotes in it that name nothing.
    texts: Vec<Range<usize>>,
}

impl Container {
    /// Reads to the bracket that closes it. Brackets in quotes are letters; so are quotes that nothing closes.
    fn read(text: &[u8], open: usize, limit: usize) -> Self {
        let limit = text.len().min(open + limit);
        let mut read = Container { end: limit, closed: false, texts: Vec::new() };
        // Up to where no quote is looked for again, of each kind.
        let mut lone = [0, 0];
        let (mut depth, mut place) = (0usize, open);
        while place < limit {
            let byte = at(text, place);
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' if depth <= 1 => return Container { end: place, closed: true, ..read },
                b']' | b'}' => depth -= 1,
                b'"' | b'\'' => {
                    let Some(lone) = lone.get_mut(usize::from(byte == b'"')) else { break };
                    let opens = place >= *lone && !values::follows_letter(text, place);
                    match opens.then(|| values::closed(text, place)).flatten() {
                        Some(found) if found.end <= limit => {
                            place = found.end;
                            if at(text, skip(text, place, b" ")) != b':' {
                                read.texts.push(found.inner);
                            }
                            continue;
                        }
                        _ if opens => *lone = place + values::MAX_QUOTED,
                        _ => {}
                    }
                }
                _ => {}
            }
            place += 1;
        }
        read
    }
}
