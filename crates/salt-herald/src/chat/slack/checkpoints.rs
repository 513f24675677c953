//! Checkpoints in a channel: the message that begins their thread, the lines in it, and finding both again
//! by the metadata that they carry.
//!
//! Which is said, and when, is decided elsewhere.

use herald_core::announce::Notice;
use herald_core::seal::{ThreadLabel, Told};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::place::Place;
use super::{Slack, Way, posted_fields, render, seek};
use crate::chat::{DeliveryError, MessageRef, Search, Sought};

/// The type of our metadata about checkpoints: who looks for runs does not see them.
const EVENT: &str = "salt_herald_checkpoint";

impl Slack {
    /// Begins the thread.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn begin_thread(
        &self,
        notice: &Notice,
        label: &ThreadLabel,
    ) -> Result<MessageRef, DeliveryError> {
        let bot = self.bot()?;
        let mut fields = posted_fields(render::notice(notice));
        fields.insert("channel".to_owned(), json!(bot.channel));
        self.post_as(bot, fields, Some(metadata(label))).await
    }

    /// Says a checkpoint: in the thread, or by itself where there are none. `more` stands before its line.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn say_checkpoint(
        &self,
        thread: Option<&MessageRef>,
        (more, line): (&str, &str),
        label: &ThreadLabel,
    ) -> Result<MessageRef, DeliveryError> {
        let content = render::checkpoint(more, line);
        match (&self.way, thread) {
            (Way::Webhook(webhook), _) => self.post_to(webhook, content).await,
            (Way::Bot(bot), Some(thread)) => {
                let place = Place::read(thread)?;
                let mut fields = posted_fields(content);
                fields.insert("channel".to_owned(), json!(place.channel));
                fields.insert("thread_ts".to_owned(), json!(place.ts));
                self.post_as(bot, fields, Some(metadata(label))).await
            }
            (Way::Bot(_), None) => {
                Err(DeliveryError::MessageGone { reason: "no_thread".to_owned() })
            }
        }
    }

    /// Looks for messages of ours about checkpoints.
    ///
    /// # Errors
    /// See [`DeliveryError`]: when Slack can't be asked anything.
    pub async fn seek_checkpoints(
        &self,
        search: Search<'_>,
    ) -> Result<Sought<ThreadLabel>, DeliveryError> {
        seek::seek(self, self.bot()?, search, read_label).await
    }
}

fn metadata(label: &ThreadLabel) -> Value {
    let ThreadLabel { origin, sink, told } = label;
    json!({
        "event_type": EVENT,
        "event_payload": {
            "origin": origin, "sink": sink,
            "entry": told.map_or(0, |told| told.number),
            "at": told.map_or(0, |told| told.at.as_second()),
        },
    })
}

fn read_label(metadata: &Value) -> Option<ThreadLabel> {
    let is_ours = metadata.get("event_type").and_then(Value::as_str) == Some(EVENT);
    let payload = metadata.get("event_payload").filter(|_| is_ours)?;
    let text = |field: &str| payload.get(field).and_then(Value::as_str).map(str::to_owned);
    let number = payload.get("entry").and_then(Value::as_u64)?;
    let at = payload.get("at").and_then(Value::as_i64)?;
    let told = match number {
        0 => None,
        number => Some(Told { number, at: Timestamp::from_second(at).ok()? }),
    };
    Some(ThreadLabel { origin: text("origin")?, sink: text("sink")?, told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_known_again() {
        let at = "2026-11-26T00:00:07Z".parse().unwrap();
        let thread = ThreadLabel { origin: "51c0".into(), sink: "ops".into(), told: None };
        let line = ThreadLabel { told: Some(Told { number: 4711, at }), ..thread.clone() };
        for label in [&thread, &line] {
            assert_eq!(read_label(&metadata(label)).as_ref(), Some(label));
            // Who looks for runs passes over it.
            assert_eq!(seek::read_label(&metadata(label)), None);
        }
        insta::assert_snapshot!([thread, line].map(|it| metadata(&it).to_string()).join("\n"));
        for odd in [json!(null), json!({"event_type": EVENT}), json!("x")] {
            assert_eq!(read_label(&odd), None);
        }
    }
}
