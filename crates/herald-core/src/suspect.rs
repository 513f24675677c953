//! What a minion made up, or may have: events that are not the master's word, and returns that its job
//! cache does not bear out.
//!
//! How each was found out is the ledger's matter, and how it is shown, the edges'. No kind of them says
//! more than the bus and the cache do.

use crate::digest::Digest;
use crate::run::{JobId, named};

named! {
    /// What speaks against it.
    Why {
        /// The master marked an event under a tag of its own as a minion's.
        InMastersName = 1, "in_masters_name";
        /// An event came under a piece of its tag, too, as those do that a minion sent with a prefix.
        Twin = 2, "twin";
        /// The tag of a return names another job or minion than its data.
        TagDiffers = 3, "tag_differs";
        /// A return of a minion that was not asked, which the job cache does not hold. It is not counted.
        Unasked = 4, "unasked";
        /// A second return, which says something else; the job cache holds the first. It is not counted.
        Again = 5, "again";
        /// A return that was counted; the job cache holds what the same minion said later, which is
        /// counted instead.
        Displaced = 6, "displaced";
        /// A return as a syndic passes them on, on a master that has none. It is not counted.
        NoSyndic = 7, "no_syndic";
        /// The master's job cache does not hold a job in time.
        Unconfirmed = 8, "unconfirmed";
        /// What the job cache holds shows that the master published no such job.
        NotPublished = 9, "not_published";
    }
}

impl Why {
    /// What it is in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Why::InMastersName => "an event in the master's name",
            Why::Twin => "an event in the master's name, given away by a piece of its tag",
            Why::TagDiffers => "a return under another's tag",
            Why::Unasked => {
                "a return of a minion that was not asked, not in the master's job cache: not counted"
            }
            Why::Again => {
                "a second return that says something else, not in the master's job cache: not counted"
            }
            Why::Displaced => {
                "a return that was counted; the master's job cache holds another, which counts now"
            }
            Why::NoSyndic => {
                "a return as a syndic passes it on, and this master has no order_masters: not counted"
            }
            Why::Unconfirmed => "a job that is not in the master's job cache",
            Why::NotPublished => "a job that the master did not publish",
        }
    }

    /// Whether it can only be somebody's doing: a second return can be a minion's mistake, and a master
    /// can be late with a load.
    pub fn is_proof(self) -> bool {
        !matches!(self, Why::Again | Why::Unconfirmed)
    }
}

/// One such event, or several of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What speaks against it.
    pub why: Why,
    /// The job that it claims to tell of, if we know it.
    pub job: Option<JobId>,
    /// Its jid; empty where none can be read.
    pub jid: String,
    /// The minion in whose name it is; empty where it is in the master's.
    pub minion: String,
    /// Who truly sent it; empty where the bus does not say.
    pub sender: String,
    /// The tag that it bore; empty where it is the job that is suspect.
    pub tag: String,
    /// The digest of what was returned; zero where nothing was.
    pub said: Digest,
    /// For how many it stands: itself and, where there were many, the last of those like it.
    pub count: u32,
}
