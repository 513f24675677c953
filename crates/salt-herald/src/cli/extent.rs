//! How large the journal is, how far back it goes, and what was taken out of it, as `status` tells it.
//!
//! Texts only; what goes and when is the store's.

use herald_core::amount::bytes_text;
use herald_core::literal;
use serde_json::{Value, json};

use super::output::View;
use super::row::local;
use crate::store::{Extent, Taken};

/// Less free space than this is not worth a word.
const MUCH_FREE: u64 = 16 << 20;

/// `1.2 GiB, 3.0 MiB of it not merged yet · since 2026-08-02 10:11:12`.
pub(super) fn size(extent: &Extent, view: &View) -> String {
    let mut text = bytes_text(extent.file + extent.wal);
    if extent.free >= MUCH_FREE {
        text.push_str(&format!(", {} of it free", bytes_text(extent.free)));
    }
    if let Some(oldest) = extent.oldest {
        text.push_str(&format!(" · runs since {}", local(oldest, view)));
    }
    text
}

/// What was taken out last; nothing where nothing ever was.
pub(super) fn taken(extent: &Extent, view: &View) -> Option<String> {
    let Taken { at, why, runs, results, bytes, .. } = extent.taken.as_ref()?;
    let why = literal::line(why);
    let at = local(*at, view);
    let bytes = bytes_text(*bytes);
    Some(format!("{at}, for their {why}: {runs} runs, {results} contents ({bytes})"))
}

/// The same as JSON.
pub(super) fn object(extent: &Extent) -> Value {
    let taken = extent.taken.as_ref().map(|taken| {
        json!({
            "at": taken.at.to_string(), "why": taken.why, "runs": taken.runs,
            "entries": taken.entries, "results": taken.results, "bytes": taken.bytes,
        })
    });
    json!({
        "file": extent.file,
        "wal": extent.wal,
        "free": extent.free,
        "first_entry": extent.first_entry,
        "oldest_run": extent.oldest.map(|at| at.to_string()),
        "looked_for_old_at": extent.looked_at.map(|at| at.to_string()),
        "taken": taken,
        "kept_for": extent.kept_for,
    })
}
