//! A run from its beginning to its end: one message that fills in, and a journal that agrees.

use fake_slack::What;
use herald_core::run::RunStatus;
use proptest::prelude::*;

use crate::app::{App, Manner, all, shows};
use crate::bus::{FakeBus, Framing, frame};
use crate::events::{Event, bad, good, highstate, jid, new_job, ret_of, text};
use crate::journal::{count, verify_chain};

const FOUR: [&str; 4] = ["db1", "web1", "web2", "web3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_highstate_is_said_at_once_filled_in_and_closed() {
    let mut app = App::started().await;
    let job = jid(1);
    app.bus.send([highstate(&job, &FOUR)]);
    let channel = app.only_message_says("0 of 4 returned").await;
    let first = channel.roots().next().unwrap().content.shown();
    assert!(first.contains("state.highstate"), "{first}");
    assert!(first.contains("alice"), "{first}");
    app.bus.send([good(&job, "web1", true)]);
    app.only_message_says("1 of 4 returned").await;
    app.bus.send([
        good(&job, "db1", false),
        good(&job, "web2", false),
        bad(&job, "web3", "unknown directive"),
    ]);
    let channel = app
        .said("the thread", |channel| channel.messages.iter().any(|m| m.thread_ts.is_some()))
        .await;
    let root = channel.roots().next().unwrap();
    let shown = root.content.shown();
    assert_eq!(channel.roots().count(), 1);
    for part in ["1 failed (web3)", "1 changed", "2 unchanged"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let replies: Vec<String> =
        channel.replies(&root.ts).map(|reply| reply.content.shown()).collect();
    assert_eq!(replies.len(), 1);
    assert!(replies[0].contains("unknown directive"), "{replies:?}");
    assert!(replies[0].contains("web3"), "{replies:?}");
    app.stop().await;

    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs.len(), 1);
    let tally = &runs[0].tally;
    assert_eq!(runs[0].status, RunStatus::Failed);
    let counts = (tally.expected.len(), tally.returned.len(), tally.failed.len());
    assert_eq!(counts, (4, 4, 1));
    assert_eq!(count(&app.journal(), "return"), 4);
    assert!(verify_chain(&app.journal()) > 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_framing_and_tcp_are_understood() {
    let buses: [fn(std::path::PathBuf) -> FakeBus; 4] = [
        |folder| FakeBus::unix(&folder, Framing::Bare),
        |folder| FakeBus::unix(&folder, Framing::Length),
        |_| FakeBus::tcp(Framing::Bare),
        |_| FakeBus::tcp(Framing::Length),
    ];
    for bus in buses {
        let mut app = App::new(Manner::Bot).await.with_bus(bus);
        app.start().await;
        app.bus.send([highstate(&jid(1), &["web1"]), good(&jid(1), "web1", true)]);
        let place = app.bus.place.clone();
        let channel = app.only_message_says("1 changed").await;
        assert!(shows(&channel, "web1"), "{place:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_over_at_once_is_one_message_without_edits() {
    let mut app = App::started().await;
    app.bus.send_bytes(&together(&[
        highstate(&jid(1), &["web1", "web2"]),
        good(&jid(1), "web1", false),
        bad(&jid(1), "web2", "no"),
    ]));
    let channel = app.said("a reply", |channel| channel.messages.len() == 2).await;
    app.stop().await;
    let what: Vec<What> = channel.changes.iter().map(|change| change.what).collect();
    let edits = what.iter().filter(|what| **what == What::Edit).count();
    assert!(edits <= 1, "{:#?}", channel.changes);
    assert_eq!(app.slack.channel().changes.len(), what.len(), "nothing after it");
}

fn together(events: &[Event]) -> Vec<u8> {
    let frames = events.iter().map(|event| frame(Framing::Length, event));
    frames.collect::<Vec<_>>().concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minion_that_comes_late_is_taken_up() {
    let mut app = App::new(Manner::Bot).await;
    app.more = "runs:\n  patience: 1\n".to_owned();
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), good(&jid(1), "web1", false)]);
    app.only_message_says("1 never answered (web2)").await;
    app.bus.send([good(&jid(1), "web2", true)]);
    let channel = app.only_message_says("1 changed").await;
    let shown = channel.roots().next().unwrap().content.shown();
    assert!(!shown.contains("never answered"), "{shown}");
    app.stop().await;
    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs[0].status, RunStatus::Succeeded);
    assert!(runs[0].tally.silent.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_returns_does_not_matter(
        kinds in proptest::collection::vec(0..3_u8, 1..12),
        seed in any::<u64>(),
    ) {
        let names: Vec<String> = (0..kinds.len()).map(|n| format!("web{n}")).collect();
        let returns: Vec<Event> = names.iter().zip(&kinds).map(|(name, kind)| match kind {
            0 => good(&jid(1), name, false),
            1 => good(&jid(1), name, true),
            _ => bad(&jid(1), name, "unknown directive"),
        }).collect();
        let mut shuffled = returns.clone();
        let mut state = seed | 1;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(place, (state >> 33) as usize % (place + 1));
        }
        // Some come twice, as through a syndic.
        shuffled.extend(shuffled.clone().into_iter().take(2));
        prop_assert_eq!(outcome(&names, &returns), outcome(&names, &shuffled));
    }
}

/// What is said of a run in the end, and its counts.
fn outcome(names: &[String], returns: &[Event]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (capture, journal) = (folder.path().join("bus"), folder.path().join("journal.db"));
    let first = [highstate(&jid(1), names)];
    let events: Vec<&Event> = first.iter().chain(returns).collect();
    std::fs::write(&capture, crate::replays::capture(&events)).unwrap();
    salt_herald::daemon::replay(&capture, &journal).unwrap();
    let mut reader = salt_herald::store::JournalReader::open(&journal).unwrap();
    let run = reader.runs(&all()).unwrap().remove(0);
    let failures = reader.failures(&[run.id]).unwrap();
    let minions = reader.minions().unwrap();
    let context = herald_core::compose::Context {
        master: None,
        minions,
        names: &herald_core::names::AS_THEY_ARE,
    };
    let said = herald_core::compose::announce(&run, &failures, context);
    let tally = &run.tally;
    let sets = [&tally.expected, &tally.returned, &tally.failed, &tally.changed, &tally.silent];
    let sets: Vec<Vec<&str>> = sets.map(|set| minions.names(set)).into();
    format!("{said:?} {sets:?} {:?}", run.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_without_a_word_is_told_of_by_its_code() {
    let mut app = App::started().await;
    let arg = vec![text("exit 3")];
    app.bus.send([
        new_job(&jid(1), "cmd.run", arg.clone(), &["web1"]),
        ret_of(&jid(1), "web1", "cmd.run", arg, text(""), 3),
    ]);
    let channel = app.said("a thread", |channel| channel.messages.len() == 2).await;
    let thread = channel.messages[1].content.shown();
    assert!(thread.contains("no output, return code 3"), "{thread}");
    app.stop().await;
}
