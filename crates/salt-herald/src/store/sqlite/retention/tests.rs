//! Any history, any rules: what is kept is whole, what is not is gone, and the file can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{Contents, decode};
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use herald_core::run::RunId;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rusqlite::types::Value as Cell;
use salt_event::Value;
use tempfile::TempDir;

use super::*;
use crate::store::sqlite::{chain, lock::Lock};
use crate::store::{Batch, Journal, JournalReader};
use crate::store::{Manner, verify};

const DAY: i64 = 86_400;
/// When a history begins: the first second of a day.
const START: i64 = 20_780 * DAY;

thread_local!(static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(START) });

fn now() -> Timestamp {
    Timestamp::from_second(NOW.get()).unwrap()
}

/// What happens.
#[derive(Debug, Clone)]
enum Deed {
    /// A job begins; quiet or not, on so many minions.
    Job { quiet: bool, minions: usize },
    /// A minion returns to one of the last jobs, with one of a few contents.
    Return { job: usize, minion: usize, failed: bool, content: u8 },
    /// Hours pass.
    Pass(i64),
    /// The daemon is begun anew.
    Restart,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        3 => (any::<bool>(), 1usize..4).prop_map(|(quiet, minions)| Deed::Job { quiet, minions }),
        6 => (0usize..3, 0usize..4, prop::bool::weighted(0.2), 0u8..5).prop_map(
            |(job, minion, failed, content)| Deed::Return { job, minion, failed, content }
        ),
        3 => (1i64..80).prop_map(Deed::Pass),
        1 => Just(Deed::Restart),
    ];
    prop::collection::vec(deed, 1..90)
}

fn keeping() -> impl Strategy<Value = Keeping> {
    let days = |days: u64| Duration::from_secs(days * DAY as u64);
    (3u64..12, 0u64..8, 0u64..20, prop::bool::weighted(0.2)).prop_map(
        move |(quiet, results, runs, forever)| Keeping {
            quiet: Some(days(quiet)),
            results: Some(days(quiet + results)),
            runs: (!forever).then(|| days(quiet + results + runs)),
        },
    )
}

/// One file and the one who writes it.
struct File {
    path: PathBuf,
    inserter: Option<Inserter>,
    lock: Option<Lock>,
}

