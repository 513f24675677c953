//! Backups: what they hold, where they are refused, and that a journal goes on from one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use salt_event::Value;
use salt_herald::store::{Journal, JournalReader};

use super::support::{Scene, binary, herald, objects, stderr, stdout};

fn back_up(scene: &Scene, to: &Path, more: &[&str]) -> std::process::Output {
    let args = [&["backup", to.to_str().unwrap()], more].concat();
    herald(&scene.path(), &args)
}

/// What stands in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn log(journal: &Path) -> String {
    stdout(&herald(journal, &["log", "--json"]))
}

#[test]
fn a_backup_holds_what_the_journal_holds_and_stands_alone() {
    let scene = Scene::usual().close();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    let said = stdout(&back_up(&scene, &to, &[]));
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let (last, hash): (i64, Vec<u8>) = connection
        .query_row("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let wanted = format!("{last} entries, whole\nlast entry {last}, hash {hash}\n");
    assert!(said.ends_with(&wanted), "{said}");
    assert_eq!(log(&to), log(&scene.path()));
    assert_eq!(names(folder.path()), ["b.db"]);
    let mode = std::fs::metadata(&to).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & !0o640, 0, "{mode:o}");

    let output = back_up(&scene, &to, &["--json", "--force"]);
    let told = &objects(&output)[0];
    assert_eq!(told["last_entry"], last);
    assert_eq!(told["hash"], hash);
    assert_eq!(told["bytes"], std::fs::metadata(&to).unwrap().len());
}

#[test]
fn nothing_is_overwritten_unasked_and_nothing_half_made_has_the_name() {
    let scene = Scene::usual().close();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    std::fs::write(&to, "precious").unwrap();
    let mut texts = Vec::new();
    let mut refused = |output: std::process::Output| {
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output).replace(folder.path().to_str().unwrap(), "DIR");
        texts.push(text.replace(scene.dir.path().to_str().unwrap(), "DIR"));
    };
    refused(back_up(&scene, &to, &[]));
    refused(back_up(&scene, &scene.path(), &["--force"]));
    refused(back_up(&scene, &folder.path().join("none/b.db"), &[]));
    refused(back_up(&scene, folder.path(), &["--force"]));
    // What another backup writes is left to it.
    let part = std::fs::File::create(folder.path().join("b.db.part")).unwrap();
    part.try_lock().unwrap();
    refused(back_up(&scene, &to, &["--force"]));
    drop(part);
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");

    // A journal that is damaged does not become a backup.
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    connection.execute("UPDATE entry SET bytes = x'00' WHERE number = 3", []).unwrap();
    drop(connection);
    refused(back_up(&scene, &to, &["--force"]));
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["b.db"]);
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_backup_is_of_one_moment_though_the_journal_is_written() {
    let mut scene = Scene::usual();
    let body = "x".repeat(40_000);
    let fill = |scene: &mut Scene, n: u32| {
        let text = format!("{n}{body}");
        let data = Value::from(text);
        scene.returns("20261122142102000005", "cmd.run", &format!("m{n}"), 0, data);
    };
    (0..200).for_each(|n| fill(&mut scene, n));
    scene.settle();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    let mut command = binary();
    command.arg("backup").arg(&to).arg("--journal").arg(scene.path()).arg("--json");
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut n = 200;
    let until = Instant::now() + Duration::from_secs(60);
    let status = loop {
        fill(&mut scene, n);
        n += 1;
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "the backup does not end");
    };
    assert!(status.success());
    scene.settle();
    let (copy, journal) =
        (JournalReader::open(&to).unwrap(), JournalReader::open(&scene.path()).unwrap());
    assert!(copy.last_entry().unwrap() >= 400);
    assert!(copy.last_entry().unwrap() < journal.last_entry().unwrap());
}

