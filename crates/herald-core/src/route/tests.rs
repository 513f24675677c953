//! What routes decide, by example and by property.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::run::{RunHead, RunId, Tally};

fn minions() -> Minions {
    Minions::restore(["prod-web1", "prod-web2", "dev-db1"].map(str::to_owned))
}

fn run() -> Run {
    Run {
        id: RunId(1),
        head: RunHead {
            kind: RunKind::StateRun,
            user: Some("alice".into()),
            command: "salt 'prod*' state.apply".into(),
            funs: vec!["state.apply".into()],
            tgt: "prod*".into(),
            tgt_type: "glob".into(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        },
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: None,
        status: RunStatus::Running,
        jobs: Vec::new(),
        jids: Vec::new(),
        said: true,
        told_with: None,
        tally: Tally { expected: [0, 1].into_iter().collect(), ..Tally::default() },
        collides_with: Default::default(),
        flags: Default::default(),
        own_failure: false,
    }
}

fn route(conditions: Vec<Condition>, to: &[&str], goes_on: bool) -> Route {
    Route::new(None, conditions, to.iter().map(ToString::to_string).collect(), goes_on)
}

fn globs(texts: &[&str]) -> Globs {
    Globs::new(texts)
}

fn goes(routes: &[Route], run: &Run, place: &str) -> bool {
    leads_to(routes, Facts { run, minions: &minions(), metadata: None }, place)
}

#[test]
fn without_routes_every_run_goes_everywhere() {
    assert!(goes(&[], &run(), "ops"));
    assert!(!goes(&[route(Vec::new(), &[], false)], &run(), "ops"));
}

#[test]
fn the_first_that_matches_decides_unless_it_goes_on() {
    let prod = || vec![Condition::Minion(globs(&["prod-*"]))];
    let rest = route(Vec::new(), &["rest"], false);
    let routes = [route(prod(), &["ops"], false), rest.clone()];
    assert!(goes(&routes, &run(), "ops") && !goes(&routes, &run(), "rest"));
    let routes = [route(prod(), &["ops"], true), rest];
    assert!(goes(&routes, &run(), "ops") && goes(&routes, &run(), "rest"));
}

#[test]
fn a_run_goes_where_it_leads_at_its_beginning_and_at_its_end() {
    let failed = vec![Condition::Outcome(vec![Outcome::Failed])];
    let routes = [route(failed, &["ops"], false), route(Vec::new(), &["all"], false)];
    let mut run = run();
    assert!(goes(&routes, &run, "all") && !goes(&routes, &run, "ops"));
    run.status = RunStatus::Failed;
    assert!(goes(&routes, &run, "all") && goes(&routes, &run, "ops"));
    // Nobody heard of the beginning of a quiet one, and nobody saw that of a salt-call.
    run.said = false;
    assert!(!goes(&routes, &run, "all") && goes(&routes, &run, "ops"));
    run.said = true;
    run.head.kind = RunKind::Local;
    assert!(!goes(&routes, &run, "all") && goes(&routes, &run, "ops"));
}

#[test]
fn what_is_not_known_matches_only_what_is_not_wanted() {
    let mut run = run();
    run.head.user = None;
    let by = |texts: &[&str]| [route(vec![Condition::User(globs(texts))], &["ops"], false)];
    assert!(!goes(&by(&["*"]), &run, "ops"));
    assert!(goes(&by(&["!alice"]), &run, "ops"));
    assert!(!goes(&by(&[]), &run, "ops"));
}

#[test]
fn of_several_one_is_enough_and_none_may_be_unwanted() {
    let mut run = run();
    run.tally.expected.insert(2);
    let on = |texts: &[&str]| [route(vec![Condition::Minion(globs(texts))], &["ops"], false)];
    assert!(goes(&on(&["dev-*"]), &run, "ops"));
    assert!(!goes(&on(&["prod-*", "!dev-*"]), &run, "ops"));
    assert!(goes(&on(&["prod-*", "!stage-*"]), &run, "ops"));
    run.head.funs = vec!["pkg.install".into(), "service.restart".into()];
    let of = [route(vec![Condition::Fun(globs(&["service.*"]))], &["ops"], false)];
    assert!(goes(&of, &run, "ops"));
    run.head.kind = RunKind::Runner;
    let of = [route(vec![Condition::Fun(globs(&["runner.pkg.*"]))], &["ops"], false)];
    assert!(goes(&of, &run, "ops"));
}

#[test]
fn metadata_is_matched_by_its_key() {
    let metadata = Value::Map(vec![
        ("ticket".into(), "OPS-12".into()),
        ("change".into(), Value::Int(7)),
        ("tags".into(), Value::Array(vec!["a".into(), "b".into()])),
        ("deep".into(), Value::Map(Vec::new())),
    ]);
    let matches = |key: &str, glob: &str| {
        let condition = Condition::Metadata(key.into(), globs(&[glob]));
        let facts = Facts { run: &run(), minions: &minions(), metadata: Some(&metadata) };
        leads_to(&[route(vec![condition], &["ops"], false)], facts, "ops")
    };
    assert!(matches("ticket", "OPS-*") && matches("change", "7") && matches("tags", "b"));
    assert!(!matches("ticket", "DEV-*") && !matches("deep", "*") && !matches("other", "*"));
}

#[test]
fn why_a_route_does_not_match_is_said() {
    let minions = minions();
    let mut run = run();
    run.tally.expected.extend(2..9);
    let facts = Facts { run: &run, minions: &minions, metadata: None };
    let wants = [
        Condition::Kind(vec![RunKind::Batch, RunKind::Runner]),
        Condition::Test(true),
        Condition::Outcome(vec![Outcome::Failed]),
        Condition::Fun(globs(&["cmd.*"])),
        Condition::User(globs(&["bob", "ca*"])),
        Condition::Target(globs(&["!prod*"])),
        Condition::Saltenv(globs(&["prod"])),
        Condition::Metadata("ticket".into(), globs(&["*"])),
        Condition::Minion(globs(&["web*", "!prod-*"])),
    ];
    let routes: Vec<Route> =
        wants.into_iter().map(|condition| route(vec![condition], &["ops"], false)).collect();
    let lines: Vec<String> = decide(&routes, facts, Moment::Now)
        .verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Differs { key, saw, wanted } => format!("{key} is {saw}, wanted {wanted}"),
            other => format!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn routes_that_nothing_can_match_are_found() {
    let runners = || Condition::Kind(vec![RunKind::Runner, RunKind::Wheel]);
    let routes = [
        route(vec![Condition::Fun(globs(&[]))], &["a"], false),
        route(vec![Condition::User(globs(&["a*", "!*"]))], &["a"], false),
        route(vec![runners(), Condition::Minion(globs(&["*"]))], &["a"], false),
        route(vec![runners(), Condition::Minion(globs(&["!x"]))], &["a"], false),
        route(vec![Condition::User(globs(&["al*"]))], &["a"], false),
        route(vec![Condition::User(globs(&["alice"])), Condition::Test(true)], &["a"], false),
        route(vec![Condition::User(globs(&["bob"]))], &["a"], true),
        route(vec![Condition::User(globs(&["bob"]))], &["a"], false),
        route(Vec::new(), &["a"], false),
        route(Vec::new(), &["a"], false),
    ];
    let key = |key: &str| key.to_owned();
    assert_eq!(
        unreachable_routes(&routes),
        [
            (0, Unreachable::Empty { key: key("fun") }),
            (1, Unreachable::Contradicts { key: key("user") }),
            (2, Unreachable::NotOfKind { key: key("minion") }),
            (5, Unreachable::Behind { route: 4 }),
            (9, Unreachable::Behind { route: 8 }),
        ]
    );
}

fn any_globs(texts: &'static [&'static str]) -> impl Strategy<Value = Globs> {
    subsequence(texts, 0..=2).prop_map(Globs::new)
}

fn any_condition() -> impl Strategy<Value = Condition> {
    const NAMES: &[&str] = &["*", "a*", "alice", "!alice", "b?b", "!b*"];
    const FUNS: &[&str] = &["state.*", "state.apply", "!cmd.*", "runner.*", "cmd.run"];
    const MINIONS: &[&str] = &["prod-*", "prod-web?", "!dev-*", "*1"];
    prop_oneof![
        subsequence(RunKind::ALL, 0..=4).prop_map(Condition::Kind),
        any::<bool>().prop_map(Condition::Test),
        subsequence(Outcome::ALL, 0..=3).prop_map(Condition::Outcome),
        any_globs(FUNS).prop_map(Condition::Fun),
        any_globs(NAMES).prop_map(Condition::User),
        any_globs(MINIONS).prop_map(Condition::Target),
        any_globs(NAMES).prop_map(Condition::Saltenv),
        any_globs(MINIONS).prop_map(Condition::Minion),
    ]
}

fn any_route() -> impl Strategy<Value = Route> {
    let conditions = prop::collection::vec(any_condition(), 0..3);
    let to = subsequence(&["a", "b", "c"][..], 0..=2);
    (conditions, to, any::<bool>()).prop_map(|(mut conditions, to, goes_on)| {
        let mut seen = std::collections::HashSet::new();
        conditions.retain(|condition| seen.insert(condition.key()));
        route(conditions, &to, goes_on)
    })
}

prop_compose! {
    fn any_run()(
        kind in select(RunKind::ALL),
        user in prop::option::of(select(&["alice", "bob", "carol"][..])),
        saltenv in prop::option::of(select(&["alice", "base"][..])),
        fun in select(&["state.apply", "cmd.run", "state.orchestrate"][..]),
        status in select(RunStatus::ALL),
        test: bool,
        said: bool,
        expected in subsequence(&[0u32, 1, 2][..], 0..=3),
    ) -> Run {
        let mut run = run();
        run.head.kind = kind;
        run.head.user = user.filter(|_| kind != RunKind::Local).map(str::to_owned);
        run.head.saltenv = saltenv.map(str::to_owned);
        run.head.funs = vec![fun.to_owned()];
        run.head.test = test;
        run.status = status;
        run.said = said;
        let on_master = matches!(kind, RunKind::Runner | RunKind::Wheel);
        run.tally.expected = expected.into_iter().filter(|_| !on_master).collect();
        if on_master || matches!(kind, RunKind::Orchestration | RunKind::Ssh) {
            run.head.tgt = String::new();
        }
        run
    }
}

proptest! {
    #[test]
    fn what_is_explained_is_what_is_done(
        routes in prop::collection::vec(any_route(), 1..6),
        run in any_run(),
    ) {
        let minions = minions();
        let facts = Facts { run: &run, minions: &minions, metadata: None };
        for moment in moments(&run) {
            let decision = decide(&routes, facts, *moment);
            prop_assert_eq!(decision.verdicts.len(), routes.len());
            let mut to: Vec<&String> = Vec::new();
            let mut is_over = false;
            for (route, verdict) in routes.iter().zip(&decision.verdicts) {
                let holds = route.conditions().iter().all(|one| one.holds(facts, *moment));
                match verdict {
                    Verdict::NotAsked => prop_assert!(is_over),
                    Verdict::Matched => {
                        prop_assert!(!is_over && holds);
                        to.extend(&route.to);
                        is_over = !route.goes_on;
                    }
                    Verdict::Differs { key, .. } => {
                        prop_assert!(!is_over);
                        let named = route.conditions().iter().find(|one| one.key() == *key);
                        prop_assert!(named.is_some_and(|one| !one.holds(facts, *moment)));
                    }
                }
            }
            for place in ["a", "b", "c"] {
                prop_assert_eq!(decision.leads_to(place), to.iter().any(|to| *to == place));
                prop_assert!(!decision.leads_to(place) || leads_to(&routes, facts, place));
            }
        }
    }

    #[test]
    fn what_is_found_unreachable_is_never_reached(
        routes in prop::collection::vec(any_route(), 1..6),
        runs in prop::collection::vec(any_run(), 20),
    ) {
        let minions = minions();
        let unreachable = unreachable_routes(&routes);
        for run in &runs {
            let facts = Facts { run, minions: &minions, metadata: None };
            for moment in [Moment::Begun, Moment::Now] {
                let verdicts = decide(&routes, facts, moment).verdicts;
                for (index, why) in &unreachable {
                    prop_assert_ne!(&verdicts[*index], &Verdict::Matched, "{:?}", why);
                }
            }
        }
    }
}
