//! The journal's file: opening, migrating, writing and reading back.

use std::path::{Path, PathBuf};

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::chain;
use herald_core::run::RunId;
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Journal, JournalReader, JournalWriter};
use crate::store::{Batch, Delivery, DeliveryState, Part, StoreError};

pub(super) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    (folder, path)
}

pub(super) fn writer(path: &Path) -> JournalWriter {
    Journal::open(path).unwrap().into_writer().unwrap()
}

pub(super) fn opened(second: i64) -> Change {
    let version = "1".to_owned();
    Change {
        at: Timestamp::from_second(second).unwrap(),
        what: What::Opened { version },
        payloads: Vec::new(),
    }
}

pub(super) fn record(writer: &JournalWriter, changes: Vec<Change>) {
    let batch = Batch { changes, ..Batch::default() };
    writer.record(batch).unwrap();
}

pub(super) fn delivery(part: Part) -> Delivery {
    Delivery {
        run: RunId(7),
        sink: "monitoring".to_owned(),
        part,
        lead: None,
        late: false,
        mood: None,
        message: Some("C1/1.2".to_owned()),
        said: Some([7; 32]),
        version: 41,
        state: DeliveryState::Said,
        error: None,
        at: Timestamp::from_microsecond(1_795_000_000_123_456).unwrap(),
    }
}

#[test]
fn a_later_journal_is_refused_by_writers_and_readers() {
    let (_folder, path) = place();
    drop(Journal::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.execute("INSERT INTO migration VALUES (99, 'x')", []).unwrap();
    drop(connection);
    let is_newer = |error| matches!(error, StoreError::Newer { found: 99, .. });
    assert!(is_newer(Journal::open(&path).unwrap_err()));
    assert!(is_newer(JournalReader::open(&path).unwrap_err()));
}

#[test]
fn a_migration_that_was_another_is_refused() {
    let (_folder, path) = place();
    drop(Journal::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE migration SET checksum = 'x'", []).unwrap();
    drop(connection);
    let error = Journal::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Changed { number: 1 }), "{error}");
}

#[test]
fn a_journal_that_is_not_there_is_not_made_by_a_reader() {
    let (_folder, path) = place();
    let error = JournalReader::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn no_reader_meets_a_journal_that_is_half_made() {
    for _ in 0..20 {
        let (_folder, path) = place();
        let made = path.clone();
        let maker = std::thread::spawn(move || writer(&made).close());
        // Until it can be opened; from then on everything is there.
        let reader = loop {
            if let Ok(reader) = JournalReader::open(&path) {
                break reader;
            }
            std::thread::yield_now();
        };
        assert_eq!(reader.last_entry().unwrap(), 0);
        maker.join().unwrap();
    }
}

#[test]
fn what_is_no_journal_is_left_alone() {
    let (_folder, path) = place();
    std::fs::write(&path, "not a database, but as long as its header is").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Journal::open(&path), Err(StoreError::Broken { .. })));
    assert!(matches!(JournalReader::open(&path), Err(StoreError::Broken { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn only_one_writes_and_its_end_frees_the_journal() {
    let (_folder, path) = place();
    let first = writer(&path);
    let me = std::process::id().to_string();
    match Journal::open(&path).unwrap_err() {
        StoreError::Busy { holder, .. } => assert_eq!(holder, me),
        other => panic!("{other}"),
    }
    assert_eq!(JournalReader::holder(&path), Some(me));
    first.close();
    assert_eq!(JournalReader::holder(&path), None);
    drop(Journal::open(&path).unwrap());
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let (_folder, path) = place();
    for round in 0..3 {
        let writer = writer(&path);
        record(&writer, vec![opened(round), opened(round + 10)]);
        writer.close();
    }
    let connection = Connection::open(&path).unwrap();
    let mut select =
        connection.prepare("SELECT number, bytes, hash FROM entry ORDER BY number").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (mut numbers, mut before) = (Vec::new(), Digest::ZERO);
    for row in rows.unwrap() {
        let (number, bytes, hash): (i64, Vec<u8>, Vec<u8>) = row.unwrap();
        before = chain(before, &bytes);
        assert_eq!(before.0.as_slice(), hash, "entry {number}");
        numbers.push(number);
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn what_was_said_is_read_back() {
    let (_folder, path) = place();
    let writer = writer(&path);
    writer.deliver(vec![delivery(Part::Message)]).await.unwrap();
    let mut refused = delivery(Part::Thread);
    refused.state = DeliveryState::GivenUp;
    refused.error = Some("msg_too_long".to_owned());
    refused.said = None;
    writer.deliver(vec![refused.clone()]).await.unwrap();
    let reader = JournalReader::open(&path).unwrap();
    let found = reader.deliveries(RunId(7), "monitoring").unwrap();
    assert_eq!(found, [delivery(Part::Message), refused.clone()]);
    assert_eq!(reader.deliveries(RunId(7), "other").unwrap(), []);
    assert_eq!(reader.given_up(9).unwrap(), [refused]);
    assert!(reader.is_announced(RunId(7)).unwrap());
    let mut edited = delivery(Part::Message);
    edited.version = 42;
    writer.deliver(vec![edited.clone()]).await.unwrap();
    let found = reader.deliveries(RunId(7), "monitoring").unwrap();
    assert_eq!(found.first(), Some(&edited));
    writer.close();
}

#[tokio::test]
async fn a_sink_is_taken_up_once() {
    let (_folder, path) = place();
    let first = writer(&path);
    record(&first, vec![opened(1), opened(2)]);
    assert_eq!(first.introduce("monitoring").await.unwrap().since, 2);
    record(&first, vec![opened(3)]);
    assert_eq!(first.introduce("monitoring").await.unwrap().since, 2);
    assert_eq!(first.introduce("another").await.unwrap().since, 3);
    first.close();
    let again = writer(&path);
    assert_eq!(again.introduce("monitoring").await.unwrap().since, 2);
    again.close();
    let reader = JournalReader::open(&path).unwrap();
    let names: Vec<(String, u64)> =
        reader.sinks().unwrap().into_iter().map(|sink| (sink.name, sink.since)).collect();
    assert_eq!(names, [("another".to_owned(), 3), ("monitoring".to_owned(), 2)]);
}

#[tokio::test]
async fn what_waits_is_on_disk_before_it_is_told() {
    let (_folder, path) = place();
    let writer = writer(&path);
    let mut version = writer.version();
    for second in 0..200 {
        record(&writer, vec![opened(second)]);
    }
    while *version.borrow_and_update() < 200 {
        let told = *version.borrow();
        let reader = JournalReader::open(&path).unwrap();
        assert!(reader.last_entry().unwrap() >= told);
        version.changed().await.unwrap();
    }
    writer.settle().await.unwrap();
    assert_eq!(JournalReader::open(&path).unwrap().last_entry().unwrap(), 200);
    writer.close();
}

#[test]
fn a_payload_is_kept_once() {
    use herald_core::payload::{Payload, PayloadKind};
    let (_folder, path) = place();
    for round in 0..2 {
        // A new writer remembers none.
        let writer = writer(&path);
        let mut change = opened(round);
        change.payloads = vec![Payload::new(PayloadKind::Load, b"the same"); 3];
        record(&writer, vec![change.clone(), change]);
        writer.close();
    }
    let connection = Connection::open(&path).unwrap();
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("payload"), count("entry")), (1, 4));
}

#[test]
fn a_pipe_or_a_device_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    for path in [Path::new("/dev/null"), folder.path()] {
        let error = Journal::open(path).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("no regular file"), "{}: {cause}", path.display());
    }
}
