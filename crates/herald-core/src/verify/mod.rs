//! Whether a journal is what was written: where its chain breaks, and what to say of what was found.
//!
//! Pure. Who reads a file hands over what stands there; what was signed is not checked here.

mod link;
mod report;

pub use link::{Break, Fault, Link, Links, diagnose, fits};
pub use report::{Contents, Cut, Finding, MOST_FINDINGS, Report, RowFault};
