//! Journals made of synthetic events, and the binary on them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use jiff::{SignedDuration, Timestamp};
use salt_event::Value;
use salt_herald::seal::SealKey;
use salt_herald::store::{Batch, Journal, JournalReader, JournalWriter};

/// When the first event comes.
pub(crate) const START: &str = "2026-11-22T14:00:00Z";

/// A journal that is being written.
pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    ledger: Ledger,
    writer: Option<JournalWriter>,
    now: Timestamp,
}

/// A map from pairs.
pub(crate) fn map(pairs: Vec<(&str, Value<'static>)>) -> Value<'static> {
    let pairs = pairs.into_iter().map(|(key, value)| (Value::from(key.to_owned()), value));
    Value::Map(pairs.collect())
}

/// A list of texts.
pub(crate) fn list(items: &[&str]) -> Value<'static> {
    Value::Array(items.iter().map(|item| text(item)).collect())
}

/// A text.
pub(crate) fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

/// A state's result.
pub(crate) fn state(
    result: bool,
    comment: &str,
    changes: Vec<(&str, Value<'static>)>,
) -> Value<'static> {
    map(vec![
        ("result", Value::Bool(result)),
        ("comment", text(comment)),
        ("changes", map(changes)),
        ("name", text("nginx")),
        ("duration", Value::Float(120.5)),
        ("start_time", text("14:00:01.500000")),
        ("__run_num__", Value::Int(0)),
        ("__sls__", text("web.nginx")),
        ("__id__", text("nginx")),
    ])
}

impl Scene {
    /// An empty journal.
    pub(crate) fn new() -> Self {
        Self::with_key(false)
    }

    /// The same; it can be signed for as the daemon does.
    fn with_key(is_signed: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = START.parse().unwrap();
        let path = dir.path().join("journal.db");
        let key = is_signed.then(|| SealKey::of_journal(&path).unwrap());
        let writer = Journal::open(&path).unwrap().sealed_by(key).into_writer().unwrap();
        Self {
            ledger: Ledger::restore(
                Settings::default(),
                Redactor::new(Marks::new(&[7; 32])),
                now,
                Restored::default(),
            ),
            writer: Some(writer),
            dir,
            now,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    /// An event, one second after the last one.
    pub(crate) fn event(&mut self, tag: &str, data: Vec<(&str, Value<'static>)>) {
        self.now += SignedDuration::from_secs(1);
        let mut body = format!("{tag}\n\n").into_bytes();
        map(data).write(&mut body);
        let frame =
            map(vec![("head", Value::Map(Vec::new())), ("body", Value::Bytes(body.into()))]);
        let bytes = frame.to_bytes();
        let event = salt_event::event::decode(&bytes).unwrap();
        let changes = self.ledger.handle_event(self.now, &event);
        let (runs, jobs) = self.ledger.take_touched();
        let batch = Batch {
            changes,
            runs: runs.into_iter().cloned().collect(),
            jobs: jobs.into_iter().cloned().collect(),
            seen: vec![("salt/job".to_owned(), 1)],
        };
        self.writer.as_ref().unwrap().record(batch).unwrap();
    }

    /// A job begins.
    pub(crate) fn new_job(&mut self, jid: &str, user: &str, fun: &str, arg: &[&str], on: &[&str]) {
        self.event(
            &format!("salt/job/{jid}/new"),
            vec![
                ("jid", text(jid)),
                ("tgt_type", text("list")),
                ("tgt", list(on)),
                ("user", text(user)),
                ("fun", text(fun)),
                ("arg", list(arg)),
                ("minions", list(on)),
                ("missing", list(&[])),
            ],
        );
    }

    /// A minion returns.
    pub(crate) fn returns(
        &mut self,
        jid: &str,
        fun: &str,
        minion: &str,
        code: i64,
        ret: Value<'static>,
    ) {
        self.event(
            &format!("salt/job/{jid}/ret/{minion}"),
            vec![
                ("cmd", text("_return")),
                ("id", text(minion)),
                ("success", Value::Bool(code == 0)),
                ("return", ret),
                ("retcode", Value::Int(code)),
                ("jid", text(jid)),
                ("fun", text(fun)),
                ("fun_args", list(&[])),
            ],
        );
    }

    /// Time passes, and who has not answered is given up.
    pub(crate) fn pass(&mut self, span: SignedDuration) {
        self.now += span;
        let changes = self.ledger.handle_timeout(self.now);
        let (runs, jobs) = self.ledger.take_touched();
        let batch = Batch {
            changes,
            runs: runs.into_iter().cloned().collect(),
            jobs: jobs.into_iter().cloned().collect(),
            seen: Vec::new(),
        };
        self.writer.as_ref().unwrap().record(batch).unwrap();
    }

    pub(crate) fn writer(&self) -> &JournalWriter {
        self.writer.as_ref().unwrap()
    }

    /// All that was written is on disk.
    pub(crate) fn settle(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.writer().introduce("none")).unwrap();
    }

    /// The daemon stops: everything is on disk.
    pub(crate) fn close(mut self) -> Self {
        self.writer.take().unwrap().close();
        // A process that another test starts meanwhile holds our lock's file until it is its own.
        while JournalReader::holder(&self.path()).is_some() {
            std::thread::yield_now();
        }
        self
    }

    /// A scene with a bit of everything.
    pub(crate) fn usual() -> Self {
        Self::new().filled()
    }

    /// The same, signed for.
    pub(crate) fn signed() -> Self {
        Self::with_key(true).filled()
    }

    fn filled(self) -> Self {
        let mut scene = self;
        scene.new_job(
            "20261122140001000001",
            "sudo_alice",
            "state.apply",
            &["nginx"],
            &["web1", "web2"],
        );
        let key = "pkg_|-nginx_|-nginx_|-installed";
        let good = state(
            true,
            "Installed.",
            vec![("nginx", map(vec![("old", text("")), ("new", text("1.26"))]))],
        );
        let bad = state(false, "No package on web2.\nTried twice.", Vec::new());
        scene.returns("20261122140001000001", "state.apply", "web1", 0, map(vec![(key, good)]));
        scene.returns("20261122140001000001", "state.apply", "web2", 2, map(vec![(key, bad)]));
        scene.new_job("20261122140004000002", "root", "test.ping", &[], &["web1"]);
        scene.returns("20261122140004000002", "test.ping", "web1", 0, Value::Bool(true));
        scene.new_job("20261122140006000003", "bob", "cmd.run", &["uptime"], &["web1", "db1"]);
        scene.returns("20261122140006000003", "cmd.run", "web1", 0, text("up 3 days"));
        scene.pass(SignedDuration::from_mins(20));
        scene.new_job(
            "20261122142100000004",
            "bob",
            "cmd.run",
            &["echo \u{1b}[31mred\u{202e}"],
            &["db1"],
        );
        scene.returns(
            "20261122142100000004",
            "cmd.run",
            "db1",
            0,
            text("\u{1b}]0;owned\u{7}red\u{9b}0m"),
        );
        scene.new_job("20261122142102000005", "alice", "state.apply", &[], &["db1"]);
        scene
    }
}

/// The binary, in UTC and without colours.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_salt-herald"));
    command.env("TZ", "UTC").env_remove("CLICOLOR_FORCE");
    command
}

/// Runs a command on a journal.
pub(crate) fn herald(journal: &Path, args: &[&str]) -> Output {
    binary().args(args).arg("--journal").arg(journal).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The objects of JSON Lines.
pub(crate) fn objects(output: &Output) -> Vec<serde_json::Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
