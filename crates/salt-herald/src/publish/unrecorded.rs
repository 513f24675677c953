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
