//! A command line while it grows: words for a POSIX shell, in one line of bounded length.
//!
//! It knows how shells and Python's `optparse` take words apart, and nothing of Salt's YAML.

use super::MAX_COMMAND_LINE;
use super::hidden::with_parameters;
use crate::quote::{escaped, quote};
use crate::redact::Mark;

/// Stands for a NUL, which no word can hold.
const NO_NUL: &str = "\u{2400}";

/// A command line while it grows.
pub(super) struct Line {
    /// What has to be set before: words that `$(…)` alone can't make.
    before: String,
    words: String,
    set: usize,
    /// `--` stands before the first word that looks like an option, once.
    options_ended: bool,
    /// Whether the line says all that it was told to say.
    pub(super) exact: bool,
}

impl Line {
    pub(super) fn new(program: &str) -> Self {
        Self {
            before: String::new(),
            words: program.to_owned(),
            set: 0,
            options_ended: false,
            exact: true,
        }
    }

    /// Adds words that are options, or need no quotes for another reason.
    pub(super) fn option(&mut self, words: &str) {
        self.words.push(' ');
        self.words.push_str(words);
    }

    /// Adds one word that is no option, whatever it looks like.
    pub(super) fn word(&mut self, word: &str) {
        // What is hidden may begin with a dash.
        let begins = word.starts_with('-') || Mark::read(word.as_bytes()).is_some();
        if !self.options_ended && word.len() > 1 && begins {
            self.options_ended = true;
            self.option("--");
        }
        // What would be cut off is not quoted first.
        let word = match word.char_indices().nth(MAX_COMMAND_LINE) {
            Some((end, _)) => word.get(..end).unwrap_or(word),
            None => word,
        };
        self.words.push(' ');
        // The shell would take the line end off that stands before a parameter.
        self.exact &= !word.contains("\n[hidden ");
        if word.contains('\0') {
            self.exact = false;
            self.words.push_str(&quote(&word.replace('\0', NO_NUL)));
        } else if word.ends_with('\n') {
            self.guarded(word);
        } else {
            self.words.push_str(&quote(word));
        }
    }

    /// `$(…)` takes line ends off the end: a full stop behind them keeps them, and is taken off.
    fn guarded(&mut self, word: &str) {
        self.set += 1;
        let name = format!("w{}", self.set);
        self.before.push_str(&format!("{name}=\"$(printf '{}.')\"; ", escaped(word)));
        self.words.push_str(&format!("\"${{{name}%.}}\""));
    }

    /// More would be cut off.
    pub(super) fn is_full(&self) -> bool {
        self.words.len() + self.before.len() > MAX_COMMAND_LINE * 4
    }

    /// The whole line, and whether it is exact. Where something is set before, all stands in a
    /// subshell, so that a paste leaves nothing behind.
    pub(super) fn end(self) -> (String, bool) {
        let line = match self.before.is_empty() {
            true => self.words,
            false => format!("({}{})", self.before, self.words),
        };
        let line = with_parameters(&line);
        match line.char_indices().nth(MAX_COMMAND_LINE) {
            None => (line, self.exact),
            Some(_) => (line.chars().take(MAX_COMMAND_LINE - 1).chain(['…']).collect(), false),
        }
    }
}
