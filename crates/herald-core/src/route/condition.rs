//! One condition of a route: what it asks of a run, and how that is put into words.

use salt_event::Value;

use super::{Facts, Globs, Moment, Outcome};
use crate::announce::Mood;
use crate::compose::mood;
use crate::run::{RunKind, RunStatus};

/// How many names are shown of many.
const SHOWN: usize = 3;

/// What a route asks of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// One of these kinds.
    Kind(Vec<RunKind>),
    /// Whether it only shows what would change.
    Test(bool),
    /// It goes, or went, like one of these.
    Outcome(Vec<Outcome>),
    /// A function. For runners and wheel functions also with the `runner.` or `wheel.` before it.
    Fun(Globs),
    /// Who ran it.
    User(Globs),
    /// The target as it was typed.
    Target(Globs),
    /// The environment that the command names.
    Saltenv(Globs),
    /// A value in the API's metadata, by its key.
    Metadata(String, Globs),
    /// A minion that was asked, or that returned.
    Minion(Globs),
}

impl Condition {
    /// The key in the config.
    pub fn key(&self) -> String {
        match self {
            Self::Kind(_) => "kind".to_owned(),
            Self::Test(_) => "test".to_owned(),
            Self::Outcome(_) => "outcome".to_owned(),
            Self::Fun(_) => "fun".to_owned(),
            Self::User(_) => "user".to_owned(),
            Self::Target(_) => "target".to_owned(),
            Self::Saltenv(_) => "saltenv".to_owned(),
            Self::Metadata(key, _) => format!("metadata.{key}"),
            Self::Minion(_) => "minion".to_owned(),
        }
    }

    /// The order in which conditions are asked: what costs most comes last.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Kind(_) => 0,
            Self::Test(_) => 1,
            Self::Outcome(_) => 2,
            Self::Fun(_) => 3,
            Self::User(_) => 4,
            Self::Target(_) => 5,
            Self::Saltenv(_) => 6,
            Self::Metadata(..) => 7,
            Self::Minion(_) => 8,
        }
    }

    /// Whether it holds of a run.
    pub fn holds(&self, facts: Facts<'_>, moment: Moment) -> bool {
        match self {
            Self::Kind(kinds) => kinds.contains(&facts.run.head.kind),
            Self::Test(test) => facts.run.head.test == *test,
            Self::Outcome(outcomes) => {
                let found = outcome(facts, moment);
                outcomes.iter().any(|wanted| wanted.takes(found))
            }
            Self::Minion(globs) => {
                globs.hold(facts.run.tally.expected.iter().map(|minion| facts.minions.name(minion)))
            }
            Self::Fun(globs)
            | Self::User(globs)
            | Self::Target(globs)
            | Self::Saltenv(globs)
            | Self::Metadata(_, globs) => globs.hold(self.values(facts).iter().map(String::as_str)),
        }
    }

    /// What the run has there, in words.
    pub fn saw(&self, facts: Facts<'_>, moment: Moment) -> String {
        match self {
            Self::Kind(_) => facts.run.head.kind.name().to_owned(),
            Self::Test(_) => facts.run.head.test.to_string(),
            Self::Outcome(_) => outcome(facts, moment).name().to_owned(),
            Self::Minion(_) => {
                let expected = &facts.run.tally.expected;
                let names = expected.iter().map(|minion| facts.minions.name(minion).to_owned());
                listed(names.take(SHOWN).collect(), expected.len())
            }
            Self::Fun(_) => facts.run.head.funs.join(", "),
            _ => {
                let values = self.values(facts);
                let count = values.len() as u64;
                match self {
                    Self::Saltenv(_) | Self::Metadata(..) if count == 0 => "not given".to_owned(),
                    _ => listed(values, count),
                }
            }
        }
    }

    /// What it wants, in words.
    pub fn wanted(&self) -> String {
        match self {
            Self::Kind(kinds) => {
                kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ")
            }
            Self::Test(test) => test.to_string(),
            Self::Outcome(outcomes) => {
                outcomes.iter().map(|outcome| outcome.name()).collect::<Vec<_>>().join(" or ")
            }
            Self::Fun(globs)
            | Self::User(globs)
            | Self::Target(globs)
            | Self::Saltenv(globs)
            | Self::Metadata(_, globs)
            | Self::Minion(globs) => globs.in_words(),
        }
    }

    /// The texts that globs are tried on; of minions there are too many to list.
    fn values(&self, facts: Facts<'_>) -> Vec<String> {
        let head = &facts.run.head;
        match self {
            Self::Fun(_) => {
                let prefix = match head.kind {
                    RunKind::Runner | RunKind::Orchestration => Some("runner."),
                    RunKind::Wheel => Some("wheel."),
                    _ => None,
                };
                let long = prefix
                    .into_iter()
                    .flat_map(|prefix| head.funs.iter().map(move |fun| format!("{prefix}{fun}")));
                head.funs.iter().cloned().chain(long).collect()
            }
            Self::User(_) => head.user.iter().cloned().collect(),
            Self::Target(_) => {
                Some(&head.tgt).filter(|tgt| !tgt.is_empty()).into_iter().cloned().collect()
            }
            Self::Saltenv(_) => head.saltenv.iter().cloned().collect(),
            Self::Metadata(key, _) => {
                facts.metadata.and_then(|all| all.get(key)).map(texts_of).unwrap_or_default()
            }
            Self::Kind(_) | Self::Test(_) | Self::Outcome(_) | Self::Minion(_) => Vec::new(),
        }
    }
}

impl Outcome {
    /// Whether a run that goes like `found` is meant by this one.
    pub(super) fn takes(self, found: Outcome) -> bool {
        self == found || (self == Outcome::Succeeded && found == Outcome::Changed)
    }
}

fn outcome(facts: Facts<'_>, moment: Moment) -> Outcome {
    match (moment, facts.run.status) {
        (Moment::Begun, _) | (_, RunStatus::Running) => Outcome::Running,
        (_, RunStatus::Failed) => Outcome::Failed,
        (_, RunStatus::Incomplete) => Outcome::Incomplete,
        (_, RunStatus::Succeeded) if mood(facts.run) == Mood::Changed => Outcome::Changed,
        (_, RunStatus::Succeeded) => Outcome::Succeeded,
    }
}

/// A value as texts: a list is each of its members, and what has members of its own is nothing.
fn texts_of(value: &Value<'_>) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(text_of).collect(),
        one => text_of(one).into_iter().collect(),
    }
}

fn text_of(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone().into_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn listed(names: Vec<String>, count: u64) -> String {
    let shown: Vec<String> = names.into_iter().take(SHOWN).collect();
    let left = count.saturating_sub(shown.len() as u64);
    match (shown.is_empty(), left) {
        (true, _) => "not known".to_owned(),
        (false, 0) => shown.join(", "),
        (false, left) => format!("{} and {left} more", shown.join(", ")),
    }
}
