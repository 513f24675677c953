//! A channel in memory for tests: it loses answers, is away and takes its time by lot, and can end
//! its caller at any point. Nothing in it takes real time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use herald_core::announce::{Announcement, Notice};
use herald_core::outbox::{Found, Label};
use herald_core::seal::ThreadLabel;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Abilities, Checked, DeliveryError, MessageRef, Post, Search, Sought};

/// What the channel allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Editing, threads, and reading what is there.
    Bot,
    /// The same without reading.
    BlindBot,
    /// Posting only.
    Webhook,
}

/// A message or a reply.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) label: Label,
    pub(crate) thread: Option<usize>,
    pub(crate) repeat: bool,
    pub(crate) said: Announcement,
}

/// A number by lot; the same seed gives the same ones.
#[derive(Debug)]
pub(crate) struct Lot(u64);

impl Lot {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit.max(1)
    }
}

#[derive(Debug)]
struct State {
    messages: Vec<Message>,
    lot: Lot,
    /// One call in so many fails; none while it is nothing.
    fails: Option<u64>,
    /// So many points of calls are passed before the caller ends.
    until_end: Option<u64>,
    loses: bool,
    /// Its token was revoked.
    revoked: bool,
    /// Somebody deleted these.
    deleted: Vec<usize>,
    stumbles: u32,
}

/// The channel. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Memory {
    name: String,
    kind: Kind,
    state: Arc<Mutex<State>>,
    ended: Arc<Notify>,
}

/// What happens to a call.
enum Fate {
    Works,
    AnswerLost,
    Lost,
    Late(Duration),
    Fails(DeliveryError),
}

