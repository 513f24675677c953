//! `status`: whether all is well now, and what could not be seen or said.
//!
//! [`gather`] asks, [`text`] and [`object`] say; only [`Status::warnings`] judges.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use herald_core::backfill::NOT_IN_A_CACHE;
use herald_core::compose::elapsed;
use herald_core::literal;
use herald_core::minions::Minions;
use herald_core::run::{Run, RunId};
use herald_core::seal::{self, PublicKey, Signed};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::args::StatusArgs;
use super::output::{Output, View};
use super::row::{self, BOLD, DIM, Row, local, table};
use super::trouble::Trouble;
use super::{Found, extent, journal, record};
use crate::store::{Delivery, Extent, Gap, JournalReader, NotTold, RunFilter, SinkState};

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
    elsewhere: Option<String>,
    entries: u64,
    extent: Extent,
    heard_at: Option<Timestamp>,
    connected: Option<bool>,
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
    let mut reader = JournalReader::open(&path)?;
    let status = gather(&mut reader, path)?;
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

fn gather(reader: &mut JournalReader, path: PathBuf) -> Result<Status, Trouble> {
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
        elsewhere: JournalReader::elsewhere(&path),
        journal: path,
        entries: reader.last_entry()?,
        extent: reader.extent()?,
        heard_at: reader
            .noted("heard_at")?
            .and_then(|micros| Timestamp::from_microsecond(micros).ok()),
        connected: reader.noted("connected")?.map(|connected| connected != 0),
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
        self.holder.is_some() && self.elsewhere.is_none()
    }

    fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.holder.is_none() {
            warnings.push("the daemon is not running: no run is seen (salt-herald run)".to_owned());
            return warnings;
        }
        if let Some(elsewhere) = &self.elsewhere {
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

fn text(status: &Status, minions: &Minions, view: &View) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("{DIM}{label:<10}{DIM:#}{value}\n"));
    };
    let daemon = match &status.holder {
        Some(pid) if pid.is_empty() => "running".to_owned(),
        Some(pid) => format!("running, process {}", literal::line(pid)),
        None => "not running".to_owned(),
    };
    line("daemon", &daemon);
    let path = literal::line(&status.journal.display().to_string());
    line("journal", &format!("{path}, {} entries", status.entries));
    line("size", &extent::size(&status.extent, view));
    if let Some(taken) = extent::taken(&status.extent, view) {
        line("taken out", &taken);
    }
    line("signed", &signed(status, view));
    line("bus", &bus(status, view));
    if !status.seen.is_empty() {
        let seen: Vec<String> = status
            .seen
            .iter()
            .map(|(family, count)| format!("{count} {}", literal::line(family)))
            .collect();
        line("events", &seen.join(" · "));
    }
    for warning in status.warnings(view.now) {
        text.push_str(&format!("{BOLD}! {warning}{BOLD:#}\n"));
    }
    text.push_str(&running(status, minions, view));
    text.push_str(&blind(status, view));
    text.push_str(&unsaid(status, view));
    text
}

fn signed(status: &Status, view: &View) -> String {
    match (status.sealed, status.keys.last()) {
        (Some(signed), Some((key, _))) => {
            let (number, at) = (signed.checkpoint.number, local(signed.checkpoint.at, view));
            format!("up to entry {number}, {at}, with the key {key}")
        }
        _ => "never".to_owned(),
    }
}

fn bus(status: &Status, view: &View) -> String {
    let state = match status.connected.filter(|_| status.is_known_now()) {
        Some(true) => "connected, ",
        Some(false) => "not connected, ",
        None => "",
    };
    match status.heard_at {
        None => format!("{state}nothing heard yet"),
        Some(at) => {
            let span = view.now.duration_since(at);
            let ago = elapsed(span.max(SignedDuration::ZERO).unsigned_abs());
            format!("{state}last heard {} ({ago} ago)", local(at, view))
        }
    }
}

fn running(status: &Status, minions: &Minions, view: &View) -> String {
    if status.running.is_empty() {
        let nothing = if status.elsewhere.is_some() { "nothing ran then" } else { "nothing runs" };
        return format!("\n{nothing}\n");
    }
    let latest = status.running.iter().rev().take(RUNNING_SHOWN).rev();
    let rows: Vec<Row> = latest.map(|(run, _)| Row::of(run, minions, view)).collect();
    let left = match status.running.len().saturating_sub(RUNNING_SHOWN) {
        0 => String::new(),
        left => format!("and {left} more: salt-herald log --running\n"),
    };
    format!("\n{BOLD}runs now{BOLD:#}\n{}{left}", table(&rows, view.width))
}

