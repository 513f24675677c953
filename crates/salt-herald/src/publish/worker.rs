//! One sink's publisher: which run next, and what to send.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use herald_core::announce::Mood;
use herald_core::outbox::Lineage;
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Settings;
use super::alarms::{Alarms, alarms_after};
use super::checkpoints::Checkpoints;
use super::choose::Next;
use super::doubt::Doubts;
use super::health::Health;
use super::missed::unknown_since;
use super::pace::{Bucket, Budget, Pace};
use super::recent::Recent;
use super::unrecorded::Unrecorded;
use super::view::{Looked, Service, Subject, View, look};
use crate::chat::{DeliveryError, Sink};
use crate::metrics::{Request, SinkNumbers, gauge_of};
use crate::store::{
    Backfilled, Disk, JournalReader, JournalWriter, NotTold, SinkState, StoreError,
};

/// A sink with what its table in the config says beside.
#[derive(Debug)]
pub struct Target {
    /// Where to say it.
    pub sink: Sink,
    /// Where messages can't be edited: an ending is said when the run took longer.
    pub slow_after: Duration,
    /// It is told of the journal's checkpoints.
    pub checkpoints: bool,
}

/// It is noted that nothing is owed once so many entries were looked at.
const SETTLED_EVERY: u64 = 64;
/// Of so many that are owed a step it is kept in memory what would be said; of more it is read again
/// when their turn comes. In tests nearly always, so that all of them are about both.
pub(super) const MOST_WHOLE: usize = if cfg!(test) { 2 } else { 256 };

pub(super) struct Worker {
    pub(super) service: Service,
    pub(super) sink: Sink,
    pub(super) writer: JournalWriter,
    pub(super) reader: Arc<Mutex<JournalReader>>,
    version: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<bool>,
    grace: Duration,
    pub(super) pace: Pace,
    pub(super) budget: Arc<Budget>,
    pub(super) posts: Bucket,
    /// What something is owed of.
    pub(super) pending: BTreeMap<Subject, View>,
    /// When a message was last written: rewriting it waits a while.
    pub(super) written: BTreeMap<Subject, Instant>,
    /// Messages that can take up more runs.
    pub(super) recent: Recent,
    /// Everything up to this version was looked at.
    pub(super) looked_at: u64,
    /// So was what is to be compared though nothing happened to it.
    has_compared: bool,
    /// How far the sink is, as the journal has it.
    pub(super) state: SinkState,
    pub(super) blocked_until: Option<Instant>,
    pub(super) failures: u32,
    /// Posts of which it is not known whether they arrived.
    pub(super) doubts: Doubts,
    /// A time of which nothing is known, which is to be told.
    pub(super) unknown: Option<Backfilled>,
    /// What will not be said any more, which is to be told.
    pub(super) unsaid: Option<NotTold>,
    /// What is said though it is no run.
    pub(super) alarms: Alarms,
    /// What is to be said of checkpoints.
    pub(super) checkpoints: Checkpoints,
    /// How all sinks are.
    pub(super) health: Arc<Health>,
    /// What the journal is called in messages' labels.
    pub(super) lineage: Lineage,
    pub(super) numbers: SinkNumbers,
    /// Whether the journal's file can be written.
    pub(super) disk: watch::Receiver<Disk>,
    /// Since when that takes long, if it does.
    pub(super) slow: watch::Receiver<Option<Timestamp>>,
    /// What was said while it could not.
    pub(super) unrecorded: Unrecorded,
}

