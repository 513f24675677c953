//! What happens when more than the disk is the matter while the file can't be written: readers that
//! stick, deeds that are refused, one outage after another.

use std::path::Path;
use std::time::Duration;

use herald_core::run::{RunId, RunStatus};
use rusqlite::Connection;

use super::away_tests::{
    begin, contents, execute, fail, fill, free, is_away, minion, run, until, write,
};
use super::open::beside;
use super::tests::{delivery, opened, place, record, writer};
use super::{Journal, JournalReader};
use crate::store::{Delivery, Disk, Part};

/// A sick disk lets a reader hold the memory for as long as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_reads_slowly_what_is_to_be_kept_in_memory_waits_and_is_not_lost() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    fill(&path);
    begin(&writer, 1);
    writer.settle().await.unwrap();
    assert!(is_away(&writer.disk().borrow()));

    let reader = writer.reader().unwrap();
    let (reads, reading) = std::sync::mpsc::channel();
    let slow = std::thread::spawn(move || {
        let mut select = reader.connection.prepare("SELECT number FROM main.entry").unwrap();
        let mut rows = select.query([]).unwrap();
        rows.next().unwrap().unwrap();
        reads.send(()).unwrap();
        // As slow as that: long enough to be given up twice.
        std::thread::sleep(Duration::from_secs(3));
    });
    reading.recv().unwrap();
    begin(&writer, 2);
    let said = Delivery { run: RunId(2), version: 3, ..delivery(Part::Message) };
    writer.deliver(vec![said.clone()]).await.unwrap();
    begin(&writer, 3);
    writer.settle().await.unwrap();
    slow.join().unwrap();

    let mut reader = writer.reader().unwrap();
    for round in ["in memory", "in the file"] {
        assert_eq!(
            reader.deliveries(RunId(2), "monitoring").unwrap(),
            std::slice::from_ref(&said),
            "{round}"
        );
        assert!(reader.run(RunId(3)).unwrap().is_some(), "{round}");
        if is_away(&writer.disk().borrow()) {
            free(&path);
            until(&writer, "back", |disk| !is_away(disk));
            reader.follow().unwrap();
        }
    }
    writer.close();
}

#[tokio::test]
async fn what_the_file_refuses_is_a_gap_and_keeps_nothing_else_away() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    writer.settle().await.unwrap();
    fill(&path);
    (1..=3).for_each(|id| begin(&writer, id));
    let said = Delivery { run: RunId(3), version: 4, ..delivery(Part::Message) };
    writer.deliver(vec![said.clone()]).await.unwrap();
    assert!(is_away(&writer.disk().borrow()));
    execute(
        &path,
        "CREATE TRIGGER refused BEFORE INSERT ON run WHEN new.id = 2 \
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    free(&path);
    until(&writer, "back", |disk| !is_away(disk));
    let mut reader = writer.reader().unwrap();
    reader.follow().unwrap();
    let there = [1, 2, 3].map(|id| reader.run(RunId(id)).unwrap().map(|(_, version)| version));
    assert_eq!(there, [Some(2), None, Some(4)], "those after it have the numbers that were told");
    assert_eq!(reader.deliveries(RunId(3), "monitoring").unwrap(), [said]);
    assert_eq!(reader.last_entry().unwrap(), 4);
    let count = "SELECT count(*) FROM gap";
    let gaps: i64 = reader.connection.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(gaps, 1);
    begin(&writer, 4);
    writer.settle().await.unwrap();
    assert!(!is_away(&writer.disk().borrow()));
    writer.close();
    super::examine::examine(&path, true).unwrap();
}

/// Each entry of it has to be there, since those after it were numbered already.
#[tokio::test]
async fn a_batch_of_many_entries_that_is_refused_is_one_gap() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    writer.settle().await.unwrap();
    fill(&path);
    write(&writer, (7..12).map(opened).collect(), run(2, RunStatus::Running));
    record(&writer, vec![opened(12)]);
    writer.settle().await.unwrap();
    execute(
        &path,
        "CREATE TRIGGER refused BEFORE INSERT ON run WHEN new.id = 2 \
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    free(&path);
    until(&writer, "back", |disk| !is_away(disk));
    let gaps = || JournalReader::open(&path).unwrap().gaps(9).unwrap();
    let found = gaps();
    assert_eq!((found.len(), found[0].from.as_second(), found[0].to.as_second()), (1, 7, 11));
    assert_eq!(JournalReader::open(&path).unwrap().last_entry().unwrap(), 7);
    writer.close();
    Journal::rebuild(&path).unwrap();
    assert_eq!(gaps(), found);
}

#[tokio::test]
async fn that_the_file_is_given_up_is_told_when_it_is_found_later() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    fill(&path);
    begin(&writer, 1);
    writer.settle().await.unwrap();
    let Disk::Away(away) = writer.disk().borrow().clone() else { panic!("it is not away") };
    assert!(!away.for_good, "{away:?}");
    // As if somebody had put another one in its place.
    execute(&path, "UPDATE meta SET value = zeroblob(16) WHERE key = 'origin'");
    let given_up = until(&writer, "given up", |disk| matches!(disk, Disk::Away(it) if it.for_good));
    let Disk::Away(away) = given_up else { panic!("it is not away") };
    assert!(away.why.contains("another journal lies in its place"), "{away:?}");
    let elsewhere = JournalReader::elsewhere(&path).unwrap();
    assert!(elsewhere.contains("another journal lies in its place"), "{elsewhere}");
    writer.close();
}