fn blind(status: &Status, view: &View) -> String {
    if status.gaps.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{BOLD}last gaps{BOLD:#}\n");
    for gap in &status.gaps {
        text.push_str(&format!("{}\n", row::of_gap(gap, view)));
    }
    text.push_str(&format!("{DIM}{NOT_IN_A_CACHE}{DIM:#}\n"));
    text
}

fn unsaid(status: &Status, view: &View) -> String {
    if status.given_up.is_empty() && status.not_told.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{BOLD}could not be said{BOLD:#}\n");
    for delivery in &status.given_up {
        let run = match status.given_up_of.get(&delivery.run) {
            Some((jid, command)) => {
                let command = row::cut(&literal::line(command), COMMAND_SHOWN);
                format!("{} ({command})", literal::line(jid))
            }
            None => format!("run {}", delivery.run.0),
        };
        text.push_str(&format!(
            "{} {}: the {} of {run}: {}\n",
            local(delivery.at, view),
            literal::line(&delivery.sink),
            delivery.part.name(),
            literal::line(delivery.error.as_deref().unwrap_or("for an unknown reason")),
        ));
    }
    for NotTold { at, unsaid, .. } in &status.not_told {
        let (at, sink) = (local(*at, view), literal::line(&unsaid.sink));
        let (from, to) = (local(unsaid.from, view), local(unsaid.to, view));
        let runs = unsaid.runs;
        text.push_str(&format!(
            "{at} {sink}: up to {runs} runs that began from {from} to {to} were taken out for the \
             journal's size\n"
        ));
    }
    text
}

fn object(status: &Status, minions: &Minions) -> Value {
    let running: Vec<Value> = status
        .running
        .iter()
        .map(|(run, announced)| record::of_run(run, minions, *announced))
        .collect();
    let gaps = status.gaps.iter().map(record::of_gap);
    let given_up = status.given_up.iter().map(super::show::delivery_object);
    let not_told = status.not_told.iter().map(|NotTold { at, unsaid, .. }| {
        let (from, to) = (unsaid.from.to_string(), unsaid.to.to_string());
        json!({"at": at.to_string(), "sink": unsaid.sink, "runs": unsaid.runs, "from": from, "to": to})
    });
    let sinks = status.sinks.iter().map(|sink| {
        let since = sink.failing_since.map(|at| at.to_string());
        json!({"name": sink.name, "trouble": sink.trouble, "failing_since": since})
    });
    let seen = status.seen.iter().map(|(family, count)| (family.clone(), Value::from(*count)));
    json!({
        "daemon": {
            "running": status.holder.is_some(),
            "pid": status.holder.as_deref().and_then(|pid| pid.parse::<u32>().ok()),
            "in_memory": status.elsewhere,
        },
        "journal": status.journal.display().to_string(),
        "entries": status.entries,
        "extent": extent::object(&status.extent),
        "bus": {
            "connected": status.connected.filter(|_| status.is_known_now()),
            "heard_at": status.heard_at.map(|at| at.to_string()),
        },
        "running": running,
        "gaps": gaps.collect::<Vec<_>>(),
        "given_up": given_up.collect::<Vec<_>>(),
        "not_told": not_told.collect::<Vec<_>>(),
        "sinks": sinks.collect::<Vec<_>>(),
        "seen": Value::Object(seen.collect()),
        "checkpoint": status.sealed.map(|signed| json!({
            "entry": signed.checkpoint.number,
            "at": signed.checkpoint.at.to_string(),
            "line": signed.to_string(),
        })),
        "keys": status.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use herald_core::backfill::{Added, Backfill, CacheState};
    use herald_core::digest::Digest;
    use herald_core::limited::Unsaid;
    use herald_core::seal::Checkpoint;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::store::{Backfilled, DeliveryState, Part, Taken};

    fn at(text: &str) -> Timestamp {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    fn said(status: &Status) -> String {
        let view = View { width: None, zone: TimeZone::UTC, now: at("14:00:00") };
        let text = text(status, &Minions::default(), &view);
        anstream::adapter::strip_str(&text).to_string()
    }

    fn extent() -> Extent {
        Extent {
            file: 1_300_000_000,
            wal: 4_000_000,
            free: 80_000_000,
            first_entry: 5,
            oldest: Some(at("11:02:03")),
            looked_at: Some(at("00:00:10")),
            taken: Some(Taken {
                at: at("00:00:12"),
                why: "age".to_owned(),
                entries: 80_112,
                runs: 1_204,
                results: 3_001,
                bytes: 45_000_000,
            }),
            kept_for: Some("monitoring".to_owned()),
            limit: Some(1_200_000_000),
            stopped_by: Some(("owed".to_owned(), Some("monitoring".to_owned()))),
        }
    }

    fn not_told() -> NotTold {
        let unsaid = Unsaid {
            sink: "monitoring".to_owned(),
            runs: 12,
            from: at("01:00:00"),
            to: at("02:00:00"),
        };
        NotTold { entry: 11, at: at("12:30:00"), unsaid }
    }

    #[test]
    fn says_what_is_wrong() {
        let mut status = Status {
            journal: PathBuf::from("/var/lib/salt-herald/journal.db"),
            holder: None,
            elsewhere: None,
            entries: 0,
            extent: Extent::default(),
            heard_at: None,
            connected: None,
            running: Vec::new(),
            gaps: Vec::new(),
            given_up: Vec::new(),
            given_up_of: BTreeMap::new(),
            not_told: Vec::new(),
            sinks: Vec::new(),
            seen: Vec::new(),
            sealed: None,
            keys: Vec::new(),
        };
        let mut texts = vec![said(&status)];
        status.holder = Some("4711".to_owned());
        status.entries = 12;
        status.extent = extent();
        status.connected = Some(false);
        status.heard_at = Some(at("11:58:00"));
        let gap = Gap {
            entry: 7,
            from: at("13:00:00"),
            to: at("13:00:40"),
            reason: "master away".to_owned(),
            filled: None,
        };
        let added = Added { runs: 3, returns: 12, completed: 1 };
        let (gap_entry, cache) = (Some(7), CacheState::Read);
        let (from, to) = (gap.from, gap.to);
        let backfill = Backfill { gap: gap_entry, from, to, cache, added, unread: 0 };
        let filled = Some(Backfilled { entry: 9, backfill });
        status.gaps = vec![Gap { filled, ..gap.clone() }, gap];
        status.given_up = vec![Delivery {
            lead: None,
            late: false,
            mood: None,
            run: RunId(7),
            sink: "monitoring".to_owned(),
            part: Part::Message,
            message: None,
            said: None,
            version: 3,
            state: DeliveryState::GivenUp,
            error: Some("the chat refuses the message (msg_too_long)\u{1b}[2J".to_owned()),
            at: at("12:00:00"),
        }];
        let command = "salt '*' cmd.run 'for host in $(cat hosts); do ping -c 1 \"$host\"; done'";
        let of_it = ("20261122115959000000".to_owned(), command.to_owned());
        status.given_up_of = BTreeMap::from([(RunId(7), of_it)]);
        status.sinks = vec![SinkState {
            name: "monitoring".to_owned(),
            since: 0,
            settled: 12,
            trouble: Some("the chat does not let us in (not_in_channel)".to_owned()),
            doubt: Default::default(),
            blind: false,
            missed: 0,
            failing_since: Some(at("09:00:00")),
            unsaid: 0,
            told: None,
        }];
        status.not_told = vec![not_told()];
        let checkpoint = Checkpoint::new([1; 16], 11, Digest::of(b"x"), at("13:10:00"));
        status.sealed = Some(Signed { checkpoint, signature: [2; 64] });
        status.keys = vec![(PublicKey([3; 32]), 2)];
        status.seen = vec![("salt/auth".to_owned(), 40), ("other".to_owned(), 2)];
        texts.push(said(&status));
        let since = "in memory since 2026-11-22T13:59:00Z: database or disk is full";
        status.elsewhere = Some(since.to_owned());
        texts.push(said(&status));
        texts.push(object(&status, &Minions::default()).to_string());
        insta::assert_snapshot!(texts.join("\n---\n"));
    }
}
