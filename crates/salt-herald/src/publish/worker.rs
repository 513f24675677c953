//! One sink's publisher: which run next, and what to send.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use herald_core::owed::Step;
use herald_core::run::RunId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Settings;
use super::pace::{Bucket, Budget, backoff};
use super::view::{Service, View, look};
use crate::chat::{DeliveryError, MessageRef, Sink};
use crate::store::{JournalReader, JournalWriter, SinkState, StoreError};

/// A sink with what its table in the config says beside.
#[derive(Debug)]
pub struct Target {
    /// Where to say it.
    pub sink: Sink,
    /// Where messages can't be edited: an ending is said when the run took longer.
    pub slow_after: Duration,
}

/// A message is rewritten for progress no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);
/// It is noted that nothing is owed once so many entries were looked at.
const SETTLED_EVERY: u64 = 64;

pub(super) struct Worker {
    pub(super) service: Service,
    pub(super) sink: Sink,
    pub(super) writer: JournalWriter,
    reader: Arc<Mutex<JournalReader>>,
    version: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    grace: Duration,
    budget: Arc<Budget>,
    posts: Bucket,
    /// Runs that are owed something.
    pub(super) pending: BTreeMap<RunId, View>,
    /// When the message of a run was last written: progress waits a while.
    written: BTreeMap<RunId, Instant>,
    /// Everything up to this version was looked at.
    pub(super) looked_at: u64,
    /// How far the sink is, as the journal has it.
    pub(super) state: SinkState,
    pub(super) blocked_until: Option<Instant>,
    pub(super) failures: u32,
}

impl Worker {
    pub(super) async fn start(
        settings: Settings,
        target: Target,
        writer: JournalWriter,
        budget: Arc<Budget>,
        stop: watch::Receiver<bool>,
        grace: Duration,
    ) -> Result<Self, StoreError> {
        let service = Service {
            sink: target.sink.name().to_owned(),
            edits: target.sink.abilities().edit,
            slow_after: target.slow_after,
            master: settings.master,
        };
        let path = settings.journal;
        let opened = tokio::task::spawn_blocking(move || JournalReader::open(&path));
        let reader = opened.await.map_err(|_| StoreError::Closed)??;
        let state = writer.introduce(&service.sink).await?;
        Ok(Self {
            service,
            sink: target.sink,
            version: writer.version(),
            writer,
            reader: Arc::new(Mutex::new(reader)),
            stop,
            grace,
            budget,
            posts: Bucket::new(1, 1.0),
            pending: BTreeMap::new(),
            written: BTreeMap::new(),
            looked_at: state.settled,
            state,
            blocked_until: None,
            failures: 0,
        })
    }

    /// Serves the sink until told to stop, and then until nothing is owed that may be said now, but
    /// not longer than the grace. A step under way is not cut off before: it would be taken again.
    pub(super) async fn run(mut self) {
        let mut stop = self.stop.clone();
        let grace = self.grace;
        let patience = async move {
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(grace).await;
        };
        tokio::select! {
            () = self.serve() => {}
            () = patience => {}
        }
    }

    async fn serve(&mut self) {
        let mut stop = self.stop.clone();
        loop {
            self.look_again().await;
            let until = match self.next() {
                Next::Take(run) => {
                    self.take_step(run).await;
                    continue;
                }
                Next::Idle if *stop.borrow() => {
                    self.note_settled(1).await;
                    return;
                }
                Next::Idle => {
                    self.note_settled(SETTLED_EVERY).await;
                    None
                }
                Next::Wait(until) => Some(until),
            };
            let is_stopping = *stop.borrow();
            tokio::select! {
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                changed = self.version.changed() => if changed.is_err() { return },
                _ = stop.changed(), if !is_stopping => {}
            }
        }
    }

