//! `verify`: each way in which somebody can lay hands on a journal, and what is said of it.

use std::path::Path;
use std::process::Output;

use rusqlite::Connection;

use super::support::{Scene, herald, objects, stderr, stdout};

/// A journal in which nothing changes from one test run to the next but its name.
fn scene() -> Scene {
    Scene::usual().close()
}

fn verify(journal: &Path, more: &[&str]) -> Output {
    herald(journal, &[&["verify"], more].concat())
}

/// What is said, without what is another in each run.
fn said(scene: &Scene, output: &Output) -> String {
    let text = stdout(output).replace(scene.dir.path().to_str().unwrap(), "DIR");
    let mut lines = Vec::new();
    for line in text.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            "journal" => lines.push("journal   UUID".to_owned()),
            "entries" => {
                let end = line.find("; hash").unwrap_or(line.len());
                lines.push(line[..end].to_owned());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    format!("{}\nexit code {}\n", lines.join("\n"), output.status.code().unwrap())
}

/// Does something to a journal, and verifies it.
fn after(sql: &str) -> String {
    let scene = scene();
    let connection = Connection::open(scene.path()).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let output = verify(&scene.path(), &[]);
    assert_eq!(stderr(&output), "", "{sql}");
    format!("=== {sql}\n{}", said(&scene, &output))
}

fn after_each(deeds: &[&str]) -> String {
    deeds.iter().map(|sql| after(sql)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_journal_that_nobody_touched_is_whole() {
    let scene = scene();
    let output = verify(&scene.path(), &[]);
    let mut texts = vec![said(&scene, &output)];
    texts.push(said(&scene, &verify(&scene.path(), &["--gently"])));
    texts.push(said(&scene, &verify(&scene.path(), &["--chain-only"])));
    insta::assert_snapshot!(texts.join("\n"));
    let told = objects(&verify(&scene.path(), &["--json"]));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["whole"], true);
    assert_eq!(told[0]["type"], "summary");
}

#[test]
fn a_backup_is_verified_as_the_journal_is() {
    let scene = scene();
    let copy = scene.dir.path().join("copy.db");
    assert!(herald(&scene.path(), &["backup", copy.to_str().unwrap()]).status.success());
    let of_journal = said(&scene, &verify(&scene.path(), &[]));
    let of_copy = said(&scene, &verify(&scene.path(), &[copy.to_str().unwrap()]));
    assert_eq!(of_journal, of_copy.replace("copy.db", "journal.db"));
}

#[test]
fn entries_that_were_touched_are_named() {
    let deeds = [
        "UPDATE entry SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'09' AS BLOB) WHERE number = 5",
        "UPDATE entry SET hash = zeroblob(32) WHERE number = 5",
        "UPDATE entry SET at = at + 1 WHERE number = 5",
        "DELETE FROM entry WHERE number = 5",
        "DELETE FROM entry WHERE number BETWEEN 5 AND 7",
        "DELETE FROM entry WHERE number < 4",
        "DELETE FROM entry WHERE number BETWEEN 5 AND 7; UPDATE entry SET number = number - 3 WHERE number > 7",
        "UPDATE entry SET number = -number WHERE number > 4; \
         UPDATE entry SET number = 1 - number WHERE number < 0; \
         INSERT INTO entry SELECT 5, at, kind, bytes, hash FROM entry WHERE number = 9",
        "UPDATE entry SET number = 500 WHERE number = 5",
        "UPDATE entry SET number = -5 WHERE number = 5; UPDATE entry SET number = 5 WHERE number = 8; \
         UPDATE entry SET number = 8 WHERE number = -5",
        "UPDATE entry SET bytes = (SELECT bytes FROM entry WHERE number = 3) WHERE number = 5",
        "INSERT INTO entry SELECT -number, at, kind, bytes, hash FROM entry WHERE number IN (3, 4)",
    ];
    insta::assert_snapshot!(after_each(&deeds));
}

#[test]
fn contents_that_were_touched_are_named() {
    let deeds = [
        "UPDATE payload SET bytes = CAST('x' || bytes AS BLOB) WHERE id = 2",
        "UPDATE payload SET bytes = (SELECT other.bytes FROM payload AS other \
         WHERE other.id = iif(payload.id = 1, 4, 1)) WHERE id IN (1, 4)",
        "DELETE FROM payload WHERE kind = 1 AND id < 5",
        "DELETE FROM payload WHERE kind = 5",
        "UPDATE payload_key SET payload = 900 WHERE payload = 3",
        "UPDATE volatile SET bytes = x'010203'",
        "INSERT INTO volatile VALUES (2, x'01'), (4000, x'01')",
        "DELETE FROM volatile",
    ];
    insta::assert_snapshot!(after_each(&deeds));
}

#[test]
fn tables_that_say_something_else_are_named() {
    let deeds = [
        "UPDATE run SET user = 'mallory', command = 'salt x test.ping' WHERE id = 1",
        "DELETE FROM run WHERE id = 2",
        "UPDATE run SET version = version - 1 WHERE id = 1",
        "INSERT INTO minion VALUES (77, 'ghost')",
        "UPDATE return SET failed = 0 WHERE failed = 1",
        "UPDATE return SET shape = (SELECT max(id) FROM payload) WHERE job = 1 AND minion = 0",
        "UPDATE return SET shape = 100000 WHERE job = 1 AND minion = 0",
        "DELETE FROM failure",
        "INSERT INTO failure VALUES (2, 0, NULL, 1, 0)",
        "UPDATE job SET jid = '20260101000000000000'",
        "INSERT INTO gap VALUES (3, 0, 1, 'master away')",
        "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'run_open'; \
         PRAGMA writable_schema = 0",
        "CREATE TRIGGER hide AFTER INSERT ON run BEGIN DELETE FROM run WHERE user = 'mallory'; END",
    ];
    insta::assert_snapshot!(after_each(&deeds));
}

/// An earlier salt-herald took more for a change of a run.
#[test]
fn a_run_whose_version_is_higher_than_what_follows_now_is_whole() {
    let scene = scene();
    let connection = Connection::open(scene.path()).unwrap();
    connection.execute("UPDATE run SET version = version + 2", []).unwrap();
    drop(connection);
    assert!(verify(&scene.path(), &[]).status.success());
}

#[test]
fn a_backup_beside_the_unmerged_end_of_another_journal_is_verified_by_itself() {
    let mut scene = Scene::usual();
    scene.settle();
    let copy = scene.dir.path().join("copy.db");
    assert!(herald(&scene.path(), &["backup", copy.to_str().unwrap()]).status.success());
    for n in 0..30 {
        scene.new_job(&format!("2026112215000000{n:04}"), "eve", "cmd.run", &["later"], &["web1"]);
    }
    scene.settle();
    let beside = |path: &Path| std::path::PathBuf::from(format!("{}-wal", path.display()));
    let wal = std::fs::read(beside(&scene.path())).unwrap();
    let scene = scene.close();
    std::fs::copy(&copy, scene.path()).unwrap();
    std::fs::write(beside(&scene.path()), &wal).unwrap();
    assert!(!wal.is_empty());
    let of_copy = said(&scene, &verify(&scene.path(), &[copy.to_str().unwrap()]));
    let of_journal = said(&scene, &verify(&scene.path(), &[]));
    assert_eq!(of_journal, of_copy.replace("copy.db", "journal.db"));
    assert!(of_journal.contains("tables") && of_journal.ends_with("exit code 0\n"), "{of_journal}");
    // It reads only: what belongs to the other is as it was.
    assert_eq!(std::fs::read(beside(&scene.path())).unwrap(), wal);
}

#[test]
fn what_is_no_journal_is_refused() {
    let scene = scene();
    let other = scene.dir.path().join("other");
    std::fs::write(
        &other,
        "no journal at all, but as long as a header of SQLite's is: it has to be a hundred bytes",
    )
    .unwrap();
    for file in ["other", "none"] {
        let path = scene.dir.path().join(file);
        let output = verify(&scene.path(), &[path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
    let output = verify(&other, &[]);
    let text = stderr(&output).replace(scene.dir.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(text);
}
