//! Where announcements are said. This is the family's contract; each chat is a private folder.
//!
//! A sink only carries out: it does not decide what is said, when, or whether to try again. That is
//! the publisher's.

use std::time::Duration;

use herald_core::announce::{Announcement, Notice};
use herald_core::outbox::{Found, Label};
use herald_core::seal::ThreadLabel;
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

use crate::config::{ChannelConfig, Config, SlackAccess, SlackConfig};

#[cfg(test)]
pub(crate) mod memory;
mod slack;

pub use slack::{Access, DEFAULT_API_URL, Slack, SlackSettings, http_client};

/// Where a message stands, in the words of the sink that posted it. Opaque to everybody else;
/// kept in the journal, so it must survive a restart. Empty where there is nothing to refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef(pub String);

/// What a sink can do beyond posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Messages can be edited and have threads.
    pub edit: bool,
    /// It can be asked what stands there, where it lets us.
    pub seek: bool,
}

/// What is posted, beside what it says.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// What it is about: what it can be found by.
    pub label: &'a Label,
    /// It may stand there already, and people are told so.
    pub repeat: bool,
}

/// Where messages of ours are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// What was posted after that time, by our clock.
    pub since: Timestamp,
    /// Any message of ours in the same channel, if one is known.
    pub near: Option<&'a MessageRef>,
    /// The message in whose thread to look, instead of the channel.
    pub thread: Option<&'a MessageRef>,
}

/// What came of looking.
#[derive(Debug)]
pub enum Sought<L = Label> {
    /// All messages of ours that are there, the oldest first.
    Found(Vec<Found<L>>),
    /// It does not let us look, and will not do so the next time: why.
    CanNotTell(String),
    /// It is there, but looking failed.
    Stumbled(DeliveryError),
}

/// What a check found out when nothing spoke against posting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Who we are there, if the chat says.
    pub identity: Option<String>,
    /// What could not be found out without posting, for people to read.
    pub unknown: Vec<String>,
    /// What it lacks to look for a message whose fate is not known: the permissions' names.
    pub missing: Vec<String>,
}

/// Why a delivery did not happen. The variant decides what happens next.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// Asked to come back later.
    #[error("the chat asks to wait {} s", retry_after.as_secs_f32())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Not reachable, or broken for the moment; the message is surely not there.
    #[error("the chat can't be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request was sent but no clear answer came: the message may be there.
    #[error("the chat gave no clear answer, the message may have arrived")]
    InDoubt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The message to edit is not there any more, or can't be edited any more.
    #[error("the message is gone ({reason})")]
    MessageGone {
        /// The chat's own word.
        reason: String,
    },
    /// Somebody has to change the credentials, the channel or what we may do there.
    #[error("the chat does not let us in ({reason})")]
    Unauthorized {
        /// The chat's own word.
        reason: String,
    },
    /// The chat does not take this message, and never will.
    #[error("the chat refuses the message ({reason})")]
    Rejected {
        /// The chat's own word.
        reason: String,
    },
}

