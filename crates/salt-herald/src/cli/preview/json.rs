//! A preview as JSON Lines. The names are never renamed; new ones come at the end.
//!
//! Pure.

use herald_core::rehearsal::Message;
use herald_core::run::{Run, RunStatus};
use herald_core::survey::{Advice, RuleCount, Survey, Voice};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Preview;
use super::advice::config_lines;
use super::feed::Fed;
use super::places::Place;

/// One object for each message, of each place so many of the latest; then one for each place, route,
/// rule, person and advice, and the whole.
pub(super) fn objects(preview: &Preview, limit: usize) -> Vec<Value> {
    let heard = &preview.heard;
    let survey = heard.survey();
    let mut objects = Vec::new();
    for (place, survey) in &heard.places {
        let first = survey.messages.len().saturating_sub(limit);
        let told = survey.messages.iter().skip(first);
        objects.extend(told.filter_map(|told| message(&preview.fed, place, told)));
    }
    objects.extend(heard.places.iter().map(|(place, survey)| of_place(place, survey)));
    objects.extend(heard.routes.iter().map(|count| {
        json!({
            "type": "route",
            "route": count.at + 1,
            "name": count.route.name,
            "to": count.route.to,
            "continue": count.route.goes_on,
            "runs": count.runs,
        })
    }));
    objects.extend(survey.rules.iter().map(rule));
    objects.extend(survey.people.iter().map(|count| {
        json!({
            "type": "person",
            "person": count.person,
            "said": count.said,
            "quiet": count.quiet,
            "elsewhere": count.elsewhere,
        })
    }));
    objects.extend(heard.advice().map(|(place, advice)| of_advice(advice, place, preview)));
    objects.push(whole(preview));
    objects
}

fn of_place(place: &Place, survey: &Survey) -> Value {
    json!({
        "type": "place",
        "place": place.name,
        "channels": place.channels,
        "said": survey.said,
        "messages": survey.messages.len(),
        "busiest_minute": busiest(survey.busiest),
    })
}

fn busiest(minute: Option<(Timestamp, u64)>) -> Value {
    minute.map_or(Value::Null, |(at, messages)| json!({"at": at.to_string(), "messages": messages}))
}

fn message(fed: &Fed, place: &Place, message: &Message) -> Option<Value> {
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
        "status": status_of(&runs).name(),
        "user": first.head.user,
        "fun": first.head.funs,
        "runs": runs.len(),
        "command": says.command,
        "commands": lines,
        "byline": says.byline,
        "tally": says.tally,
        "place": place.name,
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
            Voice::Elsewhere => "elsewhere",
            Voice::Quiet => "quiet",
        },
        "runs": count.runs,
        "fun": funs,
    })
}

fn of_advice(advice: &Advice, place: &Place, preview: &Preview) -> Value {
    let lines = config_lines(advice, &preview.config);
    match advice {
        Advice::Service { user, percent, per_hour, left } => json!({
            "type": "advice",
            "profile": "api",
            "user": user,
            "percent": percent,
            "per_hour": per_hour,
            "messages_left": left,
            "config": lines,
            "place": place.name,
        }),
        Advice::Function { fun, messages, left } => json!({
            "type": "advice",
            "fun": fun,
            "messages": messages,
            "messages_left": left,
            "config": lines,
            "place": place.name,
        }),
    }
}

fn whole(preview: &Preview) -> Value {
    let heard = &preview.heard;
    let survey = heard.survey();
    let skipped = &preview.cache.skipped;
    let channels = heard.places.iter().flat_map(|(place, _)| &place.channels);
    let minutes = heard.places.iter().filter_map(|(_, survey)| survey.busiest);
    json!({
        "type": "preview",
        "since": preview.since.to_string(),
        "until": preview.until.to_string(),
        "runs": survey.runs,
        "said": survey.said,
        "messages": heard.messages(),
        "quiet": survey.quiet,
        "channels": channels.collect::<Vec<_>>(),
        "busiest_minute": busiest(minutes.max_by_key(|(_, messages)| *messages)),
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
        "elsewhere": survey.elsewhere,
        "unmatched": heard.unmatched,
        "config": preview.has_config,
    })
}

/// Of several runs the worst: one that is not over, one that failed, one without all answers.
fn status_of(runs: &[&Run]) -> RunStatus {
    [RunStatus::Running, RunStatus::Failed, RunStatus::Incomplete]
        .into_iter()
        .find(|status| runs.iter().any(|run| run.status == *status))
        .unwrap_or(RunStatus::Succeeded)
}
