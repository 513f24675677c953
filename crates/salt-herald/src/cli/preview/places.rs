//! The places where runs would be said: which there are, which are shown, and what each would have
//! heard.
//!
//! The routes are asked elsewhere; here their answers are put together.

use std::time::Duration;

use herald_core::route::Route;
use herald_core::survey::{Advice, Service, Survey};

use super::super::routes::places;
use super::super::trouble::Trouble;
use super::feed::Fed;
use crate::config::{Config, SlackAccess, SlackConfig};

/// A place that is shown.
pub(super) struct Place {
    /// As routes name it; nothing where there is none, or several hear all the same.
    pub(super) name: Option<String>,
    /// Channels by name, webhooks by the names of their sinks.
    pub(super) channels: Vec<String>,
    /// Its number among all places.
    number: usize,
    service: Service,
}

/// A route, and how many runs it matched.
pub(super) struct RouteCount {
    /// Its number, from 0.
    pub(super) at: usize,
    pub(super) route: Route,
    pub(super) runs: u64,
}

/// What was heard, and where.
pub(super) struct Heard {
    /// The places that are shown, in the order of their names.
    pub(super) places: Vec<(Place, Survey)>,
    /// Of several places together: counts and no messages.
    together: Survey,
    /// The routes that lead to what is shown, or to nothing.
    pub(super) routes: Vec<RouteCount>,
    /// How many runs no route matched; nothing where that is not asked.
    pub(super) unmatched: Option<u64>,
    /// Whether there are other places that are not shown.
    pub(super) is_part: bool,
}

impl Heard {
    /// Counts.
    pub(super) fn of(fed: &Fed, config: &Config, shown: Vec<Place>, is_part: bool) -> Self {
        let routes = config.routes.as_slice();
        let names = places(config);
        let ways = fed.ways(routes, &names);
        let survey = |place: &Place| match routes {
            [] => Survey::of(&fed.seen, place.service),
            _ => Survey::of(&ways.at(place.number, &fed.seen), place.service),
        };
        let together = match shown.len() {
            1 => Survey::default(),
            _ => Survey::counts(&ways.anywhere(&fed.seen)),
        };
        let (counts, unmatched) = ways.by_route(routes.len(), &fed.seen);
        let leads = |route: &Route| {
            let mut shown = shown.iter().filter_map(|place| place.name.as_ref());
            !is_part || shown.any(|name| route.to.contains(name))
        };
        let counts = routes.iter().zip(counts).enumerate();
        let counts = counts.filter(|(_, (route, _))| leads(route));
        Self {
            routes: counts
                .map(|(at, (route, runs))| RouteCount { at, route: route.clone(), runs })
                .collect(),
            unmatched: (!is_part && !routes.is_empty()).then_some(unmatched),
            places: shown
                .into_iter()
                .map(|place| {
                    let survey = survey(&place);
                    (place, survey)
                })
                .collect(),
            together,
            is_part,
        }
    }

    /// The counts of all that is shown.
    pub(super) fn survey(&self) -> &Survey {
        match self.places.as_slice() {
            [(_, survey)] => survey,
            _ => &self.together,
        }
    }

    /// What is advised, of the place with the most messages.
    pub(super) fn advice(&self) -> Option<(&Place, &Advice)> {
        let advised = self
            .places
            .iter()
            .filter_map(|(place, survey)| Some((place, survey, survey.advice.as_ref()?)));
        let (place, _, advice) = advised.max_by_key(|(_, survey, _)| survey.messages.len())?;
        Some((place, advice))
    }

    /// The messages of all places.
    pub(super) fn messages(&self) -> u64 {
        self.places.iter().map(|(_, survey)| survey.messages.len() as u64).sum()
    }
}

/// The places to show.
///
/// # Errors
/// When there is no such place.
pub(super) fn shown(config: &Config, sink: Option<&str>) -> Result<Vec<Place>, Trouble> {
    let all: Vec<Place> = places(config)
        .into_iter()
        .enumerate()
        .filter_map(|(n, name)| one(config, n, name))
        .collect();
    match sink {
        None if config.routes.is_empty() || all.is_empty() => Ok(vec![alike(all)]),
        None => Ok(all),
        Some(sink) => {
            let names: Vec<String> = all.iter().flat_map(|place| place.name.clone()).collect();
            let found = all.into_iter().find(|place| place.name.as_deref() == Some(sink));
            found.map(|place| vec![place]).ok_or_else(|| unknown(sink, &names))
        }
    }
}

fn unknown(sink: &str, names: &[String]) -> Trouble {
    let hint = match names {
        [] => "the config names no sink; without --sink, one channel is shown".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    Trouble::new(format!("--sink: no place is called {sink}")).hint(hint)
}

fn one(config: &Config, number: usize, name: String) -> Option<Place> {
    let other = config.channels.get(&name);
    let slack = config.slack.get(other.map_or(&name, |other| &other.sink))?;
    let channel = match (&slack.access, other) {
        (_, Some(other)) => &other.channel,
        (SlackAccess::Bot { channel, .. }, None) => channel,
        (SlackAccess::Webhook { .. }, None) => &name,
    };
    let channels = vec![channel.clone()];
    Some(Place { name: Some(name), channels, number, service: service(slack) })
}

fn service(slack: &SlackConfig) -> Service {
    match slack.access {
        SlackAccess::Bot { .. } => Service { edits: true, slow_after: Duration::MAX },
        SlackAccess::Webhook { .. } => Service { edits: false, slow_after: slack.slow_after },
    }
}

/// Places that hear all the same as one, served as the first that can edit is.
fn alike(places: Vec<Place>) -> Place {
    let mut services = places.iter().map(|place| place.service);
    let first = services.clone().find(|service| service.edits).or_else(|| services.next());
    let service = first.unwrap_or(Service { edits: true, slow_after: Duration::MAX });
    let name = if let [one] = places.as_slice() { one.name.clone() } else { None };
    let channels = places.into_iter().flat_map(|place| place.channels).collect();
    Place { name, channels, number: 0, service }
}