/// What was said in an outage that the process did not outlive bears its name: no other may have it.
#[tokio::test]
async fn each_outage_gives_the_runs_after_it_another_name_though_none_began_in_between() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    begin(&writer, 1);
    writer.settle().await.unwrap();
    let mut reader = writer.reader().unwrap();
    let mut names = std::collections::BTreeSet::new();
    for second in 0..8 {
        fill(&path);
        record(&writer, vec![opened(second)]);
        writer.settle().await.unwrap();
        reader.follow().unwrap();
        let lineage = reader.lineage().unwrap();
        assert!(names.insert(lineage.label_of(&[RunId(2)]).to_owned()), "outage {second}");
        assert_eq!(lineage.label_of(&[RunId(1)]), reader.origin().unwrap().to_string());
        free(&path);
        until(&writer, "back", |disk| !is_away(disk));
    }
    reader.follow().unwrap();
    let noted = "SELECT count(*) FROM meta WHERE key LIKE 'line.%'";
    let noted: i64 = reader.connection.query_row(noted, [], |row| row.get(0)).unwrap();
    assert_eq!(noted, 1, "those that name nothing are not kept");
    writer.close();
}

/// Where the file can't be read either, what is known of it still counts.
#[test]
fn an_outage_without_the_file_names_the_runs_after_the_last_one() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    begin(&writer, 1);
    writer.close();
    let file = super::write::Inserter::new(Connection::open(&path).unwrap()).unwrap();
    assert_eq!(file.last_run(), RunId(1));
    let nowhere = path.with_file_name("nowhere.db");
    let (end, last) = (file.end(), file.last_run());
    let memory = super::memory::Memory::begin(&nowhere, file.origin(), (end, last)).unwrap();
    let place = super::overlay::Place::new(&nowhere);
    place.move_to(Some(memory.place.clone()));
    let lineage = JournalReader::following(place).unwrap().lineage().unwrap();
    let origin = uuid::Uuid::from_bytes(file.origin()).to_string();
    assert_eq!(lineage.label_of(&[RunId(1)]), origin);
    assert_ne!(lineage.label_of(&[RunId(2)]), origin);
}

#[test]
fn a_backup_that_was_put_back_and_killed_in_its_first_start_is_taken_up() {
    let bus = concat!(env!("CARGO_MANIFEST_DIR"), "/../salt-event/tests/buses/3008.bus");
    let (_folder, path) = place();
    crate::daemon::replay(Path::new(bus), &path).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
    let whole = std::fs::read(&path).unwrap();
    // So small a memory for pages that they are written before the end.
    connection
        .execute_batch("PRAGMA cache_size = 2; BEGIN; UPDATE payload SET bytes = randomblob(9000)")
        .unwrap();
    let (_other, killed) = place();
    for ending in ["", "-journal"] {
        std::fs::copy(beside(&path, ending), beside(&killed, ending)).unwrap();
    }
    assert_ne!(std::fs::read(&killed).unwrap(), whole, "nothing was begun");
    assert!(JournalReader::open(&killed).is_err(), "half of it is shown");
    drop(Journal::open(&killed).unwrap());
    super::examine::examine(&killed, true).unwrap();
    let noted = JournalReader::open(&killed).unwrap().lineage().unwrap();
    let origin = noted.label_of(&[RunId(1)]).to_owned();
    assert_ne!(noted.label_of(&[RunId(1_000_000)]), origin, "it is known to be put back");
}

#[test]
fn where_a_journal_was_taken_away_a_new_one_that_could_not_be_made_does_not_stand_in_the_way() {
    let (_folder, path) = place();
    drop(Journal::open(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    // As on a full disk: the file can be made, and nothing can be written.
    let in_the_way = beside(&path, "-wal");
    std::fs::create_dir(&in_the_way).unwrap();
    Journal::open(&path).unwrap_err();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    std::fs::remove_dir(&in_the_way).unwrap();
    drop(Journal::open(&path).unwrap());
}

/// Else it would be said a second time.
#[tokio::test]
async fn of_a_run_whose_deliveries_cannot_be_read_nobody_thinks_that_it_was_never_said() {
    let (_folder, path) = place();
    let writer = writer(&path);
    minion(&writer);
    begin(&writer, 1);
    let said = Delivery { run: RunId(1), version: 2, ..delivery(Part::Message) };
    writer.deliver(vec![said.clone()]).await.unwrap();
    fill(&path);
    // As a page that can't be read.
    execute(&path, "ALTER TABLE delivery RENAME TO unreadable");
    fail(&writer, 1, &contents());
    begin(&writer, 2);
    writer.settle().await.unwrap();
    assert!(is_away(&writer.disk().borrow()));
    let mut reader = writer.reader().unwrap();
    reader.deliveries(RunId(1), "monitoring").unwrap_err();
    reader.leave_file();
    assert_eq!(reader.deliveries(RunId(1), "monitoring").unwrap(), []);
    let unknown = [1, 2].map(|run| reader.is_said_unknown(RunId(run)).unwrap());
    assert_eq!(unknown, [true, false]);
    // It could be read again, and then written.
    execute(&path, "ALTER TABLE unreadable RENAME TO delivery");
    let mut reader = writer.reader().unwrap();
    assert_eq!(reader.deliveries(RunId(1), "monitoring").unwrap(), std::slice::from_ref(&said));
    free(&path);
    until(&writer, "back", |disk| !is_away(disk));
    reader.follow().unwrap();
    assert_eq!(reader.deliveries(RunId(1), "monitoring").unwrap(), [said]);
    assert!(!reader.is_said_unknown(RunId(1)).unwrap());
    writer.close();
}
