//! `verify`: whether a journal or a backup is what was written.
//!
//! The store looks, [`text`] says; nothing is judged here, and nothing is written.

mod text;

use std::path::{Path, PathBuf};

use super::args::VerifyArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::{Found, journal};
use crate::store::{self, Manner};

/// More threads than this are not worth their memory.
const MOST_THREADS: usize = 8;

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &VerifyArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let file = file(config, args)?;
    let report = store::verify(&file, manner(args))?;
    if args.reading.json {
        text::objects(&file, &report).iter().try_for_each(|object| out.json(object))?;
    } else {
        out.print(&text::text(&file, &report, &out.view))?;
    }
    out.flush()?;
    Ok(if report.is_whole() { Found::NothingWrong } else { Found::SomethingWrong })
}

fn file(config: Option<&Path>, args: &VerifyArgs) -> Result<PathBuf, Trouble> {
    match &args.file {
        Some(file) => Ok(file.clone()),
        None => journal::path(config, &args.reading),
    }
}

fn manner(args: &VerifyArgs) -> Manner {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if args.gently { 1 } else { threads.min(MOST_THREADS) as u64 };
    if args.gently
        && let Err(error) = rustix::process::nice(19)
    {
        tracing::debug!(%error, "the process keeps its priority");
    }
    Manner { threads, chain_only: args.chain_only }
}
