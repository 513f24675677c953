//! What came of a step: what the journal notes of it, what people are told when it failed, and when
//! the sink is tried again.

use std::time::Duration;

use herald_core::digest::Digest;
use herald_core::owed::{Step, digest_of_message, digest_of_thread};
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::pace::backoff;
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
    pub(super) fn delivered(&self, id: RunId, step: Step, message: Option<MessageRef>) -> Delivery {
        let view = self.pending.get(&id);
        let digest = view.map(|view| match part_of(step) {
            Part::Thread => digest_of_thread(&view.announcement),
            Part::Message | Part::Ending => digest_of_message(&view.announcement),
        });
        Delivery {
            run: id,
            sink: self.service.sink.clone(),
            part: part_of(step),
            message: message.map(|message| message.0),
            said: digest.map(|Digest(bytes)| bytes),
            version: view.map_or(0, |view| view.version),
            state: DeliveryState::Said,
            error: None,
            at: Timestamp::now(),
        }
    }

    pub(super) async fn handle(&mut self, id: RunId, step: Step, error: DeliveryError) {
        self.log(id, &error);
        let trouble = self.in_words(&error);
        let wait = match &error {
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
                backoff(self.failures)
            }
            DeliveryError::Unauthorized { .. } => {
                self.note_trouble(Some(trouble)).await;
                REFUSED_FOR
            }
            DeliveryError::MessageGone { .. } | DeliveryError::Rejected { .. } => {
                let delivery = self.given_up(id, step, error.to_string());
                self.note(delivery).await;
                return;
            }
        };
        self.blocked_until = Some(Instant::now() + wait);
    }

    /// What is the matter and what to do, for those who ask how all is.
    fn in_words(&self, error: &DeliveryError) -> String {
        match self.sink.hint(error) {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        }
    }

    pub(super) async fn note_trouble(&mut self, trouble: Option<String>) {
        if self.state.trouble != trouble {
            self.state.trouble = trouble;
            self.note_state().await;
        }
    }

    /// Notes that nothing is owed up to here, once that is news by so many entries.
    pub(super) async fn note_settled(&mut self, news: u64) {
        if self.pending.is_empty() && self.looked_at >= self.state.settled + news {
            self.state.settled = self.looked_at;
            self.note_state().await;
        }
    }

    async fn note_state(&self) {
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

    fn given_up(&self, id: RunId, step: Step, error: String) -> Delivery {
        let mut delivery = self.delivered(id, step, None);
        let view = self.pending.get(&id);
        delivery.message = match part_of(step) {
            Part::Thread => view.and_then(|view| view.thread.clone()),
            Part::Message | Part::Ending => view.and_then(|view| view.message.clone()),
        };
        delivery.state = DeliveryState::GivenUp;
        delivery.error = Some(error);
        delivery
    }

    pub(super) async fn note(&self, delivery: Delivery) {
        if let Err(error) = self.writer.deliver(delivery).await {
            tracing::error!(%error, "what was said can't be noted");
        }
    }
}

fn part_of(step: Step) -> Part {
    match step {
        Step::Post | Step::Finish | Step::Progress => Part::Message,
        Step::Reply | Step::UpdateReply => Part::Thread,
        Step::PostEnding => Part::Ending,
    }
}
