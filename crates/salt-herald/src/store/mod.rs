//! Where runs are kept. This is the family's contract; SQLite is its only member so far.
//!
//! A store carries out: what is recorded was decided, redacted and put into words before.

use std::path::PathBuf;
use std::time::Duration;

use herald_core::announce::Mood;
use herald_core::backfill::Backfill;
use herald_core::change::Change;
use herald_core::digest::Digest;
use herald_core::key::KeyAct;
use herald_core::limited::Unsaid;
use herald_core::outbox::Doubt;
use herald_core::run::{Job, Run, RunId};
use herald_core::seal::Told as ToldCheckpoint;
use herald_core::suspect::Suspect;
use jiff::Timestamp;
use thiserror::Error;

mod sqlite;

pub use herald_core::owed::Part;
pub use sqlite::{
    BackedUp, Chain, Cleaned, Exported, Extent, FoundSecret, Held, Journal, JournalReader,
    JournalWriter, Left, MEMORY, Manner, Marked, Order, Progress, Returned, RunFilter, ScrubOrder,
    Span, Taken, files_of_readers, find_secret, verify,
};

/// What becomes durable together: changes, and the runs and jobs as they are after them.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order in which they happened.
    pub changes: Vec<Change>,
    /// Runs that the changes touched.
    pub runs: Vec<Run>,
    /// Jobs that the changes touched.
    pub jobs: Vec<Job>,
    /// Events that are only counted: the family of their tags, and how many.
    pub seen: Vec<(String, u64)>,
}

impl Batch {
    /// Whether there is nothing to record.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.seen.is_empty()
    }
}

/// How long things are kept. Nothing is for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Runs, with their entries.
    pub runs: Option<Duration>,
    /// What returns hold, of runs that are said, and of returns that failed.
    pub results: Option<Duration>,
    /// Likewise of quiet runs.
    pub quiet: Option<Duration>,
    /// How many bytes the file may take, with what is not merged into it yet.
    pub size: Option<u64>,
}

impl Keeping {
    /// Whether anything ever goes.
    pub fn is_limited(&self) -> bool {
        *self != Self::default()
    }
}

/// What was last said of a run at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The run.
    pub run: RunId,
    /// The sink's name.
    pub sink: String,
    /// Which message of the run.
    pub part: Part,
    /// It was told together with others: the first of them.
    pub lead: Option<RunId>,
    /// It was told as old news.
    pub late: bool,
    /// Where it stands, in the sink's words.
    pub message: Option<String>,
    /// The SHA-256 of what was said.
    pub said: Option<[u8; 32]>,
    /// How the run stood by what was said, where that is known.
    pub mood: Option<Mood>,
    /// The run's version that was looked at.
    pub version: u64,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// When it was last touched.
    pub at: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Said.
    Said,
    /// Refused for good.
    GivenUp,
}

impl DeliveryState {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryState::Said => "said",
            DeliveryState::GivenUp => "given_up",
        }
    }

    /// The one with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [DeliveryState::Said, DeliveryState::GivenUp].into_iter().find(|state| state.name() == name)
    }
}

/// A time in which we were blind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The number of its entry.
    pub entry: u64,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Why.
    pub reason: String,
    /// What was found of it in the job cache, once somebody looked to the end.
    pub filled: Option<Backfilled>,
}

/// Something that happened to a minion's key, or by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEvent {
    /// The number of its entry.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub act: KeyAct,
    /// Whose key.
    pub minion: String,
    /// The digest of the key's text, where the bus says it.
    pub key: Option<Digest>,
}

/// What somebody made up, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspected {
    /// The number of its entry.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub suspect: Suspect,
}

/// A back-fill that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfilled {
    /// The number of its entry.
    pub entry: u64,
    /// What it came to.
    pub backfill: Backfill,
}

