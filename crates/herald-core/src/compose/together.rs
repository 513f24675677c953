//! What is said of several runs in one message: one command and how often, or a line for each.
//!
//! Which runs are told together is decided in [`crate::burst`]. What failed in them has no place
//! here: a run that fails gets a message of its own.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::announce::{Announcement, CommandLine, MAX_COMMAND, Mood};
use crate::burst::{Likeness, MOST_COMMANDS, MOST_MISSED};
use crate::run::{Run, RunKind, RunStatus};

use super::{
    Context, Labelled, byline_of, called, counted, cut, elapsed, mood, person, place, some_of,
    tally,
};

/// Longest command of one that stands among others, in characters.
const MAX_LINE: usize = 160;
/// Most lines about what is too much to be told one by one.
const MOST_FOLDED: usize = 20;
/// What is to be known of what was found afterwards.
const FOUND: &str =
    "found in the job cache, which knows no runners that had not ended, and no other events";
/// How many people are named.
const PEOPLE: usize = 3;

/// How several runs are told in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// As they happen.
    News,
    /// Long after they happened: with the time, and a line for each, though it be one.
    Late,
    /// They happened while we were blind, and were found afterwards: likewise.
    Missed(Missed),
}

/// The time of which a back-fill found runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Somebody asked for it; else it was a gap.
    pub asked: bool,
}

/// What is said of several runs, the oldest first.
pub fn announce_together(
    runs: &[Run],
    telling: Telling,
    context: Context<'_>,
) -> Option<Announcement> {
    let is_late = telling != Telling::News;
    let groups = alike(runs);
    let whole = merged(runs)?;
    let context = &context.labelled(runs);
    // Of a failure in it only its own message tells.
    let user = whole.head.user.as_deref();
    let user = user.filter(|_| runs.iter().all(|run| person(run) == person(&whole)));
    let announcement = Announcement {
        mood: mood(&whole),
        command: String::new(),
        byline: String::new(),
        tally: String::new(),
        finished: whole.status != RunStatus::Running,
        details: Vec::new(),
        details_left_out: 0,
        commands: Vec::new(),
        commands_left_out: 0,
        // Nobody is called for what was over before anybody could be.
        mention: context
            .names
            .mention(user, Mood::Running)
            .filter(|_| !matches!(telling, Telling::Missed(_))),
    };
    Some(match groups.as_slice() {
        [_] if !is_late => Announcement {
            command: cut(&whole.head.command, MAX_COMMAND),
            byline: byline_of(&whole, &[counted(runs.len() as u64, "run")], context),
            tally: tally(&whole, context),
            ..announcement
        },
        groups => {
            let (shown, rest) = groups.split_at(groups.len().min(MOST_COMMANDS));
            let folded = by_function(rest);
            Announcement {
                byline: many(runs, telling, context),
                tally: match telling {
                    Telling::Missed(_) => FOUND.to_owned(),
                    Telling::News | Telling::Late => ends(runs),
                },
                commands: shown
                    .iter()
                    .filter_map(|group| {
                        let line = line(group, None, context)?;
                        Some(if is_late { with_time(line, group) } else { line })
                    })
                    .chain(
                        folded
                            .iter()
                            .take(MOST_FOLDED)
                            .filter_map(|(fun, group)| line(group, Some(fun), context)),
                    )
                    .collect(),
                commands_left_out: folded
                    .iter()
                    .skip(MOST_FOLDED)
                    .map(|(_, group)| group.len())
                    .sum(),
                ..announcement
            }
        }
    })
}

/// What is too much to be told one by one: by its functions and who ran them.
fn by_function<'a>(groups: &[Vec<&'a Run>]) -> Vec<(String, Vec<&'a Run>)> {
    let mut folded: Vec<(String, Vec<&Run>)> = Vec::new();
    for run in groups.iter().flatten() {
        let fun = run.head.funs.join(",");
        let fits = |(known, group): &&mut (String, Vec<&Run>)| {
            *known == fun && group.first().is_some_and(|first| person(first) == person(run))
        };
        match folded.iter_mut().find(fits) {
            Some((_, group)) => group.push(run),
            None => folded.push((fun, vec![run])),
        }
    }
    folded
}

