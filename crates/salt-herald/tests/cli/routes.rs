//! `routes`.

use std::path::PathBuf;
use std::process::Output;

use salt_herald::store::{Delivery, DeliveryState, Part};

use super::support::{Scene, binary, objects, stderr, stdout};

const ROUTES: &str = "
routes:
  - name: failures
    outcome: [failed, incomplete]
    to: [ops, 'ops#alerts']
    continue: true
  - {user: alice, fun: 'state.*', minion: '!db*', to: ops}
  - {name: \"red\\u202e\", kind: batch, to: idle}
  - {fun: cmd.*, to: []}
";
const SINKS: &str = "
slack:
  idle: {webhook_url: 'https://hooks.slack.com/services/x'}
  ops: {token: xoxb-x, channel: '#ops', api_url: 'https://127.0.0.1:1/'}
";

fn config(scene: &Scene, routes: &str) -> PathBuf {
    let folder = scene.dir.path().display();
    let text = format!(
        "journal: {{path: {folder}/journal.db}}\nsalt: {{config_dir: {folder}}}\n{SINKS}{routes}"
    );
    let path = scene.dir.path().join("herald");
    std::fs::write(&path, text).unwrap();
    path
}

fn routes(config: &PathBuf, args: &[&str]) -> Output {
    binary().arg("routes").args(args).arg("--config").arg(config).output().unwrap()
}

#[test]
fn routes_are_listed_in_their_order() {
    let scene = Scene::new().close();
    let listed = routes(&config(&scene, ROUTES), &[]);
    assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
    insta::assert_snapshot!(stdout(&listed));
    let objects = objects(&routes(&config(&scene, ROUTES), &["--json"]));
    assert_eq!(objects.len(), 4);
    assert_eq!(objects[0]["to"], serde_json::json!(["ops", "ops#alerts"]));
    let none = routes(&config(&scene, ""), &[]);
    assert_eq!(stdout(&none), "no routes: every run that is said goes to idle, ops\n");
}

#[test]
fn why_a_run_went_where_it_went() {
    let scene = Scene::usual();
    for (sink, part) in
        [("ops", Part::Message), ("ops#alerts", Part::Message), ("old", Part::Message)]
    {
        let delivery = Delivery {
            run: herald_core::run::RunId(1),
            sink: sink.to_owned(),
            part,
            message: None,
            said: Some([1; 32]),
            version: 1,
            state: DeliveryState::Said,
            error: None,
            lead: None,
            late: false,
            mood: None,
            at: "2026-11-22T14:00:04Z".parse().unwrap(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scene.writer().deliver(vec![delivery])).unwrap();
    }
    let scene = scene.close();
    let config = config(&scene, ROUTES);
    let mut told = String::new();
    for what in [&["20261122140001"][..], &["run", "2"], &["last", "failed"], &["last"]] {
        let output = routes(&config, &[&["--explain"], what].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        told.push_str(&format!("$ {}\n{}\n", what.join(" "), stdout(&output)));
    }
    insta::assert_snapshot!(told);
    let object = objects(&routes(&config, &["--explain", "run", "1", "--json"])).remove(0);
    let pretty = serde_json::to_string_pretty(&object).unwrap();
    insta::assert_snapshot!(herald_core::literal::lines(&pretty));
}

#[test]
fn without_routes_a_run_goes_to_every_sink() {
    let scene = Scene::usual().close();
    let output = routes(&config(&scene, ""), &["--explain", "last"]);
    let told = stdout(&output);
    assert!(told.contains("there are no routes"), "{told}");
    assert!(told.contains("goes to  idle, ops"), "{told}");
}

#[test]
fn what_is_no_run_is_said() {
    let scene = Scene::usual().close();
    let config = config(&scene, ROUTES);
    let output = routes(&config, &["--explain", "web1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("web1 is a minion, no run"), "{}", stderr(&output));
    let output = routes(&config, &["--explain", "202611221400"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("can mean 3 runs"), "{}", stderr(&output));
}

#[test]
fn nothing_acts_on_a_terminal() {
    let scene = Scene::usual().close();
    let config = config(&scene, ROUTES);
    for args in
        [&[][..], &["--json"], &["--explain", "run", "4"], &["--explain", "run", "4", "--json"]]
    {
        let output = routes(&config, args);
        let text = stdout(&output) + &stderr(&output);
        assert!(!text.is_empty());
        let acts = |c: char| c != '\n' && herald_core::literal::is_unseen(c);
        assert!(!text.contains(acts), "{args:?}: {text:?}");
    }
}
