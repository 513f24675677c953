//! What a sink is still owed of a run: what would be said now, against what was last said there.
//!
//! It takes no events: a restart, a burst and a fact that comes late are all the same to it. When a
//! step is taken, and what happens when it fails, is the publisher's matter.

use std::time::Duration;

use crate::announce::{Announcement, Mood};
use crate::digest::Digest;

/// The messages that a run can have at a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The message.
    Message,
    /// What failed, in its thread.
    Thread,
    /// How it ended, where the message can't be edited or is not its own.
    Ending,
}

impl Part {
    /// All of them.
    pub const ALL: &'static [Part] = &[Part::Message, Part::Thread, Part::Ending];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Message => "message",
            Part::Thread => "thread",
            Part::Ending => "ending",
        }
    }

    /// The one with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|part| part.name() == name)
    }
}

/// What was said of a run at a sink so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// The message, by the digest of what it says.
    pub message: Option<Digest>,
    /// How the run stood by what the message says, where that is known.
    pub mood: Option<Mood>,
    /// The reply in its thread.
    pub thread: Option<Digest>,
    /// The second message: where the first can't be edited, or told of other runs, too.
    pub ending: Option<Digest>,
    /// It was told together with other runs, in a message that is not its own.
    pub together: bool,
    /// The message was refused, or is gone: nothing more is said of this run there.
    pub given_up: bool,
    /// The thread's reply was refused.
    pub thread_given_up: bool,
}

/// How a sink says things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Messages can be edited, and have threads.
    pub edits: bool,
    /// Where they can't: the run took so long that its ending is worth a message.
    pub slow: bool,
    /// It ended so long ago that its failure is told with others' only.
    pub stale: bool,
}

/// A failure is old after so long, and gets no message of its own beside the one in which it is
/// told.
pub const STALE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The next thing to do, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Say it.
    Post,
    /// Say how it ended, in a message of its own.
    PostEnding,
    /// Rewrite the message: it ended.
    Finish,
    /// Say in the thread what failed.
    Reply,
    /// Rewrite what the thread says.
    UpdateReply,
    /// Rewrite the message: more returned.
    Progress,
}

/// The digest of what the message says.
pub fn digest_of_message(announcement: &Announcement) -> Digest {
    let mut bytes = Vec::new();
    let mut add = |text: &str| {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    };
    add(announcement.mood.symbol().encode_utf8(&mut [0; 4]));
    add(&announcement.command);
    add(&announcement.byline);
    add(&announcement.tally);
    for line in &announcement.commands {
        add(line.mood.symbol().encode_utf8(&mut [0; 4]));
        add(&line.command);
        add(&line.note);
    }
    bytes.push(u8::from(announcement.finished));
    Digest::of(&bytes)
}

