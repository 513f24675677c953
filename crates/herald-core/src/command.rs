//! The command line of a job: what somebody pastes into a POSIX shell to make Salt publish the same
//! again, and whether it does.
//!
//! `docs/command-lines.md` says what is exact, and how that was proved. Options that leave no trace
//! on the bus (`--timeout`, `--out`) are not in it, and a line that is too long is cut. It hides
//! nothing: arguments come here redacted, and exact means what they hold then.

mod argument;
mod hidden;
mod line;
mod target;
mod yaml;

pub(crate) use hidden::with_parameters;
use salt_event::Value;

use crate::redact::Marks;

use argument::{Hidden, is_keyword, is_name};
use hidden::{Put, restores};
use line::Line;
use yaml::Said;

/// Which of Salt's programs did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// `salt`
    Salt,
    /// `salt-run`
    SaltRun,
    /// `salt-call`: the bus holds its words as they were typed.
    SaltCall,
    /// A minion's schedule. It is shown as the `salt-call` that does the same.
    Schedule,
    /// `salt-ssh`, whose words are as those of `salt-call`.
    SaltSsh,
    /// A wheel function: there is no program for them, and it is shown as `wheel FUN`.
    Wheel,
}

/// What a batch is told, as far as the bus tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Batched {
    /// How many minions at a time; of a share the number that it came to.
    pub size: Option<u32>,
    /// It stops at the first failure.
    pub failhard: bool,
    /// How many seconds it waits before it takes the next minion.
    pub wait: Option<f64>,
}

/// What a command line is made of.
#[derive(Debug, Clone, Copy)]
pub struct CommandParts<'a> {
    /// The program.
    pub program: Program,
    /// The target: a text, or a list for `list`.
    pub tgt: Option<&'a Value<'a>>,
    /// How Salt calls the kind of target: `glob`, `grain`, `compound`, …
    pub tgt_type: &'a str,
    /// The functions: nearly always one.
    pub funs: &'a [String],
    /// The arguments: a list, or for several functions a list of lists.
    pub arg: &'a Value<'a>,
    /// It is a batch.
    pub batch: Option<Batched>,
    /// All this is as the bus told it. Where a part is lost or was changed, no line is exact.
    pub whole: bool,
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// One line of at most [`MAX_COMMAND_LINE`] characters, all of which can be seen; `…` stands where
    /// it was cut.
    pub text: String,
    /// Whether the program publishes the same again when it is given this line: the same target,
    /// functions and arguments of the same types.
    pub exact: bool,
}

/// Longest command line, in characters.
pub const MAX_COMMAND_LINE: usize = 16_000;

/// The command line. A parameter of the shell stands for each value that is hidden; whether the line says
/// the same once that is set, is not known here.
pub fn command_line(parts: &CommandParts<'_>) -> CommandLine {
    line_of(parts, Words::of(parts, Hidden::AsText))
}

/// The command line of something that was said, some of which is hidden in `parts`. Exact is one that
/// comes to what was said when each parameter is set to what its fingerprint was made of.
pub fn command_line_hiding(
    parts: &CommandParts<'_>,
    said: &CommandParts<'_>,
    marks: &Marks,
) -> CommandLine {
    let raw = Words::of(said, Hidden::AsText);
    let mut words = Words::of(parts, Hidden::Quoted);
    let bare = Words::of(parts, Hidden::Bare);
    let mut put = Put::default();
    let mut is_back = words.list.len() == raw.list.len() && bare.list.len() == raw.list.len();
    for (word, (bare, raw)) in words.list.iter_mut().zip(bare.list.into_iter().zip(&raw.list)) {
        match (&*word, &bare, raw) {
            (Word::Argument(_), Word::Argument(text), Word::Argument(raw))
                if restores(text, raw, marks, &mut put) =>
            {
                *word = bare;
            }
            (Word::Argument(text), _, Word::Argument(raw))
                if !restores(text, raw, marks, &mut put) =>
            {
                is_back = false;
                *word = bare;
            }
            _ => {}
        }
    }
    let target = |parts: &CommandParts<'_>| target::text(parts);
    is_back &= restores(&target(parts), &target(said), marks, &mut put);
    words.exact = raw.exact;
    let line = line_of(parts, words);
    CommandLine { exact: line.exact && is_back, ..line }
}

fn line_of(parts: &CommandParts<'_>, words: Words) -> CommandLine {
    let mut line = Line::new(match parts.program {
        Program::Salt => "salt",
        Program::SaltRun => "salt-run",
        Program::SaltCall | Program::Schedule => "salt-call",
        Program::SaltSsh => "salt-ssh",
        Program::Wheel => "wheel",
    });
    line.exact = parts.whole && parts.program != Program::Wheel;
    let separator = words.separator();
    add_options(&mut line, parts, &separator);
    if matches!(parts.program, Program::Salt | Program::SaltSsh) {
        add_target(&mut line, parts);
    }
    add_functions(&mut line, parts);
    line.exact &= words.exact;
    for word in &words.list {
        match word {
            _ if line.is_full() => break,
            Word::Separator => line.word(&separator),
            Word::Argument(text) => line.word(text),
        }
    }
    let (text, exact) = line.end();
    CommandLine { text, exact }
}

fn add_options(line: &mut Line, parts: &CommandParts<'_>, separator: &str) {
    if let Some(batch) = parts.batch {
        if let Some(size) = batch.size {
            line.option(&format!("-b {size}"));
        }
        line.exact &= batch.size.is_some();
        if let Some(wait) = batch.wait.filter(|wait| *wait > 0.0 && wait.is_finite()) {
            line.option(&format!("--batch-wait {wait}"));
        }
        if batch.failhard {
            line.option("--failhard");
        }
    }
    if separator != "," {
        line.option(&format!("--args-separator={separator}"));
    }
}

