//! What `scrub` says, as text and as JSON Lines. Nothing of a secret stands in it.

use std::fmt::Write as _;

use herald_core::literal;
use herald_core::payload::PayloadKind;
use herald_core::run::RunId;
use serde_json::{Value, json};

use crate::cli::output::View;
use crate::cli::row::{BOLD, DIM, local};
use crate::store::{Cleaned, FoundSecret, Held, Left, Marked};

/// So many of a kind are told one by one.
const MOST: usize = 20;

/// Where secrets stand; nothing was changed.
pub(super) fn found(found: &FoundSecret, view: &View) -> String {
    let mut text = String::new();
    if *found == FoundSecret::default() {
        return "nothing of it was found in the journal, nor in any file beside it\n".to_owned();
    }
    line(&mut text, "contents", &contents(found));
    line(&mut text, "runs", &runs(found));
    messages(&mut text, found, view, "would be rewritten");
    left(&mut text, found);
    files(&mut text, &found.files, "holds it");
    text.push_str("nothing was changed\n");
    text
}

/// What came of taking them out.
pub(super) fn cleaned(cleaned: &Cleaned, view: &View) -> String {
    let mut text = String::new();
    let found = &cleaned.found;
    match cleaned.entries.as_slice() {
        [] => line(&mut text, "contents", "none holds it, so that nothing was replaced"),
        [first, ..] => {
            line(&mut text, "contents", &format!("{}: replaced", contents(found)));
            line(&mut text, "runs", &runs(found));
            let more = cleaned.entries.len() - 1;
            let more = if more == 0 { String::new() } else { format!(" and {more} after it") };
            line(
                &mut text,
                "entry",
                &format!("{first}{more}: who, when, why, and what was replaced"),
            );
        }
    }
    for (entry, runs) in &cleaned.before {
        let runs = listed(runs);
        let what = format!(
            "entry {entry} took it out of what the runs {runs} name; show run N tells of their messages"
        );
        line(&mut text, "before", &what);
    }
    messages(
        &mut text,
        found,
        view,
        "to be rewritten: the daemon does it at its next start, if the chat lets it",
    );
    match &cleaned.trouble {
        None => line(&mut text, "file", "made anew, without its free places, and its WAL emptied"),
        Some(why) => {
            let why = literal::line(why);
            let _ = writeln!(
                text,
                "{BOLD}! {why}: what was overwritten may still stand in it. Mend that, and run it again{BOLD:#}"
            );
        }
    }
    left(&mut text, found);
    files(&mut text, &found.files, "still holds it");
    advise(&mut text);
    text
}

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "{DIM}{label:<10}{DIM:#}{value}");
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn contents(found: &FoundSecret) -> String {
    let count: u64 = found.payloads.values().sum();
    let kinds: Vec<String> = found
        .payloads
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind_in_words(*kind)))
        .collect();
    let mut text = match count {
        0 => "none".to_owned(),
        _ => format!("{count}, in {} ({})", counted(found.places, "place"), kinds.join(", ")),
    };
    if found.notes > 0 {
        let _ = write!(text, "; {}", counted(found.notes, "other text"));
    }
    text
}

fn kind_in_words(kind: PayloadKind) -> &'static str {
    match kind {
        PayloadKind::Head => "of a run's command",
        PayloadKind::Load => "of a job's arguments",
        PayloadKind::Definition => "of a state's name",
        PayloadKind::Body => "of what was returned",
        PayloadKind::Set | PayloadKind::Shape | PayloadKind::Minions => "others",
    }
}

fn runs(found: &FoundSecret) -> String {
    match found.runs.len() {
        0 => "none".to_owned(),
        count => format!("{count}: {}", listed(&found.runs)),
    }
}

fn listed(runs: &[RunId]) -> String {
    let numbers: Vec<String> = runs.iter().take(MOST).map(|run| run.0.to_string()).collect();
    let more = if runs.len() > MOST { " and more" } else { "" };
    format!("{}{more}", numbers.join(", "))
}

/// Those that nobody can rewrite are told one by one: somebody has to look for them.
fn messages(text: &mut String, found: &FoundSecret, view: &View, what: &str) {
    let (rewritten, stuck): (Vec<&Marked>, Vec<&Marked>) =
        found.messages.iter().partition(|message| message.can_be_rewritten);
    if !rewritten.is_empty() {
        line(text, "messages", &format!("{} {what}", rewritten.len()));
    }
    for message in stuck.iter().take(MOST) {
        let at = local(message.at, view);
        let (sink, command) = (literal::line(&message.sink), literal::line(&message.command));
        let _ = writeln!(
            text,
            "{BOLD}! a message that may show it can't be rewritten: {sink}, {at}, {command}{BOLD:#}"
        );
    }
    more(text, stuck.len());
    if !stuck.is_empty() {
        let _ = writeln!(
            text,
            "  delete such a message by hand: what a webhook posted can't be edited, nor what the chat refused before"
        );
    }
}

