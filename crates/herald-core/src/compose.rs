//! From a run to what is said of it. Three calm lines; everything else goes into the thread.
//!
//! Pure: the same run gives the same words, and no clock is read. What the words look like in a
//! chat is the sink's matter.

mod alarm;
mod notice;
mod together;

use std::time::Duration;

pub use alarm::alarm;
pub use notice::{
    checkpoint_news, checkpoint_thread, given_up, not_known, not_told, not_yet_recorded,
    quick_again, slow, unusable, unwritable, usable_again, written_again,
};
pub use together::{Missed, Telling, announce_together};

use salt_event::states::is_state_function;

use crate::announce::{Announcement, Detail, MAX_COMMAND, MAX_DETAIL_TEXT, MAX_DETAILS, Mood};
use crate::minions::{MinionNo, MinionSet, Minions};
use crate::names::{Labels, Names};
use crate::run::{Flag, Run, RunKind, RunStatus};

/// What is known beside the run.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// How this master is called, where there is more than one.
    pub master: Option<&'a str>,
    /// The names of the minions.
    pub minions: &'a Minions,
    /// How they and people are called.
    pub names: &'a Names,
}

/// The same with what minions are called in this message.
struct Labelled<'a> {
    master: Option<&'a str>,
    minions: &'a Minions,
    names: &'a Names,
    labels: Labels<'a>,
}

impl<'a> Context<'a> {
    fn labelled(self, runs: &'a [Run]) -> Labelled<'a> {
        let sets = runs.iter().flat_map(|run| [&run.tally.expected, &run.tally.missing]);
        let labels = Labels::new(self.names, self.minions, sets);
        Labelled { master: self.master, minions: self.minions, names: self.names, labels }
    }
}

/// One failure with all minions on which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// What failed: `nginx (service.running) in web.nginx`.
    pub title: String,
    /// Some of the minions, in the order of the alphabet.
    pub minions: Vec<String>,
    /// How many minions in all.
    pub count: u64,
    /// What Salt said.
    pub text: String,
    /// It failed only because something else did.
    pub follows: bool,
}

/// How many minions are named before they are only counted.
const NAMED: usize = 3;

/// What is said of a run.
pub fn announce(run: &Run, failures: &[FailureGroup], context: Context<'_>) -> Announcement {
    let context = &context.labelled(std::slice::from_ref(run));
    let mood = mood(run);
    Announcement {
        mood,
        command: cut(&run.head.command, MAX_COMMAND),
        byline: byline_of(run, &[], context),
        tally: tally(run, context),
        finished: run.status != RunStatus::Running,
        details: details(failures, context),
        details_left_out: failures.len().saturating_sub(MAX_DETAILS),
        commands: Vec::new(),
        commands_left_out: 0,
        mention: context.names.mention(run.head.user.as_deref(), mood),
    }
}

/// What is said of quiet runs that failed, told together: the first one stands for all.
pub fn announce_quiet(
    runs: &[Run],
    failures: &[FailureGroup],
    context: Context<'_>,
) -> Option<Announcement> {
    let first = runs.first()?;
    if runs.len() == 1 {
        return Some(announce(first, failures, context));
    }
    let context = &context.labelled(runs);
    let mut failed = MinionSet::new();
    runs.iter().for_each(|run| failed |= &run.tally.failed);
    let is_one = runs.iter().all(|run| person(run) == person(first));
    let who = match first.head.kind {
        RunKind::Scheduled => "scheduled".to_owned(),
        _ if !is_one => "several users".to_owned(),
        _ => called(first, context.names),
    };
    let user = first.head.user.as_deref().filter(|_| is_one);
    let mut byline = vec![who, format!("{} runs", runs.len())];
    byline.extend(context.master.map(str::to_owned));
    let tally = match failed.len() {
        // Runners fail by themselves.
        0 => "failed".to_owned(),
        count => format!("failed on {} ({})", counted(count, "minion"), some_of(&failed, context)),
    };
    Some(Announcement {
        mood: Mood::Failed,
        command: cut(&first.head.command, MAX_COMMAND),
        byline: byline.join(" · "),
        tally,
        finished: true,
        details: details(failures, context),
        details_left_out: failures.len().saturating_sub(MAX_DETAILS),
        commands: Vec::new(),
        commands_left_out: 0,
        mention: context.names.mention(user, Mood::Failed),
    })
}

