//! What is said of a run, free of any chat's format: plain text in named places.
//!
//! Nothing here is escaped for anybody: a sink takes every text as text. Nothing here reads a clock:
//! the same run gives the same announcement, so that its hash tells whether there is news.

/// The state of a run, as one symbol and one colour say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mood {
    /// Minions are still returning.
    Running,
    /// All is well and nothing changed, as far as Salt says.
    Good,
    /// All is well and something changed (or would change).
    Changed,
    /// Something failed.
    Failed,
    /// Nothing failed, but somebody never answered.
    Silent,
}

impl Mood {
    /// One character that carries the meaning without colour.
    pub fn symbol(self) -> char {
        match self {
            Mood::Running => '◐',
            Mood::Good => '✓',
            Mood::Changed => '✎',
            Mood::Failed => '✗',
            Mood::Silent => '?',
        }
    }

    /// All of them.
    pub(crate) const ALL: [Mood; 5] =
        [Mood::Running, Mood::Good, Mood::Changed, Mood::Failed, Mood::Silent];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Mood::Running => "running",
            Mood::Good => "good",
            Mood::Changed => "changed",
            Mood::Failed => "failed",
            Mood::Silent => "silent",
        }
    }

    /// The one with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mood| mood.name() == name)
    }
}

/// What is said of one run, or of several that are told together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Announcement {
    /// The state of the run.
    pub mood: Mood,
    /// The command line. One line, no control characters, at most [`MAX_COMMAND`] characters.
    pub command: String,
    /// Who, where, at which revision; never empty.
    pub byline: String,
    /// The counts, or the single most important warning; can be empty.
    pub tally: String,
    /// Whether nothing more is expected.
    pub finished: bool,
    /// What failed, most useful first: for the thread. At most [`MAX_DETAILS`].
    pub details: Vec<Detail>,
    /// How many more details there would be.
    pub details_left_out: usize,
    /// The commands, where it tells of several; `command` is empty then.
    pub commands: Vec<CommandLine>,
    /// How many more commands there would be.
    pub commands_left_out: usize,
    /// Whom it calls. Whether that is news is not its matter: nothing is said anew for it.
    pub mention: Option<Mention>,
}

/// One command of several that are told together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandLine {
    /// The state of its runs.
    pub mood: Mood,
    /// The command line, in one line.
    pub command: String,
    /// How often, who, where, and what is wrong.
    pub note: String,
}

/// Somebody whom a message calls, so that a chat notifies them. Only the config can make one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mention {
    /// By the user that Salt names; who that is in a chat is known there.
    pub user: String,
    /// From the beginning, and not only because the run failed.
    pub always: bool,
}

/// Longest command in a message, in characters; the rest stands in `salt-herald show`.
pub const MAX_COMMAND: usize = 2_000;
/// Most details in a message's thread.
pub const MAX_DETAILS: usize = 20;
/// Longest text of a detail, in characters.
pub const MAX_DETAIL_TEXT: usize = 1_000;

/// One thing that went wrong, on one or many minions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Detail {
    /// What failed: a state's id and function, or a command.
    pub title: String,
    /// Where: some minions by name, the rest by number.
    pub minions: String,
    /// What Salt said; can be several lines, can be empty.
    pub text: String,
}

/// What is said of something else than runs: a place that can't be told anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How it is, as a run's state.
    pub mood: Mood,
    /// What is the matter, in one line.
    pub headline: String,
    /// Why, and what to do about it; can be empty.
    pub more: String,
}
