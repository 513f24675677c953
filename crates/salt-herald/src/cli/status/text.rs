//! How all is, for people. What is wrong was judged before.

use herald_core::backfill::NOT_IN_A_CACHE;
use herald_core::compose::elapsed;
use herald_core::literal;
use herald_core::minions::Minions;
use jiff::SignedDuration;

use super::super::extent;
use super::super::output::View;
use super::super::row::{self, BOLD, DIM, Row, local, table};
use super::{COMMAND_SHOWN, RUNNING_SHOWN, Status};
use crate::store::NotTold;

pub(super) fn text(status: &Status, minions: &Minions, view: &View) -> String {
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
    if status.confirms == Some(false) {
        line(
            "jobs",
            "can't be confirmed, what minions make up can't be told: see salt-herald check",
        );
    }
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
            let said = said_at(status, view);
            format!("up to entry {number}, {at}, with the key {key}{said}")
        }
        _ => "never".to_owned(),
    }
}

/// Up to where sinks were told.
fn said_at(status: &Status, view: &View) -> String {
    let said = status.sinks.iter().filter_map(|sink| {
        let told = sink.checkpoint?;
        let (name, at) = (literal::line(&sink.name), local(told.at, view));
        Some(format!("; said at {name} up to entry {}, {at}", told.number))
    });
    said.collect()
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
        let nothing =
            if status.disk.elsewhere.is_some() { "nothing ran then" } else { "nothing runs" };
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
