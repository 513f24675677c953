//! Taking a secret out of the journal that slipped through: out of contents and what was made of them, out of
//! free pages and the WAL. What is in the chain itself stays, and is told.
//!
//! All that is replaced is replaced in one transaction with the entries that say so. What comes after it (making
//! the file anew) changes nothing that anybody reads, and is done again by whoever begins anew. What is looked
//! for, and in which forms, is the core's matter ([`Sought`]).

mod files;
mod look;
mod replace;

use std::collections::BTreeMap;
use std::path::Path;

use herald_core::payload::PayloadKind;
use herald_core::run::RunId;
use herald_core::scrub::Sought;
use jiff::Timestamp;
use rusqlite::Connection;

use super::open::{Journal, open_for_reading};
use super::scrubs;
use super::write::{Inserter, reading, writing};
use crate::store::{Part, StoreError};

use look::Look;

/// What is to be taken out, and what is said of it for good.
#[derive(Debug)]
pub struct ScrubOrder<'s> {
    /// The secrets.
    pub sought: &'s Sought,
    /// Why.
    pub reason: &'s str,
    /// Who: the user of the process.
    pub by: &'s str,
    /// Who became that user; empty: nobody, or not known.
    pub sudo: &'s str,
}

/// Where secrets stand.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FoundSecret {
    /// How many contents of each kind hold one.
    pub payloads: BTreeMap<PayloadKind, u64>,
    /// In how many places of these.
    pub places: u64,
    /// Texts beside them: what a chat answered, why a sink can't be told anything.
    pub notes: u64,
    /// The runs that name such contents.
    pub runs: Vec<RunId>,
    /// Messages that may show one.
    pub messages: Vec<Marked>,
    /// What can't be changed.
    pub left: Vec<Left>,
    /// Files of the journal's folder that hold one as bytes.
    pub files: Vec<Held>,
}

/// A message that may show a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The run that it is about, or the first of them.
    pub run: RunId,
    /// Where it was said.
    pub sink: String,
    /// Which of the run's messages.
    pub part: Part,
    /// When it was last written.
    pub at: Timestamp,
    /// The run's command, without the secret.
    pub command: String,
    /// It is rewritten by the daemon, if the chat lets it.
    pub can_be_rewritten: bool,
}

/// What holds a secret and can't be changed, since the chain is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// An entry.
    Entry {
        /// Its number.
        number: u64,
        /// Its kind.
        kind: u8,
    },
    /// The list of all minions' ids, which entries hold, too.
    Minions,
}

/// A file that holds secrets as bytes, or that can't be looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name in the journal's folder.
    pub name: String,
    /// In how many places; nothing where it can't be read.
    pub places: Option<u64>,
}

/// What came of taking them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// What held them. Files: those that still do.
    pub found: FoundSecret,
    /// The entries that say so.
    pub entries: Vec<u64>,
    /// Entries of before that say so of secrets with the same marks, with the runs that named them: who
    /// begins anew is told again where to look.
    pub before: Vec<(u64, Vec<RunId>)>,
    /// Why the file could not be made anew: what was overwritten may still stand in it.
    pub trouble: Option<String>,
}

impl Cleaned {
    /// Whether nothing holds one any more.
    pub fn is_clean(&self) -> bool {
        self.found.left.is_empty() && self.found.files.is_empty() && self.trouble.is_none()
    }
}

impl Journal {
    /// Takes secrets out. Who begins anew after it was cut short completes it.
    ///
    /// # Errors
    /// When the journal can't be read or written: then nothing was replaced.
    pub fn scrub(self, order: &ScrubOrder<'_>) -> Result<Cleaned, StoreError> {
        let path = self.path().to_owned();
        let (connection, lock) = self.into_parts()?;
        let names =
            connection.query_row("PRAGMA secure_delete = ON", [], |row| row.get::<_, i64>(0));
        names.map_err(writing)?;
        let mut inserter = Inserter::new(connection)?;
        let before = scrubs::said_before(inserter.connection(), order.sought.marks());
        let before = before.map_err(reading)?;
        let (mut look, mut entries) = (Look::default(), Vec::new());
        inserter.transaction(|insert| {
            look = look::look(insert.connection, order.sought)?;
            entries = replace::replace(insert, &look, order)?;
            Ok(())
        })?;
        let trouble = make_anew(inserter);
        let files = files::search(&path, order.sought);
        drop(lock);
        Ok(Cleaned { found: FoundSecret { files, ..look.found }, entries, before, trouble })
    }
}

/// Where secrets stand in the journal at a path, whether or not somebody writes it; nothing is changed.
///
/// # Errors
/// When it can't be read.
pub fn find_secret(path: &Path, sought: &Sought) -> Result<FoundSecret, StoreError> {
    let connection = open_for_reading(path)?.connection;
    let moment = connection.unchecked_transaction().map_err(reading)?;
    let found = look::look(&connection, sought)?.found;
    drop(moment);
    // Files are looked through when it is closed: closing one of them would take SQLite's locks.
    drop(connection);
    Ok(FoundSecret { files: files::search(path, sought), ..found })
}

/// Writes the file anew without its free places, and takes all into it that stands beside it; why that could not
/// be done.
fn make_anew(inserter: Inserter) -> Option<String> {
    let connection = inserter.connection;
    connection.flush_prepared_statement_cache();
    let made = connection.execute_batch("VACUUM").and_then(|()| merge(&connection));
    let why = match made {
        Ok(true) => None,
        Ok(false) => {
            Some("somebody reads the journal, so that its WAL can't be emptied".to_owned())
        }
        Err(error) => Some(format!("the file can't be made anew: {error}")),
    };
    // Who closes it last takes the files beside it away.
    drop(connection);
    why
}

/// Whether all that stood in the WAL stands in the file now, and the WAL is empty.
fn merge(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}

#[cfg(test)]
mod tests;