impl DeliveryError {
    /// All that [`Self::label`] can give.
    pub const LABELS: [&'static str; 6] =
        ["rate_limited", "unavailable", "in_doubt", "message_gone", "unauthorized", "rejected"];

    /// A fixed word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable(_) => "unavailable",
            Self::InDoubt(_) => "in_doubt",
            Self::MessageGone { .. } => "message_gone",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// The sinks that a config names, in the order of their names; then the channels that routes name
/// beside, each of which is a sink by itself.
///
/// # Errors
/// When no HTTP client can be had.
pub fn sinks(config: &Config) -> Result<Vec<Sink>, reqwest::Error> {
    if config.slack.is_empty() {
        return Ok(Vec::new());
    }
    let http = http_client()?;
    let slack = |name: &String, slack: &SlackConfig, other: Option<&ChannelConfig>| {
        let settings = SlackSettings {
            api_url: slack.api_url.clone(),
            access: match &slack.access {
                SlackAccess::Webhook { url, guise } => {
                    Access::Webhook { url: url.clone(), guise: guise.clone() }
                }
                SlackAccess::Bot { token, channel } => Access::Bot {
                    token: token.clone(),
                    channel: other.map_or(channel, |other| &other.channel).clone(),
                },
            },
            name: name.clone(),
            members: config.slack_members.clone(),
        };
        Sink::Slack(Slack::new(settings, http.clone()))
    };
    let own = config.slack.iter().map(|(name, sink)| slack(name, sink, None));
    let others = config.channels.iter().filter_map(|(name, channel)| {
        config.slack.get(&channel.sink).map(|sink| slack(name, sink, Some(channel)))
    });
    Ok(own.chain(others).collect())
}

/// A place where announcements are said.
#[derive(Debug)]
pub enum Sink {
    /// A Slack channel.
    Slack(Slack),
    /// A channel in memory, which fails by lot.
    #[cfg(test)]
    Memory(memory::Memory),
}

impl Sink {
    /// The name that the config gives it.
    pub fn name(&self) -> &str {
        match self {
            Self::Slack(slack) => slack.name(),
            #[cfg(test)]
            Self::Memory(memory) => memory.name(),
        }
    }

    /// What the sink can do.
    pub fn abilities(&self) -> Abilities {
        match self {
            Self::Slack(slack) => slack.abilities(),
            #[cfg(test)]
            Self::Memory(memory) => memory.abilities(),
        }
    }

    /// Says it: a new message.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn post(
        &self,
        announcement: &Announcement,
        post: Post<'_>,
    ) -> Result<MessageRef, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.post(announcement, post).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.post(announcement, post).await,
        }
    }

    /// Says what is the matter elsewhere: one line, and one with more.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn notify(&self, notice: &Notice) -> Result<(), DeliveryError> {
        match self {
            Self::Slack(slack) => slack.notify(notice).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.notify(notice).await,
        }
    }

    /// Begins the thread of checkpoints.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn begin_thread(
        &self,
        notice: &Notice,
        label: &ThreadLabel,
    ) -> Result<MessageRef, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.begin_thread(notice, label).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.begin_thread(label).await,
        }
    }

    /// Says a checkpoint's line, in the thread, or by itself where there are none; `more` stands before it.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn say_checkpoint(
        &self,
        thread: Option<&MessageRef>,
        (more, line): (&str, &str),
        label: &ThreadLabel,
    ) -> Result<MessageRef, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.say_checkpoint(thread, (more, line), label).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.begin_thread(label).await,
        }
    }

    /// Looks for messages of ours about checkpoints.
    ///
    /// # Errors
    /// See [`DeliveryError`]: when the sink can't be asked anything.
    pub async fn seek_checkpoints(
        &self,
        search: Search<'_>,
    ) -> Result<Sought<ThreadLabel>, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.seek_checkpoints(search).await,
            #[cfg(test)]
            Self::Memory(_) => Ok(Sought::Found(Vec::new())),
        }
    }

    /// Looks for messages of ours.
    ///
    /// # Errors
    /// See [`DeliveryError`]: when the sink can't be asked anything.
    pub async fn seek(&self, search: Search<'_>) -> Result<Sought, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.seek(search).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.seek(search).await,
        }
    }

    /// Rewrites a message of ours.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn update(
        &self,
        message: &MessageRef,
        announcement: &Announcement,
    ) -> Result<(), DeliveryError> {
        match self {
            Self::Slack(slack) => slack.update(message, announcement).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.update(message, announcement).await,
        }
    }

    /// Says the details in the thread of a message of ours.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn reply(
        &self,
        message: &MessageRef,
        announcement: &Announcement,
        post: Post<'_>,
    ) -> Result<MessageRef, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.reply(message, announcement, post).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.reply(message, announcement, post).await,
        }
    }

    /// Rewrites a reply of ours.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn update_reply(
        &self,
        reply: &MessageRef,
        announcement: &Announcement,
    ) -> Result<(), DeliveryError> {
        match self {
            Self::Slack(slack) => slack.update_reply(reply, announcement).await,
            #[cfg(test)]
            Self::Memory(memory) => memory.update_reply(reply, announcement).await,
        }
    }

    /// What [`Sink::post_command`] posts of a command line; nothing for a sink without a webhook.
    pub fn command_payload(&self, command: &str) -> Option<Value> {
        match self {
            Self::Slack(slack) => slack.command_payload(command),
            #[cfg(test)]
            Self::Memory(_) => None,
        }
    }

    /// Posts a command line as the usual script behind a reactor does.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn post_command(&self, command: &str) -> Result<(), DeliveryError> {
        match self {
            Self::Slack(slack) => slack.post_command(command).await,
            #[cfg(test)]
            Self::Memory(_) => Ok(()),
        }
    }

    /// Asks whether posting would work, without posting.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn check(&self) -> Result<Checked, DeliveryError> {
        match self {
            Self::Slack(slack) => slack.check().await,
            #[cfg(test)]
            Self::Memory(memory) => memory.check().await,
        }
    }

    /// What people can do about an error of this sink, if anything.
    pub fn hint(&self, error: &DeliveryError) -> Option<String> {
        match self {
            Self::Slack(slack) => slack.hint(error),
            #[cfg(test)]
            Self::Memory(memory) => memory.hint(error),
        }
    }
}
