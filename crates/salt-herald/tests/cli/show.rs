//! `show`.

use super::support::{Scene, herald, objects, stderr, stdout};

#[test]
fn a_run_is_told_in_full() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["show", "20261122140001"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("state_run", stdout(&output));
    let output = herald(&scene.path(), &["show", "last", "failed"]);
    insta::assert_snapshot!("incomplete", stdout(&output));
    let output = herald(&scene.path(), &["show", "last"]);
    assert!(stdout(&output).contains("db1  has not returned yet"));
}

#[test]
fn a_return_is_told_in_full() {
    let scene = Scene::usual().close();
    let args = ["show", "run", "1", "--minion", "web2"];
    let output = herald(&scene.path(), &args);
    insta::assert_snapshot!("return", stdout(&output));
    let args = ["show", "run", "1", "--minion", "web1", "--json"];
    let object = objects(&herald(&scene.path(), &args)).remove(0);
    let state = &object["returns"][0]["states"][0];
    assert_eq!(state["function"], "pkg.installed");
    assert_eq!(state["changes"]["nginx"]["new"], "1.26");
    assert_eq!(state["start"], "14:00:01.500");
    assert_eq!(state["duration"], 0.1205);
    let args = ["show", "run", "1", "--minion", "db1"];
    let output = herald(&scene.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("db1 returned nothing in that run"));
}

#[test]
fn a_run_as_json() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["show", "run", "1", "--json"]);
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn a_minion_has_its_last_runs() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["show", "web2"]);
    assert_eq!(stdout(&output).lines().count(), 1);
    let runs = objects(&herald(&scene.path(), &["show", "db1", "--json"]));
    assert_eq!(runs.len(), 3);
}

#[test]
fn what_can_mean_several_runs_lists_them() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["show", "202611221400"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    insta::assert_snapshot!(stderr(&output));
    let output = herald(&scene.path(), &["show", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("knows no run and no minion by nobody"));
    let output = herald(&scene.path(), &["show", "run", "99999999999999999999"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn nothing_acts_on_a_terminal() {
    let scene = Scene::usual().close();
    let path = scene.path();
    let hostile: [&[&str]; 7] = [
        &["log", "--all"],
        &["log", "--json"],
        &["show", "run", "4"],
        &["show", "run", "4", "--json"],
        &["show", "run", "4", "--minion", "db1"],
        &["show", "run", "4", "--minion", "db1", "--json"],
        &["status"],
    ];
    for args in hostile {
        let output = herald(&path, args);
        let text = stdout(&output) + &stderr(&output);
        let acts = |c: char| c != '\n' && herald_core::literal::is_unseen(c);
        assert!(!text.contains(acts), "{args:?}: {text:?}");
    }
    // Even where colours are forced, only our own escapes are there.
    let output = super::support::binary()
        .args(["show", "run", "4", "--journal"])
        .arg(&path)
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    let text = stdout(&output);
    assert!(text.contains("\u{1b}["));
    assert!(!text.contains("\u{1b}]") && !text.contains('\u{9b}'), "{text:?}");
    assert!(text.contains(r"\u{1b}]0;owned\u{7}red\u{9b}0m"), "{text}");
}
