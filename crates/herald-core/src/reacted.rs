//! A job as a reactor hands it on, and the command line that is announced of it: the one that the
//! daemon says, without secrets.
//!
//! It decides neither whether the job is announced nor where: that was the reactor's, and is the
//! config's. Nothing that comes from a reactor is refused: what is no literal of Python's is text.

use std::borrow::Cow;

use salt_event::Value;

use crate::command::{CommandParts, MAX_COMMAND_LINE, Program, command_line, with_parameters};
use crate::python;
use crate::quote::quote;
use crate::redact::{Redactor, Secrets};

/// A job in the words of a reactor.
#[derive(Debug, Clone, PartialEq)]
pub struct Reacted {
    tgt: Value<'static>,
    tgt_type: String,
    funs: Vec<String>,
    args: Args,
}

#[derive(Debug, Clone, PartialEq)]
enum Args {
    /// The list of an event.
    Event(Value<'static>),
    /// Words as they were typed behind `salt`: they are shown as they are.
    Typed(Vec<String>),
}

impl Reacted {
    /// What `TGT TGT_TYPE FUN [ARG]…` says. A target, a function or an argument can be a list as
    /// `{{ data['arg'] }}` prints it, in Python's way or JSON's, and an argument a map that holds
    /// `__kwarg__`. Everything else is text.
    pub fn from_words(tgt: &str, tgt_type: &str, fun: &str, args: &[String]) -> Self {
        let mut event = false;
        let mut items = Vec::new();
        // A script that joins the arguments hands on an empty word where there are none.
        let args = if args.iter().all(String::is_empty) { &[] } else { args };
        for word in args {
            match python::read(word) {
                Some(Value::Array(list)) => {
                    event = true;
                    items.extend(list);
                }
                Some(keywords @ Value::Map(_)) if keywords.get("__kwarg__").is_some() => {
                    event = true;
                    items.push(keywords);
                }
                _ => items.push(Value::from(word.clone())),
            }
        }
        let tgt = match python::read(tgt) {
            Some(list @ Value::Array(_)) => list,
            _ => Value::from(tgt.to_owned()),
        };
        let funs = match python::read(fun) {
            Some(list @ Value::Array(_)) => names(list),
            _ => vec![fun.to_owned()],
        };
        let args =
            if event { Args::Event(Value::Array(items)) } else { Args::Typed(args.to_vec()) };
        Self { tgt, tgt_type: tgt_type.to_owned(), funs, args }
    }

    /// What the data of a `salt/job/*/new` says, printed as `{{ data }}` prints it: a map with
    /// `tgt`, `tgt_type`, `fun` and `arg`, of which only `fun` must be there.
    pub fn from_event(printed: &str) -> Option<Self> {
        let Value::Map(pairs) = python::read(printed)? else {
            return None;
        };
        let mut fields = Self {
            tgt: Value::from("…"),
            tgt_type: "glob".to_owned(),
            funs: Vec::new(),
            args: Args::Event(Value::Nil),
        };
        for (key, value) in pairs {
            match (key.as_text(), value) {
                (Some("tgt"), value) => fields.tgt = value,
                (Some("tgt_type"), Value::Text(word)) => fields.tgt_type = word.into_owned(),
                (Some("fun"), value) => fields.funs = names(value),
                (Some("arg"), value) => fields.args = Args::Event(value),
                _ => {}
            }
        }
        (!fields.funs.is_empty()).then_some(fields)
    }

