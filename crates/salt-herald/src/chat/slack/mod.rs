//! Slack, by an incoming webhook or by a bot's token.
//!
//! This carries out: it turns an announcement into requests and an answer into a [`DeliveryError`].
//! It never waits and never tries again, and it keeps no state but what Slack told of the bot: a message's
//! channel and time stamp live in its [`MessageRef`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use herald_core::announce::{Announcement, Mood, Notice};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use self::answer::Effect;
pub use self::client::http_client;
use self::place::Place;
use self::render::Content;
use super::{Abilities, Checked, DeliveryError, MessageRef, Post, Search, Sought};
use crate::config::Guise;

mod answer;
mod check;
mod checkpoints;
mod client;
mod hint;
mod legacy;
mod literal;
mod place;
mod render;
#[cfg(test)]
mod render_tests;
mod seek;

/// Where Slack's Web API stands, unless the config says otherwise.
pub const DEFAULT_API_URL: &str = "https://slack.com/api/";

/// How we may speak in a channel.
#[derive(Debug, Clone)]
pub enum Access {
    /// An incoming webhook: it posts into its channel, and can do no more.
    Webhook {
        /// The whole URL; whoever has it can post.
        url: SecretString,
        /// Where and as whom it asks to speak.
        guise: Guise,
    },
    /// A bot's token: it edits, and has threads.
    Bot {
        /// The `xoxb-` token, with the scope `chat:write`.
        token: SecretString,
        /// The channel's ID or its name, with or without `#`.
        channel: String,
    },
}

/// What a Slack sink is made from.
#[derive(Clone)]
pub struct SlackSettings {
    /// The Web API's address, [`DEFAULT_API_URL`] or that of a proxy or a stand-in. Webhooks don't
    /// use it.
    pub api_url: String,
    /// Webhook or token.
    pub access: Access,
    /// The name of the config's table.
    pub name: String,
    /// The ids of people who may be mentioned, by the user that Salt names.
    pub members: BTreeMap<String, String>,
}

/// One Slack channel.
pub struct Slack {
    http: reqwest::Client,
    api_url: String,
    name: String,
    members: BTreeMap<String, String>,
    way: Way,
}

enum Way {
    Webhook(Webhook),
    Bot(Bot),
}

struct Webhook {
    url: SecretString,
    guise: Guise,
}

struct Bot {
    token: SecretString,
    channel: String,
    /// Known after a check.
    name: OnceLock<String>,
    /// Slack takes no metadata from this token.
    plain: AtomicBool,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Slack {
    /// A sink that uses this client, best one of [`http_client`]: timeouts and redirects are the
    /// client's. Nothing is asked yet.
    pub fn new(settings: SlackSettings, http: reqwest::Client) -> Self {
        let way = match settings.access {
            Access::Webhook { url, guise } => Way::Webhook(Webhook { url, guise }),
            Access::Bot { token, channel } => {
                let (name, plain) = (OnceLock::new(), AtomicBool::new(false));
                Way::Bot(Bot { token, channel, name, plain })
            }
        };
        let api_url = settings.api_url.trim_end_matches('/').to_owned();
        Self { http, api_url, name: settings.name, members: settings.members, way }
    }

    /// The name of the config's table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What this sink can do.
    pub fn abilities(&self) -> Abilities {
        let is_bot = matches!(self.way, Way::Bot(_));
        Abilities { edit: is_bot, seek: is_bot }
    }

    /// Says it: a new message. A webhook's message of an ended run brings the details along.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn post(
        &self,
        announcement: &Announcement,
        post: Post<'_>,
    ) -> Result<MessageRef, DeliveryError> {
        match &self.way {
            Way::Webhook(webhook) => {
                let content =
                    render::message_with_details(announcement).calling(self.member(announcement));
                let content = render::marked(content, post.repeat);
                self.post_to(webhook, content).await
            }
            Way::Bot(bot) => {
                let content = render::marked(self.message(announcement), post.repeat);
                let mut fields = posted_fields(content);
                fields.insert("channel".to_owned(), json!(bot.channel));
                self.post_as(bot, fields, Some(seek::metadata(post.label))).await
            }
        }
    }

