//! What hardly ever happens: returns of another size or another day, jobs by the thousand, an end in
//! the middle of everything.

use std::time::{Duration, Instant};

use fake_slack::Fault;
use herald_core::run::{Flag, RunStatus};
use rustix::process::Signal;
use salt_event::Value;

use crate::app::{App, IN_TIME, Manner, all, shows};
use crate::chance::rounds;
use crate::crash::Process;
use crate::events::{Event, batch_new, good, highstate, jid, new_job, ret_of, text, texts};
use crate::journal::{count, number, open, verify_chain};

fn job(number: u32) -> Event {
    new_job(&jid(number), "state.apply", vec![text(&format!("role{number}"))], &["web1"])
}

fn job_ret(number: u32) -> Event {
    let arg = vec![text(&format!("role{number}"))];
    ret_of(&jid(number), "web1", "state.apply", arg, text("done"), 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_of_a_hundred_megabytes_costs_only_itself() {
    let mut app = App::started().await;
    let line = "a line as a program prints it, neither short nor long\n";
    let large = line.repeat((100 << 20) / line.len());
    let begin = |n| new_job(&jid(n), "cmd.run", vec![text("cat /var/log/all")], &["web1"]);
    let back = |n, what: &str| ret_of(&jid(n), "web1", "cmd.run", vec![], text(what), 0);
    let begun = Instant::now();
    app.bus.send([begin(1), back(1, &large), begin(2), back(2, "done")]);
    app.until_over(2).await;
    eprintln!("100 MB took {:?}", begun.elapsed());
    assert_eq!(count(&app.journal(), "return"), 2);
    assert_eq!(count(&app.journal(), "gap"), 0);
    let size = std::fs::metadata(app.journal()).unwrap().len();
    assert!(size < 8 << 20, "what is kept of it is bounded, not {size} bytes");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_by_the_thousand_may_be_open_at_once() {
    let mut app = App::started().await;
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    let jobs: u32 = rounds(2_000, 10_000);
    let begun = Instant::now();
    app.bus.send((0..jobs).map(job));
    app.until_began(u64::from(jobs)).await;
    let opened = begun.elapsed();
    app.bus.send((0..jobs).map(job_ret));
    app.until_over(jobs as usize).await;
    eprintln!("{jobs} jobs: open after {opened:?}, over after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(60), "a minute's jobs take less than a minute");
    assert_eq!(count(&app.journal(), "return"), i64::from(jobs));
    assert_eq!(count(&app.journal(), "gap"), 0);
    app.stop().await;
    verify_chain(&app.journal());
}

/// They have the tags of a job, and are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_under_a_jobs_tag_that_make_no_sense_are_kept_and_are_no_runs() {
    let mut app = App::started().await;
    let (own, other) = (jid(1), jid(2));
    let odd = |tag: String, data: Vec<(&str, Value<'static>)>| {
        let pairs = data.into_iter().map(|(name, value)| (text(name), value));
        Event { tag, data: Value::Map(pairs.collect()) }
    };
    let known = new_job(&jid(3), "cmd.run", vec![text("true")], &["web1"]);
    app.bus.send([
        odd(format!("salt/job/{own}/new"), vec![("jid", text(&own))]),
        odd(format!("salt/job/{own}/new"), vec![("jid", text(&own)), ("fun", text("test.ping"))]),
        odd(format!("salt/job/{own}/ret/web1"), vec![("jid", text(&own)), ("id", text("web1"))]),
        odd(format!("salt/job/{own}/ret/web1"), vec![("id", text("web1")), ("fun", text("a.b"))]),
        odd(
            format!("salt/run/{own}/new"),
            vec![("jid", text(&other)), ("fun", text("runner.a.b"))],
        ),
        odd(format!("salt/run/{own}/ret"), vec![("jid", text(&own))]),
        known,
        // Of a job that is known it is a return, whatever it lacks.
        odd(
            format!("salt/job/{}/ret/web1", jid(3)),
            vec![("jid", text(&jid(3))), ("id", text("web1"))],
        ),
    ]);
    app.until_over(1).await;
    app.stop().await;
    assert_eq!((count(&app.journal(), "run"), count(&app.journal(), "return")), (1, 1));
    assert_eq!(number(&app.journal(), "SELECT count(*) FROM entry WHERE kind = 14"), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_that_comes_days_late_finds_its_job() {
    let mut app = App::new(Manner::Bot).await;
    app.more = "runs: {patience: 1}\n".to_owned();
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), good(&jid(1), "web1", false)]);
    app.only_message_says("1 never answered (web2)").await;
    app.stop().await;
    app.bus.hang_up();
    let days = 3 * 24 * 3_600 * 1_000_000_i64;
    let sql = format!(
        "UPDATE return SET at = at - {days}; UPDATE run SET started_at = started_at - {days}, \
         finished_at = finished_at - {days};"
    );
    open(&app.journal()).execute_batch(&sql).unwrap();
    app.start().await;
    app.bus.send([good(&jid(1), "web2", true)]);
    app.only_message_says("1 changed").await;
    app.stop().await;
    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0].status, RunStatus::Succeeded);
    assert!(runs[0].flags.contains(&Flag::LateReturn), "{runs:#?}");
}

