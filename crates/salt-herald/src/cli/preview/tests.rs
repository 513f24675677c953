//! What a preview says of job caches: of a usual day, of masters that an API drives, of real masters.

use std::fs;

use anstream::adapter::strip_str;
use herald_core::redact::Redactor;
use herald_core::survey::Advice;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use salt_event::Value;

use super::super::output::View;
use super::{PreviewArgs, advice, json, look, text};
use crate::config::{self, Config, LoadOptions};
use crate::source::job_cache::made::{Made, at, map, text as said};

const SLACK: &str = "slack:\n  ops: {token: xoxb-1-2-abcdef, channel: \"#monitoring\", api_url: \"http://127.0.0.1:1/\"}\n";

/// A config with a sink and no master.
fn config(more: &str) -> Config {
    config_of(&format!("{SLACK}{more}"))
}

fn config_of(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald");
    let salt = folder.path().display();
    fs::write(&file, format!("salt: {{config_dir: {salt}}}\n{text}")).unwrap();
    let options = LoadOptions { file: Some(file), ..LoadOptions::default() };
    config::load(&options).unwrap().0
}

fn args(made: &Made) -> PreviewArgs {
    PreviewArgs {
        since: "24h".to_owned(),
        cachedir: Some(made.root.path().to_owned()),
        sink: None,
        all: false,
        limit: None,
        json: false,
    }
}

fn view(width: Option<usize>) -> View {
    View { width, zone: TimeZone::UTC, now: at("20:00:00") }
}

fn redactor() -> Redactor {
    Redactor::new(herald_core::redact::Marks::new(&[7; 32]))
}

fn preview(made: &Made, config: &Config) -> super::Preview {
    let now = at("23:00:00");
    let since = now - SignedDuration::from_hours(24);
    let mut preview = look(config, redactor(), &args(made), since, now).unwrap();
    preview.cache.folder = "/var/cache/salt/master/jobs".into();
    preview
}

fn shown(made: &Made, more: &str, limit: usize, width: Option<usize>) -> String {
    strip_str(&text::preview(&preview(made, &config(more)), limit, &view(width))).to_string()
}

fn jid(second: i64) -> (String, Timestamp) {
    let time = at("08:00:00") + SignedDuration::from_secs(second);
    (time.strftime("%Y%m%d%H%M%S%6f").to_string(), time)
}

fn second(time: Timestamp) -> Timestamp {
    time + SignedDuration::from_millis(1200)
}

/// A job whose minions all return.
fn done(made: &Made, when: i64, user: &str, fun: &str, arg: &[&str], minions: &[&str], code: i64) {
    let (jid, time) = jid(when);
    made.job_of(&jid, user, fun, arg, minions, time);
    for minion in minions {
        made.returns_what(&jid, minion, said("..."), code, second(time));
    }
}

fn state(result: bool, changes: bool) -> Value<'static> {
    let changes = if changes { vec![("pid", Value::Int(1))] } else { Vec::new() };
    let state = map(vec![
        ("result", Value::Bool(result)),
        ("changes", map(changes)),
        ("comment", said("no package nginx")),
        ("name", said("nginx")),
        ("duration", Value::Float(12.5)),
        ("__run_num__", Value::Int(0)),
    ]);
    map(vec![("pkg_|-nginx_|-nginx_|-installed", state)])
}

/// What a minion does by its schedule.
fn scheduled(made: &Made, when: i64, minion: &str, code: i64) {
    let (jid, time) = jid(when);
    let load = map(vec![
        ("cmd", said("_return")),
        ("id", said(minion)),
        ("jid", said(&jid)),
        ("fun", said("state.apply")),
        ("fun_args", Value::Array(Vec::new())),
        ("schedule", said("nightly")),
        ("return", Value::Nil),
    ]);
    made.file(&jid, "jid", jid.as_bytes(), time);
    made.file(&jid, ".load.p", &load.to_bytes(), time);
    made.returns_what(&jid, minion, state(code == 0, false), code, time);
}

fn usual_day() -> Made {
    let made = Made::new();
    let (highstate, time) = jid(0);
    made.job_of(&highstate, "sudo_alice", "state.highstate", &[], &["web1", "web2", "web3"], time);
    made.returns_what(&highstate, "web1", state(true, true), 0, second(time));
    made.returns_what(&highstate, "web2", state(true, false), 0, second(time));
    made.returns_what(&highstate, "web3", state(false, false), 2, second(second(time)));
    for n in 0..30 {
        done(&made, 100 + n * 600, "root", "test.ping", &[], &["web1", "db1"], 0);
    }
    done(&made, 700, "bob", "saltutil.sync_all", &[], &["db1"], 0);
    done(&made, 800, "bob", "cmd.run", &["mysqldump -psecret1234 shop"], &["db1"], 0);
    done(&made, 810, "bob", "cmd.run", &["echo \u{1b}[31mred\u{202e}"], &["db1"], 0);
    done(&made, 905, "bob", "test.ping", &[], &["web3"], 1);
    let (lost, time) = jid(1000);
    made.job_of(&lost, "alice", "pkg.upgrade", &[], &["web1", "gone1"], time);
    made.returns_what(&lost, "web1", said("ok"), 0, second(time));
    for (n, minion) in ["web1", "web2", "web3"].iter().enumerate() {
        scheduled(&made, 2000 + n as i64, minion, 2);
        scheduled(&made, 4000 + n as i64, minion, 0);
    }
    made
}

