//! The `redact` table: what a site keeps out beside what the rules find.
//!
//! What the rules mean is [`herald_core::redact::SiteRules`]'s matter. No message repeats a pattern: it may
//! hold a secret.

use std::sync::Arc;

use herald_core::redact::{Part, SiteError, SiteRules};

use super::problem::Problem;
use super::schema;
use super::table::Table;
use super::values::{Mismatch, Placed, placed_texts};
use super::yaml::{Entry, Place, Value, join};

/// The keys of the table.
pub(super) const KEYS: &[&str] = &["keys", "patterns", "functions", "minions", "states"];

/// Reads the table.
pub(super) fn read(mut table: Table, problems: &mut Vec<Problem>) -> Arc<SiteRules> {
    let mut site = SiteRules::default();
    let mut take = |key, add: &mut dyn FnMut(&str) -> Result<(), SiteError>| {
        let Some(given) = table.take(key, list, problems) else { return };
        for (at, item) in given.value.into_iter().enumerate() {
            if let Err(error) = add(&item.text) {
                let place = item.place.as_ref().unwrap_or(&given.place);
                let path = format!("{}[{}]", given.key, at + 1);
                problems.push(told(place, path, &error));
            }
        }
    };
    take("keys", &mut |key| site.add_key(key));
    take("patterns", &mut |pattern| site.add_pattern(pattern));
    take("minions", &mut |glob| {
        site.add_minions(glob);
        Ok(())
    });
    take("states", &mut |glob| {
        site.add_states(glob);
        Ok(())
    });
    for function in table.table("functions", problems).into_entries() {
        match part(&function) {
            Ok(part) => site.add_functions(&function.key, part),
            Err(mismatch) => {
                let path = join("redact.functions", &function.key);
                problems.push(mismatch.at(&function.place, path));
            }
        }
    }
    table.finish(schema::elsewhere("redact"), problems);
    Arc::new(site)
}

/// Nothing under a key is an empty list.
fn list(value: Value) -> Result<Vec<Placed>, Mismatch> {
    match value {
        Value::Null => Ok(Vec::new()),
        value => placed_texts(value),
    }
}

fn part(entry: &Entry) -> Result<Part, Mismatch> {
    let named = match &entry.node.value {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    match named {
        "arguments" => Ok(Part::Arguments),
        "returns" => Ok(Part::Returns),
        "both" => Ok(Part::Both),
        _ => Err(Mismatch::new("must say what is never kept: arguments, returns or both")),
    }
}

fn told(place: &Place, path: String, error: &SiteError) -> Problem {
    let problem = Problem::at(place, path, error.to_string());
    match error {
        SiteError::Key => problem.hint("write what else is to be found as a pattern"),
        SiteError::Pattern(_) => problem.hint(
            "the syntax is that of https://docs.rs/regex/1/regex/#syntax, without look-around; put it between '…'",
        ),
        SiteError::Empty => problem.hint("let it match one character at least"),
        SiteError::Large => problem.hint("say less often how often, {1,1000}, or shorter words"),
        SiteError::Many => problem.hint("join some with \"|\""),
    }
}
