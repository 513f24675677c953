//! A preview as JSON Lines. The names are never renamed; new ones come at the end.
//!
//! Pure.

use herald_core::rehearsal::Message;
use herald_core::run::Run;
use herald_core::survey::{Advice, RuleCount, Voice};
use serde_json::{Value, json};

use super::feed::Fed;
use super::{Preview, text};

/// One object for each message from `first` on, then one for each rule, person and advice, and the
/// whole.
pub(super) fn objects(preview: &Preview, first: usize) -> Vec<Value> {
    let survey = &preview.survey;
    let told = survey.messages.iter().skip(first);
    let mut objects: Vec<Value> = told.filter_map(|told| message(&preview.fed, told)).collect();
    objects.extend(survey.rules.iter().map(rule));
    objects.extend(survey.people.iter().map(|count| {
        json!({
            "type": "person",
            "person": count.person,
            "said": count.said,
            "quiet": count.quiet,
        })
    }));
    objects.extend(survey.advice.as_ref().map(|advice| of_advice(advice, preview)));
    objects.push(whole(preview));
    objects
}

fn message(fed: &Fed, message: &Message) -> Option<Value> {
    let says = fed.says(&message.runs)?;
    let runs: Vec<&Run> = message.runs.iter().filter_map(|run| fed.run(*run)).collect();
    let first = runs.first()?;
    let lines: Vec<Value> = says
        .commands
        .iter()
        .map(|line| json!({"command": line.command, "note": line.note}))
        .collect();
    Some(json!({
        "type": "message",
        "at": message.at.to_string(),
        "jid": first.jids.first(),
        "jids": runs.iter().flat_map(|run| run.jids.first()).collect::<Vec<_>>(),
        "status": first.status.name(),
        "user": first.head.user,
        "fun": first.head.funs,
        "runs": runs.len(),
        "command": says.command,
        "commands": lines,
        "byline": says.byline,
        "tally": says.tally,
    }))
}

fn rule(count: &RuleCount) -> Value {
    let funs: serde_json::Map<String, Value> =
        count.funs.iter().map(|(fun, count)| (fun.clone(), json!(count))).collect();
    json!({
        "type": "rule",
        "rule": count.rule.name(),
        "heard": match count.voice {
            Voice::Said => "said",
            Voice::Told | Voice::ToldWith => "said_because_it_failed",
            Voice::Quiet => "quiet",
        },
        "runs": count.runs,
        "fun": funs,
    })
}

fn of_advice(advice: &Advice, preview: &Preview) -> Value {
    let lines = text::config_lines(advice, &preview.config);
    match advice {
        Advice::Service { user, percent, per_hour, left } => json!({
            "type": "advice",
            "profile": "api",
            "user": user,
            "percent": percent,
            "per_hour": per_hour,
            "messages_left": left,
            "config": lines,
        }),
        Advice::Function { fun, messages, left } => json!({
            "type": "advice",
            "fun": fun,
            "messages": messages,
            "messages_left": left,
            "config": lines,
        }),
    }
}

fn whole(preview: &Preview) -> Value {
    let survey = &preview.survey;
    let skipped = &preview.cache.skipped;
    json!({
        "type": "preview",
        "since": preview.since.to_string(),
        "until": preview.until.to_string(),
        "runs": survey.runs,
        "said": survey.said,
        "messages": survey.messages.len(),
        "quiet": survey.quiet,
        "channels": preview.channels,
        "busiest_minute": survey.busiest.map(|(at, messages)| {
            json!({"at": at.to_string(), "messages": messages})
        }),
        "job_cache": preview.cache.folder.display().to_string(),
        "jobs_held": preview.cache.held,
        "earliest_job": preview.cache.earliest.map(|at| at.to_string()),
        "left_out": preview.cache.left_out,
        "skipped": {
            "gone": skipped.gone,
            "denied": skipped.denied,
            "odd": skipped.odd,
            "too_large": skipped.too_large,
            "unreadable": skipped.unreadable,
            "no_load": skipped.no_load,
        },
    })
}
