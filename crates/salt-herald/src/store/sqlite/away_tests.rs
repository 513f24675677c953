//! What happens while the file can't be written: all goes on in memory, and comes back in order.

use std::path::Path;
use std::time::{Duration, Instant};

use herald_core::change::{Change, GapReason, Named, What};
use herald_core::minions::MinionSet;
use herald_core::payload::{Payload, PayloadKind};
use herald_core::run::{Job, JobId, Outcome, Run, RunHead, RunId, RunKind, RunStatus, Tally};
use jiff::Timestamp;
use rusqlite::Connection;

use super::tests::{delivery, opened, place, record, writer};
use super::{Journal, JournalReader, JournalWriter, memory, overlay};
use crate::store::{Batch, Delivery, Disk, Part};

/// Lets nothing more be recorded in the file, as a full disk does.
pub(super) fn fill(path: &Path) {
    let sql = "CREATE TRIGGER no_room BEFORE INSERT ON entry \
               BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    execute(path, sql);
}

pub(super) fn free(path: &Path) {
    execute(path, "DROP TRIGGER no_room");
}

pub(super) fn execute(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.execute_batch(sql).unwrap();
}

pub(super) fn until(writer: &JournalWriter, what: &str, wanted: impl Fn(&Disk) -> bool) -> Disk {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let disk = writer.disk().borrow().clone();
        if wanted(&disk) {
            return disk;
        }
        assert!(Instant::now() < until, "never {what}: {disk:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn is_away(disk: &Disk) -> bool {
    matches!(disk, Disk::Away(_))
}

pub(super) fn run(id: u64, status: RunStatus) -> Run {
    let over = status != RunStatus::Running;
    let minions = |some: bool| if some { MinionSet::from_iter([0]) } else { MinionSet::new() };
    let failed = minions(status == RunStatus::Failed);
    let at = Timestamp::from_second(id as i64).unwrap();
    let tally =
        Tally { expected: minions(true), returned: minions(over), failed, ..Tally::default() };
    Run {
        id: RunId(id),
        head: RunHead {
            kind: RunKind::Command,
            user: Some("alice".to_owned()),
            command: format!("salt web1 cmd.run 'echo {id}'"),
            funs: vec!["cmd.run".to_owned()],
            tgt: "web1".to_owned(),
            tgt_type: "glob".to_owned(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        },
        started_at: at,
        finished_at: over.then_some(at),
        status,
        jobs: Vec::new(),
        jids: Vec::new(),
        said: true,
        told_with: None,
        tally,
        collides_with: Default::default(),
        flags: Default::default(),
        own_failure: false,
    }
}

/// A run begins.
pub(super) fn begin(writer: &JournalWriter, id: u64) {
    let run = run(id, RunStatus::Running);
    let head = Payload::new(PayloadKind::Head, run.head.command.as_bytes());
    let what = What::RunStarted {
        run: run.id,
        head: Named { digest: head.digest, value: run.head.clone() },
        said: true,
    };
    let change = Change { at: run.started_at, what, payloads: vec![head] };
    write(writer, vec![change], run);
}

/// Its minion returns, and it failed. The contents are given only once, as the ledger does.
pub(super) fn fail(writer: &JournalWriter, id: u64, bodies: &[Payload]) {
    let run = run(id, RunStatus::Failed);
    let body = Payload::new(PayloadKind::Body, b"\xa2no");
    let shape = Payload::new(PayloadKind::Shape, b"shape");
    let failure = herald_core::change::Failure {
        definition: herald_core::digest::Digest::ZERO,
        body: body.digest,
        follows: false,
    };
    let what = What::Returned {
        job: JobId(id),
        minion: Some(0),
        outcome: Outcome { failed: true, ..Outcome::default() },
        shape: shape.digest,
        volatile: vec![1, 2, 3],
        failures: vec![failure],
        collides_with: Vec::new(),
    };
    let change = Change { at: run.started_at, what, payloads: bodies.to_vec() };
    write(writer, vec![change], run);
}

pub(super) fn contents() -> Vec<Payload> {
    vec![Payload::new(PayloadKind::Body, b"\xa2no"), Payload::new(PayloadKind::Shape, b"shape")]
}

pub(super) fn write(writer: &JournalWriter, changes: Vec<Change>, run: Run) {
    let job = Job {
        id: JobId(run.id.0),
        run: run.id,
        jid: run.id.0.to_string(),
        funs: run.head.funs.clone(),
        started_at: run.started_at,
        tally: run.tally.clone(),
        ended: run.finished_at.is_some(),
        returns_itself: false,
        standing: None,
    };
    let batch = Batch { changes, runs: vec![run], jobs: vec![job], ..Batch::default() };
    writer.record(batch).unwrap();
}

pub(super) fn minion(writer: &JournalWriter) {
    let what = What::MinionSeen { minion: 0, name: "web1".to_owned() };
    record(writer, vec![Change { at: Timestamp::UNIX_EPOCH, what, payloads: Vec::new() }]);
}

/// What a file holds, row by row.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for table in
        ["entry", "payload", "volatile", "minion", "run", "job", "return", "failure", "gap"]
    {
        let mut select =
            connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = select.column_count();
        let mut found = select.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap())).collect();
            // Which journal it is, is another each time.
            let values = values.join(" ");
            rows.push(format!(
                "{table} {}",
                if table == "entry" { &values[..20] } else { &values }
            ));
        }
    }
    rows
}

