//! What the usual script behind a reactor posts, for `announce`, and what a webhook's messages ask
//! for beside their content. Pure.
//!
//! The text of the old payload is parsed by Slack for its own marks, so that nothing of a command
//! may be one: `&`, `<` and `>` are escaped, and backticks written as the shell reads them.

use herald_core::quote::without_backticks;
use serde_json::{Map, Value, json};

use super::literal::{Lines, escaped};
use crate::config::Guise;

const USERNAME: &str = "salt-bot";
const ICON: &str = ":computer:";
const COLOR: &str = "#F35A00";
/// Most characters of a command: it stands in the message twice.
const MOST_COMMAND: usize = 4_400;

/// The payload for a command line.
pub(super) fn payload(command: &str, guise: &Guise) -> Value {
    let command = escaped(&without_backticks(command), Lines::One, MOST_COMMAND);
    let or = |given: &Option<String>, usual: &str| json!(given.as_deref().unwrap_or(usual));
    let mut payload = json!({
        "username": or(&guise.username, USERNAME),
        "icon_emoji": or(&guise.icon_emoji, ICON),
        "mrkdwn": true,
        "attachments": [{
            "mrkdwn_in": ["text", "fallback"],
            "fallback": command,
            "text": format!("`{command}`"),
            "color": or(&guise.color, COLOR),
        }],
    });
    if let Value::Object(fields) = &mut payload {
        dress(fields, guise);
    }
    payload
}

/// Says in a message where and as whom it asks to be shown, as far as the config says it.
pub(super) fn dress(fields: &mut Map<String, Value>, guise: &Guise) {
    let Guise { channel, username, icon_emoji, color: _ } = guise;
    for (name, given) in [("channel", channel), ("username", username), ("icon_emoji", icon_emoji)]
    {
        if let Some(given) = given {
            fields.insert(name.to_owned(), json!(given));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::literal::length;
    use super::*;

    #[test]
    fn the_payload_of_the_usual_script() {
        let guise = Guise {
            channel: Some("#ops".to_owned()),
            username: Some("salt prod".to_owned()),
            icon_emoji: Some(":salt:".to_owned()),
            color: Some("good".to_owned()),
        };
        let payloads = json!([
            payload("salt '*' state.highstate", &Guise::default()),
            payload("salt '*' cmd.run '<!channel> `id` & \u{202e}'", &guise),
        ]);
        insta::assert_snapshot!(format!("{payloads:#}"));
    }

    #[test]
    fn the_longest_fits() {
        for text in ["x".repeat(9_000), "&".repeat(9_000), "'`'".repeat(3_000)] {
            let payload = payload(&text, &Guise::default());
            let attachment = &payload["attachments"][0];
            for field in ["text", "fallback"] {
                let text = attachment[field].as_str().unwrap();
                assert!(length(text) <= MOST_COMMAND + 2);
                assert!(!text.trim_matches('`').contains('`'));
            }
        }
    }
}
