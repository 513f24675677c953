//! `backup`: a copy of the journal that can be put back in its place.
//!
//! Here stands what is said of it; the copying is the store's.

use std::io::IsTerminal;

use herald_core::amount::bytes_text;
use herald_core::literal;
use serde_json::{Value, json};

use super::args::BackupArgs;
use super::output::{Output, note};
use super::trouble::Trouble;
use super::{Found, disk, journal};
use crate::store::{BackedUp, BackupError, Progress};

/// Carries out the command.
pub(super) fn run(
    config: Option<&std::path::Path>,
    args: &BackupArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let (path, reader) = journal::open(config, &args.reading)?;
    let is_watched = std::io::stderr().is_terminal();
    let mut shown = String::new();
    let mut tell = |progress: Progress| {
        let line = progress_text(progress);
        if is_watched && line != shown {
            note(&format!("\r{line:<24}"));
            shown = line;
        }
    };
    let done = reader.back_up(&args.file, args.force, &mut tell);
    if is_watched {
        note(&format!("\r{:<24}\r", ""));
    }
    let done = done.map_err(trouble)?;
    if args.reading.json {
        out.json(&object(args, &done))?;
    } else {
        out.print(&text(args, &done))?;
    }
    out.flush()?;
    disk::say_if_away(&path, disk::Lacking::Copied);
    Ok(Found::NothingWrong)
}

fn progress_text(progress: Progress) -> String {
    match progress {
        Progress::Copied { done, all } => format!("copying, {} %", done * 100 / all.max(1)),
        Progress::Checking => "looking through the copy".to_owned(),
    }
}

fn text(args: &BackupArgs, done: &BackedUp) -> String {
    let file = literal::line(&args.file.display().to_string());
    let size = bytes_text(done.bytes);
    let mut text = format!("{file}: {size}, {} entries, whole\n", done.chain.entries);
    if done.chain.entries > 0 {
        text.push_str(&format!("last entry {}, hash {}\n", done.chain.last, done.chain.hash));
    }
    text
}

fn object(args: &BackupArgs, done: &BackedUp) -> Value {
    json!({
        "file": args.file.display().to_string(),
        "bytes": done.bytes,
        "entries": done.chain.entries,
        "last_entry": done.chain.last,
        "hash": done.chain.hash.to_string(),
    })
}

/// What to do about it.
pub(super) fn trouble(error: BackupError) -> Trouble {
    let hint = match error {
        BackupError::Store(error) => return error.into(),
        BackupError::Exists { .. } => "name another file, or say --force to replace it",
        BackupError::Itself => "name another file, best on another disk",
        BackupError::Busy { .. } => "wait for its end, or name another file",
        BackupError::NoRoom { .. } => "name a file on another disk",
        BackupError::Damaged { .. } => "keep the journal, and the backups that you have",
        BackupError::Write { .. } | BackupError::Copy(_) => return Trouble::of(error),
    };
    Trouble::of(error).hint(hint)
}