fn more(text: &mut String, count: usize) {
    if count > MOST {
        let _ = writeln!(text, "{BOLD}! and {} more{BOLD:#}", count - MOST);
    }
}

fn left(text: &mut String, found: &FoundSecret) {
    for left in found.left.iter().take(MOST) {
        let _ = writeln!(text, "{BOLD}! {}{BOLD:#}", left_in_words(left));
    }
    more(text, found.left.len());
    if !found.left.is_empty() {
        let _ = writeln!(
            text,
            "  the chain is made of it: it goes when it is too old (journal.keep), or with the journal"
        );
    }
}

fn left_in_words(left: &Left) -> String {
    match left {
        Left::Entry { number, kind } => {
            format!("entry {number} holds it itself, {}, and can't be changed", held_by(*kind))
        }
        Left::Minions => "the list of all minions' ids holds it, and can't be changed".to_owned(),
    }
}

/// What of an entry of that kind can hold a text that came from elsewhere.
fn held_by(kind: u8) -> &'static str {
    match kind {
        3 => "in a minion's id",
        6 => "in a jid or the name of a function",
        9 => "in a jid",
        13 => "in a minion's id or a tag",
        14 => "in a tag",
        20 => "in the id of a minion with a key",
        22 => "in the reason of another scrub, or in who did it",
        23 => "in the name of a sink",
        _ => "in a text of its own",
    }
}

fn files(text: &mut String, files: &[Held], what: &str) {
    for Held { name, places } in files.iter().take(MOST) {
        let name = literal::line(name);
        let _ = match places {
            Some(places) => {
                writeln!(text, "{BOLD}! {name} {what}, in {}{BOLD:#}", counted(*places, "place"))
            }
            None => writeln!(text, "{BOLD}! {name} can't be read: nobody knows{BOLD:#}"),
        };
    }
    more(text, files.len());
    if files.iter().any(|held| !is_in_use(&held.name)) {
        let _ = writeln!(
            text,
            "  shred what nobody needs of these: copies, backups, what was set aside"
        );
    }
}

/// Whether a file is the journal or its WAL, which nobody may shred.
fn is_in_use(name: &str) -> bool {
    name.ends_with(".db") || name.ends_with("-wal") || name.ends_with("-shm")
}

fn advise(text: &mut String) {
    text.push_str(
        "change the secret: it was in clear here, and the master's job cache may hold it still\n\
         not reached: backups, the disk's own copies, what people copied out of a channel\n\
         salt-herald does not know it afterwards: if it comes again in the same way, it slips through again\n",
    );
}

/// The same as JSON Lines.
pub(super) fn found_objects(found: &FoundSecret) -> Vec<Value> {
    let mut objects = objects(found);
    objects.push(summary(found, None));
    objects
}

/// The same as JSON Lines.
pub(super) fn cleaned_objects(cleaned: &Cleaned) -> Vec<Value> {
    let mut objects = objects(&cleaned.found);
    objects.push(summary(&cleaned.found, Some(cleaned)));
    objects
}

fn objects(found: &FoundSecret) -> Vec<Value> {
    let message = |message: &Marked| {
        json!({
            "type": "message",
            "run": message.run.0,
            "sink": message.sink,
            "part": message.part.name(),
            "at": message.at.to_string(),
            "command": message.command,
            "rewritten": message.can_be_rewritten,
        })
    };
    let left = |left: &Left| match left {
        Left::Entry { number, .. } => {
            json!({"type": "left", "entry": number, "text": left_in_words(left)})
        }
        Left::Minions => json!({"type": "left", "entry": null, "text": left_in_words(left)}),
    };
    let file = |held: &Held| json!({"type": "file", "name": held.name, "places": held.places});
    let mut objects: Vec<Value> = found.messages.iter().map(message).collect();
    objects.extend(found.left.iter().map(left));
    objects.extend(found.files.iter().map(file));
    objects
}

fn summary(found: &FoundSecret, cleaned: Option<&Cleaned>) -> Value {
    let kinds: serde_json::Map<String, Value> = found
        .payloads
        .iter()
        .map(|(kind, count)| (kind.name().to_owned(), Value::from(*count)))
        .collect();
    json!({
        "type": "summary",
        "replaced": cleaned.is_some_and(|cleaned| !cleaned.entries.is_empty()),
        "entries": cleaned.map(|cleaned| cleaned.entries.clone()),
        "before": cleaned.map(|cleaned| {
            cleaned.before.iter().map(|(entry, _)| *entry).collect::<Vec<_>>()
        }),
        "contents": kinds,
        "places": found.places,
        "other_texts": found.notes,
        "runs": found.runs.iter().map(|run| run.0).collect::<Vec<_>>(),
        "clean": cleaned.map(Cleaned::is_clean),
        "trouble": cleaned.and_then(|cleaned| cleaned.trouble.clone()),
    })
}