/// The same story, with the disk away in the middle of it or not.
fn story(path: &Path, away: bool) {
    let writer = writer(path);
    minion(&writer);
    begin(&writer, 1);
    begin(&writer, 2);
    fail(&writer, 1, &contents());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(writer.settle()).unwrap();
    if away {
        fill(path);
    }
    begin(&writer, 3);
    fail(&writer, 2, &[]);
    fail(&writer, 3, &[]);
    runtime.block_on(writer.settle()).unwrap();
    if away {
        assert!(is_away(&writer.disk().borrow()));
        free(path);
        until(&writer, "back", |disk| !is_away(disk));
    }
    begin(&writer, 4);
    writer.close();
}

#[test]
fn what_waited_in_memory_comes_into_the_file_as_if_it_had_never_been_away() {
    let ((_folder, calm), (_other, stormy)) = (place(), place());
    story(&calm, false);
    story(&stormy, true);
    for (stormy, calm) in dump(&stormy).iter().zip(dump(&calm)) {
        assert_eq!(*stormy, calm);
    }
    super::examine::examine(&stormy, true).unwrap();
}

#[tokio::test]
async fn readers_see_file_and_memory_as_one() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    (1..=3).for_each(|id| begin(&writer, id));
    fail(&writer, 1, &contents());
    writer.introduce("monitoring").await.unwrap();
    let said = |run: u64| Delivery { run: RunId(run), version: run, ..delivery(Part::Message) };
    writer.deliver(vec![said(1), said(2), said(3)]).await.unwrap();
    let mut reader = writer.reader().unwrap();
    let recorded = reader.last_entry().unwrap();
    fill(&path);
    // Of one that the file has, of one that it has not, and of one whose contents only it has.
    begin(&writer, 4);
    fail(&writer, 2, &[]);
    writer.deliver(vec![said(4), Delivery { version: 99, ..said(3) }]).await.unwrap();
    reader.follow().unwrap();
    let Disk::Away(away) = writer.disk().borrow().clone() else { panic!("it is not away") };
    assert_eq!((away.recorded, away.for_good), (recorded, false));
    assert!(away.why.contains("full") && away.left > 60 << 20, "{away:?}");
    assert_eq!(reader.last_entry().unwrap(), recorded + 2);
    let after = reader.said_after(recorded).unwrap();
    assert_eq!(after, [(RunId(4), recorded + 1), (RunId(2), recorded + 2)]);
    assert_eq!(reader.said_after(0).unwrap().len(), 4, "each run once");
    assert_eq!(reader.run(RunId(1)).unwrap().unwrap().0.status, RunStatus::Failed);
    assert_eq!(reader.runs_with_jid("2").unwrap()[0].0.status, RunStatus::Failed);
    assert_eq!(reader.restored().unwrap().open.len(), 2);
    let versions: Vec<u64> = (1..=4)
        .map(|run| reader.deliveries(RunId(run), "monitoring").unwrap()[0].version)
        .collect();
    assert_eq!(versions, [1, 2, 99, 4]);
    let failures = reader.failures(&[RunId(1), RunId(2)]).unwrap();
    assert_eq!((failures.len(), failures[0].text.as_str()), (1, "no"), "{failures:?}");
    // Others see what the file holds, and that it is not all.
    let mut other = JournalReader::open(&path).unwrap();
    assert_eq!(other.last_entry().unwrap(), recorded);
    assert_eq!(other.minions().unwrap().len(), 1);
    let elsewhere = JournalReader::elsewhere(&path).unwrap();
    assert!(elsewhere.contains("database or disk is full"), "{elsewhere}");
    writer.withdraw("monitoring", vec![RunId(3)]).await.unwrap();
    assert_eq!(reader.deliveries(RunId(3), "monitoring").unwrap(), []);
    free(&path);
    until(&writer, "back", |disk| *disk == Disk::Well { lost: None });
    reader.follow().unwrap();
    assert_eq!(reader.said_after(recorded).unwrap(), after);
    assert_eq!(reader.deliveries(RunId(3), "monitoring").unwrap(), []);
    assert_eq!(reader.deliveries(RunId(4), "monitoring").unwrap().len(), 1);
    assert_eq!(JournalReader::elsewhere(&path), None);
    writer.close();
}

