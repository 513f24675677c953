//! What a run is in words, from its load; and the load without its secrets.

use std::borrow::Cow;

use salt_event::{Raw, Value};

use super::metadata::bounded;
use super::start::Begun;
use super::{Ledger, short};
use crate::command::{CommandParts, Program, command_line, command_line_hiding};
use crate::digest::Digest;
use crate::redact::{Marks, NotKept, Secrets};
use crate::run::{RunHead, RunKind};

impl Ledger {
    pub(super) fn redact_load(&mut self, began: &Begun<'_>, secrets: &mut Secrets) -> RedactedLoad {
        let mut arg = self.learn(&began.funs, began.arg, secrets);
        if let Some(not_kept) = self.drops_minion_of(began) {
            self.splitter.redactor().drop_arguments(&mut arg, not_kept, secrets);
        }
        let mut tgt = began.tgt.clone().into_owned();
        let mut metadata = began.metadata.map_or(Value::Nil, read);
        for value in [&mut tgt, &mut metadata] {
            self.splitter.redactor().redact_value(value, secrets);
        }
        // What one place names as secret can stand in another without a name, in this job or, if it
        // can't be chance, in one beside it. A target is never blanked for another's secret.
        for value in [&mut arg, &mut tgt, &mut metadata] {
            secrets.hide_value(value);
        }
        let others = self.secrets.random_ones();
        for value in [&mut arg, &mut metadata] {
            others.hide_value(value);
        }
        let funs = began.funs.iter().map(|fun| Value::from(fun.as_str())).collect();
        let what =
            Value::Map(vec![("fun".into(), Value::Array(funs)), ("arg".into(), arg.clone())]);
        let same = Digest::of(&what.to_bytes());
        let load = Value::Map(vec![
            ("what".into(), what),
            ("tgt".into(), tgt.clone()),
            ("tgt_type".into(), began.tgt_type.into()),
            ("user".into(), began.user.map_or(Value::Nil, Value::from)),
            ("metadata".into(), metadata.clone()),
        ]);
        let marks = self.splitter.redactor().marks().clone();
        RedactedLoad { load: load.to_bytes(), same, arg, tgt, metadata, marks }
    }
}

impl Ledger {
    /// Whether nothing of one of the minions that are asked is kept.
    fn drops_minion_of(&self, began: &Begun<'_>) -> Option<NotKept> {
        let site = self.splitter.redactor().site();
        let asked = began.expected.iter().chain(&began.missing).chain(&began.elsewhere);
        let named = match &began.tgt {
            Value::Array(items) => items.iter().filter_map(Value::as_text).collect(),
            other => other.as_text().map_or_else(Vec::new, |text| text.split(',').collect()),
        };
        named.into_iter().find_map(|name| site.drops_minion(name)).or_else(|| {
            asked
                .map(|minion| self.state.minions.name(minion))
                .find_map(|name| site.drops_minion(name))
        })
    }
}

/// A job's load without its secrets.
pub(super) struct RedactedLoad {
    pub(super) load: Vec<u8>,
    /// The same for all jobs that do the same.
    pub(super) same: Digest,
    pub(super) arg: Value<'static>,
    tgt: Value<'static>,
    metadata: Value<'static>,
    marks: Marks,
}

/// Stands in a command line where nobody knows the target.
pub(super) const UNKNOWN_TARGET: &str = "…";

/// Who, if the master knows it. `sudo_alice` is alice.
pub(super) fn known_user(user: Option<&str>) -> Option<String> {
    user.filter(|user| !user.is_empty() && *user != "UNKNOWN")
        .map(|user| short(user.strip_prefix("sudo_").unwrap_or(user)))
}

/// What a run is, and whether its command line is exact.
pub(super) fn head_of(began: &Begun<'_>, redacted: &RedactedLoad) -> (RunHead, bool) {
    let has_target = matches!(began.program, Program::Salt | Program::SaltSsh);
    fn parts<'a>(
        began: &'a Begun<'_>,
        tgt: Option<&'a Value<'a>>,
        arg: &'a Value<'a>,
    ) -> CommandParts<'a> {
        CommandParts {
            program: began.program,
            tgt,
            tgt_type: began.tgt_type,
            funs: &began.funs,
            arg,
            batch: began.batch,
            whole: began.whole,
        }
    }
    let (arg, tgt) = (typed_arguments(began, &redacted.arg), has_target.then_some(&redacted.tgt));
    let hidden = parts(began, tgt, &arg);
    let raw = read(began.arg);
    let line = if raw == redacted.arg && began.tgt == redacted.tgt {
        command_line(&hidden)
    } else {
        let (arg, tgt) = (typed_arguments(began, &raw), has_target.then_some(&began.tgt));
        command_line_hiding(&hidden, &parts(began, tgt, &arg), &redacted.marks)
    };
    let head = RunHead {
        kind: began.kind,
        user: known_user(began.user),
        command: line.text,
        funs: began.funs.clone(),
        tgt: match target_text(&redacted.tgt) {
            tgt if tgt == UNKNOWN_TARGET => String::new(),
            tgt => tgt,
        },
        tgt_type: began.tgt_type.to_owned(),
        test: is_test(&redacted.arg),
        schedule: began.schedule.map(short),
        saltenv: saltenv(began, &redacted.arg),
        metadata: bounded(redacted.metadata.clone()),
    };
    (head, line.exact)
}

