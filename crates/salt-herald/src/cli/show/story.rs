//! The whole story of a run, for people. Pure.
//!
//! What one minion returned in full is [`super::states`]'.

use herald_core::announce::Mood;
use herald_core::compose::{FailureGroup, mood, person};
use herald_core::literal;
use herald_core::minions::{MinionNo, MinionSet, Minions};
use herald_core::run::{Flag, Job, Run, RunStatus, Standing};

use super::super::output::View;
use super::super::row::{BOLD, DIM, counts, local, pad, style, symbol, took};
use super::gather::{Group, Story, told_duration};
use super::indented;
use crate::store::{Delivery, DeliveryState, Returned};

/// Minions that are listed of each kind; the rest is counted.
const MAX_LISTED: usize = 50;
/// Lines of a comment, of changes or of an output.
const MAX_LINES: usize = 40;

/// The text.
pub(super) fn text(story: &Story<'_>, minions: &Minions, view: &View) -> String {
    let mut text = head(story.run, story.jobs, minions, view);
    text.push_str(&jobs(story.jobs, view));
    text.push_str(&each_minion(story, minions));
    text.push_str(&failures(&story.failures));
    text.push_str(&groups("changed", &story.changes, minions));
    text.push_str(&groups("returned", &story.outputs, minions));
    if story.is_cut {
        text.push_str(&format!(
            "\n{DIM}more than is shown here: show … --minion ID, or --json{DIM:#}\n"
        ));
    }
    text.push_str(&deliveries(&story.deliveries, view));
    text
}

fn heading(what: &str) -> String {
    format!("\n{BOLD}{what}{BOLD:#}\n")
}

fn head(run: &Run, jobs: &[Job], minions: &Minions, view: &View) -> String {
    let command = literal::line(&run.head.command);
    let mut text = format!("{} {BOLD}{command}{BOLD:#}\n", symbol(mood(run)));
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {DIM}{label:<8}{DIM:#}{value}\n"));
        }
    };
    let counts = counts(run, minions);
    line("status", run.status.name());
    line("counts", &counts);
    line("by", &literal::line(&person(run)));
    line("began", &local(run.started_at, view));
    let took = took(run, view);
    match run.finished_at {
        Some(at) => line("ended", &format!("{}, after {took}", local(at, view))),
        None => line("runs", &took),
    }
    line("target", &target(run));
    line("kind", &kind(run));
    line("proof", proof(jobs));
    let metadata = run.head.metadata.as_ref().map(|value| crate::json::of(value).to_string());
    line("meta", &literal::line(&metadata.unwrap_or_default()));
    let run_jids: Vec<String> = jobs.iter().take(1).map(|job| literal::line(&job.jid)).collect();
    line("jid", &run_jids.concat());
    line("run", &run.id.0.to_string());
    for flag in &run.flags {
        line("note", flag_in_words(*flag));
    }
    let met: Vec<String> = run.collides_with.iter().map(|jid| literal::line(jid)).collect();
    if !met.is_empty() {
        line("met", &format!("state run {}", met.join(", ")));
    }
    text
}

fn target(run: &Run) -> String {
    let head = &run.head;
    if head.tgt.is_empty() {
        return String::new();
    }
    let asked = match run.tally.expected.len() {
        1 => "1 minion".to_owned(),
        count => format!("{count} minions"),
    };
    format!("{} ({}), {asked}", literal::line(&head.tgt), literal::line(&head.tgt_type))
}

fn kind(run: &Run) -> String {
    let mut kind = run.head.kind.name().replace('_', " ");
    if run.head.test {
        kind.push_str(", test only");
    }
    if !run.said {
        kind.push_str(", quiet");
    }
    kind
}

/// What the master's job cache says of it; what it says against it is a note.
fn proof(jobs: &[Job]) -> &'static str {
    let is_confirmed =
        |job: &Job| matches!(job.standing, Some(Standing::Confirmed | Standing::ConfirmedLate));
    match jobs.iter().filter(|job| is_confirmed(job)).count() {
        0 => "",
        count if count == jobs.len() => "confirmed by the master's job cache",
        _ => "confirmed in part by the master's job cache",
    }
}

