//! Loads and the command lines that we make of them, for the proof that Salt's own parser reads them
//! back: see `lab/command_lines.py` and `docs/command-lines.md`.
//!
//! ```text
//! command_lines generate SEED COUNT     makes up loads
//! command_lines say < LOADS             takes loads, maps in MessagePack, one after the other
//! command_lines hide SEED COUNT         makes up loads with a secret in them
//! ```
//!
//! All write one MessagePack list for each load: the load, the line, whether it is exact; and where
//! something is hidden, what the shell's parameters are to be set to. It judges nothing.

mod generate;
mod hide;
mod text;

use std::error::Error;
use std::io::{BufWriter, Read, Write};

use herald_core::command::{CommandLine, CommandParts, Program, command_line};
use herald_core::redact::{Marks, Redactor};
use salt_event::Value;
use salt_event::msgpack::Reader;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match words.as_slice() {
        ["generate", seed, count] => {
            let mut random = generate::Random::new(seed.parse()?);
            for _ in 0..count.parse::<u64>()? {
                say(&generate::load(&mut random), &mut out)?;
            }
        }
        ["hide", seed, count] => {
            let mut random = generate::Random::new(seed.parse()?);
            let redactor = Redactor::new(Marks::new(&[7; 32]));
            for _ in 0..count.parse::<u64>()? {
                out.write_all(&hide::hidden(&mut random, &redactor).to_bytes())?;
            }
        }
        ["say"] => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes)?;
            let mut reader = Reader::new(&bytes);
            while reader.position() < bytes.len() {
                say(&Value::read(reader.raw()?)?, &mut out)?;
            }
        }
        _ => return Err("command_lines generate SEED COUNT, hide SEED COUNT, or say".into()),
    }
    Ok(out.flush()?)
}

fn say(load: &Value<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let CommandLine { text, exact } = parts_of(load, command_line);
    let said = Value::Array(vec![load.clone(), text.into(), Value::Bool(exact)]);
    out.write_all(&said.to_bytes())
}

/// As the ledger does of what it finds in `salt/job/J/new`.
fn parts_of<T>(load: &Value<'_>, make: impl FnOnce(&CommandParts<'_>) -> T) -> T {
    let (funs, whole): (Vec<String>, bool) = match load.get("fun") {
        Some(Value::Array(funs)) => {
            let names = funs.iter().filter_map(|fun| fun.as_text().map(str::to_owned)).collect();
            (names, funs.len() > 1 && funs.iter().all(|fun| fun.as_text().is_some()))
        }
        Some(Value::Text(fun)) => (vec![fun.clone().into_owned()], true),
        _ => (Vec::new(), false),
    };
    make(&CommandParts {
        program: Program::Salt,
        tgt: load.get("tgt"),
        tgt_type: load.get("tgt_type").and_then(Value::as_text).unwrap_or_default(),
        funs: &funs,
        arg: load.get("arg").unwrap_or(&Value::Nil),
        batch: None,
        whole,
    })
}
