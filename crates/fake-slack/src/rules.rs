//! Slack's limits on what a message may hold, as its documentation states them.
//!
//! Where Slack is known to have a limit that it doesn't document, the strictest report counts.

use serde_json::Value;

use crate::content::{Content, array};

const MOST_TEXT: usize = 40_000;
const MOST_BLOCKS: usize = 50;
const MOST_ATTACHMENTS: usize = 100;
const MOST_SECTION: usize = 3_000;
const MOST_HEADER: usize = 150;
const MOST_FIELD: usize = 2_000;
const MOST_FIELDS: usize = 10;
/// Undocumented: all texts together.
const MOST_CHARACTERS: usize = 9_500;
/// Slack only says that there is a limit.
const MOST_METADATA: usize = 8_000;
/// What may stand beside `blocks` in an attachment.
const BESIDE_BLOCKS: [&str; 3] = ["blocks", "color", "fallback"];

/// Why a message is refused: Slack's code and an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) why: String,
}

type Checked = Result<(), Refused>;

fn refuse(code: &'static str, why: impl Into<String>) -> Checked {
    Err(Refused { code, why: why.into() })
}

fn invalid_block(why: impl Into<String>) -> Checked {
    refuse("invalid_blocks", why)
}

/// Whether Slack takes this message.
pub(crate) fn check(content: &Content) -> Checked {
    let Content { text, blocks, attachments, metadata, .. } = content;
    if text.is_empty() && blocks.is_empty() && attachments.is_empty() {
        return refuse("no_text", "nothing to say");
    }
    if text.chars().count() > MOST_TEXT {
        return refuse("msg_too_long", "text");
    }
    if attachments.len() > MOST_ATTACHMENTS {
        return refuse("too_many_attachments", "attachments");
    }
    metadata.as_ref().map_or(Ok(()), check_metadata)?;
    check_blocks(blocks)?;
    for attachment in attachments {
        check_attachment(attachment)?;
    }
    let all = attachments.iter().flat_map(|attachment| array(attachment, "blocks"));
    let characters: usize = blocks.iter().chain(all).map(characters).sum();
    if characters > MOST_CHARACTERS {
        return refuse("msg_blocks_too_long", format!("{characters} characters"));
    }
    Ok(())
}

fn check_metadata(metadata: &Value) -> Checked {
    if metadata.to_string().len() > MOST_METADATA {
        return refuse("metadata_too_large", "metadata");
    }
    let has_type = metadata.get("event_type").is_some_and(Value::is_string);
    let has_payload = metadata.get("event_payload").is_some_and(Value::is_object);
    if has_type && has_payload { Ok(()) } else { refuse("invalid_metadata_format", "metadata") }
}

fn check_attachment(attachment: &Value) -> Checked {
    let Some(fields) = attachment.as_object() else {
        return refuse("invalid_attachments", "not an object");
    };
    let invalid = |why: String| refuse("invalid_attachments", why);
    if let Some(blocks) = fields.get("blocks") {
        let Some(blocks) = blocks.as_array() else {
            return invalid("blocks is no array".to_owned());
        };
        if let Some(odd) = fields.keys().find(|name| !BESIDE_BLOCKS.contains(&name.as_str())) {
            return invalid(format!("{odd} beside blocks"));
        }
        return check_blocks(blocks).or_else(|refused| invalid(refused.why));
    }
    if !fields.contains_key("text") && !fields.contains_key("fallback") {
        return refuse("no_text", "an attachment with nothing to say");
    }
    Ok(())
}

fn check_blocks(blocks: &[Value]) -> Checked {
    if blocks.len() > MOST_BLOCKS {
        return invalid_block(format!("{} blocks", blocks.len()));
    }
    blocks.iter().try_for_each(check_block)
}

fn check_block(block: &Value) -> Checked {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "section" => check_section(block),
        "header" => check_text(block.get("text"), MOST_HEADER),
        "context" => check_some(block, "elements", MOST_FIELDS, check_context_element),
        "rich_text" => check_some(block, "elements", usize::MAX, check_rich_element),
        "divider" | "image" | "actions" => Ok(()),
        other => invalid_block(format!("unsupported type: {other:?}")),
    }
}

