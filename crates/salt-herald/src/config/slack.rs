//! The `slack` tables: one named sink each.
//!
//! Whether Slack takes the token or the webhook is not asked here: that is `check --online`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::problem::{Problem, Severity};
use super::secret::Taken;
use super::table::{Given, Table};
use super::values::{Mismatch, boolean, line, seconds};
use super::yaml::{Entry, Value};
use super::{Guise, SlackAccess, SlackConfig, schema, secret};

/// Slack's own API.
const API_URL: &str = "https://slack.com/api/";

/// How long a run has to take until a webhook, which can't edit its messages, says its end.
const SLOW_AFTER: Duration = Duration::from_secs(60);

/// Reads every sink of the table; one with a mistake is left out.
pub(super) fn read(table: Table, problems: &mut Vec<Problem>) -> BTreeMap<String, SlackConfig> {
    let mut sinks = BTreeMap::new();
    for entry in table.into_entries() {
        let name = entry.key.clone();
        if let Some(sink) = read_sink(entry, problems) {
            sinks.insert(name, sink);
        }
    }
    sinks
}

fn read_sink(entry: Entry, problems: &mut Vec<Problem>) -> Option<SlackConfig> {
    let path = format!("slack.{}", entry.key);
    let entries = match entry.node.value {
        Value::Map(entries) => entries,
        Value::Null => Vec::new(),
        other => {
            problems.push(not_a_sink(&entry.key, &other, Problem::at(&entry.place, path, "")));
            return None;
        }
    };
    let mut table = Table::new(path, entry.place, entries);
    let neither = table
        .problem("has neither a webhook_url nor a token")
        .hint("add \"webhook_url: https://hooks.slack.com/services/...\", or \"token_file\" and \"channel\"");
    let mut keys = Keys::take(&mut table, problems);
    table.finish(schema::elsewhere("slack.NAME"), problems);
    let api_url = keys.api_url.take();
    let slow_after = keys.slow_after.unwrap_or(SLOW_AFTER);
    let checkpoints = keys.checkpoints;
    let access = keys.into_access(neither, problems)?;
    // A webhook has no threads, and a message each day is more than people have asked for.
    let checkpoints = checkpoints.unwrap_or(matches!(access, SlackAccess::Bot { .. }));
    Some(SlackConfig {
        access,
        checkpoints,
        api_url: api_url.unwrap_or_else(|| API_URL.to_owned()),
        slow_after,
    })
}

/// What stands in one sink's table. A mention says that a key is there, readable or not.
struct Keys {
    webhook: Taken,
    token: Taken,
    channel: Option<Given<String>>,
    channel_mention: Option<Given<()>>,
    api_url: Option<String>,
    api_mention: Option<Given<()>>,
    guise: Guise,
    guise_mentions: Vec<Given<()>>,
    slow_after: Option<Duration>,
    slow_mention: Option<Given<()>>,
    checkpoints: Option<bool>,
}

impl Keys {
    fn take(table: &mut Table, problems: &mut Vec<Problem>) -> Self {
        Self {
            channel_mention: table.mention("channel"),
            api_mention: table.mention("api_url"),
            slow_mention: table.mention("slow_after"),
            guise_mentions: ["username", "icon_emoji", "color"]
                .into_iter()
                .filter_map(|key| table.mention(key))
                .collect(),
            webhook: secret::take(table, "webhook_url", "webhook_url_file", problems),
            token: secret::take(table, "token", "token_file", problems),
            channel: table.take("channel", channel, problems),
            api_url: table
                .take("api_url", line, problems)
                .and_then(|given| read_api_url(&given, problems)),
            slow_after: table.take("slow_after", seconds, problems).map(|given| given.value),
            checkpoints: table.take("checkpoints", boolean, problems).map(|given| given.value),
            guise: Guise {
                channel: None,
                username: table.take("username", line, problems).map(|given| given.value),
                icon_emoji: table.take("icon_emoji", emoji, problems).map(|given| given.value),
                color: table.take("color", color, problems).map(|given| given.value),
            },
        }
    }

    /// The one way to post that the sink was given; `neither` is the problem when it has none.
    fn into_access(self, neither: Problem, problems: &mut Vec<Problem>) -> Option<SlackAccess> {
        match (&self.webhook.mentioned, &self.token.mentioned) {
            (Some(_), Some(second)) => {
                problems.push(
                    second
                        .problem("a token and a webhook stand in one sink")
                        .hint("keep one, or give the other a table of its own with another name"),
                );
                None
            }
            (None, None) => {
                problems.push(neither);
                None
            }
            (Some(_), None) => {
                warn_useless(self.api_mention, "only a token uses it", problems);
                let channel = self.channel.map(|given| given.value.trim().to_owned());
                let guise = Guise { channel, ..self.guise };
                self.webhook.value.and_then(|given| read_webhook(given, guise, problems))
            }
            (None, Some(token)) => {
                let why = "only a webhook uses it: with a token the first message is edited";
                warn_useless(self.slow_mention, why, problems);
                let why = "a bot has the name and the picture of its Slack app, and its colours \
                           tell how a run went";
                for mention in self.guise_mentions {
                    warn_useless(Some(mention), why, problems);
                }
                if self.channel_mention.is_none() {
                    problems.push(
                        token
                            .problem("needs a \"channel\" beside it")
                            .hint("name the channel in quotes: channel: \"#monitoring\""),
                    );
                }
                read_bot(self.token.value, self.channel, problems)
            }
        }
    }
}

