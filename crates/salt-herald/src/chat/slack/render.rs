//! An announcement as Slack's JSON. Pure; it does not know where the message goes.
//!
//! Everything of a run stands in elements that Slack takes literally: `rich_text` for what is pasted
//! and read closely, `plain_text` for the rest. So nothing in it can mention, link or format, or
//! leave its code span. The command is a block of the message itself; who, where and the counts hang
//! below it in an attachment, because only attachments have colours. That attachment holds nothing
//! but sections: it may have none of the old fields beside its blocks, and nobody documents what it
//! makes of `rich_text`.

use herald_core::announce::{Announcement, CommandLine, Detail, MAX_DETAILS, Mood, Notice};
use serde_json::{Value, json};

use super::literal::{Lines, escaped, length, literal};

/// Most characters in one message, all texts together. Slack names no such limit, but has one
/// somewhere above 9,500.
pub(super) const MOST_CHARACTERS: usize = 9_000;
/// Most characters of a command, with room for a full one that has something to make visible.
const MOST_COMMAND: usize = 2_400;
/// Most characters of the byline and of the tally.
const MOST_LINE: usize = 1_000;
/// Most characters of what notifications show.
const MOST_FALLBACK: usize = 500;
const MOST_TITLE: usize = 300;
const MOST_MINIONS: usize = 500;
const MOST_DETAIL: usize = 1_200;
/// Room kept for the line that says how much was left out.
const LEFT_OUT_LINE: usize = 100;

/// What is said where nobody can tell whether it was said before.
const REPEAT: &str = "may be a repeat: Slack gave no clear answer when it was sent first";

/// What a message says, without where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Content {
    /// For notifications and search: never shown beside the blocks.
    pub(super) text: String,
    /// The message itself.
    pub(super) blocks: Vec<Value>,
    /// What hangs below it. Empty has to be said when editing, or the old ones stay.
    pub(super) attachments: Vec<Value>,
}

/// The message of a run, for a place where details go into a thread; or of several runs.
pub(super) fn message(announcement: &Announcement) -> Content {
    if !announcement.commands.is_empty() {
        return several(announcement);
    }
    let text = fallback(announcement);
    let command = shown(&announcement.command, Lines::One, MOST_COMMAND, literal);
    let mut below = shown(&announcement.byline, Lines::One, MOST_LINE, escaped);
    if !announcement.tally.trim().is_empty() {
        below.push('\n');
        below.push_str(&escaped(&announcement.tally, Lines::One, MOST_LINE));
    }
    Content {
        text,
        blocks: vec![rich_text(vec![rich_section(vec![
            plain(format!("{} ", announcement.mood.symbol())),
            styled(command, "code"),
        ])])],
        attachments: vec![json!({ "color": color(announcement.mood), "blocks": [section(below)] })],
    }
}

/// The message of several commands: how many and who, a line for each, and what came of them.
fn several(announcement: &Announcement) -> Content {
    let text = fallback(announcement);
    let headline = shown(&announcement.byline, Lines::One, MOST_LINE, literal);
    let below = shown(&announcement.tally, Lines::One, MOST_LINE, escaped);
    let mut room = MOST_CHARACTERS
        .saturating_sub(length(&text) + length(&headline) + length(&below) + LEFT_OUT_LINE);
    let mut elements = vec![plain(format!("{} {headline}", announcement.mood.symbol()))];
    let mut shown = 0;
    for line in &announcement.commands {
        let parts = command_line(line);
        let units: usize = parts.iter().map(characters).sum();
        if units > room {
            break;
        }
        room -= units;
        shown += 1;
        elements.extend(parts);
    }
    let left_out = announcement.commands.len() - shown + announcement.commands_left_out;
    elements.extend(left_out_line(left_out).map(|line| plain(format!("\n{line}"))));
    Content {
        text,
        blocks: vec![rich_text(vec![rich_section(elements)])],
        attachments: vec![json!({ "color": color(announcement.mood), "blocks": [section(below)] })],
    }
}

/// The same, for a message that may stand there already. A thread's message has no attachment.
pub(super) fn marked(mut content: Content, repeat: bool) -> Content {
    if !repeat {
        return content;
    }
    let blocks = content.attachments.first_mut().and_then(|below| below.get_mut("blocks"));
    match blocks.and_then(Value::as_array_mut) {
        Some(blocks) => blocks.push(section(REPEAT.to_owned())),
        None => content.blocks.push(section(REPEAT.to_owned())),
    }
    content
}

