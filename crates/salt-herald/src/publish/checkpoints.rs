//! Checkpoints, said where people read them: once a day, in one thread for each journal.
//!
//! What is to be said is decided in [`herald_core::seal`]. The thread's first message is posted once: before it
//! is, and where it is not known whether it or a line in it arrived, the channel is looked through. All
//! else that is said goes first.

use std::time::Duration;

use herald_core::compose::{checkpoint_news, checkpoint_thread};
use herald_core::outbox::Found;
use herald_core::seal::{News, Seal, ThreadLabel, Told, begun_since, last_told, thread_in, to_say};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::worker::Worker;
use crate::chat::{DeliveryError, MessageRef, Search, Sought};
use crate::metrics::Request;

/// A chat may take up a message a while after its connection broke.
const LATE: Duration = Duration::from_secs(2);
/// Looking may fail so often in a row before it is done without.
const MOST_STUMBLES: u32 = 6;

/// What a sink is owed of checkpoints. How far it is stands in its state.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// It is told of any.
    pub(super) is_on: bool,
    /// The checkpoints from the one on that was said last, as far as they are needed.
    pub(super) seals: Vec<Seal>,
    /// Where to look was looked: what is not known is not there, or can't be found.
    has_looked: bool,
    /// Not before then: what is on its way needs time to arrive.
    not_before: Option<Instant>,
    stumbles: u32,
}

/// The next thing to do for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Look whether the thread, or the line, is there.
    Look,
    /// Post the message that begins the thread.
    Begin,
    /// Say a checkpoint.
    Say,
}

impl Checkpoints {
    /// For a sink that is told of them, or is not.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, ..Self::default() }
    }
}

impl Worker {
    fn news(&self) -> Option<News> {
        to_say(self.state.checkpoint, &self.checkpoints.seals)
    }

    /// What may be done now for the checkpoints, or when something may.
    pub(super) fn next_for_checkpoints(&mut self, now: Instant) -> Option<Result<Act, Instant>> {
        if !self.checkpoints.is_on || *self.stop.borrow() || self.news().is_none() {
            return None;
        }
        let not_before = self.checkpoints.not_before.filter(|until| *until > now);
        if let Some(until) = not_before {
            return Some(Err(until));
        }
        let (abilities, has_looked) = (self.sink.abilities(), self.checkpoints.has_looked);
        let is_thread = self.state.thread.is_some();
        let is_known = is_thread && self.state.attempt.is_none();
        let act = if !abilities.edit {
            Act::Say
        } else if abilities.seek && !has_looked && !is_known {
            Act::Look
        } else if is_thread {
            Act::Say
        } else {
            Act::Begin
        };
        Some(match act {
            Act::Look => Ok(act),
            Act::Begin | Act::Say => match self.posts.take(now, 0.0) {
                Ok(()) => Ok(act),
                Err(patience) => Err(now + patience),
            },
        })
    }

    /// Does it.
    pub(super) async fn do_for_checkpoints(&mut self, act: Act) {
        match act {
            Act::Look => self.look_for_checkpoints().await,
            Act::Begin => self.begin_thread().await,
            Act::Say => self.say_checkpoint().await,
        }
    }

    fn thread_label(&self, told: Option<Told>) -> ThreadLabel {
        let (origin, sink) = (self.lineage.origin().to_owned(), self.service.sink.clone());
        ThreadLabel { origin, sink, told }
    }

    async fn look_for_checkpoints(&mut self) {
        let near = self.last_delivery().await.map(|(_, message)| MessageRef(message));
        let thread = self.state.thread.clone().map(MessageRef);
        let begun = begun_since(&self.checkpoints.seals);
        let since = match (self.state.attempt, begun.filter(|_| thread.is_none())) {
            (Some(attempt), Some(begun)) => attempt.min(begun),
            (since, begun) => since.or(begun).unwrap_or_else(Timestamp::now),
        };
        let search = Search { since, near: near.as_ref(), thread: thread.as_ref() };
        let error = match self.sink.seek_checkpoints(search).await {
            Ok(Sought::Found(found)) => {
                self.take_up_checkpoints(&found);
                self.note_state().await;
                return;
            }
            Ok(Sought::CanNotTell(why)) => {
                tracing::debug!(sink = self.service.sink, why, "can't look for checkpoints");
                self.checkpoints.has_looked = true;
                return;
            }
            Ok(Sought::Stumbled(error)) | Err(error) => error,
        };
        self.checkpoints.stumbles += 1;
        if self.checkpoints.stumbles >= MOST_STUMBLES || !self.comes_back(&error).await {
            (self.checkpoints.stumbles, self.checkpoints.has_looked) = (0, true);
        }
    }

