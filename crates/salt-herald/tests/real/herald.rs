//! salt-herald as a process, with a Slack of its own to tell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fake_slack::{Channel, FakeSlack, Options};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::ended;
use crate::lab::Lab;

/// How long a state may take to come about: the machine can be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A salt-herald with its journal; ended when dropped.
pub(crate) struct Herald {
    child: Option<Child>,
    folder: TempDir,
    runtime: Runtime,
    slack: FakeSlack,
}

impl Herald {
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::beside(lab.text("config_dir"))
    }

    /// Beside the master with this config.
    pub(crate) fn beside(config_dir: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let options = Options::default();
        let (token, channel) = (options.token.clone(), options.channel.clone());
        let slack = runtime.block_on(FakeSlack::start(options)).expect("a stand-in");
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "salt:\n  config_dir: {}\njournal:\n  path: {}\nslack:\n  test:\n    token: {token:?}\n    \
             channel: {channel:?}\n    api_url: {:?}\n    checkpoints: false\n",
            config_dir,
            folder.path().join("journal.db").display(),
            slack.api_url()
        );
        let file = folder.path().join("herald");
        fs::write(&file, config).expect("a config");
        let mut herald = Self { child: None, folder, runtime, slack };
        herald.start_again();
        herald
    }

    /// Starts the daemon on the journal that is there.
    pub(crate) fn start_again(&mut self) {
        let heard = self.times_heard();
        let path = self.folder.path().join("log");
        let log = fs::File::options().append(true).create(true).open(path).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_salt-herald"))
            .arg("--config")
            .arg(self.folder.path().join("herald"))
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("salt-herald starts");
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while self.times_heard() == heard {
            assert!(Instant::now() < deadline, "it never listened:\n{}", self.log_text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn times_heard(&self) -> usize {
        self.log_text().matches("listening").count()
    }

    /// As `systemctl stop` does it.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.wait();
    }

    /// Leaves it no moment.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Stops it as it is, until [`Herald::thaw`].
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn wait(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Waits until the journal and the master name the same jobs, by the script that people have.
    pub(crate) fn names_the_jobs_of(&self, lab: &Lab, since: &str) {
        self.names_in_the_end(lab, since, || {});
    }

    /// Likewise, where the master writes late: it is asked for meanwhile, as people would.
    pub(crate) fn names_the_jobs_when_asked(&self, lab: &Lab, since: &str) {
        self.names_in_the_end(lab, since, || {
            let asked = self.command(&["backfill", "--since", "1h"]);
            assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        });
    }

    fn names_in_the_end(&self, lab: &Lab, since: &str, meanwhile: impl Fn()) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            meanwhile();
            let output = self.compared(lab, since);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            match output.status.code() {
                Some(0) => return assert!(said.contains("both "), "{said}"),
                Some(1) if Instant::now() < deadline => {}
                _ => panic!(
                    "{said}{}\n{:#}\n{}",
                    String::from_utf8_lossy(&output.stderr),
                    self.status(),
                    self.log_text()
                ),
            }
        }
    }

    fn compared(&self, lab: &Lab, since: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/compare-jobs");
        Command::new(script)
            .args(["-c", lab.text("config_dir"), "--since", since, "--herald"])
            .arg(env!("CARGO_BIN_EXE_salt-herald"))
            .arg("--config")
            .arg(self.folder.path().join("herald"))
            .arg("--salt-run")
            .arg(Path::new(lab.text("bin")).join("salt-run"))
            .output()
            .expect("Python 3")
    }

    pub(crate) fn journal_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder");
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        paths.filter(|path| path.to_string_lossy().contains("journal.db")).collect()
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A command of salt-herald's on the same config.
    pub(crate) fn command(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_salt-herald"))
            .arg("--config")
            .arg(self.folder.path().join("herald"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("salt-herald runs")
    }

    /// Every run that the journal holds, as `log --json` tells it.
    pub(crate) fn runs(&self) -> Vec<Value> {
        let output = self.command(&["log", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        lines.filter(|line: &Value| line.get("gap").is_none()).collect()
    }

    /// The last run of which something holds, once it does.
    pub(crate) fn run_where(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let runs = self.runs();
            if let Some(run) = runs.iter().rev().find(|run| holds(run)) {
                return run.clone();
            }
            if Instant::now() > deadline {
                // What minions do by themselves is mostly beside the point.
                let last = runs.iter().rev().filter(|run| run["kind"] != "scheduled").take(8);
                let last: Vec<_> = last.map(ToString::to_string).collect();
                panic!(
                    "{what}: not in the journal; the last runs:\n{}\n{}",
                    last.join("\n"),
                    self.log_text()
                );
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The last of some runs, once it is over and all this is told of it.
    ///
    /// A return, a flag, or who is asked behind a syndic can come late and change a run that was over: to
    /// take the first one that has ended, and to look at the rest then, would be a race.
    pub(crate) fn run_told(
        &self,
        what: &str,
        is_it: impl Fn(&Value) -> bool,
        told: &Value,
    ) -> Value {
        let is_told = |run: &Value| ended(run) && is_it(run) && holds(run, told);
        self.run_where(&format!("{what}, with {told}"), is_told)
    }

    /// The channel, once something holds of it.
    pub(crate) fn channel_where(&self, what: &str, holds: impl Fn(&Channel) -> bool) -> Channel {
        let waited = self.runtime.block_on(self.slack.wait_for(holds, PATIENCE));
        waited.unwrap_or_else(|channel| {
            panic!("{what}: not in the channel: {channel:#?}\n{}", self.log_text())
        })
    }

    pub(crate) fn channel(&self) -> Channel {
        self.slack.channel()
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.command(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The latest gap of which something holds, once there is one.
    pub(crate) fn gap_where(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let found = |status: &Value| {
            let gaps = status["gaps"].as_array().cloned().unwrap_or_default();
            gaps.into_iter().find(|gap| holds(gap))
        };
        found(&self.status_where(what, |status| found(status).is_some())).expect("just seen")
    }

    /// What `status` says, once something holds of it.
    pub(crate) fn status_where(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{what}: {status:#}\n{}", self.log_text());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Whether an object says all that another does, and perhaps more.
fn holds(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            part.iter().all(|(key, part)| all.get(key).is_some_and(|all| holds(all, part)))
        }
        _ => all == part,
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        // What is frozen does not hear that it shall end.
        self.thaw();
        self.stop();
    }
}
