//! All that one minion returned in a run, for people: states in the order in which they ran. Pure.

use std::time::Duration;

use herald_core::announce::Mood;
use herald_core::join::{Body, Definition, Item};
use herald_core::literal;
use herald_core::run::{Job, Run};

use super::super::output::View;
use super::super::row::{BOLD, DIM, local, style};
use super::gather::{Part, Whole, told_duration};
use super::indented;

/// The text.
pub(super) fn text(
    run: &Run,
    minion: &str,
    returns: &[Whole],
    jobs: &[Job],
    view: &View,
) -> String {
    let mut text = format!(
        "{BOLD}{}{BOLD:#} in {}\n",
        literal::line(minion),
        literal::line(&run.head.command)
    );
    for whole in returns {
        text.push('\n');
        text.push_str(&of_return(whole, jobs, view));
    }
    text
}

fn of_return(whole: &Whole, jobs: &[Job], view: &View) -> String {
    let returned = &whole.returned;
    let mut parts = vec![local(returned.at, view)];
    let job = jobs.iter().find(|job| job.id == returned.job);
    parts.extend(job.map(|job| literal::line(&job.funs.join(","))));
    parts.push(if returned.failed { "failed" } else { "ok" }.to_owned());
    parts.extend(returned.retcode.map(|code| format!("retcode {code}")));
    parts.extend(told_duration(returned.duration));
    let mut text = format!("{}\n", parts.join(" · "));
    for part in &whole.parts {
        match part {
            Part::State { definition, body, item } => {
                text.push_str(&state(definition.as_ref(), body.as_ref(), item))
            }
            Part::Plain(Some(value)) => text.push_str(&indented::value(value, 2, usize::MAX)),
            Part::Plain(None) => text.push_str("  (what it returned is not kept any more)\n"),
        }
    }
    text
}

fn state(definition: Option<&Definition>, body: Option<&Body>, item: &Item) -> String {
    let mood = match body {
        Some(body) if body.result == Some(false) => Mood::Failed,
        Some(body) if body.has_changes() || body.result.is_none() => Mood::Changed,
        Some(_) => Mood::Good,
        None => Mood::Silent,
    };
    let title = definition.map_or_else(|| "?".to_owned(), Definition::title);
    let style = style(mood);
    let mut text = format!(
        "  {style}{}{style:#} {}{DIM}{}{DIM:#}\n",
        mood.symbol(),
        literal::line(&title),
        times(item)
    );
    if let Some(name) = definition.filter(|state| state.name != state.id) {
        text.push_str(&format!("      name: {}\n", literal::line(&name.name)));
    }
    let Some(body) = body else {
        text.push_str("      (its result is not kept any more)\n");
        return text;
    };
    text.push_str(&indented::text(&body.comment, 6, usize::MAX));
    if body.has_changes() {
        let what = match body.result {
            None => "would change",
            Some(_) => "changes",
        };
        text.push_str(&format!("      {what}:\n"));
        text.push_str(&indented::value(&body.changes, 8, usize::MAX));
    }
    text
}

/// ` · at 14:02:11.500 · 120 ms`, by the minion's clock.
fn times(item: &Item) -> String {
    let mut text = String::new();
    if let Some(start) = item.start {
        text.push_str(&format!(" · at {}", clock(start)));
    }
    if let Some(duration) = item.duration.and_then(told_duration) {
        text.push_str(&format!(" · {duration}"));
    }
    text
}

/// A time of day as Salt gives it, in milliseconds.
pub(super) fn clock(since_midnight: Duration) -> String {
    let seconds = since_midnight.as_secs();
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since_midnight.subsec_millis()
    )
}
