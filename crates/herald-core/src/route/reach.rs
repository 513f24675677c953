//! Which routes no run can ever come to, or match. What is found is sure; what is not found can
//! still be so.

use super::{Condition, Globs, Route};
use crate::run::RunKind;

/// Why no run can match a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// A list holds nothing that could match.
    Empty {
        /// The condition's key.
        key: String,
    },
    /// What a list wants it refuses, too.
    Contradicts {
        /// The condition's key.
        key: String,
    },
    /// Runs of the kinds that it wants have nothing there.
    NotOfKind {
        /// The condition's key.
        key: String,
    },
    /// A route before it takes all that it would take.
    Behind {
        /// The number of that route, from 0.
        route: usize,
    },
}

/// The routes that nothing can match, by number from 0.
pub fn unreachable_routes(routes: &[Route]) -> Vec<(usize, Unreachable)> {
    let behind = |index: usize, route: &Route| {
        let before = routes.iter().take(index);
        let taker = before.into_iter().position(|before| !before.goes_on && covers(before, route));
        taker.map(|route| Unreachable::Behind { route })
    };
    routes
        .iter()
        .enumerate()
        .filter_map(|(index, route)| {
            Some((index, impossible(route).or_else(|| behind(index, route))?))
        })
        .collect()
}

fn impossible(route: &Route) -> Option<Unreachable> {
    let kinds = route.conditions().iter().find_map(|condition| match condition {
        Condition::Kind(kinds) => Some(kinds.as_slice()),
        _ => None,
    });
    route.conditions().iter().find_map(|condition| {
        let key = condition.key();
        if is_empty(condition) {
            return Some(Unreachable::Empty { key });
        }
        if globs(condition).is_some_and(Globs::contradict) {
            return Some(Unreachable::Contradicts { key });
        }
        let wants_some = globs(condition).is_some_and(Globs::wants_some);
        let nobody_has = |kinds: &[RunKind]| kinds.iter().all(|kind| !has(*kind, condition));
        (wants_some && kinds.is_some_and(nobody_has)).then_some(Unreachable::NotOfKind { key })
    })
}

/// Whether all that matches the second one matches the first one, too.
fn covers(wide: &Route, narrow: &Route) -> bool {
    wide.conditions()
        .iter()
        .all(|condition| narrow.conditions().iter().any(|other| covers_condition(condition, other)))
}

fn covers_condition(wide: &Condition, narrow: &Condition) -> bool {
    match (wide, narrow) {
        (Condition::Kind(wide), Condition::Kind(narrow)) => {
            narrow.iter().all(|kind| wide.contains(kind))
        }
        (Condition::Test(wide), Condition::Test(narrow)) => wide == narrow,
        (Condition::Outcome(wide), Condition::Outcome(narrow)) => {
            narrow.iter().all(|narrow| wide.iter().any(|wide| wide.takes(*narrow)))
        }
        (wide, narrow) if wide.key() == narrow.key() => match (globs(wide), globs(narrow)) {
            (Some(wide), Some(narrow)) => wide.cover(narrow),
            _ => false,
        },
        _ => false,
    }
}

fn globs(condition: &Condition) -> Option<&Globs> {
    match condition {
        Condition::Kind(_) | Condition::Test(_) | Condition::Outcome(_) => None,
        Condition::Fun(globs)
        | Condition::User(globs)
        | Condition::Target(globs)
        | Condition::Saltenv(globs)
        | Condition::Metadata(_, globs)
        | Condition::Minion(globs) => Some(globs),
    }
}

fn is_empty(condition: &Condition) -> bool {
    match condition {
        Condition::Kind(kinds) => kinds.is_empty(),
        Condition::Outcome(outcomes) => outcomes.is_empty(),
        Condition::Test(_) => false,
        other => globs(other).is_some_and(Globs::is_empty),
    }
}

/// Whether runs of a kind can have what a condition asks for. Runners and wheel functions run on the
/// master, and nobody knows who ran a `salt-call` or what `salt-ssh` was aimed at.
fn has(kind: RunKind, condition: &Condition) -> bool {
    use RunKind::{Local, Orchestration, Runner, Ssh, Wheel};
    match condition {
        Condition::Minion(_) => !matches!(kind, Runner | Wheel),
        Condition::Target(_) => !matches!(kind, Runner | Wheel | Orchestration | Ssh),
        Condition::User(_) => kind != Local,
        _ => true,
    }
}
