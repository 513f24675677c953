//! salt-herald as a process: started with a config of its own, asked what it has used, ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::{Failure, Options};

/// A running salt-herald.
pub(crate) struct Herald {
    child: Child,
    journal: PathBuf,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time in seconds.
    pub(crate) cpu: f64,
    /// Memory in MB that is resident.
    pub(crate) resident: f64,
    /// The most that was resident, in MB.
    pub(crate) peak: f64,
    pub(crate) threads: f64,
}

impl Herald {
    /// Starts it on a bus, with the lines of a `slack:` table and others, if any.
    pub(crate) fn start(
        options: &Options,
        folder: &Path,
        sock_dir: &Path,
        slack: &str,
    ) -> Result<Self, Failure> {
        let journal = folder.join("journal.db");
        let config = folder.join("herald");
        let text = format!(
            "salt:\n  config_dir: {0}\n  cachedir: {0}\n  sock_dir: {1}\njournal:\n  path: {2}\n{slack}",
            folder.display(),
            sock_dir.display(),
            journal.display()
        );
        fs::write(&config, text)?;
        let log = fs::File::create(folder.join("herald.log"))?;
        let child = Command::new(&options.herald)
            .args(["--config".as_ref(), config.as_os_str(), "run".as_ref()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", options.herald.display()))?;
        Ok(Self { child, journal })
    }

    /// Waits until the journal, which was empty, holds so many returns; gives the time when it did.
    /// Meanwhile `taken` is told about how many there are.
    pub(crate) fn wait_for_returns(
        &self,
        count: usize,
        taken: &AtomicUsize,
    ) -> Result<Instant, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let journal = Connection::open_with_flags(&self.journal, flags)?;
        journal.busy_timeout(Duration::from_secs(5))?;
        let deadline = Instant::now() + Duration::from_secs(300);
        // The last entry's number is at hand; counting would cost more than what is measured. Each
        // minion has an entry when it is first seen, and one for its return.
        let wanted = count as i64;
        loop {
            let last: i64 =
                journal.query_row("SELECT coalesce(max(number), 0) FROM entry", [], |row| {
                    row.get(0)
                })?;
            let returned = (last - wanted).max(0);
            taken.store(usize::try_from(returned)?, Ordering::Relaxed);
            if returned >= wanted {
                let found: i64 =
                    journal.query_row("SELECT count(*) FROM return", [], |row| row.get(0))?;
                if found >= wanted {
                    return Ok(Instant::now());
                }
            }
            if Instant::now() > deadline {
                return Err(format!("only {last} entries stand for {wanted} minions").into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> =
            stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let number = |key: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
                .unwrap_or(f64::NAN)
        };
        Ok(Usage {
            cpu: (ticks(11).unwrap_or(f64::NAN) + ticks(12).unwrap_or(f64::NAN)) / 100.0,
            resident: number("VmRSS:") / 1024.0,
            peak: number("VmHWM:") / 1024.0,
            threads: number("Threads:"),
        })
    }

    /// How many file handles are open.
    pub(crate) fn file_handles(&self) -> Result<usize, Failure> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// How large the journal is, in MB.
    pub(crate) fn journal_size(&self) -> Result<f64, Failure> {
        Ok(fs::metadata(&self.journal)?.len() as f64 / 1e6)
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
