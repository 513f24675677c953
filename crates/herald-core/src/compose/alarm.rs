//! What is said of what minions made up, and of keys: many at once in one notice.

use std::collections::BTreeMap;

use crate::alarm::{Likeness, Matter};
use crate::announce::{MAX_COMMAND, Mood, Notice};
use crate::key::KeyAct;
use crate::literal;
use crate::suspect::{Suspect, Why};

use super::cut;
use super::notice::at;

/// Most of them that are named.
const NAMED: usize = 5;
/// Longest name of a minion, tag or jid in a notice, in characters.
const LONGEST: usize = 100;

/// Says what there is to be said; nothing where that is nothing.
pub fn alarm(matters: &[Matter], master: Option<&str>) -> Option<Notice> {
    let mut kinds: BTreeMap<Likeness, (&Matter, u64)> = BTreeMap::new();
    for matter in matters {
        let (_, count) = kinds.entry(matter.likeness()).or_insert((matter, 0));
        *count += matter.count();
    }
    // The worst first; among alike ones in the order of names.
    let mut kinds: Vec<(&Matter, u64)> = kinds.into_values().collect();
    kinds.sort_by_key(|(matter, _)| !is_bad(matter));
    let (first, _) = kinds.first()?;
    let all: u64 = kinds.iter().map(|(_, count)| count).sum();
    let headline = match kinds.len() {
        1 => headline(first),
        kinds => format!("{}; and {} more", headline(first), counted_kinds(kinds - 1)),
    };
    let mut parts: Vec<String> =
        kinds.iter().take(NAMED).map(|(matter, count)| line(matter, *count)).collect();
    if kinds.len() > NAMED {
        let rest: u64 = kinds.iter().skip(NAMED).map(|(_, count)| count).sum();
        parts.push(format!("{rest} more of {all}"));
    }
    parts.push(where_to_look(matters).to_owned());
    Some(Notice {
        mood: if is_bad(first) { Mood::Failed } else { Mood::Silent },
        headline: at(master, &headline),
        more: cut(&parts.join("; "), MAX_COMMAND),
    })
}

fn counted_kinds(count: usize) -> String {
    if count == 1 { "one thing".to_owned() } else { format!("{count} things") }
}

/// Whether somebody should look at it now.
fn is_bad(matter: &Matter) -> bool {
    match matter {
        Matter::Suspect(suspect) => suspect.why.is_proof(),
        Matter::Key { act, .. } => matches!(act, KeyAct::Denied | KeyAct::Changed),
    }
}

fn headline(matter: &Matter) -> String {
    let suspect = match matter {
        Matter::Key { act, minion } => return format!("{}: {}", short(minion), act.in_words()),
        Matter::Suspect(suspect) => suspect,
    };
    let Suspect { minion, sender, jid, .. } = suspect;
    match suspect.why {
        Why::InMastersName if !sender.is_empty() => {
            format!("{} sent an event in the master's name", short(sender))
        }
        Why::InMastersName | Why::Twin => "A minion sent an event in the master's name".to_owned(),
        Why::TagDiffers => "A return came under another's tag".to_owned(),
        Why::Unasked | Why::Again | Why::Displaced | Why::NoSyndic => {
            format!("A return as {} is not borne out by the master's job cache", short(minion))
        }
        Why::Unconfirmed => {
            format!("Job {} is not in the master's job cache: who sent it is not known", short(jid))
        }
        Why::NotPublished => format!("Forged: the master published no job {}", short(jid)),
    }
}

fn line(matter: &Matter, count: u64) -> String {
    let times = if count == 1 { String::new() } else { format!(" ×{count}") };
    let suspect = match matter {
        Matter::Key { act, minion } => {
            return format!("{}: {}{times}", short(minion), act.in_words());
        }
        Matter::Suspect(suspect) => suspect,
    };
    let sender = match suspect.sender.as_str() {
        "" => String::new(),
        sender => format!("from {}: ", short(sender)),
    };
    let what = if suspect.tag.is_empty() { &suspect.jid } else { &suspect.tag };
    format!("{sender}{} ({}){times}", suspect.why.in_words(), short(what))
}

fn where_to_look(matters: &[Matter]) -> &'static str {
    let is_key = |matter: &Matter| matches!(matter, Matter::Key { .. });
    match (matters.iter().any(is_key), matters.iter().all(is_key)) {
        (_, true) => "salt-herald log --keys tells all",
        (false, _) => "salt-herald log --suspect tells all",
        (true, false) => "salt-herald log --suspect and log --keys tell all",
    }
}

/// A name that somebody else chose.
fn short(name: &str) -> String {
    cut(&literal::line(name), LONGEST)
}