    /// Reads what changed since the last look.
    async fn look_again(&mut self) {
        let now = *self.version.borrow_and_update();
        if now == self.looked_at {
            return;
        }
        let (after, since) = (self.looked_at, self.state.since);
        let service = self.service.clone();
        let found = self
            .with_reader(move |reader| {
                let mut views = Vec::new();
                for (id, version) in reader.said_after(after)? {
                    if let Some(view) = look(reader, &service, id)?
                        && !(view.is_new && version <= since)
                    {
                        views.push((id, view));
                    }
                }
                Ok(views)
            })
            .await;
        match found {
            Ok(views) => {
                self.looked_at = now;
                views.into_iter().for_each(|(id, view)| self.put(id, view));
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(sink = self.service.sink, error, "the journal can't be read");
                self.blocked_until = Some(Instant::now() + backoff(1));
            }
        }
    }

    fn put(&mut self, id: RunId, view: View) {
        if view.step.is_some() {
            self.pending.insert(id, view);
        } else {
            self.pending.remove(&id);
        }
    }

    /// The most urgent step that may be taken now, or when one may.
    fn next(&mut self) -> Next {
        let now = Instant::now();
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            // Though nothing be pending: it may be that the journal could not be read.
            return Next::Wait(until);
        }
        let mut waits: Option<Instant> = None;
        let mut wait = |until: Instant| waits = Some(waits.map_or(until, |other| other.min(until)));
        let mut order: Vec<(Step, RunId)> =
            self.pending.iter().filter_map(|(id, view)| Some((view.step?, *id))).collect();
        order.sort_unstable();
        let mut posts_tried = false;
        for (step, id) in order {
            let is_progress = step == Step::Progress;
            let rests_until = self.written.get(&id).map(|at| *at + PROGRESS_EVERY);
            if let Some(until) = rests_until.filter(|until| is_progress && *until > now) {
                wait(until);
                continue;
            }
            let is_post = matches!(step, Step::Post | Step::PostEnding | Step::Reply);
            if is_post && posts_tried {
                continue;
            }
            let allowed = if is_post {
                posts_tried = true;
                self.posts.take(now, 0.0)
            } else {
                self.budget.take(now, is_progress)
            };
            match allowed {
                Ok(()) => return Next::Take(id),
                Err(patience) => wait(now + patience),
            }
        }
        waits.map_or(Next::Idle, Next::Wait)
    }

    async fn take_step(&mut self, id: RunId) {
        let Some(view) = self.pending.get(&id) else {
            return;
        };
        let Some(step) = view.step else { return };
        match self.send(step, view).await {
            Ok(message) => {
                self.failures = 0;
                self.note_trouble(None).await;
                let delivery = self.delivered(id, step, message);
                self.note(delivery).await;
            }
            Err(error) => self.handle(id, step, error).await,
        }
        let now = Instant::now();
        self.written.retain(|_, at| now.duration_since(*at) < PROGRESS_EVERY);
        self.written.insert(id, now);
        self.look_at(id).await;
    }

    async fn send(&self, step: Step, view: &View) -> Result<Option<MessageRef>, DeliveryError> {
        let gone = || DeliveryError::MessageGone { reason: "its place is not known".to_owned() };
        let message = view.message.clone().map(MessageRef).ok_or_else(gone);
        match step {
            Step::Post | Step::PostEnding => self.sink.post(&view.announcement).await.map(Some),
            Step::Finish | Step::Progress => {
                let message = message?;
                self.sink.update(&message, &view.announcement).await.map(|()| Some(message))
            }
            Step::Reply => self.sink.reply(&message?, &view.announcement).await.map(Some),
            Step::UpdateReply => {
                let reply = view.thread.clone().map(MessageRef).ok_or_else(gone)?;
                self.sink.update_reply(&reply, &view.announcement).await.map(|()| Some(reply))
            }
        }
    }

    /// Looks at one run again, after something was done for it.
    async fn look_at(&mut self, id: RunId) {
        let service = self.service.clone();
        match self.with_reader(move |reader| look(reader, &service, id)).await {
            Ok(Some(view)) => self.put(id, view),
            Ok(None) => {
                self.pending.remove(&id);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(sink = self.service.sink, error, "the journal can't be read");
            }
        }
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut JournalReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.reader);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut reader.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(|_| StoreError::Closed)?
    }
}

/// What to do next.
enum Next {
    Take(RunId),
    Wait(Instant),
    Idle,
}
