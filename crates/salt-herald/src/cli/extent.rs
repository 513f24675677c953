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
    if let Some(limit) = extent.limit {
        text.push_str(&format!(" of at most {}", bytes_text(limit)));
    }
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
    let reason = if why == "limit" {
        "for the journal's size".to_owned()
    } else {
        format!("for their {why}")
    };
    Some(format!("{at}, {reason}: {runs} runs, {results} contents ({bytes})"))
}

/// That the journal is larger than it may be, and why no more can go.
pub(super) fn over(extent: &Extent) -> Option<String> {
    let ((why, sink), limit) = (extent.stopped_by.as_ref()?, extent.limit?);
    let why = match (why.as_str(), sink) {
        ("owed", Some(sink)) => format!(
            "{} is still owed the oldest run that is left: mend it, or take it out of the config",
            literal::line(sink)
        ),
        ("open", _) => "the oldest run that is left has not ended".to_owned(),
        ("stiff", _) => "the file was made before it could get shorter: with the daemon stopped, \
                         `sqlite3 FILE 'PRAGMA auto_vacuum=2; VACUUM'` makes it anew"
            .to_owned(),
        _ => "what is left is of the last three days: raise it".to_owned(),
    };
    let (size, limit) = (bytes_text(extent.file + extent.wal), bytes_text(limit));
    Some(format!("the journal takes {size}, more than journal.max_size ({limit}): {why}"))
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
        "limit": extent.limit,
        "over_limit": extent.stopped_by.as_ref().map(|(why, sink)| json!({"why": why, "sink": sink})),
    })
}
