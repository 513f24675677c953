//! Runs as JSON: the names that other programs build upon. They are never renamed; new ones come
//! at the end.
//!
//! Pure. It is no image of our types: what changes in them does not change here.

use herald_core::minions::{MinionSet, Minions};
use herald_core::run::Run;
use serde_json::{Value, json};

pub(super) use crate::json::line;
use crate::store::{Backfilled, Gap};

/// A run, as `log --json` and all others show it.
pub(super) fn of_run(run: &Run, minions: &Minions, announced: bool) -> Value {
    let head = &run.head;
    let tally = &run.tally;
    let flags: Vec<&str> = run.flags.iter().map(|flag| flag.name()).collect();
    json!({
        "jid": run.jids.first(),
        "jobs": run.jids,
        "kind": head.kind.name(),
        "user": head.user,
        "command": head.command,
        "fun": head.funs,
        "tgt": head.tgt,
        "tgt_type": head.tgt_type,
        "test": head.test,
        "started_at": run.started_at.to_string(),
        "finished_at": run.finished_at.map(|at| at.to_string()),
        "status": run.status.name(),
        "minions": {
            "expected": tally.expected.len(),
            "returned": tally.returned.len(),
            "succeeded": tally.succeeded(),
            "failed": tally.failed.len(),
            "changed": tally.changed.len(),
            "missing": names(&tally.missing, minions),
            "silent": names(&tally.silent, minions),
        },
        "announced": announced,
        "collides_with": run.collides_with,
        "flags": flags,
        "run": run.id.0,
        "saltenv": head.saltenv,
        "metadata": head.metadata.as_ref().map(crate::json::of),
    })
}

/// A time in which we were blind, as `status --json` shows it.
pub(super) fn of_gap(gap: &Gap) -> Value {
    json!({
        "from": gap.from.to_string(),
        "to": gap.to.to_string(),
        "reason": gap.reason,
        "entry": gap.entry,
        "backfill": gap.filled.as_ref().map(of_backfill),
    })
}

/// A back-fill that ended.
pub(super) fn of_backfill(filled: &Backfilled) -> Value {
    let mut object = json!({ "entry": filled.entry });
    if let (Some(all), Value::Object(of_it)) =
        (object.as_object_mut(), crate::json::of_backfill(&filled.backfill))
    {
        all.extend(of_it);
    }
    object
}

/// The ids of a set, in the order of the alphabet.
pub(super) fn names(set: &MinionSet, minions: &Minions) -> Vec<String> {
    minions.names(set).into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_harmless_and_means_the_same() {
        let object = json!({"command": "a\u{9b}31m\u{202e}\u{7f}\u{e0041}\n\"ü"});
        let line = line(&object);
        assert_eq!(line, "{\"command\":\"a\\u009b31m\\u202e\\u007f\\udb40\\udc41\\n\\\"ü\"}\n");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), object);
    }
}
