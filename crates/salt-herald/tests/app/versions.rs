//! Journals of other versions: an older one becomes the newest, whatever happens on the way; a later
//! one is refused.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use salt_herald::daemon::{self, Limits};
use salt_herald::store::{Journal, JournalReader};
use tempfile::TempDir;

use crate::app::{App, Manner, all};
use crate::chance::{Chance, rounds};
use crate::journal::{MADE, count, dump, number, open, verify_chain};

const JOURNAL: &str = "SALT_HERALD_TEST_JOURNAL";
const FIRST: &str = include_str!("journals/schema-1.sql");

/// No test: the process that is killed below. It does what the daemon does at its start.
#[test]
fn the_opener() {
    if let Some(path) = std::env::var_os(JOURNAL) {
        Journal::open(Path::new(&path)).unwrap();
    }
}

fn opener(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "versions::the_opener"])
        .env(JOURNAL, path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A journal of the first schema, as a daemon that was killed left it: in WAL mode.
fn first_schema() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(FIRST).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    (folder, path)
}

/// The number of its schema, and what it holds.
fn state(path: &Path) -> (i64, [i64; 4]) {
    let tables = ["entry", "payload", "run", "delivery"];
    let schema = number(path, "SELECT max(number) FROM migration");
    assert_eq!(schema, count(path, "migration"), "no step is left out");
    let checked: String =
        open(path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
    (schema, tables.map(|table| count(path, table)))
}

#[test]
fn a_journal_of_the_first_schema_becomes_the_newest_with_all_that_it_holds() {
    let (_folder, path) = first_schema();
    let (schema, before) = state(&path);
    assert_eq!((schema, before), (1, [73, 54, 13, 13]));
    drop(Journal::open(&path).unwrap());
    let (newest, after) = state(&path);
    assert!(newest > 1);
    assert_eq!(after, before);
    assert_eq!(verify_chain(&path), 73);
    let mut reader = JournalReader::open(&path).unwrap();
    let runs = reader.runs(&all()).unwrap();
    assert_eq!(runs.len(), 13);
    assert!(runs.iter().all(|run| reader.is_announced(run.id).unwrap()));
    drop(reader);
    let made = |path: &Path| MADE.map(|table| dump(path, table));
    let migrated = made(&path);
    Journal::rebuild(&path).unwrap();
    assert_eq!(made(&path), migrated, "what is made again is what was migrated");
}

#[test]
fn killed_while_it_migrates_it_is_old_or_new_and_whole() {
    let mut chance = Chance::new();
    let (_folder, path) = first_schema();
    let begun = Instant::now();
    assert!(opener(&path).wait().unwrap().success());
    let took = begun.elapsed().as_micros() as u64;
    let (newest, holds) = state(&path);
    let (mut old, mut new) = (0, 0);
    for _ in 0..rounds(20, 1000) {
        let (_folder, path) = first_schema();
        let mut child = opener(&path);
        std::thread::sleep(Duration::from_micros(chance.below(took + took / 4)));
        let _ = child.kill();
        child.wait().unwrap();
        // Looked at as another process finds it.
        let (schema, held) = state(&path);
        assert!(schema == 1 || schema == newest, "schema {schema}");
        assert_eq!(held, holds);
        old += u64::from(schema == 1);
        new += u64::from(schema == newest);
        drop(Journal::open(&path).unwrap());
        assert_eq!(state(&path), (newest, holds));
    }
    eprintln!("killed before the migration was done: {old}, after: {new}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_refuses_a_later_journal_by_name() {
    let app = App::new(Manner::Bot).await;
    drop(Journal::open(&app.journal()).unwrap());
    open(&app.journal()).execute("INSERT INTO migration VALUES (99, 'x')", []).unwrap();
    let before = std::fs::read(app.journal()).unwrap();
    let (_, reloads) = tokio::sync::mpsc::channel(1);
    let served =
        daemon::serve(app.config(), Limits::default(), std::future::pending(), reloads).await;
    let error = served.unwrap_err().to_string();
    let own = env!("CARGO_PKG_VERSION");
    for part in ["has schema 99, made by a later salt-herald", &format!("this one, {own}, knows")] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(std::fs::read(app.journal()).unwrap(), before, "it was not written to");
}
