//! `verify`: whether a journal, a backup or an export is what was written.
//!
//! The store looks, [`text`] says; nothing is judged here, and nothing is written.

mod text;

use std::io::Read;
use std::path::{Path, PathBuf};

use herald_core::seal::{self, PublicKey};
use herald_core::verify::Witness;
use serde_json::json;

use super::args::VerifyArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::{Found, journal};
use crate::export;
use crate::store::{self, JournalReader, Manner};

/// How a checkpoint looks.
const HOW: &str = "it begins with `salt-herald checkpoint`, and is to be given whole";
/// More threads than this are not worth their memory.
const MOST_THREADS: usize = 8;

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &VerifyArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let file = file(config, args)?;
    if args.show_key {
        return show_key(&file, args, out);
    }
    let witness = witness(args)?;
    let report = if export::is_export(&file) {
        export::verify(&file, &witness).map_err(Trouble::of)?
    } else {
        store::verify(&file, manner(args), &witness)?
    };
    if args.reading.json {
        text::objects(&file, &report).iter().try_for_each(|object| out.json(object))?;
    } else {
        out.print(&text::text(&file, &report, &out.view))?;
    }
    out.flush()?;
    Ok(if report.is_whole() { Found::NothingWrong } else { Found::SomethingWrong })
}

/// What people know: keys, and the checkpoints that they kept.
fn witness(args: &VerifyArgs) -> Result<Witness, Trouble> {
    let keys = args.key.iter().map(|text| key(text)).collect::<Result<_, _>>()?;
    let mut kept: Vec<_> = Vec::new();
    for line in &args.checkpoint {
        let found = seal::read(line);
        if found.is_empty() {
            return Err(Trouble::new("what --checkpoint was given is none").hint(HOW));
        }
        kept.extend(found);
    }
    if let Some(path) = &args.checkpoints {
        let text = text_of(path)?;
        let found = seal::read(&text);
        if found.is_empty() {
            let path = path.display();
            return Err(Trouble::new(format!("there is no checkpoint in {path}")).hint(HOW));
        }
        kept.extend(found);
    }
    Ok(Witness { keys, kept })
}

fn text_of(path: &Path) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path)
            .map_err(|error| Trouble::of(error).hint(format!("can {} be read?", path.display())))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn key(text: &str) -> Result<PublicKey, Trouble> {
    let hint = "a key is 64 hexadecimal digits: salt-herald verify --show-key";
    if let Some(key) = PublicKey::from_hex(text) {
        return Ok(key);
    }
    let held = std::fs::read_to_string(text)
        .map_err(|_| Trouble::new(format!("{text} is no key, and no file with one")).hint(hint))?;
    held.split_whitespace()
        .find_map(PublicKey::from_hex)
        .ok_or_else(|| Trouble::new(format!("{text} holds no key")).hint(hint))
}

/// The keys by the journal's own word.
fn show_key(file: &Path, args: &VerifyArgs, out: &mut Output) -> Result<Found, Trouble> {
    let keys = JournalReader::open(file)?.seal_keys()?;
    for (key, entry) in &keys {
        if args.reading.json {
            out.json(&json!({"type": "key", "key": key.to_string(), "entry": entry}))?;
        } else {
            out.print(&format!("{key}  since entry {entry}\n"))?;
        }
    }
    out.flush()?;
    if keys.is_empty() {
        return Err(Trouble::new("the journal holds no checkpoint")
            .hint("the daemon makes one at its start, and each hour"));
    }
    Ok(Found::NothingWrong)
}

fn file(config: Option<&Path>, args: &VerifyArgs) -> Result<PathBuf, Trouble> {
    match &args.file {
        Some(file) => Ok(file.clone()),
        None => journal::path(config, &args.reading),
    }
}

fn manner(args: &VerifyArgs) -> Manner {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if args.gently { 1 } else { threads.min(MOST_THREADS) as u64 };
    if args.gently
        && let Err(error) = rustix::process::nice(19)
    {
        tracing::debug!(%error, "the process keeps its priority");
    }
    Manner { threads, chain_only: args.chain_only }
}
