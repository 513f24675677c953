//! Measures how long commits take by themselves, while old things are taken out of the journal, and while a
//! backup is made of it: `cargo run --release --example commits -- 100000`.
//!
//! All in one run, and in a temporary folder below `TMPDIR`: what counts are the ratios, and the disk.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use herald_core::ledger::{Ledger, Settings};
use herald_core::redact::{Marks, Redactor};
use jiff::Timestamp;
use rusqlite::Connection;
use salt_event::Value;
use salt_herald::store::{Batch, Journal, JournalReader, JournalWriter, Keeping};

type Failure = Box<dyn Error + Send + Sync>;

/// Jobs in a batch while the journal is made.
const AT_ONCE: usize = 250;
/// Between two commits that are measured: time enough for a portion.
const EVERY: Duration = Duration::from_millis(40);
/// Commits that are measured each time, at least.
const COMMITS: usize = 300;

fn main() -> Result<(), Failure> {
    let jobs: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal.db");
    let mut site = Site::open(&path)?;
    for first in (0..jobs).step_by(AT_ONCE) {
        site.run(first..(first + AT_ONCE).min(jobs))?;
    }
    site.writer.close();
    make_old(&path)?;
    let (entries, bytes) = size(&path)?;
    println!("{jobs} runs, {entries} entries, {} MiB", bytes >> 20);

    let mut site = Site::open(&path)?;
    let alone = site.measure(|| Ok(true))?;
    alone.say("by themselves", &alone);
    let backup = Backup::begin(&path, folder.path().join("backup.db"))?;
    let beside_backup = site.measure(|| Ok(backup.is_over()))?;
    beside_backup.say("beside backups", &alone);
    println!("{} backups of {} MiB meanwhile", backup.end()?, bytes >> 20);
    let days = Some(Duration::from_secs(30 * 86_400));
    let keeping = Keeping { runs: days, results: days, quiet: days, ..Keeping::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    runtime.block_on(site.writer.keep(keeping, Vec::new()))?;
    let beside = site.measure(|| Ok(size(&path)?.1 < bytes / 8))?;
    beside.say("beside taking out", &alone);
    let (left, short) = size(&path)?;
    let took = begun.elapsed().as_secs_f64();
    println!("{} entries taken out in {took:.0} s; {} MiB are left", entries - left, short >> 20);
    site.writer.close();
    Ok(())
}

/// A ledger and the one who writes what it decides.
struct Site {
    ledger: Ledger,
    writer: JournalWriter,
    jobs: usize,
}

impl Site {
    fn open(path: &Path) -> Result<Self, Failure> {
        let writer = Journal::open(path)?.into_writer()?;
        let restored = JournalReader::open(path)?.restored()?;
        let jobs = usize::try_from(restored.last_run)?;
        let (settings, redactor) = (Settings::default(), Redactor::new(Marks::new(&[7; 32])));
        let ledger = Ledger::restore(settings, redactor, Timestamp::now(), restored);
        Ok(Self { ledger, writer, jobs })
    }

    /// Some jobs, each with one return of a kilobyte of its own.
    fn run(&mut self, jobs: std::ops::Range<usize>) -> Result<(), Failure> {
        let now = Timestamp::now();
        let mut changes = Vec::new();
        for number in jobs {
            let jid = format!("20261122{number:012}");
            let text = |text: &str| Value::from(text.to_owned());
            let new = [
                ("jid", text(&jid)),
                ("tgt_type", text("list")),
                ("tgt", Value::Array(vec![text("web1")])),
                ("user", text("alice")),
                ("fun", text("cmd.run")),
                ("arg", Value::Array(vec![text("uptime")])),
                ("minions", Value::Array(vec![text("web1")])),
            ];
            let returned = [
                ("cmd", text("_return")),
                ("id", text("web1")),
                ("success", Value::Bool(true)),
                ("return", text(&format!("{jid} ").repeat(50))),
                ("retcode", Value::Int(0)),
                ("jid", text(&jid)),
                ("fun", text("cmd.run")),
                ("fun_args", Value::Array(Vec::new())),
            ];
            for (tag, data) in [
                (format!("salt/job/{jid}/new"), new.to_vec()),
                (format!("salt/job/{jid}/ret/web1"), returned.to_vec()),
            ] {
                let frame = frame(&tag, data);
                let event = salt_event::event::decode(&frame)?;
                changes.extend(self.ledger.handle_event(now, &event));
            }
        }
        let (runs, jobs) = self.ledger.take_touched();
        let (runs, jobs) =
            (runs.into_iter().cloned().collect(), jobs.into_iter().cloned().collect());
        self.writer.record(Batch { changes, runs, jobs, seen: Vec::new() })?;
        Ok(())
    }

    /// Commits until there are enough of them, and something is over.
    fn measure(&mut self, is_over: impl Fn() -> Result<bool, Failure>) -> Result<Times, Failure> {
        let mut times = Vec::new();
        while times.len() < COMMITS || !is_over()? {
            std::thread::sleep(EVERY);
            let begun = Instant::now();
            self.run(self.jobs..self.jobs + 1)?;
            self.jobs += 1;
            self.writer.settling()?.blocking_recv()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(Times(times))
    }
}

/// How long commits took, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn say(&self, what: &str, alone: &Times) {
        let count = self.0.len();
        let parts = [50, 99, 100].map(|percent| {
            let at = |times: &Times| {
                let place = (times.0.len() * percent / 100).min(times.0.len().saturating_sub(1));
                times.0.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
            };
            format!("{percent} %: {:6.1} ms ({:.1} ×)", at(self), at(self) / at(alone))
        });
        println!("{what:<18} {count:>6} commits   {}", parts.join("   "));
    }
}

