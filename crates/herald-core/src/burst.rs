//! When several runs are told in one message: the same command again and again, or more commands at
//! once than a channel can take one by one.
//!
//! It decides which of the runs that wait are said next, and together with which. How often anything
//! may be said is the publisher's matter; what such a message reads like is [`crate::compose`]'s.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::run::{RunHead, RunId};

/// So many commands that wait are still said one by one.
pub const MOST_ALONE: usize = 2;
/// Most commands that stand in one message by themselves, and with which it takes up more.
pub const MOST_COMMANDS: usize = 50;
/// Most runs in one message.
pub const MOST_RUNS: usize = 1_000;
/// The same command joins its message for so long after the last that did.
pub const ALIKE_FOR: Duration = Duration::from_secs(60);
/// A message about many commands takes up more for so long after it was begun: it must not be
/// filled where nobody looks any more.
pub const MIXED_FOR: Duration = Duration::from_secs(30);
/// Most runs in the digest of what a back-fill found: they are read at once.
pub const MOST_MISSED: usize = 10_000;
/// Of what nothing could be said for so long it is old news.
pub const OLD_AFTER: Duration = Duration::from_secs(600);

/// What makes runs the same command by the same person, whatever it was aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Likeness(Digest);

impl Likeness {
    /// Of a run.
    pub fn of(head: &RunHead) -> Self {
        let user = head.user.as_deref().unwrap_or_default();
        let schedule = head.schedule.as_deref().unwrap_or_default();
        let parts = [user, schedule, head.kind.name(), deed(head)];
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&part.len().to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(Digest::of(&bytes))
    }
}

/// The command line from its functions on.
fn deed(head: &RunHead) -> &str {
    let funs = head.funs.join(",");
    let found = head.command.find(&format!(" {funs}"));
    found.and_then(|at| head.command.get(at..)).unwrap_or(&head.command)
}

/// A run of which nothing was said yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// What it is like.
    pub likeness: Likeness,
    /// When something last happened to it.
    pub news_at: Timestamp,
    /// It happened while we were blind, and this back-fill found it.
    pub missed: Option<u64>,
}

impl Waiting {
    fn is_old(&self, now: Timestamp) -> bool {
        now.duration_since(self.news_at).try_into().is_ok_and(|age: Duration| age > OLD_AFTER)
    }
}

/// A message that can take up more runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The first run in it.
    pub lead: RunId,
    /// What its runs are like, in order of their first.
    pub commands: Vec<Likeness>,
    /// It is about many commands; else it is one command's, and stays that.
    pub mixed: bool,
}

/// What to say next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// These, in a message of their own; mostly it is one.
    Post(Vec<RunId>),
    /// These, in a digest of old news.
    Late(Vec<RunId>),
    /// These, in a digest of what one back-fill found.
    Missed(Vec<RunId>),
    /// These, in a message that is there already.
    Join {
        /// The first run in it.
        lead: RunId,
        /// The runs that it takes up.
        runs: Vec<RunId>,
    },
}

/// What to say next of the runs that wait, the oldest first. `open` has the messages that can take
/// up more, the latest last. What was missed comes first, then what is old
/// news.
pub fn plan(waiting: &[Waiting], open: &[Open], now: Timestamp) -> Option<Plan> {
    let missed = missed(waiting);
    if !missed.is_empty() {
        return Some(Plan::Missed(missed));
    }
    let old = oldest(waiting, now);
    if !old.is_empty() {
        return Some(Plan::Late(old));
    }
    let groups = group(waiting);
    for (likeness, runs) in &groups {
        let fits = |message: &&Open| message.commands.contains(likeness);
        if let Some(message) = open.iter().rev().find(fits) {
            return Some(Plan::Join { lead: message.lead, runs: runs.clone() });
        }
    }
    let (_, first) = groups.first()?;
    if groups.len() <= MOST_ALONE {
        return Some(Plan::Post(first.clone()));
    }
    let has_room = |open: &&Open| open.commands.len() + groups.len() <= MOST_COMMANDS;
    let mixed = open.iter().rev().filter(|message| message.mixed).find(has_room);
    let runs = waiting.iter().map(|one| one.run).collect();
    Some(match mixed {
        Some(message) => Plan::Join { lead: message.lead, runs },
        None => Plan::Post(runs),
    })
}

/// What the first of the back-fills found.
fn missed(waiting: &[Waiting]) -> Vec<RunId> {
    let first = waiting.iter().filter_map(|one| one.missed).min();
    let found = waiting.iter().filter(|one| one.missed.is_some() && one.missed == first);
    found.take(MOST_MISSED).map(|one| one.run).collect()
}

/// The old news that go into one digest, so that each command has a line of its own.
fn oldest(waiting: &[Waiting], now: Timestamp) -> Vec<RunId> {
    let mut commands = HashSet::new();
    let old = waiting.iter().filter(|one| one.is_old(now));
    let fits = |one: &&Waiting| {
        commands.insert(one.likeness);
        commands.len() <= MOST_COMMANDS
    };
    old.take(MOST_RUNS).take_while(fits).map(|one| one.run).collect()
}

