//! salt-herald as a process, with a Slack of its own to tell.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fake_slack::{Channel, FakeSlack, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::lab::Lab;

/// How long a state may take to come about: the machine can be busy.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running salt-herald; ended when dropped.
pub(crate) struct Herald {
    child: Child,
    folder: TempDir,
    runtime: Runtime,
    slack: FakeSlack,
}

impl Herald {
    pub(crate) fn start(lab: &Lab) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let options = Options::default();
        let (token, channel) = (options.token.clone(), options.channel.clone());
        let slack = runtime.block_on(FakeSlack::start(options)).expect("a stand-in");
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "salt:\n  config_dir: {}\njournal:\n  path: {}\nslack:\n  test:\n    token: {token:?}\n    \
             channel: {channel:?}\n    api_url: {:?}\n",
            lab.text("config_dir"),
            folder.path().join("journal.db").display(),
            slack.api_url()
        );
        let file = folder.path().join("herald");
        fs::write(&file, config).expect("a config");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_salt-herald"))
            .arg("--config")
            .arg(&file)
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("salt-herald starts");
        let herald = Self { child, folder, runtime, slack };
        herald.wait_until_connected();
        herald
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
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
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
                let last: Vec<_> = runs.iter().rev().take(5).collect();
                panic!("{what}: not in the journal; the last runs: {last:#?}\n{}", self.log_text());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
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

    fn wait_until_connected(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log_text().contains("listening") {
            assert!(Instant::now() < deadline, "it never listened:\n{}", self.log_text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
