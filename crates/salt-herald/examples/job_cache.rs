//! Measures how a job cache of many jobs is gone through: `cargo run --release --example job_cache -- 100000`.
//!
//! It makes a cache as a master does, with one return for each job, and compares with `find` over the same
//! folders in the same run. It writes to a temporary folder only, and no journal.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use salt_event::Value;
use salt_herald::source::job_cache::{JobCache, Span};
use sha2::{Digest, Sha256};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let jobs: u64 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("jobs");
    let begun = Instant::now();
    for number in 0..jobs {
        make_job(&root, number, jobs)?;
    }
    println!("{jobs} jobs made in {:.1} s", begun.elapsed().as_secs_f64());
    let find = timed(|| {
        let depth = ["-mindepth", "2", "-maxdepth", "2", "-type", "d", "-printf", "%T@\n"];
        let mut find = Command::new("find");
        Ok(u64::from(find.arg(&root).args(depth).stdout(Stdio::null()).status()?.success()))
    })?;
    say("find, with the folders' times", find, find.1);
    let cache = JobCache::open(&root)?;
    let later = Timestamp::now() + Duration::from_secs(60);
    let nothing = timed(|| Ok(list(&cache, later)?.len() as u64))?;
    say("a gap in which nothing ran", nothing, find.1);
    let all = timed(|| Ok(list(&cache, Timestamp::MIN)?.len() as u64))?;
    say("listing all", all, find.1);
    let pieces = timed(|| {
        let mut count = 0;
        let jobs = list(&cache, Timestamp::MIN)?;
        cache.events(jobs).pieces(|_, _| {
            count += 1;
            Ok::<(), Failure>(())
        })?;
        Ok(count)
    })?;
    say("reading all", pieces, find.1);
    let entries = timed(|| decide(&cache))?;
    say("deciding on all", entries, find.1);
    Ok(())
}

/// What the ledger makes of all, without a journal.
fn decide(cache: &JobCache) -> Result<u64, Failure> {
    let now = Timestamp::now();
    let (settings, redactor) = (Settings::default(), Redactor::new(Marks::new(&[7; 32])));
    let mut ledger = Ledger::restore(settings, redactor, now, Restored::default());
    let mut count = 0;
    let jobs = list(cache, Timestamp::MIN)?;
    cache.events(jobs).each(|at, event| {
        count += ledger.handle_past_event(at, at, event).len() as u64;
        ledger.take_touched();
        Ok::<(), Failure>(())
    })?;
    Ok(count)
}

fn list(
    cache: &JobCache,
    since: Timestamp,
) -> Result<Vec<salt_herald::source::job_cache::Place>, Failure> {
    let span = Span { since, until: Timestamp::MAX, not_before: Timestamp::MIN };
    Ok(cache.changed(span, &mut || true)?.jobs)
}

fn timed(work: impl FnOnce() -> Result<u64, Failure>) -> Result<(u64, Duration), Failure> {
    let begun = Instant::now();
    Ok((work()?, begun.elapsed()))
}

fn say(what: &str, (count, took): (u64, Duration), find: Duration) {
    let ratio = took.as_secs_f64() / find.as_secs_f64();
    let took = took.as_secs_f64();
    println!("{what:<32} {count:>8} {took:>8.2} s {ratio:>6.1} × find   {}", peak());
}

/// The most memory that was resident so far.
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A job within the last twenty hours, with one return.
fn make_job(root: &Path, number: u64, jobs: u64) -> Result<(), Failure> {
    let ago = Duration::from_millis((jobs - number) * 72_000_000 / jobs);
    let at = Timestamp::now() - ago;
    let jid = at.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S%6f").to_string();
    let hash: String = Sha256::digest(&jid).iter().map(|byte| format!("{byte:02x}")).collect();
    let (top, rest) = hash.split_at(2);
    let folder = root.join(top).join(rest);
    let minion = format!("web{}", number % 50);
    fs::create_dir_all(folder.join(&minion))?;
    let text = |text: &str| Value::from(text.to_owned());
    let ids = Value::Array(vec![text(&minion)]);
    let load = Value::Map(vec![
        ("cmd".into(), text("publish")),
        ("jid".into(), text(&jid)),
        ("fun".into(), text("cmd.run")),
        ("arg".into(), Value::Array(vec![text("uptime")])),
        ("tgt".into(), ids.clone()),
        ("tgt_type".into(), text("list")),
        ("ret".into(), text("")),
        ("user".into(), text("alice")),
    ]);
    let kept = Value::Map(vec![
        ("return".into(), text(&format!("up {number} days"))),
        ("retcode".into(), Value::Int(0)),
        ("success".into(), Value::Bool(true)),
    ]);
    fs::write(folder.join("jid"), &jid)?;
    fs::write(folder.join(".load.p"), load.to_bytes())?;
    fs::write(folder.join(".minions.p"), ids.to_bytes())?;
    fs::write(folder.join(&minion).join("return.p"), kept.to_bytes())?;
    Ok(())
}
