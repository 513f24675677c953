//! The chain of a file's entries, computed again from the first to the last.
//!
//! It begins where the chain was cut last, by what the checkpoint says. It says whether what stands
//! there is what was written, and if not, where it breaks first. Whether entries mean something is not
//! looked at, nor whether the payloads that they name are there.

use std::path::Path;

use herald_core::change::What;
use herald_core::digest::Digest;
use herald_core::entry::{Outline, chain, decode, outline, outline_of_cut};
use herald_core::scrub::Scrub;
use herald_core::verify::{Break, Cut, Fault, Link, Links, Seen, diagnose, fits};
use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::migrate::Nothing;
use super::open::open_for_reading;
use super::write::reading;
use crate::seal::is_signed;
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

/// An entry and its hash: where a chain begins, or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) hash: Digest,
}

/// Where no entry stands before.
const BEGINNING: Place = Place { number: 0, hash: Digest::ZERO };
/// Fewer entries are not worth another thread.
const MANY: u64 = 20_000;

/// What came of looking at a chain.
#[derive(Debug)]
pub(super) struct Looked {
    /// Where it begins.
    pub(super) base: Place,
    /// Where it ends.
    pub(super) end: Place,
    /// Its first break.
    pub(super) found: Option<Break>,
    /// What else in it is to be known, up to there.
    pub(super) told: Told,
}

/// What entries say that is needed to judge others.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Checkpoints.
    pub(super) seals: Vec<Seen>,
    /// What was taken out of contents as it was secret, by entry.
    pub(super) scrubs: Vec<(u64, Scrub)>,
}

/// Computes the chain of a file.
///
/// # Errors
/// When the file can't be read, or an entry is not what follows from the one before.
pub(super) fn verify(connection: &Connection) -> Result<Chain, StoreError> {
    let origin = origin(connection)?;
    let Looked { base, end, found, .. } = find_break(connection, origin)?;
    match found {
        None => Ok(Chain { entries: end.number - base.number, last: end.number, hash: end.hash }),
        Some(found) => {
            let what = format!("the chain of its entries is broken: {found}");
            Err(StoreError::Damaged { what })
        }
    }
}

/// The journal's UUID.
pub(super) fn origin(connection: &Connection) -> Result<[u8; 16], StoreError> {
    let sql = "SELECT value FROM meta WHERE key = 'origin'";
    let bytes: Option<Vec<u8>> =
        connection.query_row(sql, [], |row| row.get(0)).optional().map_err(reading)?;
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| StoreError::Damaged { what: "its origin".to_owned() })
}

/// Computes the chain with several threads, and where it breaks with one: where it begins, where it
/// ends, and its first break.
pub(super) fn look(
    path: &Path,
    connection: &Connection,
    threads: u64,
) -> Result<Looked, StoreError> {
    let origin = origin(connection)?;
    let (base, end) = (begin(connection)?, last(connection)?);
    let count = end.number.saturating_sub(base.number);
    let parts = threads.min(count / MANY + 1);
    let bound = |part: u64| base.number + count * part / parts;
    let walk_part = |part: u64| -> Result<Option<Told>, StoreError> {
        let connection = open_for_reading(path)?.connection;
        let from = match part {
            0 => Some(base),
            _ => place(&connection, bound(part))?,
        };
        let Some(from) = from else { return Ok(None) };
        let walked = walk(&connection, origin, from, bound(part + 1))?;
        Ok(walked.stop.is_none().then_some(walked.told))
    };
    let whole = std::thread::scope(|scope| {
        let walk_part = &walk_part;
        let parts: Vec<_> = (0..parts).map(|part| scope.spawn(move || walk_part(part))).collect();
        let done = parts.into_iter().map(|part| part.join().unwrap_or(Ok(None)));
        done.collect::<Result<Option<Vec<_>>, StoreError>>()
    });
    // What several connections saw may be of different moments: one decides.
    match whole {
        Ok(Some(parts)) => {
            let mut told = Told::default();
            for part in parts {
                told.seals.extend(part.seals);
                told.scrubs.extend(part.scrubs);
            }
            Ok(Looked { base, end, found: None, told })
        }
        _ => find_break(connection, origin),
    }
}

/// Walks all entries in one go.
fn find_break(connection: &Connection, origin: [u8; 16]) -> Result<Looked, StoreError> {
    // The table of cuts can be wrong itself.
    let base = match begin(connection)? {
        base if is_followed(connection, base)? => base,
        _ => last_cut(connection)?,
    };
    let end = last(connection)?;
    let Walked { told, stop } = walk(connection, origin, base, u64::MAX)?;
    let found = stop.map(|stop| judge(connection, origin, &stop));
    Ok(Looked { base, end, found, told })
}