/// What is the matter elsewhere.
pub(super) fn notice(notice: &Notice) -> Content {
    let symbol = notice.mood.symbol();
    let headline = shown(&notice.headline, Lines::One, MOST_LINE, literal);
    let more = escaped(&notice.more, Lines::One, MOST_LINE);
    let blocks = vec![section(more.clone())];
    let below = json!({ "color": color(notice.mood), "blocks": blocks });
    Content {
        text: escaped(&format!("{symbol} {}", notice.headline), Lines::One, MOST_FALLBACK),
        blocks: vec![rich_text(vec![rich_section(vec![plain(format!("{symbol} {headline}"))])])],
        attachments: if more.trim().is_empty() { Vec::new() } else { vec![below] },
    }
}

/// A line that is to be copied, and what is to be said before it.
pub(super) fn checkpoint(more: &str, line: &str) -> Content {
    let mut parts = Vec::new();
    if !more.is_empty() {
        parts.push(rich_section(vec![plain(shown(more, Lines::One, MOST_LINE, literal))]));
    }
    let line = literal(line, Lines::One, MOST_LINE);
    parts.push(json!({ "type": "rich_text_preformatted", "elements": [plain(line.clone())] }));
    let text = escaped(&line, Lines::One, MOST_FALLBACK);
    Content { text, blocks: vec![rich_text(parts)], attachments: Vec::new() }
}

/// One command of several: its state, itself, and what is to be said of it.
fn command_line(line: &CommandLine) -> Vec<Value> {
    let mut parts = vec![
        plain(format!("\n{} ", line.mood.symbol())),
        styled(shown(&line.command, Lines::One, MOST_LINE, literal), "code"),
    ];
    if !line.note.trim().is_empty() {
        parts.push(plain(format!("  {}", literal(&line.note, Lines::One, MOST_LINE))));
    }
    parts
}

/// The message of a run, for a place that has no threads: the ending brings its details along.
pub(super) fn message_with_details(announcement: &Announcement) -> Content {
    let mut content = message(announcement);
    if !announcement.finished {
        return content;
    }
    let mut room = MOST_CHARACTERS.saturating_sub(content.characters());
    let mut sections = Vec::new();
    let told = take_fitting(announcement, &mut room, |detail| {
        let text = plain_detail(detail);
        let units = length(&text);
        (section(text), units)
    });
    sections.extend(told.shown);
    if let Some(line) = left_out_line(told.left_out) {
        sections.push(section(line));
    }
    if let Some(Value::Array(blocks)) =
        content.attachments.first_mut().and_then(|attachment| attachment.get_mut("blocks"))
    {
        blocks.append(&mut sections);
    }
    content
}

/// What stands in the thread of a run's message: its details.
pub(super) fn thread(announcement: &Announcement) -> Content {
    let text = thread_fallback(announcement);
    let mut room = MOST_CHARACTERS.saturating_sub(length(&text));
    let told = take_fitting(announcement, &mut room, rich_detail);
    let mut blocks = told.shown;
    if let Some(line) = left_out_line(told.left_out) {
        blocks.push(rich_text(vec![rich_section(vec![plain(line)])]));
    }
    if blocks.is_empty() {
        blocks.push(rich_text(vec![rich_section(vec![plain("No details.".to_owned())])]));
    }
    Content { text, blocks, attachments: Vec::new() }
}

impl Content {
    /// The same, calling a member of the workspace at the end of its first line. Slack notifies them
    /// when it is posted, and not when it is edited.
    pub(super) fn calling(mut self, member: Option<&str>) -> Self {
        if let Some(id) = member {
            let section =
                self.blocks.first_mut().and_then(|block| block.pointer_mut("/elements/0/elements"));
            if let Some(Value::Array(elements)) = section {
                elements.push(plain(" ".to_owned()));
                elements.push(json!({ "type": "user", "user_id": id }));
            }
        }
        self
    }

    /// All texts together, as Slack may count them.
    pub(super) fn characters(&self) -> usize {
        let texts = |values: &[Value]| values.iter().map(characters).sum::<usize>();
        length(&self.text) + texts(&self.blocks) + texts(&self.attachments)
    }
}

/// The characters in all `text` fields below a value.
fn characters(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => length(text),
                other => characters(other),
            })
            .sum(),
        Value::Array(values) => values.iter().map(characters).sum(),
        _ => 0,
    }
}

