//! The bytes of entries and payloads as JSON, field by field, as `docs/journal.md` lists them.
//!
//! Straight from the bytes, without what they name, so that the same bytes always give the same JSON. The
//! names are never changed. A kind that is not in the table, or bytes that are not of their kind, give less,
//! and no error: the bytes stand beside it.

use herald_core::backfill::CacheState;
use herald_core::change::GapReason;
use herald_core::digest::Digest;
use herald_core::entry::outline;
use herald_core::key::KeyAct;
use herald_core::minions::read_set;
use herald_core::payload::PayloadKind;
use herald_core::run::{Flag, RunStatus, Standing};
use herald_core::seal::Occasion;
use herald_core::suspect::Why;
use jiff::Timestamp;
use salt_event::Value as Salt;
use salt_event::msgpack::Reader;
use serde_json::{Map, Value, json};

use crate::hex;
use As::{
    Bits, Bytes, Code, Failures, Flagged, Minion, Named, Number, Numbers, Pairs, Short, Signed,
    Text, Texts, Time, Unsaid,
};

/// Where an entry's fields begin.
const FIELDS: usize = 34;
/// A set that is longer is not written out: nobody has so many minions, and few bytes can claim many.
const LONGEST_SET: usize = 256 << 10;
/// Likewise of more minions.
const LARGEST_SET: u64 = 1 << 20;

/// How a field is written.
#[derive(Clone, Copy)]
enum As {
    Text,
    Texts,
    /// A byte that stands for a word.
    Code(fn(u8) -> Option<&'static str>),
    /// A byte of bits that stand for words.
    Bits(&'static [&'static str]),
    /// Yes or no.
    Flagged,
    Short,
    Number,
    Numbers,
    /// All bits set is nothing.
    Minion,
    Signed,
    Time,
    /// So many bytes.
    Bytes(usize),
    /// The digest of contents.
    Named(PayloadKind),
    Failures,
    Unsaid,
    /// Contents and what they became.
    Pairs,
}

type Field = (&'static str, As);

const HEAD: As = Named(PayloadKind::Head);
const SET: As = Named(PayloadKind::Set);
const HASH: As = Bytes(32);

/// What the kinds are called, and their fields in order.
const KINDS: &[(u8, &str, &[Field])] = &[
    (1, "opened", &[("version", Text)]),
    (2, "gap", &[("from", Time), ("to", Time), ("reason", Code(reason))]),
    (3, "minion_seen", &[("minion", Short), ("id", Text)]),
    (4, "run_started", &[("run", Number), ("head", HEAD), ("said", Flagged)]),
    (5, "run_revised", &[("run", Number), ("head", HEAD), ("said", Flagged), ("expected", SET)]),
    (
        6,
        "job_started",
        &[
            ("job", Number),
            ("run", Number),
            ("jid", Text),
            ("fun", Texts),
            ("load", Named(PayloadKind::Load)),
            ("expected", SET),
            ("missing", SET),
            ("returns_itself", Flagged),
        ],
    ),
    (7, "job_expects", &[("job", Number), ("expected", SET)]),
    (8, "job_moved", &[("job", Number), ("run", Number)]),
    (
        9,
        "returned",
        &[
            ("job", Number),
            ("minion", Minion),
            ("outcome", Bits(&["failed", "changed", "would_change", "has_retcode"])),
            ("retcode", Signed),
            ("states", Short),
            ("states_failed", Short),
            ("states_changed", Short),
            ("duration_us", Number),
            ("shape", Named(PayloadKind::Shape)),
            ("times_digest", HASH),
            ("failures", Failures),
            ("collides_with", Texts),
        ],
    ),
    (10, "run_ended", &[("run", Number), ("status", Code(status)), ("silent", SET)]),
    (11, "told_with", &[("run", Number), ("with", Number)]),
    (12, "flagged", &[("run", Number), ("flag", Code(flag))]),
    (13, "forged", &[("sender", Text), ("tag", Text)]),
    (14, "unreadable", &[("tag", Text), ("length", Number), ("digest", HASH)]),
    (
        15,
        "backfilled",
        &[
            ("gap", Number),
            ("from", Time),
            ("to", Time),
            ("cache", Code(cache)),
            ("runs", Number),
            ("returns", Number),
            ("completed", Number),
            ("unread", Number),
        ],
    ),
    (
        16,
        "cut",
        &[
            ("last", Number),
            ("last_hash", HASH),
            ("last_run", Number),
            ("last_job", Number),
            ("minions", Named(PayloadKind::Minions)),
        ],
    ),
    (
        17,
        "sealed",
        &[
            ("of", Number),
            ("of_hash", HASH),
            ("signed_at", Time),
            ("occasion", Code(occasion)),
            ("key", HASH),
            ("signature", Bytes(64)),
        ],
    ),
    (18, "job_narrowed", &[("job", Number), ("passed_on", SET), ("missing", SET)]),
    (19, "stood", &[("standing", Code(standing)), ("jobs", Numbers)]),
    (20, "key", &[("act", Code(act)), ("id", Text), ("key", HASH)]),
    (
        21,
        "suspect",
        &[
            ("why", Code(why)),
            ("job", Number),
            ("jid", Text),
            ("id", Text),
            ("sender", Text),
            ("tag", Text),
            ("said", HASH),
            ("count", Short),
        ],
    ),
    (
        22,
        "scrubbed",
        &[
            ("scrubbed_at", Time),
            ("first", Number),
            ("places", Number),
            ("contents", Pairs),
            ("runs", Numbers),
            ("reason", Text),
            ("by", Text),
            ("sudo", Text),
            ("marks", Texts),
        ],
    ),
    (
        23,
        "limited",
        &[
            ("limit", Number),
            ("results_before", Short),
            ("quiet_before", Short),
            ("last", Number),
            ("unsaid", Unsaid),
        ],
    ),
];

fn why(code: u8) -> Option<&'static str> {
    Why::from_code(code).map(Why::name)
}