impl Memory {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let state = State {
            messages: Vec::new(),
            lot: Lot::new(seed),
            fails: None,
            until_end: None,
            loses: false,
            revoked: false,
            deleted: Vec::new(),
            stumbles: 0,
        };
        let state = Arc::new(Mutex::new(state));
        Self { name: "memory".to_owned(), kind, state, ended: Arc::default() }
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.lock().messages.clone()
    }

    /// From now on one call in so many fails.
    pub(crate) fn fail_one_in(&self, calls: Option<u64>) {
        self.lock().fails = calls;
    }

    /// Lets calls end their caller after so many points.
    pub(crate) fn end_after(&self, points: Option<u64>) {
        self.lock().until_end = points;
    }

    /// The next message is taken, and nobody hears of it.
    pub(crate) fn lose_an_answer(&self) {
        self.lock().loses = true;
    }

    /// From now on nobody is let in, or everybody again.
    pub(crate) fn revoke(&self, revoked: bool) {
        self.lock().revoked = revoked;
    }

    /// Somebody deletes a message by hand.
    pub(crate) fn delete(&self, place: usize) {
        self.lock().deleted.push(place);
    }

    /// The caller is to end here.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A point at which the caller may be ended: it goes on nowhere then, unless it has its answer.
    async fn point(&self, answered: bool) {
        let wait = {
            let mut state = self.lock();
            let is_end = match &mut state.until_end {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            };
            if is_end {
                state.until_end = None;
                self.ended.notify_one();
                if answered { None } else { Some(Duration::MAX) }
            } else {
                Some(Duration::from_millis(state.lot.below(40)))
            }
        };
        match wait {
            Some(Duration::MAX) => std::future::pending().await,
            Some(wait) => sleep(wait).await,
            None => {}
        }
    }

    fn fate(&self) -> Fate {
        let mut state = self.lock();
        if std::mem::take(&mut state.loses) {
            return Fate::AnswerLost;
        }
        if state.revoked {
            let reason = "token_revoked".to_owned();
            return Fate::Fails(DeliveryError::Unauthorized { reason });
        }
        let Some(calls) = state.fails else { return Fate::Works };
        if state.lot.below(calls) > 0 {
            return Fate::Works;
        }
        let lot = state.lot.below(8);
        match lot {
            0..3 => Fate::AnswerLost,
            3 => Fate::Lost,
            4 => Fate::Late(Duration::from_millis(state.lot.below(1_500))),
            5 | 6 => Fate::Fails(DeliveryError::Unavailable("HTTP 503".into())),
            _ => {
                let retry_after = Duration::from_secs(1 + state.lot.below(4));
                Fate::Fails(DeliveryError::RateLimited { retry_after })
            }
        }
    }

    async fn add(
        &self,
        thread: Option<usize>,
        announcement: &Announcement,
        post: Post<'_>,
    ) -> Result<MessageRef, DeliveryError> {
        self.point(false).await;
        let message = Message {
            label: post.label.clone(),
            thread,
            repeat: post.repeat,
            said: announcement.clone(),
        };
        let doubt = || DeliveryError::InDoubt("no answer".into());
        match self.fate() {
            Fate::Works => {
                let place = self.accept(message);
                self.point(false).await;
                self.point(true).await;
                Ok(place)
            }
            Fate::AnswerLost => {
                self.accept(message);
                self.point(false).await;
                Err(doubt())
            }
            Fate::Lost => Err(doubt()),
            Fate::Late(after) => {
                let slack = self.clone();
                tokio::spawn(async move {
                    sleep(after).await;
                    slack.accept(message);
                });
                Err(doubt())
            }
            Fate::Fails(error) => Err(error),
        }
    }

    fn accept(&self, message: Message) -> MessageRef {
        let messages = &mut self.lock().messages;
        messages.push(message);
        MessageRef((messages.len() - 1).to_string())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn abilities(&self) -> Abilities {
        Abilities { edit: self.kind != Kind::Webhook, seek: self.kind != Kind::Webhook }
    }

    pub(crate) async fn post(
        &self,
        announcement: &Announcement,
        post: Post<'_>,
    ) -> Result<MessageRef, DeliveryError> {
        self.add(None, announcement, post).await
    }

    pub(crate) async fn reply(
        &self,
        message: &MessageRef,
        announcement: &Announcement,
        post: Post<'_>,
    ) -> Result<MessageRef, DeliveryError> {
        self.add(message.0.parse().ok(), announcement, post).await
    }

    pub(crate) async fn update(
        &self,
        message: &MessageRef,
        announcement: &Announcement,
    ) -> Result<(), DeliveryError> {
        self.point(false).await;
        let fate = self.fate();
        let place: usize = message.0.parse().unwrap();
        if matches!(fate, Fate::Works) && self.lock().deleted.contains(&place) {
            let reason = "message_not_found".to_owned();
            return Err(DeliveryError::MessageGone { reason });
        }
        if matches!(fate, Fate::Works | Fate::AnswerLost) {
            self.lock().messages[place].said = announcement.clone();
        }
        self.point(matches!(fate, Fate::Works)).await;
        match fate {
            Fate::Works => Ok(()),
            Fate::Fails(error) => Err(error),
            _ => Err(DeliveryError::Unavailable("no answer".into())),
        }
    }

    pub(crate) async fn update_reply(
        &self,
        reply: &MessageRef,
        announcement: &Announcement,
    ) -> Result<(), DeliveryError> {
        self.update(reply, announcement).await
    }

    pub(crate) async fn seek(&self, search: Search<'_>) -> Result<Sought, DeliveryError> {
        self.point(false).await;
        if self.kind == Kind::BlindBot {
            return Ok(Sought::CanNotTell("missing_scope".to_owned()));
        }
        match self.fate() {
            Fate::Works => {}
            Fate::Fails(error) => return Err(error),
            _ => {
                // Not so often in a row that nobody would have the patience.
                let mut state = self.lock();
                state.stumbles = (state.stumbles + 1) % 4;
                if state.stumbles > 0 {
                    let error = DeliveryError::Unavailable("no answer".into());
                    return Ok(Sought::Stumbled(error));
                }
            }
        }
        let thread: Option<usize> = search.thread.map(|thread| thread.0.parse().unwrap());
        let mut found = Vec::new();
        for (place, message) in self.messages().into_iter().enumerate() {
            if message.thread == thread {
                found.push(Found { place: place.to_string(), label: message.label });
            }
        }
        self.point(true).await;
        Ok(Sought::Found(found))
    }

    pub(crate) async fn notify(&self, _: &Notice) -> Result<(), DeliveryError> {
        Ok(())
    }

    /// Checkpoints are taken as they come: what becomes of them is tried with the stand-in for Slack.
    pub(crate) async fn begin_thread(&self, _: &ThreadLabel) -> Result<MessageRef, DeliveryError> {
        Ok(MessageRef(String::new()))
    }

    pub(crate) async fn check(&self) -> Result<Checked, DeliveryError> {
        Ok(Checked::default())
    }

    pub(crate) fn hint(&self, _: &DeliveryError) -> Option<String> {
        None
    }
}