/// How far a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// What nobody was told of before this entry is old news there.
    pub since: u64,
    /// Up to this entry nothing is owed.
    pub settled: u64,
    /// Why nothing can be said at the moment.
    pub trouble: Option<String>,
    /// Since when nothing could be said, over restarts.
    pub failing_since: Option<Timestamp>,
    /// Posts that may have arrived though nothing was heard of them.
    pub doubt: Doubt,
    /// The last time it did not let us look for them.
    pub blind: bool,
    /// Up to this entry it was told of what times nothing is known.
    pub missed: u64,
    /// Up to this entry it was told what it will not be told of any more.
    pub unsaid: u64,
    /// Up to this entry it was told what is suspect, and what happened to keys.
    pub alarmed: u64,
    /// Where its thread of checkpoints begins, in the sink's words.
    pub thread: Option<String>,
    /// The checkpoint that it was told last.
    pub checkpoint: Option<ToldCheckpoint>,
    /// Since when something about checkpoints may have arrived though nothing was heard of it.
    pub attempt: Option<Timestamp>,
    /// Where and when its trouble was told last, while it is not told that it is over.
    pub told: Option<Told>,
}

/// What a sink will not be told of any more, since it was taken out for the journal's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTold {
    /// The entry that says so.
    pub entry: u64,
    /// When it was taken out.
    pub at: Timestamp,
    /// Which sink, and how many runs.
    pub unsaid: Unsaid,
}

/// That a sink's trouble was told at another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The other one.
    pub sink: String,
    /// When.
    pub at: Timestamp,
}

/// Whether the journal's file can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// It can.
    Well {
        /// What found no room while it could not, the last time: from when to when.
        lost: Option<(Timestamp, Timestamp)>,
    },
    /// It can't: what is recorded is kept in memory.
    Away(Away),
}

/// Why and since when the journal's file can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// The number of the last entry in the file.
    pub recorded: u64,
    /// How many bytes of memory are left.
    pub left: usize,
    /// The file is damaged: nothing is written to it any more.
    pub for_good: bool,
}

/// Why the journal can't be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file can't be opened.
    #[error("the journal {path} can't be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such file.
    #[error("there is no journal at {path}; `salt-herald run` makes one, --journal names another")]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// Another salt-herald writes it.
    #[error("the journal {path} is in use by process {holder}; only one may write it")]
    Busy {
        /// The file.
        path: PathBuf,
        /// Its process id, as far as it is known.
        holder: String,
    },
    /// A later salt-herald made it.
    #[error(
        "the journal {path} has schema {found}, made by a later salt-herald{by}; this one, \
         {own}, knows schema {known}",
        own = env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Which one, as far as it can be read: ` (0.2.0)`.
        by: String,
        /// Its schema.
        found: i64,
        /// The latest schema that we know.
        known: i64,
    },
    /// A migration is not the one that was applied.
    #[error("schema {number} of the journal was made by other SQL than this salt-herald's")]
    Changed {
        /// The migration's number.
        number: i64,
    },
    /// SQLite says no.
    #[error("the journal can't be {doing}")]
    Sqlite {
        /// What was tried: `read`, `written`.
        doing: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was found to be damaged, before anything was written to it.
    #[error("the journal {path} is damaged: {what}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A row holds what it may not.
    #[error("the journal is damaged: {what}")]
    Damaged {
        /// What and where.
        what: String,
    },
    /// The thread that writes is gone.
    #[error("the journal is closed")]
    Closed,
}

/// Why there is no backup, or no export.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is such a file.
    #[error("{path} is there already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The journal would be its own backup.
    #[error("that is the journal itself")]
    Itself,
    /// Another one to the same place is under way.
    #[error("another salt-herald writes {path}")]
    Busy {
        /// What it writes.
        path: PathBuf,
    },
    /// The disk is too full.
    #[error("{path} would take {needed} bytes, and {free} are free there")]
    NoRoom {
        /// What would be written.
        path: PathBuf,
        /// How long it would be.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The copy can't be written.
    #[error("{path} can't be written")]
    Write {
        /// What is written.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Reading the journal or writing the copy failed.
    #[error("the journal can't be copied")]
    Copy(#[source] rusqlite::Error),
    /// What was copied is not what it should be, so that the journal is not either.
    #[error("the journal is damaged: {what}")]
    Damaged {
        /// What and where.
        what: String,
    },
    /// The journal can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    fn copying(source: rusqlite::Error) -> Self {
        Self::Copy(source)
    }
}
