//! What came of a step: what the journal notes of it, what people are told when it failed, and when
//! the sink is tried again.

use std::time::Duration;

use herald_core::digest::Digest;
use herald_core::owed::{Step, digest_of_message, digest_of_thread};
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::doubt::posted_part;
use super::view::{Subject, View};
use super::worker::Worker;
use crate::chat::{DeliveryError, MessageRef};
use crate::store::{Delivery, DeliveryState, Part};

/// After credentials were refused, and nobody is likely to have mended them sooner.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// People are told when the chat asks to wait so long.
const LONG_WAIT: Duration = Duration::from_secs(60);
/// After so many failures in a row people are told that the sink is in trouble.
const TROUBLE_AFTER: u32 = 3;

impl Worker {
    pub(super) fn delivered(
        &self,
        subject: Subject,
        step: Step,
        message: Option<MessageRef>,
    ) -> Delivery {
        let view = self.pending.get(&subject);
        let part = part_of(step, view);
        let digest = view.map(|view| match part {
            Part::Thread => digest_of_thread(&view.announcement),
            Part::Message | Part::Ending => digest_of_message(&view.announcement),
        });
        let (run, lead) = match subject {
            Subject::Run(run) => (run, None),
            Subject::Together(lead) => (lead, Some(lead)),
        };
        Delivery {
            run,
            sink: self.service.sink.clone(),
            part,
            lead,
            late: view.is_some_and(|view| view.late),
            message: message.map(|message| message.0),
            said: digest.map(|Digest(bytes)| bytes),
            mood: view.map(|view| view.announcement.mood),
            version: view.map_or(0, |view| view.version),
            state: DeliveryState::Said,
            error: None,
            at: Timestamp::now(),
        }
    }

    /// All is well here. Not before what was said is noted: this notes, too, that it is in no doubt.
    pub(super) async fn succeeded(&mut self) {
        self.failures = 0;
        self.health.is_well(&self.service.sink);
        self.note_trouble(None).await;
    }

    pub(super) async fn handle(&mut self, subject: Subject, step: Step, error: DeliveryError) {
        let (Subject::Run(run) | Subject::Together(run)) = subject;
        self.log(run, &error);
        if posted_part(step).is_none() && matches!(error, DeliveryError::Unavailable(_)) {
            self.doubts.wait_for_edit();
        }
        if !self.comes_back(&error).await {
            if let Subject::Together(lead) = subject {
                self.withdraw_from(lead).await;
            }
            let delivery = self.given_up(subject, step, error.to_string());
            self.numbers.given_up.inc();
            self.note(vec![delivery]).await;
            self.tell_given_up(subject, &error);
        }
    }

    /// A message about several can't be rewritten any more. What it never showed gets another one; that is
    /// noted before the message is given up, so that an end between the two loses nothing.
    async fn withdraw_from(&mut self, lead: RunId) {
        self.recent.close(lead);
        let sink = self.service.sink.clone();
        let not_shown = self.with_reader(move |reader| reader.not_shown(lead, &sink)).await;
        let runs: Vec<RunId> = match not_shown {
            Ok(runs) => runs.into_iter().map(|(run, _)| run).collect(),
            Err(error) => return self.can_not_look(&error),
        };
        if runs.is_empty() {
            return;
        }
        let (writer, sink) = (self.writer.clone(), self.service.sink.clone());
        if let Err(error) = self.patiently(writer.withdraw(&sink, runs.clone())).await {
            tracing::error!(%error, "what was said can't be noted");
        }
        self.look_at(runs).await;
    }

    /// Several runs could not be said in one message.
    pub(super) async fn handle_together(&mut self, runs: &[RunId], error: DeliveryError) {
        let Some(first) = runs.first().copied() else { return };
        self.log(first, &error);
        if self.comes_back(&error).await {
            return;
        }
        let given_up =
            |run: &RunId| self.given_up(Subject::Run(*run), Step::Post, error.to_string());
        let deliveries = runs.iter().map(given_up).collect();
        self.numbers.given_up.inc();
        self.note(deliveries).await;
        self.tell_given_up(Subject::Run(first), &error);
    }

