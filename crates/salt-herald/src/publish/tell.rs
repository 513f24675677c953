//! Telling what is the matter at another sink, or with the journal: what a worker does when it is its turn.
//!
//! What is to be told, by whom and how often, is [`super::health`]'s.

use herald_core::announce::Notice;
use herald_core::compose::{
    given_up, quick_again, slow, unusable, unwritable, usable_again, written_again,
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::health::{Due, Gone, What, Whose};
use super::worker::Worker;
use crate::chat::DeliveryError;
use crate::metrics::Request;
use crate::store::{Disk, Told};

impl Worker {
    /// Tells what is the matter at another sink, or no longer.
    pub(super) async fn tell(&mut self, due: Due) {
        let notice = self.notice(&due);
        let sent = self.counted(Request::Notice, self.sink.notify(&notice)).await;
        let is_told = match &sent {
            Ok(()) => {
                self.succeeded().await;
                true
            }
            // One that may have arrived, or is not taken, is not worth a second.
            Err(DeliveryError::InDoubt(_)) => true,
            Err(error) => !self.comes_back(error).await,
        };
        if let Err(error) = &sent {
            let error = error as &dyn std::error::Error;
            tracing::warn!(sink = self.service.sink, error, "a notice was not said");
        }
        let told = Told { sink: self.service.sink.clone(), at: Timestamp::now() };
        let noted = match &due.what {
            What::Unusable(_) if is_told => Some(Some(told.clone())),
            What::UsableAgain if is_told => Some(None),
            _ => None,
        };
        // Of the journal's trouble nobody knows after a restart: what was told of it is in memory only.
        if let (Some(noted), Whose::Sink(about)) = (noted, &due.about)
            && let Err(error) = self.writer.note_told(about, noted).await
        {
            tracing::error!(%error, "what was told can't be noted");
        }
        self.health.was_told(&due, is_told.then_some(told), Instant::now());
    }

    fn notice(&self, due: &Due) -> Notice {
        let master = self.service.master.as_deref();
        let about = match &due.about {
            Whose::Sink(about) => about,
            Whose::Disk => {
                let since = *self.slow.borrow();
                return since.map_or_else(|| quick_again(master), |since| slow(since, master));
            }
            Whose::Journal => {
                return match &*self.writer.disk().borrow() {
                    Disk::Well { lost } => written_again(*lost, master),
                    Disk::Away(away) => unwritable(&away.why, away.left, away.for_good, master),
                };
            }
        };
        match &due.what {
            What::Unusable(trouble) => unusable(about, trouble, master),
            What::UsableAgain => usable_again(about, master),
            What::Gone(Gone { count, error, command, jid }) => {
                given_up(about, (command, jid.as_deref()), error, *count, master)
            }
        }
    }

    /// Waits for the journal. If the disk does not answer, people are told of that meanwhile: nothing
    /// else can be said before it does.
    pub(super) async fn patiently<T>(&mut self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = std::pin::pin!(waiting);
        let mut slow = self.slow.clone();
        loop {
            tokio::select! {
                done = &mut waiting => return done,
                changed = slow.changed() => if changed.is_err() { return waiting.await },
            }
            self.tell_of_speed().await;
        }
    }

    async fn tell_of_speed(&mut self) {
        self.health.slow_is(*self.slow.borrow());
        let Some(Ok(due)) = self.health.due_of_speed(&self.service.sink, Instant::now()) else {
            return;
        };
        if let Err(patience) = self.posts.take(Instant::now(), 0.0) {
            sleep(patience).await;
        }
        self.tell(due).await;
    }
}
