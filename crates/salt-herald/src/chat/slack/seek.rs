//! Looking for messages of ours in a channel or in a thread, by the metadata that each carries.
//!
//! Metadata can be read by everybody in the workspace and written by every app, so only what our own
//! bot posted counts. Whether a message is taken for said is not decided here.

use std::time::Duration;

use herald_core::outbox::{Found, Label, read_jids, read_runs, write_jids, write_runs};
use herald_core::owed::Part;
use herald_core::run::RunId;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::{self, Scopes, ask, by_its_name, looks_like_id, next_cursor};
use super::place::Place;
use super::{Bot, Slack};
use crate::chat::{DeliveryError, Search, Sought};

/// The type of our metadata.
const EVENT: &str = "salt_herald";
/// So far Slack's clock and ours may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(3_600);
/// Messages in a page: a page of long ones has to fit into what we read at most.
const PAGE: &str = "100";
/// Pages that are looked through.
const MOST_PAGES: usize = 40;

/// What a message carries unseen.
pub(super) fn metadata(label: &Label) -> Value {
    let Label { journal, origin, sink, part, runs, jids, together, late, missed } = label;
    let mut metadata = json!({
        "event_type": EVENT,
        "event_payload": {
            "journal": journal, "origin": origin, "sink": sink, "part": part.name(),
            "run": runs.first().map_or(0, |run| run.0), "runs": write_runs(runs),
            "jids": write_jids(jids), "together": together, "late": late,
        },
    });
    let payload = metadata.get_mut("event_payload").and_then(Value::as_object_mut);
    if let (Some((entry, last)), Some(payload)) = (missed, payload) {
        payload.insert("missed".to_owned(), json!(entry));
        payload.insert("last".to_owned(), json!(last.0));
    }
    metadata
}

/// See [`Slack::seek`].
pub(super) async fn seek<L>(
    slack: &Slack,
    bot: &Bot,
    search: Search<'_>,
    read_label: fn(&Value) -> Option<L>,
) -> Result<Sought<L>, DeliveryError> {
    if bot.plain.load(std::sync::atomic::Ordering::Relaxed) {
        return Ok(Sought::CanNotTell("Slack takes no metadata from this token".to_owned()));
    }
    let (answer, us) = match ask(slack, bot, "auth.test", &[]).await {
        // Something lets only posts through.
        Err(DeliveryError::Unauthorized { reason })
            if reason.starts_with("http_") || reason == "unknown_method" =>
        {
            return Ok(Sought::CanNotTell(reason));
        }
        asked => asked?,
    };
    let found = find(slack, bot, (&Scopes::of(&answer), &us), search, read_label).await;
    Ok(match found {
        Ok(sought) => sought,
        // The thread went with its message.
        Err(DeliveryError::MessageGone { .. }) => Sought::Found(Vec::new()),
        Err(DeliveryError::Unauthorized { reason } | DeliveryError::Rejected { reason }) => {
            Sought::CanNotTell(reason)
        }
        Err(error) => Sought::Stumbled(error),
    })
}

async fn find<L>(
    slack: &Slack,
    bot: &Bot,
    (scopes, us): (&Scopes, &Value),
    search: Search<'_>,
    read_label: fn(&Value) -> Option<L>,
) -> Result<Sought<L>, DeliveryError> {
    let thread = search.thread.map(Place::read).transpose()?;
    let Some(channel) = channel_id(slack, bot, scopes, thread.as_ref(), search).await? else {
        return Ok(Sought::CanNotTell("the channel's ID is not known".to_owned()));
    };
    let method = match thread {
        Some(_) => "conversations.replies",
        None => "conversations.history",
    };
    let oldest = oldest(search.since);
    let mut messages = Vec::new();
    let mut cursor = String::new();
    for _ in 0..MOST_PAGES {
        let mut fields = vec![
            ("channel", channel.as_str()),
            ("include_all_metadata", "true"),
            ("inclusive", "true"),
            ("oldest", &oldest),
            ("limit", PAGE),
        ];
        fields.extend(thread.as_ref().map(|thread| ("ts", thread.ts.as_str())));
        if !cursor.is_empty() {
            fields.push(("cursor", &cursor));
        }
        let (_, json) = ask(slack, bot, method, &fields).await?;
        let page = json.get("messages").and_then(Value::as_array);
        let ours = |told| ours(told, us, &channel, read_label);
        messages.extend(page.into_iter().flatten().filter_map(ours));
        cursor = next_cursor(&json);
        if cursor.is_empty() {
            messages.sort_by(|(one, _): &(String, _), (other, _)| one.cmp(other));
            return Ok(Sought::Found(messages.into_iter().map(|(_, found)| found).collect()));
        }
    }
    Ok(Sought::CanNotTell("too much was said there since".to_owned()))
}

