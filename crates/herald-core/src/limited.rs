//! What the journal's limit by size took, as an entry says it: age takes what it does by the config's
//! word, the limit by what the file came to, so that only the entry can tell afterwards.
//!
//! What goes, and when, is the store's matter.

use jiff::Timestamp;

/// What was taken because the file would have become too large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// How large it may be, in bytes.
    pub limit: u64,
    /// Contents of returns that no return named on this day or later went: days since 1970, UTC.
    pub results_before: u32,
    /// Likewise of returns of quiet runs that did not fail.
    pub quiet_before: u32,
    /// The last entry that went, as the checkpoint before this entry says it; 0: none went.
    pub last: u64,
    /// What sinks that nobody mended will not be told of any more.
    pub unsaid: Vec<Unsaid>,
}

/// Runs that went before a sink was told of all that happened in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaid {
    /// The sink.
    pub sink: String,
    /// How many there were at the most: what leads to the sink is not decided here.
    pub runs: u64,
    /// When the first of them began.
    pub from: Timestamp,
    /// When the last of them began.
    pub to: Timestamp,
}
