//! Entries: the permanent part of a change as bytes, and the chain over them.
//!
//! The encoding is fixed; `docs/journal.md` says it for people who want to check a journal with
//! tools of their own. All numbers are big-endian. An entry is
//!
//! ```text
//! version u8 = 1 | origin 16 bytes | number u64 | time i64 (microseconds since 1970, UTC) | kind u8 | fields
//! ```
//!
//! Texts and bytes stand behind a length of 4 bytes, digests are 32 bytes. An entry's hash is the
//! SHA-256 of the hash before it and its bytes; before the first stand 32 zero bytes.

mod cut;
mod fields;
mod limited;
mod outline;
mod scrub;
mod seal;
mod suspect;

use thiserror::Error;

use crate::backfill::{Added, Backfill, CacheState};
use crate::change::{Change, Failure, GapReason, What};
use crate::digest::Digest;
use crate::key::KeyAct;
use crate::run::{Flag, JobId, Outcome, RunId, RunStatus, Standing};

use cut::{decode_cut, encode_cut};
use fields::{Get, Put};
use limited::{decode_limited, encode_limited};
pub use outline::{Outline, outline, outline_of_cut, outline_of_return};
use scrub::{decode_scrub, encode_scrub};
use seal::{decode_seal, encode_seal};
use suspect::{decode_suspect, encode_suspect};

/// The format's version, the first byte of every entry.
pub const VERSION: u8 = 1;