fn reason(code: u8) -> Option<&'static str> {
    GapReason::from_code(code).map(GapReason::name)
}

fn status(code: u8) -> Option<&'static str> {
    RunStatus::from_code(code).map(RunStatus::name)
}

fn flag(code: u8) -> Option<&'static str> {
    Flag::from_code(code).map(Flag::name)
}

fn cache(code: u8) -> Option<&'static str> {
    CacheState::from_code(code).map(CacheState::name)
}

fn occasion(code: u8) -> Option<&'static str> {
    Occasion::from_code(code).map(Occasion::name)
}

fn standing(code: u8) -> Option<&'static str> {
    Standing::from_code(code).map(Standing::name)
}

fn act(code: u8) -> Option<&'static str> {
    KeyAct::from_code(code).map(KeyAct::name)
}

/// The kind of an entry and its fields, if it is one of those that have names.
fn known(entry: &[u8]) -> Option<(&'static str, &'static [Field])> {
    let kind = outline(entry)?.kind;
    KINDS.iter().find(|(of, ..)| *of == kind).map(|(_, name, fields)| (*name, *fields))
}

/// Whether an entry is of a kind that has names here, and nothing but its fields.
pub(super) fn is_known(entry: &[u8]) -> bool {
    let Some((_, fields)) = known(entry) else { return false };
    let mut input = Input(entry.get(FIELDS..).unwrap_or_default());
    fields.iter().all(|(_, kind)| input.value(*kind).is_some()) && input.0.is_empty()
}

/// An entry's kind, its time and its fields.
pub(super) fn of_entry(entry: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    let Some(outline) = outline(entry) else { return object };
    let at = Timestamp::from_microsecond(outline.at).ok().map(|at| at.to_string());
    object.insert("at".to_owned(), json!(at));
    let Some((name, fields)) = known(entry) else {
        object.insert("kind".to_owned(), json!(outline.kind.to_string()));
        return object;
    };
    object.insert("kind".to_owned(), json!(name));
    let mut input = Input(entry.get(FIELDS..).unwrap_or_default());
    for (name, kind) in fields {
        let Some(value) = input.value(*kind) else { break };
        object.insert((*name).to_owned(), value);
    }
    object
}

