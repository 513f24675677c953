//! Reading a journal that one may not write, while nobody writes it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use salt_herald::store::{Journal, JournalReader};

const JOURNAL: &str = "SALT_HERALD_TEST_JOURNAL";

/// No test: the process that the test below starts as another user.
#[test]
fn the_reader() {
    let Some(path) = std::env::var_os(JOURNAL) else {
        return;
    };
    let path = std::path::Path::new(&path);
    assert!(std::fs::File::options().append(true).open(path).is_err());
    let reader = JournalReader::open(path).unwrap();
    assert_eq!(reader.noted("answer").unwrap(), Some(42));
}

#[test]
fn who_may_only_read_reads_a_journal_that_was_closed() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can become somebody else.
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let writer = Journal::open(&path).unwrap().into_writer().unwrap();
    writer.note("answer", 42).unwrap();
    writer.close();
    for (file, mode) in [(folder.path(), 0o755), (&path, 0o644)] {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    // A copy, because the build's own folder may be closed to others.
    let program = folder.path().join("reader");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .args(["--exact", "unprivileged::the_reader"])
        .env(JOURNAL, &path)
        .current_dir("/")
        .gid(65_534)
        .uid(65_534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