/// What stands before an entry's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHead {
    /// The journal's UUID.
    pub origin: [u8; 16],
    /// The entry's number in its journal, from 1, without a hole.
    pub number: u64,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryError {
    /// A later salt-herald wrote it.
    #[error("the entry has format version {0}, and this salt-herald knows version {VERSION} only")]
    Version(u8),
    /// The bytes end too early, or a field holds what it may not.
    #[error("the entry is damaged in its field {0}")]
    Field(&'static str),
    /// The payload with this digest is gone, expired or scrubbed.
    #[error("payload {0} is not there")]
    Payload(Digest),
}

/// The hash of an entry, from the hash before it and its bytes.
pub fn chain(before: Digest, entry: &[u8]) -> Digest {
    Digest::of_parts(&[&before.0, entry])
}

/// The permanent part of a change.
pub fn encode(head: EntryHead, change: &Change) -> Vec<u8> {
    let mut out = Put(Vec::with_capacity(160));
    out.u8(VERSION);
    out.0.extend_from_slice(&head.origin);
    out.u64(head.number);
    out.time(change.at);
    out.u8(kind_code(&change.what));
    encode_fields(&mut out, &change.what);
    out.0
}

/// The number by which entries tell a kind of change.
pub fn kind_code(what: &What) -> u8 {
    match what {
        What::Opened { .. } => 1,
        What::Gap { .. } => 2,
        What::MinionSeen { .. } => 3,
        What::RunStarted { .. } => 4,
        What::RunRevised { .. } => 5,
        What::JobStarted { .. } => 6,
        What::JobExpects { .. } => 7,
        What::JobMoved { .. } => 8,
        What::Returned { .. } => 9,
        What::RunEnded { .. } => 10,
        What::ToldWith { .. } => 11,
        What::Flagged { .. } => 12,
        What::Forged { .. } => 13,
        What::Unreadable { .. } => 14,
        What::Backfilled(_) => 15,
        What::Cut(_) => 16,
        What::Sealed(_) => 17,
        What::JobNarrowed { .. } => 18,
        What::Stood { .. } => 19,
        What::Key { .. } => 20,
        What::Suspect(_) => 21,
        What::Scrubbed(_) => 22,
        What::Limited(_) => 23,
    }
}

fn encode_fields(out: &mut Put, what: &What) {
    match what {
        What::Opened { version } => out.text(version),
        What::Gap { from, to, reason } => {
            out.time(*from);
            out.time(*to);
            out.u8(reason.code());
        }
        What::MinionSeen { minion, name } => {
            out.u32(*minion);
            out.text(name);
        }
        What::RunStarted { run, head, said } => {
            out.u64(run.0);
            out.digest(head.digest);
            out.u8(u8::from(*said));
        }
        What::RunRevised { run, head, said, expected } => {
            out.u64(run.0);
            out.digest(head.digest);
            out.u8(u8::from(*said));
            out.digest(expected.digest);
        }
        What::JobStarted { .. } => encode_job(out, what),
        What::JobExpects { job, expected } => {
            out.u64(job.0);
            out.digest(expected.digest);
        }
        What::JobMoved { job, to } => {
            out.u64(job.0);
            out.u64(to.0);
        }
        What::Returned { .. } => encode_return(out, what),
        What::RunEnded { run, status, silent } => {
            out.u64(run.0);
            out.u8(status.code());
            out.digest(silent.digest);
        }
        What::ToldWith { run, with } => {
            out.u64(run.0);
            out.u64(with.0);
        }
        What::Flagged { run, flag } => {
            out.u64(run.0);
            out.u8(flag.code());
        }
        What::Forged { sender, tag } => {
            out.text(sender);
            out.text(tag);
        }
        What::Unreadable { tag, length, digest } => {
            out.text(tag);
            out.u64(*length);
            out.digest(*digest);
        }
        What::Backfilled(backfill) => encode_backfill(out, backfill),
        What::Cut(cut) => encode_cut(out, cut),
        What::Suspect(suspect) => encode_suspect(out, suspect),
        What::Limited(limited) => encode_limited(out, limited),
        What::Scrubbed(scrub) => encode_scrub(out, scrub),
        What::Sealed(seal) => encode_seal(out, seal),
        What::JobNarrowed { job, passed_on, missing } => {
            out.u64(job.0);
            out.digest(passed_on.digest);
            out.digest(missing.digest);
        }
        What::Key { act, minion, key } => {
            out.u8(act.code());
            out.text(minion);
            out.digest(*key);
        }
        What::Stood { standing, jobs } => {
            out.u8(standing.code());
            out.u32(jobs.len() as u32);
            jobs.iter().for_each(|job| out.u64(job.0));
        }
    }
}

fn encode_backfill(out: &mut Put, backfill: &Backfill) {
    out.u64(backfill.gap.unwrap_or(0));
    out.time(backfill.from);
    out.time(backfill.to);
    out.u8(backfill.cache.code());
    out.u64(backfill.added.runs);
    out.u64(backfill.added.returns);
    out.u64(backfill.added.completed);
    out.u64(backfill.unread);
}

fn encode_job(out: &mut Put, what: &What) {
    if let What::JobStarted { job, run, jid, funs, load, expected, missing, returns_itself } = what
    {
        out.u64(job.0);
        out.u64(run.0);
        out.text(jid);
        out.texts(funs);
        out.digest(*load);
        out.digest(expected.digest);
        out.digest(missing.digest);
        out.u8(u8::from(*returns_itself));
    }
}

fn encode_return(out: &mut Put, what: &What) {
    let What::Returned { job, minion, outcome, shape, volatile, failures, collides_with } = what
    else {
        return;
    };
    out.u64(job.0);
    out.u64(minion.map_or(u64::MAX, u64::from));
    let bits = [outcome.failed, outcome.changed, outcome.would_change, outcome.retcode.is_some()];
    out.u8(bits.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit)));
    out.u64(outcome.retcode.unwrap_or(0) as u64);
    out.u32(outcome.states);
    out.u32(outcome.states_failed);
    out.u32(outcome.states_changed);
    out.u64(outcome.duration);
    out.digest(*shape);
    out.digest(Digest::of(volatile));
    out.u32(failures.len() as u32);
    for failure in failures {
        out.digest(failure.definition);
        out.digest(failure.body);
        out.u8(u8::from(failure.follows));
    }
    out.texts(collides_with);
}

/// Where the contents are that entries name.
pub trait Contents {
    /// The payload's bytes.
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>>;
}

/// Reads an entry back, with the contents that are needed to fold it. What a return says is not
/// among them: its change comes back without `volatile`.
///
/// # Errors
/// When the bytes are no entry of this version, or a payload is gone.
pub fn decode(
    bytes: &[u8],
    contents: &mut dyn Contents,
) -> Result<(EntryHead, Change), EntryError> {
    let mut input = Get(bytes);
    let version = input.u8("version")?;
    if version != VERSION {
        return Err(EntryError::Version(version));
    }
    let origin = input.take(16, "origin")?.try_into().map_err(|_| EntryError::Field("origin"))?;
    let head = EntryHead { origin, number: input.u64("number")? };
    let at = input.time("time")?;
    let what = decode_fields(&mut input, contents)?;
    if !input.0.is_empty() {
        return Err(EntryError::Field("end"));
    }
    Ok((head, Change { at, what, payloads: Vec::new() }))
}

