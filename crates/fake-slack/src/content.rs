//! What a message says, and how it reads as plain lines.
//!
//! The reading knows the blocks that this project sends and passes by others. It is no rendering:
//! `mrkdwn` stays as it was written.

use serde_json::Value;

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// The text: shown when there are no blocks, else for notifications.
    pub text: String,
    /// The blocks.
    pub blocks: Vec<Value>,
    /// The attachments.
    pub attachments: Vec<Value>,
    /// The metadata, as it was sent.
    pub metadata: Option<Value>,
    /// The name that stands above it in place of the app's.
    pub username: Option<String>,
    /// The emoji that stands beside it in place of the app's picture.
    pub icon_emoji: Option<String>,
}

/// How a piece of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As text.
    Plain,
    /// Bold.
    Bold,
    /// A code span.
    Code,
    /// A line of a box of code.
    Box,
}

/// A piece of a line, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// A line of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) spans: Vec<Span>,
    /// The colour of the attachment that it stands in, `#rrggbb`.
    pub(crate) bar: Option<String>,
}

impl Content {
    /// The message as a person reads it, a line each; code in backticks.
    pub fn shown(&self) -> String {
        let lines: Vec<String> = self.lines().iter().map(Line::to_plain).collect();
        lines.join("\n")
    }

    /// Everything in the message that Slack would take for a mention or a link: `<…>` in the fields
    /// that it parses, and elements of their own.
    pub fn references(&self) -> Vec<String> {
        let mut found = control_sequences(&self.text);
        for value in self.blocks.iter().chain(&self.attachments) {
            find_references(value, &mut found);
        }
        found
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.blocks.is_empty() && !self.text.is_empty() {
            push_text(&mut lines, &unescape(&self.text), Style::Plain, None);
        }
        for block in &self.blocks {
            push_block(&mut lines, block, None);
        }
        for attachment in &self.attachments {
            let color = attachment.get("color").and_then(Value::as_str);
            for block in array(attachment, "blocks") {
                push_block(&mut lines, block, color);
            }
            if let Some(text) = attachment.get("text").and_then(Value::as_str) {
                push_text(&mut lines, &unescape(text), Style::Plain, color);
            }
        }
        lines
    }
}

impl Line {
    fn to_plain(&self) -> String {
        self.spans.iter().map(Span::to_plain).collect()
    }
}

impl Span {
    pub(crate) fn to_plain(&self) -> String {
        match self.style {
            Style::Plain | Style::Bold => self.text.clone(),
            Style::Code => format!("`{}`", self.text),
            Style::Box => format!("    {}", self.text),
        }
    }
}

/// The elements of a field that is an array, or none.
pub(crate) fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn push_block(lines: &mut Vec<Line>, block: &Value, bar: Option<&str>) {
    for element in array(block, "elements") {
        match element.get("type").and_then(Value::as_str) {
            Some("rich_text_preformatted") => {
                let text: String = array(element, "elements").iter().map(text_of).collect();
                push_text(lines, &text, Style::Box, bar);
            }
            Some("rich_text_section" | "rich_text_quote") => push_section(lines, element, bar),
            _ => push_text(lines, &unescape(&text_of(element)), Style::Plain, bar),
        }
    }
    if let Some(text) = block.pointer("/text/text").and_then(Value::as_str) {
        let header = block.get("type").and_then(Value::as_str) == Some("header");
        let style = if header { Style::Bold } else { Style::Plain };
        push_text(lines, &unescape(text), style, bar);
    }
    for field in array(block, "fields") {
        push_text(lines, &unescape(&text_of(field)), Style::Plain, bar);
    }
}

/// A section of rich text: its elements follow each other in a line.
fn push_section(lines: &mut Vec<Line>, section: &Value, bar: Option<&str>) {
    let mut line = Line { spans: Vec::new(), bar: bar.map(str::to_owned) };
    for element in array(section, "elements") {
        let has = |style: &str| element.pointer(&format!("/style/{style}")).is_some();
        let style = match (has("code"), has("bold")) {
            (true, _) => Style::Code,
            (_, true) => Style::Bold,
            _ => Style::Plain,
        };
        for (index, text) in text_of(element).split('\n').enumerate() {
            if index > 0 {
                let next = Line { spans: Vec::new(), bar: line.bar.clone() };
                lines.push(std::mem::replace(&mut line, next));
            }
            line.spans.push(Span { text: visible(text), style });
        }
    }
    lines.push(line);
}

fn push_text(lines: &mut Vec<Line>, text: &str, style: Style, bar: Option<&str>) {
    for text in text.split('\n') {
        let spans = vec![Span { text: visible(text), style }];
        lines.push(Line { spans, bar: bar.map(str::to_owned) });
    }
}

fn text_of(value: &Value) -> String {
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    match text("type") {
        Some("link") => text("text").or(text("url")).unwrap_or_default().to_owned(),
        Some("emoji") => format!(":{}:", text("name").unwrap_or_default()),
        Some("user") => format!("@{}", text("user_id").unwrap_or_default()),
        Some("channel") => format!("#{}", text("channel_id").unwrap_or_default()),
        Some("broadcast") => format!("@{}", text("range").unwrap_or_default()),
        _ => text("text").unwrap_or_default().to_owned(),
    }
}

/// Without characters that would steer a terminal.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn find_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            match fields.get("type").and_then(Value::as_str) {
                Some("mrkdwn" | "plain_text") => {
                    let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
                    found.extend(control_sequences(text));
                }
                // The old fields of an attachment.
                None => {
                    for field in ["pretext", "title", "text", "fallback"] {
                        let text = fields.get(field).and_then(Value::as_str).unwrap_or_default();
                        found.extend(control_sequences(text));
                    }
                }
                Some(kind @ ("link" | "user" | "channel" | "broadcast" | "usergroup")) => {
                    found.push(kind.to_owned());
                }
                _ => {}
            }
            fields.values().for_each(|value| find_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| find_references(value, found)),
        _ => {}
    }
}

fn control_sequences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((inside, behind)) = after.split_once('>') else {
            break;
        };
        found.push(format!("<{inside}>"));
        rest = behind;
    }
    found
}
