//! Secrets that are known by their own shape, wherever they stand: the tokens of the large services,
//! JWTs, private keys, password hashes, webhook addresses and passwords in URLs.
//!
//! It looks at one place of a text and says what is secret there. It does not search for the places.

use std::borrow::Cow;
use std::ops::Range;

use super::places;
use super::plain;
use super::services::{Body, SHAPES, Shape};
use super::values::{at, is_placeholder, is_reference, skip, slice};

/// Beginnings of password hashes.
const HASHES: &[&str] = &[
    "$1$",
    "$2a$",
    "$2b$",
    "$2y$",
    "$5$",
    "$6$",
    "$7$",
    "$y$",
    "$gy$",
    "$8$",
    "$9$",
    "$krb5tgs$",
    "$krb5asrep$",
    "$shiro1$",
    "$apr1$",
    "$argon2",
    "$pbkdf2",
    "$scrypt$",
    "{SHA}",
    "{SSHA}",
    "{SSHA256}",
    "{SSHA512}",
    "{SHA256}",
    "{SHA512}",
    "{SHA512-CRYPT}",
    "{BLF-CRYPT}",
    "{ARGON2ID}",
    "{PBKDF2}",
    "{MD5-CRYPT}",
    "{CRYPT}",
    "pbkdf2_sha256$",
    "pbkdf2_sha512$",
];

/// What an anchor may be the beginning of.
#[derive(Clone, Copy)]
pub(super) enum Look {
    Token(&'static Shape),
    Hash,
    Jwt,
    PrivateKey,
    Url,
    Field(places::Field),
}

/// What the search looks for, exactly as written here.
pub(super) fn anchors() -> impl Iterator<Item = (&'static str, Look)> {
    let shapes = SHAPES.iter().map(|shape| (shape.prefix, Look::Token(shape)));
    let hashes = HASHES.iter().map(|hash| (*hash, Look::Hash));
    let others = [("eyJ", Look::Jwt), (PEM, Look::PrivateKey), ("://", Look::Url)];
    let fields = places::FIELDS.iter().map(|(anchor, field)| (*anchor, Look::Field(*field)));
    shapes.chain(hashes).chain(others).chain(fields)
}

impl Look {
    /// What is secret where an anchor was found.
    pub(super) fn secret(self, text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        match self {
            Look::Token(shape) => shape.token(text, found),
            Look::Hash => hash(text, found),
            Look::Jwt => jwt(text, found.start),
            Look::PrivateKey => private_key(text, found.start),
            Look::Url => userinfo(text, found),
            Look::Field(field) => places::secret(text, found, field),
        }
    }

    /// The plain form of what was found: a password in a URL is written with `%`, and a key on many
    /// lines.
    pub(super) fn plain(self, secret: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Look::PrivateKey => Cow::Owned(plain::squeezed(secret)),
            Look::Url => Cow::Owned(plain::from_percent(secret)),
            _ => Cow::Borrowed(secret),
        }
    }

    /// The name of the rule.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Look::Token(_) => "token",
            Look::Hash => "hash",
            Look::Jwt => "jwt",
            Look::PrivateKey => "private-key",
            Look::Url => "url",
            Look::Field(_) => "fields",
        }
    }

    /// Whether it is the id of one of AWS's keys, near which the key stands.
    pub(super) fn is_aws_id(self) -> bool {
        matches!(self, Look::Token(shape) if matches!(shape.prefix, "AKIA" | "ASIA" | "ABIA" | "ACCA"))
    }
}

const PEM: &str = "-----BEGIN";

impl Shape {
    fn token(&self, text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let before = before(text, found.start);
        // A dot before it would make every part of a dotted run a beginning to read from.
        if !self.keep && (is_word_byte(before) || before == b'.') {
            return None;
        }
        let end = run(text, found.end, self.body);
        let body = slice(text, found.end..end);
        if body.len() < self.min || (self.mixed && !is_mixed(body)) {
            return None;
        }
        Some(if self.keep { found.end..end } else { found.start..end })
    }
}

/// Longest token that is read: a run of letters without end is no token.
const MAX_TOKEN: usize = 16 * 1024;

fn run(text: &[u8], start: usize, body: Body) -> usize {
    let limit = text.len().min(start + MAX_TOKEN);
    let rest = slice(text, start..limit);
    start + rest.iter().position(|byte| !body.has(*byte)).unwrap_or(rest.len())
}