fn decode_fields(input: &mut Get<'_>, contents: &mut dyn Contents) -> Result<What, EntryError> {
    Ok(match input.u8("kind")? {
        1 => What::Opened { version: input.text("version")? },
        2 => What::Gap {
            from: input.time("from")?,
            to: input.time("to")?,
            reason: input.code("reason", GapReason::from_code)?,
        },
        3 => What::MinionSeen { minion: input.u32("minion")?, name: input.text("name")? },
        4 => What::RunStarted {
            run: RunId(input.u64("run")?),
            head: input.named("head", contents)?,
            said: input.flag("said")?,
        },
        5 => What::RunRevised {
            run: RunId(input.u64("run")?),
            head: input.named("head", contents)?,
            said: input.flag("said")?,
            expected: input.named("expected", contents)?,
        },
        6 => What::JobStarted {
            job: JobId(input.u64("job")?),
            run: RunId(input.u64("run")?),
            jid: input.text("jid")?,
            funs: input.texts("fun")?,
            load: input.digest("load")?,
            expected: input.named("expected", contents)?,
            missing: input.named("missing", contents)?,
            returns_itself: input.flag("returns itself")?,
        },
        7 => What::JobExpects {
            job: JobId(input.u64("job")?),
            expected: input.named("expected", contents)?,
        },
        8 => What::JobMoved { job: JobId(input.u64("job")?), to: RunId(input.u64("to")?) },
        9 => decode_return(input)?,
        10 => What::RunEnded {
            run: RunId(input.u64("run")?),
            status: input.code("status", RunStatus::from_code)?,
            silent: input.named("silent", contents)?,
        },
        11 => What::ToldWith { run: RunId(input.u64("run")?), with: RunId(input.u64("with")?) },
        12 => What::Flagged {
            run: RunId(input.u64("run")?),
            flag: input.code("flag", Flag::from_code)?,
        },
        13 => What::Forged { sender: input.text("sender")?, tag: input.text("tag")? },
        14 => What::Unreadable {
            tag: input.text("tag")?,
            length: input.u64("length")?,
            digest: input.digest("digest")?,
        },
        15 => decode_backfill(input)?,
        16 => What::Cut(decode_cut(input, contents)?),
        17 => What::Sealed(decode_seal(input)?),
        18 => What::JobNarrowed {
            job: JobId(input.u64("job")?),
            passed_on: input.named("syndics", contents)?,
            missing: input.named("missing", contents)?,
        },
        20 => What::Key {
            act: input.code("act", KeyAct::from_code)?,
            minion: input.text("minion")?,
            key: input.digest("key")?,
        },
        19 => What::Stood {
            standing: input.code("standing", Standing::from_code)?,
            jobs: input.many("jobs", |input| input.u64("job").map(JobId))?,
        },
        21 => What::Suspect(decode_suspect(input)?),
        22 => What::Scrubbed(decode_scrub(input)?),
        23 => What::Limited(decode_limited(input)?),
        _ => return Err(EntryError::Field("kind")),
    })
}

fn decode_backfill(input: &mut Get<'_>) -> Result<What, EntryError> {
    Ok(What::Backfilled(Backfill {
        gap: Some(input.u64("gap")?).filter(|gap| *gap != 0),
        from: input.time("from")?,
        to: input.time("to")?,
        cache: input.code("cache", CacheState::from_code)?,
        added: Added {
            runs: input.u64("runs")?,
            returns: input.u64("returns")?,
            completed: input.u64("completed runs")?,
        },
        unread: input.u64("unread files")?,
    }))
}

fn decode_return(input: &mut Get<'_>) -> Result<What, EntryError> {
    let job = JobId(input.u64("job")?);
    let minion = match input.u64("minion")? {
        u64::MAX => None,
        number => Some(u32::try_from(number).map_err(|_| EntryError::Field("minion"))?),
    };
    let bits = input.u8("outcome")?;
    if bits > 15 {
        return Err(EntryError::Field("outcome"));
    }
    let retcode = input.u64("retcode")? as i64;
    let outcome = Outcome {
        failed: bits & 1 != 0,
        changed: bits & 2 != 0,
        would_change: bits & 4 != 0,
        retcode: (bits & 8 != 0).then_some(retcode),
        states: input.u32("states")?,
        states_failed: input.u32("failed states")?,
        states_changed: input.u32("changed states")?,
        duration: input.u64("duration")?,
    };
    let shape = input.digest("shape")?;
    input.digest("volatile")?;
    let mut failures = Vec::new();
    for _ in 0..input.u32("failures")? {
        failures.push(Failure {
            definition: input.digest("definition")?,
            body: input.digest("body")?,
            follows: input.flag("follows")?,
        });
    }
    let collides_with = input.texts("collisions")?;
    Ok(What::Returned {
        job,
        minion,
        outcome,
        shape,
        volatile: Vec::new(),
        failures,
        collides_with,
    })
}
