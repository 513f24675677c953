//! Which runs are said, and which are only recorded: Salt's functions that change nothing, and the
//! rules of those who run it.
//!
//! Everything is recorded; this decides only about saying. A function that is not known to be harmless
//! is said.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::glob::fnmatch;
use crate::run::RunKind;

/// Where a function lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Execution modules, on minions.
    Execution,
    /// Runners, on the master.
    Runner,
    /// Wheel modules, on the master.
    Wheel,
}

/// What a function can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// It only looks.
    ReadOnly,
    /// It changes what Salt keeps for itself: caches, the mine, synced modules.
    Housekeeping,
    /// It can change something, or we don't know it.
    MayChange,
}

/// The shipped table: see its own first lines.
const FUNCTIONS: &str = include_str!("noise/functions.txt");

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(FUNCTIONS));

#[derive(Default)]
struct Table {
    exact: HashMap<(Namespace, &'static str), FunctionKind>,
    globs: Vec<(Namespace, &'static str, FunctionKind)>,
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Table::default();
        for (namespace, name, kind) in rows(text) {
            if name.contains(['*', '?', '[']) {
                table.globs.push((namespace, name, kind));
            } else {
                table.exact.insert((namespace, name), kind);
            }
        }
        table
    }
}

/// The rows of the table. A line that is not understood is left out: the function is said then.
fn rows(text: &'static str) -> impl Iterator<Item = (Namespace, &'static str, FunctionKind)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (namespace, rest) = line.split_once(' ')?;
        let (name, kind) = rest.split_once(' ')?;
        let namespace = match namespace {
            "execution" => Namespace::Execution,
            "runner" => Namespace::Runner,
            "wheel" => Namespace::Wheel,
            _ => return None,
        };
        let kind = match kind {
            "read" => FunctionKind::ReadOnly,
            "housekeeping" => FunctionKind::Housekeeping,
            _ => return None,
        };
        Some((namespace, name, kind))
    })
}

/// What a function can do. A runner's or wheel's name can carry its `runner.` or `wheel.`.
pub fn function_kind(namespace: Namespace, fun: &str) -> FunctionKind {
    let prefix = match namespace {
        Namespace::Execution => "",
        Namespace::Runner => "runner.",
        Namespace::Wheel => "wheel.",
    };
    let fun = fun.strip_prefix(prefix).unwrap_or(fun);
    if let Some(kind) = TABLE.exact.get(&(namespace, fun)) {
        return *kind;
    }
    let found =
        TABLE.globs.iter().find(|(known, glob, _)| *known == namespace && fnmatch(glob, fun));
    found.map_or(FunctionKind::MayChange, |(_, _, kind)| *kind)
}

impl Namespace {
    /// Where the functions of a run live.
    pub fn of(kind: RunKind) -> Self {
        match kind {
            RunKind::Runner | RunKind::Orchestration => Self::Runner,
            RunKind::Wheel => Self::Wheel,
            _ => Self::Execution,
        }
    }
}

/// Why a run of a function is said, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Said: a glob of `say` names it.
    Say,
    /// Said: it can change something, or is not known.
    MayChange,
    /// Quiet: nobody set it going.
    Scheduled,
    /// Quiet: a glob of `quiet` names it.
    Quiet,
    /// Quiet: it only looks.
    ReadOnly,
    /// Quiet: it changes only what Salt keeps for itself.
    Housekeeping,
}

impl Why {
    /// Whether it is said.
    pub fn is_said(self) -> bool {
        matches!(self, Self::Say | Self::MayChange)
    }

    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Say => "is said, by announce.say",
            Self::MayChange => "is said: it can change something, or is not known",
            Self::Scheduled => "is quiet: a schedule ran it, and announce.scheduled is not set",
            Self::Quiet => "is quiet, by announce.quiet",
            Self::ReadOnly => "is quiet: it only looks",
            Self::Housekeeping => "is quiet: it changes only what Salt keeps for itself",
        }
    }
}

/// What those who run salt-herald want to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SayRules {
    /// Globs of functions that are always said.
    pub say: Vec<String>,
    /// Globs of functions that are never said, unless they are in `say`.
    pub quiet: Vec<String>,
    /// Whether runs that nobody set going (schedules) are said.
    pub scheduled: bool,
}

impl SayRules {
    /// Whether a run of these functions is said. Their own rules go before the table; of several
    /// functions, one that is said is enough. An unattended run is said if `scheduled` allows it, or
    /// a `say` glob names it.
    ///
    /// A glob is tried on the function as it is named, and for runners and wheels also without their
    /// `runner.` and `wheel.`.
    pub fn is_said(&self, kind: RunKind, funs: &[String]) -> bool {
        funs.iter().any(|fun| self.why(kind, fun).is_said())
    }

