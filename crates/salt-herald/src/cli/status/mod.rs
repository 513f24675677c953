//! `status`: whether all is well now, and what could not be seen or said.
//!
//! [`gather`] asks, [`text`] and [`object`] say; only [`Status::warnings`] judges.

mod object;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use herald_core::compose::elapsed;
use herald_core::literal;
use herald_core::run::{Run, RunId};
use herald_core::seal::{self, PublicKey, Signed};
use jiff::{SignedDuration, Timestamp};

use super::args::StatusArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::{Found, disk, extent, journal};
use crate::store::{Delivery, Extent, Gap, JournalReader, NotTold, RunFilter, SinkState};
use object::object;
use text::text;

/// The daemon notes six times as often that it is connected, whether or not the master speaks.
const QUIET: SignedDuration = SignedDuration::from_mins(1);
/// How many runs are shown to people, the latest.
const RUNNING_SHOWN: usize = 20;
/// How many gaps and failed deliveries are shown.
const SHOWN: usize = 5;
/// So much of a command is shown beside its jid, in characters.
const COMMAND_SHOWN: usize = 60;

/// What is known of now.
#[derive(Debug)]
struct Status {
    journal: PathBuf,
    holder: Option<String>,
    disk: disk::Now,
    entries: u64,
    extent: Extent,
    heard_at: Option<Timestamp>,
    connected: Option<bool>,
    /// Whether jobs are looked for in the master's job cache, where the daemon has said.
    confirms: Option<bool>,
    running: Vec<(Run, bool)>,
    gaps: Vec<Gap>,
    given_up: Vec<Delivery>,
    /// The jids and the commands of those.
    given_up_of: BTreeMap<RunId, (String, String)>,
    not_told: Vec<NotTold>,
    sinks: Vec<SinkState>,
    seen: Vec<(String, u64)>,
    sealed: Option<Signed>,
    keys: Vec<(PublicKey, u64)>,
}

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &StatusArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let path = journal::path(config, &args.reading)?;
    // A disk that does not answer is asked after the daemon, which does.
    let disk = disk::ask(&path);
    let mut reader = JournalReader::open(&path)?;
    let status = gather(&mut reader, path, disk)?;
    let minions = reader.minions()?;
    if args.reading.json {
        out.json(&object(&status, minions))?;
    } else {
        out.print(&text(&status, minions, &out.view))?;
    }
    out.flush()?;
    Ok(if status.warnings(out.view.now).is_empty() {
        Found::NothingWrong
    } else {
        Found::SomethingWrong
    })
}

fn gather(reader: &mut JournalReader, path: PathBuf, disk: disk::Now) -> Result<Status, Trouble> {
    let filter = RunFilter { running: true, limit: 100_000, ..RunFilter::default() };
    let runs = reader.runs(&filter)?;
    let mut running = Vec::with_capacity(runs.len());
    for run in runs {
        let announced = journal::is_announced(reader, &run)?;
        running.push((run, announced));
    }
    let given_up = reader.given_up(SHOWN)?;
    let mut given_up_of = BTreeMap::new();
    for delivery in &given_up {
        if let Some((run, _)) = reader.run(delivery.run)? {
            let jid = run.jids.first().cloned().unwrap_or_default();
            given_up_of.insert(run.id, (jid, run.head.command));
        }
    }
    Ok(Status {
        holder: JournalReader::holder(&path),
        disk,
        journal: path,
        entries: reader.last_entry()?,
        extent: reader.extent()?,
        heard_at: reader
            .noted("heard_at")?
            .and_then(|micros| Timestamp::from_microsecond(micros).ok()),
        connected: reader.noted("connected")?.map(|connected| connected != 0),
        confirms: reader.noted("confirms")?.map(|confirms| confirms != 0),
        running,
        gaps: reader.gaps(SHOWN)?,
        given_up,
        given_up_of,
        not_told: reader.not_told(SHOWN)?,
        sinks: reader.sinks()?,
        seen: reader.seen()?,
        sealed: reader.last_seal()?,
        keys: reader.seal_keys()?,
    })
}

impl Status {
    /// Whether the journal's file says how it is now.
    fn is_known_now(&self) -> bool {
        self.holder.is_some() && self.disk.elsewhere.is_none()
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.holder.is_none() {
            warnings.push("the daemon is not running: no run is seen (salt-herald run)".to_owned());
            return warnings;
        }
        if let Some(since) = self.disk.slow {
            let since = elapsed(now.duration_since(since).max(SignedDuration::ZERO).unsigned_abs());
            warnings.push(format!(
                "the disk has been slow for {since}: what is to be recorded takes seconds, or does not come \
                 back, and runs are said late"
            ));
        }
        if let Some(elsewhere) = &self.disk.elsewhere {
            let elsewhere = literal::line(elsewhere);
            warnings.push(format!(
                "the journal can't be written, what runs now is not shown here: {elsewhere}"
            ));
            return warnings;
        }
        if self.connected == Some(false) {
            warnings.push(
                "the daemon is not connected to the master: no run is seen (salt-herald check)"
                    .to_owned(),
            );
        }
        if let Some(heard) = self.heard_at.filter(|_| self.connected != Some(false)) {
            let silence = now.duration_since(heard);
            if silence > QUIET {
                let silence = elapsed(silence.unsigned_abs());
                warnings.push(format!(
                    "the daemon runs but gave no sign of the bus for {silence}: it hangs, or can't \
                     write its journal; see its log"
                ));
            }
        }
        let signed = self.sealed.map(|signed| now.duration_since(signed.checkpoint.at));
        if self.entries > 0 && signed.is_none_or(|since| since.unsigned_abs() > 3 * seal::EVERY) {
            warnings.push(
                "the journal is not signed for: the daemon does not run, can't write, or its log says what is wrong with the key"
                    .to_owned(),
            );
        }
        for sink in &self.sinks {
            if let Some(trouble) = &sink.trouble {
                let (name, trouble) = (literal::line(&sink.name), literal::line(trouble));
                warnings.push(format!("{name} is not told: {trouble}"));
            }
        }
        warnings.extend(extent::over(&self.extent));
        if let Some(sink) = &self.extent.kept_for {
            let sink = literal::line(sink);
            warnings.push(format!(
                "runs that are old enough to be taken out are kept, because {sink} is still owed one \
                 of them: mend it, or take it out of the config"
            ));
        }
        warnings
    }
}
