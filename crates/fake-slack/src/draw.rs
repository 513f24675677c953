//! The channel as lines for a terminal. Pure: a channel in, lines out.

use anstyle::{AnsiColor, Color, RgbColor, Style as Ansi};

use crate::content::{Line, Span, Style};
use crate::workspace::{Change, Channel, Message, What};

/// How lines are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colours and bold may be used.
    pub color: bool,
    /// How wide a line may be, in columns.
    pub width: usize,
}

impl Look {
    /// Without colours.
    pub fn plain(width: usize) -> Self {
        Self { color: false, width }
    }
}

/// The whole channel: its name, its messages, and their threads below them.
pub fn draw(channel: &Channel, look: &Look) -> Vec<String> {
    let mut lines = vec![paint(&format!("#{}", channel.name), Ansi::new().bold(), look)];
    for message in channel.roots() {
        lines.push(String::new());
        draw_message(&mut lines, message, "", look);
        for reply in channel.replies(&message.ts) {
            draw_message(&mut lines, reply, "  ", look);
        }
    }
    lines
}

/// What happened, in one line: for logs.
pub fn log_line(change: &Change) -> String {
    let what = match change.what {
        What::Post => "post  ",
        What::Reply => "reply ",
        What::Edit => "edit  ",
        What::Delete => "delete",
    };
    let said = change.shown.replace('\n', " | ");
    format!("{what} {} {said}", change.ts).trim_end().to_owned()
}

fn draw_message(lines: &mut Vec<String>, message: &Message, indent: &str, look: &Look) {
    let content = message.content.lines();
    let last = content.len().saturating_sub(1);
    for (index, line) in content.iter().enumerate() {
        let mark = match (indent.is_empty(), index) {
            (true, _) => "",
            (false, 0) => "↳ ",
            (false, _) => "  ",
        };
        let edited = index == last && !message.edits.is_empty();
        lines.push(draw_line(line, &format!("{indent}{mark}"), edited, look));
    }
}

/// A line, cut to the width.
fn draw_line(line: &Line, before: &str, edited: bool, look: &Look) -> String {
    let mut room = look.width;
    let mut out = String::new();
    let mut add = |text: &str, style: Ansi| {
        let text = fit(text, &mut room);
        if !text.is_empty() {
            out.push_str(&paint(&text, style, look));
        }
    };
    add(before, Ansi::new());
    if let Some(color) = &line.bar {
        add("▌ ", Ansi::new().fg_color(rgb(color)));
    }
    for span in &line.spans {
        let (text, style) = look_of(span, look);
        add(&text, style);
    }
    if edited {
        add("  (edited)", Ansi::new().dimmed());
    }
    out
}

/// With colours, code needs no backticks to be told apart.
fn look_of(span: &Span, look: &Look) -> (String, Ansi) {
    let text = match span.style {
        Style::Code if look.color => span.text.clone(),
        _ => span.to_plain(),
    };
    let style = match span.style {
        Style::Plain => Ansi::new(),
        Style::Bold => Ansi::new().bold(),
        Style::Code => Ansi::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan))),
        Style::Box => Ansi::new().dimmed(),
    };
    (text, style)
}

fn paint(text: &str, style: Ansi, look: &Look) -> String {
    if look.color && style != Ansi::new() {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}

/// `#rrggbb`, if it is one.
fn rgb(color: &str) -> Option<Color> {
    let hex = color.strip_prefix('#').filter(|hex| hex.len() == 6)?;
    let [_, red, green, blue] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
    Some(Color::Rgb(RgbColor(red, green, blue)))
}

/// As much of a text as there are columns left.
fn fit(text: &str, room: &mut usize) -> String {
    let mut out = String::new();
    for character in text.chars() {
        let columns = columns(character);
        if columns >= *room && *room != usize::MAX {
            if *room > 0 {
                out.push('…');
            }
            *room = 0;
            break;
        }
        *room = room.saturating_sub(columns);
        out.push(character);
    }
    out
}

/// Columns that a character takes in a terminal: near enough to keep lines from wrapping.
fn columns(character: char) -> usize {
    let wide = matches!(character,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}');
    if wide { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::content::Content;
    use crate::workspace::{By, Options, Workspace};

    fn workspace() -> Workspace {
        let mut workspace = Workspace::new(Options { posts: None, ..Options::default() });
        let now = Instant::now();
        let message = |tally: &str| {
            let rich = json!({"type": "rich_text", "elements": [{"type": "rich_text_section",
                "elements": [{"type": "text", "text": "◐ "},
                    {"type": "text", "text": "salt web* test.ping", "style": {"code": true}}]}]});
            let text = format!("alice &amp; bob · 2 minions\n{tally}");
            let section = json!({"type": "section", "text": {"type": "plain_text", "text": text}});
            Content {
                text: "fallback".to_owned(),
                blocks: vec![rich],
                attachments: vec![json!({"color": "#d0342c", "blocks": [section]})],
                ..Content::default()
            }
        };
        let (id, ts) = workspace.post(By::Bot, "monitoring", None, message("0 of 2"), now).unwrap();
        workspace.edit(&id, &ts, |_| message("1 failed"), now).unwrap();
        let boxed = json!({"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [
                {"type": "text", "text": "nginx", "style": {"bold": true}},
                {"type": "text", "text": " · web7"}]},
            {"type": "rich_text_preformatted", "elements": [
                {"type": "text", "text": "one\ntwo \u{1b}[31m"}]}]});
        let reply = Content { text: "x".to_owned(), blocks: vec![boxed], ..Content::default() };
        workspace.post(By::Bot, &id, Some(&ts), reply, now).unwrap();
        let plain = Content { text: "&lt;old&gt; webhook".to_owned(), ..Content::default() };
        workspace.post(By::Webhook, &id, None, plain, now).unwrap();
        workspace
    }

    #[test]
    fn draws_a_channel() {
        let workspace = workspace();
        let channel = workspace.channels.first().unwrap();
        insta::assert_snapshot!(draw(channel, &Look::plain(72)).join("\n"));
        let colored = draw(channel, &Look { color: true, width: 24 }).join("\n");
        insta::assert_snapshot!(colored.replace('\u{1b}', "ESC"));
    }

    #[test]
    fn logs_what_happened() {
        let workspace = workspace();
        let mut changes = workspace.channels[0].changes.clone();
        let mut known: Vec<String> = Vec::new();
        for change in &mut changes {
            let at = known.iter().position(|ts| *ts == change.ts).unwrap_or(known.len());
            if at == known.len() {
                known.push(change.ts.clone());
            }
            change.ts = format!("1760000000.{:06}", (at + 1) * 100);
        }
        let lines: Vec<String> = changes.iter().map(log_line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn cuts_to_the_width() {
        let mut room = 5;
        assert_eq!(fit("日本語", &mut room), "日本…");
        let mut room = usize::MAX;
        assert_eq!(fit("any length", &mut room), "any length");
    }
}
