//! What is said and returned when a command can't run, and who may read.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::support::{Scene, binary, herald, objects, stderr, stdout};

#[test]
fn no_journal_there() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["log", "status", "tail"] {
        let output = herald(&dir.path().join("none.db"), &[command]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).starts_with("salt-herald: there is no journal at "));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn no_journal_but_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    std::fs::write(&path, "not a journal at all, but a text that is long enough").unwrap();
    let output = herald(&path, &["log"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("\n  because ") && said.contains("\n  hint: "), "{said}");
}

#[test]
fn a_journal_of_a_later_version() {
    let scene = Scene::usual().close();
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    connection.execute("INSERT INTO migration VALUES (7, 'x')", []).unwrap();
    drop(connection);
    let output = herald(&scene.path(), &["log"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("has schema 7, made by a later salt-herald"), "{said}");
    assert!(said.contains("hint: use the salt-herald that made it"), "{said}");
}

#[test]
fn a_journal_that_only_others_may_write() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::usual().close();
    let readable = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    readable(scene.dir.path(), 0o755);
    readable(&scene.path(), 0o644);
    // The build's own directory may be closed to others.
    let program = scene.dir.path().join("salt-herald");
    std::fs::copy(env!("CARGO_BIN_EXE_salt-herald"), &program).unwrap();
    let log = || {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(["log", "--json", "--journal"])
            .arg(scene.path())
            .output()
            .unwrap()
    };
    assert_eq!(objects(&log()).len(), 5);
    readable(&scene.path(), 0o600);
    let output = log();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("ask as a user who may read"), "{}", stderr(&output));
}

#[test]
fn times_and_options_that_are_none() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["log", "--since", "soon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("salt-herald: --since: soon is no time\n  hint: "));
    let output = herald(&scene.path(), &["log", "--sinse", "2h"]);
    assert_eq!(output.status.code(), Some(2));
    let output = binary().arg("help").arg("all").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("replay"));
    let output = binary().arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!stdout(&output).contains("replay"));
}

#[test]
fn a_config_that_can_not_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("herald");
    std::fs::write(&config, "jurnal: {}\n").unwrap();
    let run = |args: &[&str]| binary().args(args).arg("--config").arg(&config).output().unwrap();
    for command in ["log", "run", "status"] {
        let output = run(&[command]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(stderr(&output).contains("the config can't be used\n  "), "{command}");
    }
    let output = run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("✗ config"), "{}", stdout(&output));
    // While its journal is there, people who only read are let in.
    let scene = Scene::usual().close();
    let journal = scene.path();
    std::fs::write(&config, format!("jurnal: {{}}\njournal: {{path: {}}}\n", journal.display()))
        .unwrap();
    let output = run(&["log"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("the config has 1 mistake"), "{}", stderr(&output));
    assert_eq!(run(&["run"]).status.code(), Some(2));
    // With a journal named, the config is not looked at.
    let output = run(&["log", "--journal", journal.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
}
