//! A sample: one command, and how long until the journal and the channel have it; what the daemon uses.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use fake_slack::FakeSlack;
use rusqlite::{Connection, OpenFlags};

use super::site::{Call, Minion, Outcome, ret};
use super::traffic::Line;
use crate::Failure;
use crate::fleet::{command_by, jid};
use crate::herald::Herald;

/// Who runs the commands that latency is taken by; nobody else is told of where they are.
pub(super) const USER: &str = "probe";
/// The first one's number, far from all others'.
const FIRST: usize = 900_000;
/// Until a command must be where it belongs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found at one moment. Times are in milliseconds, memory in MB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) resident: f64,
    pub(super) handles: f64,
    pub(super) threads: f64,
    pub(super) commit: f64,
    pub(super) said: f64,
}

/// Takes samples.
pub(super) struct Probe<'a> {
    herald: &'a Herald,
    line: &'a Line,
    slack: &'a FakeSlack,
    journal: Connection,
    jids: Vec<String>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(
        herald: &'a Herald,
        line: &'a Line,
        slack: &'a FakeSlack,
    ) -> Result<Self, Failure> {
        let journal = open(herald.journal())?;
        Ok(Self { herald, line, slack, journal, jids: Vec::new() })
    }

    /// The jobs that were published; each had one return.
    pub(super) fn jids(&self) -> &[String] {
        &self.jids
    }

    pub(super) fn journal(&self) -> &Connection {
        &self.journal
    }

    pub(super) fn take(&mut self, start: Instant) -> Result<Sample, Failure> {
        let number = FIRST + self.jids.len();
        let (jid, shown) = (jid(number), format!("echo probe-{number}"));
        self.jids.push(jid.clone());
        let minion = Minion(number % super::site::MINIONS);
        let sent = self.line.send(&[command_by(USER, &jid, &minion.id(), &shown)])?;
        let commit = until(sent, "recorded", || self.is_recorded(&jid))?;
        let said = until(sent, "said", || Ok(self.is_said(&shown)))?;
        self.line.send(&[ret(&Call::shell(jid, &shown), minion, Outcome::Good)])?;
        let usage = self.herald.usage()?;
        Ok(Sample {
            at: start.elapsed(),
            resident: usage.resident,
            handles: self.herald.file_handles()? as f64,
            threads: usage.threads,
            commit,
            said,
        })
    }

    fn is_recorded(&self, jid: &str) -> Result<bool, Failure> {
        let mut select = self.journal.prepare_cached("SELECT 1 FROM job WHERE jid = ?1")?;
        Ok(select.exists([jid])?)
    }

    fn is_said(&self, shown: &str) -> bool {
        let mut said = false;
        self.slack.change_channel(|channel| {
            // What was looked at before is not needed, and would be looked at each millisecond.
            let last = channel.changes.split_off(0);
            said = last.iter().any(|change| change.shown.contains(shown));
        });
        said
    }
}

/// Milliseconds until something is so.
fn until(
    sent: Instant,
    what: &str,
    is_so: impl Fn() -> Result<bool, Failure>,
) -> Result<f64, Failure> {
    while !is_so()? {
        if sent.elapsed() > PATIENCE {
            return Err(format!("a command was not {what} within {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(sent.elapsed().as_secs_f64() * 1000.0)
}

/// Opens a journal to look at.
pub(super) fn open(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let journal = Connection::open_with_flags(path, flags)?;
    journal.busy_timeout(Duration::from_secs(5))?;
    Ok(journal)
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, resident, handles, threads, commit, said } = self;
        let at = at.as_secs();
        write!(f, "{at:>5} s: {resident:.1} MB, {handles} file handles, {threads} threads, ")?;
        write!(f, "{commit:.1} ms to the commit, {said:.1} ms to Slack")
    }
}
