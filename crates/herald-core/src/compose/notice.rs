//! What is said that is of no run: of a sink at another one, that nothing can be said there, and that
//! it can again; of the journal the same; and of a time of which nothing is known.
//!
//! When it is said, and how often, is the publisher's matter.

use jiff::Timestamp;

use crate::announce::{Announcement, MAX_COMMAND, Mood, Notice};
use crate::limited::Unsaid;
use crate::seal::{News, PublicKey};

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
    (command, jid): (&str, Option<&str>),
    error: &str,
    count: u64,
    master: Option<&str>,
) -> Notice {
    let headline = match count {
        0 | 1 => format!("A message at {sink} could not be said or rewritten"),
        _ => format!("{count} messages at {sink} could not be said or rewritten"),
    };
    let command = if command.is_empty() { "several runs" } else { command };
    let jid = jid.map_or_else(String::new, |jid| format!(" ({jid})"));
    Notice {
        mood: Mood::Silent,
        headline: at(master, &headline),
        more: format!("{error}: {}{}", cut(command, 160), cut(&jid, 80)),
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

/// Runs were taken out of the journal, for its size, before this sink could be told of them.
pub fn not_told(unsaid: &Unsaid, master: Option<&str>) -> Notice {
    let Unsaid { runs, from, to, .. } = unsaid;
    let (headline, they) = match runs {
        1 => ("A run will not be told of here".to_owned(), "It"),
        runs => (format!("Up to {runs} runs will not be told of here"), "They"),
    };
    let time = |at: &Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    let when = match (time(from), time(to)) {
        (from, to) if from == to => format!("at {from} UTC"),
        (from, to) => format!("from {from} to {to} UTC"),
    };
    let more = format!(
        "{they} began {when}. Nothing could be said here for more than a week, and the journal came to \
         its limit (journal.max_size), so that its oldest runs had to go."
    );
    Notice { mood: Mood::Silent, headline: at(master, &headline), more: cut(&more, MAX_COMMAND) }
}

/// The journal can't be written, because of `why`; so many bytes may still be kept in memory. Where the
/// file is damaged, that is all that will be kept.
pub fn unwritable(why: &str, left: usize, damaged: bool, master: Option<&str>) -> Notice {
    let room = format!("{} MiB left", left >> 20);
    let more = if damaged {
        format!(
            "{why}: nothing is written to the file any more. What runs now is kept in memory \
             ({room}) until salt-herald ends, and then lost; move the file away soon"
        )
    } else {
        format!("{why}. Runs are kept in memory ({room}) and said as not yet recorded")
    };
    Notice {
        mood: Mood::Failed,
        headline: at(master, "The journal can't be written"),
        more: cut(&more, MAX_COMMAND),
    }
}

/// The journal is written again; `lost` is from when to when things found no room in memory.
pub fn written_again(lost: Option<(Timestamp, Timestamp)>, master: Option<&str>) -> Notice {
    let time = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
    let more = match lost {
        None => "What was kept in memory is recorded. Nothing was lost.".to_owned(),
        Some((from, to)) => format!(
            "What was kept in memory is recorded. What came from {} to {} UTC found no room there: \
             that is a gap.",
            time(from),
            time(to)
        ),
    };
    let mood = if lost.is_some() { Mood::Silent } else { Mood::Good };
    Notice { mood, headline: at(master, "The journal is written again"), more }
}

/// What is to be recorded takes seconds, or does not come back, since that time.
pub fn slow(since: Timestamp, master: Option<&str>) -> Notice {
    let since = since.strftime("%H:%M:%S");
    let more = format!(
        "Since {since} UTC what is to be recorded takes seconds each time, or does not come back. A run \
         is said once it is recorded, so that runs are said late now; what finds no room meanwhile is a gap"
    );
    Notice {
        mood: Mood::Silent,
        headline: at(master, "The journal's disk is slow"),
        more: cut(&more, MAX_COMMAND),
    }
}

/// What is to be recorded takes no longer than it should again.
pub fn quick_again(master: Option<&str>) -> Notice {
    Notice {
        mood: Mood::Good,
        headline: at(master, "The journal's disk is no longer slow"),
        more: "Runs are recorded and said at once again.".to_owned(),
    }
}

/// The message that begins the thread of checkpoints of a journal, which is known by this UUID.
pub fn checkpoint_thread(origin: &str, key: PublicKey, master: Option<&str>) -> Notice {
    let more = format!(
        "Each day a line in this thread says how the journal of salt-herald stands, signed. It can be proved \
         with any of them later that nothing before it was changed or taken away: salt-herald verify --key KEY \
         --checkpoint 'LINE'. The journal is {origin}. The key is {key}"
    );
    let headline = at(master, "Checkpoints of the journal of what Salt does");
    Notice { mood: Mood::Good, headline, more }
}

/// What is to be said before the line of a checkpoint. Where it does not stand in a thread, what it is.
pub fn checkpoint_news(news: &News, is_alone: bool, master: Option<&str>) -> String {
    let mut text = String::new();
    if is_alone {
        let what = at(master, "Checkpoint of the journal of what Salt does");
        text = format!("{what}. For salt-herald verify --checkpoint. The key is {}", news.seal.key);
    }
    let mut add = |sentence: &str| {
        let space = if text.is_empty() { "" } else { ". " };
        text.push_str(&format!("{space}{sentence}"));
    };
    if news.was_put_back {
        add(
            "The journal was put back from a backup: of what came after that, earlier lines do not hold",
        );
    }
    if news.is_new_key {
        add(&format!(
            "Signed with another key than before: {}. If nobody here replaced or lost the file with the \
             key, ask who did",
            news.seal.key
        ));
    }
    text
}

/// The same with a word that it is not recorded yet. That word is no news: a message is not rewritten
/// because of it.
pub fn not_yet_recorded(announcement: &Announcement) -> Announcement {
    let byline = format!("{} · not yet recorded", announcement.byline);
    Announcement { byline, ..announcement.clone() }
}

pub(super) fn at(master: Option<&str>, headline: &str) -> String {
    match master {
        Some(master) => format!("{headline} · {master}"),
        None => headline.to_owned(),
    }
}