fn frame(tag: &str, data: Vec<(&str, Value<'static>)>) -> Vec<u8> {
    let map = |pairs: Vec<(&str, Value<'static>)>| {
        let pairs = pairs.into_iter().map(|(key, value)| (Value::from(key.to_owned()), value));
        Value::Map(pairs.collect())
    };
    let mut body = format!("{tag}\n\n").into_bytes();
    map(data).write(&mut body);
    map(vec![("head", Value::Map(Vec::new())), ("body", Value::Bytes(body.into()))]).to_bytes()
}

/// Lets everything be of last year.
fn make_old(path: &Path) -> Result<(), Failure> {
    Connection::open(path)?.execute_batch(
        "UPDATE day SET day = day - 365;
         UPDATE used SET loud = max(loud - 365, 0), quiet = max(quiet - 365, 0);
         INSERT OR REPLACE INTO meta VALUES ('aged_to', unixepoch() / 86400);
         PRAGMA wal_checkpoint(TRUNCATE);",
    )?;
    Ok(())
}

/// Entries and bytes.
fn size(path: &Path) -> Result<(u64, u64), Failure> {
    let reader = JournalReader::open(path)?;
    let extent = reader.extent()?;
    Ok((reader.last_entry()? - extent.first_entry.saturating_sub(1), extent.file))
}

/// Backups, one after the other.
struct Backup {
    thread: std::thread::JoinHandle<Result<u64, Failure>>,
    stop: Arc<AtomicBool>,
    is_any: Arc<AtomicBool>,
}

impl Backup {
    fn begin(from: &Path, to: PathBuf) -> Result<Self, Failure> {
        let reader = JournalReader::open(from)?;
        let (stop, is_any) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stopped, any) = (Arc::clone(&stop), Arc::clone(&is_any));
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                reader.back_up(&to, true, &mut |_| {})?;
                any.store(true, Ordering::Relaxed);
                count += 1;
            }
            Ok(count)
        });
        Ok(Self { thread, stop, is_any })
    }

    fn is_over(&self) -> bool {
        self.is_any.load(Ordering::Relaxed) || self.thread.is_finished()
    }

    fn end(self) -> Result<u64, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the backup panicked")?
    }
}
