//! Judges: whether a text could do anything where it went, by what may be there at all, and not by
//! what hostile strings are known. Each is shown beside to object.

use std::collections::BTreeMap;

use serde_json::Value;

use super::strings::INJECTED;

/// What may stand in the body of a call that posts or edits.
const FIELDS: [&str; 10] = [
    "text",
    "blocks",
    "attachments",
    "parse",
    "link_names",
    "mrkdwn",
    "unfurl_links",
    "unfurl_media",
    "channel",
    "ts",
];

/// All that is wrong with a call to Slack: what it could do besides being read.
pub(crate) fn of_slack(body: &[u8]) -> Vec<String> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return vec![format!("no object: {}", String::from_utf8_lossy(body))];
    };
    let mut wrong = Vec::new();
    for (name, value) in &fields {
        match name.as_str() {
            "thread_ts" | "metadata" => {}
            name if FIELDS.contains(&name) => {}
            _ => wrong.push(format!("a field {name}: {value}")),
        }
    }
    // Whoever leaves one of these out lets Slack look for links and names.
    for (name, needed) in [("parse", "none".into()), ("link_names", Value::Bool(false))] {
        if fields.get(name) != Some(&needed) {
            wrong.push(format!("{name} is not {needed}"));
        }
    }
    let posts = !fields.contains_key("ts");
    if posts && fields.get("mrkdwn") != Some(&Value::Bool(false)) {
        wrong.push("mrkdwn is on".to_owned());
    }
    let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
    judge_parsed(text, 1, &mut wrong);
    for block in list(fields.get("blocks")) {
        judge_block(block, 1, &mut wrong);
    }
    for attachment in list(fields.get("attachments")) {
        judge_attachment(attachment, &mut wrong);
    }
    wrong
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether an object has these fields and no others.
fn has_only(value: &Value, names: &[&str]) -> bool {
    value.as_object().is_some_and(|it| it.keys().all(|name| names.contains(&name.as_str())))
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn judge_attachment(attachment: &Value, wrong: &mut Vec<String>) {
    let color = attachment.get("color").and_then(Value::as_str).unwrap_or_default();
    let is_color = color.len() == 7 && color.starts_with('#');
    if !has_only(attachment, &["color", "blocks"]) || !is_color {
        wrong.push(format!("an attachment: {attachment}"));
    }
    // Who and where, and the counts; then a title for each thing that went wrong.
    for (number, block) in list(attachment.get("blocks")).iter().enumerate() {
        judge_block(block, if number == 0 { 2 } else { 1 }, wrong);
    }
}

/// Of the lines of a section, so many at its beginning are ours.
fn judge_block(block: &Value, own: usize, wrong: &mut Vec<String>) {
    match kind(block) {
        "rich_text" if has_only(block, &["type", "elements"]) => {
            for element in list(block.get("elements")) {
                let is_box = kind(element) == "rich_text_preformatted";
                if !is_box && kind(element) != "rich_text_section" {
                    wrong.push(format!("an element: {element}"));
                }
                let leaves = list(element.get("elements"));
                leaves.iter().for_each(|leaf| judge_leaf(leaf, is_box, wrong));
            }
        }
        // What is parsed there are entities alone.
        "section" if has_only(block, &["type", "text"]) => {
            let text = block.get("text").unwrap_or(&Value::Null);
            let is_plain =
                kind(text) == "plain_text" && text.get("emoji") == Some(&Value::Bool(false));
            if !is_plain || !has_only(text, &["type", "text", "emoji"]) {
                wrong.push(format!("a text that is not plain: {text}"));
            }
            let text = text.get("text").and_then(Value::as_str).unwrap_or_default();
            judge_parsed(text, usize::MAX, wrong);
            if let Some(line) = text.split('\n').skip(own).find(|line| !line.starts_with("│ ")) {
                wrong.push(format!("a line that could be ours: {line:?}"));
            }
        }
        _ => wrong.push(format!("a block: {block}")),
    }
}

/// Rich text is literal; what can act in it are other kinds of elements, and what can't be seen.
fn judge_leaf(leaf: &Value, is_box: bool, wrong: &mut Vec<String>) {
    let style = leaf.get("style");
    let is_styled = style.is_none_or(|style| has_only(style, &["code", "bold"]));
    if kind(leaf) != "text" || !has_only(leaf, &["type", "text", "style"]) || !is_styled {
        wrong.push(format!("a leaf: {leaf}"));
    }
    let text = leaf.get("text").and_then(Value::as_str).unwrap_or_default();
    // In a digest, each command begins a line, with its symbol: that is ours.
    let own = text.strip_prefix('\n').filter(|_| style.is_none()).unwrap_or(text);
    judge_seen(own, if is_box { usize::MAX } else { 1 }, wrong);
    if style.and_then(|style| style.get("code")).is_some() && text.contains('\n') {
        wrong.push(format!("code that leaves its line: {text:?}"));
    }
}

/// A text that Slack parses.
fn judge_parsed(text: &str, lines: usize, wrong: &mut Vec<String>) {
    judge_seen(text, lines, wrong);
    let is_entity =
        |at: usize| ["&amp;", "&lt;", "&gt;"].iter().any(|it| text[at..].starts_with(it));
    let is_bare = text.contains(['<', '>']);
    if is_bare || !text.match_indices('&').all(|(at, _)| is_entity(at)) {
        wrong.push(format!("Slack would parse {text:?}"));
    }
}

/// A text whose every character is seen where it stands.
fn judge_seen(text: &str, lines: usize, wrong: &mut Vec<String>) {
    if let Some(odd) = text.chars().find(|c| *c != '\n' && acts(*c)) {
        wrong.push(format!("{odd:?} in {text:?}"));
    }
    if text.split('\n').count() > lines {
        wrong.push(format!("a line that is not ours in {text:?}"));
    }
}

/// Characters that can't be seen or move others: by Unicode's own words for them, told apart from
/// what the program goes by. `Cc`, `Zl`, `Zp`, `Bidi_Control` and `Default_Ignorable_Code_Point`, but
/// for the sign that makes an emoji of what stands before it.
pub(crate) fn acts(c: char) -> bool {
    let code = c as u32;
    const RANGES: &[(u32, u32)] = &[
        (0x00, 0x1f),
        (0x7f, 0x9f),
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0e),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfffb),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
    ];
    RANGES.iter().any(|(from, to)| (*from..=*to).contains(&code))
}

