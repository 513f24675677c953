//! A history that happens to two journals, of which one keeps everything, and what has to hold of the
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{Contents, decode};
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::redact::{Marks, Redactor};
use herald_core::run::RunId;
use herald_core::verify::Witness;
use jiff::Timestamp;
use proptest::prelude::*;
use rusqlite::types::Value as Cell;
use salt_event::Value;
use tempfile::TempDir;

use super::super::*;
use crate::store::sqlite::{chain, cut, lock::Lock};
use crate::store::{Batch, Journal, JournalReader};
use crate::store::{Manner, verify};

pub(super) const DAY: i64 = 86_400;
/// When a history begins: the first second of a day.
pub(super) const START: i64 = 20_780 * DAY;

thread_local!(pub(super) static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(START) });

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW.get()).unwrap()
}

/// What happens.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// A job begins; quiet or not, on so many minions.
    Job { quiet: bool, minions: usize },
    /// A minion returns to one of the last jobs, with one of a few contents.
    Return { job: usize, minion: usize, failed: bool, content: u8 },
    /// Hours pass.
    Pass(i64),
    /// The daemon is begun anew.
    Restart,
}

pub(super) fn deeds() -> impl Strategy<Value = Vec<Deed>> {
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

pub(super) fn keeping() -> impl Strategy<Value = Keeping> {
    let days = |days: u64| Duration::from_secs(days * DAY as u64);
    (3u64..12, 0u64..8, 0u64..20, prop::bool::weighted(0.2)).prop_map(
        move |(quiet, results, runs, forever)| Keeping {
            size: None,
            quiet: Some(days(quiet)),
            results: Some(days(quiet + results)),
            runs: (!forever).then(|| days(quiet + results + runs)),
        },
    )
}

/// One file and the one who writes it.
pub(super) struct File {
    pub(super) path: PathBuf,
    inserter: Option<Inserter>,
    lock: Option<Lock>,
}

impl File {
    pub(super) fn open(path: PathBuf) -> Self {
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

    pub(super) fn writer(&mut self) -> &mut Inserter {
        self.inserter.as_mut().unwrap()
    }

    pub(super) fn reopen(&mut self) {
        (self.inserter, self.lock) = (None, None);
        *self = Self::open(self.path.clone());
    }
}

pub(super) struct History {
    _folder: TempDir,
    ledger: Ledger,
    /// From which things are taken.
    pub(super) kept: File,
    /// From which nothing is ever taken.
    pub(super) whole: File,
    jobs: Vec<(String, bool)>,
    /// On which day each entry of the whole one was recorded, and whether it is a quiet return.
    days: BTreeMap<i64, i64>,
    pub(super) retention: Retention,
    /// How long contents are.
    pub(super) bulk: usize,
}

impl History {
    pub(super) fn new(keeping: Keeping) -> Self {
        NOW.set(START);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let file = File::open(folder.path().join(name));
            // As if it had been made then.
            let sql = format!("UPDATE day SET day = {}", START / DAY);
            file.inserter.as_ref().unwrap().connection().execute(&sql, []).unwrap();
            file
        };
        let mut retention = Retention::new(Arc::default(), JournalNumbers::default());
        retention.keep(keeping, Vec::new());
        Self {
            ledger: ledger(Restored::default()),
            kept: file("kept.db"),
            whole: file("whole.db"),
            jobs: Vec::new(),
            days: BTreeMap::new(),
            retention,
            bulk: 0,
            _folder: folder,
        }
    }

    pub(super) fn happen(&mut self, deed: &Deed) {
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
                        ("return", text(&self.content(*content))),
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

    pub(super) fn event(&mut self, tag: &str, data: Vec<(&str, Value<'static>)>) {
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

    pub(super) fn record(&mut self, changes: Vec<Change>) {
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

    /// One of a few contents, as long as it is to be.
    fn content(&self, content: u8) -> String {
        format!("content {content} {}", "x".repeat(self.bulk))
    }

    pub(super) fn sweep(&mut self) {
        self.retention.watch.look_again();
        while self.retention.is_due(self.kept.inserter.as_ref().unwrap()) {
            self.retention.work(self.kept.writer());
            assert!(self.retention.not_before.is_none(), "a portion failed");
        }
        self.ledger.forget_up_to(RunId(self.retention.gone.load(Ordering::Relaxed)));
    }
}

pub(super) fn ledger(restored: Restored) -> Ledger {
    Ledger::restore(Settings::default(), Redactor::new(Marks::new(&[7; 32])), now(), restored)
}

pub(super) fn map(pairs: Vec<(&str, Value<'static>)>) -> Value<'static> {
    let pairs = pairs.into_iter().map(|(key, value)| (text(key), value));
    Value::Map(pairs.collect())
}

pub(super) fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

pub(super) fn minion(number: usize) -> Value<'static> {
    text(&format!("web{number}"))
}

pub(super) fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Cell>> {
    let mut select = connection.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// What is asked, with contents by their names: their numbers mean something in one file only.
pub(super) const ASKED: &[&str] = &[
    "SELECT * FROM run ORDER BY id",
    "SELECT * FROM job ORDER BY id",
    "SELECT job, minion, at, entry, return.failed, changed, retcode, duration, digest FROM return \
     LEFT JOIN payload ON id = shape ORDER BY job, minion",
    "SELECT job, minion, follows, d.digest, b.digest FROM failure LEFT JOIN payload AS d \
     ON d.id = definition LEFT JOIN payload AS b ON b.id = body ORDER BY failure.rowid",
    "SELECT * FROM minion ORDER BY number",
    "SELECT * FROM cut ORDER BY entry",
];

pub(super) struct Held(BTreeMap<Digest, Vec<u8>>);

impl Contents for Held {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        self.0.get(&digest).cloned()
    }
}

pub(super) fn held(connection: &Connection) -> Held {
    let mut select = connection.prepare("SELECT digest, bytes FROM payload").unwrap();
    let rows = select.query_map([], |row| Ok((Digest(row.get(0)?), row.get(1)?))).unwrap();
    Held(rows.map(Result::unwrap).collect())
}

pub(super) fn entries(connection: &Connection) -> Vec<(i64, Vec<u8>)> {
    let mut select = connection.prepare("SELECT number, bytes FROM entry ORDER BY number").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Made again from its entries, it answers as before.
pub(super) fn check_rebuild(path: &Path, connection: &Connection) {
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
    pub(super) fn check(&mut self, keeping: &Keeping) {
        let today = NOW.get() / DAY;
        // Where the file may be no larger than so, at least the last days and what is open are there.
        let days = || Some(Duration::from_secs(3 * DAY as u64));
        let short = || Keeping { runs: days(), results: days(), quiet: days(), size: None };
        let (is_limited, keeping) = (keeping.size.is_some(), keeping);
        let keeping = &(if is_limited { short() } else { keeping.clone() });
        let first =
            |span: Option<Duration>| span.map_or(0, |span| today - span.as_secs() as i64 / DAY);
        let kept = Connection::open(&self.kept.path).unwrap();
        let whole = Connection::open(&self.whole.path).unwrap();
        chain::verify(&kept).unwrap();
        let report =
            verify(&self.kept.path, Manner { threads: 1, chain_only: false }, &Witness::default())
                .unwrap();
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
        self.check_contents(&kept, first(keeping.results), first(keeping.quiet), is_limited);
    }

    pub(super) fn check_contents(
        &self,
        kept: &Connection,
        loud: i64,
        quiet: i64,
        is_limited: bool,
    ) {
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
        if is_limited {
            return;
        }
        let orphans = unnamed.iter().filter(|digest| !excused.contains(**digest)).count();
        assert_eq!(orphans, 0, "of {strays:?}");
    }

    /// What returns named lately, by the whole journal: their runs may be gone or have changed.
    pub(super) fn excused(&self, loud: i64, quiet: i64) -> BTreeSet<Digest> {
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

impl History {
    /// One step of a round.
    pub(super) fn step(&mut self) {
        let today = NOW.get() / DAY;
        self.kept.writer().set_age(today);
        let keeping = self.retention.keeping.clone();
        let (phase, taken) = (&mut self.retention.phase, &mut self.retention.taken);
        let owed = Owed::to(&[], self.kept.inserter.as_ref().unwrap().connection()).unwrap();
        let worked = self.kept.inserter.as_mut().unwrap().transaction(|insert| {
            let mut round =
                Round { insert, keeping: &keeping, today, owed: &owed, taken, pressure: &mut None };
            if let Step::Next(next) = round.step(phase)? {
                *phase = next;
            }
            Ok(())
        });
        worked.unwrap();
    }
}