/// What is wrong where a walk stopped.
fn judge(connection: &Connection, origin: [u8; 16], stop: &Stop) -> Break {
    let Stop { before, link, columns } = stop;
    let wanted = before.number + 1;
    if *columns && link.number == wanted && fits(before.hash, link) {
        return Break { entry: wanted, fault: Fault::Columns };
    }
    if before.number == 0 && link.number > 1 {
        return Break { entry: 1, fault: Fault::Beginning { first: link.number } };
    }
    diagnose(origin, (before.number, before.hash), link, &mut Rows(connection))
}

/// Where a walk could not go on.
struct Stop {
    before: Place,
    link: Link,
    /// The row's own columns are not what the entry says.
    columns: bool,
}

/// How far a walk came.
struct Walked {
    /// What was told on the way.
    told: Told,
    /// Where it could not go on.
    stop: Option<Stop>,
}

/// Goes from one place to another, as long as each entry follows on the one before.
fn walk(
    connection: &Connection,
    origin: [u8; 16],
    from: Place,
    upto: u64,
) -> Result<Walked, StoreError> {
    let sql = "SELECT number, at, kind, bytes, hash FROM entry WHERE number > ?1 AND number <= ?2 \
               ORDER BY number";
    let mut select = connection.prepare(sql).map_err(reading)?;
    let upto = i64::try_from(upto).unwrap_or(i64::MAX);
    let mut rows = select.query([from.number as i64, upto]).map_err(reading)?;
    let (mut so_far, mut told) = (from, Told::default());
    while let Some(row) = rows.next().map_err(reading)? {
        let bytes = blob(row, 3)?;
        let next = chain(so_far.hash, bytes);
        let number: i64 = row.get(0).map_err(reading)?;
        let says = outline(bytes);
        let is_next = u64::try_from(number) == Ok(so_far.number + 1) && blob(row, 4)? == next.0;
        let is_own =
            says.is_some_and(|own| own.number == so_far.number + 1 && own.origin == origin);
        let columns = !says.is_some_and(|own| are_columns_of(row, own));
        if !is_next || !is_own || columns {
            let link = read_link(row, 3, 4)?;
            let stop = Some(Stop { before: so_far, link, columns });
            return Ok(Walked { told, stop });
        }
        match says.map(|own| own.kind) {
            Some(SEAL) => told.seals.extend(seen(origin, so_far, bytes)),
            Some(SCRUB) => told.scrubs.extend(scrubbed(so_far, bytes)),
            _ => {}
        }
        so_far = Place { number: so_far.number + 1, hash: next };
    }
    Ok(Walked { told, stop: None })
}

/// A checkpoint that stands behind a place.
fn seen(origin: [u8; 16], before: Place, bytes: &[u8]) -> Option<Seen> {
    // One that can't be read is told of with the entries that can't.
    let What::Sealed(seal) = decode(bytes, &mut Nothing).ok()?.1.what else { return None };
    Some(Seen {
        entry: before.number + 1,
        seal,
        is_of_chain: (seal.number, seal.hash) == (before.number, before.hash),
        is_signed: is_signed(&seal.signed(origin), seal.key),
    })
}

/// What was taken out by the word of the entry that stands behind a place.
fn scrubbed(before: Place, bytes: &[u8]) -> Option<(u64, Scrub)> {
    match decode(bytes, &mut Nothing).ok()?.1.what {
        What::Scrubbed(scrub) => Some((before.number + 1, scrub)),
        _ => None,
    }
}

fn are_columns_of(row: &Row<'_>, own: Outline) -> bool {
    row.get(1) == Ok(own.at) && row.get(2) == Ok(i64::from(own.kind))
}

fn blob<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    match row.get_ref(column).map_err(reading)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(StoreError::Damaged { what: "a row of its entries".to_owned() }),
    }
}

fn read_link(row: &Row<'_>, bytes: usize, hash: usize) -> Result<Link, StoreError> {
    let number: i64 = row.get(0).map_err(reading)?;
    Ok(Link {
        number: u64::try_from(number).unwrap_or_default(),
        bytes: blob(row, bytes)?.to_vec(),
        // One that is none fits nothing.
        hash: Digest::from_slice(blob(row, hash)?).unwrap_or_default(),
    })
}

