//! What is not heard, or not understood: it costs only itself, and the journal says so.

use std::time::{Duration, Instant};

use fake_slack::Channel;
use herald_core::change::GapReason;
use salt_event::Value;
use salt_herald::store::JournalReader;

use crate::app::{App, Manner, shows};
use crate::events::{good, highstate, jid, text};
use crate::journal::{count, number, verify_chain};

fn gaps(journal: &mut JournalReader) -> Vec<String> {
    let gaps = journal.gaps(100).unwrap();
    gaps.into_iter().map(|gap| gap.reason).collect()
}

async fn until_gaps(app: &App, wanted: &[GapReason]) {
    // The latest first.
    let wanted: Vec<&str> = wanted.iter().rev().map(|reason| reason.name()).collect();
    let what = format!("gaps {wanted:?}");
    app.until(&what, |journal| (gaps(journal) == wanted).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_restarts_is_heard_again_and_its_silence_is_a_gap() {
    let mut app = App::started().await;
    // With a job cache nothing would be missing.
    std::fs::remove_dir(app.folder.path().join("cache")).unwrap();
    let job = jid(1);
    app.bus.send([highstate(&job, &["web1", "web2"]), good(&job, "web1", false)]);
    app.bus.send_half(&good(&job, "web2", false));
    app.bus.refuse();
    std::thread::sleep(Duration::from_millis(300));
    app.bus.go_away_now();
    std::thread::sleep(Duration::from_millis(300));
    app.bus.come_back();
    app.bus.accept();
    until_gaps(&app, &[GapReason::MasterAway]).await;
    app.bus.send([good(&job, "web2", true)]);
    let channel = app.only_message_says("1 changed").await;
    assert!(shows(&channel, "not seen in full"), "{:#?}", channel.changes);
    app.stop().await;
    assert_eq!(count(&app.journal(), "return"), 2);
    assert_eq!(unreadable(&app), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_hangs_up_at_once_is_not_asked_without_a_rest() {
    let mut app = App::started().await;
    let until = Instant::now() + Duration::from_secs(2);
    let mut connections = 0;
    app.bus.hang_up();
    while Instant::now() < until || connections == 0 {
        connections += u32::from(app.bus.accept_now());
        app.bus.hang_up();
        std::thread::sleep(Duration::from_millis(1));
    }
    app.bus.accept();
    assert!((1..20).contains(&connections), "{connections} connections in two seconds");
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_in_which_it_did_not_run_is_a_gap() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.until_began(1).await;
    let heard = jiff::Timestamp::now();
    app.stop().await;
    let stopped = jiff::Timestamp::now();
    app.bus.hang_up();
    app.start().await;
    until_gaps(&app, &[GapReason::NotRunning]).await;
    app.stop().await;
    let salt_herald::store::Gap { from, to, .. } = app.reader().gaps(1).unwrap().remove(0);
    assert!(from <= stopped && to >= stopped, "{from} {stopped} {to}");
    assert!(from >= heard, "it was heard until {heard} at least, not {from}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_costs_only_itself() {
    let mut app = App::started().await;
    let job = jid(1);
    app.bus.send([highstate(&job, &["web1", "web2"])]);
    app.bus.send_body(b"no tag at all");
    app.bus.send_body(b"salt/job/x/new\n\n\xc1");
    let mut large = good(&job, "web1", true);
    if let Value::Map(fields) = &mut large.data {
        fields.push((text("blob"), text(&"x".repeat(20 << 20))));
    }
    app.bus.send([large, good(&job, "web2", false)]);
    app.only_message_says("1 changed").await;
    // The second return may still be on its way to be read.
    app.until_over(1).await;
    app.stop().await;
    assert_eq!(count(&app.journal(), "return"), 2);
    assert_eq!(unreadable(&app), 2);
    verify_chain(&app.journal());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_no_bus_is_begun_anew() {
    let mut app = App::started().await;
    app.bus.send_bytes(&[0xc1; 64]);
    app.bus.hang_up();
    app.bus.accept();
    app.until("a gap", |journal| (!gaps(journal).is_empty()).then_some(())).await;
    app.bus.send([highstate(&jid(1), &["web1"]), good(&jid(1), "web1", true)]);
    app.only_message_says("1 changed").await;
    app.stop().await;
    assert_eq!(gaps(&mut app.reader()), [GapReason::Unreadable.name()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_dropped_and_told_of_as_a_gap() {
    let mut app = App::new(Manner::Bot).await;
    // Less than one read brings: however quick the intake is, something is dropped.
    app.limits.waiting = 4 << 10;
    app.start().await;
    let names: Vec<String> = (0..2000).map(|n| format!("web{n}")).collect();
    app.bus.send([highstate(&jid(1), &names)]);
    app.bus.send(names.iter().map(|name| good(&jid(1), name, false)));
    app.until("a gap", |journal| {
        gaps(journal).contains(&GapReason::QueueFull.name().to_owned()).then_some(())
    })
    .await;
    // It goes on with what comes after; how long the flood's rest takes is nobody's knowledge.
    let mut said = false;
    for number in 2..60 {
        let jid = jid(number);
        app.bus.send([highstate(&jid, &["db1"]), good(&jid, "db1", true)]);
        let next = |channel: &Channel| shows(channel, "1 changed");
        said = app.slack.wait_for(next, Duration::from_secs(1)).await.is_ok();
        if said {
            break;
        }
    }
    assert!(said, "it goes on with what comes after");
    app.stop().await;
    let sql = "SELECT count(*) FROM return JOIN job ON job.id = return.job WHERE job.jid = ";
    assert!(number(&app.journal(), &format!("{sql}'{}'", jid(1))) < 2000);
}

fn unreadable(app: &App) -> i64 {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let what = herald_core::change::What::Unreadable {
        tag: String::new(),
        length: 0,
        digest: herald_core::digest::Digest::ZERO,
    };
    let change = herald_core::change::Change { at, what, payloads: Vec::new() };
    let kind = herald_core::entry::kind_code(&change.what);
    number(&app.journal(), &format!("SELECT count(*) FROM entry WHERE kind = {kind}"))
}
