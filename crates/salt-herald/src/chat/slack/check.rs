//! Asking whether posting would work, without posting.
//!
//! Slack has no such question for a channel, so this asks around it as far as the token's scopes
//! allow, and says what it could not find out. It changes nothing: no join, no scheduled message.

use serde_json::Value;

use super::answer::{self, Answer, Effect};
use super::client::{self, Content};
use super::{Bot, Slack};
use crate::chat::{Checked, DeliveryError};

/// Pages of channels that are looked through for a name; Slack allows twenty such calls a minute.
const MOST_PAGES: usize = 10;

/// What is known of a channel, or why nothing is.
pub(super) enum Found {
    Channel(Value),
    NotThere,
    CanNotTell(String),
}

/// A webhook can only be posted to. A message with nothing in it is refused by live ones, in words
/// that dead ones don't use; it is what scanners for leaked secrets do, too.
pub(super) async fn webhook(slack: &Slack, url: &str) -> Result<Checked, DeliveryError> {
    let nothing = Value::Object(serde_json::Map::new());
    let content = Content::Json(&nothing);
    let answer = client::send(&slack.http, url, None, content, Effect::Repeatable).await?;
    let mut checked = Checked::default();
    if answer::refuses_emptiness(&answer) {
        return Ok(checked);
    }
    answer::read_webhook(&answer)?;
    checked.unknown.push("it takes empty messages, so it may not be Slack".to_owned());
    Ok(checked)
}

/// Who the bot is, whether it may write, and whether it is in the channel.
pub(super) async fn bot(slack: &Slack, bot: &Bot) -> Result<Checked, DeliveryError> {
    let (answer, identity) = ask(slack, bot, "auth.test", &[]).await?;
    let scopes = Scopes::of(&answer);
    let name_of = |field: &str| identity.get(field).and_then(Value::as_str);
    if let Some(user) = name_of("user") {
        // Once is enough: a bot's name changes rarely, and a hint is all that it is for.
        let _ = bot.name.set(user.to_owned());
    }
    let mut checked = Checked {
        identity: name_of("user").map(|user| match name_of("team") {
            Some(team) => format!("{user} in {team}"),
            None => user.to_owned(),
        }),
        ..Checked::default()
    };
    if !scopes.may_write() {
        let reason = "missing_scope: chat:write".to_owned();
        return Err(DeliveryError::Unauthorized { reason });
    }
    let mut private = false;
    match find_channel(slack, bot, &scopes).await? {
        Found::Channel(channel) => {
            judge(&channel, &scopes)?;
            private = channel.get("is_private").and_then(Value::as_bool) == Some(true);
        }
        Found::NotThere => {
            return Err(DeliveryError::Unauthorized { reason: "channel_not_found".to_owned() });
        }
        Found::CanNotTell(why) => checked.unknown.push(why),
    }
    let history = if private { "groups:history" } else { "channels:history" };
    if !scopes.may_have(history) {
        checked.missing.push(history.to_owned());
    }
    Ok(checked)
}

/// Whether the bot can post into a channel that is there.
fn judge(channel: &Value, scopes: &Scopes) -> Result<(), DeliveryError> {
    let says = |field: &str| channel.get(field).and_then(Value::as_bool);
    let refuse = |reason: &str| Err(DeliveryError::Unauthorized { reason: reason.to_owned() });
    if says("is_archived") == Some(true) {
        return refuse("is_archived");
    }
    let open = says("is_private") == Some(false) && scopes.has("chat:write.public");
    if says("is_member") == Some(false) && !open {
        return refuse("not_in_channel");
    }
    Ok(())
}

async fn find_channel(slack: &Slack, bot: &Bot, scopes: &Scopes) -> Result<Found, DeliveryError> {
    let by_id = looks_like_id(&bot.channel);
    let found =
        if by_id { by_its_id(slack, bot).await } else { by_its_name(slack, bot, scopes).await };
    match found {
        Err(DeliveryError::Unauthorized { reason }) if reason.starts_with("missing_scope") => {
            Ok(Found::CanNotTell(format!(
                "whether the bot is in {}: the token may not ask ({reason})",
                bot.channel
            )))
        }
        Err(DeliveryError::Unauthorized { reason }) if reason == "channel_not_found" => {
            Ok(Found::NotThere)
        }
        other => other,
    }
}