/// `slack: {webhook_url: ...}` without a name between is the likeliest mistake of all.
fn not_a_sink(name: &str, value: &Value, problem: Problem) -> Problem {
    let message = format!("must be a table that describes a sink, not {}", value.kind());
    let hint = if schema::SINK_KEYS.contains(&name) {
        format!(
            "give the sink a name and put \"{name}\" under it: slack: -> monitoring: -> {name}:"
        )
    } else {
        "put webhook_url, or token_file and channel, on the lines below it, indented".to_owned()
    };
    Problem { message, ..problem }.hint(hint)
}

fn warn_useless(mention: Option<Given<()>>, why: &str, problems: &mut Vec<Problem>) {
    if let Some(mention) = mention {
        problems.push(
            mention
                .problem(format!("has no effect: {why}"))
                .hint("remove it")
                .severity(Severity::Warning),
        );
    }
}

/// An emoji's name, with its colons or, as YAML likes it better, without.
fn emoji(value: Value) -> Result<String, Mismatch> {
    let text = line(value)?;
    let name = text.trim().trim_matches(':');
    let known = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || "_+-':".contains(c);
    if name.is_empty() || !name.chars().all(known) {
        return Err(Mismatch::new("must be the name of an emoji").hint("write \":computer:\""));
    }
    Ok(format!(":{name}:"))
}

/// A colour, as an attachment takes it.
fn color(value: Value) -> Result<String, Mismatch> {
    let text = line(value)?;
    let text = text.trim();
    let is_hex = |digits: &str| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if matches!(text, "good" | "warning" | "danger") || text.strip_prefix('#').is_some_and(is_hex) {
        return Ok(text.to_owned());
    }
    Err(Mismatch::new("must be a colour")
        .hint("write \"#F35A00\", in quotes, or good, warning, danger"))
}

fn read_webhook(
    given: Given<SecretString>,
    guise: Guise,
    problems: &mut Vec<Problem>,
) -> Option<SlackAccess> {
    let text = given.value.expose_secret();
    match parse_url(text) {
        Ok(_) => Some(SlackAccess::Webhook { url: given.value, guise }),
        Err(why) => {
            let hint = if text.starts_with("xox") {
                "this looks like a token: put it under \"token\""
            } else {
                "copy it from Slack: it starts with https://hooks.slack.com/"
            };
            problems.push(given.problem(why).hint(hint));
            None
        }
    }
}

/// Its name is shown in many places, so that a token in its place would be, too.
fn channel(value: Value) -> Result<String, Mismatch> {
    let name = line(value)?;
    if name.trim_start().starts_with("xox") || name.contains("://") {
        return Err(Mismatch::new("must be a channel's name or id, and looks like a secret").hint(
            "a token goes under token or token_file, a webhook's address under webhook_url",
        ));
    }
    Ok(name)
}

fn read_bot(
    token: Option<Given<SecretString>>,
    channel: Option<Given<String>>,
    problems: &mut Vec<Problem>,
) -> Option<SlackAccess> {
    let token = token?;
    let text = token.value.expose_secret();
    let hint = if text.starts_with("xapp-") {
        Some("it is the one for Socket Mode; the bot's starts with xoxb-")
    } else if text.starts_with("https://") {
        Some("this looks like a webhook: put it under \"webhook_url\"")
    } else {
        None
    };
    if let Some(hint) = hint {
        problems.push(token.problem("is no bot token").hint(hint));
        return None;
    }
    Some(SlackAccess::Bot { token: token.value, channel: channel?.value.trim().to_owned() })
}

fn read_api_url(given: &Given<String>, problems: &mut Vec<Problem>) -> Option<String> {
    match parse_url(given.value.trim()) {
        Ok(mut url) => {
            // Methods are joined to it, and joining replaces what follows the last slash.
            if !url.path().ends_with('/') {
                let path = format!("{}/", url.path());
                url.set_path(&path);
            }
            Some(url.into())
        }
        Err(why) => {
            problems.push(given.problem(why).hint(format!("Slack's own is {API_URL}")));
            None
        }
    }
}

/// An address to which a secret may be sent: encrypted, or on this machine.
fn parse_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no web address")?;
    let local = match url.host_str() {
        None | Some("") => return Err("is no web address"),
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        "http" => Err("must start with https://, so that nobody on the way reads the secret"),
        _ => Err("must start with https://"),
    }
}
