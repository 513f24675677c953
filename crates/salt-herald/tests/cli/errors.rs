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
    assert!(said.contains("is damaged: file is not a database\n  hint: "), "{said}");
}

#[test]
fn a_journal_of_a_later_version() {
    let scene = Scene::usual().close();
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    connection.execute("INSERT INTO migration VALUES (77, 'x')", []).unwrap();
    drop(connection);
    let config = scene.dir.path().join("herald");
    let text = format!("journal: {{path: {}}}\n", scene.path().display());
    std::fs::write(&config, text).unwrap();
    let daemon = binary().arg("run").arg("--config").arg(&config).output().unwrap();
    for output in [herald(&scene.path(), &["log"]), daemon] {
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains("has schema 77, made by a later salt-herald"), "{said}");
        let own = format!("this one, {}, knows schema ", env!("CARGO_PKG_VERSION"));
        assert!(said.contains(&own), "{said}");
        assert!(said.contains("hint: use the salt-herald that made it"), "{said}");
    }
}

#[test]
fn a_damaged_journal_is_refused_and_what_to_do_is_said() {
    let scene = Scene::usual().close();
    let config = scene.dir.path().join("herald");
    let text = format!("journal: {{path: {}}}\n", scene.path().display());
    std::fs::write(&config, text).unwrap();
    let whole = std::fs::read(scene.path()).unwrap();
    std::fs::write(scene.path(), &whole[..whole.len() / 2]).unwrap();
    let output = binary().arg("run").arg("--config").arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    let lengths = format!("{} of {} bytes are there", whole.len() / 2, whole.len());
    assert!(said.contains(&format!("is damaged: it is cut off: {lengths}")), "{said}");
    assert!(said.contains("hint: nothing was written to it. Move it away"), "{said}");
    assert_eq!(std::fs::read(scene.path()).unwrap().len(), whole.len() / 2);
    // Moved away, the next start makes a new one, though the lock's file stays.
    std::fs::remove_file(scene.path()).unwrap();
    drop(salt_herald::store::Journal::open(&scene.path()).unwrap());
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
