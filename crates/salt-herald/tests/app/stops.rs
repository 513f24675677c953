//! Beginning and ending: what was read is kept, what was said is not said again.

use std::time::Duration;

use fake_slack::Fault;
use herald_core::run::RunStatus;
use salt_herald::daemon::{self, Limits};
use salt_herald::store::Journal;

use crate::app::{App, IN_TIME, Manner, all};
use crate::events::{bad, find_job, good, highstate, jid, runner, runner_ret, still_works};
use crate::journal::{count, verify_chain};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_with_the_same_message() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2", "web3"]), good(&jid(1), "web1", false)]);
    app.only_message_says("of 3 returned").await;
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    app.bus.send([good(&jid(1), "web2", true), bad(&jid(1), "web3", "no")]);
    let channel = app.only_message_says("1 failed (web3)").await;
    let shown = channel.roots().next().unwrap().content.shown();
    assert!(shown.contains("1 changed") && shown.contains("1 unchanged"), "{shown}");
    app.stop().await;
    verify_chain(&app.journal());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_in_the_journal_and_said_before_the_end() {
    let mut app = App::started().await;
    let names: Vec<String> = (0..500).map(|n| format!("web{n}")).collect();
    app.bus.send([highstate(&jid(1), &names)]);
    app.bus.send(names.iter().map(|name| good(&jid(1), name, false)));
    app.until("something", |journal| (journal.count_runs().unwrap() == 1).then_some(())).await;
    // A socket's buffer holds little of it: most was read when the last could be sent.
    app.stop().await;
    let returns = count(&app.journal(), "return");
    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs[0].tally.returned.len() as i64, returns);
    assert!(returns > 100, "{returns}");
    let part = format!("{returns} of 500 returned");
    let shown = app.slack.channel().messages[0].content.shown();
    assert!(returns == 500 || shown.contains(&part), "{part} in {shown}");
    verify_chain(&app.journal());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_cut_off_what_is_being_said() {
    let mut app = App::started().await;
    app.slack.fail_next(None, 1, Fault::SlowAnswer(Duration::from_secs(1)));
    app.bus.send([highstate(&jid(1), &["web1"])]);
    // Slack has it, and we don't know yet.
    app.only_message_says("0 of 1 returned").await;
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    app.bus.send([good(&jid(1), "web1", true)]);
    app.only_message_says("1 changed").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_slack_does_not_keep_it_from_ending() {
    let mut app = App::new(Manner::Both).await;
    app.limits.grace = Duration::from_millis(500);
    app.start().await;
    app.slack.fail_next(None, 100, Fault::Slow(Duration::from_secs(60)));
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.until_began(1).await;
    let asked = std::time::Instant::now();
    app.stop().await;
    assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_one_is_told_who_holds_the_journal() {
    let mut app = App::started().await;
    let second = daemon::serve(
        app.config(),
        Limits::default(),
        std::future::pending(),
        tokio::sync::mpsc::channel(1).1,
    );
    let error = second.await.unwrap_err().to_string();
    let me = format!("in use by process {}", std::process::id());
    assert!(error.contains(&me), "{error}");
    app.stop().await;
    Journal::open(&app.journal()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_master_it_waits_for_one() {
    let mut app = App::new(Manner::Bot).await;
    app.bus.go_away_now();
    app.start_without_bus().await;
    app.until("the journal", |journal| (journal.last_entry().unwrap() > 0).then_some(())).await;
    app.bus.come_back();
    app.bus.accept();
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_still_works_is_waited_for_and_who_does_not_answer_is_given_up() {
    let mut app = App::started().await;
    let minions = ["web1", "web2", "web3"];
    app.bus.send([
        highstate(&jid(1), &minions),
        good(&jid(1), "web1", false),
        find_job(&jid(2), &jid(1), &["web2", "web3"]),
        still_works(&jid(2), &jid(1), "web2", true),
    ]);
    let silent = app
        .until("web3 is given up", |journal| {
            let runs = journal.runs(&all()).unwrap();
            let poll = runs.iter().find(|run| run.head.funs == ["saltutil.find_job"])?;
            (poll.status != RunStatus::Running || runs.len() == 2).then_some(runs)
        })
        .await;
    assert_eq!(silent.len(), 2);
    app.bus.send([good(&jid(1), "web2", false)]);
    let channel = app.only_message_says("1 never answered (web3)").await;
    let shown = channel.roots().next().unwrap().content.shown();
    assert!(shown.contains("2 unchanged"), "{shown}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_takes_long_survives_a_restart() {
    let mut app = App::new(Manner::Bot).await;
    app.more = "runs:\n  patience: 1\n".to_owned();
    app.start().await;
    app.bus.send([runner(&jid(1), "state.orchestrate")]);
    app.until_began(1).await;
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    // Longer than what minions are waited for: this one is given up, the runner is not.
    app.bus.send([highstate(&jid(2), &["web1"])]);
    app.until_over(1).await;
    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs[0].status, RunStatus::Running, "{runs:#?}");
    app.bus.send([runner_ret(&jid(1), "state.orchestrate")]);
    app.until_over(2).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_returns_twice_does_not_stop_the_journal() {
    let mut app = App::started().await;
    app.bus.send([
        runner(&jid(1), "state.orchestrate"),
        runner_ret(&jid(1), "state.orchestrate"),
        highstate(&jid(1), &["web1"]),
        runner_ret(&jid(1), "state.orchestrate"),
        good(&jid(1), "web1", false),
        highstate(&jid(2), &["web1"]),
        good(&jid(2), "web1", true),
    ]);
    app.said("the next run", |channel| crate::app::shows(channel, "1 changed")).await;
    app.stop().await;
}