async fn by_its_id(slack: &Slack, bot: &Bot) -> Result<Found, DeliveryError> {
    let fields = [("channel", bot.channel.as_str())];
    let (_, mut json) = ask(slack, bot, "conversations.info", &fields).await?;
    Ok(Found::Channel(json.get_mut("channel").map(Value::take).unwrap_or_default()))
}

pub(super) async fn by_its_name(
    slack: &Slack,
    bot: &Bot,
    scopes: &Scopes,
) -> Result<Found, DeliveryError> {
    let name = bot.channel.trim_start_matches('#');
    let private_too = scopes.has("groups:read");
    let types = if private_too { "public_channel,private_channel" } else { "public_channel" };
    let mut cursor = String::new();
    for _ in 0..MOST_PAGES {
        let mut fields = vec![("types", types), ("limit", "1000")];
        if !cursor.is_empty() {
            fields.push(("cursor", &cursor));
        }
        let (_, mut json) = ask(slack, bot, "conversations.list", &fields).await?;
        if let Some(channel) = take_named(&mut json, name) {
            return Ok(Found::Channel(channel));
        }
        cursor = next_cursor(&json);
        if cursor.is_empty() && private_too {
            return Ok(Found::NotThere);
        }
        if cursor.is_empty() {
            break;
        }
    }
    Ok(Found::CanNotTell(format!(
        "whether {} is there: it is none of the public channels that the token shows",
        bot.channel
    )))
}

fn take_named(json: &mut Value, name: &str) -> Option<Value> {
    let named = |channel: &&mut Value| {
        ["name", "name_normalized"]
            .iter()
            .any(|field| channel.get(*field).and_then(Value::as_str) == Some(name))
    };
    json.get_mut("channels")?.as_array_mut()?.iter_mut().find(named).map(Value::take)
}

pub(super) fn next_cursor(json: &Value) -> String {
    json.pointer("/response_metadata/next_cursor")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Channel names are lower case; IDs start with one of these and go on in capitals and digits.
pub(super) fn looks_like_id(channel: &str) -> bool {
    channel.len() >= 8
        && channel.starts_with(['C', 'G', 'D'])
        && channel.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

pub(super) async fn ask(
    slack: &Slack,
    bot: &Bot,
    method: &str,
    fields: &[(&str, &str)],
) -> Result<(Answer, Value), DeliveryError> {
    let url = slack.method_url(method);
    let content = Content::Form(fields);
    let answer =
        client::send(&slack.http, &url, Some(&bot.token), content, Effect::Repeatable).await?;
    let json = answer::read_api(&answer, Effect::Repeatable)?;
    Ok((answer, json))
}

/// What a token may do, where Slack tells.
pub(super) struct Scopes(Option<Vec<String>>);

impl Scopes {
    pub(super) fn of(answer: &Answer) -> Self {
        let split = |text: &String| text.split(',').map(|scope| scope.trim().to_owned()).collect();
        Self(answer.scopes.as_ref().map(split))
    }

    pub(super) fn has(&self, scope: &str) -> bool {
        self.0.as_ref().is_some_and(|scopes| scopes.iter().any(|known| known == scope))
    }

    /// Unknown counts as yes.
    fn may_have(&self, scope: &str) -> bool {
        self.0.is_none() || self.has(scope)
    }

    /// Whether the token may post: unknown counts as yes. Old tokens have `chat:write:bot` or `bot`.
    fn may_write(&self) -> bool {
        self.0.is_none()
            || ["chat:write", "chat:write:bot", "chat:write:user", "bot"]
                .iter()
                .any(|scope| self.has(scope))
    }
}
