//! Measures how a large journal is verified: `cargo run --release --example verify -- 1000000`.
//!
//! It makes two journals in a temporary folder, one of many small entries and one of large contents, and
//! compares with `sha256sum` over the same file and with a plain scan of the same table in the same run.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use herald_core::verify::Witness;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use salt_event::Value;
use salt_herald::store::{Batch, Journal, JournalWriter, Manner, verify};

type Failure = Box<dyn Error>;

/// Minions of a job.
const FLEET: u64 = 1000;
/// Bytes of each return of the journal with large contents.
const LARGE: usize = 20_000;
/// How often each figure is taken; the best counts, since others use the machine, too.
const ROUNDS: usize = 3;

fn main() -> Result<(), Failure> {
    let entries: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let many = folder.path().join("many.db");
    make(&many, entries, |_| Value::Bool(true))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    println!("{threads} threads, the best of {ROUNDS} rounds");
    println!("{entries} entries, {:.0} MB", megabytes(&many)?);
    let scan = best(|| scan(&many))?;
    say("a plain scan of them", scan, entries);
    let sum = best(|| sha256sum(&many))?;
    say("sha256sum of the file", sum, entries);
    let chain = Manner { threads, chain_only: true };
    say("their chain", best(|| whole(&many, chain))?, entries);
    say("their chain, one thread", best(|| whole(&many, Manner { threads: 1, ..chain }))?, entries);
    let all = Manner { chain_only: false, ..chain };
    say("all, with the tables", best(|| whole(&many, all))?, entries);

    let large = folder.path().join("large.db");
    let count = entries / 50;
    make(&large, count, |n| Value::from(text(n)))?;
    let size = megabytes(&large)?;
    println!("{count} entries with contents of {LARGE} bytes each, {size:.0} MB");
    say_rate("sha256sum of the file", best(|| sha256sum(&large))?, size);
    say_rate("all", best(|| whole(&large, all))?, size);
    say_rate("all, one thread", best(|| whole(&large, Manner { threads: 1, ..all }))?, size);
    Ok(())
}

/// A text that no other return has, and that can't be packed.
fn text(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state >> 40) as u8 % 26)
    };
    (0..LARGE).map(|at| if at % 80 == 79 { '\n' } else { next() }).collect()
}

/// A journal with about so many entries, all but a few of them returns.
fn make(path: &Path, entries: u64, ret: impl Fn(u64) -> Value<'static>) -> Result<(), Failure> {
    let begun = Instant::now();
    let writer = Journal::open(path)?.into_writer()?;
    let mut now: Timestamp = "2026-11-22T14:00:00Z".parse()?;
    let restored = Restored::default();
    let mut ledger =
        Ledger::restore(Settings::default(), Redactor::new(Marks::new(&[7; 32])), now, restored);
    let minions: Vec<String> = (0..FLEET).map(|minion| format!("minion-{minion}")).collect();
    for number in 0..entries {
        let (job, minion) = (number / FLEET, number % FLEET);
        let jid = format!("20261122140000{job:06}");
        if minion == 0 {
            let list = minions.iter().map(|id| Value::from(id.clone())).collect();
            let data = vec![
                ("jid", Value::from(jid.clone())),
                ("tgt_type", Value::from("glob")),
                ("tgt", Value::from("*")),
                ("user", Value::from("root")),
                ("fun", Value::from("cmd.run")),
                ("arg", Value::Array(vec![Value::from("cat report")])),
                ("minions", Value::Array(list)),
            ];
            take(&mut ledger, &writer, now, &format!("salt/job/{jid}/new"), data)?;
        }
        now += SignedDuration::from_millis(10);
        let id = minions.get(minion as usize).cloned().unwrap_or_default();
        let data = vec![
            ("cmd", Value::from("_return")),
            ("id", Value::from(id.clone())),
            ("success", Value::Bool(true)),
            ("return", ret(number)),
            ("retcode", Value::Int(0)),
            ("jid", Value::from(jid.clone())),
            ("fun", Value::from("cmd.run")),
        ];
        take(&mut ledger, &writer, now, &format!("salt/job/{jid}/ret/{id}"), data)?;
    }
    writer.close();
    println!("made in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn take(
    ledger: &mut Ledger,
    writer: &JournalWriter,
    now: Timestamp,
    tag: &str,
    data: Vec<(&'static str, Value<'static>)>,
) -> Result<(), Failure> {
    let mut body = format!("{tag}\n\n").into_bytes();
    let pairs = data.into_iter().map(|(key, value)| (Value::from(key), value));
    Value::Map(pairs.collect()).write(&mut body);
    let frame = Value::Map(vec![
        ("head".into(), Value::Map(Vec::new())),
        ("body".into(), Value::Bytes(body.into())),
    ]);
    let bytes = frame.to_bytes();
    let changes = ledger.handle_event(now, &salt_event::event::decode(&bytes)?);
    let (runs, jobs) = ledger.take_touched();
    let (runs, jobs) = (runs.into_iter().cloned().collect(), jobs.into_iter().cloned().collect());
    Ok(writer.record(Batch { changes, runs, jobs, seen: Vec::new() })?)
}

fn whole(path: &Path, manner: Manner) -> Result<(), Failure> {
    let report = verify(path, manner, &Witness::default())?;
    if report.is_whole() { Ok(()) } else { Err(format!("{:?}", report.findings).into()) }
}

fn scan(path: &Path) -> Result<(), Failure> {
    let connection = Connection::open(path)?;
    let mut select = connection.prepare("SELECT number, bytes, hash FROM entry ORDER BY number")?;
    let mut rows = select.query([])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        bytes += row.get_ref(1)?.as_blob()?.len() + row.get_ref(2)?.as_blob()?.len();
    }
    if bytes > 0 { Ok(()) } else { Err("nothing is there".into()) }
}

fn sha256sum(path: &Path) -> Result<(), Failure> {
    let done = Command::new("sha256sum").arg(path).stdout(Stdio::null()).status()?;
    if done.success() { Ok(()) } else { Err("sha256sum failed".into()) }
}

fn best(mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        work()?;
        best = best.min(begun.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn megabytes(path: &Path) -> Result<f64, Failure> {
    Ok(std::fs::metadata(path)?.len() as f64 / 1e6)
}

fn say(what: &str, seconds: f64, entries: u64) {
    println!("  {what:<26} {seconds:>7.3} s  {:>6.3} µs each", seconds * 1e6 / entries as f64);
}

fn say_rate(what: &str, seconds: f64, size: f64) {
    println!("  {what:<26} {seconds:>7.3} s  {:>6.0} MB/s", size / seconds);
}