/// The runs by what they are like, in order of each one's first.
fn group(waiting: &[Waiting]) -> Vec<(Likeness, Vec<RunId>)> {
    let mut groups: Vec<(Likeness, Vec<RunId>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for one in waiting {
        let place = *places.entry(one.likeness).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, runs)) => runs.push(one.run),
            None => groups.push((one.likeness, vec![one.run])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunKind;
    use proptest::prelude::*;

    fn head(user: &str, tgt: &str, fun: &str) -> RunHead {
        RunHead {
            kind: RunKind::Command,
            user: Some(user.to_owned()),
            command: format!("salt {tgt} {fun} x"),
            funs: vec![fun.to_owned()],
            tgt: tgt.to_owned(),
            tgt_type: "glob".to_owned(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        }
    }

    fn like(number: u8) -> Likeness {
        Likeness(Digest::of(&[number]))
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn waiting(likes: &[u8]) -> Vec<Waiting> {
        let one = |(run, like_)| Waiting {
            run: RunId(run),
            likeness: like(like_),
            news_at: now(),
            missed: None,
        };
        (1..).zip(likes.iter().copied()).map(one).collect()
    }

    fn ids(runs: &[u64]) -> Vec<RunId> {
        runs.iter().copied().map(RunId).collect()
    }

    #[test]
    fn alike_is_the_same_deed_of_the_same_person_anywhere() {
        let one = Likeness::of(&head("alice", "web1", "state.apply"));
        assert_eq!(one, Likeness::of(&head("alice", "web2", "state.apply")));
        assert_ne!(one, Likeness::of(&head("bob", "web1", "state.apply")));
        assert_ne!(one, Likeness::of(&head("alice", "web1", "state.sls")));
    }

    #[test]
    fn one_or_two_commands_are_said_one_by_one() {
        assert_eq!(plan(&[], &[], now()), None);
        assert_eq!(plan(&waiting(&[1]), &[], now()), Some(Plan::Post(ids(&[1]))));
        assert_eq!(plan(&waiting(&[1, 2, 1]), &[], now()), Some(Plan::Post(ids(&[1, 3]))));
    }

    #[test]
    fn a_flood_is_one_message() {
        assert_eq!(plan(&waiting(&[1, 2, 1, 3]), &[], now()), Some(Plan::Post(ids(&[1, 2, 3, 4]))));
        let open = Open { lead: RunId(90), commands: vec![like(9)], mixed: true };
        let joined = Plan::Join { lead: RunId(90), runs: ids(&[1, 2, 3]) };
        assert_eq!(plan(&waiting(&[1, 2, 3]), &[open], now()), Some(joined));
    }

    #[test]
    fn the_same_again_joins_its_message() {
        let open = Open { lead: RunId(90), commands: vec![like(1)], mixed: false };
        let joined = Plan::Join { lead: RunId(90), runs: ids(&[2]) };
        assert_eq!(plan(&waiting(&[2, 1]), std::slice::from_ref(&open), now()), Some(joined));
        // Another command never joins a message that is one command's.
        assert_eq!(plan(&waiting(&[2, 3, 4]), &[open], now()), Some(Plan::Post(ids(&[1, 2, 3]))));
    }

    #[test]
    fn old_news_come_first_in_order_and_never_join() {
        let mut all = waiting(&[1, 2, 3]);
        all[0].news_at = now() - OLD_AFTER - Duration::from_secs(1);
        all[2].news_at = now() - OLD_AFTER - Duration::from_secs(3600);
        let open = Open { lead: RunId(90), commands: vec![like(1)], mixed: false };
        assert_eq!(plan(&all, &[open], now()), Some(Plan::Late(ids(&[1, 3]))));
        all[0].news_at = now() - OLD_AFTER;
        all[2].news_at = now() + OLD_AFTER * 2;
        assert_eq!(plan(&all, &[], now()), Some(Plan::Post(ids(&[1, 2, 3]))));
    }

    #[test]
    fn a_digest_of_old_news_has_a_line_for_each_command() {
        let likes: Vec<u8> = (0..120).chain(0..60).collect();
        let mut left = waiting(&likes);
        left.iter_mut().for_each(|one| one.news_at = now() - OLD_AFTER * 2);
        let mut counts = Vec::new();
        while let Some(Plan::Late(runs)) = plan(&left, &[], now()) {
            assert_eq!(runs[0], left[0].run, "in order");
            left.retain(|one| !runs.contains(&one.run));
            counts.push(runs.len());
        }
        assert_eq!(counts, [50, 50, 50, 30]);
    }

    #[test]
    fn a_full_message_takes_no_more_commands() {
        let full = Open {
            lead: RunId(90),
            commands: (100..98 + MOST_COMMANDS as u8).map(like).collect(),
            mixed: true,
        };
        assert_eq!(plan(&waiting(&[1, 2, 3]), &[full], now()), Some(Plan::Post(ids(&[1, 2, 3]))));
    }

    #[test]
    fn what_a_back_fill_found_is_one_digest_and_comes_first() {
        let mut all = waiting(&[1, 2, 3, 4]);
        (all[1].missed, all[3].missed) = (Some(9), Some(9));
        all[2].missed = Some(12);
        let runs = [all[1].run, all[3].run].to_vec();
        assert_eq!(plan(&all, &[], now()), Some(Plan::Missed(runs)));
        all.retain(|one| one.missed != Some(9));
        assert_eq!(plan(&all, &[], now()), Some(Plan::Missed(vec![all[1].run])));
    }

    proptest! {
        /// Whatever waits, taking one plan after the other says every run exactly once, and a flood
        /// takes few messages.
        #[test]
        fn everything_is_said_once(likes in prop::collection::vec(0u8..200, 0..300)) {
            let mut left = waiting(&likes);
            let mut said = Vec::new();
            let mut messages = 0;
            while let Some(Plan::Post(runs)) = plan(&left, &[], now()) {
                prop_assert!(!runs.is_empty());
                left.retain(|one| !runs.contains(&one.run));
                said.extend(runs);
                messages += 1;
            }
            said.sort_unstable();
            prop_assert_eq!(said, (1..=likes.len() as u64).map(RunId).collect::<Vec<_>>());
            prop_assert!(messages <= MOST_ALONE);
        }
    }
}
