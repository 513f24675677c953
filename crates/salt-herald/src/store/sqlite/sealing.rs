//! Signing how the chain stands: an entry each hour, whether or not anything happened, and at once after
//! something that those who keep checkpoints should know.
//!
//! When one is due is decided in [`herald_core::seal`]. Nothing is signed while the file can't be written.

use std::time::{Duration, Instant};

use herald_core::change::{Change, What};
use herald_core::seal::{Checkpoint, Last, Occasion, PublicKey, Seal, Signed, due};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::JournalReader;
use super::rows;
use super::write::{Insert, Inserter, reading, writing};
use crate::seal::SealKey;
use crate::store::StoreError;

/// That the journal was put back from a backup, and that is not signed for yet, in `meta`.
pub(super) const PUT_BACK: &str = "put_back";
/// How long to wait after it failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);

/// The columns of `seal`, in the order in which [`seal`] reads them.
const SEAL: &str = "number, hash, at, occasion, key, signature";

/// The one who signs.
#[derive(Debug)]
pub(super) struct Sealing {
    key: SealKey,
    public: PublicKey,
    /// What the journal says; not known before the first look.
    known: Option<Known>,
    not_before: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    last: Option<Last>,
    was_put_back: bool,
}

impl Sealing {
    pub(super) fn new(key: SealKey) -> Self {
        Self { public: key.public(), key, known: None, not_before: None }
    }

    /// Signs if that is due; whether it did. What fails is tried again later.
    pub(super) fn work(&mut self, inserter: &mut Inserter) -> bool {
        if self.not_before.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        self.not_before = None;
        match self.seal_if_due(inserter) {
            Ok(done) => done,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the journal's chain can't be signed for");
                self.not_before = Some(Instant::now() + AFTER_TROUBLE);
                false
            }
        }
    }

    fn seal_if_due(&mut self, inserter: &mut Inserter) -> Result<bool, StoreError> {
        // There is nothing to sign for.
        if inserter.last_number() == 0 {
            return Ok(false);
        }
        let known = match self.known {
            Some(known) => known,
            None => *self.known.insert(look(inserter.connection())?),
        };
        let now = inserter.now();
        let Some(occasion) = due(known.last, self.public, known.was_put_back, now) else {
            return Ok(false);
        };
        let mut made = None;
        inserter.transaction(|insert| {
            made = Some(insert.seal(&self.key, occasion)?);
            Ok(())
        })?;
        let Some((entry, signed)) = made else { return Ok(false) };
        if let Some(before) = known.last.map(|last| last.key).filter(|key| *key != self.public) {
            tracing::warn!(
                key = %self.public,
                %before,
                "checkpoints are signed with another key than before: the one before is lost, or was \
                 replaced, or this is another machine"
            );
        }
        let last = Last { at: signed.checkpoint.at, key: self.public };
        self.known = Some(Known { last: Some(last), was_put_back: false });
        tell(entry, &signed, occasion, self.public);
        Ok(true)
    }
}

fn tell(entry: u64, signed: &Signed, occasion: Occasion, key: PublicKey) {
    let occasion = occasion.name();
    tracing::info!(entry, occasion, %key, "{signed}");
}

impl Insert<'_> {
    /// Signs how the chain stands; the entry, and what was signed.
    fn seal(&mut self, key: &SealKey, occasion: Occasion) -> Result<(u64, Signed), StoreError> {
        let (number, hash) = (self.end.number, self.end.hash);
        let signed = key.sign(Checkpoint::new(self.origin, number, hash, self.now));
        let (at, signature) = (signed.checkpoint.at, signed.signature);
        let seal = Seal { number, hash, at, occasion, key: key.public(), signature };
        self.entry(&Change { at: self.now, what: What::Sealed(seal), payloads: Vec::new() })?;
        let sql = "DELETE FROM meta WHERE key = ?1";
        self.connection.execute(sql, [PUT_BACK]).map_err(writing)?;
        Ok((self.end.number, signed))
    }

    /// The row of a checkpoint.
    pub(super) fn sealed(&mut self, entry: i64, seal: &Seal) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO seal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                entry,
                seal.number as i64,
                seal.hash.0,
                seal.at.as_microsecond(),
                seal.occasion.name(),
                seal.key.0,
                seal.signature
            ])?;
        Ok(())
    }
}

fn look(connection: &Connection) -> Result<Known, StoreError> {
    let sql = format!("SELECT {SEAL} FROM seal ORDER BY entry DESC LIMIT 1");
    let last = connection.query_row(&sql, [], seal).optional().map_err(reading)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)";
    let was_put_back = connection.query_row(sql, [PUT_BACK], |row| row.get(0)).map_err(reading)?;
    let last = last.map(|seal| Last { at: seal.at, key: seal.key });
    Ok(Known { last, was_put_back })
}

fn seal(row: &Row<'_>) -> rusqlite::Result<Seal> {
    Ok(Seal {
        number: rows::number(row, 0)?,
        hash: herald_core::digest::Digest(row.get(1)?),
        at: rows::time(row, 2)?,
        occasion: rows::named(row, 3, Occasion::from_name)?,
        key: PublicKey(row.get(4)?),
        signature: row.get(5)?,
    })
}

/// The last entry up to that one for which the chain is signed. Where no checkpoint was ever made, that one
/// itself: then nothing that goes could have been signed for.
pub(super) fn signed_within(connection: &Connection, upto: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT max(number) FROM seal";
    let signed: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(signed.map_or(upto, |signed| upto.min(signed)))
}

impl JournalReader {
    /// The latest checkpoint.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn last_seal(&self) -> Result<Option<Signed>, StoreError> {
        let sql = format!("SELECT {SEAL} FROM seal ORDER BY entry DESC LIMIT 1");
        let origin = self.origin()?.into_bytes();
        Ok(self.first(&sql, [], seal)?.map(|seal| seal.signed(origin)))
    }

    /// The latest checkpoints of that entry and later ones, as many as matter, in their order.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn seals_from(&self, number: u64) -> Result<Vec<Seal>, StoreError> {
        let sql =
            format!("SELECT {SEAL} FROM seal WHERE number >= ?1 ORDER BY entry DESC LIMIT 1000");
        let mut seals = self.all(&sql, [number as i64], seal)?;
        seals.reverse();
        Ok(seals)
    }

    /// The keys by which checkpoints can be checked, by the journal's own word, in the order of their
    /// use; with the first entry that each signed.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn seal_keys(&self) -> Result<Vec<(PublicKey, u64)>, StoreError> {
        let sql = "SELECT key, min(entry) FROM seal GROUP BY key ORDER BY 2";
        self.all(sql, [], |row| Ok((PublicKey(row.get(0)?), rows::number(row, 1)?)))
    }
}