    /// Why a run of this function is said or not.
    pub fn why(&self, kind: RunKind, fun: &str) -> Why {
        let (namespace, unattended) = (Namespace::of(kind), kind == RunKind::Scheduled);
        if matches_any(&self.say, namespace, fun) {
            return Why::Say;
        }
        if unattended && !self.scheduled {
            return Why::Scheduled;
        }
        if matches_any(&self.quiet, namespace, fun) {
            return Why::Quiet;
        }
        match function_kind(namespace, fun) {
            FunctionKind::ReadOnly => Why::ReadOnly,
            FunctionKind::Housekeeping => Why::Housekeeping,
            FunctionKind::MayChange => Why::MayChange,
        }
    }
}

fn matches_any(globs: &[String], namespace: Namespace, fun: &str) -> bool {
    let short = match namespace {
        Namespace::Execution => None,
        Namespace::Runner => fun.strip_prefix("runner."),
        Namespace::Wheel => fun.strip_prefix("wheel."),
    };
    globs.iter().any(|glob| fnmatch(glob, fun) || short.is_some_and(|fun| fnmatch(glob, fun)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DANGEROUS: &str = include_str!("noise/dangerous.txt");

    fn said(rules: &SayRules, funs: &[&str], unattended: bool) -> bool {
        let funs: Vec<String> = funs.iter().map(ToString::to_string).collect();
        let kind = if unattended { RunKind::Scheduled } else { RunKind::Command };
        rules.is_said(kind, &funs)
    }

    #[test]
    fn the_table_is_sorted_and_has_nothing_twice() {
        let lines: Vec<&str> = FUNCTIONS.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() >= 400, "{}", lines.len());
        assert_eq!(rows(FUNCTIONS).count(), lines.len(), "a line is not understood");
        for pair in lines.windows(2) {
            assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
        }
        let mut names: Vec<_> =
            rows(FUNCTIONS).map(|(space, name, _)| (space as u8, name)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), lines.len(), "a function is listed with two kinds");
    }

    #[test]
    fn what_changes_something_is_never_taken_for_reading() {
        let mut count = 0;
        for line in DANGEROUS.lines().filter(|line| !line.starts_with('#')) {
            let (namespace, fun) = line.split_once(' ').unwrap();
            let namespace = match namespace {
                "execution" => Namespace::Execution,
                "runner" => Namespace::Runner,
                _ => Namespace::Wheel,
            };
            assert_eq!(function_kind(namespace, fun), FunctionKind::MayChange, "{line}");
            count += 1;
        }
        assert!(count >= 150, "{count}");
    }

    #[test]
    fn what_only_looks_is_known() {
        for fun in
            ["test.ping", "grains.get", "pkg.list_pkgs", "state.show_sls", "saltutil.find_job"]
        {
            assert_eq!(function_kind(Namespace::Execution, fun), FunctionKind::ReadOnly, "{fun}");
        }
        for fun in ["saltutil.sync_all", "saltutil.refresh_pillar", "mine.update"] {
            assert_eq!(
                function_kind(Namespace::Execution, fun),
                FunctionKind::Housekeeping,
                "{fun}"
            );
        }
        for fun in ["jobs.active", "runner.jobs.list_jobs", "manage.up"] {
            assert_eq!(function_kind(Namespace::Runner, fun), FunctionKind::ReadOnly, "{fun}");
        }
        assert_eq!(function_kind(Namespace::Wheel, "wheel.key.list_all"), FunctionKind::ReadOnly);
    }

    #[test]
    fn say_wins_over_quiet_and_quiet_over_the_table() {
        let rules = SayRules {
            say: vec!["test.ping".into(), "state.*".into()],
            quiet: vec!["cmd.*".into(), "state.sls".into()],
            scheduled: false,
        };
        assert!(said(&rules, &["test.ping"], false));
        assert!(said(&rules, &["state.sls"], false));
        assert!(!said(&rules, &["cmd.run"], false));
        assert!(said(&rules, &["pkg.install"], false));
        assert!(!said(&rules, &["grains.items"], false));
        assert!(said(&rules, &["grains.items", "pkg.install"], false));
        assert!(said(&rules, &["state.apply"], true));
        assert!(!said(&rules, &["pkg.install"], true));
        assert!(said(&SayRules { scheduled: true, ..rules }, &["pkg.install"], true));
        let short = SayRules { quiet: vec!["state.orchestrate".into()], ..SayRules::default() };
        assert!(!short.is_said(RunKind::Orchestration, &["runner.state.orchestrate".into()]));
    }
}
