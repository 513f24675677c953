//! What is said that is of no run: of a sink at another one, that nothing can be said there, and that
//! it can again; and of a time of which nothing is known.
//!
//! When it is said, and how often, is the publisher's matter.

use jiff::Timestamp;

use crate::announce::{MAX_COMMAND, Mood, Notice};

use super::cut;
use super::together::between;

/// Nothing can be said at `sink`; `trouble` is why, and what to do about it.
pub fn unusable(sink: &str, trouble: &str, master: Option<&str>) -> Notice {
    Notice {
        mood: Mood::Failed,
        headline: at(master, &format!("Nothing can be said at {sink}")),
        more: cut(trouble, MAX_COMMAND),
    }
}

/// Things can be said at `sink` again.
pub fn usable_again(sink: &str, master: Option<&str>) -> Notice {
    Notice {
        mood: Mood::Good,
        headline: at(master, &format!("Things can be said at {sink} again")),
        more: "What was owed there meanwhile is said now.".to_owned(),
    }
}

/// Messages at `sink` were refused for good, or are gone: the latest, why, and how many there were.
pub fn given_up(
    sink: &str,
    command: &str,
    error: &str,
    count: u64,
    master: Option<&str>,
) -> Notice {
    let headline = match count {
        0 | 1 => format!("A message at {sink} could not be said or rewritten"),
        _ => format!("{count} messages at {sink} could not be said or rewritten"),
    };
    let command = if command.is_empty() { "several runs" } else { command };
    Notice {
        mood: Mood::Silent,
        headline: at(master, &headline),
        more: format!("{error}: {}", cut(command, 160)),
    }
}

/// Nothing is known of what ran in a time in which we were blind; `why` says how that is.
pub fn not_known(from: Timestamp, to: Timestamp, why: &str, master: Option<&str>) -> Notice {
    let time = between(from, to);
    Notice {
        mood: Mood::Silent,
        headline: at(master, &format!("While I was away, {time}: what ran is not known")),
        more: cut(why, MAX_COMMAND),
    }
}

fn at(master: Option<&str>, headline: &str) -> String {
    match master {
        Some(master) => format!("{headline} · {master}"),
        None => headline.to_owned(),
    }
}
