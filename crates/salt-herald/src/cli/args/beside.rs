//! The options of commands that need no journal: they go by the master's job cache, or by one event.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// `preview`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PreviewArgs {
    /// Runs that began at that time or later
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(in crate::cli) since: String,
    /// Read the job cache of this master's cachedir, or of a copy of it
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) cachedir: Option<PathBuf>,
    /// Only what this place would have heard: a sink, or a sink#channel of the routes
    #[arg(long, value_name = "PLACE")]
    pub(in crate::cli) sink: Option<String>,
    /// Show every message
    #[arg(long, short, conflicts_with = "limit")]
    pub(in crate::cli) all: bool,
    /// Show at most so many messages of a place, the latest [default: 10, of several places 3 each;
    /// with --json all]
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub(in crate::cli) limit: Option<usize>,
    /// Print JSON Lines: stable names, times in UTC
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `announce`. What a reactor hands over is never refused, whatever bytes it holds.
#[derive(Debug, Args)]
pub(in crate::cli) struct AnnounceArgs {
    /// Tell this sink alone
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) sink: Option<String>,
    /// Print what would be posted, and post nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Read an event's data from stdin, as {{ data }} prints it; no other words are taken then
    #[arg(long, conflicts_with_all = ["tgt", "tgt_type", "fun", "arg"])]
    pub(in crate::cli) event: bool,
    /// The target; a list for -L
    #[arg(required_unless_present = "event")]
    pub(in crate::cli) tgt: Option<OsString>,
    /// Which kind of target
    #[arg(required_unless_present = "event")]
    pub(in crate::cli) tgt_type: Option<OsString>,
    /// The function
    #[arg(required_unless_present = "event")]
    pub(in crate::cli) fun: Option<OsString>,
    /// Its arguments as typed, or the list that {{ data['arg'] }} prints, in Python's way or JSON's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(in crate::cli) arg: Vec<OsString>,
}
