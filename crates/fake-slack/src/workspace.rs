//! The workspace: channels, messages, and what Slack allows to do with them.
//!
//! No HTTP here, and no clock but the instants that callers hand in and the time stamps of messages.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::content::Content;
use crate::faults::Faults;
use crate::limits::{Bucket, Rate};
use crate::rules;

/// How the stand-in is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The only token that is valid.
    pub token: String,
    /// The channel's name, without `#`.
    pub channel: String,
    /// What follows `/services/` in the webhook's URL: `T…/B…/secret`.
    pub webhook: String,
    /// Whether the webhook is of the old kind, which lets a message choose its channel, name and
    /// picture. Those of apps pass over that.
    pub legacy: bool,
    /// The token's scopes.
    pub scopes: Vec<String>,
    /// The bot's name.
    pub bot: String,
    /// Messages into one channel; nothing is no limit.
    pub posts: Option<Rate>,
    /// Edits; nothing is no limit.
    pub edits: Option<Rate>,
}

impl Default for Options {
    fn default() -> Self {
        let scopes =
            ["chat:write", "channels:read", "groups:read", "channels:history", "groups:history"];
        Self {
            token: "xoxb-fake-token".to_owned(),
            channel: "monitoring".to_owned(),
            webhook: "T0FAKE/B0FAKE/fake-secret".to_owned(),
            legacy: false,
            scopes: scopes.map(str::to_owned).to_vec(),
            bot: "herald".to_owned(),
            posts: Some(Rate::POSTS),
            edits: Some(Rate::TIER_3),
        }
    }
}

/// Who posted a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The bot, with its token.
    Bot,
    /// The incoming webhook.
    Webhook,
}

/// What a message said before it was edited.
#[derive(Debug, Clone)]
pub struct Edit {
    /// When the edit arrived.
    pub at: Instant,
    /// What the message said before.
    pub before: Content,
    /// How long before it arrived its connection had been closed: see `Fault::Late`.
    pub late: Option<Duration>,
}

/// A message, or a reply in a thread.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its time stamp, which is its name in the channel.
    pub ts: String,
    /// The message whose thread it stands in.
    pub thread_ts: Option<String>,
    /// Who posted it.
    pub by: By,
    /// What it says now.
    pub content: Content,
    /// When it arrived.
    pub at: Instant,
    /// Its edits, oldest first.
    pub edits: Vec<Edit>,
    /// How long before it arrived its connection had been closed: see `Fault::Late`. Not known of a
    /// webhook's.
    pub late: Option<Duration>,
}

/// What happened in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A message was posted.
    Post,
    /// A reply was posted.
    Reply,
    /// A message or a reply was edited.
    Edit,
    /// A message was deleted by somebody.
    Delete,
}

/// Something that happened in a channel.
#[derive(Debug, Clone)]
pub struct Change {
    /// What.
    pub what: What,
    /// With which message.
    pub ts: String,
    /// When.
    pub at: Instant,
    /// What the message said then, as plain lines.
    pub shown: String,
}

/// A channel with all that was said in it.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    /// Its ID.
    pub id: String,
    /// Its name, without `#`.
    pub name: String,
    /// Whether only members see it.
    pub private: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether the bot is in it.
    pub member: bool,
    /// Messages and replies, oldest first.
    pub messages: Vec<Message>,
    /// All that happened, oldest first.
    pub changes: Vec<Change>,
    posts: Bucket,
}

impl Channel {
    /// An empty channel that the bot is in.
    pub fn new(name: &str, private: bool) -> Self {
        Self { name: name.to_owned(), private, member: true, ..Self::default() }
    }

    /// The messages that are not replies.
    pub fn roots(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.thread_ts.is_none())
    }

    /// The replies in a message's thread.
    pub fn replies(&self, ts: &str) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| message.thread_ts.as_deref() == Some(ts))
    }

    fn record(&mut self, what: What, ts: &str, shown: String) {
        self.changes.push(Change { what, ts: ts.to_owned(), at: Instant::now(), shown });
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Slack's code, with an explanation where Slack gives one.
    Code(&'static str, String),
    /// The scope that the token lacks.
    Scope(&'static str),
    /// Come back in so many seconds.
    Wait(u64),
}

impl Refusal {
    pub(crate) fn code(code: &'static str) -> Self {
        Self::Code(code, String::new())
    }
}

/// All that the stand-in knows.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) options: Options,
    pub(crate) channels: Vec<Channel>,
    pub(crate) faults: Faults,
    pub(crate) revoked: bool,
    pub(crate) edit_window_closed: bool,
    edits: Bucket,
    /// The time stamp of the last message, in microseconds.
    posted: u64,
}

fn microseconds_now() -> u64 {
    let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_micros()).unwrap_or_default()
}

