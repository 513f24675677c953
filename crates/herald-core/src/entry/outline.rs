//! What stands before an entry's fields, and some of these at their fixed places: for those who look at
//! many entries and need not know what they mean.

use super::VERSION;
use crate::digest::Digest;

/// Where an entry's fields begin.
const FIELDS: usize = 34;

/// What an entry says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// The journal's UUID.
    pub origin: [u8; 16],
    /// Its number.
    pub number: u64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Its kind.
    pub kind: u8,
}

/// What an entry says of itself; nothing where it is none of this version.
pub fn outline(entry: &[u8]) -> Option<Outline> {
    if *entry.first()? != VERSION {
        return None;
    }
    Some(Outline {
        origin: fixed(entry, 1)?,
        number: u64::from_be_bytes(fixed(entry, 17)?),
        at: i64::from_be_bytes(fixed(entry, 25)?),
        kind: *entry.get(FIELDS - 1)?,
    })
}

/// Of a return: what it consists of, and the digest of its times.
pub fn outline_of_return(entry: &[u8]) -> Option<(Digest, Digest)> {
    let digest = |at: usize| fixed(entry, at).map(Digest);
    Some((digest(FIELDS + 45)?, digest(FIELDS + 77)?))
}

/// Of a cut: the last entry that went, and its hash.
pub fn outline_of_cut(entry: &[u8]) -> Option<(u64, Digest)> {
    let last = u64::from_be_bytes(fixed(entry, FIELDS)?);
    Some((last, Digest(fixed(entry, FIELDS + 8)?)))
}

fn fixed<const N: usize>(entry: &[u8], at: usize) -> Option<[u8; N]> {
    entry.get(at..)?.first_chunk().copied()
}
