//! What came of looking through a journal, a backup or an export, and what is said of it.

use std::fmt;

use jiff::Timestamp;

use super::link::Break;
use super::scrubs::ScrubTold;
use super::witness::{KeptFault, SealFault, Seals};
use crate::digest::Digest;
use crate::literal;
use crate::payload::PayloadKind;
use crate::seal::Odd;

/// So many findings are told one by one; of more only how many there are.
pub const MOST_FINDINGS: usize = 20;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The journal's UUID.
    pub origin: [u8; 16],
    /// The first entry of the chain that is there; 0 without any.
    pub first: u64,
    /// The last one; 0 without any.
    pub last: u64,
    /// Its hash.
    pub hash: Digest,
    /// What was taken out before the first one.
    pub cut: Option<Cut>,
    /// Of an export: what part of the journal it is.
    pub part: Option<Part>,
    /// What entries name.
    pub contents: Contents,
    /// How many rows of the tables that are queried were compared; nothing where they were not, as the
    /// entries are not whole, or there are none.
    pub rows: Option<u64>,
    /// Checkpoints.
    pub seals: Seals,
    /// What was taken out because it was secret.
    pub scrubs: Vec<ScrubTold>,
    /// What is wrong, in the order in which it was found.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub left_out: u64,
}

/// What was taken out because it was old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The entry that says so.
    pub entry: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The last entry that went.
    pub last: u64,
}

/// What part of a journal an export is, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The entry before its first one; 0 where it begins with the journal.
    pub after: u64,
    /// Its hash, on which the first one follows.
    pub hash: Digest,
    /// It was asked for what is not older.
    pub since: Option<Timestamp>,
    /// It was asked for what is older.
    pub until: Option<Timestamp>,
}

/// What is wrong with a line of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// It is not what its bytes say, or nothing that an export holds.
    Changed,
    /// The contents are not among those that the entry behind them is the first to name.
    Stray,
    /// It tells of another end.
    End,
    /// It stands behind the end.
    BehindEnd,
}

/// What entries name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// How many payloads there are.
    pub payloads: u64,
    /// How long they are, in bytes.
    pub bytes: u64,
    /// How many of them are what stands there since a secret was taken out.
    pub scrubbed: u64,
    /// Returns whose contents, or a part of them, are not there any more.
    pub expired: u64,
    /// The latest of these: its entry, and when it came.
    pub latest_expired: Option<(u64, Timestamp)>,
    /// Returns whose times are not there any more.
    pub times_expired: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The chain breaks; the first place.
    Chain(Break),
    /// A checkpoint in the journal is not what it should be.
    Seal {
        /// Its entry.
        entry: u64,
        /// What is wrong.
        fault: SealFault,
    },
    /// A checkpoint that people kept is not what the journal says.
    Kept {
        /// The entry of which it is.
        number: u64,
        /// When it was signed.
        at: Timestamp,
        /// What is wrong.
        fault: KeptFault,
    },
    /// What people kept looks like a checkpoint and can't be read.
    Odd(Odd),
    /// What is wrong stands in this line of an export.
    At {
        /// The line's number.
        line: u64,
        /// What is wrong.
        finding: Box<Finding>,
    },
    /// A line of an export is not what it should be.
    Line(LineFault),
    /// An export has no end.
    CutOff,
    /// A payload is not what its name says.
    Payload {
        /// Its name.
        digest: Digest,
        /// What it is said to be.
        kind: Option<PayloadKind>,
    },
    /// A payload holds again what was taken out of it.
    Back {
        /// Its name.
        digest: Digest,
        /// The entry by whose word that was taken out.
        entry: u64,
    },
    /// A payload is not there, and stays as long as its entry.
    Missing {
        /// The entry that names it.
        entry: u64,
        /// Its name.
        digest: Digest,
    },
    /// An entry, as it was written, can't be understood.
    Unreadable {
        /// The entry.
        entry: u64,
        /// Why.
        why: String,
    },
    /// The times of a return are not what its entry says.
    Times {
        /// The return's entry.
        entry: u64,
    },
    /// A row of a table that is queried is not what follows from the entries.
    Row {
        /// The table.
        table: String,
        /// Which row: its columns, as `id 7` or `job 3, minion 9`.
        key: String,
        /// How.
        fault: RowFault,
    },
    /// The index by which contents are found is not that of the contents.
    Key {
        /// The number of a payload in this file.
        payload: i64,
        /// It is there, but can't be found.
        is_there: bool,
    },
    /// A table that is queried, or one of its indexes, is damaged.
    Table {
        /// The table.
        table: String,
        /// What SQLite says.
        why: String,
    },
}

/// How a row differs from what follows from the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFault {
    /// It is not there.
    Gone,
    /// It follows from no entry.
    Stray,
    /// These columns say something else.
    Differs(Vec<String>),
}

