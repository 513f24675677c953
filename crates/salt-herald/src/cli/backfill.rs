//! `backfill`: what the master's job cache knows of a time is put into the journal, by the daemon where
//! it runs, and else by ourselves.
//!
//! What is added, and what is said of it, is decided elsewhere.

use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use herald_core::backfill::{Added, Backfill, CacheState, NOT_IN_A_CACHE};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::BackfillArgs;
use super::journal::{self, load_options};
use super::output::{Output, View, note};
use super::row::{DIM, local};
use super::trouble::Trouble;
use super::when::{self, End};
use super::{Found, disk};
use crate::config;
use crate::daemon;
use crate::json::{of_backfill, read_backfill};
use crate::store::JournalReader;

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &BackfillArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let view = &out.view;
    let since = when::wanted(&args.since, "since", End::Begin, view)?;
    let until = match &args.until {
        Some(until) => when::wanted(until, "until", End::Close, view)?.min(view.now),
        None => view.now,
    };
    if since >= until {
        return Err(Trouble::new("--since is not before --until"));
    }
    let mut progress = Progress { is_watched: std::io::stderr().is_terminal() };
    let journal = journal::place(config, args.journal.as_deref())?;
    let done = if JournalReader::holder(&journal).is_some() {
        disk::say_if_away(&journal, disk::Lacking::Filled);
        ask(&journal, since, until, &mut progress)?
    } else {
        let (mut config, _) = config::load(&load_options(config)).map_err(Trouble::of)?;
        config.journal.path = journal;
        leave_to_its_owner(&config.journal.path)?;
        daemon::backfill(&config, since, until, |added| progress.show(added))
            .map_err(Trouble::of)?
    };
    progress.clear();
    if args.json {
        out.json(&of_backfill(&done))?;
    } else {
        out.print(&text(&done, &out.view))?;
    }
    out.flush()?;
    Ok(if done.cache == CacheState::Read { Found::NothingWrong } else { Found::SomethingWrong })
}

/// Asks the daemon that has the journal open.
fn ask(
    journal: &Path,
    since: Timestamp,
    until: Timestamp,
    progress: &mut Progress,
) -> Result<Backfill, Trouble> {
    let path = daemon::socket_path(journal);
    let mut stream = UnixStream::connect(&path).map_err(|error| unasked(&path, &error))?;
    let request = json!({"backfill": {"since": since.to_string(), "until": until.to_string()}});
    stream.write_all(format!("{request}\n").as_bytes())?;
    for line in BufReader::new(stream).lines() {
        let answer: Value = serde_json::from_str(&line?).unwrap_or(Value::Null);
        if let Some(done) = answer.get("done").and_then(read_backfill) {
            return Ok(done);
        }
        if let Some(error) = answer.get("error").and_then(Value::as_str) {
            return Err(Trouble::new(format!("the daemon says no: {error}")));
        }
        let count = |key: &str| answer.get("progress")?.get(key)?.as_u64();
        if let (Some(runs), Some(returns)) = (count("runs"), count("returns")) {
            progress.show(Added { runs, returns, completed: 0 });
        }
    }
    Err(Trouble::new("the daemon ended before the back-fill did")
        .hint("ask again once it runs: what is in the journal is not added twice"))
}

/// A journal that root makes in another's folder could not be opened by that one.
fn leave_to_its_owner(journal: &Path) -> Result<(), Trouble> {
    let folder = journal.parent().and_then(|folder| folder.metadata().ok());
    let Some(owner) = folder.map(|folder| folder.uid()).filter(|owner| *owner != 0) else {
        return Ok(());
    };
    if journal.exists() || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let journal = journal.display();
    Err(Trouble::new(format!("{journal} would be root's, in the folder of user {owner}")).hint(
        "run it as that user, or start the daemon first: then root can ask it for the back-fill",
    ))
}

/// Why nobody can be asked. Another command can have the journal open, which makes no socket.
fn unasked(path: &Path, error: &std::io::Error) -> Trouble {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => Trouble::new(format!(
            "the journal is being written, but nobody can be asked at {path}"
        ))
        .hint("another command writes it, or the daemon is just beginning: try again in a moment"),
        _ => Trouble::new(format!("the daemon can't be asked at {path}: {error}")).hint(
            "run it as root, as the user that the daemon runs as, or in the group access.hold",
        ),
    }
}

fn text(done: &Backfill, view: &View) -> String {
    let (from, to) = (local(done.from, view), local(done.to, view));
    format!("{from} to {to}: {}\n{DIM}{NOT_IN_A_CACHE}{DIM:#}\n", done.in_words())
}

/// How it goes, on a terminal only.
struct Progress {
    is_watched: bool,
}

impl Progress {
    fn show(&mut self, added: Added) {
        if self.is_watched {
            let line = format!("{} runs and {} returns so far", added.runs, added.returns);
            note(&format!("\r{line:<50}"));
        }
    }

    fn clear(&self) {
        if self.is_watched {
            note(&format!("\r{:<50}\r", ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn says_why_nobody_can_be_asked() {
        let path = Path::new("/var/lib/salt-herald/journal.db.sock");
        let why = |kind: ErrorKind| format!("{:?}", unasked(path, &kind.into()));
        insta::assert_snapshot!(
            [ErrorKind::NotFound, ErrorKind::PermissionDenied].map(why).join("\n")
        );
    }

    #[test]
    fn says_what_it_came_to() {
        let at = |text: &str| -> Timestamp { format!("2026-11-22T{text}Z").parse().unwrap() };
        let view = View { width: None, zone: TimeZone::UTC, now: at("15:00:00") };
        let mut done = Backfill {
            gap: None,
            from: at("14:02:00"),
            to: at("14:09:00"),
            cache: CacheState::Read,
            added: Added { runs: 3, returns: 12, completed: 1 },
            unread: 0,
        };
        assert_eq!(read_backfill(&of_backfill(&done)), Some(done));
        let mut texts = vec![text(&done, &view), of_backfill(&done).to_string()];
        done.cache = CacheState::Denied;
        done.added = Added::default();
        texts.push(text(&done, &view));
        let texts = anstream::adapter::strip_str(&texts.join("\n")).to_string();
        insta::assert_snapshot!(texts);
    }
}
