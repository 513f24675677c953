//! What is wrong with a config: one mistake, with its place and what to do about it, and the list
//! of all of them.
//!
//! A problem is plain data and never holds a value from the config, because any value may be a
//! secret that stands under the wrong key.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use herald_core::literal;

use super::Config;
use super::yaml::Place;

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The config can be used; the person should know.
    Warning,
    /// The config can't be used.
    Error,
}

/// One thing that is wrong in a config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file in which it stands.
    pub file: PathBuf,
    /// The line, counted from 1; `None` where the file as a whole is meant.
    pub line: Option<u32>,
    /// The column, counted from 1 in characters.
    pub column: Option<u32>,
    /// The key with all its parents, `slack.ops.channel`; empty where no key is meant.
    pub key: String,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub hint: Option<String>,
    /// Whether the config can be used nevertheless.
    pub severity: Severity,
}

impl Problem {
    /// An error about a whole file.
    pub fn in_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_path_buf(),
            line: None,
            column: None,
            key: String::new(),
            message: message.into(),
            hint: None,
            severity: Severity::Error,
        }
    }

    /// An error about a key at its place.
    pub(super) fn at(place: &Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            line: (place.line > 0).then_some(place.line),
            column: (place.column > 0).then_some(place.column),
            key: key.into(),
            ..Self::in_file(&place.file, message)
        }
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same problem with another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Where it is: `/etc/salt/herald:7`, or the file alone.
    pub fn location(&self) -> String {
        let file = printable(&self.file.display().to_string());
        match self.line {
            Some(line) => format!("{file}:{line}"),
            None => file,
        }
    }

    /// Place, key and message in one line, without the hint.
    pub fn headline(&self) -> String {
        let message = printable(&self.message);
        if self.key.is_empty() {
            format!("{}: {message}", self.location())
        } else {
            format!("{}: {}: {message}", self.location(), printable(&self.key))
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {}", printable(hint)),
            None => Ok(()),
        }
    }
}

/// A config that can't be used: every problem that was found in it, warnings too.
#[derive(Debug, Clone)]
pub struct Problems {
    /// In the order of files and lines.
    pub problems: Vec<Problem>,
    /// What could be read nevertheless, with defaults in place of what is wrong; for `check`,
    /// which looks at the machine even so. `None` when a file is no YAML at all, since what it
    /// would have said is then unknown.
    pub salvaged: Option<Box<Config>>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Error for Problems {}

/// Puts problems in the order in which a person reads the files.
pub(super) fn sort(problems: &mut [Problem]) {
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
}

/// Whether one of them stands in the way of using the config.
pub(super) fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// Text with what can't be seen written out, so that a key or a file name can't draw on the terminal.
fn printable(text: &str) -> String {
    literal::line(text)
}
