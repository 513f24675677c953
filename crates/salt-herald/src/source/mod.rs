//! Where events come from. This is the family's contract; its members are the master's bus, which is
//! listened to, and the master's job cache, which is looked into.
//!
//! Who listens reads into a bounded queue and does nothing else: it never waits for whoever takes from
//! it. What does not fit is a gap. Who looks into the cache waits, and comes after all that is heard.

mod clock;
pub mod job_cache;
mod master_bus;
mod queue;

pub use clock::Clock;
pub use master_bus::{Bus, connect, is_patience, listen, take_frames};
pub use queue::{Excuse, MAX_WAITING, Queue};

use herald_core::backfill::CacheState;
use herald_core::change::GapReason;
use herald_core::confirm::{Found, FoundReturn};
use jiff::{SignedDuration, Timestamp};
use job_cache::{Piece, Skipped};

/// What was heard, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// When it was read.
    pub at: Timestamp,
    /// What it is.
    pub heard: Heard,
}

/// What can be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A whole frame.
    Frame(Box<[u8]>),
    /// A frame that was too long to hold: its length in bytes, and its beginning.
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// Its first bytes.
        start: Vec<u8>,
    },
    /// Nothing was heard for a time that now is over.
    Gap {
        /// Since when.
        from: Timestamp,
        /// Why.
        reason: GapReason,
    },
    /// The clock was put forward, or back.
    Stepped(SignedDuration),
    /// The bus was lost, for now.
    Lost,
    /// The bus is heard (again).
    Connected,
    /// A job was looked for in the master's job cache.
    Looked {
        /// The job.
        jid: Box<str>,
        /// What came of it.
        found: Found,
    },
    /// A return was looked up there before it is believed.
    LookedUp {
        /// The frame in which it came.
        frame: Box<[u8]>,
        /// What came of it.
        found: FoundReturn,
    },
    /// The job cache tells of the past.
    Past(Past),
}

/// What the job cache tells, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// Something that happened, at its own time.
    Piece(Piece),
    /// That is all, and how the cache was found.
    Ends(CacheState, Skipped),
}

impl Item {
    /// About how much memory it takes, in bytes.
    fn size(&self) -> usize {
        let content = match &self.heard {
            Heard::Frame(bytes) => bytes.len(),
            Heard::TooLong { start, .. } => start.len(),
            Heard::Past(Past::Piece(piece)) => piece.size(),
            Heard::Looked { jid, .. } => jid.len(),
            Heard::LookedUp { frame, .. } => frame.len(),
            Heard::Stepped(_)
            | Heard::Gap { .. }
            | Heard::Lost
            | Heard::Connected
            | Heard::Past(_) => 0,
        };
        content + size_of::<Item>()
    }
}