/// What a flag means.
fn flag_in_words(flag: Flag) -> &'static str {
    match flag {
        Flag::NoStart => "its start was not seen: who ran it, and on which minions, is not known",
        Flag::Inferred => "what holds its jobs together was inferred",
        Flag::Collision => "Salt refused it where another state run was running",
        Flag::LateReturn => "a minion returned after it was taken for ended",
        Flag::UnaskedReturn => "a minion returned that was not known to be asked",
        Flag::Gap => "we were blind while it ran: what the job cache did not tell is missing here",
        Flag::Trimmed => "Salt left something out of an event because it was too large",
        Flag::Conflict => "its jid was published again with other contents",
        Flag::FalseReturn => {
            "a return in it is not borne out by the master's job cache: somebody made it up"
        }
        Flag::Forged => "a minion fired events of its own under its jid",
        Flag::Inexact => "the command is inexact: pasted, it would not do quite the same",
        Flag::Api => "it bears metadata: an API client sent it, or salt --metadata",
        Flag::Syndic => {
            "a syndic passed it on: to here from above, whose people are not named here, or from below"
        }
        Flag::Unconfirmed => {
            "the master's job cache does not hold it: who sent it is not known, whoever it names"
        }
        Flag::NotPublished => "forged: the master published no such job",
        Flag::Backfilled => {
            "looked up in the master's job cache, after a time in which we were blind"
        }
        Flag::Scrubbed => {
            "something secret was taken out of it afterwards: salt-herald verify says when and why"
        }
        Flag::Mended => "of the times in which we were blind, the job cache told all that it kept",
    }
}

fn jobs(jobs: &[Job], view: &View) -> String {
    if jobs.len() < 2 {
        return String::new();
    }
    let mut text = heading(&format!("{} jobs", jobs.len()));
    for job in jobs.iter().take(MAX_LISTED) {
        let returned = match (job.returns_itself, job.ended) {
            (true, true) => "returned".to_owned(),
            (true, false) => "runs".to_owned(),
            (false, _) => {
                format!("{} of {} returned", job.tally.returned.len(), job.tally.expected.len())
            }
        };
        text.push_str(&format!(
            "  {}  {}  {}  {returned}\n",
            local(job.started_at, view),
            literal::line(&job.jid),
            literal::line(&job.funs.join(",")),
        ));
    }
    more(jobs.len(), &mut text);
    text
}

fn more(count: usize, text: &mut String) {
    if count > MAX_LISTED {
        text.push_str(&format!("  … and {} more\n", count - MAX_LISTED));
    }
}

