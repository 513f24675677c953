//! Our own config files: which there are, read and laid over one another.
//!
//! Knows no key. What the files say is judged by `schema`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

use super::merge::{Rule, merge};
use super::problem::{Problem, Severity};
use super::secret::readable_by_others;
use super::table::Table;
use super::yaml::{self, Entry, Place, Value};
use super::{LoadOptions, drop_in_dir};

/// Nobody writes that much config; a file that large is something else.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;

/// The keys whose value is a secret when it stands in the config itself.
const SECRETS: &[&str] = &["webhook_url", "token"];

/// What our files say together.
pub(super) struct Files {
    pub(super) root: Table,
    /// Those that were read.
    pub(super) files: Vec<PathBuf>,
    pub(super) problems: Vec<Problem>,
    /// Whether every file could be read as YAML, so that what is missing is really not set.
    pub(super) complete: bool,
}

/// Reads the files that the options name.
pub(super) fn read(options: &LoadOptions) -> Files {
    let mut problems = Vec::new();
    let (paths, first) = match &options.file {
        Some(file) => (vec![file.clone()], file),
        None => (default_files(&options.default_file, &mut problems), &options.default_file),
    };
    if paths.is_empty() && problems.is_empty() && !options.may_be_absent {
        problems.push(no_config(first));
    }
    let place = Place { file: Arc::from(first.as_path()), line: 0, column: 0 };
    let mut merged = Vec::new();
    let mut files = Vec::new();
    let mut complete = true;
    for path in paths {
        match read_one(&path, &mut problems) {
            Ok(entries) => {
                merge(&mut merged, entries, Rule::Herald);
                files.push(path);
            }
            Err(problem) => {
                complete = false;
                problems.push(problem);
            }
        }
    }
    Files { root: Table::new("", place, merged), files, problems, complete }
}

/// The default file and its drop-ins, those that exist.
fn default_files(file: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    // A file that we may not see is there: reading it says why not.
    if !matches!(file.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        paths.push(file.to_path_buf());
    }
    let expanded = super::glob::expand(&drop_in_dir(file).join("*.conf"));
    paths.extend(expanded.paths);
    for (dir, error) in expanded.unreadable {
        problems.push(Problem::in_file(&dir, format!("can't be read: {error}")));
    }
    paths
}

fn no_config(file: &Path) -> Problem {
    Problem::in_file(file, "there is no config").hint(format!(
        "an empty file is enough to record; to announce in Slack, put this into {}: \
         slack: {{monitoring: {{webhook_url: \"https://hooks.slack.com/services/...\"}}}}",
        file.display()
    ))
}

fn read_one(path: &Path, problems: &mut Vec<Problem>) -> Result<Vec<Entry>, Problem> {
    let (text, mode) = read_text(path)?;
    let file: Arc<Path> = Arc::from(path);
    let (node, doubles) = yaml::parse(&file, &text)?;
    problems.extend(doubles);
    match node.value {
        Value::Map(entries) => {
            if readable_by_others(mode)
                && let Some(place) = find_secret(&entries)
            {
                problems.push(
                    Problem::at(&place, "", "a secret stands in a file that everybody can read")
                        .hint(format!("chmod o-rwx {}", path.display()))
                        .severity(Severity::Warning),
                );
            }
            Ok(entries)
        }
        Value::Null => Ok(Vec::new()),
        other => {
            let message = format!("must be a table of keys, not {}", other.kind());
            Err(Problem::at(&node.place, "", message)
                .hint("start with a key and a colon, such as \"slack:\""))
        }
    }
}

/// The text of a config file and its mode.
///
/// # Errors
/// A problem that says why it can't be read.
pub(super) fn read_text(path: &Path) -> Result<(Zeroizing<String>, u32), Problem> {
    let failed = |error: io::Error| {
        let problem = Problem::in_file(path, format!("can't be read: {error}"));
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                problem.hint("run this as root, or as the user that the daemon runs as")
            }
            _ => problem,
        }
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Problem::in_file(path, "is no file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(Problem::in_file(path, "is larger than 4 MiB, which no config is"));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok((Zeroizing::new(text.to_owned()), metadata.permissions().mode())),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            let place =
                Place { file: Arc::from(path), line: u32::try_from(line).unwrap_or(0), column: 0 };
            Err(Problem::at(&place, "", "not valid UTF-8").hint("save the file as UTF-8"))
        }
    }
}

/// The place of the first secret that stands in the tree itself.
fn find_secret(entries: &[Entry]) -> Option<Place> {
    entries.iter().find_map(|entry| match &entry.node.value {
        Value::Map(below) => find_secret(below),
        Value::Text(_) if SECRETS.contains(&entry.key.as_str()) => Some(entry.place.clone()),
        _ => None,
    })
}