#[test]
fn a_usual_day() {
    let made = usual_day();
    insta::assert_snapshot!(shown(&made, "", 10, None));
    let narrow = shown(&made, "", 2, Some(60));
    assert!(narrow.contains("The last 2 of"), "{narrow}");
    let table = narrow.lines().filter(|line| line.starts_with("  ") || line.starts_with("2026"));
    assert!(table.clone().count() > 8, "{narrow}");
    for line in table {
        assert!(line.chars().count() <= 60, "{line}");
    }
}

#[test]
fn a_usual_day_as_json() {
    let made = usual_day();
    let preview = preview(&made, &config(""));
    let objects = json::objects(&preview, usize::MAX);
    let lines: String = objects.iter().map(crate::cli::record::line).collect();
    assert!(!lines.contains("secret1234"), "{lines}");
    insta::assert_snapshot!(lines);
}

const ROUTES: &str = r##"
slack:
  security: {webhook_url: "http://127.0.0.1:1/secret", slow_after: 60}
routes:
  - name: what went wrong
    outcome: [failed, incomplete]
    to: "ops#oncall"
    continue: true
  - name: dumps
    user: bob
    fun: cmd.run
    target: db*
    to: [security, ops]
  - {user: nobody, to: "ops#empty"}
  - name: pings of bob
    user: bob
    to: []
  - name: rest
    kind: [state_run, scheduled]
    to: ops
"##;

fn places(made: &Made, sink: Option<&str>) -> super::Preview {
    // `slack` stands once in a config.
    let file = format!("{}{}", SLACK, ROUTES.trim_start().strip_prefix("slack:\n").unwrap());
    let config = config_of(&file);
    let args = PreviewArgs { sink: sink.map(str::to_owned), ..args(made) };
    let now = at("23:00:00");
    let mut preview =
        look(&config, redactor(), &args, now - SignedDuration::from_hours(24), now).unwrap();
    preview.cache.folder = "/var/cache/salt/master/jobs".into();
    preview
}

#[test]
fn a_usual_day_by_routes() {
    let made = usual_day();
    let show = |preview| strip_str(&text::preview(&preview, 3, &view(None))).to_string();
    insta::assert_snapshot!(show(places(&made, None)));
    insta::assert_snapshot!("one_place_of_several", show(places(&made, Some("ops#oncall"))));
    let narrow = strip_str(&text::preview(&places(&made, None), 1, &view(Some(50)))).to_string();
    for line in narrow.lines().filter(|line| line.starts_with("  ")) {
        assert!(line.chars().count() <= 50, "{line}");
    }
}

#[test]
fn a_usual_day_by_routes_as_json() {
    let made = usual_day();
    let objects = json::objects(&places(&made, None), 1);
    let lines: String = objects.iter().map(crate::cli::record::line).collect();
    assert!(!lines.contains("secret"), "{lines}");
    insta::assert_snapshot!(lines);
}

#[test]
fn of_one_place_everything_is_what_the_whole_says_of_it() {
    let made = usual_day();
    for (place, survey) in &places(&made, None).heard.places {
        let one = places(&made, place.name.as_deref());
        assert_eq!(one.heard.survey(), survey);
        assert_eq!(survey.said + survey.elsewhere + survey.quiet, survey.runs);
    }
}

#[test]
fn a_place_that_is_none_is_told_with_those_that_are() {
    let made = Made::new();
    let args = PreviewArgs { sink: Some("#monitoring\u{1b}[1m".to_owned()), ..args(&made) };
    let now = at("23:00:00");
    let trouble = look(&config(""), redactor(), &args, now, now).err().unwrap().text();
    assert!(trouble.contains("--sink: no place is called #monitoring\\u{1b}[1m"), "{trouble}");
    assert!(trouble.contains("hint: there are ops"), "{trouble}");
}

#[test]
fn routes_with_one_sink_say_what_goes_nowhere() {
    let made = usual_day();
    let routes = "routes: [{user: bob, to: []}, {kind: state_run, to: ops}]\n";
    insta::assert_snapshot!(shown(&made, routes, 1, None));
}

