//! A real master with its minions, through the lab's command.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::herald::PATIENCE;

/// A running site; ended when dropped.
pub(crate) struct Lab {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(crate) site: Value,
}

impl Lab {
    pub(crate) fn up(series: &str, options: &[&str]) -> Self {
        let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/lab.py");
        let mut child = Command::new(command)
            .args(["up", "--series", series])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("lab/lab.py starts");
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("the lab says what it started");
        let site = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the lab did not come up ({error}): {line:?}"));
        Self { child, orders, answers, site }
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.site[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.site))
    }

    /// Gives an order and waits until it is done.
    pub(crate) fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it is up");
        writeln!(orders, "{order}").expect("the lab takes orders");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the lab answers");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["done"], order, "{answer}");
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(PathBuf::from(self.text("bin")).join(name));
        command.stdin(Stdio::null());
        command
    }

    /// `salt ARGS`, to its end, whatever it is.
    pub(crate) fn salt(&self, args: &[&str]) -> Output {
        let mut command = self.program("salt");
        command.args(["-c", self.text("config_dir")]).args(args).output().expect("salt runs")
    }

    /// A program of Salt's with a config of the master, to its end, as sudo starts it for somebody.
    pub(crate) fn as_sudo(&self, user: &str, program: &str, args: &[&str]) {
        let mut command = self.program(program);
        command.args(["-c", self.text("config_dir")]).args(args).env("SUDO_USER", user);
        assert!(command.output().expect("it runs").status.success(), "{program} {args:?}");
    }

    /// Asks until something is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "never so: {what}");
        }
    }

    /// `salt ARGS` on the other master of the site.
    pub(crate) fn salt_on_other(&self, args: &[&str]) -> Output {
        let mut command = self.program("salt");
        command.args(["-c", self.other_config_dir()]).args(args).output().expect("salt runs")
    }

    /// The config of the other master: the one below, or the second one.
    pub(crate) fn other_config_dir(&self) -> &str {
        self.site["other"]["config_dir"].as_str().expect("there are two masters")
    }

    /// `salt-key -y ARGS`.
    pub(crate) fn salt_key(&self, args: &[&str]) {
        let mut command = self.program("salt-key");
        let output = command.args(["-c", self.text("config_dir"), "-y"]).args(args).output();
        assert!(output.expect("salt-key runs").status.success(), "{args:?}");
    }

    /// `salt --async ARGS`.
    pub(crate) fn salt_async(&self, args: &[&str]) {
        let args: Vec<&str> = ["--async"].into_iter().chain(args.iter().copied()).collect();
        assert!(self.salt(&args).status.success());
    }

    /// `salt-run ARGS`: what it prints.
    pub(crate) fn salt_run(&self, args: &[&str]) -> String {
        let mut command = self.program("salt-run");
        let output =
            command.args(["-c", self.text("config_dir")]).args(args).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// `salt-call ARGS` on one minion.
    pub(crate) fn salt_call(&self, minion: &str, args: &[&str]) -> Output {
        self.calling(minion, args).output().expect("salt-call runs")
    }

    /// `salt-call ARGS` on one minion, to be run.
    pub(crate) fn calling(&self, minion: &str, args: &[&str]) -> Command {
        let config = self.site["minion_config_dirs"][minion].as_str().expect("a minion");
        let mut command = self.program("salt-call");
        command.args(["-c", config]).args(args);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
