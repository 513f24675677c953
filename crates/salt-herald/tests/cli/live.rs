//! `tail`, and readers that go away.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::support::{Scene, binary, map, state};

/// A child that does not outlive its test.
struct Tail(Child);

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tail(scene: &Scene, args: &[&str]) -> (Tail, BufReader<ChildStdout>) {
    scene.settle();
    let mut child = binary()
        .arg("tail")
        .args(args)
        .arg("--journal")
        .arg(scene.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (Tail(child), lines)
}

fn line(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line
}

#[test]
fn tail_shows_beginnings_and_ends() {
    let mut scene = Scene::usual();
    let (mut child, mut lines) = tail(&scene, &["-n", "2"]);
    assert!(line(&mut lines).contains("echo"));
    assert!(line(&mut lines).contains("state.apply"));
    scene.new_job("20261122150000000006", "carol", "state.apply", &["web"], &["web1"]);
    let began = line(&mut lines);
    assert!(began.contains("carol") && began.contains("0 of 1 returned"), "{began}");
    let key = "pkg_|-nginx_|-nginx_|-installed";
    let ret = map(vec![(key, state(false, "No.", Vec::new()))]);
    scene.returns("20261122150000000006", "state.apply", "web1", 2, ret);
    let ended = line(&mut lines);
    assert!(ended.contains("1 failed (web1)"), "{ended}");
    let pid = child.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}

#[test]
fn tail_json_shows_every_change() {
    let mut scene = Scene::usual();
    let (child, mut lines) = tail(&scene, &["--json", "--all", "-n", "1"]);
    assert!(line(&mut lines).contains("20261122142102000005"));
    scene.new_job("20261122150000000006", "root", "test.ping", &[], &["web1"]);
    let object: serde_json::Value = serde_json::from_str(&line(&mut lines)).unwrap();
    assert_eq!(object["jid"], "20261122150000000006");
    assert_eq!(object["status"], "running");
    drop(child);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut scene = Scene::new();
    for number in 0..2_000 {
        let jid = format!("2026112214{number:010}");
        scene.new_job(&jid, "bob", "cmd.run", &["true"], &["web1"]);
    }
    let scene = scene.close();
    let mut child = binary()
        .args(["log", "--json", "--journal"])
        .arg(scene.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::with_capacity(64, child.stdout.take().unwrap());
    assert!(line(&mut lines).starts_with("{\"jid\""));
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}
