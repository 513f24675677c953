//! Carrying out: runs are said, what was said is rewritten, and the journal is told.
//!
//! What is said and when was decided before.

use herald_core::announce::Announcement;
use herald_core::burst::{Likeness, Plan};
use herald_core::owed::{Step, digest_of_message};
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::choose::PROGRESS_EVERY;
use super::view::{Subject, View, compose_together};
use super::worker::Worker;
use crate::chat::{DeliveryError, MessageRef};
use crate::store::{Delivery, DeliveryState, Part};

impl Worker {
    /// Says runs of which nothing was said yet.
    pub(super) async fn say(&mut self, plan: Plan) {
        match plan {
            Plan::Post(runs) => match runs.as_slice() {
                [run] => self.take_step(Subject::Run(*run)).await,
                _ => self.say_together(None, runs).await,
            },
            Plan::Join { lead, runs } => self.say_together(Some(lead), runs).await,
        }
    }

    /// Says several runs in one message: a new one, or one that is there and takes them up.
    async fn say_together(&mut self, lead: Option<RunId>, runs: Vec<RunId>) {
        let (service, ids) = (self.service.clone(), runs.clone());
        let composed = self
            .with_reader(move |reader| compose_together(reader, &service, lead, &ids))
            .await
            .ok()
            .flatten();
        let Some((announcement, version)) = composed else {
            // They are gone from the journal.
            self.look_at(runs).await;
            return;
        };
        let place = lead.and_then(|lead| self.recent.place(lead)).map(str::to_owned);
        let sent = match place {
            Some(place) => {
                let place = MessageRef(place);
                self.sink.update(&place, &announcement).await.map(|()| place)
            }
            None => self.sink.post(&announcement).await,
        };
        match sent {
            Ok(place) => self.note_together(lead, &runs, &place, &announcement, version).await,
            Err(error) => self.handle_together(lead, &runs, error).await,
        }
        self.look_at(runs).await;
    }

    async fn note_together(
        &mut self,
        lead: Option<RunId>,
        runs: &[RunId],
        place: &MessageRef,
        announcement: &Announcement,
        version: u64,
    ) {
        let Some(first) = lead.or(runs.first().copied()) else { return };
        self.succeeded().await;
        let delivery = |run: RunId| Delivery {
            run,
            sink: self.service.sink.clone(),
            part: Part::Message,
            lead: Some(first),
            message: Some(place.0.clone()),
            said: (run == first).then(|| digest_of_message(announcement).0),
            version,
            state: DeliveryState::Said,
            error: None,
            at: Timestamp::now(),
        };
        let mut deliveries: Vec<Delivery> = runs.iter().copied().map(delivery).collect();
        deliveries.extend(lead.map(delivery));
        self.note(deliveries).await;
        let now = Instant::now();
        let likes = self.likes(runs);
        match lead {
            Some(lead) => self.recent.joined(now, lead, &likes),
            None if self.service.edits => self.recent.posted(now, &place.0, &likes),
            None => {}
        }
        self.wrote(Subject::Together(first));
    }

    fn likes(&self, runs: &[RunId]) -> Vec<(RunId, Likeness)> {
        let like = |run: &RunId| Some((*run, self.pending.get(&Subject::Run(*run))?.likeness));
        runs.iter().filter_map(like).collect()
    }

    /// Takes the step that is owed.
    pub(super) async fn take_step(&mut self, subject: Subject) {
        let Some(view) = self.pending.get(&subject) else {
            return;
        };
        let Some(step) = view.step else { return };
        match self.send(step, view).await {
            Ok(message) => {
                self.succeeded().await;
                self.remember(subject, step, message.as_ref());
                let delivery = self.delivered(subject, step, message);
                self.note(vec![delivery]).await;
            }
            Err(error) => self.handle(subject, step, error).await,
        }
        self.wrote(subject);
        let (Subject::Run(run) | Subject::Together(run)) = subject;
        self.look_at(vec![run]).await;
    }

    /// A message that was posted can take up more of the same.
    fn remember(&mut self, subject: Subject, step: Step, message: Option<&MessageRef>) {
        let (Subject::Run(run), Step::Post, true) = (subject, step, self.service.edits) else {
            return;
        };
        if let (Some(view), Some(message)) = (self.pending.get(&subject), message) {
            self.recent.posted(Instant::now(), &message.0, &[(run, view.likeness)]);
        }
    }

    fn wrote(&mut self, subject: Subject) {
        let now = Instant::now();
        self.written.retain(|_, at| now.duration_since(*at) < PROGRESS_EVERY);
        self.written.insert(subject, now);
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
}
