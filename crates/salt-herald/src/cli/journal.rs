//! Which journal is read, and whether a run was announced: what all commands that read share.
//!
//! It does not say what was found: that is the commands'.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use herald_core::redact::SiteRules;
use herald_core::run::Run;
use serde_json::Value;

use super::args::Reading;
use super::record;
use super::trouble::Trouble;
use crate::config::{self, LoadOptions, Problems, Severity};
use crate::store::{JournalReader, StoreError};

/// The journal's path: what the command line says or, only then, the config.
pub(super) fn path(config: Option<&Path>, reading: &Reading) -> Result<PathBuf, Trouble> {
    place(config, reading.journal.as_deref())
}

/// The same of a path that stands on the command line, perhaps.
pub(super) fn place(config: Option<&Path>, given: Option<&Path>) -> Result<PathBuf, Trouble> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let options = load_options(config);
    match config::load(&options) {
        Ok((config, _)) => Ok(config.journal.path),
        // The daemon goes on with the config that was good: whoever asks how it is has to get in.
        Err(Problems { salvaged: Some(config), problems }) if config.journal.path.exists() => {
            let mistakes = problems.iter().filter(|one| one.severity == Severity::Error).count();
            let mistakes =
                if mistakes == 1 { "1 mistake".to_owned() } else { format!("{mistakes} mistakes") };
            super::output::note(&format!(
                "salt-herald: the config has {mistakes}; a daemon that runs goes by an older one. \
                 salt-herald check tells all\n"
            ));
            Ok(config.journal.path)
        }
        Err(problems) => usual_place(&options).ok_or_else(|| Trouble::of(problems)),
    }
}

/// Who may read the journal need not be one who may read the config, with the tokens in it.
fn usual_place(options: &LoadOptions) -> Option<PathBuf> {
    if !is_closed(options) {
        return None;
    }
    let path = Path::new(config::DEFAULT_JOURNAL);
    super::output::note(&format!(
        "salt-herald: you may not read {}; this is {}\n",
        options.default_file.display(),
        path.display()
    ));
    Some(path.to_owned())
}

/// Whether it is the usual config, and may not be read.
fn is_closed(options: &LoadOptions) -> bool {
    let opened = std::fs::File::open(&options.default_file);
    let is_refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    options.file.is_none() && opened.is_err_and(is_refused)
}

/// What the site keeps out beside what the rules find; nothing where there is no config. A config with a
/// mistake is none to go by: a rule could be missing.
pub(super) fn site_rules(config: Option<&Path>) -> Result<Arc<SiteRules>, Trouble> {
    let options = LoadOptions { may_be_absent: config.is_none(), ..load_options(config) };
    match config::load(&options) {
        Ok((config, _)) => Ok(config.redact),
        Err(problems) if is_closed(&options) => {
            drop(problems);
            super::output::note(&format!(
                "salt-herald: you may not read {}; rules of the site that stand there are left out\n",
                options.default_file.display()
            ));
            Ok(Arc::default())
        }
        Err(problems) => Err(Trouble::of(problems)),
    }
}

/// The journal, open, and its path.
pub(super) fn open(
    config: Option<&Path>,
    reading: &Reading,
) -> Result<(PathBuf, JournalReader), Trouble> {
    let path = path(config, reading)?;
    let reader = JournalReader::open(&path)?;
    Ok((path, reader))
}

/// Where the config is.
pub(super) fn load_options(config: Option<&Path>) -> LoadOptions {
    LoadOptions { file: config.map(Path::to_owned), ..LoadOptions::default() }
}

/// Whether a run was said somewhere, by itself or together with others.
pub(super) fn is_announced(reader: &JournalReader, run: &Run) -> Result<bool, StoreError> {
    reader.is_announced(run.told_with.unwrap_or(run.id))
}

/// Whether people are shown a run without asking for all.
pub(super) fn is_for_people(run: &Run) -> bool {
    run.said || run.told_with.is_some()
}

/// A run as JSON. Its minions' names have to be known to the reader.
pub(super) fn object(reader: &JournalReader, run: &Run) -> Result<Value, StoreError> {
    let announced = is_announced(reader, run)?;
    Ok(record::of_run(run, reader.known_minions(), announced))
}