impl Worker {
    pub(super) async fn start(
        settings: Settings,
        target: Target,
        writer: JournalWriter,
        budget: Arc<Budget>,
        health: Arc<Health>,
        stop: watch::Receiver<bool>,
        grace: Duration,
    ) -> Result<Self, StoreError> {
        let numbers = settings.numbers.of(target.sink.name(), &DeliveryError::LABELS);
        let service = Service {
            sink: target.sink.name().to_owned(),
            edits: target.sink.abilities().edit,
            slow_after: target.slow_after,
            master: settings.master,
            names: settings.names,
            routes: settings.routes,
            alarms: settings.alarms,
            rewrite: Arc::default(),
        };
        let can_seek = target.sink.abilities().seek;
        let of_journal = writer.clone();
        let opened = tokio::task::spawn_blocking(move || of_journal.reader());
        let reader = opened.await.map_err(|_| StoreError::Closed)??;
        let lineage = reader.lineage()?;
        let state = writer.introduce(&service.sink).await?;
        health.introduce(&state);
        Ok(Self {
            service,
            sink: target.sink,
            version: writer.version(),
            disk: writer.disk(),
            slow: writer.slow(),
            unrecorded: Unrecorded::default(),
            writer,
            reader: Arc::new(Mutex::new(reader)),
            stop,
            grace,
            pace: settings.pace,
            budget,
            posts: settings.pace.posts(),
            pending: BTreeMap::new(),
            written: BTreeMap::new(),
            recent: Recent::default(),
            looked_at: state.settled,
            has_compared: false,
            state,
            blocked_until: None,
            failures: 0,
            doubts: Doubts::new(can_seek, settings.pace),
            unknown: None,
            unsaid: None,
            alarms: Alarms::default(),
            checkpoints: Checkpoints::new(target.checkpoints),
            health,
            lineage,
            numbers,
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
        let mut health = self.health.subscribe();
        // When we are cut off, once we were told to stop.
        let mut end: Option<Instant> = None;
        loop {
            if end.is_none() && *stop.borrow() {
                end = Some(Instant::now() + self.grace);
            }
            health.borrow_and_update();
            if self.look_around().await {
                self.begin_doubts();
            }
            self.let_go();
            self.note_settled(SETTLED_EVERY).await;
            self.count();
            let until = match self.next() {
                Next::Take(subject) => {
                    self.take_step(subject).await;
                    continue;
                }
                Next::Say(plan) => {
                    self.say(plan).await;
                    continue;
                }
                Next::Look(place) => {
                    self.look_for(place).await;
                    continue;
                }
                Next::Tell(due) => {
                    self.tell(due).await;
                    continue;
                }
                Next::TellUnknown => {
                    self.tell_unknown().await;
                    continue;
                }
                Next::TellUnsaid => {
                    self.tell_unsaid().await;
                    continue;
                }
                Next::TellAlarms => {
                    self.tell_alarms().await;
                    continue;
                }
                Next::Checkpoints(act) => {
                    self.do_for_checkpoints(act).await;
                    continue;
                }
                Next::Idle if *stop.borrow() => {
                    // What was recorded since the look, and before the request to stop, is owed, too.
                    if self.version.has_changed().unwrap_or(false) {
                        continue;
                    }
                    self.note_settled(1).await;
                    return;
                }
                Next::Idle => None,
                // Nothing more can be said in time: nobody has to wait for the end of that.
                Next::Wait(until) if end.is_some_and(|end| until >= end) => {
                    self.note_settled(1).await;
                    return;
                }
                Next::Wait(until) => Some(until),
            };
            let is_stopping = *stop.borrow();
            tokio::select! {
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                changed = self.version.changed() => if changed.is_err() { return },
                _ = health.changed() => {}
                changed = self.disk.changed() => if changed.is_err() { return },
                changed = self.slow.changed() => if changed.is_err() { return },
                _ = stop.changed(), if !is_stopping => {}
            }
        }
    }

    /// Takes up what the journal holds, and where it holds it; whether that could be read.
    pub(super) async fn look_around(&mut self) -> bool {
        self.look_at_disk().await;
        let could_look = self.look_again().await;
        // What was read may stand in memory since a moment ago, and is said with another word and
        // another name then: that it is so was told before it could be read.
        while self.disk.has_changed().unwrap_or(false) {
            self.look_at_disk().await;
        }
        could_look
    }

    /// Tells how the sink is.
    fn count(&self) {
        self.numbers.owed.set(gauge_of(self.pending.len()));
        self.numbers.doubtful.set(gauge_of(self.doubts.count()));
        self.numbers.trouble.set(i64::from(self.state.trouble.is_some()));
    }

    /// Waits for a request's answer, and counts it.
    pub(super) async fn counted<T>(
        &self,
        request: Request,
        sending: impl Future<Output = Result<T, DeliveryError>>,
    ) -> Result<T, DeliveryError> {
        let began = Instant::now();
        let sent = sending.await;
        let outcome = sent.as_ref().map(|_| ()).map_err(DeliveryError::label);
        self.numbers.answered(request, began.elapsed(), outcome);
        sent
    }

    /// Reads what changed since the last look; whether that could be read.
    async fn look_again(&mut self) -> bool {
        let now = *self.version.borrow_and_update();
        if now == self.looked_at {
            return true;
        }
        let (after, since) = (self.looked_at, self.state.since);
        let (missed_after, unsaid_after) = (self.state.missed.max(since), self.state.unsaid);
        let alarmed_after = self.alarms.read_after(self.state.alarmed.max(since));
        let (service, has_compared) = (self.service.clone(), self.has_compared);
        let checkpoints = self.checkpoints.is_on;
        let told = self.state.checkpoint.map_or(0, |told| told.number);
        let found = self
            .with_reader(move |reader| {
                let mut ids: BTreeSet<RunId> =
                    reader.said_after(after)?.into_iter().map(|(id, _)| id).collect();
                if !has_compared {
                    ids.extend(reader.to_compare(&service.sink)?);
                }
                // What was found waits for the end of its back-fill, which changes no run.
                ids.extend(reader.found_after(after)?);
                let ids: Vec<RunId> = ids.into_iter().collect();
                let mut looked = look(reader, &service, &ids)?;
                let is_old = |view: &Option<View>| {
                    view.as_ref().is_some_and(|view| view.is_new && view.version <= since)
                };
                looked.retain(|(_, view)| !is_old(view));
                let unknown = unknown_since(reader, &service.sink, missed_after)?;
                let alarms = alarms_after(reader, &service.sink, alarmed_after)?;
                let seals = if checkpoints { reader.seals_from(told)? } else { Vec::new() };
                let unsaid = reader.not_told_after(&service.sink, unsaid_after)?;
                Ok((looked, unknown, unsaid, (alarms, seals)))
            })
            .await;
        match found {
            Ok((looked, unknown, unsaid, (alarms, seals))) => {
                (self.looked_at, self.has_compared) = (now, true);
                (self.unknown, self.unsaid) = (unknown, unsaid);
                self.alarms.wait_for(alarms, &self.service.alarms);
                self.checkpoints.seals = seals;
                self.take_up(looked);
                true
            }
            Err(error) => {
                self.can_not_look(&error);
                false
            }
        }
    }

    fn take_up(&mut self, looked: Looked) {
        for (subject, view) in looked {
            if let (Subject::Run(run), Some(view)) = (subject, &view)
                && view.lead.is_none()
                && matches!(view.announcement.mood, Mood::Failed | Mood::Silent)
            {
                // Its message is about its failure now, and has a thread.
                self.recent.close(run);
            }
            if let (Subject::Run(run), Some(view)) = (subject, &view)
                && view.is_new
                && view.step.is_some()
            {
                self.wonder(run, view);
            }
            match view.filter(|view| view.step.is_some()) {
                Some(mut view) => {
                    if self.pending.len() >= MOST_WHOLE {
                        view.thin();
                    }
                    self.pending.insert(subject, view)
                }
                None => self.pending.remove(&subject),
            };
        }
    }

    /// Whether something was said of a run that is new here: what is known of that may not be readable,
    /// or be lost with what came after a backup, or with what was in memory when we were killed.
    fn wonder(&mut self, run: RunId, view: &View) {
        if view.is_unknown || self.lineage.may_be_said(view.began) {
            self.doubts.suspect(run, view.began);
        } else if !self.state.blind && view.missed.is_some_and(|(_, missed)| !missed.asked) {
            self.doubts.look_first(run, view.began);
        }
    }

    /// Reads again what a step would say, where it was let go of. Whether that step is still owed.
    pub(super) async fn make_whole(&mut self, subject: Subject) -> bool {
        let thin = self.pending.get(&subject).filter(|view| view.is_thin);
        let Some(step) = thin.map(|view| view.step) else { return true };
        let (Subject::Run(run) | Subject::Together(run)) = subject;
        let service = self.service.clone();
        match self.with_reader(move |reader| look(reader, &service, &[run])).await {
            Ok(looked) => {
                let mut found = looked.into_iter().filter(|(other, _)| *other == subject);
                let view = found.next().and_then(|(_, view)| view).filter(|it| it.step.is_some());
                let is_owed = view.as_ref().is_some_and(|view| view.step == step);
                match view {
                    Some(view) => self.pending.insert(subject, view),
                    None => self.pending.remove(&subject),
                };
                is_owed
            }
            Err(error) => {
                self.can_not_look(&error);
                false
            }
        }
    }

    /// Looks at runs again, after something was done for them.
    pub(super) async fn look_at(&mut self, ids: Vec<RunId>) {
        let service = self.service.clone();
        match self.with_reader(move |reader| look(reader, &service, &ids)).await {
            Ok(looked) => self.take_up(looked),
            Err(error) => {
                self.can_not_look(&error);
                // What they are owed may be done already: all is looked at anew before more is.
                self.pending.clear();
                (self.looked_at, self.has_compared) = (self.state.settled, false);
            }
        }
    }

    pub(super) fn can_not_look(&mut self, error: &StoreError) {
        let error = error as &dyn std::error::Error;
        tracing::error!(sink = self.service.sink, error, "the journal can't be read");
        self.blocked_until = Some(Instant::now() + self.pace.backoff(1));
    }

    pub(super) async fn with_reader<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut JournalReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.reader);
        let done = tokio::task::spawn_blocking(move || {
            let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            let done = reader.follow().and_then(|()| work(&mut reader));
            if matches!(done, Err(StoreError::Sqlite { .. })) {
                reader.leave_file();
            }
            done
        });
        done.await.map_err(|_| StoreError::Closed)?
    }
}