#[test]
fn what_finds_no_room_in_memory_is_one_gap_and_waits_for_nobody_at_the_end() {
    let (_folder, path) = place();
    drop(Journal::open(&path).unwrap());
    fill(&path);
    let writer = Journal::open_or_read(&path, 300 << 10).unwrap().into_writer().unwrap();
    let filling = writer.clone();
    let filler = std::thread::spawn(move || {
        (1..).find(|id| {
            let batch = Batch { changes: vec![opened(*id); 100], ..Batch::default() };
            filling.record(batch).is_err()
        })
    });
    until(&writer, "full", |disk| matches!(disk, Disk::Away(away) if away.left == 0));
    let at = |second| Timestamp::from_second(second).unwrap();
    let excuse = writer.excuse();
    assert_eq!([excuse(at(7)), excuse(at(9))], [GapReason::DiskAway; 2]);
    free(&path);
    let back = until(&writer, "back", |disk| !is_away(disk));
    assert_eq!(back, Disk::Well { lost: Some((at(7), at(9))) });
    assert_eq!(excuse(at(10)), GapReason::QueueFull);
    fill(&path);
    until(&writer, "full", |disk| matches!(disk, Disk::Away(away) if away.left == 0));
    writer.abandon();
    assert!(filler.join().unwrap().is_some(), "who waits is let go");
    writer.close();
    super::examine::examine(&path, true).unwrap();
}

#[test]
fn a_damaged_file_is_not_written_to_any_more() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    begin(&writer, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(writer.settle()).unwrap();
    // As SQLite says of a page that is damaged.
    execute(
        &path,
        "CREATE TRIGGER damaged BEFORE INSERT ON entry BEGIN \
                    INSERT INTO run_damaged VALUES (1); END; \
                    CREATE VIRTUAL TABLE run_damaged USING fts5(a)",
    );
    execute(&path, "DELETE FROM run_damaged_data");
    begin(&writer, 2);
    runtime.block_on(writer.settle()).unwrap();
    let Disk::Away(away) = writer.disk().borrow().clone() else { panic!("it is not away") };
    assert!(away.for_good, "{away:?}");
    let mut reader = writer.reader().unwrap();
    assert!(reader.run(RunId(2)).unwrap().is_some() && reader.run(RunId(1)).unwrap().is_some());
    reader.leave_file();
    assert!(reader.run(RunId(2)).unwrap().is_some() && reader.run(RunId(1)).unwrap().is_none());
    let before = std::fs::read(&path).unwrap();
    execute(&path, "DROP TRIGGER damaged");
    let changed = std::fs::read(&path).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    writer.close();
    drop((reader, before, changed));
    assert_eq!(JournalReader::open(&path).unwrap().run(RunId(2)).unwrap(), None);
}

/// Whoever adds a table says what becomes of it while the file can't be written.
#[test]
fn every_table_is_taken_over_or_laid_over() {
    let (_folder, path) = place();
    drop(Journal::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut select = connection.prepare(sql).unwrap();
    let tables = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    // Of the schema itself, for finding payloads of the file, what is only added up, and what the one
    // who takes out what is old notes: nothing is taken out meanwhile.
    let left = ["migration", "payload_key", "seen", "used", "day", "taken"];
    for table in tables.map(Result::unwrap) {
        let seeded = memory::SEEDED.contains(&table.as_str());
        let both = overlay::BOTH.iter().any(|(name, _)| *name == table);
        assert!(seeded || both || left.contains(&table.as_str()), "{table}");
    }
}

#[test]
fn who_writes_in_between_is_waited_for() {
    let (_folder, path) = place();
    let (connection, _lock) = Journal::open(&path).unwrap().into_parts().unwrap();
    let other = Connection::open(&path).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    let mut file = super::write::Inserter::new(connection).unwrap();
    let mut theirs = None;
    let written = file.transaction(|insert| {
        let count = "SELECT count(*) FROM sink";
        let _: i64 = insert.connection.query_row(count, [], |row| row.get(0)).unwrap();
        theirs = Some(other.execute("INSERT INTO meta VALUES ('other', 1)", []));
        insert.introduce("second").map(|_| ())
    });
    written.unwrap();
    assert!(theirs.unwrap().is_err(), "they wrote in the middle of ours");
}
