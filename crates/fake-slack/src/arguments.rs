//! A call's arguments, from the query, a form or JSON. Pure.

use serde_json::{Map, Value, json};

use crate::content::Content;

/// Fields that are JSON inside a form.
const STRUCTURED: [&str; 3] = ["blocks", "attachments", "metadata"];

/// A call's arguments by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Reads them as Slack does; nothing when the body is not what it says it is.
    pub(crate) fn read(kind: &str, query: &str, body: &[u8]) -> Option<Self> {
        let mut fields = form(query);
        if kind.starts_with("application/json") {
            match serde_json::from_slice(body).ok()? {
                Value::Object(object) => fields.extend(object),
                _ => return None,
            }
        } else {
            fields.extend(form(std::str::from_utf8(body).ok()?));
            for name in STRUCTURED {
                if let Some(Value::String(text)) = fields.get(name) {
                    let value = serde_json::from_str(text).ok()?;
                    fields.insert(name.to_owned(), value);
                }
            }
        }
        Some(Self(fields))
    }

    /// An argument as text; empty when it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        let value = self.0.get(name)?;
        value.as_u64().and_then(|n| n.try_into().ok()).or_else(|| value.as_str()?.parse().ok())
    }

    /// Whether it is given as true, in one of the ways in which Slack takes that.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| match value {
            Value::Bool(is_true) => *is_true,
            Value::Number(number) => number.as_u64() == Some(1),
            Value::String(text) => matches!(text.as_str(), "true" | "1"),
            _ => false,
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What the message says; fields that are not given are as in `before`.
    pub(crate) fn content(&self, before: Content) -> Content {
        let list = |name: &str, before: Vec<Value>| match self.0.get(name) {
            Some(Value::Array(values)) => values.clone(),
            Some(_) => Vec::new(),
            None => before,
        };
        Content {
            // A new text without blocks takes the place of the old blocks.
            blocks: list("blocks", if self.has("text") { Vec::new() } else { before.blocks }),
            attachments: list("attachments", before.attachments),
            text: if self.has("text") { self.text("text").to_owned() } else { before.text },
            // An empty one takes the old one away.
            metadata: match self.0.get("metadata") {
                Some(metadata) => (*metadata != json!({})).then(|| metadata.clone()),
                None => before.metadata,
            },
            ..before
        }
    }

    /// What an incoming webhook takes: JSON, or a form with one field, `payload`, that holds JSON.
    pub(crate) fn of_webhook(kind: &str, body: &[u8]) -> Option<Self> {
        if kind.starts_with("application/json") {
            return Self::read(kind, "", body);
        }
        let text = std::str::from_utf8(body).ok()?;
        let value = text.strip_prefix("payload=").filter(|value| is_encoded(value))?;
        Self::read("application/json", "", decode(value).as_bytes())
    }

    /// An argument as text, if it is there.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

fn form(text: &str) -> Map<String, Value> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), Value::String(decode(value)))
        })
        .collect()
}

/// Whether this is one value of a form, each of its bytes written as a form wants it.
fn is_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        let fine = match byte {
            b'%' => digit() && digit(),
            byte => byte.is_ascii_alphanumeric() || b"-._~*+".contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

/// Undoes percent-encoding; what is not encoded well stays as it is.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'+' => Some(b' '),
            b'%' => {
                let ahead = bytes.clone();
                let digits: Vec<u8> = ahead.take(2).collect();
                let value = std::str::from_utf8(&digits).ok().filter(|digits| digits.len() == 2);
                value.and_then(|digits| u8::from_str_radix(digits, 16).ok()).inspect(|_| {
                    bytes.nth(1);
                })
            }
            other => Some(other),
        };
        out.push(decoded.unwrap_or(byte));
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_say_the_same() {
        let form = "channel=%23ops&text=a+b%26c&blocks=%5B%7B%22type%22%3A%22divider%22%7D%5D";
        let json = r##"{"channel":"#ops","text":"a b&c","blocks":[{"type":"divider"}]}"##;
        let one = Arguments::read("application/x-www-form-urlencoded", "", form.as_bytes());
        let two = Arguments::read("application/json; charset=utf-8", "", json.as_bytes());
        assert_eq!(one, two);
        assert_eq!(one.unwrap().text("channel"), "#ops");
        assert_eq!(decode("100%, 5%2"), "100%, 5%2");
        assert!(Arguments::read("application/json", "", b"[]").is_none());
    }

    #[test]
    fn a_webhook_takes_json_or_a_form_that_holds_it() {
        let text = |kind, body: &str| {
            let read = Arguments::of_webhook(kind, body.as_bytes());
            read.map(|arguments| arguments.text("text").to_owned())
        };
        let form = "application/x-www-form-urlencoded";
        let hello = Some("a & b".to_owned());
        assert_eq!(text("application/json", r#"{"text":"a & b"}"#), hello);
        assert_eq!(text(form, "payload=%7B%22text%22%3A%22a+%26%20b%22%7D"), hello);
        assert_eq!(text("", "payload=%7B%22text%22%3A%22a+%26%20b%22%7D"), hello);
        for body in [
            "text=hello",
            r#"payload={"text":"a"}"#,
            "payload=%7B%22text%22%3A%22a%22%7D&x=1",
            "payload=%7B%2",
            "payload=%5B%5D",
            "payload=hello",
        ] {
            assert_eq!(text(form, body), None, "{body}");
        }
        assert_eq!(text("application/json", r#"payload={"text":"a"}"#), None);
    }
}
