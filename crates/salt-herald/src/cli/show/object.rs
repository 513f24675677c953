//! The story of a run as JSON: the object of `log --json`, and more behind it. Pure.

use std::time::Duration;

use herald_core::join::{Body, Definition, Item};
use herald_core::minions::Minions;
use herald_core::run::{Job, JobId};
use serde_json::{Value, json};

use super::super::record::names;
use super::gather::{Part, Story, Whole};
use super::states::clock;
use crate::store::{Delivery, Returned};

/// A whole run: the object of `log --json` with `waiting`, `returns`, `failures`, `changes`,
/// `outputs`, `deliveries` and `standings`.
pub(super) fn story(mut run: Value, story: &Story<'_>, minions: &Minions) -> Value {
    let returns = story.returns.iter().map(|returned| {
        let name = returned.minion.map(|minion| minions.name(minion));
        return_object(returned, name, story.jobs)
    });
    let failures = story.failures.iter().map(|failure| {
        json!({
            "title": failure.title,
            "minions": failure.minions,
            "count": failure.count,
            "text": failure.text,
            "follows": failure.follows,
        })
    });
    let changes = story.changes.iter().map(|group| {
        json!({
            "title": group.title,
            "minions": names(&group.minions, minions),
            "test": group.is_test,
            "changes": crate::json::of(&group.value),
        })
    });
    let outputs = story.outputs.iter().map(|group| {
        json!({
            "minions": names(&group.minions, minions),
            "return": crate::json::of(&group.value),
        })
    });
    add(&mut run, "waiting", json!(names(&story.run.tally.waiting(), minions)));
    add(&mut run, "returns", returns.collect());
    add(&mut run, "failures", failures.collect());
    add(&mut run, "changes", changes.collect());
    add(&mut run, "outputs", outputs.collect());
    add(&mut run, "deliveries", story.deliveries.iter().map(delivery).collect());
    add(&mut run, "standings", story.jobs.iter().map(standing).collect());
    run
}

/// What one minion returned: the object of `log --json` with `returns` in full.
pub(super) fn of_one(mut run: Value, minion: &str, returns: &[Whole], jobs: &[Job]) -> Value {
    let returns = returns.iter().map(|whole| {
        let mut object = return_object(&whole.returned, Some(minion), jobs);
        let mut states = Vec::new();
        for part in &whole.parts {
            match part {
                Part::State { definition, body, item } => {
                    states.push(state(definition.as_ref(), body.as_ref(), item))
                }
                Part::Plain(value) => {
                    let value = value.as_ref().map_or(Value::Null, crate::json::of);
                    add(&mut object, "return", value);
                }
            }
        }
        if !states.is_empty() {
            add(&mut object, "states", Value::Array(states));
        }
        object
    });
    add(&mut run, "returns", returns.collect());
    run
}

fn standing(job: &Job) -> Value {
    json!({ "jid": job.jid, "standing": job.standing.map(|standing| standing.name()) })
}

/// What was said at one place.
pub(in super::super) fn delivery(delivery: &Delivery) -> Value {
    json!({
        "run": delivery.run.0,
        "sink": delivery.sink,
        "part": delivery.part.name(),
        "lead": delivery.lead.map(|lead| lead.0),
        "state": delivery.state.name(),
        "error": delivery.error,
        "at": delivery.at.to_string(),
    })
}

fn return_object(returned: &Returned, minion: Option<&str>, jobs: &[Job]) -> Value {
    json!({
        "minion": minion,
        "jid": jid_of(returned.job, jobs),
        "at": returned.at.to_string(),
        "failed": returned.failed,
        "changed": returned.changed,
        "retcode": returned.retcode,
        "duration": seconds(returned.duration),
    })
}

fn jid_of(id: JobId, jobs: &[Job]) -> Option<&str> {
    let job = jobs.iter().find(|job| job.id == id)?;
    Some(&job.jid)
}

fn state(definition: Option<&Definition>, body: Option<&Body>, item: &Item) -> Value {
    json!({
        "id": definition.map(|state| &state.id),
        "sls": definition.map(|state| &state.sls),
        "name": definition.map(|state| &state.name),
        "function": definition.map(|state| &state.function),
        "result": body.and_then(|body| body.result),
        "comment": body.map(|body| &body.comment),
        "changes": body.map(|body| crate::json::of(&body.changes)),
        "start": item.start.map(clock),
        "duration": item.duration.map(seconds),
        "run_number": item.run_number,
    })
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

pub(in crate::cli) fn add(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}