/// All that is wrong with what the usual script posts. Its text is one code span, in a field in which
/// Slack looks for marks: nothing in it may end that.
pub(crate) fn of_legacy(payload: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let attachment = &payload["attachments"][0];
    let fallback = attachment["fallback"].as_str().unwrap_or_default();
    let text = attachment["text"].as_str().unwrap_or_default();
    let inside = text.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
    if inside != Some(fallback) || fallback.contains('`') || fallback.is_empty() {
        wrong.push(format!("no code span: {text:?}"));
    }
    judge_parsed(fallback, 1, &mut wrong);
    let names = ["username", "icon_emoji", "mrkdwn", "attachments"];
    let below = ["mrkdwn_in", "fallback", "text", "color"];
    if !has_only(payload, &names) || !has_only(attachment, &below) {
        wrong.push(format!("another field: {payload}"));
    }
    wrong
}

/// All that is wrong with what goes to a terminal, or into a log.
pub(crate) fn of_terminal(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in text.split('\n') {
        if let Some(odd) = line.chars().find(|c| acts(*c)) {
            wrong.push(format!("{odd:?} in {line:?}"));
        }
        if line.starts_with(INJECTED) {
            wrong.push(format!("a line that is not ours: {line:?}"));
        }
    }
    wrong
}

/// The same of what goes to a terminal that shows colours: ours are a few, and nothing else is left.
pub(crate) fn of_colours(text: &str) -> Vec<String> {
    let mut plain = text.to_owned();
    for code in ["", "0", "1", "2", "31", "32", "33", "36"] {
        plain = plain.replace(&format!("\x1b[{code}m"), "");
    }
    of_terminal(&plain)
}

/// All that is wrong with lines of JSON: they are parsed, so that the form is all there is.
pub(crate) fn of_json(text: &str) -> Vec<String> {
    let objects = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err());
    let mut wrong: Vec<String> = objects.map(|line| format!("no JSON: {line:?}")).collect();
    if let Some(odd) = text.chars().find(|c| *c != '\n' && acts(*c)) {
        wrong.push(format!("{odd:?} in JSON"));
    }
    wrong
}

/// The samples of a text in the OpenMetrics format, by name and labels.
///
/// # Errors
/// The first line that is none.
pub(crate) fn read_metrics(text: &str) -> Result<BTreeMap<String, Vec<(String, String)>>, String> {
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let sample = read_sample(line).ok_or_else(|| format!("no sample: {line:?}"))?;
        samples.insert(line.to_owned(), sample);
    }
    Ok(samples)
}

