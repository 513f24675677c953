//! What can be typed behind the commands that copy a journal, and prove one.

use std::path::PathBuf;

use clap::Args;

use super::Reading;

/// `backup`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackupArgs {
    #[command(flatten)]
    pub(in crate::cli) reading: Reading,
    /// Where to
    pub(in crate::cli) file: PathBuf,
    /// Replace the file if it is there
    #[arg(long, short)]
    pub(in crate::cli) force: bool,
}

/// `verify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    #[command(flatten)]
    pub(in crate::cli) reading: Reading,
    /// A journal, a backup or an export [default: the config's journal]
    pub(in crate::cli) file: Option<PathBuf>,
    /// Checkpoints have to be signed with this key: 64 hexadecimal digits, or a file that holds them; can
    /// be given several times
    #[arg(long, value_name = "KEY|FILE")]
    pub(in crate::cli) key: Vec<String>,
    /// Compare with this checkpoint, as it stands in the channel or in a log; can be given several times
    #[arg(long, value_name = "LINE")]
    pub(in crate::cli) checkpoint: Vec<String>,
    /// Compare with all checkpoints in a file, whatever else stands in it; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) checkpoints: Option<PathBuf>,
    /// Show the keys by which its checkpoints are signed, by its own word, and no more
    #[arg(long)]
    pub(in crate::cli) show_key: bool,
    /// Only the chain of entries: leave contents and tables alone
    #[arg(long)]
    pub(in crate::cli) chain_only: bool,
    /// With one thread, and the lowest priority
    #[arg(long)]
    pub(in crate::cli) gently: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    pub(in crate::cli) reading: Reading,
    /// Where to [default: stdout]
    pub(in crate::cli) file: Option<PathBuf>,
    /// From the first entry on that is not older
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Up to the last entry that is older
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Replace the file if it is there
    #[arg(long, short)]
    pub(in crate::cli) force: bool,
}
