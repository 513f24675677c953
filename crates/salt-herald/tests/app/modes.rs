//! Files as others see them: whatever mask it was started with, nothing that it makes can be read by
//! everybody, and nothing is made but beside the journal.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::app::{App, Manner};
use crate::events::{bad, highstate, jid};

const BINARY: &str = env!("CARGO_BIN_EXE_salt-herald");
/// These hold keys or secrets.
const OWN: [&str; 3] = [".seal", ".marks", ".record"];

/// A process that goes with the test, however that ends.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command under a mask that takes nothing away.
fn unmasked(app: &App, args: &[&str]) -> Started {
    let started = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" \"$@\"", BINARY])
        .arg("--config")
        .arg(app.write_config())
        .args(args)
        .stdout(Stdio::null())
        .spawn();
    Started(started.unwrap())
}

/// What is in a folder, with its modes.
fn modes(folder: &Path) -> BTreeMap<String, (u32, std::fs::FileType)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        // What SQLite takes away meanwhile is not there any more.
        if let Ok(about) = entry.path().symlink_metadata() {
            let name = entry.file_name().into_string().unwrap();
            found.insert(name, (about.permissions().mode() & 0o7777, about.file_type()));
        }
    }
    found
}

fn assert_closed(state: &Path) -> Vec<String> {
    let folder = std::fs::metadata(state).unwrap();
    assert_eq!(folder.mode() & 0o7777 & !0o750, 0, "the folder is {:o}", folder.mode());
    let found = modes(state);
    for (name, (mode, kind)) in &found {
        let most = if OWN.iter().any(|end| name.ends_with(end)) || name == "journal.db.sock" {
            0o600
        } else if kind.is_socket() {
            0o660
        } else {
            0o640
        };
        assert_eq!(mode & !most, 0, "{name} is {mode:o}");
    }
    found.into_keys().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_it_makes_is_open_to_others_whatever_mask_it_has() {
    let mut app = App::new(Manner::Bot).await;
    app.place = "state/journal.db";
    let state = app.folder.path().join("state");
    app.more = format!("metrics: {{listen: {}}}\n", state.join("metrics.sock").display());
    let before = modes(app.folder.path());
    let mut daemon = unmasked(&app, &["run"]);
    app.bus.accept();
    app.bus.send([highstate(&jid(1), &["web1"]), bad(&jid(1), "web1", "no")]);
    app.said("its thread", |channel| channel.messages.len() == 2).await;
    let files = assert_closed(&state);
    for name in [
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "journal.db.lock",
        "journal.db.sock",
        "metrics.sock",
    ] {
        assert!(files.iter().any(|file| file == name), "{name} is not among {files:?}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.0.id())).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = cores.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "a core dump would hold tokens: {cores}");

    let copy = state.join("copy.db");
    assert!(unmasked(&app, &["backup", copy.to_str().unwrap()]).0.wait().unwrap().success());
    let mut recorder = unmasked(&app, &["record", state.join("bus.record").to_str().unwrap()]);
    app.bus.accept();
    app.until("the recording", |_| state.join("bus.record").exists().then_some(())).await;
    assert_closed(&state);
    for child in [&mut recorder, &mut daemon] {
        kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
        child.0.wait().unwrap();
    }
    let files = assert_closed(&state);
    assert!(files.iter().any(|file| file == "copy.db"), "{files:?}");
    let mut after = modes(app.folder.path());
    after.retain(|name, _| !before.contains_key(name));
    let made: Vec<&String> = after.keys().collect();
    assert_eq!(made, ["herald", "state"], "the test's own config, and the journal's folder");
}