/// The state of a run, as one symbol says it.
pub fn mood(run: &Run) -> Mood {
    match run.status {
        RunStatus::Running => Mood::Running,
        RunStatus::Failed => Mood::Failed,
        RunStatus::Incomplete => Mood::Silent,
        RunStatus::Succeeded
            if run.tally.changed.is_empty() && run.tally.would_change.is_empty() =>
        {
            Mood::Good
        }
        RunStatus::Succeeded => Mood::Changed,
    }
}

/// Who, then what else there is to say of it, where, and how long it took.
fn byline_of(run: &Run, more: &[String], context: &Labelled<'_>) -> String {
    let mut parts = vec![called(run, context.names)];
    // `salt --metadata` looks the same.
    parts.extend(run.flags.contains(&Flag::Api).then(|| "API (by its metadata)".to_owned()));
    parts.extend(more.iter().cloned());
    parts.extend(place(run, context));
    parts.extend(context.master.map(str::to_owned));
    parts.extend(is_inexact(run).then(|| "inexact command".to_owned()));
    if let Some(finished) = run.finished_at.filter(|_| is_timed(run)) {
        let took = elapsed(finished.duration_since(run.started_at).unsigned_abs());
        let given_up = run.status == RunStatus::Incomplete && !run.tally.silent.is_empty();
        parts.push(if given_up { format!("given up after {took}") } else { took });
    }
    parts.join(" · ")
}

/// Whether it is worth a word that the command is not exact: not where the line itself says what is
/// unknown, or that there is no program for it.
fn is_inexact(run: &Run) -> bool {
    run.flags.contains(&Flag::Inexact)
        && !run.flags.contains(&Flag::NoStart)
        && !matches!(run.head.kind, RunKind::Ssh | RunKind::Wheel)
}

/// Whether it is known how long it took: of what is known by its return alone, only as far as its
/// states say.
fn is_timed(run: &Run) -> bool {
    let is_lone = matches!(run.head.kind, RunKind::Local | RunKind::Scheduled);
    !is_lone || run.finished_at.is_some_and(|at| at > run.started_at)
}

/// Who ran it, by the name that the config gives them.
fn called(run: &Run, names: &Names) -> String {
    match run.head.user.as_deref() {
        Some(user) => said_to_be(run, names.of_user(user)),
        None => person(run),
    }
}

/// Who ran it, never more certain than the bus is.
pub fn person(run: &Run) -> String {
    match (&run.head.user, run.head.kind, &run.head.schedule) {
        (Some(user), ..) => said_to_be(run, user),
        (None, _, Some(schedule)) => format!("schedule {schedule}"),
        (None, RunKind::Scheduled, None) => "a schedule".to_owned(),
        (None, RunKind::Local, _) => "salt-call".to_owned(),
        (None, ..) => "unknown user".to_owned(),
    }
}

/// A name is a claim like all that is on the bus; where the master's job cache contradicts it, that is said.
fn said_to_be(run: &Run, user: &str) -> String {
    let is_claim = [Flag::Unconfirmed, Flag::NotPublished].iter().any(|it| run.flags.contains(it));
    if is_claim { format!("said to be {user}") } else { user.to_owned() }
}

fn place(run: &Run, context: &Labelled<'_>) -> Option<String> {
    let expected = &run.tally.expected;
    match (run.head.kind, expected.len()) {
        (RunKind::Runner, 0) => Some("runner".to_owned()),
        (RunKind::Wheel, 0) => Some("wheel".to_owned()),
        (RunKind::Orchestration, 0) => Some("orchestration".to_owned()),
        (_, 0) => None,
        (_, 1) => expected.min().map(|minion| label(minion, context)),
        (_, count) => Some(counted(count, "minion")),
    }
}

fn tally(run: &Run, context: &Labelled<'_>) -> String {
    let tally = &run.tally;
    let mut parts = Vec::new();
    let named = |set: &MinionSet, what: &str| {
        (!set.is_empty()).then(|| format!("{} {what} ({})", set.len(), some_of(set, context)))
    };
    if run.status == RunStatus::Running && !tally.expected.is_empty() {
        parts.push(format!("{} of {} returned", tally.returned.len(), tally.expected.len()));
    }
    if run.own_failure && tally.failed.is_empty() {
        parts.push("failed".to_owned());
    }
    parts.extend(named(&tally.failed, "failed"));
    parts.extend(changes(run));
    parts.extend(named(&tally.silent, "never answered"));
    parts.extend(named(&tally.missing, "no such minion"));
    if run.status == RunStatus::Incomplete && parts.is_empty() {
        parts.push("its end was not seen".to_owned());
    }
    parts.extend(warnings(run));
    parts.join(" · ")
}