/// The runs by their likeness, in order of each one's first.
fn alike(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    let mut places = HashMap::new();
    for run in runs {
        let place = *places.entry(Likeness::of(&run.head)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups
}

/// All as one: it runs while one does, and ends as its worst did.
fn merged<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Option<Run> {
    let mut runs = runs.into_iter();
    let mut whole = runs.next()?.clone();
    for run in runs {
        whole.tally.merge(&run.tally);
        whole.own_failure |= run.own_failure;
        whole.flags.extend(run.flags.iter().copied());
        whole.collides_with.extend(run.collides_with.iter().cloned());
        whole.started_at = whole.started_at.min(run.started_at);
        whole.finished_at = whole.finished_at.max(run.finished_at);
        whole.status = worse(whole.status, run.status);
    }
    if whole.status == RunStatus::Running {
        whole.finished_at = None;
    }
    Some(whole)
}

fn worse(one: RunStatus, other: RunStatus) -> RunStatus {
    let badness = |status: &RunStatus| match status {
        RunStatus::Succeeded => 0,
        RunStatus::Incomplete => 1,
        RunStatus::Failed => 2,
        RunStatus::Running => 3,
    };
    std::cmp::max_by_key(one, other, badness)
}

/// `While nothing could be said here, 22 Nov 14:02 to 14:09 UTC`
fn while_away(runs: &[Run]) -> String {
    let began = runs.iter().map(|run| run.started_at);
    let (Some(from), Some(to)) = (began.clone().min(), began.max()) else { return String::new() };
    format!("While nothing could be said here, {}", between(from, to))
}

/// `While I was away, 22 Nov 14:02 to 14:09 UTC: 3 runs, 1 failed`
fn while_blind(missed: Missed, runs: &[Run]) -> String {
    let what = if missed.asked { "Back-filled" } else { "While I was away" };
    let count = |status| runs.iter().filter(|run| run.status == status).count();
    let mut counts = counted(runs.len() as u64, "run");
    for (status, word) in [
        (RunStatus::Failed, "failed"),
        (RunStatus::Incomplete, "without all answers"),
        (RunStatus::Running, "running"),
    ] {
        if count(status) > 0 {
            counts.push_str(&format!(", {} {word}", count(status)));
        }
    }
    // So many were not all that was found, unless by chance.
    let more = if runs.len() >= MOST_MISSED { ", and more in the next message" } else { "" };
    format!("{what}, {}: {counts}{more}", between(missed.from, missed.to))
}

/// `22 Nov 14:02 to 14:09 UTC`
pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    let [day, until_day] = [from, to].map(|at| at.strftime("%-d %b").to_string());
    let [from, to] = [from, to].map(|at| at.strftime("%H:%M").to_string());
    let until = match (day == until_day, from == to) {
        (true, true) => String::new(),
        (true, false) => format!(" to {to}"),
        (false, _) => format!(" to {until_day} {to}"),
    };
    format!("{day} {from}{until} UTC")
}

fn with_time(line: CommandLine, group: &[&Run]) -> CommandLine {
    let Some(first) = group.first() else { return line };
    let note = format!("{} · {}", first.started_at.strftime("%H:%M"), line.note);
    CommandLine { note, ..line }
}

/// `41 runs · alice, bob · prod · 12 s`
fn many(runs: &[Run], telling: Telling, context: &Labelled<'_>) -> String {
    let mut people: Vec<String> = Vec::new();
    for run in runs {
        let person = called(run, context.names);
        if !people.contains(&person) {
            people.push(person);
        }
    }
    let more = people.len().saturating_sub(PEOPLE);
    people.truncate(PEOPLE);
    let named = people.join(", ");
    let mut parts = Vec::new();
    match telling {
        Telling::News => {}
        Telling::Late => parts.push(while_away(runs)),
        Telling::Missed(missed) => parts.push(while_blind(missed, runs)),
    }
    parts.extend(
        (!matches!(telling, Telling::Missed(_))).then(|| counted(runs.len() as u64, "run")),
    );
    parts.push(if more > 0 { format!("{named} and {more} more") } else { named });
    parts.extend(context.master.map(str::to_owned));
    let whole = merged(runs).filter(|_| telling == Telling::News);
    if let Some((run, at)) = whole.as_ref().and_then(|run| Some((run, run.finished_at?))) {
        parts.push(elapsed(at.duration_since(run.started_at).unsigned_abs()));
    }
    parts.join(" · ")
}

/// `3 running · 36 succeeded · 2 failed`
fn ends(runs: &[Run]) -> String {
    let words = [
        (RunStatus::Running, "running"),
        (RunStatus::Succeeded, "succeeded"),
        (RunStatus::Failed, "failed"),
        (RunStatus::Incomplete, "without all answers"),
    ];
    let counts = words.iter().filter_map(|(status, word)| {
        let count = runs.iter().filter(|run| run.status == *status).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    counts.collect::<Vec<_>>().join(" · ")
}

/// One line: a command, or only its function where there are too many.
fn line(group: &[&Run], fun: Option<&str>, context: &Labelled<'_>) -> Option<CommandLine> {
    let whole = merged(group.iter().copied())?;
    let mut note = Vec::new();
    match (fun, group.len()) {
        (Some(_), count) => note.push(format!("{count} more")),
        (None, 1) => {}
        (None, count) => note.push(format!("×{count}")),
    }
    note.push(called(&whole, context.names));
    if !matches!(whole.head.kind, RunKind::Runner | RunKind::Wheel) {
        note.extend(place(&whole, context));
    }
    if !whole.tally.failed.is_empty() {
        let failed = &whole.tally.failed;
        note.push(format!("{} failed ({})", failed.len(), some_of(failed, context)));
    }
    if !whole.tally.silent.is_empty() {
        note.push(format!("{} never answered", whole.tally.silent.len()));
    }
    Some(CommandLine {
        mood: mood(&whole),
        command: cut(fun.unwrap_or(&whole.head.command), MAX_LINE),
        note: note.join(" · "),
    })
}