    /// Lets another sink say that something could not be said here.
    fn tell_given_up(&self, subject: Subject, error: &DeliveryError) {
        let view = self.pending.get(&subject);
        let command = view.map(|view| view.announcement.command.as_str()).unwrap_or_default();
        let jid = view.and_then(|view| view.jids.first()).map(String::as_str);
        self.health.gave_up(&self.service.sink, &error.to_string(), command, jid);
    }

    /// Whether it is worth to try again; then the sink rests until that is due.
    pub(super) async fn comes_back(&mut self, error: &DeliveryError) -> bool {
        let trouble = self.in_words(error);
        let wait = match error {
            DeliveryError::RateLimited { retry_after } => {
                if *retry_after >= LONG_WAIT {
                    self.note_trouble(Some(trouble)).await;
                }
                *retry_after
            }
            DeliveryError::Unavailable(_) | DeliveryError::InDoubt(_) => {
                self.failures += 1;
                if self.failures >= TROUBLE_AFTER {
                    self.note_trouble(Some(trouble)).await;
                }
                self.pace.backoff(self.failures)
            }
            DeliveryError::Unauthorized { .. } => {
                self.health.is_unusable(&self.service.sink, &trouble);
                self.note_trouble(Some(trouble)).await;
                REFUSED_FOR
            }
            DeliveryError::MessageGone { .. } | DeliveryError::Rejected { .. } => return false,
        };
        self.blocked_until = Some(Instant::now() + wait);
        true
    }

    /// What is the matter and what to do, for those who ask how all is.
    fn in_words(&self, error: &DeliveryError) -> String {
        match self.sink.hint(error) {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        }
    }

    pub(super) async fn note_trouble(&mut self, trouble: Option<String>) {
        let now = || self.state.failing_since.unwrap_or_else(Timestamp::now);
        let failing_since = trouble.as_ref().map(|_| now());
        if self.state.trouble != trouble || self.state.failing_since != failing_since {
            (self.state.trouble, self.state.failing_since) = (trouble, failing_since);
            self.note_state().await;
        }
    }

    /// Notes up to where nothing is owed, once that is news by so many entries. A channel that can't keep
    /// up is always owed something: what came before that is settled all the same.
    pub(super) async fn note_settled(&mut self, news: u64) {
        let owed = self.pending.values().map(|view| view.owed_since.saturating_sub(1));
        let settled = owed.min().map_or(self.looked_at, |before| before.min(self.looked_at));
        if settled >= self.state.settled + news {
            self.state.settled = settled;
            self.note_state().await;
        }
    }

    pub(super) async fn note_state(&self) {
        if let Err(error) = self.writer.note_sink(self.state.clone()).await {
            tracing::error!(%error, "how far the sink is can't be noted");
        }
    }

    fn log(&self, id: RunId, error: &DeliveryError) {
        let (sink, label, run) = (self.service.sink.as_str(), error.label(), id.0);
        let hint = self.sink.hint(error).unwrap_or_default();
        let error = error as &dyn std::error::Error;
        match label {
            "rate_limited" => tracing::info!(sink, label, error),
            "unavailable" | "in_doubt" => {
                tracing::warn!(sink, label, run, error, hint, "trying on")
            }
            _ => tracing::error!(sink, label, run, error, hint, "not said"),
        }
    }

    fn given_up(&self, subject: Subject, step: Step, error: String) -> Delivery {
        let mut delivery = self.delivered(subject, step, None);
        let view = self.pending.get(&subject);
        delivery.message = match delivery.part {
            Part::Thread => view.and_then(|view| view.thread.clone()),
            Part::Message | Part::Ending => view.and_then(|view| view.message.clone()),
        };
        delivery.state = DeliveryState::GivenUp;
        delivery.error = Some(error);
        delivery
    }

    pub(super) async fn note(&mut self, deliveries: Vec<Delivery>) {
        let writer = self.writer.clone();
        if let Err(error) = self.patiently(writer.deliver(deliveries)).await {
            tracing::error!(%error, "what was said can't be noted");
        }
    }
}

fn part_of(step: Step, view: Option<&View>) -> Part {
    match step {
        Step::Post => Part::Message,
        Step::Finish | Step::Progress => view.map_or(Part::Message, |view| view.part),
        Step::Reply | Step::UpdateReply => Part::Thread,
        Step::PostEnding => Part::Ending,
    }
}
