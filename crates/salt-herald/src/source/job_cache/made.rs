//! Job caches for tests: made as a master makes them, file by file, each with its time; and those that
//! real masters made.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use salt_event::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::JobCache;

pub(crate) fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

pub(crate) fn map(pairs: Vec<(&'static str, Value<'static>)>) -> Value<'static> {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

pub(crate) fn ids(ids: &[&str]) -> Value<'static> {
    Value::Array(ids.iter().map(|id| text(id)).collect())
}

pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-22T{time}Z").parse().unwrap()
}

/// A cache in a folder of its own.
pub(crate) struct Made {
    pub(crate) root: TempDir,
}

impl Made {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("jobs")).unwrap();
        Self { root }
    }

    /// The cache of a real master, as it was left when every scene of the lab had been played.
    pub(crate) fn real(series: &str) -> Self {
        let made = Self::new();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/caches");
        let packed = fs::read_to_string(file.join(format!("{series}.json"))).unwrap();
        let files: Vec<serde_json::Value> = serde_json::from_str(&packed).unwrap();
        for file in files {
            let hex = file["bytes"].as_str().unwrap();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            let time = Timestamp::from_microsecond(file["at"].as_i64().unwrap()).unwrap();
            write(&made.jobs().join(file["path"].as_str().unwrap()), &bytes, time);
        }
        made
    }

    pub(crate) fn jobs(&self) -> PathBuf {
        self.root.path().join("jobs")
    }

    pub(crate) fn folder(&self, jid: &str) -> PathBuf {
        let hash: String = Sha256::digest(jid).iter().map(|byte| format!("{byte:02x}")).collect();
        self.jobs().join(&hash[..2]).join(&hash[2..])
    }

    /// Writes a file as the master would have at that time.
    pub(crate) fn file(&self, jid: &str, name: &str, bytes: &[u8], time: Timestamp) {
        write(&self.folder(jid).join(name), bytes, time);
    }

    /// A job of alice's on some minions.
    pub(crate) fn job(&self, jid: &str, minions: &[&str], time: Timestamp) {
        self.job_of(jid, "alice", "cmd.run", &["uptime"], minions, time);
    }

    /// A job as the master publishes it.
    pub(crate) fn job_of(
        &self,
        jid: &str,
        user: &str,
        fun: &str,
        arg: &[&str],
        minions: &[&str],
        time: Timestamp,
    ) {
        let load = map(vec![
            ("cmd", text("publish")),
            ("jid", text(jid)),
            ("fun", text(fun)),
            ("arg", ids(arg)),
            ("tgt", ids(minions)),
            ("tgt_type", text("list")),
            ("ret", text("")),
            ("user", text(user)),
        ]);
        self.file(jid, "jid", jid.as_bytes(), time);
        self.file(jid, ".load.p", &load.to_bytes(), time);
        self.file(jid, ".minions.p", &ids(minions).to_bytes(), time);
    }

    pub(crate) fn returns(&self, jid: &str, minion: &str, time: Timestamp) {
        self.returns_what(jid, minion, text("up 3 days"), 0, time);
    }

    pub(crate) fn returns_what(
        &self,
        jid: &str,
        minion: &str,
        ret: Value<'static>,
        retcode: i64,
        time: Timestamp,
    ) {
        let kept = map(vec![
            ("return", ret),
            ("retcode", Value::Int(retcode)),
            ("success", Value::Bool(retcode == 0)),
        ]);
        self.file(jid, &format!("{minion}/return.p"), &kept.to_bytes(), time);
    }

    pub(crate) fn open(&self) -> JobCache {
        JobCache::open(&self.jobs()).unwrap()
    }
}

fn write(path: &Path, bytes: &[u8], time: Timestamp) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    let since = Duration::from_micros(time.as_microsecond() as u64);
    File::options().write(true).open(path).unwrap().set_modified(UNIX_EPOCH + since).unwrap();
}
