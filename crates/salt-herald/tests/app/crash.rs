//! The app as a process of its own, which can be killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fake_slack::{Channel, Fault};
use rustix::process::{Pid, Signal, kill_process};
use salt_herald::config::{LoadOptions, load};
use salt_herald::daemon::{self, Limits, Pace};

use crate::app::{App, PATIENCE, all};
use crate::events::{bad, good, highstate, jid, new_job, text};
use crate::journal::{count, verify_chain};

const CONFIG: &str = "SALT_HERALD_TEST_CONFIG";
/// How many times as fast as usual it publishes.
pub(crate) const PACE: &str = "SALT_HERALD_TEST_PACE";

/// No test: the process that the tests below start.
#[test]
fn the_daemon() {
    let Some(file) = std::env::var_os(CONFIG) else {
        return;
    };
    let options = LoadOptions { file: Some(file.into()), ..LoadOptions::default() };
    let (config, _) = load(&options).unwrap();
    let pace = std::env::var(PACE).map_or(1, |times| times.parse().unwrap());
    let usual = Limits::default();
    let written_within = usual.written_within / pace;
    let limits = Limits { pace: Pace::times(pace), written_within, ..usual };
    daemon::run(config, options, limits).unwrap();
}

pub(crate) struct Process(Child);

impl Process {
    fn start(app: &App) -> Self {
        Self::start_with(app, &[])
    }

    /// With some more in its environment.
    pub(crate) fn start_with(app: &App, env: &[(&str, &str)]) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::the_daemon", "--nocapture"])
            .env(CONFIG, app.write_config())
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for its end, and says whether it ended well.
    pub(crate) fn ended(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_it_goes_on_with_the_same_message() {
    let mut app = App::new(crate::app::Manner::Bot).await;
    let mut process = Process::start(&app);
    app.bus.accept();
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), good(&jid(1), "web1", false)]);
    app.only_message_says("of 2 returned").await;
    app.until("the delivery", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
    process.signal(Signal::KILL);
    assert!(!process.ended());
    app.bus.hang_up();
    verify_chain(&app.journal());
    let mut process = Process::start(&app);
    app.bus.accept();
    app.bus.send([good(&jid(1), "web2", true)]);
    app.only_message_says("1 changed").await;
    process.signal(Signal::TERM);
    assert!(process.ended(), "SIGTERM is an orderly end");
    verify_chain(&app.journal());
    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs[0].tally.returned.len(), 2);
    assert_eq!(app.reader().gaps(9).unwrap().len(), 1, "the time when it was dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_and_sigint_are_orderly_ends() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut app = App::new(crate::app::Manner::Bot).await;
        let mut process = Process::start(&app);
        app.bus.accept();
        app.bus.send([highstate(&jid(1), &["web1"])]);
        app.only_message_says("0 of 1 returned").await;
        process.signal(signal);
        assert!(process.ended(), "{signal:?}");
        assert_eq!(count(&app.journal(), "run"), 1);
        assert!(!app.folder.path().join("journal.db-wal").exists(), "closed cleanly");
    }
}

/// Killed again and again, after one more thing happened in the channel each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_says_each_run_once() {
    let mut app = App::new(crate::app::Manner::Bot).await;
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    let echo = |n: u32| {
        let arg = vec![text(&format!("echo {n}"))];
        new_job(&jid(n), "cmd.run", arg, &["web1"])
    };
    let mut process = Process::start(&app);
    app.bus.accept();
    for n in 1..=6u32 {
        let before = app.slack.channel().changes.len();
        if n.is_multiple_of(2) {
            // The message arrives, its answer does not.
            let slow = Fault::SlowAnswer(Duration::from_secs(30));
            app.slack.fail_next(Some("chat.postMessage"), 1, slow);
        }
        app.bus.send([echo(n), highstate(&jid(100 + n), &["web1"])]);
        app.said("something new", |channel| channel.changes.len() > before).await;
        process.signal(Signal::KILL);
        assert!(!process.ended());
        app.slack.stop_failing();
        app.bus.hang_up();
        process = Process::start(&app);
        app.bus.accept();
    }
    app.bus.send((1..=6).map(|n| bad(&jid(100 + n), "web1", "no")));
    let runs = app.reader().runs(&all()).unwrap();
    let commands: Vec<String> = runs.into_iter().map(|run| run.head.command).collect();
    let is_echo = |command: &&String| command.contains("echo");
    let everything = |channel: &Channel| {
        commands.iter().filter(is_echo).all(|command| standing(channel, command) > 0)
    };
    app.said("every command", everything).await;
    process.signal(Signal::TERM);
    assert!(process.ended());
    let channel = app.slack.channel();
    for command in commands.iter().filter(is_echo) {
        assert_eq!(standing(&channel, command), 1, "{command} {:#?}", channel.changes);
    }
    let text: String = channel.messages.iter().map(|message| message.content.shown()).collect();
    assert!(!text.contains("repeat"), "{text}");
    verify_chain(&app.journal());
}

/// How often a command stands in a channel.
fn standing(channel: &Channel, command: &str) -> usize {
    channel.roots().map(|message| message.content.shown().matches(command).count()).sum()
}