impl File {
    fn open(path: PathBuf) -> Self {
        // A process that another test begins holds our lock, too, until it is another program.
        let until = Instant::now() + Duration::from_secs(20);
        let journal = loop {
            match Journal::open(&path) {
                Err(StoreError::Busy { .. }) if Instant::now() < until => std::thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        let parts: Result<(Connection, Lock), _> = journal.into_parts();
        let (connection, lock) = parts.unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let inserter = Some(Inserter::with_clock(connection, now).unwrap());
        Self { path, inserter, lock: Some(lock) }
    }

    fn writer(&mut self) -> &mut Inserter {
        self.inserter.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        (self.inserter, self.lock) = (None, None);
        *self = Self::open(self.path.clone());
    }
}

struct History {
    _folder: TempDir,
    ledger: Ledger,
    /// From which things are taken.
    kept: File,
    /// From which nothing is ever taken.
    whole: File,
    jobs: Vec<(String, bool)>,
    /// On which day each entry of the whole one was recorded, and whether it is a quiet return.
    days: BTreeMap<i64, i64>,
    retention: Retention,
}

impl History {
    fn new(keeping: Keeping) -> Self {
        NOW.set(START);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let file = File::open(folder.path().join(name));
            // As if it had been made then.
            let sql = format!("UPDATE day SET day = {}", START / DAY);
            file.inserter.as_ref().unwrap().connection().execute(&sql, []).unwrap();
            file
        };
        let mut retention = Retention::new(Arc::default());
        retention.keep(keeping, Vec::new());
        Self {
            ledger: ledger(Restored::default()),
            kept: file("kept.db"),
            whole: file("whole.db"),
            jobs: Vec::new(),
            days: BTreeMap::new(),
            retention,
            _folder: folder,
        }
    }

    fn happen(&mut self, deed: &Deed) {
        match deed {
            Deed::Job { quiet, minions } => {
                let jid = format!("20261122140001{:06}", self.jobs.len());
                let fun = if *quiet { "test.ping" } else { "cmd.run" };
                let ids: Vec<Value<'static>> = (0..*minions).map(minion).collect();
                self.event(
                    &format!("salt/job/{jid}/new"),
                    vec![
                        ("jid", text(&jid)),
                        ("tgt_type", text("list")),
                        ("tgt", Value::Array(ids.clone())),
                        ("user", text("root")),
                        ("fun", text(fun)),
                        ("arg", Value::Array(vec![text(&format!("echo {}", self.jobs.len() % 7))])),
                        ("minions", Value::Array(ids)),
                    ],
                );
                self.jobs.push((jid, *quiet));
            }
            Deed::Return { job, minion: who, failed, content } => {
                let Some((jid, quiet)) = self.jobs.iter().rev().nth(*job).cloned() else {
                    return;
                };
                let fun = if quiet { "test.ping" } else { "cmd.run" };
                let id = format!("web{who}");
                self.event(
                    &format!("salt/job/{jid}/ret/{id}"),
                    vec![
                        ("cmd", text("_return")),
                        ("id", text(&id)),
                        ("success", Value::Bool(!failed)),
                        ("return", text(&format!("content {content}"))),
                        ("retcode", Value::Int(i64::from(*failed))),
                        ("jid", text(&jid)),
                        ("fun", text(fun)),
                        ("fun_args", Value::Array(Vec::new())),
                    ],
                );
            }
            Deed::Pass(hours) => {
                NOW.set(NOW.get() + hours * 3600);
                let changes = self.ledger.handle_timeout(now());
                self.record(changes);
                self.kept.writer().set_age(NOW.get() / DAY);
                self.sweep();
            }
            Deed::Restart => {
                self.kept.reopen();
                self.whole.reopen();
                let restored = JournalReader::open(&self.kept.path).unwrap().restored().unwrap();
                self.ledger = ledger(restored);
            }
        }
    }

    fn event(&mut self, tag: &str, data: Vec<(&str, Value<'static>)>) {
        NOW.set(NOW.get() + 1);
        let mut body = format!("{tag}\n\n").into_bytes();
        map(data).write(&mut body);
        let frame =
            map(vec![("head", Value::Map(Vec::new())), ("body", Value::Bytes(body.into()))]);
        let bytes = frame.to_bytes();
        let event = salt_event::event::decode(&bytes).unwrap();
        if let Some(jid) = self.ledger.unknown_jid(&event) {
            let reader = JournalReader::open(&self.kept.path).unwrap();
            for (run, jobs) in reader.runs_with_jid(jid).unwrap() {
                self.ledger.adopt(now(), run, jobs);
            }
        }
        let changes = self.ledger.handle_event(now(), &event);
        self.record(changes);
    }

    fn record(&mut self, changes: Vec<Change>) {
        let (runs, jobs) = self.ledger.take_touched();
        let batch = Batch {
            changes,
            runs: runs.into_iter().cloned().collect(),
            jobs: jobs.into_iter().cloned().collect(),
            seen: Vec::new(),
        };
        for file in [&mut self.kept, &mut self.whole] {
            file.writer().transaction(|insert| insert.batch(&batch)).unwrap();
        }
        let last = self.whole.writer().last_number() as i64;
        for number in self.days.len() as i64 + 1..=last {
            self.days.insert(number, NOW.get() / DAY);
        }
    }

    fn sweep(&mut self) {
        while self.retention.is_due(self.kept.inserter.as_ref().unwrap()) {
            self.retention.work(self.kept.writer());
            assert!(self.retention.not_before.is_none(), "a portion failed");
        }
        self.ledger.forget_up_to(RunId(self.retention.gone.load(Ordering::Relaxed)));
    }
}

fn ledger(restored: Restored) -> Ledger {
    Ledger::restore(Settings::default(), Redactor::new(Marks::new(&[7; 32])), now(), restored)
}

fn map(pairs: Vec<(&str, Value<'static>)>) -> Value<'static> {
    let pairs = pairs.into_iter().map(|(key, value)| (text(key), value));
    Value::Map(pairs.collect())
}

fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

fn minion(number: usize) -> Value<'static> {
    text(&format!("web{number}"))
}

fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Cell>> {
    let mut select = connection.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// What is asked, with contents by their names: their numbers mean something in one file only.
const ASKED: &[&str] = &[
    "SELECT * FROM run ORDER BY id",
    "SELECT * FROM job ORDER BY id",
    "SELECT job, minion, at, entry, return.failed, changed, retcode, duration, digest FROM return \
     LEFT JOIN payload ON id = shape ORDER BY job, minion",
    "SELECT job, minion, follows, d.digest, b.digest FROM failure LEFT JOIN payload AS d \
     ON d.id = definition LEFT JOIN payload AS b ON b.id = body ORDER BY failure.rowid",
    "SELECT * FROM minion ORDER BY number",
    "SELECT * FROM cut ORDER BY entry",
];

struct Held(BTreeMap<Digest, Vec<u8>>);

impl Contents for Held {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        self.0.get(&digest).cloned()
    }
}

fn held(connection: &Connection) -> Held {
    let mut select = connection.prepare("SELECT digest, bytes FROM payload").unwrap();
    let rows = select.query_map([], |row| Ok((Digest(row.get(0)?), row.get(1)?))).unwrap();
    Held(rows.map(Result::unwrap).collect())
}

fn entries(connection: &Connection) -> Vec<(i64, Vec<u8>)> {
    let mut select = connection.prepare("SELECT number, bytes FROM entry ORDER BY number").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Made again from its entries, it answers as before.
fn check_rebuild(path: &Path, connection: &Connection) {
    let again = path.with_extension("again");
    JournalReader::open(path).unwrap().back_up(&again, true, &mut |_| {}).unwrap();
    Journal::rebuild(&again).unwrap();
    let again = Connection::open(&again).unwrap();
    for sql in ASKED {
        let (before, mut after) = (rows(connection, sql), rows(&again, sql));
        // Contents that went and came again are found again only by their names.
        for (before, after) in before.iter().zip(&mut after) {
            let pairs = before.iter().zip(after);
            pairs.filter(|(before, _)| **before == Cell::Null).for_each(|(_, after)| {
                if matches!(after, Cell::Blob(_)) {
                    *after = Cell::Null;
                }
            });
        }
        assert_eq!(before, after, "{sql}");
    }
}

impl History {
    /// Everything that has to hold after a round.
    fn check(&mut self, keeping: &Keeping) {
        let today = NOW.get() / DAY;
        let first =
            |span: Option<Duration>| span.map_or(0, |span| today - span.as_secs() as i64 / DAY);
        let kept = Connection::open(&self.kept.path).unwrap();
        let whole = Connection::open(&self.whole.path).unwrap();
        chain::verify(&kept).unwrap();
        let report = verify(&self.kept.path, Manner { threads: 1, chain_only: false }).unwrap();
        assert!(report.is_whole(), "{:#?}", report.findings);
        check_rebuild(&self.kept.path, &kept);

        // Numbers of entries differ once something was cut: a checkpoint is an entry, too.
        let columns = "id, kind, command, started_at, finished_at, status, said, told_with, flags, \
                       expected, returned, failed, silent";
        let runs =
            |connection: &Connection| rows(connection, &format!("SELECT {columns} FROM run"));
        let (of_kept, of_whole) = (runs(&kept), runs(&whole));
        assert!(of_kept.iter().all(|run| of_whole.contains(run)), "a run is not what it was");
        let first_run = first(keeping.runs);
        let is_there = |run: &&Vec<Cell>| of_kept.contains(run);
        let versions = rows(&whole, "SELECT version, status = 'running' FROM run");
        for (run, version) in of_whole.iter().zip(versions) {
            let [Cell::Integer(version), Cell::Integer(open)] = version[..] else { panic!() };
            if open == 1 || self.days[&version] >= first_run {
                assert!(is_there(&run), "a run is gone too early");
            }
        }
        self.check_contents(&kept, first(keeping.results), first(keeping.quiet));
    }

    fn check_contents(&self, kept: &Connection, loud: i64, quiet: i64) {
        // One that is said in the end may have been quiet until its contents went.
        let quiet_jobs = rows(kept, "SELECT id FROM job WHERE funs LIKE '%test.ping%'");
        let is_quiet = |job: u64| quiet_jobs.contains(&vec![Cell::Integer(job as i64)]);
        let contents = held(kept);
        let base = cut::base(kept).unwrap();
        let mut named = BTreeSet::new();
        let mut held = Held(contents.0.clone());
        let shadow = self::held(&Connection::open(&self.whole.path).unwrap());
        for (number, bytes) in entries(kept).into_iter().filter(|(number, _)| *number > base.last) {
            let (_, change) = decode(&bytes, &mut held).unwrap_or_else(|error| panic!("{error}"));
            for digest in change.what.contents().into_iter().flatten() {
                assert!(contents.0.contains_key(&digest), "entry {number} lacks what it needs");
                named.insert(digest);
            }
            if let What::Returned { job, shape, outcome, .. } = &change.what {
                let day = change.at.as_second() / DAY;
                let is_quiet = is_quiet(job.0) && !outcome.failed;
                let is_over = day < if is_quiet { quiet } else { loud };
                let parts = shadow.0[shape].chunks_exact(32).filter_map(Digest::from_slice);
                for digest in parts.filter(|digest| *digest != Digest::ZERO).chain([*shape]) {
                    assert!(is_over || contents.0.contains_key(&digest), "of entry {number}");
                    named.extend((!is_over).then_some(digest));
                }
            }
        }
        // A return to a run that is gone is a stray, and names things, too.
        let strays = rows(kept, "SELECT count(*) FROM used WHERE loud + quiet > 0 AND entry = 0");
        let unnamed: Vec<&Digest> =
            contents.0.keys().filter(|digest| !named.contains(digest)).collect();
        let excused = self.excused(loud, quiet);
        let orphans = unnamed.iter().filter(|digest| !excused.contains(**digest)).count();
        assert_eq!(orphans, 0, "of {strays:?}");
    }

    /// What returns named lately, by the whole journal: their runs may be gone or have changed.
    fn excused(&self, loud: i64, quiet: i64) -> BTreeSet<Digest> {
        let whole = Connection::open(&self.whole.path).unwrap();
        let mut held = held(&whole);
        let mut excused = BTreeSet::new();
        for (_, bytes) in entries(&whole) {
            let (_, change) = decode(&bytes, &mut held).unwrap();
            if let What::Returned { shape, .. } = &change.what
                && change.at.as_second() / DAY >= loud.min(quiet)
            {
                excused.insert(*shape);
                excused.extend(held.0[shape].chunks_exact(32).filter_map(Digest::from_slice));
            }
        }
        excused
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_whole_and_what_is_not_is_gone(deeds in deeds(), keeping in keeping()) {
        let mut history = History::new(keeping.clone());
        for deed in &deeds {
            history.happen(deed);
        }
        history.happen(&Deed::Pass(1));
        history.check(&keeping);
        // In the end nothing is left but what says so.
        let long = SignedDuration::from_hours(24 * 50).as_hours();
        history.happen(&Deed::Pass(long));
        history.happen(&Deed::Pass(long));
        history.check(&keeping);
        if keeping.runs.is_some() {
            let kept = Connection::open(&history.kept.path).unwrap();
            let left: Vec<_> = ["run", "job", "return", "failure", "delivery", "volatile"]
                .map(|table| rows(&kept, &format!("SELECT count(*) FROM {table}")))
                .into();
            prop_assert!(left.iter().all(|count| count[0][0] == Cell::Integer(0)), "{left:?}");
        }
    }
}

/// The script in the documentation, on a journal from which something was taken.
#[test]
fn the_script_in_the_documentation_checks_what_is_left() {
    let keeping = Keeping { runs: Some(Duration::from_secs(5 * DAY as u64)), ..Keeping::default() };
    let mut history = History::new(keeping.clone());
    for job in 0..8 {
        history.happen(&Deed::Job { quiet: job % 2 == 0, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: job });
        history.happen(&Deed::Pass(30));
    }
    history.check(&keeping);
    let kept = history.kept.writer().connection();
    let base = cut::base(kept).unwrap();
    assert!(base.last > 10, "{base:?}");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    JournalReader::open(&history.kept.path).unwrap().back_up(&copy, false, &mut |_| {}).unwrap();
    let text = include_str!("../../../../../../docs/journal.md");
    let script = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let check = || {
        let done = std::process::Command::new("python3").arg("-c").arg(script).arg(&copy).output();
        let done = done.unwrap();
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned()
                + &String::from_utf8_lossy(&done.stderr),
        )
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" 0 named but gone, 0 bad"), "{said}");
    // It does find what was changed.
    let connection = Connection::open(&copy).unwrap();
    let sql = "UPDATE entry SET at = at + 1 WHERE number = (SELECT max(number) FROM entry)";
    connection.execute(sql, []).unwrap();
    drop(connection);
    let (code, said) = check();
    assert_eq!(code, Some(1), "{said}");
}

/// A machine boots with a clock that is wrong by years, and is put right a minute later.
#[test]
fn a_clock_that_is_wrong_for_a_minute_takes_nothing() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let keeping = Keeping { runs: days(9), results: days(6), quiet: days(3) };
    for wrong in [10 * 365 * DAY, -10 * 365 * DAY] {
        let mut history = History::new(keeping.clone());
        for content in 0..4 {
            history.happen(&Deed::Job { quiet: false, minions: 1 });
            history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
            history.happen(&Deed::Pass(24));
        }
        for offset in [wrong, -wrong] {
            history.happen(&Deed::Restart);
            NOW.set(NOW.get() + offset);
            history.happen(&Deed::Job { quiet: true, minions: 1 });
            history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: 1 });
            history.sweep();
        }
        let kept = Connection::open(&history.kept.path).unwrap();
        let count = |sql: &str| rows(&kept, sql)[0][0].clone();
        assert_eq!(count("SELECT count(*) FROM run"), Cell::Integer(6), "{wrong}");
        assert_eq!(count("SELECT count(*) FROM payload WHERE kind = 5"), Cell::Integer(4));
        assert_eq!(
            count("SELECT count(*) FROM day WHERE day > unixepoch() / 86400 + 400"),
            Cell::Integer(0)
        );
        // Once it is right again, all goes as ever.
        history.happen(&Deed::Pass(24 * 10));
        history.happen(&Deed::Pass(24));
        assert_eq!(count("SELECT count(*) FROM return"), Cell::Integer(0), "{wrong}");
    }
}

