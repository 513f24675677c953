//! The master's job cache, written file by file as a master does, at the time at which it happens.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use salt_event::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::events::{map, text, texts};

pub(crate) struct Cache {
    jobs: PathBuf,
}

/// A jid of this very moment, by this machine's clock.
pub(crate) fn jid_of_now() -> String {
    jid_of(Timestamp::now())
}

pub(crate) fn jid_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y%m%d%H%M%S%6f").to_string()
}

impl Cache {
    pub(crate) fn of(app: &App) -> Self {
        Self { jobs: app.folder.path().join("cache/jobs") }
    }

    pub(crate) fn folder(&self, jid: &str) -> PathBuf {
        let hash: String = Sha256::digest(jid).iter().map(|byte| format!("{byte:02x}")).collect();
        self.jobs.join(&hash[..2]).join(&hash[2..])
    }

    /// A job of alice's.
    pub(crate) fn job(&self, jid: &str, fun: &str, minions: &[&str]) {
        self.job_with(jid, fun, "nginx", minions);
    }

    /// A job of alice's with another argument.
    pub(crate) fn job_with<T: AsRef<str>>(&self, jid: &str, fun: &str, arg: &str, minions: &[T]) {
        let load = map(vec![
            ("cmd", text("publish")),
            ("jid", text(jid)),
            ("fun", text(fun)),
            ("arg", texts(&[arg])),
            ("tgt", text("*")),
            ("tgt_type", text("glob")),
            ("ret", text("")),
            ("user", text("alice")),
        ]);
        fs::create_dir_all(self.folder(jid)).unwrap();
        for (name, bytes) in [
            ("jid", jid.as_bytes().to_vec()),
            (".load.p", load.to_bytes()),
            (".minions.p", texts(minions).to_bytes()),
        ] {
            fs::write(self.folder(jid).join(name), bytes).unwrap();
        }
    }

    pub(crate) fn returns(&self, jid: &str, minion: &str, retcode: i64) {
        let kept = map(vec![
            ("return", text("done")),
            ("retcode", Value::Int(retcode)),
            ("success", Value::Bool(retcode == 0)),
        ]);
        fs::create_dir_all(self.folder(jid).join(minion)).unwrap();
        fs::write(self.folder(jid).join(minion).join("return.p"), kept.to_bytes()).unwrap();
    }
}