fn changes(run: &Run) -> Vec<String> {
    let tally = &run.tally;
    let changed = (&tally.changed - &tally.failed).len();
    let would = (&(&tally.would_change - &tally.changed) - &tally.failed).len();
    let rest = tally.succeeded().saturating_sub(changed + would);
    let mut parts = Vec::new();
    if changed > 0 {
        parts.push(format!("{changed} changed"));
    }
    if would > 0 {
        parts.push(format!("{would} would change"));
    }
    let is_states = run.head.kind == RunKind::Orchestration
        || run.head.funs.iter().any(|fun| is_state_function(fun));
    if rest > 0 && run.status != RunStatus::Running {
        parts.push(format!("{rest} {}", if is_states { "unchanged" } else { "succeeded" }));
    }
    parts
}

fn warnings(run: &Run) -> Vec<String> {
    let mut parts = Vec::new();
    if run.said && run.told_with.is_some_and(|with| with != run.id) {
        parts.push("part of an orchestration".to_owned());
    }
    if let Some(jid) = run.collides_with.iter().next() {
        parts.push(format!("met a state run that was there already ({jid})"));
    }
    for (flag, text) in [
        (Flag::NotPublished, "forged: the master published no such job"),
        (Flag::Unconfirmed, "not in the master's job cache: who sent it is not known"),
        (Flag::FalseReturn, "a return is not borne out by the master's job cache"),
        (Flag::Forged, "a minion fired events in its name"),
        (Flag::NoStart, "its start was not seen"),
        (Flag::Syndic, "through a syndic"),
        (Flag::Gap, "not seen in full"),
        (Flag::Conflict, "its jid was used twice"),
    ] {
        let is_mended = flag == Flag::Gap && run.flags.contains(&Flag::Mended);
        if run.flags.contains(&flag) && !is_mended {
            parts.push(text.to_owned());
        }
    }
    parts
}

fn details(failures: &[FailureGroup], context: &Labelled<'_>) -> Vec<Detail> {
    let labels = |ids: &[String]| ids.iter().map(|id| context.labels.of(id).to_owned()).collect();
    let detail = |failure: &FailureGroup| Detail {
        title: cut(&failure.title, 200),
        minions: listed(labels(&failure.minions), failure.count),
        text: cut(failure.text.trim(), MAX_DETAIL_TEXT),
    };
    failures.iter().take(MAX_DETAILS).map(detail).collect()
}

/// Puts the most useful first: what failed by itself, and on the most minions.
pub fn sort_failures(failures: &mut [FailureGroup]) {
    failures.sort_by(|a, b| {
        (a.follows, std::cmp::Reverse(a.count), &a.title).cmp(&(
            b.follows,
            std::cmp::Reverse(b.count),
            &b.title,
        ))
    });
}

fn label(minion: MinionNo, context: &Labelled<'_>) -> String {
    context.labels.of(context.minions.name(minion)).to_owned()
}

fn some_of(set: &MinionSet, context: &Labelled<'_>) -> String {
    // Sorting all of a large fleet for three names would be waste: a large set is named by number.
    let names: Vec<String> = if set.len() <= 1000 {
        let names = context.minions.names(set).into_iter().take(NAMED);
        names.map(|id| context.labels.of(id).to_owned()).collect()
    } else {
        set.iter().take(NAMED).map(|minion| label(minion, context)).collect()
    };
    listed(names, set.len())
}

/// `web1, web2, web3 and 34 more`.
fn listed(mut names: Vec<String>, count: u64) -> String {
    names.truncate(NAMED);
    let (shown, left) = (&names, count.saturating_sub(names.len() as u64));
    let shown = shown.join(", ");
    if left > 0 { format!("{shown} and {left} more") } else { shown }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A time span as people say it.
pub fn elapsed(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// At most so many characters, with a mark where something is missing.
fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}