/// What is owed to a sink stays, and so does all that came after it.
#[test]
fn what_is_owed_to_a_sink_is_not_taken() {
    let keeping = Keeping { runs: Some(Duration::from_secs(5 * DAY as u64)), ..Keeping::default() };
    let mut history = History::new(keeping.clone());
    history.retention.keep(keeping, vec!["ops".to_owned()]);
    let runs = |history: &History| {
        let kept = Connection::open(&history.kept.path).unwrap();
        rows(&kept, "SELECT count(*) FROM run")[0][0].clone()
    };
    let settle = |history: &History, settled: i64| {
        let kept = Connection::open(&history.kept.path).unwrap();
        let sql = "INSERT OR REPLACE INTO sink (name, since, settled) VALUES ('ops', 0, ?1)";
        kept.execute(sql, [settled]).unwrap();
    };
    for _ in 0..4 {
        history.happen(&Deed::Job { quiet: false, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: 1 });
    }
    history.happen(&Deed::Pass(24 * 30));
    assert_eq!(runs(&history), Cell::Integer(4), "it was never served");
    let kept_for = |history: &History| {
        JournalReader::open(&history.kept.path).unwrap().extent().unwrap().kept_for
    };
    assert_eq!(kept_for(&history).as_deref(), Some("ops"));
    let second = rows(&Connection::open(&history.kept.path).unwrap(), "SELECT version FROM run");
    let Cell::Integer(version) = second[1][0] else { panic!() };
    settle(&history, version);
    history.happen(&Deed::Pass(24));
    assert_eq!(runs(&history), Cell::Integer(2));
    assert_eq!(kept_for(&history).as_deref(), Some("ops"));
    settle(&history, i64::MAX);
    assert_eq!(kept_for(&history), None, "nothing is owed any more");
    history.happen(&Deed::Pass(24));
    assert_eq!(runs(&history), Cell::Integer(0));
}