/// The contents that an entry names, in the order of its fields.
pub(super) fn names(entry: &[u8]) -> Vec<(Digest, PayloadKind)> {
    let Some((_, fields)) = known(entry) else { return Vec::new() };
    let mut input = Input(entry.get(FIELDS..).unwrap_or_default());
    let mut names = Vec::new();
    for (_, kind) in fields {
        match kind {
            Named(of) => {
                let Some(digest) = input.digest() else { break };
                names.push((digest, *of));
            }
            Failures => {
                let Some(failures) = input.failures() else { break };
                for (definition, body, _) in failures {
                    names.push((definition, PayloadKind::Definition));
                    names.push((body, PayloadKind::Body));
                }
            }
            other if input.value(*other).is_none() => break,
            _ => {}
        }
    }
    names
}

/// Contents as JSON.
pub(super) fn of_payload(kind: PayloadKind, bytes: &[u8]) -> Value {
    match kind {
        PayloadKind::Set if bytes.len() > LONGEST_SET => Value::Null,
        PayloadKind::Set => {
            let set = read_set(bytes).filter(|set| set.len() <= LARGEST_SET);
            json!(set.map(|set| set.iter().collect::<Vec<_>>()))
        }
        PayloadKind::Shape => {
            let digest = |part: &[u8]| Digest::from_slice(part).map(|digest| digest.to_string());
            json!(bytes.chunks(32).map(digest).collect::<Vec<_>>())
        }
        PayloadKind::Head
        | PayloadKind::Load
        | PayloadKind::Definition
        | PayloadKind::Body
        | PayloadKind::Minions => {
            let read = Reader::new(bytes).raw().and_then(Salt::read);
            read.map_or(Value::Null, |value| crate::json::of(&value))
        }
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.fixed().map(u8::from_be_bytes)
    }

    fn short(&mut self) -> Option<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_be_bytes)
    }

    fn time(&mut self) -> Option<String> {
        let at = Timestamp::from_microsecond(self.number()?.cast_signed()).ok()?;
        Some(at.to_string())
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.short()? as usize;
        str::from_utf8(self.take(length)?).ok()
    }

    fn digest(&mut self) -> Option<Digest> {
        self.fixed().map(Digest)
    }

    fn failures(&mut self) -> Option<Vec<(Digest, Digest, bool)>> {
        self.many(|input| Some((input.digest()?, input.digest()?, input.byte()? != 0)))
    }

    fn many<T>(&mut self, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.short()?;
        (0..count).map(|_| one(self)).collect()
    }

    fn value(&mut self, kind: As) -> Option<Value> {
        Some(match kind {
            Text => json!(self.text()?),
            Texts => json!(self.many(Self::text)?),
            Code(word) => {
                let code = self.byte()?;
                word(code).map_or_else(|| json!(code), |word| json!(word))
            }
            Bits(words) => {
                let bits = self.byte()?;
                let is_set = |place: usize| place < 8 && bits & 1 << place != 0;
                let words = words.iter().enumerate().filter(|(place, _)| is_set(*place));
                json!(words.map(|(_, word)| word).collect::<Vec<_>>())
            }
            Flagged => json!(self.byte()? != 0),
            Short => json!(self.short()?),
            Number => json!(self.number()?),
            Numbers => json!(self.many(Self::number)?),
            Minion => json!(Some(self.number()?).filter(|minion| *minion != u64::MAX)),
            Signed => json!(self.number()?.cast_signed()),
            Time => json!(self.time()?),
            Bytes(count) => json!(hex::write(self.take(count)?)),
            Named(_) => json!(self.digest()?.to_string()),
            Failures => {
                let one = |(definition, body, follows): &(Digest, Digest, bool)| {
                    json!({
                        "definition": definition.to_string(),
                        "body": body.to_string(),
                        "follows": follows,
                    })
                };
                json!(self.failures()?.iter().map(one).collect::<Vec<_>>())
            }
            Unsaid => json!(self.many(Self::unsaid)?),
            Pairs => json!(self.many(Self::pair)?),
        })
    }

    fn pair(&mut self) -> Option<Value> {
        let (digest, became) = (self.digest()?.to_string(), self.digest()?.to_string());
        Some(json!({"digest": digest, "became": became, "places": self.number()?}))
    }

    fn unsaid(&mut self) -> Option<Value> {
        let (sink, runs) = (self.text()?, self.number()?);
        Some(json!({"sink": sink, "runs": runs, "from": self.time()?, "to": self.time()?}))
    }
}
