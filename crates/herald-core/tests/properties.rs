//! What holds for any bus: order of returns, repetitions, the journal's fold, restarts, garbage and
//! secrets.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use herald_core::announce::Announcement;
use herald_core::compose::{Context, announce};
use herald_core::entry::{EntryHead, encode};
use herald_core::ledger::{Restored, Settings};
use herald_core::names::AS_THEY_ARE;
use herald_core::run::{Run, RunStatus};
use proptest::prelude::*;
use salt_event::Value;
use support::journal::folded;
use support::{
    Heard, Job, at, frame, jid, list, map, recorded, ret, ret_with, state, states, text,
};

const MINIONS: [&str; 5] = ["web1", "web2", "db1", "db1.example.com", "a"];
const BUSES: [&[u8]; 4] = [
    include_bytes!("../../salt-event/tests/buses/3006-old.bus"),
    include_bytes!("../../salt-event/tests/buses/3006.bus"),
    include_bytes!("../../salt-event/tests/buses/3007.bus"),
    include_bytes!("../../salt-event/tests/buses/3008.bus"),
];

/// One of a few things that a minion returns.
fn returned(kind: u8, minion: &str) -> (Value<'static>, i64) {
    match kind % 6 {
        0 => (states(vec![state("motd", Some(true), false, "as it was")]), 0),
        1 => (states(vec![state(minion, Some(true), true, "changed")]), 0),
        2 => (
            states(vec![
                state("bad", Some(false), false, &format!("{minion} is full")),
                state("next", Some(false), false, "One or more requisite failed: bad"),
            ]),
            2,
        ),
        3 => (states(vec![state("motd", None, true, "would")]), 0),
        4 => (list(&["Rendering SLS 'x' failed"]), 1),
        _ => (
            list(&[&format!(
                "The function \"state.sls\" is running as PID 7 and was started at \
                              now with jid {}",
                jid(9)
            )]),
            1,
        ),
    }
}

fn announcement(heard: &Heard, run: &Run) -> Announcement {
    let context = Context { master: None, minions: heard.ledger.minions(), names: &AS_THEY_ARE };
    announce(run, &heard.failures(run), context)
}

/// A run without what depends on when its returns came.
fn timeless(run: &Run) -> Run {
    let mut run = run.clone();
    run.finished_at = None;
    run
}

/// A little bus: jobs, and returns of some of them in some order, some of them twice.
fn bus() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let jobs = 1..4_u32;
    let returns = prop::collection::vec((0..5_u32, 0..5_usize, any::<u8>()), 0..24);
    (jobs, returns).prop_map(|(jobs, returns)| {
        let mut frames: Vec<Vec<u8>> = (0..jobs)
            .map(|number| {
                Job::new(&jid(number), "state.apply", list(&["web"]), &MINIONS[..4]).frame()
            })
            .collect();
        for (number, minion, kind) in returns {
            let minion = MINIONS[minion];
            let (value, code) = returned(kind, minion);
            frames.push(ret(&jid(number), minion, "state.apply", value, code));
        }
        frames
    })
}

fn heard(frames: &[Vec<u8>]) -> Heard {
    let mut heard = Heard::default();
    for (place, frame) in frames.iter().enumerate() {
        heard.hear(at(place as f64 / 10.0), frame);
    }
    heard
}

fn assert_folds(heard: &Heard) {
    let state = folded(heard);
    for run in heard.ledger.runs() {
        assert_eq!(state.runs.get(&run.id), Some(run));
    }
    assert_eq!(state.runs.len(), heard.ledger.runs().count());
    assert_eq!(state.minions.len(), heard.ledger.minions().len());
}

/// Goes on after a restart, as the daemon does: what ended is asked of the journal when it is named.
fn go_on(first: Heard, frames: &[Vec<u8>], from: usize) -> Heard {
    let time = |place: usize| at(place as f64 / 10.0);
    let mut second = first.restart(Settings::default(), time(from));
    for (place, frame) in frames.iter().enumerate().skip(from) {
        second.hear(time(place), frame);
    }
    second
}

