//! Routes, and where a run goes by them, as JSON. Pure.

use herald_core::route::{Decision, Moment, Route, Verdict};
use serde_json::{Value, json};

use super::super::show::delivery_object;
use super::Explained;

/// One route.
pub(super) fn route(at: usize, route: &Route) -> Value {
    let conditions = route
        .conditions()
        .iter()
        .map(|condition| json!({ "key": condition.key(), "wanted": condition.wanted() }));
    json!({
        "route": at + 1,
        "name": route.name,
        "conditions": conditions.collect::<Vec<_>>(),
        "to": route.to,
        "continue": route.goes_on,
    })
}

/// Where a run goes, and why.
pub(super) fn explained(explained: &Explained, routes: &[Route]) -> Value {
    let asked = explained.asked.iter().map(|(moment, decision)| asked(*moment, decision, routes));
    json!({
        "jid": explained.run.jids.first(),
        "run": explained.run.id.0,
        "told_with": explained.leading.as_ref().map(|run| run.id.0),
        "quiet": explained.quiet.map(|rule| rule.name()),
        "asked": asked.collect::<Vec<_>>(),
        "goes_to": explained.goes_to,
        "deliveries": explained.deliveries.iter().map(delivery_object).collect::<Vec<_>>(),
    })
}

fn asked(moment: Moment, decision: &Decision, routes: &[Route]) -> Value {
    let verdicts =
        routes.iter().zip(&decision.verdicts).enumerate().map(|(at, (route, verdict))| {
            let (said, key, saw, wanted) = match verdict {
                Verdict::Matched => ("matched", None, None, None),
                Verdict::Differs { key, saw, wanted } => {
                    ("differs", Some(key), Some(saw), Some(wanted))
                }
                Verdict::NotAsked => ("not_asked", None, None, None),
            };
            json!({
                "route": at + 1,
                "name": route.name,
                "verdict": said,
                "key": key,
                "saw": saw,
                "wanted": wanted,
            })
        });
    json!({
        "at": match moment {
            Moment::Begun => "begun",
            Moment::Now => "now",
        },
        "routes": verdicts.collect::<Vec<_>>(),
        "to": decision.to,
    })
}
