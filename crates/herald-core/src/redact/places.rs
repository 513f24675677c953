//! Secrets that the signs around them give away: the fields of `.pgpass`, of Postfix's accounts and of
//! Windows' hashes, connection strings without a scheme.
//!
//! Each reads a bounded way to both sides of its anchor.

use std::ops::Range;

use super::marks;
use super::values::{at, slice};

/// Finds what is secret around an anchor.
pub(super) type Field = fn(&[u8], Range<usize>) -> Option<Range<usize>>;

/// What the search looks for, exactly as written here, and what reads there.
pub(super) const FIELDS: [(&str, Field); 22] = [
    (":5432:", pgpass),
    ("]:587 ", account),
    ("]:465 ", account),
    ("]:25 ", account),
    (":::", windows_hash),
    ("@tcp(", data_source),
    (",p=", percona),
    ("jdbc:oracle:thin:", oracle),
    ("SWMTKN-1-", whole_word),
    ("SCRAM-SHA-256$", whole_word),
    (":AA", telegram),
    (".atlasv1.", terraform),
    ("Q~", azure_client),
    ("JQQJ9", azure_key),
    ("AZDO", azure_key),
    ("+ASt", azure_key),
    ("+ACR", azure_key),
    ("+ASb", azure_key),
    ("+AEh", azure_key),
    ("::server:", after_sign),
    ("::node:", after_sign),
    (" on >", redis_acl),
];

/// Longest word that is read.
const MAX_WORD: usize = 300;

/// What is secret at a place where an anchor was found.
pub(super) fn secret(text: &[u8], found: Range<usize>, field: Field) -> Option<Range<usize>> {
    // A mark has a space in it, at which a word would end.
    field(text, found)
        .filter(|secret| marks::length_at(text.get(secret.start..).unwrap_or_default()) == 0)
}

/// `host:5432:database:user:password`
fn pgpass(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let word = word_from(text, found.end);
    let user = memchr::memchr(b':', slice(text, word.clone()))? + 1;
    let password = memchr::memchr(b':', slice(text, word.start + user..word.end))? + 1;
    non_empty(word.start + user + password..word.end)
}

/// `[smtp.example.com]:587 user:password`
fn account(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let word = word_from(text, found.end);
    let colon = memchr::memchr(b':', slice(text, word.clone()))?;
    non_empty(word.start + colon + 1..word.end)
}

/// `name:500:lm:nt:::`
fn windows_hash(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let start = found.start.checked_sub(32)?;
    let is_hash = slice(text, start..found.start).iter().all(u8::is_ascii_hexdigit);
    let follows = start.checked_sub(1).is_some_and(|before| at(text, before) == b':');
    (is_hash && follows).then_some(start..found.start)
}

/// `user:password@tcp(db1:3306)`
fn data_source(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let before = word_to(text, found.start);
    let colon = memchr::memchr(b':', slice(text, before.clone()))?;
    non_empty(before.start + colon + 1..before.end)
}

/// `jdbc:oracle:thin:user/password@host`
fn oracle(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let word = word_from(text, found.end);
    let slash = memchr::memchr(b'/', slice(text, word.clone()))?;
    let end = memchr::memrchr(b'@', slice(text, word.clone())).filter(|end| *end > slash)?;
    non_empty(word.start + slash + 1..word.start + end)
}

/// `512345678:AAH9xQw3…`: a bot of Telegram's.
fn telegram(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let before = slice(text, found.start.saturating_sub(12)..found.start);
    let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let secret = found.start + 1..run_from(text, found.end, is_url);
    ((7..=11).contains(&digits) && secret.len() >= 32).then_some(found.start - digits..secret.end)
}

/// `abcDEF12345678.atlasv1.…`
fn terraform(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let start = run_to(text, found.start, |byte| byte.is_ascii_alphanumeric());
    let end = run_from(text, found.end, is_url);
    (found.start - start == 14 && end - found.end >= 40).then_some(start..end)
}

/// `abc8Q~…`: an application's secret.
fn azure_client(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let is_part = |byte: u8| is_url(byte) || matches!(byte, b'~' | b'.');
    let (start, end) = (run_to(text, found.start, is_part), run_from(text, found.end, is_part));
    let digit = found.start.checked_sub(1).is_some_and(|before| at(text, before).is_ascii_digit());
    (digit && found.start - start <= 8 && (28..=40).contains(&(end - found.end)))
        .then_some(start..end)
}

/// Azure's newer keys carry a sign of what they are for near their end.
fn azure_key(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let (start, end) = (run_to(text, found.start, is_part), run_from(text, found.end, is_part));
    let key = slice(text, start..end);
    let has = |is: fn(&u8) -> bool| key.iter().any(is);
    ((43..=96).contains(&key.len()) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit))
        .then_some(start..end)
}

/// `K10…::server:…`: what lets a machine join a cluster of k3s.
fn after_sign(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let end = run_from(text, found.end, |byte| byte.is_ascii_alphanumeric());
    (end - found.end >= 16).then_some(found.end..end)
}

/// `user app on >password ~* +@all`
fn redis_acl(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let before = slice(text, found.start.saturating_sub(80)..found.start);
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    memchr::memmem::find(line, b"user ")?;
    non_empty(word_from(text, found.end))
}

fn is_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// How far a run of bytes goes on, and from where it comes.
fn run_from(text: &[u8], start: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let near = slice(text, start..text.len().min(start + MAX_WORD));
    start + near.iter().take_while(|byte| is_part(**byte)).count()
}

fn run_to(text: &[u8], end: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let near = slice(text, end.saturating_sub(MAX_WORD)..end);
    end - near.iter().rev().take_while(|byte| is_part(**byte)).count()
}

/// `SWMTKN-1-…`
fn whole_word(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    non_empty(found.start..word_from(text, found.end).end)
}

/// `h=db1,u=root,p=password`
fn percona(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let before = word_to(text, found.start);
    let keys = [&b"h="[..], b"u="];
    let holds = |key: &&[u8]| memchr::memmem::find(slice(text, before.clone()), key).is_some();
    let word = word_from(text, found.end);
    let comma = memchr::memchr(b',', slice(text, word.clone()));
    let end = comma.map_or(word.end, |comma| word.start + comma);
    non_empty(word.start..end).filter(|_| keys.iter().any(holds))
}

fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`')
}

fn word_from(text: &[u8], start: usize) -> Range<usize> {
    let near = slice(text, start..text.len().min(start + MAX_WORD));
    start..start + near.iter().position(|byte| is_end(*byte)).unwrap_or(near.len())
}

fn word_to(text: &[u8], end: usize) -> Range<usize> {
    let near = slice(text, end.saturating_sub(MAX_WORD)..end);
    end - near.iter().rev().take_while(|byte| !is_end(**byte)).count()..end
}

fn non_empty(range: Range<usize>) -> Option<Range<usize>> {
    (!range.is_empty()).then_some(range)
}