/// `name{label="value",…} number`, with the escapes that the format knows.
fn read_sample(line: &str) -> Option<Vec<(String, String)>> {
    let is_name = |name: &str| {
        let is_of = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty() && name.chars().all(is_of) && !name.contains(INJECTED)
    };
    let (name, mut rest) = match line.split_once('{') {
        Some((name, rest)) => (name, rest),
        None => {
            let (name, number) = line.split_once(' ')?;
            number.parse::<f64>().ok()?;
            return is_name(name).then(Vec::new);
        }
    };
    let mut labels = Vec::new();
    while !rest.starts_with('}') {
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        is_name(label).then_some(())?;
        labels.push((label.to_owned(), value));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    rest.strip_prefix("} ")?.parse::<f64>().ok()?;
    is_name(name).then_some(labels)
}

/// A label's value to its closing quote, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return text.get(at + 1..).map(|rest| (value, rest)),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

#[test]
fn the_judges_object() {
    let call = |change: fn(&mut Value)| {
        let mut call = serde_json::json!({
            "text": "a &lt;b&gt; &amp;", "parse": "none", "link_names": false, "mrkdwn": false,
            "blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
                {"type": "text", "text": "◐ "},
                {"type": "text", "text": "<!here>", "style": {"code": true}}]}]}],
            "attachments": [{"color": "#d0342c", "blocks": [
                {"type": "section", "text": {"type": "plain_text", "text": "x\ny\n│ z", "emoji": false}}]}],
        });
        change(&mut call);
        of_slack(call.to_string().as_bytes())
    };
    assert_eq!(call(|_| {}), Vec::<String>::new());
    fn section(call: &mut Value) -> &mut Value {
        call.pointer_mut("/attachments/0/blocks/0/text").unwrap()
    }
    fn leaf(call: &mut Value) -> &mut Value {
        call.pointer_mut("/blocks/0/elements/0/elements/1").unwrap()
    }
    let changes: [fn(&mut Value); 17] = [
        |call| call["text"] = "<!here>".into(),
        |call| call["text"] = "AT&T".into(),
        |call| call["text"] = "a\nb".into(),
        |call| call["text"] = "\u{202e}b".into(),
        |call| call["parse"] = "full".into(),
        |call| call["link_names"] = true.into(),
        |call| call["mrkdwn"] = true.into(),
        |call| call["thread"] = "x".into(),
        |call| call["blocks"][0]["type"] = "image".into(),
        |call| call["attachments"][0]["title"] = "x".into(),
        |call| call["attachments"][0]["color"] = "x".into(),
        |call| *section(call) = serde_json::json!({"type": "mrkdwn", "text": "x"}),
        |call| section(call)["emoji"] = true.into(),
        |call| section(call)["text"] = "a <b".into(),
        |call| section(call)["text"] = "x\ny\nz".into(),
        |call| leaf(call)["type"] = "user".into(),
        |call| leaf(call)["text"] = "a\nb".into(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_ne!(call(change), Vec::<String>::new(), "change {number}");
    }
    for text in ["a\u{1b}[31mb", "a\rb", "a\u{2066}b", "a\u{9b}b", "a\nINJECTED", "\u{fe01}"] {
        assert_ne!(of_terminal(text), Vec::<String>::new(), "{text:?}");
    }
    let legacy = |text: &str, fallback: &str| {
        of_legacy(&serde_json::json!({"attachments": [{"text": text, "fallback": fallback}]}))
    };
    assert_eq!(legacy("`a`", "a"), Vec::<String>::new());
    for (text, fallback) in [("`a` b`", "a` b"), ("a", "a"), ("`<!here>`", "<!here>"), ("``", "")] {
        assert_ne!(legacy(text, fallback), Vec::<String>::new(), "{text}");
    }
    assert_ne!(of_colours("\x1b[31mred\x1b[0m \x1b[6n"), Vec::<String>::new());
    assert_eq!(of_colours("\x1b[31mred\x1b[0m"), Vec::<String>::new());
    assert_ne!(of_json("{}\nx\n"), Vec::<String>::new());
    for text in ["a{x=\"y\"} z", "a{x=\"y} 1", "a{x=\"y\\q\"} 1", "a b", "INJECTED 1", "{x=\"\"} 1"]
    {
        assert!(read_metrics(text).is_err(), "{text}");
    }
    let read = read_metrics("# HELP x\na 1\nb{x=\"\\\"} 1\\n\",y=\"z\"} 2.5\n").unwrap();
    assert_eq!(read.len(), 2);
}