impl Workspace {
    pub(crate) fn new(options: Options) -> Self {
        let mut workspace = Self {
            channels: Vec::new(),
            faults: Faults::default(),
            revoked: false,
            edit_window_closed: false,
            edits: Bucket::default(),
            posted: 0,
            options,
        };
        let name = workspace.options.channel.trim_start_matches('#').to_owned();
        workspace.add_channel(Channel { name, member: true, ..Channel::default() });
        workspace
    }

    /// Adds a channel and gives it an ID.
    pub(crate) fn add_channel(&mut self, channel: Channel) -> String {
        let id = format!("C0FAKE{:04}", self.channels.len() + 1);
        self.channels.push(Channel { id: id.clone(), ..channel });
        id
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.options.scopes.iter().any(|known| known == scope)
    }

    pub(crate) fn need_scope(&self, scope: &'static str) -> Result<(), Refusal> {
        if self.has_scope(scope) { Ok(()) } else { Err(Refusal::Scope(scope)) }
    }

    /// A channel by its ID or its name.
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut Channel> {
        let name = name.trim_start_matches('#');
        self.channels.iter_mut().find(|channel| channel.id == name || channel.name == name)
    }

    /// `chat.postMessage`, or a webhook's message. Gives the channel's ID and the time stamp.
    pub(crate) fn post(
        &mut self,
        by: By,
        channel: &str,
        thread_ts: Option<&str>,
        content: Content,
        now: Instant,
    ) -> Result<(String, String), Refusal> {
        let rate = self.options.posts;
        let public_too = self.has_scope("chat:write.public");
        self.posted = (self.posted + 1).max(microseconds_now());
        let ts = format!("{}.{:06}", self.posted / 1_000_000, self.posted % 1_000_000);
        let refuse = |code| Err(Refusal::code(code));
        let Some(channel) = self.find(channel) else {
            return refuse("channel_not_found");
        };
        let open = public_too && !channel.private;
        if by == By::Bot && !channel.member && !open {
            return refuse(if channel.private { "channel_not_found" } else { "not_in_channel" });
        }
        if channel.archived {
            return refuse("is_archived");
        }
        if let Some(thread) = thread_ts
            && !channel.messages.iter().any(|message| message.ts == thread)
        {
            return refuse("thread_not_found");
        }
        rules::check(&content).map_err(|refused| Refusal::Code(refused.code, refused.why))?;
        channel.posts.take(rate, now).map_err(Refusal::Wait)?;
        let what = if thread_ts.is_some() { What::Reply } else { What::Post };
        channel.record(what, &ts, content.shown());
        channel.messages.push(Message {
            ts: ts.clone(),
            thread_ts: thread_ts.map(str::to_owned),
            by,
            content,
            at: now,
            edits: Vec::new(),
            late: None,
        });
        Ok((channel.id.clone(), ts))
    }

    /// `chat.update`: the channel by its ID only.
    pub(crate) fn edit(
        &mut self,
        channel: &str,
        ts: &str,
        change: impl FnOnce(Content) -> Content,
        now: Instant,
    ) -> Result<(), Refusal> {
        let refuse = |code| Err(Refusal::code(code));
        self.edits.take(self.options.edits, now).map_err(Refusal::Wait)?;
        let closed = self.edit_window_closed;
        let Some(channel) = self.channels.iter_mut().find(|known| known.id == channel) else {
            return refuse("channel_not_found");
        };
        if channel.archived {
            return refuse("is_inactive");
        }
        let Some(message) = channel.messages.iter_mut().find(|message| message.ts == ts) else {
            return refuse("message_not_found");
        };
        if message.by == By::Webhook {
            return refuse("cant_update_message");
        }
        if closed {
            return refuse("edit_window_closed");
        }
        let content = change(message.content.clone());
        rules::check(&content).map_err(|refused| Refusal::Code(refused.code, refused.why))?;
        let shown = content.shown();
        let before = std::mem::replace(&mut message.content, content);
        message.edits.push(Edit { at: now, before, late: None });
        channel.record(What::Edit, ts, shown);
        Ok(())
    }

    /// Notes how late a message or its last edit arrived.
    pub(crate) fn mark_late(&mut self, ts: &str, late: Duration) {
        let messages = self.channels.iter_mut().flat_map(|channel| &mut channel.messages);
        for message in messages.filter(|message| message.ts == ts) {
            match message.edits.last_mut() {
                Some(edit) => edit.late = Some(late),
                None => message.late = Some(late),
            }
        }
    }

    /// Somebody deletes a message, and its thread with it.
    pub(crate) fn delete(&mut self, ts: &str) -> bool {
        for channel in &mut self.channels {
            let before = channel.messages.len();
            let stays = |m: &Message| m.ts != ts && m.thread_ts.as_deref() != Some(ts);
            channel.messages.retain(stays);
            if channel.messages.len() < before {
                channel.record(What::Delete, ts, String::new());
                return true;
            }
        }
        false
    }
}
