//! What a channel would have heard in a time: counts by rule, by person and by minute, and what would
//! make it calmer.
//!
//! Counting and judging only: the runs were decided on by the ledger, and how this is shown is the
//! command line's matter.

mod ways;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use crate::burst::Likeness;
use crate::noise::Rule;
use crate::rehearsal::{Due, Message, rehearse};
use crate::run::RunId;

pub use ways::{Way, Ways};

/// How a run is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Voice {
    /// It has a message.
    Said,
    /// It is quiet, but failed, and has a message by that.
    Told,
    /// It is quiet, but failed, and is told in another's message.
    ToldWith,
    /// It would be heard of by all that, but the routes lead it elsewhere, or nowhere.
    Elsewhere,
    /// Not at all.
    Quiet,
}

/// One run, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The run.
    pub run: RunId,
    /// The run that the routes are asked about: it goes where that goes.
    pub leader: RunId,
    /// What it is like.
    pub likeness: Likeness,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// When there is something to say of it, if anything is said.
    pub heard_at: Timestamp,
    /// Who, as messages name them.
    pub person: Rc<str>,
    /// The user, if the master knows one.
    pub user: Option<Rc<str>>,
    /// Its functions, with commas between.
    pub fun: Rc<str>,
    /// What decided whether it is said.
    pub rule: Rule,
    /// How it is heard of.
    pub voice: Voice,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it failed, or somebody never answered.
    pub bad: bool,
}

/// How the channel is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Messages can be edited.
    pub edits: bool,
    /// Where they can't: an end is said when the run took longer.
    pub slow_after: Duration,
}

/// The runs of one rule that are heard of in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCount {
    /// The rule.
    pub rule: Rule,
    /// How they are heard of; [`Voice::Told`] counts those of [`Voice::ToldWith`], too.
    pub voice: Voice,
    /// How many.
    pub runs: u64,
    /// Their functions, the most frequent first.
    pub funs: Vec<(String, u64)>,
}

/// The runs of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonCount {
    /// Who, as messages name them.
    pub person: String,
    /// Those that are heard of, in a message of their own or in another's.
    pub said: u64,
    /// Those that the routes lead elsewhere.
    pub elsewhere: u64,
    /// Those that are not.
    pub quiet: u64,
}

/// What would make the channel calmer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// One user runs nearly everything, around the clock: an API drives this master.
    Service {
        /// The user.
        user: String,
        /// Their part of all runs, in percent.
        percent: u64,
        /// Their runs in an hour.
        per_hour: u64,
        /// Messages that would be left, at the most.
        left: u64,
    },
    /// One function makes most of the messages.
    Function {
        /// The function.
        fun: String,
        /// Its messages.
        messages: u64,
        /// Messages that would be left, at the most.
        left: u64,
    },
}

/// The whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// All runs.
    pub runs: u64,
    /// Runs that are heard of.
    pub said: u64,
    /// Runs that the routes lead elsewhere.
    pub elsewhere: u64,
    /// Runs that nobody hears of.
    pub quiet: u64,
    /// The messages, in the order of time.
    pub messages: Vec<Message>,
    /// What is said first, then the most frequent first.
    pub rules: Vec<RuleCount>,
    /// Who is heard most first.
    pub people: Vec<PersonCount>,
    /// The minute with the most messages, and how many.
    pub busiest: Option<(Timestamp, u64)>,
    /// What to do about it.
    pub advice: Option<Advice>,
}

/// So many runs are needed to know a service by them.
const SERVICE_RUNS: u64 = 100;
/// So many in an hour.
const SERVICE_PER_HOUR: u64 = 60;
/// Its part of all runs of users, in percent.
const SERVICE_PERCENT: u64 = 80;
/// Of the tenths of an hour between its first and its last run, it fills so many, in percent.
const SERVICE_STEADY: u64 = 75;
/// Fewer runs or messages than that need no advice.
const MANY: u64 = 20;

/// What salt's clients ask while they wait: nobody's own doing.
const POLL: &str = "saltutil.find_job";

impl Survey {
    /// Counts the runs of a channel, in any order.
    pub fn of(seen: &[Seen], service: Service) -> Self {
        let messages = messages(seen, service, |_| true);
        Self {
            busiest: busiest(&messages),
            advice: driver(seen, service).or_else(|| function(seen, &messages, service)),
            messages,
            ..Self::counts(seen)
        }
    }

    /// The same without messages: of several channels together.
    pub fn counts(seen: &[Seen]) -> Self {
        let count = |voice| seen.iter().filter(|run| run.voice == voice).count() as u64;
        let (runs, quiet, elsewhere) =
            (seen.len() as u64, count(Voice::Quiet), count(Voice::Elsewhere));
        Self {
            runs,
            said: runs - quiet - elsewhere,
            elsewhere,
            quiet,
            rules: rules(seen),
            people: people(seen),
            ..Self::default()
        }
    }
}

/// The messages of those runs that are wanted.
fn messages(seen: &[Seen], service: Service, is_wanted: impl Fn(&Seen) -> bool) -> Vec<Message> {
    let mut due: Vec<Due> = seen
        .iter()
        .filter(|run| matches!(run.voice, Voice::Said | Voice::Told) && is_wanted(run))
        .map(|run| due(run, service))
        .collect();
    due.sort_by_key(|due| (due.at, due.run));
    rehearse(&due, service.edits)
}

