//! What a channel would have heard in a time: counts by rule, by person and by minute, and what would
//! make it calmer.
//!
//! Counting and judging only: the runs were decided on by the ledger, and how this is shown is the
//! command line's matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::noise::Rule;

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
    /// When it began.
    pub began: Timestamp,
    /// When its message would have been posted.
    pub said_at: Timestamp,
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
        /// Messages that would be left.
        left: u64,
    },
    /// One function makes most of the messages.
    Function {
        /// The function.
        fun: String,
        /// Its messages.
        messages: u64,
        /// Messages that would be left.
        left: u64,
    },
}

/// The whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// All runs.
    pub runs: u64,
    /// Messages in the channel.
    pub messages: u64,
    /// Runs that are told in the message of another.
    pub told_with: u64,
    /// Runs that nobody hears of.
    pub quiet: u64,
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
/// Fewer messages than that need no advice.
const MANY_MESSAGES: u64 = 20;

/// What salt's clients ask while they wait: nobody's own doing.
const POLL: &str = "saltutil.find_job";

impl Survey {
    /// Counts runs, in any order.
    pub fn of(seen: &[Seen]) -> Self {
        let count = |voice: Voice| seen.iter().filter(|run| run.voice == voice).count() as u64;
        let messages = count(Voice::Said) + count(Voice::Told);
        Self {
            runs: seen.len() as u64,
            messages,
            told_with: count(Voice::ToldWith),
            quiet: count(Voice::Quiet),
            rules: rules(seen),
            people: people(seen),
            busiest: busiest(seen),
            advice: service(seen, messages).or_else(|| function(seen, messages)),
        }
    }
}

fn has_message(run: &Seen) -> bool {
    matches!(run.voice, Voice::Said | Voice::Told)
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

fn busiest(seen: &[Seen]) -> Option<(Timestamp, u64)> {
    let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
    for run in seen.iter().filter(|run| has_message(run)) {
        *minutes.entry(run.said_at.as_second().div_euclid(60)).or_default() += 1;
    }
    // Of equals the first.
    let (minute, count) = minutes.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some((Timestamp::from_second(minute * 60).ok()?, count))
}

/// Whether one user drives this master by an API: nearly everything is theirs, and never a pause as
/// people make.
fn service(seen: &[Seen], messages: u64) -> Option<Advice> {
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
    let silenced = runs.iter().filter(|run| run.voice == Voice::Said && !run.failed);
    let silenced = silenced.filter(|run| run.rule == Rule::MayChange).count() as u64;
    let is_service = count >= SERVICE_RUNS
        && percent >= SERVICE_PERCENT
        && per_hour >= SERVICE_PER_HOUR
        && steady >= SERVICE_STEADY
        && silenced >= MANY_MESSAGES;
    is_service.then(|| Advice::Service {
        user: user.to_owned(),
        percent,
        per_hour,
        left: messages - silenced,
    })
}

/// The function that makes half of the messages or more.
fn function(seen: &[Seen], messages: u64) -> Option<Advice> {
    let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
    for run in seen.iter().filter(|run| run.voice == Voice::Said && run.rule == Rule::MayChange) {
        // What several functions make together, no glob of one of them names.
        if !run.fun.contains(',') {
            let (said, silenced) = counts.entry(&run.fun).or_default();
            *said += 1;
            *silenced += u64::from(!run.failed);
        }
    }
    let (fun, (said, silenced)) =
        counts.into_iter().max_by_key(|(fun, (said, _))| (*said, *fun))?;
    let dominates = said >= MANY_MESSAGES && said * 2 >= messages && silenced > 0;
    dominates.then(|| Advice::Function {
        fun: fun.to_owned(),
        messages: said,
        left: messages - silenced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(second: i64, user: &str, fun: &str, voice: Voice) -> Seen {
        let at = Timestamp::from_second(1_795_300_000 + second).unwrap();
        Seen {
            began: at,
            said_at: at,
            person: user.to_owned(),
            user: Some(user.to_owned()),
            fun: fun.to_owned(),
            rule: if voice == Voice::Said { Rule::MayChange } else { Rule::ReadOnly },
            voice,
            failed: false,
        }
    }

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
        let survey = Survey::of(&seen);
        let counts = (survey.runs, survey.messages, survey.told_with, survey.quiet);
        assert_eq!(counts, (6, 4, 1, 1));
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
        assert_eq!(Survey::of(&seen), survey);
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(Survey::of(&[]), Survey::default());
    }

    /// So many runs, one each so many seconds.
    fn steady(count: i64, every: i64, user: &str) -> Vec<Seen> {
        (0..count).map(|n| run(n * every, user, "cmd.run", Voice::Said)).collect()
    }

    fn advice(seen: &[Seen]) -> Option<Advice> {
        Survey::of(seen).advice
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
            (0..30).map(|n| run(n, "alice", "cmd.run", Voice::Said)).collect();
        seen[0].failed = true;
        seen.extend((0..10).map(|n| run(n, "bob", "state.apply", Voice::Said)));
        let wanted = Advice::Function { fun: "cmd.run".to_owned(), messages: 30, left: 11 };
        assert_eq!(advice(&seen), Some(wanted));
        assert_eq!(advice(&seen[..19]), None, "few need no advice");
    }
}
