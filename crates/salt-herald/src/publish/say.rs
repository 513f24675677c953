//! Carrying out: runs are said, what was said is rewritten, and the journal is told.
//!
//! What is said and when was decided before.

use herald_core::announce::Announcement;
use herald_core::burst::{Likeness, Plan};
use herald_core::compose::Telling;
use herald_core::outbox::{Label, fitting};
use herald_core::owed::{Part, Step, digest_of_message};
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::choose::PROGRESS_EVERY;
use super::doubt::posted_part;
use super::view::{Subject, View, compose_together};
use super::worker::Worker;
use crate::chat::{DeliveryError, MessageRef, Post};
use crate::metrics::Request;
use crate::store::{Delivery, DeliveryState};

impl Worker {
    /// Says runs of which nothing was said yet.
    pub(super) async fn say(&mut self, plan: Plan) {
        match plan {
            Plan::Post(runs) => match runs.as_slice() {
                [run] => self.take_step(Subject::Run(*run)).await,
                _ => self.say_together(runs, Telling::News, None).await,
            },
            Plan::Late(runs) => self.say_together(runs, Telling::Late, None).await,
            Plan::Missed(runs) => {
                let first = runs.first().and_then(|run| self.pending.get(&Subject::Run(*run)));
                match first.and_then(|view| view.missed) {
                    Some((entry, missed)) => {
                        self.say_together(runs, Telling::Missed(missed), Some(entry)).await;
                    }
                    None => self.look_at(runs).await,
                }
            }
            Plan::Join { lead, runs } => self.join(lead, runs).await,
        }
    }

    /// Says several runs in one new message. What a back-fill found can be more than its label names:
    /// there the back-fill's entry stands for them.
    async fn say_together(
        &mut self,
        mut runs: Vec<RunId>,
        telling: Telling,
        found_by: Option<u64>,
    ) {
        let named = fitting(&runs).to_vec();
        if found_by.is_none() {
            runs.truncate(named.len());
        }
        let (service, ids) = (self.service.clone(), runs.clone());
        let composed = self
            .with_reader(move |reader| compose_together(reader, &service, &ids, telling))
            .await
            .ok()
            .flatten();
        if let Some((announcement, version, jids)) = composed {
            let late = telling != Telling::News;
            let missed = found_by.zip(runs.last().copied());
            let own = self.label(Part::Message, &named);
            let label = Label { together: true, late, missed, jids, ..own };
            let repeat = runs.iter().any(|run| self.doubts.is_repeat(Part::Message, *run));
            let began = Timestamp::now();
            self.begin_post(Part::Message, &named).await;
            let worded = self.worded(&announcement, version);
            let sent = self.sink.post(&worded, Post { label: &label, repeat });
            let sent = self.counted(Request::Post, sent).await;
            self.end_post(Part::Message, &named, began, &sent).await;
            match sent {
                Ok(place) => {
                    self.note_together(&label, &runs, &place, &announcement, version).await;
                }
                Err(error) => self.handle_together(&runs, error).await,
            }
        }
        // Or they are gone from the journal.
        self.look_at(runs).await;
    }

    async fn note_together(
        &mut self,
        label: &Label,
        runs: &[RunId],
        place: &MessageRef,
        announcement: &Announcement,
        version: u64,
    ) {
        let Some(first) = runs.first().copied() else { return };
        let delivery = |run: &RunId| Delivery {
            run: *run,
            sink: self.service.sink.clone(),
            part: Part::Message,
            lead: Some(first),
            late: label.late,
            message: Some(place.0.clone()),
            said: (*run == first).then(|| digest_of_message(announcement).0),
            mood: None,
            version,
            state: DeliveryState::Said,
            error: None,
            at: Timestamp::now(),
        };
        self.note(runs.iter().map(delivery).collect()).await;
        self.succeeded().await;
        self.was_worded(Subject::Together(first), version);
        if self.service.edits && !label.late {
            self.recent.posted(Instant::now(), &self.likes(runs));
        }
        self.wrote(Subject::Together(first));
    }

    /// Lets a message take up more runs. That they are in it is noted first: then rewriting it is
    /// all that is owed, and may be done twice.
    async fn join(&mut self, lead: RunId, runs: Vec<RunId>) {
        let both: Vec<RunId> = runs.iter().copied().chain([lead]).collect();
        match self.message_of(lead).await.filter(|own| own.state == DeliveryState::Said) {
            Some(own) => {
                let joined = |run: &RunId| Delivery {
                    run: *run,
                    lead: Some(lead),
                    said: own.said.filter(|_| *run == lead),
                    version: 0,
                    at: Timestamp::now(),
                    ..own.clone()
                };
                self.note(both.iter().map(joined).collect()).await;
                self.recent.joined(Instant::now(), lead, &self.likes(&runs));
            }
            None => self.recent.close(lead),
        }
        self.look_at(both).await;
        self.take_step(Subject::Together(lead)).await;
    }

