//! The options of `scrub`. What is secret is none of them: it would stand in `ps`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::Reading;

/// `scrub`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ScrubArgs {
    #[command(flatten)]
    pub(in crate::cli) reading: Reading,
    /// Why, for those who read the journal in some years
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub(in crate::cli) reason: Option<String>,
    /// Read the secrets from this file, one a line; - is stdin [default: asks for them]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from: Option<PathBuf>,
    /// Tell where they stand, and change nothing; the daemon may run
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// What is typed here is refused, and not repeated
    #[arg(hide = true)]
    pub(in crate::cli) words: Vec<OsString>,
}
