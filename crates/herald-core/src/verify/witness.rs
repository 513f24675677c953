//! Checkpoints: those in the journal, against its chain and their keys; and those that people kept, against
//! the journal.
//!
//! Checking a signature, and reading the journal, are the caller's.

use std::fmt;

use jiff::Timestamp;

use super::report::{Finding, Report};
use crate::digest::Digest;
use crate::seal::{Occasion, Odd, PublicKey, Seal, Signed};

/// What people know of a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// The keys that may have signed; none where only the journal names them.
    pub keys: Vec<PublicKey>,
    /// The checkpoints that were kept.
    pub kept: Vec<Result<Signed, Odd>>,
}

/// A checkpoint in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its entry.
    pub entry: u64,
    /// What stands there.
    pub seal: Seal,
    /// It is of the entry before it, with its hash.
    pub is_of_chain: bool,
    /// The signature is by the key that it names.
    pub is_signed: bool,
}

/// Checkpoints, as far as nothing is wrong with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seals {
    /// How many there are in the journal.
    pub count: u64,
    /// The latest: its entry, and when it was signed.
    pub last: Option<(u64, Timestamp)>,
    /// The keys by which they are signed, with the first entry of each.
    pub keys: Vec<(PublicKey, u64)>,
    /// How many keys were given by people.
    pub given: u64,
    /// How many were given by people.
    pub kept: u64,
    /// How many of these the journal agrees with.
    pub agreeing: u64,
    /// How many of these are of entries that were taken out.
    pub too_old: u64,
    /// How many of these are of entries that a part of a journal does not hold.
    pub outside: u64,
}

/// What is wrong with a checkpoint in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealFault {
    /// The signature is not by the key that it names.
    Signature,
    /// It is of another chain than that in which it stands.
    Chain,
    /// It is signed by none of the keys that were given.
    Key(PublicKey),
    /// The one before was signed with another key.
    Replaced {
        /// That of the one before.
        before: PublicKey,
        /// Its own.
        key: PublicKey,
    },
}

/// What is wrong with a checkpoint that people kept, or with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptFault {
    /// It is another journal's.
    Journal([u8; 16]),
    /// It is signed by none of the keys.
    Signature,
    /// No key is known by which it could be checked.
    NoKey,
    /// The journal ends before that entry.
    Beyond {
        /// Its last entry.
        last: u64,
    },
    /// That entry has another hash.
    Hash,
    /// That entry is not there or another one, and the journal was put back from a backup since.
    PutBack {
        /// The entry that says so.
        entry: u64,
        /// When.
        at: Timestamp,
    },
}

/// Judges all checkpoints. `hash_at` gives the hash of an entry, `is_signed` whether a key signed.
pub fn judge(
    witness: &Witness,
    seen: &[Seen],
    report: &mut Report,
    mut hash_at: impl FnMut(u64) -> Option<Digest>,
    is_signed: impl Fn(&Signed, PublicKey) -> bool,
) {
    judge_seen(witness, seen, report);
    report.seals.given = witness.keys.len() as u64;
    let keys: Vec<PublicKey> = if witness.keys.is_empty() {
        report.seals.keys.iter().map(|(key, _)| *key).collect()
    } else {
        witness.keys.clone()
    };
    for kept in &witness.kept {
        report.seals.kept += 1;
        let signed = match kept {
            Ok(signed) => signed,
            Err(odd) => {
                report.find(Finding::Odd(odd.clone()));
                continue;
            }
        };
        let number = signed.checkpoint.number;
        let fault = if signed.checkpoint.origin != report.origin {
            KeptFault::Journal(signed.checkpoint.origin)
        } else if keys.is_empty() {
            KeptFault::NoKey
        } else if !keys.iter().any(|key| is_signed(signed, *key)) {
            KeptFault::Signature
        } else {
            match hash_at(number) {
                Some(hash) if hash == signed.checkpoint.hash => {
                    report.seals.agreeing += 1;
                    continue;
                }
                None if is_outside(report, number) => {
                    report.seals.outside += 1;
                    continue;
                }
                None if number < report.first => {
                    report.seals.too_old += 1;
                    continue;
                }
                found => differs(signed, found, seen, report.last),
            }
        };
        report.find(Finding::Kept { number, at: signed.checkpoint.at, fault });
    }
}

