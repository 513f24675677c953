//! Salt's values as people read them: indented, without quotes, much as Salt itself shows them.
//!
//! Not meant to be read back: for that there is `--json`.

use herald_core::literal;
use salt_event::Value;

/// The value in lines, each behind `indent` spaces; at most `limit` of them, and a word on the rest.
pub(super) fn value(value: &Value<'_>, indent: usize, limit: usize) -> String {
    let mut lines = Vec::new();
    write(value, 0, &mut lines);
    block(&lines, indent, limit)
}

/// Text in its lines, likewise.
pub(super) fn text(text: &str, indent: usize, limit: usize) -> String {
    let lines: Vec<String> = literal::lines(text.trim_end()).lines().map(str::to_owned).collect();
    block(&lines, indent, limit)
}

fn block(lines: &[String], indent: usize, limit: usize) -> String {
    let mut out = String::new();
    let mut push = |line: &str| {
        let line = format!("{:indent$}{line}", "");
        out.push_str(line.trim_end());
        out.push('\n');
    };
    lines.iter().take(limit).for_each(|line| push(line));
    if lines.len() > limit {
        push(&format!("… {} more lines", lines.len() - limit));
    }
    out
}

fn write(value: &Value<'_>, depth: usize, lines: &mut Vec<String>) {
    let lead = "  ".repeat(depth);
    match value {
        Value::Map(pairs) if !pairs.is_empty() => {
            for (key, value) in pairs {
                let key = inline(key).unwrap_or_else(|| crate::json::of(key).to_string());
                member(&format!("{lead}{}:", literal::line(&key)), value, depth, lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                member(&format!("{lead}-"), item, depth, lines);
            }
        }
        Value::Text(text) => {
            let text = literal::lines(text.trim_end());
            lines.extend(text.lines().map(|line| format!("{lead}{line}")));
        }
        other => lines.push(format!("{lead}{}", inline(other).unwrap_or_default())),
    }
}

/// A member behind its key or dash: in the same line if it is short, below it otherwise.
fn member(lead: &str, value: &Value<'_>, depth: usize, lines: &mut Vec<String>) {
    match inline(value) {
        Some(text) => lines.push(format!("{lead} {}", literal::line(&text))),
        None => {
            lines.push(lead.to_owned());
            write(value, depth + 1, lines);
        }
    }
}

/// What fits behind a key.
fn inline(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Text(text) if text.trim_end().contains('\n') => return None,
        Value::Text(text) if text.is_empty() => "''".to_owned(),
        Value::Text(text) => text.trim_end_matches('\n').to_owned(),
        Value::Map(pairs) if pairs.is_empty() => "{}".to_owned(),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Map(_) | Value::Array(_) => return None,
        Value::Nil => "none".to_owned(),
        other => match crate::json::of(other) {
            serde_json::Value::String(text) => text,
            json => json.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_people_read_them() {
        let changes = Value::Map(vec![
            ("diff".into(), "--- a\n+++ b\n+x\u{1b}[31m\n".into()),
            (
                "mode".into(),
                Value::Map(vec![("old".into(), "0644".into()), ("new".into(), "".into())]),
            ),
            (
                Value::Int(5),
                Value::Array(vec![
                    Value::Nil,
                    Value::Bool(true),
                    Value::Map(Vec::new()),
                    Value::Array(vec!["a".into(), Value::Float(0.5)]),
                ]),
            ),
        ]);
        insta::assert_snapshot!(value(&changes, 2, 100));
        assert_eq!(value(&"a\nb\nc\n".into(), 1, 2), " a\n b\n … 1 more lines\n");
        assert_eq!(text("a\n\nb\n", 2, 9), "  a\n\n  b\n");
    }
}