/// What SQLite would do with it is to write the end of one journal into the other.
#[test]
fn the_unmerged_end_of_another_journal_does_no_harm_to_a_backup_that_was_put_back() {
    let mut scene = Scene::usual();
    scene.settle();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    assert!(back_up(&scene, &to, &[]).status.success());
    let at_backup = log(&to);
    for n in 0..30 {
        scene.new_job(&format!("2026112215000000{n:04}"), "eve", "cmd.run", &["later"], &["web1"]);
    }
    scene.settle();
    // As after a kill: its end is in the -wal, and stays there.
    let stale: Vec<(String, Vec<u8>)> = ["-wal", "-shm"]
        .map(|suffix| {
            let path = format!("{}{suffix}", scene.path().display());
            (path.clone(), std::fs::read(path).unwrap())
        })
        .into();
    let scene = scene.close();
    std::fs::copy(&to, scene.path()).unwrap();
    for (path, bytes) in &stale {
        assert!(!bytes.is_empty());
        std::fs::write(path, bytes).unwrap();
    }
    assert_eq!(log(&scene.path()), at_backup, "who reads before the daemon begins");
    let writer = Journal::open(&scene.path()).unwrap().into_writer().unwrap();
    assert_eq!(log(&scene.path()), at_backup);
    writer.close();
    let names = names(scene.dir.path());
    assert_eq!(names, ["journal.db", "journal.db-wal.before-restore", "journal.db.lock"]);
    // Once only: now it is a journal like any other.
    drop(Journal::open(&scene.path()).unwrap());
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM meta WHERE key LIKE 'line.%'"), 1);
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn who_may_only_read_can_make_a_backup() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::usual().close();
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(scene.dir.path(), 0o755);
    chmod(&scene.path(), 0o644);
    let program = scene.dir.path().join("salt-herald");
    std::fs::copy(env!("CARGO_BIN_EXE_salt-herald"), &program).unwrap();
    let folder = tempfile::tempdir().unwrap();
    chmod(folder.path(), 0o777);
    let to = folder.path().join("b.db");
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .arg("backup")
        .arg(&to)
        .arg("--journal")
        .arg(scene.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(log(&to), log(&scene.path()));
}

/// Killed at any moment: no file under the name, or a whole one; and the next backup is none the worse.
#[test]
fn a_backup_that_is_killed_leaves_nothing_under_its_name() {
    let mut scene = Scene::usual();
    let body = "x".repeat(100_000);
    for n in 0..300 {
        let data = Value::from(format!("{n}{body}"));
        scene.returns("20261122142102000005", "cmd.run", &format!("m{n}"), 0, data);
    }
    let scene = scene.close();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    let part = folder.path().join("b.db.part");
    let length = std::fs::metadata(scene.path()).unwrap().len();
    for share in [0, 1, 2, 3] {
        let mut command = binary();
        command.arg("backup").arg(&to).arg("--journal").arg(scene.path());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        // When so much of it is written.
        while std::fs::metadata(&part).map_or(0, |part| part.len()) < share * length / 3 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            assert!(Instant::now() < until, "it does not begin");
        }
        let _ = child.kill();
        child.wait().unwrap();
        if to.exists() {
            assert_eq!(log(&to), log(&scene.path()));
            std::fs::remove_file(&to).unwrap();
        }
    }
    assert!(back_up(&scene, &to, &[]).status.success());
    assert_eq!(names(folder.path()), ["b.db"]);
    assert_eq!(log(&to), log(&scene.path()));
}

/// Root makes a backup in a folder where somebody else may write, and was waited for.
#[test]
fn a_trap_beside_a_backup_or_a_journal_is_not_written_into() {
    let scene = Scene::usual().close();
    let folder = tempfile::tempdir().unwrap();
    let (to, victim) = (folder.path().join("b.db"), folder.path().join("victim"));
    let part = folder.path().join("b.db.part");
    let is_whole = || std::fs::read_to_string(&victim).unwrap() == "root:x:0:0";
    std::fs::write(&victim, "root:x:0:0").unwrap();
    std::os::unix::fs::symlink(&victim, &part).unwrap();
    let linked = back_up(&scene, &to, &[]);
    std::fs::remove_file(&part).unwrap();
    std::fs::hard_link(&victim, &part).unwrap();
    let named_twice = back_up(&scene, &to, &[]);
    for output in [linked, named_twice] {
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(is_whole(), "it was emptied");
        assert!(!to.exists());
    }
    std::fs::remove_file(&part).unwrap();
    if rustix::process::geteuid().is_root() {
        std::fs::write(&part, "").unwrap();
        std::os::unix::fs::chown(&part, Some(65_534), None).unwrap();
        let others = back_up(&scene, &to, &[]);
        assert!(stderr(&others).contains("no file of ours alone: remove it"), "{others:?}");
        std::fs::remove_file(&part).unwrap();
    }
    assert_eq!(back_up(&scene, &to, &[]).status.code(), Some(0));

    let lock = folder.path().join("j.db.lock");
    std::os::unix::fs::symlink(&victim, &lock).unwrap();
    assert!(Journal::open(&folder.path().join("j.db")).is_err());
    assert!(is_whole(), "it was written over");
}