/// Whatever an event holds, as a tree of our own.
pub(super) fn read(raw: Raw<'_>) -> Value<'static> {
    Value::read(raw).unwrap_or_else(|error| Value::from(format!("({error})"))).into_owned()
}

/// The arguments that a person can have typed. salt-ssh turns every state run into `state.pkg` with
/// a file of its own making and some text; of that only `test=True` was anybody's word.
fn typed_arguments<'a>(began: &Begun<'_>, arg: &'a Value<'static>) -> Cow<'a, Value<'static>> {
    if began.program != Program::SaltSsh || !began.funs.iter().any(|fun| fun == "state.pkg") {
        return Cow::Borrowed(arg);
    }
    let test = || {
        Value::Map(vec![
            ("__kwarg__".into(), Value::Bool(true)),
            ("test".into(), Value::Bool(true)),
        ])
    };
    Cow::Owned(Value::Array(is_test(arg).then(test).into_iter().collect()))
}

/// Whether keyword arguments say `test=True`; salt-ssh says it as text.
fn is_test(arg: &Value<'_>) -> bool {
    let Value::Array(items) = arg else {
        return false;
    };
    items.iter().any(|item| match item {
        Value::Map(_) => item.get("test") == Some(&Value::Bool(true)),
        Value::Array(_) => is_test(item),
        Value::Text(text) => text == "test=True",
        _ => false,
    })
}

/// The environment that a command names: by `saltenv=`, or as an orchestration's second argument.
/// Where it names none, which one counts is the minions' matter.
fn saltenv(began: &Begun<'_>, arg: &Value<'_>) -> Option<String> {
    let second = match arg {
        Value::Array(items) if began.kind == RunKind::Orchestration => {
            items.get(1).and_then(Value::as_text).filter(|text| !text.contains('='))
        }
        _ => None,
    };
    named_saltenv(arg).or_else(|| second.map(short))
}

fn named_saltenv(arg: &Value<'_>) -> Option<String> {
    let Value::Array(items) = arg else {
        return None;
    };
    items.iter().find_map(|item| match item {
        Value::Map(_) => match item.get("saltenv")? {
            Value::Text(name) => Some(short(name)),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        },
        Value::Array(_) => named_saltenv(item),
        Value::Text(text) => text.strip_prefix("saltenv=").map(short),
        _ => None,
    })
}

/// A target as text: a list with commas between.
pub(super) fn target_text(tgt: &Value<'_>) -> String {
    match tgt {
        Value::Text(text) => text.clone().into_owned(),
        Value::Array(items) => {
            items.iter().filter_map(Value::as_text).collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}

pub(super) fn list_or_text(tgt: &str, tgt_type: &str) -> Value<'static> {
    if tgt_type == "list" {
        Value::Array(tgt.split(',').map(|id| Value::from(id.to_owned())).collect())
    } else {
        Value::from(tgt.to_owned())
    }
}

/// A function's name, without what the bus puts before runners and wheel functions.
pub(super) fn fun_name(fun: &str) -> String {
    let name = fun.strip_prefix("runner.").or_else(|| fun.strip_prefix("wheel.")).unwrap_or(fun);
    short(name)
}

pub(super) fn runner_kind<S: AsRef<str>>(funs: &[S]) -> RunKind {
    let is_orchestration = |fun: &S| {
        let fun = fun.as_ref();
        let name = fun.strip_prefix("runner.").unwrap_or(fun);
        matches!(
            name,
            "state.orchestrate" | "state.orch" | "state.sls" | "state.orchestrate_single"
        )
    };
    if funs.iter().any(is_orchestration) { RunKind::Orchestration } else { RunKind::Runner }
}
