//! Files as others see them: whatever mask it was started with, nothing that it makes can be read by
//! everybody, and nothing is made but beside the journal.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

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
        let most = if OWN.iter().any(|end| name.ends_with(end)) {
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
    let socket = std::fs::metadata(state.join("journal.db.sock")).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o600, "no group was named");
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

/// Who is in groups of this machine, and nobody else: the numbers are nobody's.
const READERS: u32 = 42_420_001;
const HOLDERS: u32 = 42_420_002;

/// A command of a person who is in these groups.
fn as_one_of(groups: &[u32], program: &Path, args: &[&str]) -> Output {
    let groups: Vec<String> = groups.iter().chain([&65_534]).map(u32::to_string).collect();
    Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--groups", &groups.join(",")])
        .arg(program)
        .args(args)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_may_read_the_journal_and_another_ask_for_a_deed() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can become somebody else.
    }
    let mut app = App::new(Manner::Bot).await;
    app.place = "state/journal.db";
    app.more = format!("access: {{read: {READERS}, hold: {HOLDERS}}}\n");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(app.folder.path(), open).unwrap();
    let program = app.folder.path().join("salt-herald");
    std::fs::copy(BINARY, &program).unwrap();
    let mut daemon = unmasked(&app, &["run"]);
    app.bus.accept();
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.said("the run", |channel| channel.messages.len() == 1).await;
    assert_closed(&app.folder.path().join("state"));
    let journal = app.journal();
    let journal = journal.to_str().unwrap();
    let log = ["log", "--json", "--journal", journal];
    let deed = ["backfill", "--since", "1h", "--json", "--journal", journal];
    let code = |groups: &[u32], args: &[&str]| as_one_of(groups, &program, args).status.code();
    let read = |groups: &[u32]| {
        let output = as_one_of(groups, &program, &log);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap().contains("state.highstate"),
        )
    };
    assert_eq!(read(&[]), (Some(2), false));
    assert_eq!(read(&[HOLDERS]), (Some(2), false));
    assert_eq!(read(&[READERS]), (Some(0), true));
    assert_eq!(code(&[READERS], &deed), Some(2), "who may read may not write");
    assert_eq!(code(&[HOLDERS], &deed), Some(2), "it has to be found first");
    assert_eq!(code(&[READERS, HOLDERS], &deed), Some(0));

    let text = std::fs::read_to_string(app.write_config()).unwrap();
    let narrower = text.replace(&format!(", hold: {HOLDERS}"), "");
    std::fs::write(app.folder.path().join("herald"), narrower).unwrap();
    kill_process(Pid::from_child(&daemon.0), Signal::HUP).unwrap();
    let socket = app.folder.path().join("state/journal.db.sock");
    let mode = || std::fs::metadata(&socket).ok().map(|found| found.mode() & 0o777);
    app.until("the socket closed", |_| (mode() == Some(0o600)).then_some(())).await;
    assert_eq!(code(&[READERS, HOLDERS], &deed), Some(2), "it was taken back");
    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    daemon.0.wait().unwrap();
    assert_eq!(read(&[READERS]), (Some(0), true), "it does not run");

    app.more = String::new();
    let mut daemon = unmasked(&app, &["run"]);
    app.until("a start", |_| socket.exists().then_some(())).await;
    assert_eq!(read(&[READERS]), (Some(2), false), "it was taken back while it did not run");
    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    daemon.0.wait().unwrap();
}
