//! Checkpoints: what `verify` makes of those that people kept, when somebody made the chain anew, took its
//! end away, put an older journal in its place, or signs with another key.

use std::path::{Path, PathBuf};
use std::process::Output;

use herald_core::digest::Digest;
use herald_core::entry::chain;
use rusqlite::{Connection, params};
use salt_herald::seal::SealKey;
use salt_herald::store::{Journal, JournalReader};

use super::support::{Scene, herald, stderr, stdout};

/// Lets the journal be signed for, as the daemon does at its start; the checkpoint's line.
fn seal(journal: &Path) -> String {
    let key = SealKey::of_journal(journal).unwrap();
    let writer = Journal::open(journal).unwrap().sealed_by(Some(key)).into_writer().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(writer.settle()).unwrap();
    writer.close();
    while JournalReader::holder(journal).is_some() {
        std::thread::yield_now();
    }
    JournalReader::open(journal).unwrap().last_seal().unwrap().unwrap().to_string()
}

/// A journal with a checkpoint, and its line.
pub(super) fn sealed() -> (Scene, String) {
    let scene = Scene::usual().close();
    let line = seal(&scene.path());
    (scene, line)
}

fn verify(journal: &Path, more: &[&str]) -> Output {
    herald(journal, &[&["verify"], more].concat())
}

/// What is said, without what is another in each run.
pub(super) fn said(what: &str, output: &Output) -> String {
    let mut lines = vec![format!("=== {what}")];
    let text = stdout(output) + &stderr(output);
    for line in text.lines().filter(|line| !line.starts_with("file")) {
        lines.push(line.split(' ').map(masked).collect::<Vec<_>>().join(" "));
    }
    lines.push(format!("exit code {}\n", output.status.code().unwrap()));
    lines.join("\n")
}

fn masked(word: &str) -> String {
    let plain = word.trim_end_matches([',', ':', ';', '.']);
    let rest = &word[plain.len()..];
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match plain {
        hash if hash.len() >= 64 && is_hex(hash) => "HEX",
        uuid if uuid.len() == 36 && uuid.matches('-').count() == 4 => "UUID",
        time if time.starts_with("20") && time.contains(['T', '-']) => "TIME",
        time if time.len() == 8 && time.matches(':').count() == 2 => "TIME",
        other => other,
    };
    format!("{name}{rest}")
}

/// Makes all hashes from an entry on anew, as who can write the file can.
fn rewrite(journal: &Path, from: i64) {
    let connection = Connection::open(journal).unwrap();
    let sql = "UPDATE entry SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'09' AS BLOB) \
               WHERE number = ?1";
    connection.execute(sql, [from]).unwrap();
    let mut before: [u8; 32] = connection
        .query_row("SELECT hash FROM entry WHERE number = ?1", [from - 1], |row| row.get(0))
        .unwrap();
    let last: i64 =
        connection.query_row("SELECT max(number) FROM entry", [], |row| row.get(0)).unwrap();
    for number in from..=last {
        let sql = "SELECT bytes FROM entry WHERE number = ?1";
        let bytes: Vec<u8> = connection.query_row(sql, [number], |row| row.get(0)).unwrap();
        before = chain(Digest(before), &bytes).0;
        let sql = "UPDATE entry SET hash = ?2 WHERE number = ?1";
        connection.execute(sql, params![number, before]).unwrap();
    }
}

#[test]
fn a_checkpoint_that_was_kept_agrees_however_it_was_pasted() {
    let (scene, line) = sealed();
    let key = stdout(&verify(&scene.path(), &["--show-key"]));
    let key = key.split(' ').next().unwrap();
    let file = scene.dir.path().join("pasted");
    let pasted = format!("Wednesday\nherald APP 00:00\n<{}>\u{a0}\n", line.replace(' ', "\u{a0}"));
    std::fs::write(&file, pasted).unwrap();
    let file = file.to_str().unwrap();
    let mut texts = vec![said("nothing is given", &verify(&scene.path(), &[]))];
    let all = ["--key", key, "--checkpoint", &line, "--checkpoints", file];
    texts.push(said("key and line twice", &verify(&scene.path(), &all)));
    texts.push(said("the key is asked for", &verify(&scene.path(), &["--show-key"])));
    insta::assert_snapshot!(texts.join("\n"));

    // The key in a file, and the journal in a backup.
    let copy = scene.dir.path().join("copy.db");
    assert!(herald(&scene.path(), &["backup", copy.to_str().unwrap()]).status.success());
    let held = scene.dir.path().join("key");
    std::fs::write(&held, format!("{key}  since entry 1\n")).unwrap();
    let all = [copy.to_str().unwrap(), "--key", held.to_str().unwrap(), "--checkpoint", &line];
    assert!(verify(&scene.path(), &all).status.success());
}

