//! How people and minions are called in messages, and whom a message may call.
//!
//! Messages only: the journal keeps users and ids as Salt gives them. What can make a mention comes
//! from the config alone; nothing that passes over the bus can.

use std::collections::BTreeMap;

use crate::announce::{Mention, Mood};
use crate::minions::{MinionSet, Minions};

/// All that is set about names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// People by the user that Salt names.
    pub people: BTreeMap<String, Person>,
    /// What is left out at the beginning of minions' ids.
    pub strip_prefix: Vec<String>,
    /// What is left out at their end.
    pub strip_suffix: Vec<String>,
}

/// Everybody and everything by the name that Salt knows.
pub static AS_THEY_ARE: Names =
    Names { people: BTreeMap::new(), strip_prefix: Vec::new(), strip_suffix: Vec::new() };

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name, where it is another than the user's.
    pub name: Option<String>,
    /// When a message may call them.
    pub mention: MentionRule,
}

/// When a message calls the person whose run it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MentionRule {
    /// Never.
    #[default]
    Never,
    /// When the run failed.
    OnFailure,
    /// With each run, and again when it failed.
    Always,
}

impl Names {
    /// How a user is called.
    pub fn of_user<'a>(&'a self, user: &'a str) -> &'a str {
        self.people.get(user).and_then(|person| person.name.as_deref()).unwrap_or(user)
    }

    /// Whom a message about this user's run calls.
    pub fn mention(&self, user: Option<&str>, mood: Mood) -> Option<Mention> {
        let user = user?;
        let always = match self.people.get(user)?.mention {
            MentionRule::Never => return None,
            MentionRule::OnFailure if mood != Mood::Failed => return None,
            MentionRule::OnFailure => false,
            MentionRule::Always => true,
        };
        Some(Mention { user: user.to_owned(), always })
    }

    /// A minion's id without what is to be left out: of all that fits, the longest. Never nothing.
    fn short<'a>(&self, id: &'a str) -> &'a str {
        let longest = |found: Option<&'a str>, next: &'a str| match found {
            Some(found) if found.len() <= next.len() => Some(found),
            _ => Some(next),
        };
        let without = self
            .strip_suffix
            .iter()
            .filter_map(|suffix| id.strip_suffix(suffix.as_str()))
            .filter(|rest| !rest.is_empty())
            .fold(None, longest)
            .unwrap_or(id);
        self.strip_prefix
            .iter()
            .filter_map(|prefix| without.strip_prefix(prefix.as_str()))
            .filter(|rest| !rest.is_empty())
            .fold(None, longest)
            .unwrap_or(without)
    }
}

/// What minions are called in one message: two of them are never called the same.
#[derive(Debug)]
pub struct Labels<'a> {
    names: &'a Names,
    minions: &'a Minions,
    /// All minions that the message is about.
    sets: Vec<&'a MinionSet>,
}

impl<'a> Labels<'a> {
    /// For a message about these minions.
    pub fn new(
        names: &'a Names,
        minions: &'a Minions,
        sets: impl IntoIterator<Item = &'a MinionSet>,
    ) -> Self {
        Self { names, minions, sets: sets.into_iter().collect() }
    }

    /// What a minion is called: by its id where the short name could be another's.
    pub fn of<'b>(&self, id: &'b str) -> &'b str {
        let short = self.names.short(id);
        if short != id && self.is_anothers(short, id) { id } else { short }
    }

    /// Whether another minion would have that name, or has it for an id. Who could is known from
    /// what is left out, so that a large fleet need not be gone through.
    fn is_anothers(&self, short: &str, id: &str) -> bool {
        let ends = |texts: &'a [String]| texts.iter().map(String::as_str).chain([""]);
        ends(&self.names.strip_prefix).any(|prefix| {
            ends(&self.names.strip_suffix).any(|suffix| {
                let other = format!("{prefix}{short}{suffix}");
                other != id
                    && (other == short || self.names.short(&other) == short)
                    && self.holds(&other)
            })
        })
    }

    fn holds(&self, id: &str) -> bool {
        let number = self.minions.number(id);
        number.is_some_and(|number| self.sets.iter().any(|set| set.contains(number)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn names(prefix: &[&str], suffix: &[&str]) -> Names {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Names { strip_prefix: texts(prefix), strip_suffix: texts(suffix), ..Names::default() }
    }

    fn called(names: &Names, ids: &[&str]) -> Vec<String> {
        let minions = Minions::restore(ids.iter().map(ToString::to_string));
        let all: MinionSet = (0..ids.len() as u32).collect();
        let labels = Labels::new(names, &minions, [&all]);
        ids.iter().map(|id| labels.of(id).to_owned()).collect()
    }

    #[test]
    fn the_longest_that_fits_is_left_out() {
        let names = names(&["aws-"], &[".example.com", ".prod.example.com"]);
        assert_eq!(
            called(&names, &["aws-web1.prod.example.com", "web2.example.com", "db", "aws-"]),
            ["web1", "web2", "db", "aws-"]
        );
    }

    #[test]
    fn minions_that_would_be_called_the_same_keep_their_ids() {
        let names = names(&[], &[".prod", ".dev"]);
        assert_eq!(
            called(&names, &["web1.prod", "web1.dev", "web2.dev", "web3", "web3.prod"]),
            ["web1.prod", "web1.dev", "web2", "web3", "web3.prod"]
        );
    }

    #[test]
    fn only_who_opted_in_is_called() {
        let person = |mention| Person { name: None, mention };
        let names = Names {
            people: BTreeMap::from([
                ("alice".to_owned(), person(MentionRule::OnFailure)),
                ("bob".to_owned(), person(MentionRule::Always)),
                ("carol".to_owned(), person(MentionRule::Never)),
            ]),
            ..Names::default()
        };
        let mention = |user, mood| names.mention(user, mood).map(|mention| mention.always);
        assert_eq!(mention(Some("alice"), Mood::Failed), Some(false));
        assert_eq!(mention(Some("alice"), Mood::Running), None);
        assert_eq!(mention(Some("bob"), Mood::Good), Some(true));
        assert_eq!(mention(Some("carol"), Mood::Failed), None);
        assert_eq!(mention(Some("dave"), Mood::Failed), None);
        assert_eq!(mention(None, Mood::Failed), None);
    }

    proptest! {
        #[test]
        fn no_two_minions_are_called_the_same(
            ids in prop::collection::btree_set("[ab]{1,4}", 1..8),
            prefix in prop::collection::vec("[ab]{1,2}", 0..3),
            suffix in prop::collection::vec("[ab]{1,2}", 0..3),
        ) {
            let names = Names { strip_prefix: prefix, strip_suffix: suffix, ..Names::default() };
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let called = called(&names, &ids);
            let distinct: HashSet<&String> = called.iter().collect();
            prop_assert_eq!(distinct.len(), ids.len(), "{:?}", called);
        }
    }
}
