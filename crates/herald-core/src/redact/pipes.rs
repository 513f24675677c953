//! Secrets that one command gives to another: through a pipe, a here-string or a substitution, and what
//! is sent to a prompt.
//!
//! Which commands read a secret stands in `commands.rs`.

use std::ops::Range;

use super::argv::{without_bracket, words_behind};
use super::commands::READERS;
use super::programs::hide_after;
use super::scan::Scan;
use super::values::{at, line_end_within, quoted, skip, slice, word};

/// What the search looks for.
pub(super) const HERE_STRING: &str = "<<<";

/// How far before a here-string its command begins at the most.
const MAX_COMMAND: usize = 400;

/// `'x' | ConvertTo-SecureString`
pub(super) fn piped_before(scan: &mut Scan<'_, '_>, name: usize) {
    let text = scan.text;
    let before = slice(text, name.saturating_sub(200)..name).trim_ascii_end();
    let Some(before) = before.strip_suffix(b"|") else { return };
    let before = before.trim_ascii_end();
    let Some(quote) = before.last().copied().filter(|last| matches!(last, b'\'' | b'"')) else {
        return;
    };
    let inner = slice(before, 0..before.len() - 1);
    if let Some(open) = memchr::memrchr(quote, inner) {
        let base = name.saturating_sub(200);
        scan.hide_value(base + open + 1..base + inner.len(), quote == b'"');
    }
}

/// `expect "password:"; send "x\r"`
pub(super) fn sent(scan: &mut Scan<'_, '_>, name: &Range<usize>) {
    let text = scan.text;
    let before = slice(text, name.start.saturating_sub(200)..name.start).to_ascii_lowercase();
    let asked = [&b"assword"[..], b"assphrase"];
    if asked.iter().any(|word| memchr::memmem::find(&before, word).is_some())
        && let Some(found) = quoted(text, name.end + 1, None)
    {
        let said = slice(text, found.inner.clone());
        let said = said.strip_suffix(b"\\r").or(said.strip_suffix(b"\\n")).unwrap_or(said);
        scan.hide_value(found.inner.start..found.inner.start + said.len(), true);
    }
}

/// `echo x | passwd --stdin bob`, `echo bob:x | chpasswd`, `(echo x; echo x) | smbpasswd -s`,
/// `openvpn --auth-user-pass <(printf 'bob\nx')`.
pub(super) fn piped(scan: &mut Scan<'_, '_>, name: &Range<usize>, inside: Option<u8>) {
    let text = scan.text;
    if at(text, name.end) != b' ' {
        return;
    }
    let before = slice(text, name.start.saturating_sub(160)..name.start);
    let substituted = before.ends_with(b"<(");
    let asked = before.trim_ascii_end().to_ascii_lowercase();
    let asked = asked.strip_suffix(b"'").or(asked.strip_suffix(b"\"")).unwrap_or(&asked);
    let asked = asked.trim_ascii_end();
    let is_command = [&b"password-command"[..], b"password_command=", b"password-command="];
    let is_command = is_command.iter().any(|ending| asked.ends_with(ending));
    let line = slice(text, name.end..line_end_within(text, name.end, 2048));
    if !substituted && !is_command && !line.contains(&b'|') {
        return;
    }
    let words = words_behind(text, name.end, inside);
    let end = words.last().map_or(name.end, |word| word.end);
    let reader: &[u8] = if substituted || is_command { before } else { reader_behind(text, end) };
    if !is_command && !reads_any(reader) {
        return;
    }
    let is_list = ["chpasswd", "postmap"].iter().any(|name| reads(reader, name));
    for word in words {
        let word = without_bracket(text, word);
        let written = slice(text, word.clone());
        if written.starts_with(b"-") || written.starts_with(b"%") {
            continue;
        }
        match is_list && written.contains(&b':') {
            true => hide_after(scan, b':', word, true),
            false => scan.hide_value(word, true),
        }
    }
}

/// The command behind the pipe at the end of one, also when that stands in brackets.
fn reader_behind(text: &[u8], end: usize) -> &[u8] {
    let mut pipe = skip(text, end, b"\"' ");
    if matches!(at(text, pipe), b';' | b')' | b'&') {
        let rest = slice(text, pipe..line_end_within(text, pipe, 300));
        let close = memchr::memmem::find(rest, b") |").or(memchr::memmem::find(rest, b"} |"));
        pipe += close.map_or(0, |close| close + 2);
    }
    if at(text, pipe) != b'|' {
        return b"";
    }
    let reader = slice(text, pipe + 1..line_end_within(text, pipe, 160));
    reader.split(|byte| matches!(byte, b'|' | b';')).next().unwrap_or_default()
}

/// Whether a command reads a secret.
fn reads_any(command: &[u8]) -> bool {
    READERS.iter().any(|name| reads(command, name))
}

fn reads(command: &[u8], name: &str) -> bool {
    memchr::memmem::find_iter(command, name.as_bytes()).any(|found| {
        !found.checked_sub(1).is_some_and(|before| at(command, before).is_ascii_alphanumeric())
    })
}

/// `passwd --stdin bob <<< x`, `chpasswd <<< bob:x`, `sudo -S <<< x id`.
pub(super) fn here_string(scan: &mut Scan<'_, '_>, sign: Range<usize>, inside: Option<u8>) {
    let text = scan.text;
    let before = slice(text, sign.start.saturating_sub(MAX_COMMAND)..sign.start);
    let command =
        before.rsplit(|byte| matches!(byte, b'\n' | b';' | b'|' | b'&')).next().unwrap_or_default();
    if !reads_any(command) {
        return;
    }
    let found = word(text, skip(text, sign.end, b" "), inside);
    scan.done = scan.done.max(found.inner.start);
    match slice(text, found.inner.clone()).contains(&b':') {
        true => {
            let written = slice(text, found.inner.clone());
            let colon = match reads(command, "postmap") {
                true => memchr::memrchr(b':', written),
                false => memchr::memchr(b':', written),
            };
            let start = found.inner.start + colon.map_or(0, |colon| colon + 1);
            scan.hide_value(start..found.inner.end, found.expands);
        }
        false => scan.hide_value(found.inner, found.expands),
    }
}