impl Report {
    /// Takes up something that is wrong.
    pub fn find(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// The first place at which the chain breaks.
    pub fn break_of_chain(&self) -> Option<Break> {
        self.findings.iter().find_map(|finding| match finding.itself() {
            Finding::Chain(found) => Some(*found),
            _ => None,
        })
    }
}

impl LineFault {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            LineFault::Changed | LineFault::End => "line_changed",
            LineFault::Stray | LineFault::BehindEnd => "line_inserted",
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineFault::Changed => "it was changed: it is not what its bytes say",
            LineFault::Stray => {
                "these contents were inserted or moved: the next entry is not the first to name them"
            }
            LineFault::End => "it tells of another end than there is",
            LineFault::BehindEnd => "it was inserted: it stands behind the end",
        })
    }
}

impl Finding {
    /// What is wrong, wherever it stands.
    pub fn itself(&self) -> &Finding {
        match self {
            Finding::At { finding, .. } => finding.itself(),
            other => other,
        }
    }

    /// The line of an export in which it stands.
    pub fn line(&self) -> Option<u64> {
        match self {
            Finding::At { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// A stable word for what is wrong.
    pub fn name(&self) -> &'static str {
        match self {
            Finding::Chain(found) => found.fault.name(),
            Finding::Seal { fault, .. } => fault.name(),
            Finding::Kept { fault, .. } => fault.name(),
            Finding::Odd(_) => "checkpoint_unreadable",
            Finding::At { finding, .. } => finding.name(),
            Finding::Line(fault) => fault.name(),
            Finding::CutOff => "cut_off",
            Finding::Payload { .. } => "payload_changed",
            Finding::Back { .. } => "payload_back",
            Finding::Missing { .. } => "payload_missing",
            Finding::Unreadable { .. } => "entry_unreadable",
            Finding::Times { .. } => "times_changed",
            Finding::Key { .. } => "index_changed",
            Finding::Table { .. } => "table_damaged",
            Finding::Row { fault: RowFault::Gone, .. } => "row_missing",
            Finding::Row { fault: RowFault::Stray, .. } => "row_stray",
            Finding::Row { fault: RowFault::Differs(_), .. } => "row_changed",
        }
    }

    /// The entry that it is about, if it is about one.
    pub fn entry(&self) -> Option<u64> {
        match self {
            Finding::Chain(found) => Some(found.entry),
            Finding::Kept { number, .. } => Some(*number),
            Finding::Odd(odd) => odd.number,
            Finding::Seal { entry, .. }
            | Finding::Missing { entry, .. }
            | Finding::Back { entry, .. }
            | Finding::Unreadable { entry, .. }
            | Finding::Times { entry } => Some(*entry),
            Finding::At { finding, .. } => finding.entry(),
            Finding::Line(_)
            | Finding::CutOff
            | Finding::Payload { .. }
            | Finding::Key { .. }
            | Finding::Row { .. }
            | Finding::Table { .. } => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Chain(found) => found.fmt(f),
            Finding::Seal { entry, fault } => fault.write(*entry, f),
            Finding::Kept { number, at, fault } => fault.write((*number, *at), f),
            Finding::Odd(Odd { number: Some(number), what }) => write!(
                f,
                "the checkpoint of entry {number} that was given can't be read: its {what} is cut off or changed"
            ),
            Finding::Odd(Odd { number: None, what }) => {
                write!(
                    f,
                    "a checkpoint that was given can't be read: its {what} is cut off or changed"
                )
            }
            Finding::At { line, finding } => write!(f, "line {line}: {finding}"),
            Finding::Line(fault) => fault.fmt(f),
            Finding::CutOff => f.write_str("the export is cut off: it has no end"),
            Finding::Payload { digest, kind } => {
                let kind = kind.map_or("unknown kind", PayloadKind::name);
                write!(f, "payload {digest} ({kind}) was changed: it is not what its name says")
            }
            Finding::Back { digest, entry } => write!(
                f,
                "payload {digest} holds again what was taken out of it, by entry {entry}, as it was secret"
            ),
            Finding::Missing { entry, digest } => {
                write!(f, "entry {entry} names payload {digest}, which is not there")
            }
            Finding::Unreadable { entry, why } => {
                write!(f, "entry {entry} can't be read: {}", literal::line(why))
            }
            Finding::Times { entry } => {
                write!(f, "the times of the return in entry {entry} were changed")
            }
            Finding::Key { payload, is_there: true } => {
                write!(f, "the index of contents lacks number {payload}")
            }
            Finding::Key { payload, is_there: false } => {
                write!(f, "the index of contents names number {payload}, which is not there")
            }
            Finding::Table { table, why } => {
                let (table, why) = (literal::line(table), literal::line(why));
                write!(f, "table or index {table}: {why}")
            }
            Finding::Row { table, key, fault } => {
                let (table, key) = (literal::line(table), literal::line(key));
                match fault {
                    RowFault::Gone => {
                        write!(f, "table {table} lacks {key}, which follows from the entries")
                    }
                    RowFault::Stray => {
                        write!(f, "table {table} has {key}, which follows from no entry")
                    }
                    RowFault::Differs(columns) => write!(
                        f,
                        "table {table} says of {key} something else than the entries: {}",
                        columns.join(", ")
                    ),
                }
            }
        }
    }
}