fn due(run: &Seen, service: Service) -> Due {
    let is_slow =
        |end: &Timestamp| end.duration_since(run.began).unsigned_abs() > service.slow_after;
    Due {
        run: run.run,
        at: run.heard_at,
        likeness: run.likeness,
        bad_at: run.ended.filter(|_| run.bad),
        ending_at: run.ended.filter(|end| run.bad || is_slow(end)),
    }
}

fn rules(seen: &[Seen]) -> Vec<RuleCount> {
    let mut counts: BTreeMap<(Voice, Rule), HashMap<&str, u64>> = BTreeMap::new();
    for run in seen {
        let voice = if run.voice == Voice::ToldWith { Voice::Told } else { run.voice };
        *counts.entry((voice, run.rule)).or_default().entry(&run.fun).or_default() += 1;
    }
    let mut rules: Vec<RuleCount> = counts
        .into_iter()
        .map(|((voice, rule), funs)| RuleCount {
            rule,
            voice,
            runs: funs.values().sum(),
            funs: sorted(funs),
        })
        .collect();
    rules.sort_by_key(|count| (count.voice, std::cmp::Reverse(count.runs), count.rule));
    rules
}

/// The most frequent first.
fn sorted(counts: HashMap<&str, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> =
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    counts.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    counts
}

fn people(seen: &[Seen]) -> Vec<PersonCount> {
    let mut counts: HashMap<&str, PersonCount> = HashMap::new();
    for run in seen {
        let count = counts.entry(&run.person).or_insert_with(|| PersonCount {
            person: run.person.as_ref().to_owned(),
            said: 0,
            elsewhere: 0,
            quiet: 0,
        });
        *(match run.voice {
            Voice::Quiet => &mut count.quiet,
            Voice::Elsewhere => &mut count.elsewhere,
            Voice::Said | Voice::Told | Voice::ToldWith => &mut count.said,
        }) += 1;
    }
    let mut people: Vec<PersonCount> = counts.into_values().collect();
    let rank = |count: &PersonCount| (count.said, count.elsewhere, count.quiet);
    people.sort_by(|a, b| (rank(b), &a.person).cmp(&(rank(a), &b.person)));
    people
}

fn busiest(messages: &[Message]) -> Option<(Timestamp, u64)> {
    let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
    for message in messages {
        *minutes.entry(message.at.as_second().div_euclid(60)).or_default() += 1;
    }
    // Of equals the first.
    let (minute, count) = minutes.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some((Timestamp::from_second(minute * 60).ok()?, count))
}

/// Whether one user drives this master by an API: nearly everything is theirs, and never a pause as
/// people make.
fn driver(seen: &[Seen], service: Service) -> Option<Advice> {
    let mut by_user: HashMap<&str, Vec<&Seen>> = HashMap::new();
    let mut all = 0;
    for run in seen.iter().filter(|run| run.fun.as_ref() != POLL) {
        if let Some(user) = &run.user {
            by_user.entry(user).or_default().push(run);
            all += 1;
        }
    }
    let (user, runs) = by_user.into_iter().max_by_key(|(user, runs)| (runs.len(), *user))?;
    let count = runs.len() as u64;
    let percent = count * 100 / all;
    let first = runs.iter().map(|run| run.began.as_second()).min()?;
    let last = runs.iter().map(|run| run.began.as_second()).max()?;
    let seconds = u64::try_from(last - first).ok().filter(|seconds| *seconds >= 3600)?;
    let per_hour = count * 3600 / seconds;
    let filled: BTreeSet<i64> =
        runs.iter().map(|run| (run.began.as_second() - first) / 360).collect();
    let steady = filled.len() as u64 * 100 / (seconds / 360 + 1);
    let is_silenced = |run: &Seen| {
        run.user.as_deref() == Some(user) && run.rule == Rule::MayChange && !run.failed
    };
    let silenced = runs.iter().filter(|run| run.voice == Voice::Said && is_silenced(run)).count();
    let is_service = count >= SERVICE_RUNS
        && percent >= SERVICE_PERCENT
        && per_hour >= SERVICE_PER_HOUR
        && steady >= SERVICE_STEADY
        && silenced as u64 >= MANY;
    is_service.then(|| Advice::Service {
        user: user.to_owned(),
        percent,
        per_hour,
        left: messages(seen, service, |run| !is_silenced(run)).len() as u64,
    })
}

/// The function that makes half of the messages or more.
fn function(seen: &[Seen], all: &[Message], service: Service) -> Option<Advice> {
    let by_id: HashMap<RunId, &Seen> = seen.iter().map(|run| (run.run, run)).collect();
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for message in all {
        let mut runs = message.runs.iter().filter_map(|run| by_id.get(run));
        let Some(first) = runs.next() else { continue };
        let is_its = |run: &Seen| run.rule == Rule::MayChange && run.fun == first.fun;
        // What several functions make together, no glob of one of them names.
        if is_its(first) && runs.all(|run| is_its(run)) && !first.fun.contains(',') {
            *counts.entry(&first.fun).or_default() += 1;
        }
    }
    let (fun, count) = counts.into_iter().max_by_key(|(fun, count)| (*count, *fun))?;
    let is_silenced =
        |run: &Seen| run.fun.as_ref() == fun && run.rule == Rule::MayChange && !run.failed;
    let left = messages(seen, service, |run| !is_silenced(run)).len();
    let dominates = count >= MANY && count * 2 >= all.len() as u64 && left < all.len();
    dominates.then(|| Advice::Function { fun: fun.to_owned(), messages: count, left: left as u64 })
}