    /// The command line, as the daemon says it.
    pub fn command(mut self, redactor: &Redactor) -> String {
        let mut secrets = Secrets::default();
        let mut arg = match &mut self.args {
            Args::Event(arg) => std::mem::replace(arg, Value::Nil),
            Args::Typed(words) => Value::Array(words.drain(..).map(Value::from).collect()),
        };
        redactor.redact_call(&self.funs, &mut arg, &mut secrets);
        redactor.redact_value(&mut self.tgt, &mut secrets);
        // What one place names as secret can stand in another without a name.
        secrets.hide_value(&mut arg);
        secrets.hide_value(&mut self.tgt);
        let typed = matches!(self.args, Args::Typed(_));
        let line = command_line(&CommandParts {
            program: Program::Salt,
            tgt: Some(&self.tgt),
            tgt_type: &self.tgt_type,
            funs: &self.funs,
            arg: if typed { &Value::Nil } else { &arg },
            batch: None,
            whole: true,
        })
        .text;
        if typed { with_words(line, &arg, redactor) } else { line }
    }
}

/// A function's name, or those of several.
fn names(fun: Value<'static>) -> Vec<String> {
    let text = |item: Value<'static>| match item {
        Value::Text(name) => Some(name.into_owned()),
        _ => None,
    };
    match fun {
        Value::Array(items) => items.into_iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

fn with_words(mut line: String, words: &Value<'_>, redactor: &Redactor) -> String {
    let Value::Array(words) = words else {
        return line;
    };
    for word in words.iter().filter_map(Value::as_text) {
        if line.len() > MAX_COMMAND_LINE * 4 {
            break;
        }
        line.push(' ');
        line.push_str(&quote(word));
    }
    // A command whose words stand apart (`mysql -p SECRET`) tells its secrets only as a whole.
    if let Cow::Owned(hidden) = redactor.redact_text(&line, &mut Secrets::default()) {
        line = hidden;
    }
    line = with_parameters(&line);
    match line.char_indices().nth(MAX_COMMAND_LINE - 1) {
        Some((at, c)) if at + c.len_utf8() < line.len() => {
            line.truncate(at);
            line.push('…');
            line
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Marks;

    fn typed(words: &[&str]) -> String {
        let args: Vec<String> = words[3..].iter().map(ToString::to_string).collect();
        Reacted::from_words(words[0], words[1], words[2], &args)
            .command(&Redactor::new(Marks::new(&[7; 32])))
    }

    #[test]
    fn what_a_script_gets_becomes_what_the_daemon_says() {
        let lines = [
            typed(&["*", "glob", "state.highstate", "[]"]),
            typed(&["*", "glob", "state.highstate"]),
            typed(&["*", "glob", "state.highstate", ""]),
            typed(&[
                "roles:web",
                "grain",
                "state.apply",
                "['nginx', {'__kwarg__': True, 'test': True}]",
            ]),
            typed(&["['web1', 'web2']", "list", "state.sls", r#"["nginx"]"#]),
            typed(&["web1,web2", "list", "state.sls", "nginx", "test=True"]),
            typed(&["*", "glob", "cmd.run", "['it\\'s `id` $(id)\\n<!channel>']"]),
            typed(&["*", "glob", "cmd.run", "echo 'it is'"]),
            typed(&["*", "glob", "['test.ping', 'cmd.run']", "[[], ['uptime']]"]),
            typed(&["*", "no such kind", "cmd.run", "['uptime'"]),
            typed(&["*", "glob", "state.sls", "nginx", "{'__kwarg__': True, 'n': 1}"]),
            typed(&["-x", "glob", "test.arg", "-v", "--", "007", "{a: 1}"]),
            typed(&["", "", "", ""]),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn no_secret_leaves() {
        let lines = [
            typed(&[
                "*",
                "glob",
                "state.apply",
                "[{'__kwarg__': True, 'pillar': {'password': 'hunter2'}}]",
            ]),
            typed(&["*", "glob", "state.apply", "pillar={\"db_password\": \"hunter2\"}"]),
            typed(&["*", "glob", "cmd.run", "['mysql -phunter2 -e \"select 1\"']"]),
            typed(&["*", "glob", "cmd.run", "mysql", "-phunter2"]),
            typed(&["*", "glob", "cmd.run", "mysql -phunter2; {broken"]),
            typed(&["*", "glob", "mysql.user_create", "bob", "localhost", "hunter2"]),
            typed(&["*", "glob", "['test.ping', 'cmd.run']", "[[], ['x --password hunter2']]"]),
            typed(&["I@password:hunter2", "compound", "test.ping", "[]"]),
        ];
        let said = lines.join("\n");
        assert!(!said.contains("hunter2"), "{said}");
        insta::assert_snapshot!(said);
    }

    #[test]
    fn an_event_is_read_as_it_is_printed() {
        let line = |printed| {
            Reacted::from_event(printed).map(|it| it.command(&Redactor::new(Marks::new(&[7; 32]))))
        };
        let printed =
            "{'tgt': ['a', 'b'], 'tgt_type': 'list', 'fun': 'cmd.run', 'arg': ['x y'], 'jid': 1}";
        assert_eq!(line(printed).unwrap(), "salt -L a,b cmd.run 'x y'");
        assert_eq!(
            line(r#"{"fun": "state.highstate", "arg": null}"#).unwrap(),
            "salt '…' state.highstate"
        );
        for other in ["", "[]", "{}", "{'tgt': '*'}", "{'fun': 1}", "{'fun': 'x'"] {
            assert_eq!(line(other), None, "{other}");
        }
    }

    #[test]
    fn long_ones_are_cut() {
        let long = "x".repeat(100_000);
        for arg in [long.clone(), format!("['{long}']")] {
            let line = typed(&["*", "glob", "cmd.run", &arg, &arg]);
            assert_eq!(line.chars().count(), MAX_COMMAND_LINE);
            assert!(line.ends_with('…'));
        }
    }
}
