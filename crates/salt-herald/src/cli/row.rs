//! A run in one line, for people, and several of them below each other.
//!
//! Pure. Which runs are shown is decided by the commands.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use herald_core::announce::Mood;
use herald_core::compose::{Context, announce, elapsed, mood, person};
use herald_core::literal;
use herald_core::minions::Minions;
use herald_core::names::AS_THEY_ARE;
use herald_core::run::{Run, RunStatus};
use jiff::Timestamp;

use super::output::View;
use crate::store::Gap;

/// What is less important.
pub(super) const DIM: Style = Style::new().dimmed();
/// What is to be read first.
pub(super) const BOLD: Style = Style::new().bold();

/// Longest name of a user that gets a column of its own.
const MAX_USER: usize = 16;
/// A command is not cut below this for what stands behind it.
const MIN_COMMAND: usize = 24;

/// The parts of a line.
pub(super) struct Row {
    mood: Mood,
    time: String,
    user: String,
    command: String,
    rest: String,
}

/// How wide the columns are, in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    user: usize,
    command: usize,
    line: usize,
}

/// The colour that repeats what the symbol says.
pub(super) fn style(mood: Mood) -> Style {
    match mood {
        Mood::Running => AnsiColor::Cyan.on_default(),
        Mood::Good => AnsiColor::Green.on_default(),
        Mood::Changed | Mood::Silent => AnsiColor::Yellow.on_default(),
        Mood::Failed => AnsiColor::Red.on_default().bold(),
    }
}

/// A symbol in its colour.
pub(super) fn symbol(mood: Mood) -> String {
    let style = style(mood);
    format!("{style}{}{style:#}", mood.symbol())
}

/// A time as the person's clock shows it.
pub(super) fn local(at: Timestamp, view: &View) -> String {
    at.to_zoned(view.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long a run took, or has taken so far.
pub(super) fn took(run: &Run, view: &View) -> String {
    let until = run.finished_at.unwrap_or(view.now);
    let span = until.duration_since(run.started_at);
    if span.is_negative() {
        return String::new();
    }
    let span = elapsed(span.unsigned_abs());
    match run.finished_at {
        Some(_) => span,
        None => format!("{span} so far"),
    }
}

/// A time in which we were blind, and what was found of it afterwards.
pub(super) fn of_gap(gap: &Gap, view: &View) -> String {
    let span = elapsed(gap.to.duration_since(gap.from).unsigned_abs());
    let (from, to) = (local(gap.from, view), local(gap.to, view));
    let reason = literal::line(&gap.reason);
    let found = match &gap.filled {
        Some(filled) => filled.backfill.in_words(),
        None => "nobody looked into the job cache yet".to_owned(),
    };
    format!("{from} to {to} ({span}): {reason}; {found}")
}

/// The counts of a run in words.
pub(super) fn counts(run: &Run, minions: &Minions) -> String {
    let context = Context { master: None, minions, names: &AS_THEY_ARE };
    literal::line(&announce(run, &[], context).tally)
}

impl Row {
    /// The line of a run.
    pub(super) fn of(run: &Run, minions: &Minions, view: &View) -> Self {
        let at = local(run.started_at, view);
        Self::new(run, minions, at, &took(run, view))
    }

    /// The line of a run's beginning or end, under the time at which that was.
    pub(super) fn of_change(run: &Run, minions: &Minions, view: &View) -> Self {
        let at = run.finished_at.unwrap_or(run.started_at);
        let took = match run.status {
            RunStatus::Running => String::new(),
            _ => took(run, view),
        };
        Self::new(run, minions, local(at, view), &took)
    }

    fn new(run: &Run, minions: &Minions, time: String, took: &str) -> Self {
        let counts = counts(run, minions);
        let rest: Vec<&str> =
            [counts.as_str(), took].into_iter().filter(|part| !part.is_empty()).collect();
        Self {
            mood: mood(run),
            time,
            user: literal::line(&person(run)),
            command: literal::line(&run.head.command),
            rest: rest.join(" · "),
        }
    }

    /// The line, with its end.
    pub(super) fn text(&self, columns: Columns) -> String {
        let symbol = symbol(self.mood);
        let user = pad(&cut(&self.user, columns.user.max(1)), columns.user);
        let command = pad(&cut(&self.command, columns.command), columns.command);
        let used = lead(columns.user) + command.chars().count() + 2;
        let rest = cut(&self.rest, columns.line.saturating_sub(used));
        let line = format!("{DIM}{}{DIM:#} {symbol} {user}  {command}  {rest}", self.time);
        format!("{}\n", line.trim_end())
    }
}

impl Columns {
    /// The columns that suit these lines.
    pub(super) fn of(rows: &[Row], width: Option<usize>) -> Self {
        let longest = |part: fn(&Row) -> &str| {
            let lengths = rows.iter().map(|row| part(row).chars().count());
            lengths.max().unwrap_or(0)
        };
        let user = longest(|row| &row.user).min(MAX_USER);
        let command = longest(|row| &row.command);
        let Some(line) = width else {
            // Nothing is cut; one very long command is no reason to push all others apart.
            return Self { user, command: usize::MAX, line: usize::MAX };
        };
        let room = line.saturating_sub(lead(user) + 2);
        let rest = longest(|row| &row.rest).min(room / 2);
        Self { user, command: command.min(room.saturating_sub(rest).max(MIN_COMMAND)), line }
    }

    /// The columns for lines that are not known yet.
    pub(super) fn live(width: Option<usize>) -> Self {
        let user = 10;
        match width {
            None => Self { user, command: usize::MAX, line: usize::MAX },
            Some(line) => Self {
                user,
                command: (line.saturating_sub(lead(user)) * 3 / 5).max(MIN_COMMAND),
                line,
            },
        }
    }
}

/// Lines below each other.
pub(super) fn table(rows: &[Row], width: Option<usize>) -> String {
    let columns = Columns::of(rows, width);
    rows.iter().map(|row| row.text(columns)).collect()
}

/// Runs below each other, and between them the times in which nothing was seen.
pub(super) fn table_with_gaps(
    runs: &[Run],
    gaps: &[Gap],
    minions: &Minions,
    view: &View,
) -> String {
    let rows: Vec<Row> = runs.iter().map(|run| Row::of(run, minions, view)).collect();
    let columns = Columns::of(&rows, view.width);
    let begun = runs.iter().map(|run| run.started_at);
    let mut lines: Vec<(Timestamp, String)> =
        begun.zip(rows.iter().map(|row| row.text(columns))).collect();
    lines.extend(gaps.iter().map(|gap| {
        let line = cut(&format!("{} (gap)", of_gap(gap, view)), view.width.unwrap_or(usize::MAX));
        (gap.from, format!("{DIM}{line}{DIM:#}\n"))
    }));
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}

/// What stands before the command: time, symbol, user.
fn lead(user: usize) -> usize {
    19 + 3 + user + 2
}

/// At most so many characters, with a mark where something is missing.
pub(super) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => {
            text.chars().take(limit.saturating_sub(1)).chain((limit > 0).then_some('…')).collect()
        }
    }
}

/// The text with spaces up to a width; as it is where there is no width.
pub(super) fn pad(text: &str, width: usize) -> String {
    let mut text = text.to_owned();
    if width < usize::MAX {
        let missing = width.saturating_sub(text.chars().count());
        // Writing to a string can't fail.
        let _ = write!(text, "{:missing$}", "");
    }
    text
}
