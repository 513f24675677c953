//! How long the journal keeps what, and how large it may get: the keys under `journal` beside its path.
//!
//! Only their meaning; taking out what is old is the store's.

use std::time::Duration;

use super::problem::Problem;
use super::table::Table;
use super::values::Mismatch;
use super::yaml::Value;
use crate::store::Keeping;

/// The keys.
pub(super) const KEYS: &[&str] = &["keep", "keep_results", "keep_quiet", "max_size"];

const DAY: u64 = 86_400;
/// A century.
const LONGEST: u64 = 36_500;
/// What was given out lately is not given out again: the ledger remembers it for a day.
const SHORTEST: u64 = 3;
/// With less there is no room for a flood.
const SMALLEST: u64 = 64 << 20;

/// What is kept where the config does not say.
pub(super) fn defaults() -> Keeping {
    let days = |days: u64| Some(Duration::from_secs(days * DAY));
    Keeping { runs: days(3 * 365), results: days(400), quiet: days(60), size: None }
}

/// Reads the keys. A span that is not given is never longer than one that is and holds it.
pub(super) fn read(table: &mut Table, problems: &mut Vec<Problem>) -> Keeping {
    let default = defaults();
    let runs = table.take("keep", span, problems);
    let results = table.take("keep_results", span, problems);
    let quiet = table.take("keep_quiet", span, problems);
    let size = table.take("max_size", size, problems).and_then(|given| given.value);
    let in_runs = runs.as_ref().map_or(default.runs, |given| given.value);
    let in_results = match &results {
        Some(given) => given.value,
        None => shorter(default.results, in_runs),
    };
    if let Some(given) = &results
        && is_longer(given.value, in_runs)
    {
        let problem = given.problem("is longer than journal.keep, which holds it");
        problems.push(problem.hint("make keep as long, or keep_results shorter"));
    }
    if let Some(given) = &quiet
        && is_longer(given.value, in_results)
    {
        let problem = given.problem("is longer than journal.keep_results");
        problems.push(problem.hint("make keep_results as long, or keep_quiet shorter"));
    }
    let quiet = match quiet {
        Some(given) => given.value,
        None => shorter(default.quiet, in_results),
    };
    Keeping { runs: in_runs, results: in_results, quiet, size }
}

/// No span is for ever.
fn is_longer(one: Option<Duration>, other: Option<Duration>) -> bool {
    other.is_some_and(|other| one.is_none_or(|one| one > other))
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    if is_longer(one, other) { other } else { one }
}

/// `400d`, `13w`, `2y`, or `forever`.
fn span(value: Value) -> Result<Option<Duration>, Mismatch> {
    const WANTED: &str = "must be a span as 400d, 13w or 2y, or forever";
    let text = match value {
        Value::Text(text) => text,
        Value::Integer(number) if number > 0 => {
            return Err(Mismatch::new(WANTED).hint(format!("for days, write {number}d")));
        }
        _ => return Err(Mismatch::new(WANTED)),
    };
    if text == "forever" {
        return Ok(None);
    }
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..) {
        Some("d") => 1,
        Some("w") => 7,
        Some("y") => 365,
        Some("h") => return Err(Mismatch::new(WANTED).hint("days are the smallest unit")),
        _ => return Err(Mismatch::new(WANTED)),
    };
    let days = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match days {
        Some(days) if days < SHORTEST => {
            Err(Mismatch::new(format!("must be at least {SHORTEST} days")))
        }
        Some(days) if days <= LONGEST => Ok(Some(Duration::from_secs(days * DAY))),
        Some(_) => Err(Mismatch::new("is more than a hundred years").hint("write forever")),
        None => Err(Mismatch::new(WANTED)),
    }
}

/// `20GiB`, `500MiB`, or `unlimited`.
fn size(value: Value) -> Result<Option<u64>, Mismatch> {
    const WANTED: &str = "must be a size as 20GiB or 500MiB, or unlimited";
    let Value::Text(text) = value else {
        return Err(Mismatch::new(WANTED).hint("write the unit, too"));
    };
    if text == "unlimited" {
        return Ok(None);
    }
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..).map(str::trim) {
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some("TiB") => 1 << 40,
        Some("M" | "MB" | "G" | "GB" | "T" | "TB" | "m" | "g" | "t") => {
            return Err(Mismatch::new(WANTED).hint("write MiB, GiB or TiB"));
        }
        _ => return Err(Mismatch::new(WANTED)),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(bytes) if bytes < SMALLEST => Err(Mismatch::new("must be at least 64MiB")),
        Some(bytes) => Ok(Some(bytes)),
        None => Err(Mismatch::new(WANTED)),
    }
}