/// A quiet run that fails is told; what came back in it before is kept as long as what failed.
#[test]
fn what_came_back_in_a_run_that_turns_out_to_be_told_is_kept_with_it() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let rules = || Keeping { runs: None, results: days(20), quiet: days(4) };
    for (fails, left) in [(false, 0), (true, 2)] {
        let mut history = History::new(rules());
        history.happen(&Deed::Job { quiet: true, minions: 2 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: 1 });
        history.happen(&Deed::Return { job: 0, minion: 1, failed: fails, content: 2 });
        history.happen(&Deed::Pass(24 * 10));
        let kept = Connection::open(&history.kept.path).unwrap();
        let bodies = rows(&kept, "SELECT count(*) FROM payload WHERE kind = 5");
        assert_eq!(bodies[0][0], Cell::Integer(left), "fails: {fails}");
        history.happen(&Deed::Pass(24 * 20));
        let bodies = rows(&kept, "SELECT count(*) FROM payload WHERE kind = 5");
        assert_eq!(bodies[0][0], Cell::Integer(0), "fails: {fails}");
    }
}

/// What is freed is given back in portions of many pages, and the file does get shorter.
#[test]
fn the_file_gets_shorter_by_what_is_freed() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::open(folder.path().join("journal.db"));
    let path = file.path.clone();
    let connection = file.writer().connection();
    connection.execute_batch("CREATE TABLE much (bytes BLOB)").unwrap();
    connection.execute("INSERT INTO much VALUES (zeroblob(16 << 20))", []).unwrap();
    connection.execute_batch("DROP TABLE much; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let free = || connection.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    let length = || std::fs::metadata(&path).unwrap().len();
    let (free_before, before): (i64, u64) = (free(), length());
    assert!(free_before > 4000, "{free_before}");
    let mut portions = 0;
    while give_back(connection).unwrap() {
        portions += 1;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert!(portions <= free_before / PAGES, "{portions} portions for {free_before} pages");
    assert!(free() <= SPARE, "{} are free", free());
    assert!(before - length() >= 13 << 20, "{before} became {}", length());
}

impl History {
    /// One step of a round.
    fn step(&mut self) {
        let today = NOW.get() / DAY;
        self.kept.writer().set_age(today);
        let keeping = self.retention.keeping.clone();
        let (phase, taken) = (&mut self.retention.phase, &mut self.retention.taken);
        let worked = self.kept.inserter.as_mut().unwrap().transaction(|insert| {
            let mut round =
                Round { insert, keeping: &keeping, today, settled: i64::MAX, last: None, taken };
            if let Step::Next(next) = round.step(phase)? {
                *phase = next;
            }
            Ok(())
        });
        worked.unwrap();
    }
}

/// Long contents are freed page by page: a step takes out a few of them only.
#[test]
fn long_contents_go_a_few_at_once() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let mut history = History::new(Keeping { runs: None, results: days(9), quiet: days(9) });
    let connection = history.kept.writer().connection();
    for id in 1..=9 {
        let sql = "INSERT INTO payload VALUES (?1, randomblob(32), 5, zeroblob(1 << 20))";
        connection.execute(sql, [id]).unwrap();
        connection.execute("INSERT INTO used VALUES (?1, 0, 1, 0, 1 << 20)", [id]).unwrap();
    }
    while !matches!(history.retention.phase, Phase::Contents { .. }) {
        history.step();
    }
    for left in [7, 5, 3, 1, 0] {
        history.step();
        let count = rows(history.kept.writer().connection(), "SELECT count(*) FROM payload");
        assert_eq!(count[0][0], Cell::Integer(left));
    }
}

/// A late return comes to a run that was looked at already, before the chain is cut.
#[test]
fn a_run_that_changes_while_it_is_looked_for_old_ones_stays() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let keeping = Keeping { runs: days(5), results: days(5), quiet: days(5) };
    let mut history = History::new(keeping);
    let whole = Keeping { runs: days(500), results: days(500), quiet: days(500) };
    let rules = std::mem::replace(&mut history.retention.keeping, whole);
    for content in 0..3 {
        history.happen(&Deed::Job { quiet: false, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
    }
    history.happen(&Deed::Pass(24 * 10));
    history.retention.keeping = rules;
    let looked = |history: &History| match &history.retention.phase {
        Phase::Scanning(scan) => !scan.is_at_its_beginning(),
        _ => false,
    };
    while !looked(&history) {
        history.step();
    }
    history.happen(&Deed::Return { job: 2, minion: 3, failed: true, content: 4 });
    history.sweep();
    let count = |history: &mut History| {
        rows(history.kept.writer().connection(), "SELECT count(*) FROM run")[0][0].clone()
    };
    assert_eq!(count(&mut history), Cell::Integer(3));
    history.happen(&Deed::Pass(24 * 10));
    assert_eq!(count(&mut history), Cell::Integer(0));
}