    /// Says what is the matter elsewhere.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn notify(&self, notice: &Notice) -> Result<(), DeliveryError> {
        let content = render::notice(notice);
        match &self.way {
            Way::Webhook(webhook) => self.post_to(webhook, content).await.map(|_| ()),
            Way::Bot(bot) => {
                let mut fields = posted_fields(content);
                fields.insert("channel".to_owned(), json!(bot.channel));
                self.post_as(bot, fields, None).await.map(|_| ())
            }
        }
    }

    /// Looks for messages of ours.
    ///
    /// # Errors
    /// See [`DeliveryError`]: when Slack can't be asked anything.
    pub async fn seek(&self, search: Search<'_>) -> Result<Sought, DeliveryError> {
        seek::seek(self, self.bot()?, search, seek::read_label).await
    }

    /// What [`Slack::post_command`] posts; nothing without a webhook.
    pub fn command_payload(&self, command: &str) -> Option<Value> {
        match &self.way {
            Way::Webhook(webhook) => Some(legacy::payload(command, &webhook.guise)),
            Way::Bot(_) => None,
        }
    }

    /// Posts a command line as the usual script behind a reactor does: as a form with one field,
    /// `payload`.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn post_command(&self, command: &str) -> Result<(), DeliveryError> {
        let Way::Webhook(webhook) = &self.way else {
            return Err(DeliveryError::Rejected { reason: "needs_a_webhook".to_owned() });
        };
        let payload = legacy::payload(command, &webhook.guise).to_string();
        self.post_by(webhook, client::Content::Form(&[("payload", &payload)])).await
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
        self.rewrite(message, self.message(announcement)).await
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
        let bot = self.bot()?;
        let place = Place::read(message)?;
        let content = render::marked(self.thread(announcement), post.repeat);
        let mut fields = posted_fields(content);
        fields.insert("channel".to_owned(), json!(place.channel));
        fields.insert("thread_ts".to_owned(), json!(place.ts));
        self.post_as(bot, fields, Some(seek::metadata(post.label))).await
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
        self.rewrite(reply, self.thread(announcement)).await
    }

    /// Asks whether posting would work, without posting.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn check(&self) -> Result<Checked, DeliveryError> {
        match &self.way {
            Way::Webhook(webhook) => check::webhook(self, webhook.url.expose_secret()).await,
            Way::Bot(bot) => check::bot(self, bot).await,
        }
    }

    /// What people can do about an error of this sink.
    pub fn hint(&self, error: &DeliveryError) -> Option<String> {
        let (channel, bot) = match &self.way {
            Way::Webhook(_) => (None, None),
            Way::Bot(bot) => (Some(bot.channel.as_str()), bot.name.get().map(String::as_str)),
        };
        hint::hint(error, &hint::Subject { channel, bot })
    }

    /// A message that has a thread. Who is called because the run failed is called in that: it is
    /// posted then, and this one only edited, which notifies nobody.
    fn message(&self, announcement: &Announcement) -> Content {
        let is_always = announcement.mention.as_ref().is_some_and(|mention| mention.always);
        let member = self.member(announcement).filter(|_| is_always);
        render::message(announcement).calling(member)
    }

    fn thread(&self, announcement: &Announcement) -> Content {
        let member = self.member(announcement).filter(|_| announcement.mood == Mood::Failed);
        render::thread(announcement).calling(member)
    }

    /// The id of whom an announcement calls. It comes from the config, and nowhere else.
    fn member(&self, announcement: &Announcement) -> Option<&str> {
        let user = &announcement.mention.as_ref()?.user;
        self.members.get(user).map(String::as_str)
    }

    fn bot(&self) -> Result<&Bot, DeliveryError> {
        match &self.way {
            Way::Bot(bot) => Ok(bot),
            Way::Webhook(_) => {
                Err(DeliveryError::Rejected { reason: "webhooks_only_post".to_owned() })
            }
        }
    }

    fn method_url(&self, method: &str) -> String {
        format!("{}/{method}", self.api_url)
    }

    async fn post_by(
        &self,
        webhook: &Webhook,
        content: client::Content<'_>,
    ) -> Result<(), DeliveryError> {
        let url = webhook.url.expose_secret();
        let answer = client::send(&self.http, url, None, content, Effect::Posts).await?;
        answer::read_webhook(&answer)
    }

    async fn post_to(
        &self,
        webhook: &Webhook,
        content: Content,
    ) -> Result<MessageRef, DeliveryError> {
        let mut fields = posted_fields(content);
        legacy::dress(&mut fields, &webhook.guise);
        let content = Value::Object(fields);
        self.post_by(webhook, client::Content::Json(&content)).await?;
        // Slack does not say what it posted; there is nothing to refer to.
        Ok(MessageRef(String::new()))
    }

    async fn post_as(
        &self,
        bot: &Bot,
        mut fields: Map<String, Value>,
        metadata: Option<Value>,
    ) -> Result<MessageRef, DeliveryError> {
        let metadata = metadata.filter(|_| !bot.plain.load(Ordering::Relaxed));
        let is_labelled = metadata.is_some();
        fields.extend(metadata.map(|metadata| ("metadata".to_owned(), metadata)));
        let mut posted = self.call(bot, "chat.postMessage", fields.clone(), Effect::Posts).await;
        if is_labelled && posted.as_ref().is_err_and(is_about_metadata) {
            bot.plain.store(true, Ordering::Relaxed);
            fields.remove("metadata");
            posted = self.call(bot, "chat.postMessage", fields, Effect::Posts).await;
        }
        let json = posted?;
        let text_of = |field: &str| json.get(field).and_then(Value::as_str).map(str::to_owned);
        match (text_of("channel"), text_of("ts")) {
            (Some(channel), Some(ts)) => Place { channel, ts }.write(),
            _ => Err(DeliveryError::InDoubt("Slack did not say where the message is".into())),
        }
    }

    async fn rewrite(&self, message: &MessageRef, content: Content) -> Result<(), DeliveryError> {
        let bot = self.bot()?;
        let place = Place::read(message)?;
        let mut fields = fields_of(content);
        fields.insert("channel".to_owned(), json!(place.channel));
        fields.insert("ts".to_owned(), json!(place.ts));
        self.call(bot, "chat.update", fields, Effect::Repeatable).await.map(|_| ())
    }

    async fn call(
        &self,
        bot: &Bot,
        method: &str,
        fields: Map<String, Value>,
        effect: Effect,
    ) -> Result<Value, DeliveryError> {
        let url = self.method_url(method);
        let content = Value::Object(fields);
        let content = client::Content::Json(&content);
        let answer = client::send(&self.http, &url, Some(&bot.token), content, effect).await?;
        answer::read_api(&answer, effect)
    }
}

/// Some old tokens may post, but nothing that people don't see.
fn is_about_metadata(error: &DeliveryError) -> bool {
    match error {
        DeliveryError::Unauthorized { reason } | DeliveryError::Rejected { reason } => {
            reason.contains("metadata")
        }
        _ => false,
    }
}

/// What a message says, as both posting and editing take it. Slack is to find nothing in it:
/// editing would look for links and names if it were not told again.
fn fields_of(content: Content) -> Map<String, Value> {
    let Content { text, blocks, attachments } = content;
    Map::from_iter([
        ("text".to_owned(), json!(text)),
        ("blocks".to_owned(), json!(blocks)),
        ("attachments".to_owned(), json!(attachments)),
        ("parse".to_owned(), json!("none")),
        ("link_names".to_owned(), json!(false)),
    ])
}

/// The same with what only posting takes. Editing without `metadata` leaves it as it is.
fn posted_fields(content: Content) -> Map<String, Value> {
    let mut fields = fields_of(content);
    for (name, value) in [("mrkdwn", false), ("unfurl_links", false), ("unfurl_media", false)] {
        fields.insert(name.to_owned(), json!(value));
    }
    fields
}
