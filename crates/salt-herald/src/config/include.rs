//! The master's config files, merged as Salt merges them.
//!
//! Follows `load_config`, `include_config` and `master_config` in Salt's `salt/config/__init__.py`
//! (read in 3006.20, 3007.14 and 3008.2, where they are alike). Knows no key but the two that name
//! other files. Salt's environment variables (`SALT_MASTER_CONFIG`, `SALT_CONFIG_DIR`) are the
//! master's, not ours: they are not looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::read_text;
use super::glob;
use super::merge::{Rule, merge};
use super::problem::{Problem, Severity};
use super::values::texts;
use super::yaml::{self, Entry, Value};

/// Salt follows includes until Python's stack ends; a loop of includes ends here instead.
const DEEPEST: usize = 10;

/// Files that include each other by a glob would be read again and again until then.
const MOST_FILES: usize = 1_000;

/// All that the master's files say.
#[derive(Default)]
pub(super) struct MasterFiles {
    pub(super) entries: Vec<Entry>,
    /// Those that were read, in their order.
    pub(super) files: Vec<PathBuf>,
    /// Warnings only: what is wrong here does not keep us from working.
    pub(super) problems: Vec<Problem>,
}

/// Reads `master` in the directory and what it includes.
pub(super) fn read(config_dir: &Path) -> MasterFiles {
    let mut read = MasterFiles::default();
    let main = config_dir.join("master");
    let missing = main.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let mut entries = if missing { Vec::new() } else { read.file(&main).unwrap_or_default() };
    // Both are taken from the main file alone, before any included file could change them.
    let default_include = read
        .patterns(&entries, "default_include")
        .unwrap_or_else(|| vec!["master.d/*.conf".to_owned()]);
    let include = read.patterns(&entries, "include").unwrap_or_default();
    for patterns in [default_include, include] {
        let included = read.include(&patterns, &main, 0);
        merge(&mut entries, included, Rule::SaltMain);
    }
    read.entries = entries;
    read
}

impl MasterFiles {
    /// `include_config`: the files that the patterns name, one over the other.
    fn include(&mut self, patterns: &[String], from: &Path, depth: usize) -> Vec<Entry> {
        let mut merged = Vec::new();
        for pattern in patterns {
            let expanded = glob::expand(&absolute(pattern, from));
            for (dir, error) in expanded.unreadable {
                self.warn(
                    Problem::in_file(&dir, format!("can't be read: {error}"))
                        .hint("what the master sets there is not known to us"),
                );
            }
            for path in expanded.paths {
                if self.files.len() >= MOST_FILES {
                    self.warn(Problem::in_file(&path, "is one of more than 1000 included files"));
                    return merged;
                }
                let Some(mut entries) = self.file(&path) else {
                    continue;
                };
                if let Some(nested) = self.patterns(&entries, "include") {
                    if depth >= DEEPEST {
                        self.warn(Problem::in_file(&path, "includes other files too deeply"));
                        continue;
                    }
                    let nested = self.include(&nested, &path, depth + 1);
                    merge(&mut entries, nested, Rule::SaltMain);
                }
                merge(&mut merged, entries, Rule::SaltIncluded);
            }
        }
        merged
    }

    /// One file; `None` when Salt would pass over it, which is said.
    fn file(&mut self, path: &Path) -> Option<Vec<Entry>> {
        let parsed = read_text(path).and_then(|(text, _)| yaml::parse(&Arc::from(path), &text));
        let (node, doubles) = match parsed {
            Ok(parsed) => parsed,
            Err(problem) => {
                self.warn(problem);
                return None;
            }
        };
        if !doubles.is_empty() {
            for double in doubles {
                self.warn(double.hint("Salt refuses the whole file for it, and so do we"));
            }
            return None;
        }
        let entries = match node.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            other => {
                let message =
                    format!("must be a table of keys, not {}; Salt refuses it", other.kind());
                self.warn(Problem::at(&node.place, "", message));
                return None;
            }
        };
        self.files.push(path.to_path_buf());
        Some(entries)
    }

    /// The patterns under a key, when it is there.
    fn patterns(&mut self, entries: &[Entry], key: &str) -> Option<Vec<String>> {
        let entry = entries.iter().find(|entry| entry.key == key)?;
        match texts(entry.node.value.clone()) {
            Ok(patterns) => Some(patterns),
            // `include: ''` is Salt's way to include nothing.
            Err(_) if matches!(&entry.node.value, Value::Text(text) if text.is_empty()) => {
                Some(Vec::new())
            }
            Err(mismatch) => {
                self.warn(mismatch.at(&entry.place, key.to_owned()));
                None
            }
        }
    }

    fn warn(&mut self, problem: Problem) {
        self.problems.push(problem.severity(Severity::Warning));
    }
}

/// `~` is our own home, not the master's: Salt's own command line has the same flaw.
fn absolute(pattern: &str, from: &Path) -> PathBuf {
    let home = std::env::home_dir();
    let expanded = match (pattern.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(pattern),
    };
    from.parent().unwrap_or(Path::new("/")).join(expanded)
}