fn before(text: &[u8], place: usize) -> u8 {
    place.checked_sub(1).map_or(0, |place| at(text, place))
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_mixed(body: &[u8]) -> bool {
    let upper = body.iter().any(u8::is_ascii_uppercase);
    let lower = body.iter().any(u8::is_ascii_lowercase);
    let digit = body.iter().any(u8::is_ascii_digit);
    digit && (upper || lower)
}

/// The secret access key that stands near an AWS key id: 40 letters of base64.
pub(super) fn aws_secret_near(text: &[u8], id: &Range<usize>) -> Option<Range<usize>> {
    let from = id.start.saturating_sub(160);
    let window = from..text.len().min(id.end + 240);
    let mut start = window.start;
    while start < window.end {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
        let rest = slice(text, start..window.end);
        let length = rest.iter().position(|byte| !is_base64(*byte)).unwrap_or(rest.len());
        let run = slice(text, start..start + length);
        let whole = start > window.start || start == 0;
        if length == 40 && whole && is_mixed(run) && run.iter().any(u8::is_ascii_uppercase) {
            return Some(start..start + length);
        }
        start += length + 1;
    }
    None
}

fn jwt(text: &[u8], start: usize) -> Option<Range<usize>> {
    if is_word_byte(before(text, start)) || before(text, start) == b'.' {
        return None;
    }
    let end = run(text, start, Body::Dotted);
    let mut parts = slice(text, start..end).split(|byte| *byte == b'.');
    let header = parts.next().is_some_and(|part| part.len() >= 10);
    let body = parts.next().is_some_and(|part| part.len() >= 4);
    (header && body).then_some(start..end)
}

fn hash(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    let limit = text.len().min(found.start + 400);
    let rest = slice(text, found.start..limit);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"$./=,+_{}-".contains(byte);
    let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
    let hash = slice(rest, 0..length);
    let longest = hash.split(|byte| *byte == b'$').map(<[u8]>::len).max().unwrap_or(0);
    let parts = hash.split(|byte| *byte == b'$').count();
    let curly = hash.starts_with(b"{");
    // What JunOS hides of a secret that it needs: it can be undone.
    let of_junos = parts == 3 && hash.starts_with(b"$9$") && hash.len() >= 13 && is_mixed(hash);
    let is_hash = of_junos
        || longest >= 20 && (curly || parts >= 4 || (parts >= 3 && !hash.starts_with(b"$")));
    is_hash.then_some(found.start..found.start + length)
}

/// What stands between the lines of a private key.
fn private_key(text: &[u8], start: usize) -> Option<Range<usize>> {
    let label_start = start + PEM.len();
    let window = slice(text, label_start..text.len().min(label_start + 64));
    let label_end = memchr::memmem::find(window, b"-----")?;
    let label = slice(window, 0..label_end);
    memchr::memmem::find(label, b"PRIVATE KEY")?;
    let body = label_start + label_end + 5;
    if is_placeholder(slice(text, body..text.len().min(body + 64))) {
        return None;
    }
    let end =
        memchr::memmem::find(text.get(body..)?, b"-----END").map_or(text.len(), |at| body + at);
    let inner = slice(text, body..end);
    (!is_placeholder(inner)).then_some(body..end)
}

/// The password in `scheme://user:password@host`.
fn userinfo(text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
    if !before(text, found.start).is_ascii_alphanumeric() {
        return None;
    }
    let start = found.end;
    let word = slice(text, start..text.len().min(start + 1024));
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>`|".contains(byte);
    let word = slice(word, 0..word.iter().position(ends).unwrap_or(word.len()));
    // The next URL has a password of its own.
    let word = slice(word, 0..memchr::memmem::find(word, b"://").unwrap_or(word.len()));
    let slash = word.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(word.len());
    let authority = slice(word, 0..slash);
    let colon = memchr::memchr(b':', authority);
    let user_end = memchr::memrchr(b'@', authority).or_else(|| {
        // A password with an unencoded slash; digits would be a port.
        let after = slice(authority, colon? + 1..authority.len());
        let port = after.iter().all(u8::is_ascii_digit);
        memchr::memchr(b'@', word).filter(|_| !port && !after.starts_with(b"["))
    })?;
    let secret = match colon {
        Some(colon) if colon < user_end => colon + 1..user_end,
        // A token as the user's name.
        _ if user_end >= 20 && is_mixed(slice(word, 0..user_end)) => 0..user_end,
        _ => return None,
    };
    let value = slice(word, secret.clone());
    let harmless = is_placeholder(value) || is_reference(value, true);
    (!harmless).then_some(start + secret.start..start + secret.end)
}

/// Whether a place is inside of an absolute path, which names a file. `s/^password=.*/password=x/` is none.
pub(super) fn follows_slash(text: &[u8], place: usize) -> bool {
    before(text, place) == b'/' && !slice(text, place.saturating_sub(3)..place).starts_with(b".*")
}

/// The first place behind spaces on the same line.
pub(super) fn skip_spaces(text: &[u8], place: usize) -> usize {
    skip(text, place, b" \t")
}
