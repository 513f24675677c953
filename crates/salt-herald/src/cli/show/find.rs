//! What a person means by WHAT.

use std::ops::ControlFlow;

use herald_core::run::{Job, Run, RunId};

use super::super::journal::is_for_people;
use super::super::trouble::Trouble;
use crate::store::{JournalReader, Order, RunFilter, StoreError};

/// What is meant.
pub(super) enum Meant {
    /// One run.
    Run(Run, Vec<Job>),
    /// A minion, by its id.
    Minion(String),
    /// One of these, the latest first.
    Several(Vec<Run>),
    /// Nothing that we know.
    Nothing,
}

/// Looks for it: words first, then jids, then minions.
pub(super) fn find(reader: &mut JournalReader, what: &[String]) -> Result<Meant, Trouble> {
    let words: Vec<&str> = what.iter().flat_map(|words| words.split_whitespace()).collect();
    match words.as_slice() {
        ["last"] => last(reader, false),
        ["last", "failed"] => last(reader, true),
        ["run", number] => by_number(reader, number),
        [word] if is_jid_like(word) => by_jid(reader, word),
        [word] => minion(reader, word),
        _ => Ok(Meant::Nothing),
    }
}

/// The last run that people are shown; if there is none, the last one.
fn last(reader: &mut JournalReader, failed: bool) -> Result<Meant, Trouble> {
    let filter = RunFilter { failed, ..RunFilter::default() };
    let mut found: Option<Run> = None;
    reader.each_run(&filter, Order::LatestFirst, |_, run| {
        if is_for_people(&run) {
            found = Some(run);
            return Ok::<_, StoreError>(ControlFlow::Break(()));
        }
        found.get_or_insert(run);
        Ok(ControlFlow::Continue(()))
    })?;
    one(reader, found)
}

fn by_number(reader: &mut JournalReader, number: &str) -> Result<Meant, Trouble> {
    let run = match number.parse() {
        Ok(number) if number <= i64::MAX as u64 => reader.run(RunId(number))?,
        _ => None,
    };
    one(reader, run.map(|(run, _)| run))
}

fn one(reader: &JournalReader, run: Option<Run>) -> Result<Meant, Trouble> {
    match run {
        None => Ok(Meant::Nothing),
        Some(run) => {
            let jobs = reader.jobs(run.id)?;
            Ok(Meant::Run(run, jobs))
        }
    }
}

fn by_jid(reader: &mut JournalReader, jid: &str) -> Result<Meant, Trouble> {
    let mut runs = reader.runs_with_jid(jid)?;
    if runs.is_empty() {
        runs = reader.runs_with_jid_prefix(jid)?;
    }
    let only = if runs.len() == 1 { runs.pop() } else { None };
    match only {
        Some((run, jobs)) => Ok(Meant::Run(run, jobs)),
        None if runs.is_empty() => minion(reader, jid),
        None => Ok(Meant::Several(runs.into_iter().map(|(run, _)| run).collect())),
    }
}

fn minion(reader: &mut JournalReader, name: &str) -> Result<Meant, Trouble> {
    Ok(match reader.minions()?.number(name) {
        Some(_) => Meant::Minion(name.to_owned()),
        None => Meant::Nothing,
    })
}

/// Digits, and the `_PID` that `unique_jid` adds.
fn is_jid_like(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || c == '_')
}
