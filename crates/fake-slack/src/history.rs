//! What was said in a channel, as Slack's answers tell it: a span of time, page by page. Pure.

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::content::Content;
use crate::workspace::{By, Message};

/// Most messages in a page.
const MOST: usize = 999;

/// A page of messages that are in the order in which they are told.
pub(crate) fn page<'a>(
    messages: impl Iterator<Item = &'a Message>,
    args: &Arguments,
    default_limit: usize,
) -> Value {
    let wanted: Vec<&Message> = messages.filter(|message| is_wanted(&message.ts, args)).collect();
    let start: usize = args.text("cursor").parse().unwrap_or(0);
    let limit = args.number("limit").unwrap_or(default_limit).clamp(1, MOST);
    let end = wanted.len().min(start.saturating_add(limit));
    let with_metadata = args.says("include_all_metadata");
    let told = wanted.iter().skip(start).take(limit).map(|message| {
        let mut told = say(message);
        if let Some(fields) = told.as_object_mut().filter(|_| !with_metadata) {
            fields.remove("metadata");
        }
        told
    });
    let messages: Vec<Value> = told.collect();
    let has_more = end < wanted.len();
    let next = if has_more { end.to_string() } else { String::new() };
    json!({
        "messages": messages, "has_more": has_more,
        "response_metadata": { "next_cursor": next },
    })
}

/// Whether it is between `oldest` and `latest`; on them only where that is asked for.
fn is_wanted(ts: &str, args: &Arguments) -> bool {
    let inclusive = args.says("inclusive");
    let bound = |name: &str| args.has(name).then(|| key(args.text(name)));
    let key = key(ts);
    bound("oldest").is_none_or(|oldest| key > oldest || (inclusive && key == oldest))
        && bound("latest").is_none_or(|latest| key < latest || (inclusive && key == latest))
}

/// Seconds and microseconds of a time stamp.
fn key(ts: &str) -> (u64, u64) {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, "0"));
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    (seconds.parse().unwrap_or(0), micros.parse().unwrap_or(0))
}

/// One message.
pub(crate) fn say(message: &Message) -> Value {
    let Content { text, blocks, attachments, metadata, .. } = &message.content;
    let bot = match message.by {
        By::Bot => "B0FAKE",
        By::Webhook => "B0HOOK",
    };
    json!({
        "type": "message", "ts": message.ts, "thread_ts": message.thread_ts, "text": text,
        "bot_id": bot, "blocks": blocks, "attachments": attachments, "metadata": metadata,
        "edits": message.edits.len(),
    })
}
