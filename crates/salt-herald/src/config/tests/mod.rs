//! The config, from files in a directory of each test's own.

mod example;
mod files;
mod master;
mod mistakes;
mod parts;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Config, LoadOptions, Problem, Problems, load};

/// A directory with a config; `DIR` in what is written or printed stands for its path.
struct Machine {
    dir: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let machine = Self::new();
        for (path, text) in files {
            machine.write(path, text);
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let text = text.replace("DIR", self.dir.path().to_str().unwrap());
        self.write_bytes(path, text.as_bytes());
    }

    fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }

    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn options(&self) -> LoadOptions {
        LoadOptions {
            default_file: self.path("herald"),
            salt_dir: self.path("salt"),
            ..LoadOptions::default()
        }
    }

    fn load(&self) -> Result<(Config, Vec<Problem>), Problems> {
        load(&self.options())
    }

    /// The config, which must load without an error, and its warnings as text.
    fn good(&self) -> (Config, String) {
        match self.load() {
            Ok((config, warnings)) => (config, self.show(&warnings)),
            Err(problems) => panic!("{}", self.show(&problems.problems)),
        }
    }

    /// The problems of a config that must not load.
    fn bad(&self) -> String {
        self.show(&self.load().map(drop).unwrap_err().problems)
    }

    /// All problems, those of a config that loads, too.
    fn problems(&self) -> String {
        match self.load() {
            Ok((_, warnings)) => self.show(&warnings),
            Err(problems) => self.show(&problems.problems),
        }
    }

    fn show(&self, problems: &[Problem]) -> String {
        let lines: Vec<String> =
            problems.iter().map(|p| format!("{:?} {p}\n", p.severity)).collect();
        lines.concat().replace(self.dir.path().to_str().unwrap(), "DIR")
    }
}