/// The returns, those that failed first, and who gave none.
fn each_minion(story: &Story<'_>, minions: &Minions) -> String {
    let mut kinds: [Vec<&Returned>; 3] = Default::default();
    for returned in &story.returns {
        let kind = match (returned.failed, returned.changed) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        kinds.get_mut(kind).into_iter().for_each(|kind| kind.push(returned));
    }
    let name_of = |returned: &Returned| match returned.minion {
        Some(minion) => literal::line(minions.name(minion)),
        None => "(master)".to_owned(),
    };
    let tally = &story.run.tally;
    let width = story
        .returns
        .iter()
        .map(|returned| name_of(returned).chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    let is_test = story.run.head.test;
    let changed = if is_test { "would change" } else { "changed" };
    let names = [(Mood::Failed, "failed"), (Mood::Changed, changed), (Mood::Good, "ok")];
    let mut text = String::new();
    for (kind, (mood, outcome)) in kinds.iter_mut().zip(names) {
        kind.sort_by_key(|returned| name_of(returned));
        for returned in kind.iter().take(MAX_LISTED) {
            let name = pad(&name_of(returned), width);
            text.push_str(&return_line(returned, story.jobs, mood, outcome, &name));
        }
        more(kind.len(), &mut text);
    }
    let waits = if story.run.status == RunStatus::Running {
        "has not returned yet"
    } else {
        "did not return"
    };
    for (set, mood, what) in [
        (&tally.waiting(), Mood::Running, waits),
        (&tally.silent, Mood::Silent, "never answered"),
        (&tally.missing, Mood::Silent, "no such minion"),
    ] {
        text.push_str(&absent(set, mood, what, minions, width));
    }
    if text.is_empty() {
        return text;
    }
    heading("minions") + &text
}

fn return_line(returned: &Returned, jobs: &[Job], mood: Mood, outcome: &str, name: &str) -> String {
    let mut parts = vec![outcome.to_owned()];
    if let Some(code) = returned.retcode.filter(|code| *code != 0) {
        parts.push(format!("retcode {code}"));
    }
    parts.extend(told_duration(returned.duration));
    let job = jobs.iter().find(|job| job.id == returned.job);
    if let Some(job) = job.filter(|_| jobs.len() > 1) {
        parts.push(literal::line(&job.funs.join(",")));
    }
    let style = style(mood);
    format!("  {style}{}{style:#} {name}  {}\n", mood.symbol(), parts.join(" · "))
}

/// Who gave no return, with its name as wide as those of the others.
fn absent(set: &MinionSet, mood: Mood, what: &str, minions: &Minions, width: usize) -> String {
    let names = minions.names(set);
    let mut text: String = names
        .iter()
        .take(MAX_LISTED)
        .map(|name| {
            let name = pad(&literal::line(name), width);
            format!("  {} {name}  {what}\n", symbol(mood))
        })
        .collect();
    more(names.len(), &mut text);
    text
}

fn failures(failures: &[FailureGroup]) -> String {
    if failures.is_empty() {
        return String::new();
    }
    let mut text = heading("failed");
    for failure in failures.iter().take(MAX_LISTED) {
        let shown = failure.minions.iter().map(|name| literal::line(name));
        let place = listed(shown.collect(), failure.count);
        let style = style(Mood::Failed);
        text.push_str(&format!(
            "  {style}{}{style:#} {}{place}\n",
            Mood::Failed.symbol(),
            literal::line(&failure.title)
        ));
        text.push_str(&indented::text(&failure.text, 6, MAX_LINES));
    }
    more(failures.len(), &mut text);
    text
}

fn groups(what: &str, groups: &[Group], minions: &Minions) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let mut text = heading(what);
    for group in groups {
        let names: Vec<String> = group
            .minions
            .iter()
            .take(MAX_LISTED)
            .map(|minion: MinionNo| literal::line(minions.name(minion)))
            .collect();
        let place = listed(names, group.minions.len());
        let test = if group.is_test { " (would)" } else { "" };
        let title = format!("{}{test}{place}", literal::line(&group.title));
        let title = title.trim_start_matches(": ");
        if !title.is_empty() {
            text.push_str(&format!("  {title}\n"));
        }
        text.push_str(&indented::value(&group.value, 6, MAX_LINES));
    }
    text
}

/// `: web1, web2 and 3 more`; nothing where there is no minion.
fn listed(mut names: Vec<String>, count: u64) -> String {
    if names.is_empty() {
        return String::new();
    }
    names.sort_unstable();
    names.truncate(8);
    let left = count.saturating_sub(names.len() as u64);
    match left {
        0 => format!(": {}", names.join(", ")),
        left => format!(": {} and {left} more", names.join(", ")),
    }
}

/// What was said where.
pub(in super::super) fn deliveries(deliveries: &[Delivery], view: &View) -> String {
    if deliveries.is_empty() {
        return String::new();
    }
    let mut text = heading("messages");
    for delivery in deliveries {
        let state = match delivery.state {
            DeliveryState::Said => "said",
            DeliveryState::GivenUp => "given up",
        };
        let why = match &delivery.error {
            Some(error) => format!(": {}", literal::line(error)),
            None => String::new(),
        };
        let with = match delivery.lead {
            Some(lead) if lead != delivery.run => format!(", in the message of run {}", lead.0),
            Some(_) => ", together with others".to_owned(),
            None => String::new(),
        };
        text.push_str(&format!(
            "  {}  {} {} {state}{with}{why}\n",
            local(delivery.at, view),
            literal::line(&delivery.sink),
            delivery.part.name(),
        ));
    }
    text
}