/// The digest of what the thread says.
pub fn digest_of_thread(announcement: &Announcement) -> Digest {
    let mut bytes = Vec::new();
    for detail in &announcement.details {
        for text in [&detail.title, &detail.minions, &detail.text] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes.extend_from_slice(&announcement.details_left_out.to_be_bytes());
    Digest::of(&bytes)
}

/// The next step that a sink is owed, if any.
pub fn next_step(announcement: &Announcement, said: Said, manner: Manner) -> Option<Step> {
    if said.given_up {
        return None;
    }
    let message = digest_of_message(announcement);
    if said.together {
        return beside_others_owed(announcement, said, manner);
    }
    let Some(said_message) = said.message else {
        return Some(Step::Post);
    };
    if !manner.edits {
        return ending_owed(announcement, said, manner, message);
    }
    own_message_owed(announcement, said, said_message)
}

/// What the run's own message lacks, where it can be edited.
fn own_message_owed(announcement: &Announcement, said: Said, said_message: Digest) -> Option<Step> {
    if said_message != digest_of_message(announcement) {
        return Some(if announcement.finished { Step::Finish } else { Step::Progress });
    }
    let wants_thread = announcement.finished && !announcement.details.is_empty();
    let thread = digest_of_thread(announcement);
    match said.thread {
        _ if said.thread_given_up || !wants_thread => None,
        None => Some(Step::Reply),
        Some(said) if said != thread => Some(Step::UpdateReply),
        Some(_) => None,
    }
}

/// A run that was told together with others gets a message of its own when it ended badly.
fn beside_others_owed(announcement: &Announcement, said: Said, manner: Manner) -> Option<Step> {
    match said.ending {
        None => (announcement.finished && is_bad(announcement.mood) && !manner.stale)
            .then_some(Step::PostEnding),
        Some(ending) if manner.edits => own_message_owed(announcement, said, ending),
        Some(_) => None,
    }
}

fn is_bad(mood: Mood) -> bool {
    matches!(mood, Mood::Failed | Mood::Silent)
}

fn ending_owed(
    announcement: &Announcement,
    said: Said,
    manner: Manner,
    message: Digest,
) -> Option<Step> {
    let is_worth_it = is_bad(announcement.mood) || manner.slow;
    // The message may have told the end itself. A word less in it, such as a gap that was filled, is no news;
    // that it failed after all is.
    let was_told = match said.mood {
        None | Some(Mood::Running) => said.message == Some(message),
        Some(mood) => mood == announcement.mood || !is_bad(mood) && !is_bad(announcement.mood),
    };
    let is_news = !was_told && said.ending.is_none();
    (announcement.finished && is_worth_it && is_news).then_some(Step::PostEnding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::Detail;

    const EDITS: Manner = Manner { edits: true, slow: false, stale: false };
    const WEBHOOK: Manner = Manner { edits: false, ..EDITS };

    fn running() -> Announcement {
        Announcement {
            mood: Mood::Running,
            command: "salt '*' state.highstate".to_owned(),
            byline: "alice · 4 minions".to_owned(),
            tally: "1 of 4 returned".to_owned(),
            finished: false,
            details: Vec::new(),
            details_left_out: 0,
            commands: Vec::new(),
            commands_left_out: 0,
            mention: None,
        }
    }

    fn failed() -> Announcement {
        let detail = Detail {
            title: "nginx (service.running)".to_owned(),
            minions: "web7".to_owned(),
            text: "failed to start".to_owned(),
        };
        Announcement {
            mood: Mood::Failed,
            tally: "1 failed (web7)".to_owned(),
            finished: true,
            details: vec![detail],
            ..running()
        }
    }

    /// Does what is owed until nothing is, and gives the steps.
    fn steps(announcement: &Announcement, said: &mut Said, manner: Manner) -> Vec<Step> {
        let mut taken = Vec::new();
        while let Some(step) = next_step(announcement, *said, manner) {
            taken.push(step);
            assert!(taken.len() < 10, "no end: {taken:?}");
            let message = Some(digest_of_message(announcement));
            match step {
                Step::Post | Step::Finish | Step::Progress => said.message = message,
                Step::PostEnding => said.ending = message,
                Step::Reply | Step::UpdateReply => {
                    said.thread = Some(digest_of_thread(announcement));
                }
            }
        }
        taken
    }

    #[test]
    fn a_message_is_posted_edited_and_closed_with_its_thread() {
        let mut said = Said::default();
        assert_eq!(steps(&running(), &mut said, EDITS), [Step::Post]);
        let more = Announcement { tally: "2 of 4 returned".to_owned(), ..running() };
        assert_eq!(steps(&more, &mut said, EDITS), [Step::Progress]);
        assert_eq!(steps(&failed(), &mut said, EDITS), [Step::Finish, Step::Reply]);
        assert_eq!(steps(&failed(), &mut said, EDITS), []);
        let mut worse = failed();
        worse.details_left_out = 3;
        assert_eq!(steps(&worse, &mut said, EDITS), [Step::UpdateReply]);
    }

    #[test]
    fn a_run_that_is_over_before_it_was_said_is_said_once() {
        let mut said = Said::default();
        assert_eq!(steps(&failed(), &mut said, EDITS), [Step::Post, Step::Reply]);
    }

    #[test]
    fn a_webhook_says_the_beginning_and_a_bad_or_slow_end() {
        let mut said = Said::default();
        assert_eq!(steps(&running(), &mut said, WEBHOOK), [Step::Post]);
        let more = Announcement { tally: "2 of 4 returned".to_owned(), ..running() };
        assert_eq!(steps(&more, &mut said, WEBHOOK), []);
        assert_eq!(steps(&failed(), &mut said, WEBHOOK), [Step::PostEnding]);
        assert_eq!(steps(&failed(), &mut said, WEBHOOK), []);

        let good = Announcement { mood: Mood::Good, finished: true, ..running() };
        let mut said = Said::default();
        steps(&running(), &mut said, WEBHOOK);
        assert_eq!(steps(&good, &mut said, WEBHOOK), []);
        assert_eq!(steps(&good, &mut said, Manner { slow: true, ..WEBHOOK }), [Step::PostEnding]);
    }

    #[test]
    fn a_webhook_says_an_end_once_though_a_word_of_it_changes() {
        let said = |announcement: &Announcement, mood| {
            let message = Some(digest_of_message(announcement));
            Said { message, mood, ..Said::default() }
        };
        let seen = "1 failed (web7) · not seen in full".to_owned();
        let before = Announcement { tally: seen, ..failed() };
        let told = said(&before, Some(Mood::Failed));
        assert_eq!(next_step(&failed(), told, WEBHOOK), None);
        let slow = Manner { slow: true, ..WEBHOOK };
        let good = Announcement { mood: Mood::Good, ..failed() };
        let changed = Announcement { mood: Mood::Changed, ..failed() };
        assert_eq!(next_step(&changed, said(&good, Some(Mood::Good)), slow), None);
        // It came out otherwise.
        let ends = Some(Step::PostEnding);
        assert_eq!(next_step(&failed(), said(&good, Some(Mood::Good)), WEBHOOK), ends);
        assert_eq!(next_step(&failed(), said(&running(), Some(Mood::Running)), WEBHOOK), ends);
        assert_eq!(next_step(&good, told, WEBHOOK), None);
        assert_eq!(next_step(&good, told, slow), ends);
        // What an earlier salt-herald said, it did not note.
        assert_eq!(next_step(&failed(), said(&before, None), WEBHOOK), ends);
        assert_eq!(next_step(&failed(), said(&failed(), None), WEBHOOK), None);
    }

    #[test]
    fn what_was_told_together_gets_a_message_of_its_own_when_it_fails() {
        let together = Said { together: true, ..Said::default() };
        let mut said = together;
        assert_eq!(steps(&running(), &mut said, EDITS), []);
        let good = Announcement { mood: Mood::Good, finished: true, ..running() };
        assert_eq!(steps(&good, &mut said, EDITS), []);
        assert_eq!(steps(&failed(), &mut said, WEBHOOK), [Step::PostEnding]);
        let stale = Manner { stale: true, ..EDITS };
        assert_eq!(next_step(&failed(), together, stale), None);

        let mut said = together;
        assert_eq!(next_step(&failed(), said, EDITS), Some(Step::PostEnding));
        said.ending = Some(digest_of_message(&failed()));
        assert_eq!(next_step(&failed(), said, EDITS), Some(Step::Reply));
        said.thread = Some(digest_of_thread(&failed()));
        assert_eq!(next_step(&failed(), said, EDITS), None);
        let more = Announcement { tally: "2 failed".to_owned(), ..failed() };
        assert_eq!(next_step(&more, said, EDITS), Some(Step::Finish));
    }

    #[test]
    fn what_was_given_up_is_left_alone() {
        let said = Said { given_up: true, ..Said::default() };
        assert_eq!(next_step(&failed(), said, EDITS), None);
    }
}