fn final_runs(heard: &Heard) -> BTreeMap<u64, Run> {
    folded(heard).runs.values().map(|run| (run.id.0, timeless(run))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_returns_does_not_matter(
        order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
        kinds in prop::array::uniform5(any::<u8>()),
    ) {
        let frames = |order: &[usize]| {
            let mut frames = vec![
                Job::new(&jid(1), "state.apply", list(&["web"]), &MINIONS).frame(),
            ];
            frames.extend(order.iter().map(|at| {
                let (value, code) = returned(kinds[*at], MINIONS[*at]);
                ret(&jid(1), MINIONS[*at], "state.apply", value, code)
            }));
            frames
        };
        let (some, other) = (heard(&frames(&[0, 1, 2, 3, 4])), heard(&frames(&order)));
        prop_assert_eq!(some.run(1), other.run(1));
        prop_assert_eq!(announcement(&some, some.run(1)), announcement(&other, other.run(1)));
    }

    #[test]
    fn what_was_heard_is_no_news(frames in bus()) {
        let mut heard = heard(&frames);
        for frame in &frames {
            prop_assert_eq!(heard.hear(at(3.0), frame), 0);
        }
    }

    #[test]
    fn a_journal_folds_to_what_the_ledger_holds(frames in bus()) {
        let mut heard = heard(&frames);
        assert_folds(&heard);
        heard.wait(at(10_000.0));
        assert_folds(&heard);
        prop_assert!(heard.ledger.runs().all(|run| run.status != RunStatus::Running));
    }

    #[test]
    fn a_restart_makes_no_difference(frames in bus(), cut in 0..28_usize) {
        let cut = cut.min(frames.len());
        let mut whole = heard(&frames);
        let mut twice = go_on(heard(&frames[..cut]), &frames, cut);
        whole.wait(at(10_000.0));
        twice.wait(at(10_000.0));
        prop_assert_eq!(final_runs(&whole), final_runs(&twice));
    }

    #[test]
    fn garbage_harms_nobody(
        frames in bus(),
        tag in prop::sample::select(vec![
            "salt/job/20261122120000000001/new", "salt/job/20261122120000000001/ret/web1",
            "salt/run/20261122120000000001/ret", "salt/run/20261122120000000001/args",
            "salt/run/20261122120000000001/new", "salt/batch/20261122120000000001/new",
            "salt/batch/20261122120000000001/complete", "20261122120000000001", "new",
        ]),
        data in garbage(),
        place in 0..28_usize,
    ) {
        let mut frames = frames;
        frames.insert(place.min(frames.len()), frame(tag, &data));
        let mut heard = heard(&frames);
        heard.wait(at(100_000.0));
        assert_folds(&heard);
    }

    #[test]
    fn no_secret_leaves(
        secret in "[A-Za-z][A-Za-z0-9]{3,6}[.@]?(web1|db1|a)?[!.][A-Za-z0-9]{4,9}",
        place in 0..4_usize,
    ) {
        // What reads as the name of a secret is hidden where it stands, but not looked for elsewhere.
        prop_assume!(!herald_core::redact::names_secret(&secret));
        let arg = planted(&secret, place);
        let mut heard = Heard::default();
        let mut job = Job::new(&jid(1), "cmd.run", arg.clone(), &MINIONS);
        job.tgt = text(&format!("{secret}*"));
        heard.hear(at(0.0), &job.frame());
        // In its own returns, in others beside it, and in those after a restart.
        for (number, minion) in [(1, "web1"), (2, "db1"), (1, "a")] {
            let value = states(vec![
                state(&format!("x {secret} {minion}"), Some(false), true, &format!("={secret};")),
            ]);
            let more = vec![("fun_args", arg.clone()), ("user", text("alice"))];
            heard.hear(at(1.0), &ret_with(&jid(number), minion, "cmd.run", value, 1, more));
        }
        let mut heard = go_on(heard, &[], 0);
        for minion in ["web2", "db1"] {
            let more = vec![("fun_args", arg.clone()), ("user", text("alice"))];
            heard.hear(at(2.0), &ret_with(&jid(1), minion, "cmd.run", text(&secret), 0, more));
        }
        assert_hidden(&heard, &secret);
    }
}

/// A secret at one of the places where its neighbour tells that it is one.
fn planted(secret: &str, place: usize) -> Value<'static> {
    let keywords = |name: &str, value: Value<'static>| {
        Value::Array(vec![
            text(&format!("echo {secret}")),
            map(vec![("__kwarg__", Value::Bool(true)), (name, value)]),
        ])
    };
    match place {
        0 => keywords("pillar", map(vec![("db_password", text(secret))])),
        1 => keywords("env", map(vec![("PGPASSWORD", text(secret))])),
        2 => keywords("password", text(secret)),
        _ => list(&[&format!("mysql --password='{secret}' shop"), secret]),
    }
}