/// A master that an API drives, and alice at work beside it.
fn driven_by_an_api(user: &str) -> Made {
    let made = Made::new();
    for n in 0..120 {
        done(
            &made,
            n * 50,
            user,
            "state.apply",
            &[&format!("tenant{n}")],
            &["web1"],
            i64::from(n % 40 == 3),
        );
    }
    for n in 0..6 {
        done(&made, n * 900 + 7, "alice", "cmd.run", &["uptime"], &["web1"], 0);
    }
    made
}

#[test]
fn the_profile_for_an_api_is_named_and_does_what_is_said() {
    let made = driven_by_an_api("svc-deploy");
    let before = shown(&made, "", 1, None);
    insta::assert_snapshot!(before);
    let advice = preview(&made, &config("")).heard.survey().advice.clone().unwrap();
    let lines = advice::config_lines(&advice, &config("").announce);
    let after = preview(&made, &config(&lines));
    assert_eq!(after.heard.survey().advice, None, "it is calm now");
    let Advice::Service { left, .. } = advice else { panic!("{advice:?}") };
    assert!(after.heard.survey().messages.len() as u64 <= left, "{left}");
    insta::assert_snapshot!("calm_with_the_profile", shown(&made, &lines, 1, None));
}

#[test]
fn a_flood_is_shown_as_the_digest_that_it_would_be() {
    let made = Made::new();
    for (n, user) in ["alice", "bob", "carol", "dave"].iter().enumerate() {
        let time = at("08:00:00") + SignedDuration::from_millis(n as i64);
        let jid = time.strftime("%Y%m%d%H%M%S%6f").to_string();
        made.job_of(&jid, user, "cmd.run", &[&format!("deploy {n}")], &["web1"], time);
        made.returns_what(&jid, "web1", said("..."), i64::from(n == 2), second(time));
    }
    insta::assert_snapshot!(shown(&made, "", 10, None));
}

#[test]
fn what_is_advised_keeps_what_stands_there_already() {
    let made = driven_by_an_api("root");
    let more = "announce: {service_users: [other], quiet: [pkg.list]}\n";
    let shown = shown(&made, more, 0, None);
    assert!(shown.contains("service_users: [\"other\", \"root\"]"), "{shown}");
    assert!(shown.contains("let the service have a user of its own"), "{shown}");
}

#[test]
fn a_function_that_dominates_is_named() {
    let made = Made::new();
    for n in 0..25 {
        done(&made, n * 3, "alice", "cmd.run", &[&format!("uptime {n}")], &["web1"], 0);
    }
    insta::assert_snapshot!(shown(&made, "announce: {quiet: [pkg.list]}\n", 1, None));
}

#[test]
fn caches_of_masters() {
    for series in ["3006", "3007", "3008"] {
        let made = Made::real(series);
        let config = config("name: lab");
        let mut preview = preview(&made, &config);
        preview.cache.folder = "/var/cache/salt/master/jobs".into();
        let shown = strip_str(&text::preview(&preview, usize::MAX, &view(None))).to_string();
        let objects = json::objects(&preview, usize::MAX);
        let lines: String = objects.iter().map(crate::cli::record::line).collect();
        for secret in ["lab-cli-s3cret", "lab-env-s3cret", "lab-kwarg-s3cret", "lab-running-s3cret"]
        {
            assert!(!shown.contains(secret) && !lines.contains(secret), "{series}: {secret}");
        }
        insta::assert_snapshot!(format!("real_master_{series}"), shown);
    }
}

#[test]
fn nothing_is_said_of_nothing() {
    let made = Made::new();
    insta::assert_snapshot!(shown(&made, "", 10, None));
    made.job("20261101000000000000", &["web1"], at("00:00:00"));
    insta::assert_snapshot!("nothing_of_late", shown(&made, "", 10, None));
}

#[test]
fn spans_are_said_as_people_say_them() {
    for (asked, wanted) in [
        ("24h", "In the last 24 h"),
        (" 3d ago", "In the last 3 d"),
        ("yesterday", "Since yesterday"),
        ("14:02", "Since 14:02"),
        ("2026-11-22T10:00:00Z", "Since 2026-11-22T10:00:00Z"),
    ] {
        assert_eq!(text::span(asked), wanted);
    }
}

#[test]
fn a_return_after_it_was_given_up_makes_no_run_of_its_own() {
    let made = Made::new();
    let (slow, time) = jid(0);
    made.job_of(&slow, "alice", "cmd.run", &["sleep 3600"], &["web1"], time);
    made.returns_what(&slow, "web1", said("ok"), 0, time + SignedDuration::from_hours(2));
    // So many others end meanwhile that the ledger has forgotten it.
    for n in 0..600 {
        done(&made, 600 + n, "bob", "test.ping", &[], &["db1"], 0);
    }
    let preview = preview(&made, &config(""));
    assert_eq!((preview.heard.survey().runs, preview.heard.survey().messages.len()), (601, 1));
    let says = preview.fed.says(&preview.heard.survey().messages[0].runs).unwrap();
    assert_eq!(says.tally, "1 succeeded");
}
