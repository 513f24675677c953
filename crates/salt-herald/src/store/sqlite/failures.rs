//! What failed in runs, folded over their minions.

use std::collections::BTreeMap;

use herald_core::canonical::restore;
use herald_core::compose::{FailureGroup, sort_failures};
use herald_core::join::Definition;
use herald_core::minions::{MinionNo, MinionSet};
use herald_core::run::RunId;
use salt_event::Raw;
use salt_event::msgpack::Reader;

use super::read::JournalReader;
use crate::store::StoreError;

/// Failed states that are read of one run; folding needs no more.
const MAX_FAILURE_ROWS: usize = 20_000;
/// How many distinct failures are read with their texts.
const MAX_GROUPS: i64 = 200;

impl JournalReader {
    /// What failed in some runs, folded over the minions, most useful first.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn failures(&mut self, runs: &[RunId]) -> Result<Vec<FailureGroup>, StoreError> {
        self.minions()?;
        let mut groups: BTreeMap<Key, MinionSet> = BTreeMap::new();
        for run in runs.iter().take(1000) {
            let found = self.all(
                "SELECT definition, body, follows, failure.minion, funs, \
                 iif(definition IS NULL, retcode, NULL) \
                 FROM failure JOIN job ON job.id = failure.job \
                 LEFT JOIN return ON return.job = failure.job AND return.minion = failure.minion \
                 WHERE job.run = ?1 LIMIT ?2",
                [run.0 as i64, MAX_FAILURE_ROWS as i64],
                |row| {
                    let key = Key {
                        definition: row.get(0)?,
                        body: row.get(1)?,
                        follows: row.get(2)?,
                        funs: row.get(4)?,
                        retcode: row.get(5)?,
                    };
                    Ok((key, row.get::<_, i64>(3)?))
                },
            )?;
            for (key, minion) in found {
                let group = groups.entry(key).or_default();
                group.extend(MinionNo::try_from(minion).ok());
            }
        }
        let mut failures = Vec::new();
        for (key, minions) in groups.into_iter().take(MAX_GROUPS as usize) {
            failures.push(self.failure_group(&key, &minions)?);
        }
        sort_failures(&mut failures);
        Ok(failures)
    }

    fn failure_group(&self, key: &Key, minions: &MinionSet) -> Result<FailureGroup, StoreError> {
        let names: Vec<String> =
            self.minions.names(minions).into_iter().take(10).map(str::to_owned).collect();
        let minion = names.first().map_or("", String::as_str);
        let body = self.payload(key.body)?;
        let (title, text) = match key.definition {
            Some(definition) => (
                Definition::read(&self.payload(definition)?, minion)
                    .map_or_else(String::new, |definition| definition.title()),
                comment_of(&body, minion),
            ),
            None => {
                let funs: Vec<String> = serde_json::from_str(&key.funs).unwrap_or_default();
                (funs.join(","), or_retcode(plain_text(&body, minion), key.retcode))
            }
        };
        Ok(FailureGroup { title, minions: names, count: minions.len(), text, follows: key.follows })
    }

    /// Contents by their number in this file.
    fn payload(&self, id: i64) -> Result<Vec<u8>, StoreError> {
        let found =
            self.first("SELECT bytes FROM payload WHERE id = ?1", [id], |row| row.get(0))?;
        Ok(found.unwrap_or_default())
    }
}

/// What is alike in a failure on several minions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    definition: Option<i64>,
    body: i64,
    follows: bool,
    funs: String,
    /// Only of a whole function: states have none.
    retcode: Option<i64>,
}

/// A function that failed without a word is told of by its return code.
fn or_retcode(text: String, retcode: Option<i64>) -> String {
    match retcode {
        Some(code) if text.trim().is_empty() => format!("no output, return code {code}"),
        _ => text,
    }
}

fn comment_of(body: &[u8], minion: &str) -> String {
    let comment = Reader::new(body).raw().ok().and_then(|raw| raw.get("comment"));
    let text = comment.map(salt_event::states::comment_text).unwrap_or_default();
    restore(&text, minion).into_owned()
}

/// A whole return as text: a list of texts by lines, anything else as JSON would show it.
fn plain_text(body: &[u8], minion: &str) -> String {
    let Ok(raw) = Reader::new(body).raw() else {
        return String::new();
    };
    let lines: Option<Vec<&str>> = raw.items().map(Raw::text).collect();
    let text = match (raw.text(), lines) {
        (Some(text), _) => text.to_owned(),
        (None, Some(lines)) if !lines.is_empty() => lines.join("\n"),
        _ => crate::json::of_raw(raw).to_string(),
    };
    restore(&text, minion).into_owned()
}