fn add_target(line: &mut Line, parts: &CommandParts<'_>) {
    let Some(tgt) = parts.tgt else {
        line.exact = false;
        return;
    };
    let target = target::target(tgt, parts.tgt_type, parts.batch.is_some());
    if !target.option.is_empty() {
        line.option(target.option);
    }
    line.word(&target.text);
    line.exact &= target.exact;
}

fn add_functions(line: &mut Line, parts: &CommandParts<'_>) {
    let prefix = match parts.program {
        Program::SaltRun => "runner.",
        Program::Wheel => "wheel.",
        _ => "",
    };
    let names: Vec<&str> =
        parts.funs.iter().map(|fun| fun.strip_prefix(prefix).unwrap_or(fun)).collect();
    line.exact &= !names.is_empty() && !names.iter().any(|name| name.contains(','));
    line.word(&names.join(","));
}

/// One word behind the functions.
enum Word {
    /// Between the arguments of two functions.
    Separator,
    Argument(String),
}

/// The words behind the functions, before a shell sees them.
struct Words {
    program: Program,
    hidden: Hidden,
    list: Vec<Word>,
    exact: bool,
}

impl Words {
    fn of(parts: &CommandParts<'_>, hidden: Hidden) -> Self {
        let mut words = Words { exact: true, program: parts.program, hidden, list: Vec::new() };
        add_arguments(&mut words, parts);
        words
    }

    fn add(&mut self, said: Said) {
        self.exact &= said.exact;
        self.list.push(Word::Argument(said.text));
    }

    /// What stands between the arguments of two functions: a comma, unless that is an argument. Then
    /// so many colons as no argument is.
    fn separator(&self) -> String {
        let is_argument = |separator: &str| {
            self.list.iter().any(|word| matches!(word, Word::Argument(text) if text == separator))
        };
        let mut separator = ",".to_owned();
        if self.list.iter().any(|word| matches!(word, Word::Separator)) && is_argument(",") {
            separator = "::".to_owned();
            while is_argument(&separator) {
                separator.push(':');
            }
        }
        separator
    }

    fn arguments(&mut self, items: &[Value<'_>]) {
        for (index, item) in items.iter().enumerate() {
            // More would be cut off.
            if self.list.len() > MAX_COMMAND_LINE {
                self.exact = false;
                return;
            }
            match item {
                Value::Map(pairs) if self.is_keywords(item, index + 1 == items.len()) => {
                    self.keywords(pairs);
                }
                Value::Text(text) if self.is_as_typed() => {
                    self.add(Said { text: text.clone().into_owned(), exact: true });
                }
                other => {
                    self.exact &= !self.is_read_again(other);
                    self.add(argument::positional(other, self.hidden));
                }
            }
        }
    }

    /// `salt-call` and `salt-ssh` send their words unread.
    fn is_as_typed(&self) -> bool {
        matches!(self.program, Program::SaltCall | Program::SaltSsh)
    }

    /// Runners look for keyword arguments in texts once more, so that none of these comes from a
    /// command line.
    fn is_read_again(&self, item: &Value<'_>) -> bool {
        self.program == Program::SaltRun && item.as_text().is_some_and(is_keyword)
    }

    /// Whether a map is what `name=value` makes: the last one, with a mark; runners and schedules
    /// have it without.
    fn is_keywords(&self, item: &Value<'_>, is_last: bool) -> bool {
        let Value::Map(pairs) = item else {
            return false;
        };
        let marks = pairs.iter().filter(|(key, _)| key.as_text() == Some(MARK)).count();
        let is_marked = marks == 1 && item.get(MARK) == Some(&Value::Bool(true));
        let pairs = || pairs.iter().filter(|(key, _)| key.as_text() != Some(MARK));
        let is_bare = marks == 0
            && match self.program {
                Program::SaltRun | Program::Wheel => pairs().next().is_some(),
                Program::Schedule => true,
                _ => false,
            };
        let are_names = || pairs().all(|(key, _)| key.as_text().is_some_and(is_name));
        is_last && (is_bare || is_marked && pairs().next().is_some()) && are_names()
    }

    fn keywords(&mut self, pairs: &[(Value<'_>, Value<'_>)]) {
        let on_master = matches!(self.program, Program::SaltRun | Program::Wheel);
        let mut names = std::collections::HashSet::new();
        for (key, value) in pairs {
            let key = key.as_text().unwrap_or_default();
            self.exact &= names.insert(key);
            // What Salt itself adds.
            let is_added = on_master && (key == "orchestration_jid" || key.starts_with("__pub_"));
            if key != MARK && !is_added {
                let Said { text, exact } = argument::keyword(value, self.hidden);
                self.add(Said { text: format!("{key}={text}"), exact });
            }
        }
    }
}

/// The mark of keyword arguments.
const MARK: &str = "__kwarg__";

fn add_arguments(words: &mut Words, parts: &CommandParts<'_>) {
    match (parts.arg, parts.funs.len()) {
        (Value::Array(lists), 2..) if are_lists(lists) => {
            words.exact &= lists.len() == parts.funs.len();
            for (index, list) in lists.iter().enumerate() {
                if index > 0 {
                    words.list.push(Word::Separator);
                }
                if let Value::Array(items) = list {
                    words.arguments(items);
                }
            }
        }
        (Value::Array(items), funs) => {
            words.exact &= funs < 2;
            words.arguments(items);
        }
        (Value::Nil, _) => words.exact = false,
        (other, _) => {
            words.exact = false;
            words.arguments(std::slice::from_ref(other));
        }
    }
}

fn are_lists(lists: &[Value<'_>]) -> bool {
    lists.iter().all(|list| matches!(list, Value::Array(_)))
}

#[cfg(test)]
mod tests;
