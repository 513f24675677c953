//! Made-up loads with a secret in them, the lines that are shown of them, and what somebody has to set so
//! that these say the loads again.

use herald_core::command::{CommandLine, command_line_hiding};
use herald_core::redact::{Marks, Redactor, Secrets};
use salt_event::Value;

use crate::generate::{Random, target};
use crate::parts_of;
use crate::text::{pick, text};

/// A load, its line, whether that is exact, and the shell's parameters by name.
pub(crate) fn hidden(random: &mut Random, redactor: &Redactor) -> Value<'static> {
    let secret = secret(random);
    let load = load(random, &secret);
    let mut shown = load.clone();
    let fun = load.get("fun").and_then(Value::as_text).unwrap_or_default();
    if let Value::Map(pairs) = &mut shown {
        let arg = pairs.iter_mut().find(|(key, _)| key.as_text() == Some("arg"));
        if let Some((_, arg)) = arg {
            redactor.redact_arguments(fun, arg, &mut Secrets::default());
        }
    }
    let CommandLine { text, exact } = parts_of(&shown, |shown| {
        parts_of(&load, |said| command_line_hiding(shown, said, redactor.marks()))
    });
    let set =
        Value::Map(vec![(name(redactor.marks(), &secret).into(), secret.trim().to_owned().into())]);
    Value::Array(vec![load, text.into(), Value::Bool(exact), set])
}

/// The name of the parameter that stands for a secret.
fn name(marks: &Marks, secret: &str) -> String {
    let parameter = marks.of(secret.trim().as_bytes()).parameter();
    let name = parameter.trim_start_matches("${").split(':').next().unwrap_or_default();
    name.to_owned()
}

fn secret(random: &mut Random) -> String {
    let signs =
        ["a", "Z", "7", "x9", "#", "'", "\"", "\\", "$", "!", " ", ": ", "%", "&", "@", "é"];
    match random.below(3) {
        0 => text(random),
        _ => {
            let body: String = (0..random.below(8)).map(|_| pick(random, &signs)).collect();
            format!(
                "{}{body}{}",
                pick(random, &["pw", "7", "S3cr", "#a"]),
                pick(random, &["9", "x", "!"])
            )
        }
    }
}

fn load(random: &mut Random, secret: &str) -> Value<'static> {
    let map = |pairs: Vec<(&'static str, Value<'static>)>| {
        Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    };
    let value = || Value::from(secret.to_owned());
    let keywords = |name, value| {
        map(vec![("__kwarg__", Value::Bool(true)), (name, value), ("test", Value::Bool(true))])
    };
    let (fun, arg) = match random.below(6) {
        0 => ("mysql.user_create", vec!["bob".into(), "localhost".into(), value()]),
        1 => ("cmd.run", vec![format!("mysql -p'{secret}' -e 'select 1'").into()]),
        2 => ("cmd.run", vec![format!("deploy --password={secret} web").into()]),
        3 => {
            let database = map(vec![("password", value()), ("port", Value::Int(5432))]);
            ("state.apply", vec!["web".into(), keywords("pillar", map(vec![("db", database)]))])
        }
        4 => ("user.present", vec!["bob".into(), keywords("password", value())]),
        _ => ("cmd.run", vec!["env".into(), keywords("env", map(vec![("API_TOKEN", value())]))]),
    };
    let (tgt_type, tgt) = target(random);
    map(vec![
        ("tgt", tgt),
        ("tgt_type", tgt_type.into()),
        ("fun", fun.into()),
        ("arg", Value::Array(arg)),
    ])
}
