//! What happens when more than the disk is the matter while the file can't be written: readers that
//! stick, deeds that are refused, one outage after another.

use std::time::Duration;

use herald_core::run::RunId;

use super::away_tests::{begin, fill, free, is_away, minion, until};
use super::tests::{delivery, place, writer};
use crate::store::{Delivery, Part};

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
