//! What only looks like a name and its secret: messages of programs, code that fetches a secret, files,
//! versions.
//!
//! It is asked once a name has been found to be secret, and hides nothing.

use super::keys::{is_directory, names_secret_bytes};
use super::pairs::Name;
use super::values::{at, line_end_within, slice};

/// What shells and programs say behind a name that sounds secret.
const SAID: [&[u8]; 6] =
    [b": command not found", b": not found", b":file ", b":env ", b": (user ", b": No such file"];

/// `auth: pam`, `credentials=/root/.smb`, `auth: user=alice`: a method, a file, words on somebody.
pub(super) fn is_no_credential(value: &[u8]) -> bool {
    let first = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    is_plain_word(value)
        || value.starts_with(b"/")
        || value.starts_with(b"~/")
        || value.starts_with(b"New-Object")
        || (value.len() > first.len() && first.contains(&b'=') && !first.contains(&b';'))
}

/// `os.environ["X"]`, `config.get("x")`, `process.env.X`, `(Get-Credential)`: what stands for a value in
/// a program. `behind` is the sign behind it.
pub(super) fn is_code(value: &[u8], behind: u8) -> bool {
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let path = value.iter().take_while(|byte| is_path(byte)).count();
    let (called, next) = (slice(value, 0..path), at(value, path));
    called.starts_with(b"process.env.")
        || value.starts_with(b"(")
            && value.get(1).is_some_and(u8::is_ascii_alphabetic)
            && matches!(behind, b')' | b' ')
        || called.contains(&b'.')
            && called.first().is_some_and(u8::is_ascii_lowercase)
            && matches!(next, b'(' | b'[')
        || called.starts_with(b"System.") && next == b'('
}

/// `passwd-1:4.8.1-1ubuntu5`: a package's.
pub(super) fn is_version(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".+~:-".contains(byte);
    value.first().is_some_and(u8::is_ascii_digit)
        && value.iter().all(is_part)
        && value.windows(2).any(|pair| pair.first() == Some(&b'-') && at(pair, 1).is_ascii_digit())
        && value.iter().filter(|byte| **byte == b'.').count() >= 2
}

/// `--token TOKEN`: what help calls a value.
pub(super) fn is_metavar(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
        && (names_secret_bytes(value) || value == b"KEY")
}

/// The name of a method.
fn is_plain_word(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_lowercase() || b"_-. ,".contains(byte))
}

/// Words that only look like a name and its value.
pub(super) fn is_harmless(text: &[u8], name: &Name) -> bool {
    let word_of = slice(text, name.range.clone());
    let before =
        slice(text, name.range.start.saturating_sub(12)..name.range.start).trim_ascii_end();
    let last = slice(before, before.len().saturating_sub(10)..before.len());
    if last.eq_ignore_ascii_case(b"unexpected") {
        return true;
    }
    // A file with a secret in it; a zone of memory.
    if before.ends_with(b"--from-file=") || before.ends_with(b"zone=") {
        return true;
    }
    // `arn:aws:secretsmanager:…:secret:db`
    let path = slice(text, name.range.start.saturating_sub(80)..name.range.start);
    if path.ends_with(b":") && memchr::memmem::find(path, b"arn:").is_some() {
        return true;
    }
    // What a store of secrets calls one.
    if word_of == b"secret-id" && memchr::memmem::find(path, b"secretsmanager").is_some() {
        return true;
    }
    let near = slice(text, name.range.end..text.len().min(name.range.end + 60));
    let said = slice(near, 0..memchr::memchr(b'\n', near).unwrap_or(near.len()));
    if said.starts_with(b":") && SAID.iter().any(|words| said.starts_with(words)) {
        return true;
    }
    if word_of == b"tokens" && said.get(2).is_some_and(u8::is_ascii_digit) {
        return true;
    }
    // What test programs print.
    if word_of == b"PASS" && at(text, name.range.end) == b':' {
        return true;
    }
    if is_directory(word_of, slice(text, name.range.end + 1..name.range.end + 2)) {
        return true;
    }
    if word_of != b"passwd" || !name.leads || at(text, name.range.end) != b':' {
        return false;
    }
    let start = name.range.end + 1;
    let line = slice(text, start..line_end_within(text, start, 200)).trim_ascii();
    // What passwd itself says.
    if line.ends_with(b" successfully")
        || line.ends_with(b" successfully.")
        || line.ends_with(b" changed.")
        || line.ends_with(b" unchanged")
        || line.ends_with(b" manipulation error")
    {
        return true;
    }
    // A line of nsswitch.conf.
    line.split(u8::is_ascii_whitespace).all(|word| {
        const SOURCES: [&[u8]; 12] = [
            b"",
            b"files",
            b"compat",
            b"systemd",
            b"sss",
            b"ldap",
            b"nis",
            b"nisplus",
            b"winbind",
            b"db",
            b"mymachines",
            b"altfiles",
        ];
        SOURCES.contains(&word) || word.starts_with(b"[")
    }) && !line.is_empty()
}