#[test]
fn what_does_not_agree_is_told_by_its_name() {
    let mut texts = Vec::new();
    let mut check = |what: &str, journal: &Path, more: &[&str]| {
        texts.push(said(what, &verify(journal, more)));
    };
    let (scene, line) = sealed();
    let given = ["--checkpoint", line.as_str()];

    let early = scene.dir.path().join("early.db");
    std::fs::copy(scene.path(), &early).unwrap();
    let connection = Connection::open(&early).unwrap();
    connection.execute_batch("DELETE FROM entry WHERE number > 20; DELETE FROM seal").unwrap();
    drop(connection);
    let key = stdout(&verify(&scene.path(), &["--show-key"]));
    let key = key.split(' ').next().unwrap();
    let both = ["--key", key, "--checkpoint", line.as_str(), "--chain-only"];
    check("the end is gone", &early, &both);

    let (number, forged) = line.rsplit_once(' ').unwrap();
    let flipped = if forged.starts_with('0') { "1" } else { "0" };
    let forged = format!("{number} {flipped}{}", &forged[1..]);
    check("the line is made up", &scene.path(), &["--checkpoint", &forged]);
    let other = SealKey::of_journal(&scene.dir.path().join("other")).unwrap().public().to_string();
    check("another key is given", &scene.path(), &["--key", &other, "--checkpoint", &line]);
    let (_scene, strange) = sealed();
    check("another journal's line", &scene.path(), &["--checkpoint", &strange]);
    check("the line is cut off", &scene.path(), &["--checkpoint", &line[..line.len() - 20]]);
    check("no line at all", &scene.path(), &["--checkpoint", "hello"]);
    check("no key at all", &scene.path(), &["--key", "hello"]);

    rewrite(&scene.path(), 5);
    check("all is made anew from entry 5 on", &scene.path(), &given);
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_key_that_was_replaced_is_told() {
    let (scene, first) = sealed();
    std::fs::remove_file(SealKey::place(&scene.path())).unwrap();
    let second = seal(&scene.path());
    assert_ne!(first, second);
    let lines = ["--checkpoint", first.as_str(), "--checkpoint", second.as_str()];
    let mut texts = vec![said("no key is given", &verify(&scene.path(), &lines))];
    let keys = stdout(&verify(&scene.path(), &["--show-key"]));
    let keys: Vec<&str> = keys.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let one = [&lines[..], &["--key", keys[0]]].concat();
    texts.push(said("the first is given", &verify(&scene.path(), &one)));
    let both = [&one[..], &["--key", keys[1]]].concat();
    texts.push(said("both are given", &verify(&scene.path(), &both)));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_journal_that_was_put_back_is_told_from_one_that_was_changed() {
    let (scene, _) = sealed();
    let copy: PathBuf = scene.dir.path().join("copy.db");
    assert!(herald(&scene.path(), &["backup", copy.to_str().unwrap()]).status.success());
    // What happens after the backup, and is signed for.
    let mut lost = String::new();
    for _ in 0..2 {
        std::fs::remove_file(SealKey::place(&scene.path())).unwrap();
        lost = seal(&scene.path());
    }
    let keys = stdout(&verify(&scene.path(), &["--show-key"]));
    let keys: Vec<&str> = keys.lines().map(|line| line.split(' ').next().unwrap()).collect();
    // It gets lost, the key stays.
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", scene.path().display()));
    }
    std::fs::copy(&copy, scene.path()).unwrap();
    seal(&scene.path());
    let known = ["--key", keys[0], "--key", keys[1], "--key", keys[2]];
    let given = [&known[..], &["--checkpoint", lost.as_str()]].concat();
    let mut texts = vec![said("a checkpoint of what was lost", &verify(&scene.path(), &given))];
    texts.push(said("none of it", &verify(&scene.path(), &known)));
    insta::assert_snapshot!(texts.join("\n"));
}