/// Where the chain begins, by the table of cuts.
pub(super) fn begin(connection: &Connection) -> Result<Place, StoreError> {
    let sql = "SELECT bytes FROM entry WHERE number = (SELECT max(entry) FROM cut)";
    let bytes: Option<Vec<u8>> =
        connection.query_row(sql, [], |row| row.get(0)).optional().map_err(reading)?;
    Ok(bytes.and_then(|bytes| base_of(&bytes)).unwrap_or(BEGINNING))
}

/// The same by the entries themselves.
fn last_cut(connection: &Connection) -> Result<Place, StoreError> {
    let sql =
        "SELECT bytes FROM entry WHERE substr(bytes, 34, 1) = x'10' ORDER BY number DESC LIMIT 1";
    let bytes: Option<Vec<u8>> =
        connection.query_row(sql, [], |row| row.get(0)).optional().map_err(reading)?;
    Ok(bytes.and_then(|bytes| base_of(&bytes)).unwrap_or(BEGINNING))
}

/// What is to be known of the cut at which the chain begins.
pub(super) fn cut_of(connection: &Connection, base: Place) -> Result<Option<Cut>, StoreError> {
    if base == BEGINNING {
        return Ok(None);
    }
    let sql = "SELECT number, bytes FROM entry WHERE kind = ?1 ORDER BY number DESC LIMIT 1";
    let found: Option<(i64, Vec<u8>)> = connection
        .query_row(sql, [CUT], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(reading)?;
    Ok(found.and_then(|(entry, bytes)| {
        let at = Timestamp::from_microsecond(outline(&bytes)?.at).ok()?;
        Some(Cut { entry: u64::try_from(entry).ok()?, at, last: base.number })
    }))
}

fn base_of(entry: &[u8]) -> Option<Place> {
    if outline(entry)?.kind != CUT {
        return None;
    }
    let (number, hash) = outline_of_cut(entry)?;
    Some(Place { number, hash })
}

/// The kind of the entry that says that the chain was cut.
pub(super) const CUT: u8 = 16;
/// The kind of a checkpoint that is signed.
const SEAL: u8 = 17;
/// The kind of an entry that says that a secret was taken out.
const SCRUB: u8 = 22;

/// Whether the next entry is there and follows.
fn is_followed(connection: &Connection, base: Place) -> Result<bool, StoreError> {
    let next = link(connection, base.number + 1)?;
    Ok(next.is_some_and(|next| fits(base.hash, &next)))
}

/// Where the entries end.
pub(super) fn last(connection: &Connection) -> Result<Place, StoreError> {
    let sql = "SELECT number, bytes, hash FROM entry ORDER BY number DESC LIMIT 1";
    let mut select = connection.prepare(sql).map_err(reading)?;
    let mut rows = select.query([]).map_err(reading)?;
    let last = rows.next().map_err(reading)?.map(|row| read_link(row, 1, 2)).transpose()?;
    Ok(last.map_or(BEGINNING, |last| Place { number: last.number, hash: last.hash }))
}

/// Rows that no chain can hold: the first entry is number 1.
pub(super) fn below(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT number FROM entry WHERE number < 1 ORDER BY number LIMIT 21";
    let mut select = connection.prepare(sql).map_err(reading)?;
    let numbers = select.query_map([], |row| row.get(0)).map_err(reading)?;
    numbers.collect::<rusqlite::Result<_>>().map_err(reading)
}

/// An entry and its hash, if it is there.
pub(super) fn place(connection: &Connection, number: u64) -> Result<Option<Place>, StoreError> {
    Ok(link(connection, number)?.map(|link| Place { number: link.number, hash: link.hash }))
}

fn link(connection: &Connection, number: u64) -> Result<Option<Link>, StoreError> {
    let sql = "SELECT number, bytes, hash FROM entry WHERE number = ?1";
    let mut select = connection.prepare_cached(sql).map_err(reading)?;
    let mut rows = select.query([number as i64]).map_err(reading)?;
    rows.next().map_err(reading)?.map(|row| read_link(row, 1, 2)).transpose()
}

/// What else stands in the file.
struct Rows<'c>(&'c Connection);

impl Links for Rows<'_> {
    fn at(&mut self, number: u64) -> Option<Link> {
        link(self.0, number).ok().flatten()
    }

    fn elsewhere(&mut self, number: u64, here: u64) -> Option<u64> {
        let sql =
            "SELECT number FROM entry WHERE substr(bytes, 18, 8) = ?1 AND number <> ?2 LIMIT 1";
        let found =
            self.0.query_row(sql, (&number.to_be_bytes()[..], here as i64), |row| row.get(0));
        found.ok().and_then(|found: i64| u64::try_from(found).ok())
    }
}