/// `conversations.*` take no names.
async fn channel_id(
    slack: &Slack,
    bot: &Bot,
    scopes: &Scopes,
    thread: Option<&Place>,
    search: Search<'_>,
) -> Result<Option<String>, DeliveryError> {
    let known = thread.cloned().or_else(|| Place::read(search.near?).ok());
    if let Some(place) = known {
        return Ok(Some(place.channel));
    }
    if looks_like_id(&bot.channel) {
        return Ok(Some(bot.channel.clone()));
    }
    let id = |channel: Value| channel.get("id")?.as_str().map(str::to_owned);
    Ok(match by_its_name(slack, bot, scopes).await? {
        check::Found::Channel(channel) => id(channel),
        check::Found::NotThere | check::Found::CanNotTell(_) => None,
    })
}

fn oldest(since: Timestamp) -> String {
    let oldest = since.checked_sub(CLOCKS_APART).unwrap_or(since).as_second().max(0);
    format!("{oldest}.000000")
}

/// A message that our bot posted for a journal, with its time stamp.
fn ours<L>(
    told: &Value,
    us: &Value,
    channel: &str,
    read_label: fn(&Value) -> Option<L>,
) -> Option<(String, Found<L>)> {
    let is_same = |theirs: &str, own: &str| {
        let own = us.get(own).and_then(Value::as_str)?;
        Some(told.get(theirs).and_then(Value::as_str) == Some(own))
    };
    if !is_same("bot_id", "bot_id").or_else(|| is_same("user", "user_id"))? {
        return None;
    }
    let label = read_label(told.get("metadata")?)?;
    let ts = told.get("ts").and_then(Value::as_str)?.to_owned();
    let place = Place { channel: channel.to_owned(), ts: ts.clone() }.write().ok()?.0;
    Some((ts, Found { place, label }))
}

/// Reads what [`metadata`] wrote.
pub(super) fn read_label(metadata: &Value) -> Option<Label> {
    let is_ours = metadata.get("event_type").and_then(Value::as_str) == Some(EVENT);
    let payload = metadata.get("event_payload").filter(|_| is_ours)?;
    let text = |field: &str| payload.get(field).and_then(Value::as_str);
    let says = |field: &str| payload.get(field).and_then(Value::as_bool) == Some(true);
    let number = |field: &str| payload.get(field).and_then(Value::as_u64);
    let runs: Vec<RunId> = read_runs(text("runs")?)?;
    Some(Label {
        journal: text("journal")?.to_owned(),
        origin: text("origin").unwrap_or_default().to_owned(),
        sink: text("sink")?.to_owned(),
        part: Part::from_name(text("part")?)?,
        runs,
        jids: read_jids(text("jids").unwrap_or_default()),
        together: says("together"),
        late: says("late"),
        missed: number("missed").zip(number("last").map(RunId)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        Label {
            journal: "6f9a".to_owned(),
            origin: "51c0".to_owned(),
            sink: "monitoring".to_owned(),
            part: Part::Ending,
            runs: [7, 8, 9, 12].map(RunId).to_vec(),
            jids: ["20261125221217123456", "20261125221218000123"].map(str::to_owned).to_vec(),
            together: true,
            late: false,
            missed: None,
        }
    }

    #[test]
    fn a_label_is_known_again() {
        assert_eq!(read_label(&metadata(&label())), Some(label()));
        let missed = Label { missed: Some((310, RunId(4_711))), ..label() };
        assert_eq!(read_label(&metadata(&missed)), Some(missed.clone()));
        insta::assert_snapshot!([label(), missed].map(|it| metadata(&it).to_string()).join("\n"));
    }

    #[test]
    fn only_what_our_bot_posted_counts() {
        let us = json!({ "bot_id": "B1", "user_id": "U1" });
        let mut told = json!({ "ts": "1.2", "bot_id": "B1", "metadata": metadata(&label()) });
        assert_eq!(ours(&told, &us, "C1", read_label).unwrap().1.label, label());
        for odd in ["B2", ""] {
            told["bot_id"] = json!(odd);
            assert!(ours(&told, &us, "C1", read_label).is_none());
        }
        told["bot_id"] = json!("B1");
        for odd in [json!(null), json!([]), json!({ "event_type": EVENT }), json!("x")] {
            told["metadata"] = odd;
            assert!(ours(&told, &us, "C1", read_label).is_none());
        }
        let nobody = json!({});
        told["metadata"] = metadata(&label());
        assert!(ours(&told, &nobody, "C1", read_label).is_none());
    }
}
