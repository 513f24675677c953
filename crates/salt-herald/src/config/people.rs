//! `people` and `minion_name`: how messages call those who run things, and minions.

use std::collections::BTreeMap;

use herald_core::names::{MentionRule, Names, Person};

use super::problem::{Problem, Severity};
use super::schema;
use super::table::{Given, Table};
use super::values::{line, texts};
use super::yaml::{Entry, Value};

/// What the tables say.
#[derive(Default)]
pub(super) struct Called {
    pub(super) names: Names,
    /// People's ids in Slack, by user: of those who may be mentioned.
    pub(super) members: BTreeMap<String, String>,
}

/// When a person is mentioned, by the word in the config.
const MENTIONS: &[(&str, MentionRule)] = &[
    ("never", MentionRule::Never),
    ("on_failure", MentionRule::OnFailure),
    ("always", MentionRule::Always),
];

/// Reads both tables.
pub(super) fn read(people: Table, mut minions: Table, problems: &mut Vec<Problem>) -> Called {
    let mut called = Called::default();
    for entry in people.into_entries() {
        read_person(entry, &mut called, problems);
    }
    let mut taken = |key| minions.take(key, texts, problems).map(|given| given.value);
    called.names.strip_prefix = taken("strip_prefix").unwrap_or_default();
    called.names.strip_suffix = taken("strip_suffix").unwrap_or_default();
    minions.finish(schema::elsewhere("minion_name"), problems);
    called
}

fn read_person(entry: Entry, called: &mut Called, problems: &mut Vec<Problem>) {
    let path = format!("people.{}", entry.key);
    if entry.key.starts_with("sudo_") {
        problems.push(
            Problem::at(
                &entry.place,
                path.clone(),
                "is never met: who used sudo is known by their own name",
            )
            .hint("leave out the \"sudo_\"")
            .severity(Severity::Warning),
        );
    }
    let user = entry.key;
    let entries = match entry.node.value {
        Value::Map(entries) => entries,
        value => {
            match line(value) {
                Ok(name) => {
                    let person = Person { name: Some(name), ..Person::default() };
                    called.names.people.insert(user, person);
                }
                Err(mismatch) => problems.push(
                    mismatch
                        .at(&entry.place, path)
                        .hint("write a name, or a table with name, slack and mention"),
                ),
            }
            return;
        }
    };
    let mut table = Table::new(path, entry.place, entries);
    let name = table.take("name", line, problems).map(|given| given.value);
    let has_slack = table.mention("slack");
    let slack = table.take("slack", line, problems).and_then(|given| member(given, problems));
    let mention = table.take("mention", line, problems);
    let rule = mention.as_ref().and_then(|given| rule(given, problems));
    table.finish(schema::elsewhere("people.NAME"), problems);
    match (&rule, has_slack, mention) {
        (None, Some(slack), None) => problems.push(
            slack
                .problem("has no effect: nobody is mentioned unless \"mention\" says when")
                .hint("add \"mention: on_failure\" or \"mention: always\", or remove it")
                .severity(Severity::Warning),
        ),
        (Some(MentionRule::OnFailure | MentionRule::Always), None, Some(mention)) => problems.push(
            mention
                .problem("needs the person's \"slack\" member id beside it")
                .hint("in Slack, open the profile: ⋮, \"Copy member ID\""),
        ),
        _ => {}
    }
    called.members.extend(slack.map(|slack| (user.clone(), slack)));
    called.names.people.insert(user, Person { name, mention: rule.unwrap_or_default() });
}

/// `U012ABCDEF`. A name would mention nobody, and other text could be anything.
fn member(given: Given<String>, problems: &mut Vec<Problem>) -> Option<String> {
    let id = given.value.trim();
    let is_one = id.starts_with(['U', 'W'])
        && (7..=32).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if is_one {
        return Some(id.to_owned());
    }
    problems.push(
        given
            .problem("is no member id")
            .hint("it looks like U012ABCDEF; in Slack, open the profile: ⋮, \"Copy member ID\""),
    );
    None
}

fn rule(given: &Given<String>, problems: &mut Vec<Problem>) -> Option<MentionRule> {
    let found = MENTIONS.iter().find(|(word, _)| *word == given.value);
    if found.is_none() {
        let words: Vec<&str> = MENTIONS.iter().map(|(word, _)| *word).collect();
        problems.push(given.problem(format!("must be one of {}", words.join(", "))));
    }
    found.map(|(_, rule)| *rule)
}
