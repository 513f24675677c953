//! The command line of a job: what somebody could paste into a shell to do the same again.
//!
//! Straightforward, not exact: options that leave no trace on the bus (`--timeout`, `--out`) are not
//! in it, and a line that is too long is cut. It hides nothing: arguments come here redacted.

mod argument;

use std::borrow::Cow;

use salt_event::Value;

use crate::quote::quote;

/// Which of Salt's programs did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// `salt`
    Salt,
    /// `salt-run`
    SaltRun,
    /// `salt-call`
    SaltCall,
    /// `salt-ssh`
    SaltSsh,
    /// A wheel function: there is no program for them, and it is shown as `wheel FUN`.
    Wheel,
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
    /// The size of a batch.
    pub batch: Option<u32>,
}

/// Longest command line, in characters.
pub const MAX_COMMAND_LINE: usize = 4_000;

/// The command line, as one line of at most [`MAX_COMMAND_LINE`] characters; `…` stands where it was
/// cut.
pub fn command_line(parts: &CommandParts<'_>) -> String {
    let mut line = Line(match parts.program {
        Program::Salt => "salt".to_owned(),
        Program::SaltRun => "salt-run".to_owned(),
        Program::SaltCall => "salt-call".to_owned(),
        Program::SaltSsh => "salt-ssh".to_owned(),
        Program::Wheel => "wheel".to_owned(),
    });
    if let Some(batch) = parts.batch {
        line.add_plain("-b");
        line.add(&batch.to_string());
    }
    if let (Program::Salt | Program::SaltSsh, Some(tgt)) = (parts.program, parts.tgt) {
        add_target(&mut line, tgt, parts.tgt_type);
    }
    add_functions(&mut line, parts);
    cut(line.0)
}

/// A command line while it grows.
struct Line(String);

impl Line {
    /// Adds a word, quoted.
    fn add(&mut self, word: &str) {
        self.0.push(' ');
        // What would be cut off is not quoted first.
        let end = word.char_indices().nth(MAX_COMMAND_LINE).map_or(word.len(), |(at, _)| at);
        self.0.push_str(&quote(word.get(..end).unwrap_or(word)));
    }

    fn add_plain(&mut self, word: &str) {
        self.0.push(' ');
        self.0.push_str(word);
    }

    /// More would be cut off.
    fn is_full(&self) -> bool {
        self.0.len() > MAX_COMMAND_LINE * 4
    }
}

fn add_target(line: &mut Line, tgt: &Value<'_>, tgt_type: &str) {
    let option = match tgt_type {
        "pcre" => "-E",
        "list" => "-L",
        "grain" => "-G",
        "grain_pcre" => "-P",
        "nodegroup" => "-N",
        "range" => "-R",
        "compound" => "-C",
        "pillar" => "-I",
        "pillar_pcre" => "-J",
        "ipcidr" => "-S",
        // A list is told by its form, whatever it is called.
        _ if matches!(tgt, Value::Array(_)) => "-L",
        _ => "",
    };
    if !option.is_empty() {
        line.add_plain(option);
    }
    match tgt {
        Value::Array(items) => {
            let names: Vec<_> = items.iter().take(MAX_COMMAND_LINE).map(plain_text).collect();
            line.add(&names.join(","));
        }
        other => line.add(&plain_text(other)),
    }
}

fn plain_text<'a>(value: &'a Value<'_>) -> Cow<'a, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        other => Cow::Owned(argument::flow(other)),
    }
}

fn add_functions(line: &mut Line, parts: &CommandParts<'_>) {
    let prefix = match parts.program {
        Program::SaltRun => "runner.",
        Program::Wheel => "wheel.",
        _ => "",
    };
    let names: Vec<&str> =
        parts.funs.iter().map(|fun| fun.strip_prefix(prefix).unwrap_or(fun)).collect();
    line.add(&names.join(","));
    match (parts.arg, parts.funs.len()) {
        (Value::Array(lists), 2..) if lists.iter().all(|list| matches!(list, Value::Array(_))) => {
            add_lists(line, lists, parts.program);
        }
        (Value::Array(items), _) => add_arguments(line, items, parts.program),
        (Value::Nil, _) => {}
        (other, _) => add_arguments(line, std::slice::from_ref(other), parts.program),
    }
}

/// The arguments of several functions: a comma of its own stands between those of two.
fn add_lists(line: &mut Line, lists: &[Value<'_>], program: Program) {
    let is_empty = |list: &Value<'_>| matches!(list, Value::Array(items) if items.is_empty());
    if lists.iter().all(is_empty) {
        return;
    }
    for (index, list) in lists.iter().enumerate() {
        if index > 0 {
            line.add_plain(",");
        }
        if let Value::Array(items) = list {
            add_arguments(line, items, program);
        }
    }
}

fn add_arguments(line: &mut Line, items: &[Value<'_>], program: Program) {
    let on_master = matches!(program, Program::SaltRun | Program::Wheel);
    for (index, item) in items.iter().enumerate() {
        if line.is_full() {
            return;
        }
        match item {
            // Runners have their keyword arguments as a last map that bears no mark.
            Value::Map(pairs)
                if item.get("__kwarg__").is_some() || (on_master && index + 1 == items.len()) =>
            {
                add_keywords(line, pairs);
            }
            // salt-ssh passes its words on as they were typed, `name=value` too.
            Value::Text(word) if program == Program::SaltSsh => line.add(word),
            other => line.add(&argument::positional(other)),
        }
    }
}

fn add_keywords(line: &mut Line, pairs: &[(Value<'_>, Value<'_>)]) {
    for (key, value) in pairs {
        if line.is_full() {
            return;
        }
        let key = plain_text(key);
        // What Salt itself adds.
        if key != "__kwarg__" && key != "orchestration_jid" && !key.starts_with("__pub_") {
            line.add(&format!("{key}={}", argument::keyword(value)));
        }
    }
}

fn cut(line: String) -> String {
    match line.char_indices().nth(MAX_COMMAND_LINE) {
        None => line,
        Some(_) => line.chars().take(MAX_COMMAND_LINE - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;
