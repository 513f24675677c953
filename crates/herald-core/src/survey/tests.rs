//! What is counted, and what is advised.

use super::*;
use crate::minions::Minions;
use crate::route::{Condition, Facts, Outcome, Route, leads_to};
use crate::run::{Run, RunHead, RunKind, RunStatus, Tally};

fn run(second: i64, user: &str, fun: &str, voice: Voice) -> Seen {
    let at = Timestamp::from_second(1_795_300_000 + second).unwrap();
    let head = RunHead {
        kind: RunKind::Command,
        user: Some(user.to_owned()),
        command: format!("salt web1 {fun} {second}"),
        funs: vec![fun.to_owned()],
        tgt: "web1".to_owned(),
        tgt_type: "glob".to_owned(),
        test: false,
        schedule: None,
        saltenv: None,
        metadata: None,
    };
    let id = RunId(second as u64 * 1000 + fun.len() as u64 * 10 + user.len() as u64);
    Seen {
        run: id,
        leader: id,
        likeness: Likeness::of(&head),
        began: at,
        ended: Some(at),
        heard_at: at,
        person: user.into(),
        user: Some(user.into()),
        fun: fun.into(),
        rule: if voice == Voice::Said { Rule::MayChange } else { Rule::ReadOnly },
        voice,
        failed: false,
        bad: false,
    }
}

const BOT: Service = Service { edits: true, slow_after: Duration::from_secs(60) };

#[test]
fn every_run_is_counted_once() {
    let mut seen = vec![
        run(0, "alice", "cmd.run", Voice::Said),
        run(1, "alice", "test.ping", Voice::Quiet),
        run(2, "bob", "cmd.run", Voice::Said),
        run(3, "bob", "state.apply", Voice::Said),
        run(61, "bob", "test.ping", Voice::Told),
        run(62, "carol", "test.ping", Voice::ToldWith),
    ];
    let survey = Survey::of(&seen, BOT);
    assert_eq!((survey.runs, survey.said, survey.quiet), (6, 5, 1));
    let told: usize = survey.messages.iter().map(|message| message.runs.len()).sum();
    assert_eq!(told, 4, "{:?}", survey.messages);
    let rules: Vec<_> =
        survey.rules.iter().map(|rule| (rule.voice, rule.rule, rule.runs)).collect();
    assert_eq!(
        rules,
        [
            (Voice::Said, Rule::MayChange, 3),
            (Voice::Told, Rule::ReadOnly, 2),
            (Voice::Quiet, Rule::ReadOnly, 1)
        ]
    );
    assert_eq!(survey.rules[0].funs[0], ("cmd.run".to_owned(), 2));
    let people: Vec<_> = survey
        .people
        .iter()
        .map(|person| (person.person.as_str(), person.said, person.quiet))
        .collect();
    assert_eq!(people, [("bob", 3, 0), ("alice", 1, 1), ("carol", 1, 0)]);
    assert_eq!(survey.busiest.map(|(_, count)| count), Some(3));
    seen.reverse();
    assert_eq!(Survey::of(&seen, BOT), survey);
}

#[test]
fn nothing_comes_to_nothing() {
    assert_eq!(Survey::of(&[], BOT), Survey::default());
}

/// So many runs, one each so many seconds.
fn steady(count: i64, every: i64, user: &str) -> Vec<Seen> {
    (0..count).map(|n| run(n * every, user, "cmd.run", Voice::Said)).collect()
}

fn advice(seen: &[Seen]) -> Option<Advice> {
    Survey::of(seen, BOT).advice
}

#[test]
fn a_service_is_known_by_its_steadiness() {
    let mut seen = steady(300, 20, "saltapi");
    seen.extend((0..20).map(|n| run(n * 100, "alice", "state.apply", Voice::Said)));
    // Polls are nobody's own.
    seen.extend((0..900).map(|n| run(n, "alice", POLL, Voice::Quiet)));
    let wanted =
        Advice::Service { user: "saltapi".to_owned(), percent: 93, per_hour: 180, left: 20 };
    assert_eq!(advice(&seen), Some(wanted));
    for (why, seen) in [
        ("one busy quarter of an hour is a person", steady(300, 3, "alice")),
        ("too seldom", steady(120, 90, "alice")),
        ("two busy times with a pause between", {
            let mut seen = steady(300, 3, "alice");
            seen.extend(steady(300, 3, "alice").into_iter().map(|mut run| {
                run.began = run.began.checked_add(jiff::SignedDuration::from_hours(5)).unwrap();
                run
            }));
            seen
        }),
        ("two share the work", {
            let mut seen = steady(300, 20, "alice");
            seen.extend(steady(100, 60, "bob"));
            seen
        }),
    ] {
        assert!(!matches!(advice(&seen), Some(Advice::Service { .. })), "{why}");
    }
    let quiet = steady(300, 20, "saltapi").into_iter();
    let quiet: Vec<Seen> = quiet.map(|run| Seen { voice: Voice::Quiet, ..run }).collect();
    assert_eq!(advice(&quiet), None, "it says nothing anyway");
}