/// The colour beside a message. It only repeats what the symbol says.
fn color(mood: Mood) -> &'static str {
    match mood {
        Mood::Running => "#6b7c93",
        Mood::Good => "#2e9e5b",
        Mood::Changed => "#d99a00",
        Mood::Failed => "#d0342c",
        Mood::Silent => "#8a7a3a",
    }
}

/// What a notification shows: the three lines in one.
fn fallback(announcement: &Announcement) -> String {
    let symbol = announcement.mood.symbol();
    let lines = [&announcement.command, &announcement.byline, &announcement.tally];
    let said: Vec<&str> =
        lines.into_iter().map(|line| line.trim()).filter(|l| !l.is_empty()).collect();
    escaped(&format!("{symbol} {}", said.join(" · ")), Lines::One, MOST_FALLBACK)
}

fn thread_fallback(announcement: &Announcement) -> String {
    let symbol = announcement.mood.symbol();
    let first = announcement.details.first();
    let said = first.map_or_else(|| announcement.tally.as_str(), |detail| detail.title.as_str());
    escaped(&format!("{symbol} {said}"), Lines::One, MOST_FALLBACK)
}

/// Details that found room, and how many did not.
struct Told {
    shown: Vec<Value>,
    left_out: usize,
}

/// Renders details while they fit, and counts the rest. Whole ones only: what is left of a cut error
/// is rarely the part that helps.
fn take_fitting(
    announcement: &Announcement,
    room: &mut usize,
    render: impl Fn(&Detail) -> (Value, usize),
) -> Told {
    let mut shown = Vec::new();
    for detail in announcement.details.iter().take(MAX_DETAILS) {
        let (block, units) = render(detail);
        if units.saturating_add(LEFT_OUT_LINE) > *room {
            break;
        }
        *room -= units;
        shown.push(block);
    }
    let unshown = announcement.details.len() - shown.len();
    Told { shown, left_out: announcement.details_left_out.saturating_add(unshown) }
}

fn left_out_line(left_out: usize) -> Option<String> {
    (left_out > 0).then(|| format!("… and {left_out} more"))
}

/// A detail for a thread: a bold title, where, and what Salt said in a box.
fn rich_detail(detail: &Detail) -> (Value, usize) {
    let title = shown(&detail.title, Lines::One, MOST_TITLE, literal);
    let mut heading = vec![styled(title, "bold")];
    if !detail.minions.trim().is_empty() {
        let minions = literal(&detail.minions, Lines::One, MOST_MINIONS);
        heading.push(plain(format!(" · {minions}")));
    }
    let mut elements = vec![rich_section(heading)];
    if !detail.text.trim().is_empty() {
        let text = literal(detail.text.trim_end(), Lines::Many, MOST_DETAIL);
        elements.push(json!({ "type": "rich_text_preformatted", "elements": [plain(text)] }));
    }
    let block = rich_text(elements);
    let units = characters(&block);
    (block, units)
}

/// A detail for a section of the message itself.
fn plain_detail(detail: &Detail) -> String {
    let mut text = shown(&detail.title, Lines::One, MOST_TITLE, escaped);
    if !detail.minions.trim().is_empty() {
        text.push_str(" · ");
        text.push_str(&escaped(&detail.minions, Lines::One, MOST_MINIONS));
    }
    if !detail.text.trim().is_empty() {
        text.push('\n');
        text.push_str(&escaped(detail.text.trim_end(), Lines::Quoted, MOST_DETAIL));
    }
    text
}

/// The text, or a word for its absence: Slack refuses elements that are empty.
fn shown(
    text: &str,
    lines: Lines,
    limit: usize,
    write: impl Fn(&str, Lines, usize) -> String,
) -> String {
    let text = if text.trim().is_empty() { "(unknown)" } else { text };
    write(text, lines, limit)
}

fn rich_text(elements: Vec<Value>) -> Value {
    json!({ "type": "rich_text", "elements": elements })
}

fn rich_section(elements: Vec<Value>) -> Value {
    json!({ "type": "rich_text_section", "elements": elements })
}

fn plain(text: String) -> Value {
    json!({ "type": "text", "text": text })
}

fn styled(text: String, style: &str) -> Value {
    json!({ "type": "text", "text": text, "style": { style: true } })
}

/// `text` must be escaped: Slack decodes entities in text objects, and `emoji: false` leaves
/// `:words:` alone.
fn section(text: String) -> Value {
    json!({ "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } })
}
