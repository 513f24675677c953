//! A journal as JSON Lines that other programs can check: the lines, and reading them back.
//!
//! Every line is made of what is chained or named by digest, and of nothing else: so whoever has the bytes
//! can make the line again, and sees whether anything in it was changed. Where the bytes come from is the
//! store's matter.

mod check;
mod fields;
mod lines;
mod told;

#[cfg(test)]
mod tests;

pub use check::{is_export, verify};
pub use lines::ExportError;
pub(crate) use told::Told;

use herald_core::digest::Digest;
use herald_core::payload::PayloadKind;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::hex;

/// The format of the lines.
const FORMAT: u64 = 1;

/// What an export consists of, in this order: the beginning, then each entry behind the contents that it is
/// the first to name, then the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Where it begins.
    Begin(Begin),
    /// Contents.
    Payload {
        /// Their name.
        digest: Digest,
        /// What they are to the entry that follows.
        kind: PayloadKind,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// An entry.
    Entry {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: Digest,
        /// The bytes.
        bytes: Vec<u8>,
        /// Of a return the times, if they are there.
        times: Option<Vec<u8>>,
        /// Contents that it is the first to name, and that are not there.
        gone: Vec<Digest>,
    },
    /// Where it ends.
    End {
        /// How many entries there were.
        entries: u64,
        /// How many payloads.
        payloads: u64,
        /// The last entry, or where it begins.
        last: u64,
        /// Its hash.
        hash: Digest,
    },
}

/// Where an export begins, and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// The journal's UUID.
    pub origin: [u8; 16],
    /// The entry before the first one.
    pub after: u64,
    /// Its hash: on it the first one follows.
    pub hash: Digest,
    /// It was asked for what is not older.
    pub since: Option<Timestamp>,
    /// It was asked for what is older.
    pub until: Option<Timestamp>,
}

impl Piece {
    /// Its line, with the end of it.
    pub fn line(&self) -> String {
        crate::json::line(&self.object())
    }

    fn object(&self) -> Value {
        match self {
            Piece::Begin(begin) => json!({
                "type": "journal",
                "format": FORMAT,
                "journal": Uuid::from_bytes(begin.origin).to_string(),
                "after": begin.after,
                "hash": begin.hash.to_string(),
                "since": begin.since.map(|at| at.to_string()),
                "until": begin.until.map(|at| at.to_string()),
            }),
            Piece::Payload { digest, kind, bytes } => json!({
                "type": "payload",
                "digest": digest.to_string(),
                "kind": kind.name(),
                "bytes": hex::write(bytes),
                "value": fields::of_payload(*kind, bytes),
            }),
            Piece::Entry { number, hash, bytes, times, gone } => {
                let gone: Vec<String> = gone.iter().map(Digest::to_string).collect();
                let mut object = Map::new();
                object.insert("type".to_owned(), json!("entry"));
                object.insert("number".to_owned(), json!(number));
                object.insert("hash".to_owned(), json!(hash.to_string()));
                object.insert("bytes".to_owned(), json!(hex::write(bytes)));
                object.insert("times".to_owned(), json!(times.as_deref().map(hex::write)));
                object.insert("gone".to_owned(), json!(gone));
                object.extend(fields::of_entry(bytes));
                Value::Object(object)
            }
            Piece::End { entries, payloads, last, hash } => json!({
                "type": "end",
                "entries": entries,
                "payloads": payloads,
                "last": last,
                "hash": hash.to_string(),
            }),
        }
    }

    /// Reads a line; nothing where it is none.
    fn read(line: &str) -> Option<Self> {
        let raw: Raw = serde_json::from_str(line).ok()?;
        Some(match raw.r#type.as_str() {
            "journal" if raw.format? == FORMAT => Piece::Begin(Begin {
                origin: Uuid::parse_str(&raw.journal?).ok()?.into_bytes(),
                after: raw.after?,
                hash: digest(&raw.hash?)?,
                since: time(raw.since)?,
                until: time(raw.until)?,
            }),
            "payload" => Piece::Payload {
                digest: digest(&raw.digest?)?,
                kind: PayloadKind::from_name(&raw.kind?)?,
                bytes: hex::read(&raw.bytes?)?,
            },
            "entry" => Piece::Entry {
                number: raw.number?,
                hash: digest(&raw.hash?)?,
                bytes: hex::read(&raw.bytes?)?,
                times: match raw.times {
                    None => None,
                    Some(times) => Some(hex::read(&times)?),
                },
                gone: raw.gone?.iter().map(|text| digest(text)).collect::<Option<_>>()?,
            },
            "end" => Piece::End {
                entries: raw.entries?,
                payloads: raw.payloads?,
                last: raw.last?,
                hash: digest(&raw.hash?)?,
            },
            _ => return None,
        })
    }
}

/// A line as JSON, without what is only there for people: that follows from the rest, and may be nested
/// deeper than a reader that recurses can go.
#[derive(Deserialize)]
struct Raw {
    r#type: String,
    format: Option<u64>,
    journal: Option<String>,
    after: Option<u64>,
    hash: Option<String>,
    since: Option<String>,
    until: Option<String>,
    digest: Option<String>,
    kind: Option<String>,
    bytes: Option<String>,
    number: Option<u64>,
    times: Option<String>,
    gone: Option<Vec<String>>,
    entries: Option<u64>,
    payloads: Option<u64>,
    last: Option<u64>,
    #[serde(rename = "value")]
    _value: Option<IgnoredAny>,
}

fn digest(text: &str) -> Option<Digest> {
    Digest::from_slice(&hex::read(text)?)
}

/// A time that need not be there; nothing where it is none.
fn time(text: Option<String>) -> Option<Option<Timestamp>> {
    match text {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}