fn assert_hidden(heard: &Heard, secret: &str) {
    let holds = |bytes: &[u8]| {
        let found = String::from_utf8_lossy(bytes).into_owned();
        // A secret in which the minion's id is replaced is as readable as before.
        ["web1", "web2", "db1", "a", "db1.example.com"]
            .iter()
            .any(|minion| herald_core::canonical::restore(&found, minion).contains(secret))
    };
    for (place, change) in heard.changes.iter().enumerate() {
        let head = EntryHead { origin: [0; 16], number: place as u64 };
        assert!(!holds(&encode(head, change)), "{change:?}");
        assert!(!holds(format!("{change:?}").as_bytes()), "{change:?}");
    }
    for (kind, bytes) in heard.payloads.values() {
        assert!(!holds(bytes), "{kind:?} {}", String::from_utf8_lossy(bytes));
    }
}

/// Data with the members that are looked for, and anything in them.
fn garbage() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        prop::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX]).prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        "[a-z.*_|-]{0,12}".prop_map(Value::from),
        Just(text("20261122120000000001")),
        Just(text("file_|-a_|-b_|-managed")),
        Just(text("web1")),
        Just(text("state.apply")),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| Value::Bytes(bytes.into())),
        Just(Value::Ext(78, vec![1].into())),
    ];
    let key = prop::sample::select(vec![
        "result",
        "changes",
        "comment",
        "__jid__",
        "data",
        "duration",
        "arg",
        "tgt_type",
        "x",
        "file_|-a_|-b_|-managed",
        "__kwarg__",
    ]);
    let tree = leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((key.clone().prop_map(text), inner), 0..5).prop_map(Value::Map),
        ]
    });
    let member = prop::sample::select(vec![
        "_stamp",
        "jid",
        "fun",
        "cmd",
        "id",
        "return",
        "retcode",
        "success",
        "fun_args",
        "user",
        "arg",
        "tgt",
        "tgt_type",
        "minions",
        "missing",
        "metadata",
        "schedule",
        "args",
        "name",
        "type",
        "state",
        "batch_size",
    ]);
    let base = map(vec![
        ("jid", text("20261122120000000001")),
        ("fun", text("state.apply")),
        ("id", text("web1")),
    ]);
    prop::collection::vec((member.prop_map(text), tree), 0..10).prop_map(move |more| {
        let Value::Map(base) = base.clone() else { panic!() };
        Value::Map(more.into_iter().chain(base).collect())
    })
}

#[test]
fn recorded_buses_fold_and_say_nothing_twice() {
    for bus in BUSES {
        let frames = recorded(bus);
        let mut heard = Heard::restored(Restored::default(), frames[0].0);
        for (now, frame) in &frames {
            heard.hear(*now, frame);
        }
        assert_folds(&heard);
        let end = frames.last().unwrap().0;
        let news: Vec<_> = frames
            .iter()
            .filter(|(_, frame)| heard.hear(end, frame) > 0)
            .map(|(_, frame)| {
                String::from_utf8_lossy(
                    &salt_event::event::split_frame(frame).unwrap().0.into_owned().into_bytes(),
                )
                .into_owned()
            })
            .collect();
        // A forged event has nothing to be known again by, nor the piece of its tag, nor what happens
        // to a key.
        let pieces = ["new", "ret/db1", "salt/key", "salt/auth"];
        let is_known_by_nothing =
            |tag: &String| tag.contains("20990101") || pieces.contains(&tag.as_str());
        assert!(news.iter().all(is_known_by_nothing), "{news:?}");
    }
}

#[test]
fn recorded_secrets_are_nowhere() {
    for bus in BUSES {
        let frames = recorded(bus);
        let mut heard = Heard::restored(Restored::default(), frames[0].0);
        for (now, frame) in &frames {
            heard.hear(*now, frame);
        }
        for secret in [
            "lab-kwarg-s3cret",
            "lab-cli-s3cret",
            "lab-env-s3cret",
            "lab-running-s3cret",
            "lab-db-Passw0rd",
        ] {
            assert_hidden(&heard, secret);
        }
    }
}
