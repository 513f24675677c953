//! A small typed reader of one YAML map, which collects what is wrong instead of stopping.
//!
//! It knows kinds of values, not our keys: those stand in the schema. No message repeats a value.

use std::collections::BTreeMap;

use super::problem::{Problem, Severity};
use super::suggest::closest;
use super::values::Mismatch;
use super::yaml::{Entry, Place, Value, join};

/// A value that was given, and where.
pub(super) struct Given<T> {
    pub(super) value: T,
    /// With all its parents.
    pub(super) key: String,
    pub(super) place: Place,
}

impl<T> Given<T> {
    /// An error about it.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.place, self.key.clone(), message)
    }
}

/// A map whose keys are taken out one by one; what is left at the end is unknown.
pub(super) struct Table {
    path: String,
    place: Place,
    entries: BTreeMap<String, Entry>,
    known: Vec<&'static str>,
    /// How much a wrong value matters here.
    severity: Severity,
}

impl Table {
    /// A map under a path (`slack.ops`; empty for the root), where a wrong value is an error.
    pub(super) fn new(path: impl Into<String>, place: Place, entries: Vec<Entry>) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        Self { path: path.into(), place, entries, known: Vec::new(), severity: Severity::Error }
    }

    /// The same, where a wrong value is only a warning and counts as not given.
    pub(super) fn lenient(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// An error about the whole table.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.place, self.path.clone(), message)
    }

    /// The value of a key, when it is there and of the wanted kind.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Value) -> Result<T, Mismatch>,
        problems: &mut Vec<Problem>,
    ) -> Option<Given<T>> {
        self.known.push(key);
        let entry = self.entries.remove(key)?;
        let full = join(&self.path, key);
        match read(entry.node.value) {
            Ok(value) => Some(Given { value, key: full, place: entry.place }),
            Err(mismatch) => {
                let problem = mismatch.at(&entry.place, full).severity(self.severity);
                problems.push(match self.severity {
                    Severity::Warning => problem.hint("Salt's default counts for us instead"),
                    Severity::Error => problem,
                });
                None
            }
        }
    }

    /// Whether a key is there, of whatever kind, before it is taken.
    pub(super) fn mention(&self, key: &str) -> Option<Given<()>> {
        let entry = self.entries.get(key)?;
        Some(Given { value: (), key: join(&self.path, key), place: entry.place.clone() })
    }

    /// The table under a key; an empty one when the key is not there or has nothing under it.
    pub(super) fn table(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Self {
        let path = join(&self.path, key);
        let empty = Self {
            severity: self.severity,
            ..Self::new(path.clone(), self.place.clone(), Vec::new())
        };
        self.known.push(key);
        let Some(entry) = self.entries.remove(key) else {
            return empty;
        };
        match entry.node.value {
            Value::Map(entries) => {
                Self { severity: self.severity, ..Self::new(path, entry.place, entries) }
            }
            Value::Null => empty,
            other => {
                let message = format!("must be a table of keys, not {}", other.kind());
                problems.push(
                    Problem::at(&entry.place, path, message)
                        .hint("write its keys on the lines below it, indented")
                        .severity(self.severity),
                );
                empty
            }
        }
    }

    /// The keys of a table of named things, and where they stand.
    pub(super) fn places(&self) -> Vec<(String, Place)> {
        self.entries.values().map(|entry| (entry.key.clone(), entry.place.clone())).collect()
    }

    /// The keys of a table of named things, in their order, each with what stands under it.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.entries.into_values()
    }

    /// Reports what nobody asked for. `elsewhere` tells under what parent a key is known.
    pub(super) fn finish(
        self,
        elsewhere: impl Fn(&str) -> Option<&'static str>,
        problems: &mut Vec<Problem>,
    ) {
        for entry in self.entries.values() {
            let full = join(&self.path, &entry.key);
            let problem = if let Some(parent) = elsewhere(&entry.key) {
                Problem::at(&entry.place, full, "unknown key")
                    .hint(format!("\"{}\" belongs under \"{parent}\"", entry.key))
            } else if let Some(meant) = closest(&entry.key, &self.known) {
                let message = format!("unknown key; did you mean \"{meant}\"?");
                Problem::at(&entry.place, full, message)
            } else {
                Problem::at(&entry.place, full, "unknown key")
                    .hint(format!("known here: {}", self.known.join(", ")))
            };
            problems.push(problem);
        }
    }
}
