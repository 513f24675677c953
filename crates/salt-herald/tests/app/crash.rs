//! The app as a process of its own, which can be killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use salt_herald::config::{LoadOptions, load};

use crate::app::{App, all};
use crate::events::{good, highstate, jid};
use crate::journal::{count, verify_chain};

const CONFIG: &str = "SALT_HERALD_TEST_CONFIG";

/// No test: the process that the tests below start.
#[test]
fn the_daemon() {
    let Some(file) = std::env::var_os(CONFIG) else {
        return;
    };
    let options = LoadOptions { file: Some(file.into()), ..LoadOptions::default() };
    let (config, _) = load(&options).unwrap();
    salt_herald::daemon::run(config, options).unwrap();
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
        let until = Instant::now() + Duration::from_secs(20);
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
