//! Where runs would have gone by the routes: by which of them, to which places, and from when on.
//!
//! [`crate::route`] decides, as it does for the publisher. Here its answers are kept and counted.

use std::collections::HashMap;

use super::{Seen, Voice};
use crate::route::{Facts, Moment, Route, Verdict, decide, moments};
use crate::run::RunId;

/// Where one run goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The routes that match it at one moment or another, by number from 0.
    routes: Vec<usize>,
    /// The places, by number, and whether it goes there only as it ends.
    to: Vec<(usize, bool)>,
}

/// Where runs go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways(HashMap<RunId, Way>);

impl Way {
    /// Asks the routes at all moments.
    pub fn of(routes: &[Route], facts: Facts<'_>, places: &[String]) -> Self {
        let mut way = Self::default();
        let moments = moments(facts.run);
        for moment in moments {
            let is_late = *moment == Moment::Now && moments.contains(&Moment::Begun);
            let decision = decide(routes, facts, *moment);
            for (number, verdict) in decision.verdicts.iter().enumerate() {
                if *verdict == Verdict::Matched && !way.routes.contains(&number) {
                    way.routes.push(number);
                }
            }
            for (number, place) in places.iter().enumerate() {
                if decision.leads_to(place) && way.to(number).is_none() {
                    way.to.push((number, is_late));
                }
            }
        }
        way
    }

    fn to(&self, place: usize) -> Option<bool> {
        self.to.iter().find(|(to, _)| *to == place).map(|(_, is_late)| *is_late)
    }
}

impl Ways {
    /// Keeps where a run goes; those that are told with it go there, too.
    pub fn insert(&mut self, run: RunId, way: Way) {
        self.0.insert(run, way);
    }

    /// The runs as a place sees them, by its number.
    pub fn at(&self, place: usize, seen: &[Seen]) -> Vec<Seen> {
        self.seen(seen, |way| way.to(place))
    }

    /// The runs as all places see them together: elsewhere is nowhere then.
    pub fn anywhere(&self, seen: &[Seen]) -> Vec<Seen> {
        self.seen(seen, |way| way.to.first().map(|(_, is_late)| *is_late))
    }

    fn seen(&self, seen: &[Seen], goes: impl Fn(&Way) -> Option<bool>) -> Vec<Seen> {
        let mut seen = seen.to_vec();
        for run in seen.iter_mut().filter(|run| run.voice != Voice::Quiet) {
            match self.of(run).and_then(&goes) {
                Some(true) => run.heard_at = run.ended.unwrap_or(run.heard_at),
                Some(false) => {}
                None => run.voice = Voice::Elsewhere,
            }
        }
        seen
    }

    /// How many of the runs that are heard of each route matches, of so many routes; and how many
    /// none does. What several match counts for each.
    pub fn by_route(&self, routes: usize, seen: &[Seen]) -> (Vec<u64>, u64) {
        let mut counts = vec![0; routes];
        let mut unmatched = 0;
        for run in seen.iter().filter(|run| run.voice != Voice::Quiet) {
            let matching = self.of(run).map_or(&[][..], |way| &way.routes);
            unmatched += u64::from(matching.is_empty());
            for number in matching {
                if let Some(count) = counts.get_mut(*number) {
                    *count += 1;
                }
            }
        }
        (counts, unmatched)
    }

    fn of(&self, run: &Seen) -> Option<&Way> {
        // That its leader is not known is as rare as with the publisher, and means the same.
        self.0.get(&run.leader).or_else(|| self.0.get(&run.run))
    }
}
