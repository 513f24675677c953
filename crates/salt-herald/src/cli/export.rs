//! `export`: the journal as JSON Lines that `verify`, and other programs, can check.
//!
//! What stands in a line is [`crate::export`]'s; here it is only written.

use std::path::Path;

use herald_core::amount::bytes_text;
use herald_core::literal;
use serde_json::json;

use super::args::ExportArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::when::{self, End};
use super::{Found, backup, disk, journal};
use crate::store::{Exported, Span};

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &ExportArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let since = when::given(args.since.as_deref(), "since", End::Begin, &out.view)?;
    let until = when::given(args.until.as_deref(), "until", End::Close, &out.view)?;
    let span = Span { since, until };
    let (path, reader) = journal::open(config, &args.reading)?;
    match &args.file {
        None => reader.export(span, |piece| out.raw(&piece.line()))?,
        Some(file) => {
            let done = reader.export_to(file, args.force, span).map_err(backup::trouble)?;
            say(file, &done, args.reading.json, out)?;
        }
    }
    out.flush()?;
    disk::say_if_away(&path, disk::Lacking::Copied);
    Ok(Found::NothingWrong)
}

fn say(file: &Path, done: &Exported, as_json: bool, out: &mut Output) -> Result<(), Trouble> {
    let Exported { bytes, entries, last, hash } = done;
    if as_json {
        return out.json(&json!({
            "file": file.display().to_string(),
            "bytes": bytes,
            "entries": entries,
            "last_entry": last,
            "hash": hash.to_string(),
        }));
    }
    let (file, size) = (literal::line(&file.display().to_string()), bytes_text(*bytes));
    out.print(&format!("{file}: {size}, {entries} entries\nlast entry {last}, hash {hash}\n"))
}
