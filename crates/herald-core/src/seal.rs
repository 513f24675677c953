//! Checkpoints: how the chain of a journal stood at a time, in bytes that are signed and in a line that
//! people can keep; and when the next one is due.
//!
//! Pure: nothing is signed here, and no clock is read. `docs/verify.md` says the format for people who want to
//! check a signature with tools of their own.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::digest::Digest;
use crate::run::named;

mod daily;
mod line;

pub use daily::{News, ThreadLabel, Told, begun_since, last_told, thread_in, to_say};
pub use line::{Odd, read, uuid};

/// What is signed begins with this, so that a signature can't be taken for one of something else.
const DOMAIN: &[u8] = b"salt-herald checkpoint 1\n";
/// How often there is one, whether or not anything happened.
pub const EVERY: Duration = Duration::from_secs(3600);

/// How a chain stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The journal's UUID.
    pub origin: [u8; 16],
    /// The number of the last entry.
    pub number: u64,
    /// Its hash.
    pub hash: Digest,
    /// When, in whole seconds.
    pub at: Timestamp,
}

/// A checkpoint with its signature: an Ed25519 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The signature over [`Checkpoint::to_bytes`].
    pub signature: [u8; 64],
}

/// An Ed25519 key by which signatures are checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

named! {
    /// What a checkpoint was made for.
    Occasion {
        /// There was none before.
        First = 1, "first";
        /// An hour went by.
        Hour = 2, "hour";
        /// The key is another than that of the checkpoint before.
        NewKey = 3, "new key";
        /// The journal was put back from a backup.
        PutBack = 4, "put back";
    }
}

/// A checkpoint as an entry holds it. It is of the entry before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// What was signed, without the journal's UUID, which each entry has.
    pub number: u64,
    /// See [`Checkpoint::hash`].
    pub hash: Digest,
    /// See [`Checkpoint::at`].
    pub at: Timestamp,
    /// What for.
    pub occasion: Occasion,
    /// By which key it can be checked.
    pub key: PublicKey,
    /// The signature.
    pub signature: [u8; 64],
}

impl Seal {
    /// What people keep of it.
    pub fn signed(&self, origin: [u8; 16]) -> Signed {
        let checkpoint = Checkpoint { origin, number: self.number, hash: self.hash, at: self.at };
        Signed { checkpoint, signature: self.signature }
    }
}

impl Checkpoint {
    /// Of a chain that stands so at that time.
    pub fn new(origin: [u8; 16], number: u64, hash: Digest, at: Timestamp) -> Self {
        let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
        Self { origin, number, hash, at: whole }
    }

    /// The bytes that are signed: `salt-herald checkpoint 1` and a line end, 16 bytes of the journal's
    /// UUID, the number in 8 bytes, 32 bytes of the hash, the seconds since 1970 in 8 bytes. Numbers are
    /// big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        bytes.extend_from_slice(&self.origin);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.hash.0);
        bytes.extend_from_slice(&self.at.as_second().to_be_bytes());
        bytes
    }
}

/// What was sealed last, as far as it tells when the next one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// When.
    pub at: Timestamp,
    /// With which key.
    pub key: PublicKey,
}

/// What a checkpoint is due for, with this key at that time.
pub fn due(
    last: Option<Last>,
    key: PublicKey,
    was_put_back: bool,
    now: Timestamp,
) -> Option<Occasion> {
    let Some(last) = last else { return Some(Occasion::First) };
    // A clock that was put back does not make us wait for as long.
    let since: SignedDuration = now.duration_since(last.at);
    if was_put_back {
        Some(Occasion::PutBack)
    } else if last.key != key {
        Some(Occasion::NewKey)
    } else {
        (since.unsigned_abs() >= EVERY).then_some(Occasion::Hour)
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint { origin, number, hash, at } = self.checkpoint;
        write!(f, "salt-herald checkpoint {number} {at} {} {hash} ", uuid(origin))?;
        self.signature.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        line::from_hex(text.trim()).map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
