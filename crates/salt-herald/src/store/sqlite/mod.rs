//! The journal in one SQLite file, in WAL mode, with every commit on disk before anybody hears of
//! it.
//!
//! One writer (a thread that owns its connection) and any number of readers. This knows SQL and
//! rows; what is recorded, and what it means, is decided elsewhere.

mod age;
mod backup;
mod chain;
mod changes;
mod cut;
mod deed;
mod deliveries;
mod examine;
mod export;
mod failures;
mod filter;
mod fold;
mod gaps;
mod keys;
mod list;
mod lock;
mod memory;
mod migrate;
mod open;
mod overlay;
mod payloads;
mod read;
mod rebuild;
mod recorder;
mod refused;
mod restore;
mod retention;
mod returns;
mod rows;
mod scrub;
mod scrubs;
mod sealing;
mod size;
mod speed;
mod stamps;
mod suspects;
mod unsaid;
mod upsert;
mod verify;
mod voices;
mod write;
mod writer;

#[cfg(test)]
mod away_tests;
#[cfg(test)]
mod sick_tests;
#[cfg(test)]
mod tests;

pub use backup::{BackedUp, Progress};
pub use chain::Chain;
pub use export::{Exported, Span};
pub use list::{Order, RunFilter};
pub use open::{Journal, files_of_readers};
pub use read::JournalReader;
pub use returns::Returned;
pub use scrub::{Cleaned, FoundSecret, Held, Left, Marked, ScrubOrder, find_secret};
pub use size::{Extent, Taken};
pub use verify::{Manner, verify};
pub use writer::{JournalWriter, MEMORY};
