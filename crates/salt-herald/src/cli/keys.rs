//! `log --keys`: what happened to minions' keys. Pure.

use anstyle::{AnsiColor, Style};
use herald_core::glob::fnmatch;
use herald_core::key::KeyAct;
use herald_core::literal;
use serde_json::{Value, json};

use super::output::View;
use super::row::{DIM, local, pad};
use crate::store::KeyEvent;

/// Whether a minion's key is asked for.
pub(super) fn is_asked_for(event: &KeyEvent, minion: Option<&str>) -> bool {
    minion.is_none_or(|glob| fnmatch(glob, &event.minion))
}

/// The latest of them below each other.
pub(super) fn lines(events: &[KeyEvent], view: &View) -> String {
    let written = |event: &KeyEvent| literal::line(&event.minion).chars().count();
    let width = events.iter().map(written).max().unwrap_or(0).min(40);
    let line = |event: &KeyEvent| {
        let (style, minion) = (style(event.act), pad(&literal::line(&event.minion), width));
        let (time, words) = (local(event.at, view), event.act.in_words());
        format!("{DIM}{time}{DIM:#}  {minion}  {style}{words}{style:#}\n")
    };
    match events {
        [] => format!("{DIM}nothing happened to keys{DIM:#}\n"),
        events => events.iter().map(line).collect(),
    }
}

/// What somebody should look at stands out.
fn style(act: KeyAct) -> Style {
    match act {
        KeyAct::Denied | KeyAct::Failed | KeyAct::Changed => AnsiColor::Red.on_default().bold(),
        KeyAct::Waiting => AnsiColor::Yellow.on_default(),
        KeyAct::Accepted | KeyAct::Rejected | KeyAct::Deleted | KeyAct::Seen => Style::new(),
    }
}

/// One of them for programs: these names are never changed.
pub(super) fn object(event: &KeyEvent) -> Value {
    json!({
        "type": "key",
        "at": event.at.to_string(),
        "act": event.act.name(),
        "minion": event.minion,
        "key": event.key.map(|key| key.to_string()),
        "entry": event.entry,
    })
}

#[cfg(test)]
mod tests {
    use herald_core::digest::Digest;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn what_happened_to_keys_is_told() {
        let at: Timestamp = "2026-11-22T14:02:09Z".parse().unwrap();
        let view = View { width: None, zone: TimeZone::UTC, now: at };
        let acts = KeyAct::ALL.iter().zip(1..);
        let events: Vec<KeyEvent> = acts
            .map(|(act, entry)| KeyEvent {
                entry,
                at,
                act: *act,
                minion: if entry == 2 { "db\u{202e}1".into() } else { "web1".into() },
                key: (*act == KeyAct::Denied).then(|| Digest::of(b"a key")),
            })
            .collect();
        let text =
            |events: &[KeyEvent]| anstream::adapter::strip_str(&lines(events, &view)).to_string();
        insta::assert_snapshot!(text(&events), @r"
        2026-11-22 14:02:09  web1         its key was accepted
        2026-11-22 14:02:09  db\u{202e}1  its key was rejected
        2026-11-22 14:02:09  web1         its key was deleted
        2026-11-22 14:02:09  web1         its key waits to be accepted
        2026-11-22 14:02:09  web1         refused: it came with another key than the one that is known
        2026-11-22 14:02:09  web1         it could not authenticate
        2026-11-22 14:02:09  web1         it authenticated with another key than before
        2026-11-22 14:02:09  web1         it authenticated for the first time
        ");
        insta::assert_snapshot!(text(&[]), @"nothing happened to keys");
        let object = object(&events[4]).to_string();
        let digest = Digest::of(b"a key").to_string();
        insta::assert_snapshot!(object.replace(&digest, "DIGEST"), @r#"{"type":"key","at":"2026-11-22T14:02:09Z","act":"denied","minion":"web1","key":"DIGEST","entry":5}"#);
        assert!(is_asked_for(&events[0], Some("web*")) && !is_asked_for(&events[0], Some("db*")));
    }
}
