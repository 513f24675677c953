//! How the journal's disk is, by the word of the daemon that writes there. A disk that can't be written
//! can't say it by its files, so that the daemon is asked over its socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use herald_core::literal;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::output::note;
use crate::daemon;
use crate::json::read_disk;
use crate::store::{Disk, JournalReader};

/// The daemon answers this out of its memory.
const PATIENCE: Duration = Duration::from_secs(3);

/// How the disk is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Now {
    /// Where, since when and why the daemon writes elsewhere, if it can't write the file.
    pub(super) elsewhere: Option<String>,
    /// Since when writing takes long, if it does.
    pub(super) slow: Option<Timestamp>,
}

/// Asks the daemon. Where it can't be asked, what its lock's file says has to do.
pub(super) fn ask(journal: &Path) -> Now {
    match answer(journal) {
        Some((Disk::Well { .. }, slow)) => Now { elsewhere: None, slow },
        Some((Disk::Away(away), slow)) => {
            let elsewhere = Some(format!("in memory since {}: {}", away.since, away.why));
            Now { elsewhere, slow }
        }
        None => Now { elsewhere: JournalReader::elsewhere(journal), slow: None },
    }
}

fn answer(journal: &Path) -> Option<(Disk, Option<Timestamp>)> {
    let mut stream = UnixStream::connect(daemon::socket_path(journal)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("{}\n", json!({"disk": {}})).as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    let answer: Value = serde_json::from_str(&line).ok()?;
    read_disk(answer.get("disk")?)
}

/// What a command can't do while what comes is kept in memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lacking {
    Shown,
    Copied,
    Filled,
}

/// Says beside the output that the journal is in memory now, if it is.
pub(super) fn say_if_away(journal: &Path, lacking: Lacking) {
    if let Some(elsewhere) = ask(journal).elsewhere {
        note(&text(&elsewhere, lacking));
    }
}

fn text(elsewhere: &str, lacking: Lacking) -> String {
    let lacking = match lacking {
        Lacking::Shown => "what came since then is not shown here",
        Lacking::Copied => "what came since then is not in it",
        Lacking::Filled => "the back-fill waits until it can",
    };
    let elsewhere = literal::line(elsewhere);
    format!("salt-herald: the journal's file can't be written, {elsewhere}: {lacking}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_lacking() {
        let why = "in memory since 2026-11-22T13:59:00Z: database or disk is full";
        let texts = [Lacking::Shown, Lacking::Copied, Lacking::Filled].map(|it| text(why, it));
        insta::assert_snapshot!(texts.concat());
    }

    #[test]
    fn who_can_not_be_asked_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ask(&folder.path().join("journal.db")), Now::default());
    }
}