/// A jid that comes again days later, after a restart, is the old one's or a conflict, and no panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jid_that_comes_twice_is_told_of_after_a_restart_too() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"]), good(&jid(1), "web1", false)]);
    app.only_message_says("1 unchanged").await;
    app.stop().await;
    app.bus.hang_up();
    app.start().await;
    // The very same again, and then another job under its jid.
    app.bus.send([highstate(&jid(1), &["web1"]), good(&jid(1), "web1", false)]);
    app.bus.send([new_job(&jid(1), "cmd.run", vec![text("reboot")], &["web1"])]);
    app.only_message_says("its jid was used twice").await;
    app.stop().await;
    assert_eq!(count(&app.journal(), "run"), 1);
    assert_eq!(count(&app.journal(), "return"), 1);
}

/// A flood comes in, a batch is under way, Slack hangs: what was read is on disk within five seconds,
/// and is said once after the restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_in_the_middle_of_everything_it_loses_nothing() {
    let mut app = App::new(Manner::Both).await;
    let mut process = Process::start_with(&app, &[]);
    app.bus.accept();
    app.slack.fail_next(None, 100, Fault::Slow(Duration::from_secs(60)));
    let minions: Vec<String> = (0..4_000).map(|n| format!("web{n}")).collect();
    let arg = [text("web")];
    app.bus.send([batch_new(&jid(1), "state.apply", &arg, &minions)]);
    app.bus.send([new_job(&jid(1), "state.apply", arg.to_vec(), &minions)]);
    app.until_began(1).await;
    let mut bus = app.bus.take_streams();
    let flood = std::thread::spawn(move || {
        let back = |minion: &String| {
            ret_of(&jid(1), minion, "state.apply", vec![text("web")], texts(&["no"]), 1)
        };
        // Until nobody reads any more.
        minions.iter().map(back).take_while(|event| bus.try_send(event)).count()
    });
    app.until("some of it", |_| (count(&app.journal(), "return") > 200).then_some(())).await;
    process.signal(Signal::TERM);
    let asked = Instant::now();
    assert!(process.ended(), "SIGTERM is an orderly end");
    let took = asked.elapsed();
    assert!(took < IN_TIME, "{took:?}");
    let sent = flood.join().unwrap();
    let returns = count(&app.journal(), "return");
    assert!(returns > 200 && returns <= sent as i64, "{returns} of {sent}");
    assert!(!app.folder.path().join("journal.db-wal").exists(), "closed cleanly");
    verify_chain(&app.journal());

    app.slack.stop_failing();
    app.slack.settled().await.unwrap();
    app.bus.hang_up();
    app.bus.come_back();
    app.start().await;
    let part = format!("{returns} failed");
    app.said("what was read", |channel| shows(channel, &part)).await;
    app.stop().await;
    let by_bot = app.slack.channel();
    let by_bot = by_bot.roots().filter(|message| message.by == fake_slack::By::Bot);
    assert_eq!(by_bot.count(), 1);
}
