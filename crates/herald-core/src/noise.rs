//! Which runs are said, and which are only recorded: Salt's functions that change nothing, and the
//! rules of those who run it.
//!
//! Everything is recorded; this decides only about saying. A function that is not known to be harmless
//! is said.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::glob::fnmatch;
use crate::run::{RunHead, RunKind};

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

/// What those who run salt-herald want to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SayRules {
    /// Globs of functions that are always said.
    pub say: Vec<String>,
    /// Globs of functions that are never said, unless they are in `say`.
    pub quiet: Vec<String>,
    /// Whether runs that nobody set going (schedules) are said.
    pub scheduled: bool,
    /// Globs of users that are services: their runs are said when they fail.
    pub service_users: Vec<String>,
}

/// What decided whether a run is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Said: `say` names a function of it.
    Say,
    /// Said: it can change something, or we don't know it.
    MayChange,
    /// Quiet: nobody sat at it.
    Scheduled,
    /// Quiet: a service ran it.
    ServiceUser,
    /// Quiet: `quiet` names its functions.
    Quiet,
    /// Quiet: it only looks.
    ReadOnly,
    /// Quiet: it changes what Salt keeps for itself.
    Housekeeping,
}

impl Rule {
    /// Whether a run is said by it. A quiet one that fails is told all the same.
    pub fn is_said(self) -> bool {
        matches!(self, Rule::Say | Rule::MayChange)
    }

    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Rule::Say => "is said, by announce.say",
            Rule::MayChange => "is said: it can change something, or is not known",
            Rule::Scheduled => "is quiet: a schedule ran it, and announce.scheduled is not set",
            Rule::ServiceUser => "is quiet: a service ran it, by announce.service_users",
            Rule::Quiet => "is quiet, by announce.quiet",
            Rule::ReadOnly => "is quiet: it only looks",
            Rule::Housekeeping => "is quiet: it changes only what Salt keeps for itself",
        }
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Say => "say",
            Rule::MayChange => "may_change",
            Rule::Scheduled => "scheduled",
            Rule::ServiceUser => "service_user",
            Rule::Quiet => "quiet",
            Rule::ReadOnly => "read_only",
            Rule::Housekeeping => "housekeeping",
        }
    }
}

impl SayRules {
    /// Which rule decides whether a run is said: asked when it begins, and by who explains it.
    pub fn rule(&self, head: &RunHead) -> Rule {
        let namespace = Namespace::of(head.kind);
        let unattended = head.kind == RunKind::Scheduled;
        let rule = self.rule_of(namespace, &head.funs, unattended);
        match rule {
            Rule::MayChange if self.is_service(head.user.as_deref()) => Rule::ServiceUser,
            rule => rule,
        }
    }

    /// Whether a user is a service.
    pub fn is_service(&self, user: Option<&str>) -> bool {
        user.is_some_and(|user| self.service_users.iter().any(|glob| fnmatch(glob, user)))
    }

    /// Their own rules go before the table; of several functions, one that is said is enough. An
    /// unattended run is said if `scheduled` allows it, or a `say` glob names it.
    ///
    /// A glob is tried on the function as it is named, and for runners and wheels also without their
    /// `runner.` and `wheel.`.
    fn rule_of(&self, namespace: Namespace, funs: &[String], unattended: bool) -> Rule {
        let mut rules = funs.iter().map(|fun| self.rule_of_one(namespace, fun, unattended));
        let first = rules.next().unwrap_or(Rule::Quiet);
        if first.is_said() { first } else { rules.find(|rule| rule.is_said()).unwrap_or(first) }
    }

    fn rule_of_one(&self, namespace: Namespace, fun: &str, unattended: bool) -> Rule {
        if matches_any(&self.say, namespace, fun) {
            return Rule::Say;
        }
        if unattended && !self.scheduled {
            return Rule::Scheduled;
        }
        if matches_any(&self.quiet, namespace, fun) {
            return Rule::Quiet;
        }
        match function_kind(namespace, fun) {
            FunctionKind::MayChange => Rule::MayChange,
            FunctionKind::ReadOnly => Rule::ReadOnly,
            FunctionKind::Housekeeping => Rule::Housekeeping,
        }
    }
}

fn matches_any(globs: &[String], namespace: Namespace, fun: &str) -> bool {
    let prefix = match namespace {
        Namespace::Execution => "",
        Namespace::Runner => "runner.",
        Namespace::Wheel => "wheel.",
    };
    let short = fun.strip_prefix(prefix).unwrap_or(fun);
    let long = format!("{prefix}{short}");
    globs.iter().any(|glob| fnmatch(glob, short) || fnmatch(glob, &long))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DANGEROUS: &str = include_str!("noise/dangerous.txt");

    fn said(rules: &SayRules, funs: &[&str], unattended: bool) -> bool {
        let funs: Vec<String> = funs.iter().map(ToString::to_string).collect();
        rules.rule_of(Namespace::Execution, &funs, unattended).is_said()
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
            ..SayRules::default()
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
        let long = SayRules { quiet: vec!["runner.state.*".into()], ..SayRules::default() };
        for fun in ["runner.state.orchestrate", "state.orchestrate"] {
            let funs = [fun.to_owned()];
            assert_eq!(short.rule_of(Namespace::Runner, &funs, false), Rule::Quiet, "{fun}");
            assert_eq!(long.rule_of(Namespace::Runner, &funs, false), Rule::Quiet, "{fun}");
        }
    }

    #[test]
    fn what_a_service_runs_is_quiet_unless_it_is_to_be_said() {
        let head = |user: Option<&str>, fun: &str| RunHead {
            kind: RunKind::Command,
            user: user.map(str::to_owned),
            command: String::new(),
            funs: vec![fun.to_owned()],
            tgt: String::new(),
            tgt_type: String::new(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        };
        let rules = SayRules {
            say: vec!["state.highstate".into()],
            service_users: vec!["saltapi".into(), "svc-*".into()],
            ..SayRules::default()
        };
        for (user, fun, wanted) in [
            (Some("saltapi"), "cmd.run", Rule::ServiceUser),
            (Some("svc-deploy"), "cmd.run", Rule::ServiceUser),
            (Some("saltapi2"), "cmd.run", Rule::MayChange),
            (Some("alice"), "cmd.run", Rule::MayChange),
            (None, "cmd.run", Rule::MayChange),
            (Some("saltapi"), "test.ping", Rule::ReadOnly),
            (Some("saltapi"), "state.highstate", Rule::Say),
        ] {
            assert_eq!(rules.rule(&head(user, fun)), wanted, "{user:?} {fun}");
        }
    }
}