#[test]
fn a_function_that_dominates_is_named() {
    let mut seen: Vec<Seen> =
        (0..30).map(|n| run(n * 70, "alice", "cmd.run", Voice::Said)).collect();
    seen[0].failed = true;
    seen.extend((0..10).map(|n| run(n * 70 + 35, "bob", "state.apply", Voice::Said)));
    let wanted = Advice::Function { fun: "cmd.run".to_owned(), messages: 30, left: 11 };
    assert_eq!(advice(&seen), Some(wanted));
    assert_eq!(advice(&seen[..19]), None, "few need no advice");
}

/// A run as its journal has it, beside how it is counted.
fn whole(seen: &Seen, kind: RunKind, status: RunStatus) -> Run {
    Run {
        id: seen.run,
        head: RunHead {
            kind,
            user: seen.user.as_deref().map(str::to_owned),
            command: format!("salt web1 {}", seen.fun),
            funs: vec![seen.fun.as_ref().to_owned()],
            tgt: "web1".to_owned(),
            tgt_type: "glob".to_owned(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        },
        started_at: seen.began,
        finished_at: seen.ended,
        status,
        jobs: Vec::new(),
        jids: Vec::new(),
        said: seen.voice == Voice::Said,
        told_with: (seen.voice == Voice::Told).then_some(seen.run),
        tally: Tally::default(),
        collides_with: BTreeSet::new(),
        flags: BTreeSet::new(),
        own_failure: status == RunStatus::Failed,
    }
}

#[test]
fn places_hear_what_the_routes_lead_there_and_when() {
    let to = |places: &[&str]| places.iter().map(|place| (*place).to_owned()).collect();
    let failed = Condition::Outcome(vec![Outcome::Failed]);
    let commands = Condition::Kind(vec![RunKind::Command]);
    let routes = [
        Route::new(None, vec![failed], to(&["oncall", "all"]), true),
        Route::new(None, vec![commands], to(&["all"]), false),
    ];
    let places: Vec<String> = to(&["all", "oncall", "never"]);
    let end = |mut seen: Seen| {
        seen.ended = seen.began.checked_add(jiff::SignedDuration::from_secs(9)).ok();
        seen
    };
    let good = end(run(0, "alice", "cmd.run", Voice::Said));
    let bad = end(run(100, "alice", "state.apply", Voice::Said));
    let runner = end(run(200, "bob", "jobs.active", Voice::Said));
    let told = end(run(300, "carol", "test.ping", Voice::Told));
    let with = Seen { leader: told.run, ..end(run(301, "carol", "test.ping", Voice::ToldWith)) };
    let quiet = end(run(400, "carol", "test.ping", Voice::Quiet));
    let minions = Minions::default();
    let mut ways = Ways::default();
    for (seen, kind, status) in [
        (&good, RunKind::Command, RunStatus::Succeeded),
        (&bad, RunKind::Command, RunStatus::Failed),
        (&runner, RunKind::Runner, RunStatus::Succeeded),
        (&told, RunKind::Runner, RunStatus::Failed),
    ] {
        let run = whole(seen, kind, status);
        let facts = Facts::of(&run, &minions);
        ways.insert(run.id, Way::of(&routes, facts, &places));
        for (number, place) in places.iter().enumerate() {
            let heard = ways.at(number, std::slice::from_ref(seen));
            assert_eq!(heard[0].voice != Voice::Elsewhere, leads_to(&routes, facts, place));
        }
    }
    let seen = [good, bad.clone(), runner, told, with, quiet];
    let counts = |survey: Survey| (survey.said, survey.elsewhere, survey.quiet);
    assert_eq!(counts(Survey::of(&ways.at(0, &seen), BOT)), (4, 1, 1));
    assert_eq!(counts(Survey::of(&ways.at(2, &seen), BOT)), (0, 5, 1));
    assert_eq!(counts(Survey::counts(&ways.anywhere(&seen))), (4, 1, 1));
    let oncall = Survey::of(&ways.at(1, &seen), BOT);
    assert_eq!(oncall.messages.len(), 2);
    assert_eq!(oncall.messages[0].at, bad.ended.unwrap(), "nobody there heard it begin");
    assert_eq!(counts(oncall), (3, 2, 1));
    let all = Survey::of(&ways.at(0, &seen), BOT);
    assert_eq!(all.messages[1].at, bad.began);
    let people: Vec<_> = all.people.iter().map(|p| (p.person.as_str(), p.elsewhere)).collect();
    assert_eq!(people, [("carol", 0), ("alice", 0), ("bob", 1)]);
    // The failed one twice: as it began by the second route, as it ended by both.
    assert_eq!(ways.by_route(2, &seen), (vec![3, 2], 1));
}
