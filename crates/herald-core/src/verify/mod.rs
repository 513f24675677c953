//! Whether a journal is what was written: where its chain breaks, and what to say of what was found.
//!
//! Pure. Who reads a file hands over what stands there; so is whether a signature is good.

mod link;
mod report;
mod scrubs;
mod witness;

pub use link::{Break, Fault, Link, Links, diagnose, fits};
pub use report::{Contents, Cut, Finding, LineFault, MOST_FINDINGS, Part, Report, RowFault};
pub use scrubs::{ScrubTold, Scrubs, Stands};
pub use witness::{KeptFault, SealFault, Seals, Seen, Witness, judge};
