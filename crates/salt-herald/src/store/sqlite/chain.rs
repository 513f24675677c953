//! The chain of a file's entries, computed again from the first to the last.
//!
//! It begins where the chain was cut last, by what the checkpoint says. It says whether what stands
//! there is what was written. Whether entries mean something is not looked
//! at, nor whether the payloads that they name are there.

use herald_core::digest::Digest;
use herald_core::entry::chain;
use rusqlite::Connection;

use super::cut;
use super::write::reading;
use crate::store::StoreError;

/// A chain that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// How many entries there are.
    pub entries: u64,
    /// The number of the last one; 0 without any.
    pub last: u64,
    /// Its hash.
    pub hash: Digest,
}

/// Computes the chain of a file.
///
/// # Errors
/// When the file can't be read, or an entry is not what follows from the one before.
pub(super) fn verify(connection: &Connection) -> Result<Chain, StoreError> {
    let mut select = connection
        .prepare("SELECT number, bytes, hash FROM entry WHERE number > ?1 ORDER BY number")
        .map_err(reading)?;
    // What stands before it is on its way out.
    let base = cut::base(connection).map_err(reading)?;
    let mut rows = select.query([base.last]).map_err(reading)?;
    let last = u64::try_from(base.last).unwrap_or_default();
    let mut so_far = Chain { entries: 0, last, hash: base.hash };
    while let Some(row) = rows.next().map_err(reading)? {
        let number: i64 = row.get(0).map_err(reading)?;
        let next = chain(so_far.hash, row.get_ref(1).and_then(as_bytes).map_err(reading)?);
        let noted = row.get_ref(2).and_then(as_bytes).map_err(reading)?;
        if u64::try_from(number) != Ok(so_far.last + 1) || next.0.as_slice() != noted {
            let what = format!("the chain of its entries is broken at entry {number}");
            return Err(StoreError::Damaged { what });
        }
        so_far = Chain { entries: so_far.entries + 1, last: so_far.last + 1, hash: next };
    }
    Ok(so_far)
}

fn as_bytes(value: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<&[u8]> {
    Ok(value.as_blob()?)
}
