//! Routes, and where a run goes by them, for people. Pure.

use herald_core::compose::mood;
use herald_core::literal;
use herald_core::noise::Rule;
use herald_core::route::{Decision, Moment, Route, Verdict};
use herald_core::run::RunStatus;

use super::super::output::View;
use super::super::row::{BOLD, DIM, symbol};
use super::super::show::deliveries_text;
use super::Explained;

/// All routes, in the order in which they are asked.
pub(super) fn list(routes: &[Route], places: &[String]) -> String {
    if routes.is_empty() {
        return match places {
            [] => "no routes, and no sink: runs are recorded and said nowhere\n".to_owned(),
            places => format!("no routes: every run that is said goes to {}\n", names(places)),
        };
    }
    let mut text = String::new();
    for (at, route) in routes.iter().enumerate() {
        text.push_str(&format!("{BOLD}{}{BOLD:#}\n", title(at, route)));
        for condition in route.conditions() {
            let (key, wanted) =
                (literal::line(&condition.key()), literal::line(&condition.wanted()));
            text.push_str(&format!("  {DIM}{key:<8}{DIM:#} {wanted}\n"));
        }
        if route.conditions().is_empty() {
            text.push_str("  every run that comes to it\n");
        }
        text.push_str(&format!("  {DIM}{:<8}{DIM:#} {}\n", "to", destination(route)));
    }
    let takes_all = |route: &Route| route.conditions().is_empty() && !route.goes_on;
    if !routes.iter().any(takes_all) {
        text.push_str("a run that no route matches is recorded and said nowhere\n");
    }
    text
}

/// Where a run goes, and why.
pub(super) fn explained(explained: &Explained, routes: &[Route], view: &View) -> String {
    let run = &explained.run;
    let command = literal::line(&run.head.command);
    let mut text = format!("{} {BOLD}{command}{BOLD:#}\n", symbol(mood(run)));
    let jid = literal::line(run.jids.first().map_or("", String::as_str));
    text.push_str(&format!("  run {}  {jid}\n", run.id.0));
    text.push_str(&together(explained));
    if let Some(rule) = explained.quiet {
        text.push_str(&quiet(explained, rule));
    }
    if routes.is_empty() && !explained.asked.is_empty() {
        text.push_str("\nthere are no routes: it goes to every sink\n");
    }
    for (moment, decision) in explained.asked.iter().filter(|_| !routes.is_empty()) {
        text.push_str(&asked(explained, *moment, decision, routes));
    }
    if !explained.asked.is_empty() {
        text.push_str(&format!("\n{BOLD}goes to{BOLD:#}  {}\n", names(&explained.goes_to)));
    }
    text.push_str(&elsewhere(explained));
    text.push_str(&deliveries_text(&explained.deliveries, view));
    text
}

fn together(explained: &Explained) -> String {
    match &explained.leading {
        None => String::new(),
        Some(leading) => format!(
            "  it is told together with run {} ({}), and goes where that goes\n",
            leading.id.0,
            literal::line(&leading.head.command)
        ),
    }
}

/// Why a run is only recorded.
fn quiet(explained: &Explained, rule: Rule) -> String {
    let mut text = "\nit is quiet: recorded, and no route is asked\n".to_owned();
    let funs = literal::line(&explained.run.head.funs.join(","));
    text.push_str(&format!("  {funs}  {}\n", rule.in_words()));
    if rule.is_said() {
        text.push_str("  by today's config it would be said; it was recorded under another\n");
    }
    if explained.run.status == RunStatus::Running {
        text.push_str("  if it fails, it is told all the same\n");
    }
    text
}

fn asked(explained: &Explained, moment: Moment, decision: &Decision, routes: &[Route]) -> String {
    let when = match (moment, explained.asked.len()) {
        (_, 1) => "the routes say",
        (Moment::Begun, _) => "as it began, the routes said",
        (Moment::Now, _) => "as it is now, the routes say",
    };
    let mut text = format!("\n{BOLD}{when}{BOLD:#}\n");
    for (at, (route, verdict)) in routes.iter().zip(&decision.verdicts).enumerate() {
        text.push_str(&format!("  {}: {}\n", title(at, route), verdict_in_words(route, verdict)));
    }
    if decision.to.as_ref().is_some_and(Vec::is_empty) {
        text.push_str("  so nowhere\n");
    }
    text
}

fn verdict_in_words(route: &Route, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Matched if route.to.is_empty() => format!("yes, {}", destination(route)),
        Verdict::Matched => format!("yes, to {}", destination(route)),
        Verdict::Differs { key, saw, wanted } => format!(
            "no, {} is {}, wanted {}",
            literal::line(key),
            literal::line(saw),
            literal::line(wanted)
        ),
        Verdict::NotAsked => "not asked, an earlier one took it".to_owned(),
    }
}

/// Where it was said though it would not go there now.
fn elsewhere(explained: &Explained) -> String {
    let mut others: Vec<&str> =
        explained.deliveries.iter().map(|delivery| delivery.sink.as_str()).collect();
    others.dedup();
    others.retain(|sink| !explained.goes_to.iter().any(|place| place == sink));
    if others.is_empty() {
        return String::new();
    }
    let others: Vec<String> = others.into_iter().map(literal::line).collect();
    format!(
        "said before at {}, where it would not go now: kept up to date while there is such a sink\n",
        others.join(", ")
    )
}

pub(in super::super) fn title(at: usize, route: &Route) -> String {
    match &route.name {
        Some(name) => format!("{} {}", at + 1, literal::line(name)),
        None => format!("{} (no name)", at + 1),
    }
}

pub(in super::super) fn destination(route: &Route) -> String {
    let to = names(&route.to);
    if route.goes_on { format!("{to}, and on") } else { to }
}

fn names(places: &[String]) -> String {
    match places {
        [] => "nowhere".to_owned(),
        places => places.iter().map(|place| literal::line(place)).collect::<Vec<_>>().join(", "),
    }
}
