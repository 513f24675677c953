//! What a channel would have heard in a time: counts by rule, by person and by minute, and what would
//! make it calmer.
//!
//! Counting and judging only: the runs were decided on by the ledger, and how this is shown is the
//! command line's matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use std::time::Duration;

use jiff::Timestamp;

use crate::burst::Likeness;
use crate::noise::Rule;
use crate::rehearsal::{Due, Message, rehearse};
use crate::run::RunId;

/// How a run is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Voice {
    /// It has a message.
    Said,
    /// It is quiet, but failed, and has a message by that.
    Told,
    /// It is quiet, but failed, and is told in another's message.
    ToldWith,
    /// Not at all.
    Quiet,
}

/// One run, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The run.
    pub run: RunId,
    /// What it is like.
    pub likeness: Likeness,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// Who, as messages name them.
    pub person: String,
    /// The user, if the master knows one.
    pub user: Option<String>,
    /// Its functions, with commas between.
    pub fun: String,
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
    /// Counts runs, in any order.
    pub fn of(seen: &[Seen], service: Service) -> Self {
        let quiet = seen.iter().filter(|run| run.voice == Voice::Quiet).count() as u64;
        let messages = messages(seen, service, |_| true);
        Self {
            runs: seen.len() as u64,
            said: seen.len() as u64 - quiet,
            quiet,
            rules: rules(seen),
            people: people(seen),
            busiest: busiest(&messages),
            advice: driver(seen, service).or_else(|| function(seen, &messages, service)),
            messages,
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
        at: match run.voice {
            Voice::Said => run.began,
            _ => run.ended.unwrap_or(run.began),
        },
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
    let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
    for run in seen {
        let (said, quiet) = counts.entry(&run.person).or_default();
        *(if run.voice == Voice::Quiet { quiet } else { said }) += 1;
    }
    let mut people: Vec<PersonCount> = counts
        .into_iter()
        .map(|(person, (said, quiet))| PersonCount { person: person.to_owned(), said, quiet })
        .collect();
    people.sort_by(|a, b| (b.said, b.quiet, &a.person).cmp(&(a.said, a.quiet, &b.person)));
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
    for run in seen.iter().filter(|run| run.fun != POLL) {
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
    let is_silenced = |run: &Seen| run.fun == fun && run.rule == Rule::MayChange && !run.failed;
    let left = messages(seen, service, |run| !is_silenced(run)).len();
    let dominates = count >= MANY && count * 2 >= all.len() as u64 && left < all.len();
    dominates.then(|| Advice::Function { fun: fun.to_owned(), messages: count, left: left as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(second: i64, user: &str, fun: &str, voice: Voice) -> Seen {
        let at = Timestamp::from_second(1_795_300_000 + second).unwrap();
        let head = crate::run::RunHead {
            kind: crate::run::RunKind::Command,
            user: Some(user.to_owned()),
            command: format!("salt web1 {fun} {second}"),
            funs: vec![fun.to_owned()],
            tgt: "web1".to_owned(),
            tgt_type: "glob".to_owned(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        };
        Seen {
            run: RunId(second as u64 * 1000 + fun.len() as u64 * 10 + user.len() as u64),
            likeness: Likeness::of(&head),
            began: at,
            ended: Some(at),
            person: user.to_owned(),
            user: Some(user.to_owned()),
            fun: fun.to_owned(),
            rule: if voice == Voice::Said { Rule::MayChange } else { Rule::ReadOnly },
            voice,
            failed: false,
            bad: false,
        }
    }

    const BOT: Service = Service { edits: true, slow_after: Duration::from_secs(60) };

    #[test]
    fn every_run_is_counted_once() {
        let mut seen = vec![
            run(0, "alice", "cmd.run", Voice::Said),
            run(1, "alice", "test.ping", Voice::Quiet),
            run(2, "bob", "cmd.run", Voice::Said),
            run(3, "bob", "state.apply", Voice::Said),
            run(61, "bob", "test.ping", Voice::Told),
            run(62, "carol", "test.ping", Voice::ToldWith),
        ];
        let survey = Survey::of(&seen, BOT);
        assert_eq!((survey.runs, survey.said, survey.quiet), (6, 5, 1));
        let told: usize = survey.messages.iter().map(|message| message.runs.len()).sum();
        assert_eq!(told, 4, "{:?}", survey.messages);
        let rules: Vec<_> =
            survey.rules.iter().map(|rule| (rule.voice, rule.rule, rule.runs)).collect();
        assert_eq!(
            rules,
            [
                (Voice::Said, Rule::MayChange, 3),
                (Voice::Told, Rule::ReadOnly, 2),
                (Voice::Quiet, Rule::ReadOnly, 1)
            ]
        );
        assert_eq!(survey.rules[0].funs[0], ("cmd.run".to_owned(), 2));
        let people: Vec<_> = survey
            .people
            .iter()
            .map(|person| (person.person.as_str(), person.said, person.quiet))
            .collect();
        assert_eq!(people, [("bob", 3, 0), ("alice", 1, 1), ("carol", 1, 0)]);
        assert_eq!(survey.busiest.map(|(_, count)| count), Some(3));
        seen.reverse();
        assert_eq!(Survey::of(&seen, BOT), survey);
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(Survey::of(&[], BOT), Survey::default());
    }

    /// So many runs, one each so many seconds.
    fn steady(count: i64, every: i64, user: &str) -> Vec<Seen> {
        (0..count).map(|n| run(n * every, user, "cmd.run", Voice::Said)).collect()
    }

    fn advice(seen: &[Seen]) -> Option<Advice> {
        Survey::of(seen, BOT).advice
    }

    #[test]
    fn a_service_is_known_by_its_steadiness() {
        let mut seen = steady(300, 20, "saltapi");
        seen.extend((0..20).map(|n| run(n * 100, "alice", "state.apply", Voice::Said)));
        // Polls are nobody's own.
        seen.extend((0..900).map(|n| run(n, "alice", POLL, Voice::Quiet)));
        let wanted =
            Advice::Service { user: "saltapi".to_owned(), percent: 93, per_hour: 180, left: 20 };
        assert_eq!(advice(&seen), Some(wanted));
        for (why, seen) in [
            ("one busy quarter of an hour is a person", steady(300, 3, "alice")),
            ("too seldom", steady(120, 90, "alice")),
            ("two busy times with a pause between", {
                let mut seen = steady(300, 3, "alice");
                seen.extend(steady(300, 3, "alice").into_iter().map(|mut run| {
                    run.began = run.began.checked_add(jiff::SignedDuration::from_hours(5)).unwrap();
                    run
                }));
                seen
            }),
            ("two share the work", {
                let mut seen = steady(300, 20, "alice");
                seen.extend(steady(100, 60, "bob"));
                seen
            }),
        ] {
            assert!(!matches!(advice(&seen), Some(Advice::Service { .. })), "{why}");
        }
        let quiet = steady(300, 20, "saltapi").into_iter();
        let quiet: Vec<Seen> = quiet.map(|run| Seen { voice: Voice::Quiet, ..run }).collect();
        assert_eq!(advice(&quiet), None, "it says nothing anyway");
    }

    #[test]
    fn a_function_that_dominates_is_named() {
        let mut seen: Vec<Seen> =
            (0..30).map(|n| run(n * 70, "alice", "cmd.run", Voice::Said)).collect();
        seen[0].failed = true;
        seen.extend((0..10).map(|n| run(n * 70 + 35, "bob", "state.apply", Voice::Said)));
        let wanted = Advice::Function { fun: "cmd.run".to_owned(), messages: 30, left: 11 };
        assert_eq!(advice(&seen), Some(wanted));
        assert_eq!(advice(&seen[..19]), None, "few need no advice");
    }
}
