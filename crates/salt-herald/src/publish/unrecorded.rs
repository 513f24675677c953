//! While the journal's file can't be written: what is said carries a word that it is not recorded yet,
//! and people are told.
//!
//! The word is no part of what a message is compared by, so that nothing is rewritten when the file is
//! written again, but the latest messages: a long outage must not end in a storm of edits. The others
//! lose the word when they are next rewritten.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use herald_core::announce::Announcement;
use herald_core::compose::not_yet_recorded;
use jiff::Timestamp;

use super::view::Subject;
use super::worker::Worker;
use crate::store::Disk;

/// How many messages are rewritten only to take the word out of them, the latest.
const MOST_REWRITTEN: usize = 20;

/// What was said and is not recorded.
#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    /// The last entry in the file, while it can't be written, and since when that is: what the runs
    /// after it are called is another thing in each outage.
    away: Option<(u64, Timestamp)>,
    /// What they are called could not be read.
    is_nameless: bool,
    /// Messages that carry the word.
    marked: BTreeSet<Subject>,
}

impl Worker {
    /// Takes up whether the file can be written.
    pub(super) async fn look_at_disk(&mut self) {
        let disk = self.disk.borrow_and_update().clone();
        self.health.disk_is(&disk);
        self.health.slow_is(*self.slow.borrow_and_update());
        let away = match &disk {
            Disk::Away(away) => Some((away.recorded, away.since)),
            Disk::Well { .. } => None,
        };
        let is_news = away != self.unrecorded.away;
        if !is_news && !self.unrecorded.is_nameless {
            return;
        }
        self.unrecorded.away = away;
        let lineage = self.with_reader(|reader| reader.lineage()).await;
        self.unrecorded.is_nameless = lineage.is_err();
        match lineage {
            Ok(lineage) => self.lineage = lineage,
            // Nothing is said with a name that may be another's.
            Err(error) => self.can_not_look(&error),
        }
        if is_news && away.is_none() {
            self.rewrite_marked().await;
        }
    }

    async fn rewrite_marked(&mut self) {
        let marked = std::mem::take(&mut self.unrecorded.marked);
        let latest: BTreeSet<Subject> = marked.into_iter().rev().take(MOST_REWRITTEN).collect();
        let run_of = |subject: &Subject| match subject {
            Subject::Run(run) | Subject::Together(run) => *run,
        };
        let runs = latest.iter().map(run_of).collect();
        self.service.rewrite = Arc::new(latest);
        self.look_at(runs).await;
    }

    /// What is sent of a view.
    pub(super) fn worded<'a>(
        &self,
        announcement: &'a Announcement,
        version: u64,
    ) -> Cow<'a, Announcement> {
        if self.is_unrecorded(version) {
            Cow::Owned(not_yet_recorded(announcement))
        } else {
            Cow::Borrowed(announcement)
        }
    }

    /// A message was written, with the word or without.
    pub(super) fn was_worded(&mut self, subject: Subject, version: u64) {
        if self.is_unrecorded(version) && self.service.edits {
            self.unrecorded.marked.insert(subject);
        } else {
            self.unrecorded.marked.remove(&subject);
            if self.service.rewrite.contains(&subject) {
                Arc::make_mut(&mut self.service.rewrite).remove(&subject);
            }
        }
    }

    fn is_unrecorded(&self, version: u64) -> bool {
        self.unrecorded.away.is_some_and(|(recorded, _)| version > recorded)
    }
}

#[cfg(test)]
mod tests {
    use herald_core::run::{RunId, RunStatus};
    use tokio::task::{spawn_blocking, yield_now};

    use super::super::tests::{Disk as Folder, record, run, worker};
    use super::*;
    use crate::chat::memory::{Kind, Memory};
    use crate::store::{Batch, JournalWriter};

    /// Lets the file refuse that events are counted: no entry goes with that.
    const REFUSE: &str = "CREATE TRIGGER refuse BEFORE INSERT ON seen \
                          BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    const ACCEPT: &str = "DROP TRIGGER refuse";

    async fn write(writer: &JournalWriter) {
        let seen = vec![("salt/auth".to_owned(), 1)];
        writer.record(Batch { seen, ..Batch::default() }).unwrap();
        writer.settle().await.unwrap();
    }

    async fn fail(folder: &Folder, writer: &JournalWriter) {
        folder.connection().execute_batch(REFUSE).unwrap();
        write(writer).await;
        assert!(matches!(*writer.disk().borrow(), Disk::Away(_)));
    }

    async fn mend(folder: &Folder, writer: &JournalWriter) {
        folder.connection().execute_batch(ACCEPT).unwrap();
        let mut disk = writer.disk();
        disk.wait_for(|disk| matches!(disk, Disk::Well { .. })).await.unwrap();
    }

    /// Runs of the one are not runs of the other, and it may have missed that it was over between.
    #[tokio::test]
    async fn in_the_next_outage_runs_bear_another_name_though_nothing_was_recorded_between() {
        let folder = Folder::new();
        let (writer, mut worker) = worker(&folder, &Memory::new(Kind::Bot, 1)).await;
        let name = |worker: &Worker| worker.lineage.label_of(&[RunId(1)]).to_owned();
        let mut names = vec![name(&worker)];
        for _ in 0..2 {
            fail(&folder, &writer).await;
            worker.look_around().await;
            names.push(name(&worker));
            mend(&folder, &writer).await;
        }
        assert!(names[0] != names[1] && names[1] != names[2], "{names:?}");
        drop(worker);
        spawn_blocking(move || writer.close()).await.unwrap();
    }

    #[tokio::test]
    async fn what_came_into_memory_while_it_looked_is_said_with_the_word() {
        let folder = Folder::new();
        let (writer, mut worker) = worker(&folder, &Memory::new(Kind::Bot, 1)).await;
        record(&writer, &folder, run(1, RunStatus::Running));
        writer.settle().await.unwrap();
        // It has looked how the disk is, and waits for its turn to read.
        let (taken, held) = std::sync::mpsc::channel::<()>();
        let reader = Arc::clone(&worker.reader);
        let (ready, is_held) = tokio::sync::oneshot::channel();
        let holding = spawn_blocking(move || {
            let _turn = reader.lock().unwrap();
            ready.send(()).unwrap();
            held.recv().unwrap_err();
        });
        is_held.await.unwrap();
        let (could_look, ()) = tokio::join!(worker.look_around(), async {
            yield_now().await;
            fail(&folder, &writer).await;
            record(&writer, &folder, run(2, RunStatus::Running));
            writer.settle().await.unwrap();
            drop(taken);
        });
        holding.await.unwrap();
        assert!(could_look);
        let view = &worker.pending[&Subject::Run(RunId(2))];
        let said = worker.worded(&view.announcement, view.version);
        assert_eq!(*said, not_yet_recorded(&view.announcement));
        mend(&folder, &writer).await;
        drop(worker);
        spawn_blocking(move || writer.close()).await.unwrap();
    }
}