    /// Takes what was found for said.
    fn take_up_checkpoints(&mut self, found: &[Found<ThreadLabel>]) {
        self.checkpoints.stumbles = 0;
        let (origin, sink) = (self.lineage.origin(), self.service.sink.as_str());
        if self.state.thread.is_none() {
            let thread = thread_in(found, origin, sink).map(str::to_owned);
            // Whether a line is in it is looked for there.
            self.checkpoints.has_looked = thread.is_none();
            self.state.thread = thread;
            return;
        }
        let known = self.state.checkpoint.map_or(0, |told| told.number);
        match last_told(found, origin).filter(|told| told.number > known) {
            Some(told) => self.said_checkpoint(told),
            None => self.checkpoints.has_looked = true,
        }
    }

    fn said_checkpoint(&mut self, told: Told) {
        self.state.checkpoint = Some(told);
        self.state.attempt = None;
        self.checkpoints.has_looked = false;
    }

    /// Notes what is about to be posted: if we end before its answer is noted, it may be there.
    async fn attempt(&mut self) {
        self.state.attempt.get_or_insert_with(Timestamp::now);
        self.note_state().await;
        if let Err(error) = self.writer.settle().await {
            tracing::error!(%error, "what is being said can't be noted");
        }
    }

    async fn begin_thread(&mut self) {
        let Some(News { seal, .. }) = self.news() else { return };
        self.attempt().await;
        let origin = self.lineage.origin();
        let notice = checkpoint_thread(origin, seal.key, self.service.master.as_deref());
        let label = self.thread_label(None);
        match self.counted(Request::Notice, self.sink.begin_thread(&notice, &label)).await {
            Ok(place) => {
                (self.state.thread, self.state.attempt) = (Some(place.0), None);
                self.checkpoints.has_looked = false;
                self.note_state().await;
                self.succeeded().await;
            }
            Err(error) => self.not_said(&error).await,
        }
    }

    async fn say_checkpoint(&mut self) {
        let Some(news) = self.news() else { return };
        self.attempt().await;
        let told = Told { number: news.seal.number, at: news.seal.at };
        let can_thread = self.sink.abilities().edit;
        let more = checkpoint_news(&news, !can_thread, self.service.master.as_deref());
        let origin = Uuid::parse_str(self.lineage.origin()).unwrap_or_default();
        let line = news.seal.signed(origin.into_bytes()).to_string();
        let label = self.thread_label(Some(told));
        let thread = self.state.thread.clone().map(MessageRef);
        let saying = self.sink.say_checkpoint(thread.as_ref(), (&more, &line), &label);
        match self.counted(Request::Notice, saying).await {
            Ok(_) => {
                self.said_checkpoint(told);
                self.note_state().await;
                self.succeeded().await;
            }
            // The next day brings another; nobody can look for this one.
            Err(DeliveryError::InDoubt(_)) if !can_thread => {
                self.said_checkpoint(told);
                self.note_state().await;
            }
            // Somebody deleted the thread: another is begun, and there is nothing to look for.
            Err(DeliveryError::MessageGone { reason }) if can_thread => {
                let sink = self.service.sink.as_str();
                tracing::warn!(sink, reason, "the thread of checkpoints is gone: another is begun");
                (self.state.thread, self.state.attempt) = (None, None);
                self.checkpoints.has_looked = true;
                self.note_state().await;
            }
            Err(error) => self.not_said(&error).await,
        }
    }

    async fn not_said(&mut self, error: &DeliveryError) {
        let sink = self.service.sink.clone();
        if matches!(error, DeliveryError::InDoubt(_)) {
            self.checkpoints.has_looked = false;
            self.checkpoints.not_before = Some(Instant::now() + self.pace.wait(LATE));
        } else {
            self.state.attempt = None;
        }
        self.note_state().await;
        tracing::warn!(sink, label = error.label(), %error, "a checkpoint was not said");
        if !self.comes_back(error).await {
            tracing::error!(sink, "checkpoints are not said there until the next start");
            self.checkpoints.is_on = false;
        }
    }
}