fn check_section(block: &Value) -> Checked {
    if block.get("text").is_none() && block.get("fields").is_none() {
        return invalid_block("a section with neither text nor fields");
    }
    if block.get("text").is_some() {
        check_text(block.get("text"), MOST_SECTION)?;
    }
    if block.get("fields").is_some() {
        check_some(block, "fields", MOST_FIELDS, |field| check_text(Some(field), MOST_FIELD))?;
    }
    Ok(())
}

/// A text object.
fn check_text(text: Option<&Value>, most: usize) -> Checked {
    let field = |name: &str| text.and_then(|text| text.get(name)?.as_str());
    if !matches!(field("type"), Some("plain_text" | "mrkdwn")) {
        return invalid_block("a text object of no known type");
    }
    let length = field("text").unwrap_or_default().chars().count();
    if length == 0 || length > most {
        return invalid_block(format!("a text of {length} characters, allowed are 1 to {most}"));
    }
    Ok(())
}

fn check_context_element(element: &Value) -> Checked {
    match element.get("type").and_then(Value::as_str) {
        Some("image") => Ok(()),
        _ => check_text(Some(element), MOST_FIELD),
    }
}

fn check_rich_element(element: &Value) -> Checked {
    match element.get("type").and_then(Value::as_str) {
        Some("rich_text_section" | "rich_text_preformatted" | "rich_text_quote") => {
            check_some(element, "elements", usize::MAX, check_rich_leaf)
        }
        Some("rich_text_list") => check_some(element, "elements", usize::MAX, check_rich_element),
        other => invalid_block(format!("unsupported rich text element: {other:?}")),
    }
}

fn check_rich_leaf(leaf: &Value) -> Checked {
    let text = leaf.get("text").and_then(Value::as_str);
    match leaf.get("type").and_then(Value::as_str) {
        Some("text") if text.is_none_or(str::is_empty) => invalid_block("an empty text element"),
        Some(
            "text" | "link" | "emoji" | "user" | "channel" | "usergroup" | "broadcast" | "date"
            | "color",
        ) => Ok(()),
        other => invalid_block(format!("unsupported rich text leaf: {other:?}")),
    }
}

/// Checks an array that must have something in it, but not too much.
fn check_some(
    value: &Value,
    field: &str,
    most: usize,
    check: impl Fn(&Value) -> Checked,
) -> Checked {
    let elements = array(value, field);
    if elements.is_empty() || elements.len() > most {
        return invalid_block(format!("{} {field}", elements.len()));
    }
    elements.iter().try_for_each(check)
}

fn characters(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => text.chars().count(),
                other => characters(other),
            })
            .sum(),
        Value::Array(values) => values.iter().map(characters).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(content: &Value) -> &'static str {
        let field = |name: &str| array(content, name).to_vec();
        let text = content.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        let content = Content {
            text,
            blocks: field("blocks"),
            attachments: field("attachments"),
            ..Content::default()
        };
        check(&content).map_or_else(|refused| refused.code, |()| "ok")
    }

    fn section(length: usize) -> Value {
        json!({"type": "section", "text": {"type": "plain_text", "text": "x".repeat(length)}})
    }

    #[test]
    fn refuses_what_slack_refuses() {
        assert_eq!(code(&json!({})), "no_text");
        assert_eq!(code(&json!({"text": "hello"})), "ok");
        assert_eq!(code(&json!({"text": "x".repeat(40_001)})), "msg_too_long");
        assert_eq!(code(&json!({"blocks": [section(3_000)]})), "ok");
        assert_eq!(code(&json!({"blocks": [section(3_001)]})), "invalid_blocks");
        assert_eq!(code(&json!({"blocks": [section(0)]})), "invalid_blocks");
        assert_eq!(code(&json!({"blocks": vec![section(1); 51]})), "invalid_blocks");
        assert_eq!(code(&json!({"blocks": vec![section(2_500); 4]})), "msg_blocks_too_long");
        let empty = json!({"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}]});
        assert_eq!(code(&json!({"blocks": [empty]})), "invalid_blocks");
        let attachment = json!({"color": "#123456", "blocks": [section(1)]});
        assert_eq!(code(&json!({"attachments": [attachment]})), "ok");
        let mixed = json!({"text": "old", "blocks": [section(1)]});
        assert_eq!(code(&json!({"attachments": [mixed]})), "invalid_attachments");
    }
}