/// Whether an entry stands before or behind the part that was asked for.
fn is_outside(report: &Report, number: u64) -> bool {
    report.part.is_some_and(|part| {
        let is_before = part.since.is_some() && number < part.after;
        is_before || part.until.is_some() && number > report.last.max(part.after)
    })
}

fn judge_seen(witness: &Witness, seen: &[Seen], report: &mut Report) {
    let mut before: Option<PublicKey> = None;
    for Seen { entry, seal, is_of_chain, is_signed } in seen {
        let (entry, key) = (*entry, seal.key);
        report.seals.count += 1;
        report.seals.last = Some((entry, seal.at));
        let is_new = !report.seals.keys.iter().any(|(known, _)| *known == key);
        if is_new {
            report.seals.keys.push((key, entry));
        }
        let is_replaced = before.is_some_and(|before| before != key);
        let fault = if !is_of_chain {
            Some(SealFault::Chain)
        } else if !is_signed {
            Some(SealFault::Signature)
        } else if !witness.keys.is_empty() {
            (is_new && !witness.keys.contains(&key)).then_some(SealFault::Key(key))
        } else {
            before.filter(|_| is_replaced).map(|before| SealFault::Replaced { before, key })
        };
        before = Some(key);
        if let Some(fault) = fault {
            report.find(Finding::Seal { entry, fault });
        }
    }
}

/// What was kept is not what stands there.
fn differs(signed: &Signed, found: Option<Digest>, seen: &[Seen], last: u64) -> KeptFault {
    let is_later = |seen: &&Seen| {
        seen.seal.occasion == Occasion::PutBack && seen.seal.at >= signed.checkpoint.at
    };
    match (seen.iter().find(is_later), found) {
        (Some(seen), _) => KeptFault::PutBack { entry: seen.entry, at: seen.seal.at },
        (None, None) => KeptFault::Beyond { last },
        (None, Some(_)) => KeptFault::Hash,
    }
}

impl SealFault {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            SealFault::Signature | SealFault::Chain => "checkpoint_forged",
            SealFault::Key(_) => "key_unknown",
            SealFault::Replaced { .. } => "key_replaced",
        }
    }

    pub(super) fn write(self, entry: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealFault::Signature => {
                write!(f, "the checkpoint in entry {entry} is not signed by the key that it names")
            }
            SealFault::Chain => {
                write!(f, "the checkpoint in entry {entry} is of another chain than this one")
            }
            SealFault::Key(key) => write!(
                f,
                "from entry {entry} on checkpoints are signed with a key that was not given: {key}"
            ),
            SealFault::Replaced { before, key } => write!(
                f,
                "from entry {entry} on checkpoints are signed with another key: {key}, and not {before}. \
                 If both are yours, give both with --key"
            ),
        }
    }
}

impl KeptFault {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            KeptFault::Journal(_) => "checkpoint_of_another_journal",
            KeptFault::Signature => "checkpoint_forged",
            KeptFault::NoKey => "checkpoint_unchecked",
            KeptFault::Beyond { .. } => "end_removed",
            KeptFault::Hash => "rewritten",
            KeptFault::PutBack { .. } => "put_back",
        }
    }

    pub(super) fn write(
        self,
        (number, at): (u64, Timestamp),
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(f, "the checkpoint of entry {number} of {at} ")?;
        match self {
            KeptFault::Journal(origin) => {
                write!(f, "is another journal's, {}", crate::seal::uuid(origin))
            }
            KeptFault::Signature => f.write_str(
                "is signed by none of the keys: it was made up or changed, or its key is another",
            ),
            KeptFault::NoKey => f.write_str(
                "can't be checked: there is no checkpoint here that names a key, and none was given with --key",
            ),
            KeptFault::Beyond { last } => write!(
                f,
                "does not hold: the journal ends at entry {last}. What came after was removed, or this is \
                 an older copy of the journal"
            ),
            KeptFault::Hash => f.write_str(
                "does not hold: that entry has another hash now. It or one before it was changed, and all \
                 hashes from there on made anew",
            ),
            KeptFault::PutBack { entry, at } => write!(
                f,
                "does not hold: the journal was put back from a backup by {at}, says entry {entry}. What the \
                 checkpoint stands for was lost then"
            ),
        }
    }
}
