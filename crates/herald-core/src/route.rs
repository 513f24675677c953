//! Routes: to which sinks a run goes, and why.
//!
//! Routes are asked in their order. The first one whose conditions all hold says where the run
//! goes, and the rest is asked only if it `goes_on`. Without routes every run goes everywhere. What
//! was said somewhere is kept up to date there whatever routes say: that is the publisher's matter.
//! Whether a run is said at all is [`crate::noise`]'s.

mod condition;
mod globs;
mod reach;
#[cfg(test)]
mod tests;

use salt_event::Value;

use crate::minions::Minions;
use crate::run::{Run, RunId, RunKind, RunStatus, named};

pub use condition::Condition;
pub use globs::Globs;
pub use reach::{Unreachable, unreachable_routes};

named! {
    /// How a run is going, as routes ask for it.
    Outcome {
        /// It has not ended.
        Running = 1, "running";
        /// It ended and nothing failed, whether or not something changed.
        Succeeded = 2, "succeeded";
        /// It ended, nothing failed, and something changed, or would.
        Changed = 3, "changed";
        /// It ended and something failed.
        Failed = 4, "failed";
        /// It ended, nothing failed, but somebody never answered.
        Incomplete = 5, "incomplete";
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// What it is called, if it is.
    pub name: Option<String>,
    /// All must hold; none always holds. In the order in which they are asked.
    conditions: Vec<Condition>,
    /// The places to which matching runs go: names of sinks, or of a sink and a channel.
    pub to: Vec<String>,
    /// Whether the routes behind it are asked, too, when it matches.
    pub goes_on: bool,
}

impl Route {
    /// A route. The order of the conditions does not matter.
    pub fn new(
        name: Option<String>,
        mut conditions: Vec<Condition>,
        to: Vec<String>,
        goes_on: bool,
    ) -> Self {
        conditions.sort_by_key(Condition::rank);
        Self { name, conditions, to, goes_on }
    }

    /// Whether it asks for what a client said of a job beside its arguments.
    pub fn asks_for_metadata(&self) -> bool {
        self.conditions.iter().any(|condition| matches!(condition, Condition::Metadata(..)))
    }

    /// What must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

/// What routes look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The run.
    pub run: &'a Run,
    /// The names of its minions.
    pub minions: &'a Minions,
    /// What somebody gave along with the job, through the API.
    pub metadata: Option<&'a Value<'a>>,
}

impl<'a> Facts<'a> {
    /// What is known of a run.
    pub fn of(run: &'a Run, minions: &'a Minions) -> Self {
        Self { run, minions, metadata: run.head.metadata.as_ref() }
    }
}

/// At which moment a run is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As it began: running.
    Begun,
    /// As it is.
    Now,
}

/// What one route says of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All its conditions hold.
    Matched,
    /// One does not: the first of them.
    Differs {
        /// The condition's key in the config.
        key: String,
        /// What the run has there. It comes from the bus: as hostile as anything.
        saw: String,
        /// What the route wants there.
        wanted: String,
    },
    /// A route before it matched, and does not go on.
    NotAsked,
}

/// Where a run goes at one moment, and what each route said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// One for each route.
    pub verdicts: Vec<Verdict>,
    /// The places; nothing means everywhere, because there are no routes.
    pub to: Option<Vec<String>>,
}

impl Decision {
    /// Whether the run goes there.
    pub fn leads_to(&self, place: &str) -> bool {
        self.to.as_ref().is_none_or(|to| to.iter().any(|one| one == place))
    }
}

/// Asks the routes about a run at one moment.
pub fn decide(routes: &[Route], facts: Facts<'_>, moment: Moment) -> Decision {
    let mut to: Vec<String> = Vec::new();
    let mut verdicts = Vec::with_capacity(routes.len());
    let mut is_over = false;
    for route in routes {
        if is_over {
            verdicts.push(Verdict::NotAsked);
            continue;
        }
        let verdict = ask(route, facts, moment);
        if verdict == Verdict::Matched {
            for place in &route.to {
                if !to.contains(place) {
                    to.push(place.clone());
                }
            }
            is_over = !route.goes_on;
        }
        verdicts.push(verdict);
    }
    Decision { verdicts, to: (!routes.is_empty()).then_some(to) }
}

fn ask(route: &Route, facts: Facts<'_>, moment: Moment) -> Verdict {
    match route.conditions.iter().find(|condition| !condition.holds(facts, moment)) {
        None => Verdict::Matched,
        Some(condition) => Verdict::Differs {
            key: condition.key(),
            saw: condition.saw(facts, moment),
            wanted: condition.wanted(),
        },
    }
}

/// The moments at which a run is asked about, the earlier one first. It goes wherever one of them
/// leads.
///
/// A run that is said is asked about as it began, too, though it ended before anybody could look:
/// where it goes must not depend on how fast we are. A quiet run is told of only because it failed,
/// and of a `salt-call` or a schedule nothing but the end is seen.
pub fn moments(run: &Run) -> &'static [Moment] {
    let is_lone = matches!(run.head.kind, RunKind::Local | RunKind::Scheduled);
    if run.status == RunStatus::Running || !run.said || is_lone {
        &[Moment::Now]
    } else {
        &[Moment::Begun, Moment::Now]
    }
}

/// The run that is asked about in the place of another: what is told together goes together.
pub fn leader(run: &Run) -> RunId {
    run.told_with.unwrap_or(run.id)
}

/// Whether a run goes to a place.
pub fn leads_to(routes: &[Route], facts: Facts<'_>, place: &str) -> bool {
    moments(facts.run).iter().any(|moment| decide(routes, facts, *moment).leads_to(place))
}
