//! `log` and `status`.

use serde_json::Value;

use super::support::{Scene, herald, objects, stdout};

#[test]
fn log_shows_people_what_matters() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["log", "--failed"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output));
    let output = herald(&scene.path(), &["log"]);
    assert!(stdout(&output).ends_with("1 quiet run not shown (--all)\n"));
    let output = herald(&scene.path(), &["log", "--limit", "1", "--all"]);
    assert!(stdout(&output).ends_with("earlier runs not shown (--limit 1)\n"));
}

#[test]
fn log_json_has_every_run_and_stable_names() {
    let scene = Scene::usual().close();
    let output = herald(&scene.path(), &["log", "--json"]);
    let runs = objects(&output);
    assert_eq!(runs.len(), 5);
    insta::assert_snapshot!(stdout(&output));
    let ping = &runs[1];
    assert_eq!(ping["fun"], serde_json::json!(["test.ping"]));
    let names: Vec<&String> = ping.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "jid",
            "jobs",
            "kind",
            "user",
            "command",
            "fun",
            "tgt",
            "tgt_type",
            "test",
            "started_at",
            "finished_at",
            "status",
            "minions",
            "announced",
            "collides_with",
            "flags",
            "run",
            "saltenv",
            "metadata"
        ]
    );
}

#[test]
fn filters_choose() {
    let scene = Scene::usual().close();
    let jids = |args: &[&str]| -> Vec<String> {
        let args = [&["log", "--json"], args].concat();
        let runs = objects(&herald(&scene.path(), &args));
        let last =
            |run: &Value| run["jid"].as_str().unwrap()[14..].trim_start_matches('0').to_owned();
        runs.iter().map(last).collect()
    };
    assert_eq!(jids(&["--user", "bob"]), ["3", "4"]);
    assert_eq!(jids(&["--user", "alice"]), ["1", "5"]);
    assert_eq!(jids(&["--minion", "db1"]), ["3", "4", "5"]);
    assert_eq!(jids(&["--minion", "web*"]), ["1", "2", "3"]);
    assert_eq!(jids(&["--minion", "nobody"]).len(), 0);
    assert_eq!(jids(&["--fun", "state.*"]), ["1", "5"]);
    assert_eq!(jids(&["--failed"]), ["1", "3"]);
    assert_eq!(jids(&["--running"]), ["5"]);
    assert_eq!(jids(&["--text", "UPTIME"]), ["3"]);
    assert_eq!(jids(&["--limit", "2"]), ["4", "5"]);
    assert_eq!(jids(&["--limit", "0"]).len(), 0);
    assert_eq!(jids(&["--since", "2026-11-22T14:10:00Z"]), ["4", "5"]);
    assert_eq!(jids(&["--until", "2026-11-22 14:10"]), ["1", "2", "3"]);
    assert_eq!(jids(&["--until", "2026-11-21"]).len(), 0);
    assert_eq!(jids(&["--until", "2026-11-22"]).len(), 5);
}

#[test]
fn long_lists_come_whole_and_in_order() {
    let mut scene = Scene::new();
    for number in 0..1_201 {
        let jid = format!("2026112214{number:010}");
        scene.new_job(&jid, "bob", "cmd.run", &["true"], &["web1"]);
    }
    let scene = scene.close();
    let runs = objects(&herald(&scene.path(), &["log", "--json"]));
    let numbers: Vec<u64> = runs.iter().map(|run| run["run"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=1_201).collect::<Vec<u64>>());
    let runs = objects(&herald(&scene.path(), &["log", "--json", "--limit", "1100"]));
    assert_eq!(runs.len(), 1_100);
    assert_eq!(runs[0]["run"], 102);
}

#[test]
fn status_says_whether_the_daemon_runs() {
    let scene = Scene::signed();
    scene.writer().note("connected", 1).unwrap();
    let now = jiff::Timestamp::now().as_microsecond();
    scene.writer().note("heard_at", now).unwrap();
    let path = scene.path();
    scene.settle();
    let status = objects(&herald(&path, &["status", "--json"])).remove(0);
    assert_eq!(status["daemon"]["running"], true);
    assert_eq!(status["daemon"]["pid"], std::process::id());
    assert_eq!(status["bus"]["connected"], true);
    assert!(status["bus"]["heard_at"].is_string());
    assert_eq!(status["running"][0]["status"], "running");
    assert_eq!(status["seen"]["salt/job"], 10);
    let output = herald(&path, &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let scene = scene.close();
    let output = herald(&path, &["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("! the daemon is not running"));
    drop(scene);
}