    /// What was taken up into a message that was rewritten since is shown by it.
    async fn shown_now(&self, lead: RunId) -> Vec<Delivery> {
        let sink = self.service.sink.clone();
        let read = self.with_reader(move |reader| {
            let mut deliveries = Vec::new();
            for (run, version) in reader.not_shown(lead, &sink)? {
                let own = reader.deliveries(run, &sink)?.into_iter();
                let own = own.filter(|delivery| delivery.part == Part::Message);
                deliveries.extend(own.map(|delivery| Delivery { version, ..delivery }));
            }
            Ok(deliveries)
        });
        // Where that can't be read they count as not shown: said twice is better than never.
        read.await.unwrap_or_default()
    }

    async fn message_of(&self, run: RunId) -> Option<Delivery> {
        let sink = self.service.sink.clone();
        let deliveries = self.with_reader(move |reader| reader.deliveries(run, &sink)).await;
        deliveries.ok()?.into_iter().find(|delivery| delivery.part == Part::Message)
    }

    fn likes(&self, runs: &[RunId]) -> Vec<(RunId, Likeness)> {
        let like = |run: &RunId| Some((*run, self.pending.get(&Subject::Run(*run))?.likeness));
        runs.iter().filter_map(like).collect()
    }

    /// Takes the step that is owed.
    pub(super) async fn take_step(&mut self, subject: Subject) {
        let (Subject::Run(run) | Subject::Together(run)) = subject;
        let Some(step) = self.pending.get(&subject).and_then(|view| view.step) else {
            return;
        };
        if !self.make_whole(subject).await {
            return;
        }
        let part = posted_part(step);
        let began = Timestamp::now();
        if let Some(part) = part {
            self.begin_post(part, &[run]).await;
        }
        let Some(view) = self.pending.get(&subject) else {
            return;
        };
        let sent = self.send(run, step, view).await;
        if let Some(part) = part {
            self.end_post(part, &[run], began, &sent).await;
        }
        match sent {
            Ok(message) => {
                self.remember(subject, step);
                if !matches!(step, Step::Reply | Step::UpdateReply) {
                    let version = self.pending.get(&subject).map_or(0, |view| view.version);
                    self.was_worded(subject, version);
                }
                let mut deliveries = vec![self.delivered(subject, step, message)];
                if let Subject::Together(lead) = subject {
                    deliveries.extend(self.shown_now(lead).await);
                }
                self.note(deliveries).await;
                self.succeeded().await;
            }
            Err(error) => self.handle(subject, step, error).await,
        }
        self.wrote(subject);
        self.look_at(vec![run]).await;
    }

    /// A message that was posted can take up more of the same.
    fn remember(&mut self, subject: Subject, step: Step) {
        let (Subject::Run(run), Step::Post, true) = (subject, step, self.service.edits) else {
            return;
        };
        if let Some(view) = self.pending.get(&subject) {
            self.recent.posted(Instant::now(), &[(run, view.likeness)]);
        }
    }

    fn wrote(&mut self, subject: Subject) {
        let now = Instant::now();
        self.written.retain(|_, at| now.duration_since(*at) < PROGRESS_EVERY);
        self.written.insert(subject, now);
    }

    async fn send(
        &self,
        run: RunId,
        step: Step,
        view: &View,
    ) -> Result<Option<MessageRef>, DeliveryError> {
        let part = posted_part(step).unwrap_or(view.part);
        let label = Label { jids: view.jids.clone(), ..self.label(part, &[run]) };
        let post = Post { label: &label, repeat: self.doubts.is_repeat(part, run) };
        let gone = || DeliveryError::MessageGone { reason: "its place is not known".to_owned() };
        let message = view.message.clone().map(MessageRef).ok_or_else(gone);
        let worded = self.worded(&view.announcement, view.version);
        match step {
            Step::Post | Step::PostEnding => {
                let posting = self.sink.post(&worded, post);
                self.counted(Request::Post, posting).await.map(Some)
            }
            Step::Finish | Step::Progress => {
                let message = message?;
                let editing = self.sink.update(&message, &worded);
                self.counted(Request::Edit, editing).await.map(|()| Some(message))
            }
            Step::Reply => {
                let message = message?;
                let replying = self.sink.reply(&message, &view.announcement, post);
                self.counted(Request::Reply, replying).await.map(Some)
            }
            Step::UpdateReply => {
                let reply = view.thread.clone().map(MessageRef).ok_or_else(gone)?;
                let editing = self.sink.update_reply(&reply, &view.announcement);
                self.counted(Request::Edit, editing).await.map(|()| Some(reply))
            }
        }
    }
}
