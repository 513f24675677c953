//! Which files are read, how they merge, and what the whole config then says.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::super::{LoadOptions, SlackAccess, load};
use super::Machine;

const FULL: &str = r##"
name: prod
salt:
  timeout: 7
journal:
  path: /srv/journal.db
slack:
  monitoring:
    webhook_url: https://hooks.slack.com/services/T0/B0/SECRET
    slow_after: 90
  ops:
    token_file: DIR/token
    channel: "#ops"
    api_url: http://127.0.0.1:9000/api
announce:
  say: [test.ping, "grains.*"]
  quiet: state.show_*
  scheduled: yes
runs:
  patience: 60.5
"##;

#[test]
fn says_everything() {
    let machine = Machine::with(&[("herald", FULL), ("token", "xoxb-SECRET\r\n")]);
    let (config, warnings) = machine.good();
    assert_eq!(warnings, "");
    assert_eq!(config.name.as_deref(), Some("prod"));
    assert_eq!(config.master.timeout, Duration::from_secs(7));
    assert_eq!(config.journal.path.to_str(), Some("/srv/journal.db"));
    assert_eq!(config.announce.say, ["test.ping", "grains.*"]);
    assert_eq!(config.announce.quiet, ["state.show_*"]);
    assert!(config.announce.scheduled);
    assert_eq!(config.runs.patience, Duration::from_millis(60_500));
    assert_eq!(config.files, [machine.path("herald")]);
    let ops = &config.slack["ops"];
    assert_eq!(ops.api_url, "http://127.0.0.1:9000/api/");
    match &ops.access {
        SlackAccess::Bot { token, channel } => {
            assert_eq!(token.expose_secret(), "xoxb-SECRET");
            assert_eq!(channel, "#ops");
        }
        SlackAccess::Webhook { .. } => panic!("a bot was configured"),
    }
    let monitoring = &config.slack["monitoring"];
    assert_eq!(monitoring.slow_after, Duration::from_secs(90));
    assert!(matches!(&monitoring.access, SlackAccess::Webhook { url, .. }
        if url.expose_secret() == "https://hooks.slack.com/services/T0/B0/SECRET"));
    assert!(!format!("{config:?}").contains("SECRET"));
}

#[test]
fn an_empty_file_is_all_defaults() {
    for text in ["", "\n", "# nothing\n", "---\n", "slack:\njournal:\n"] {
        let (config, warnings) = Machine::with(&[("herald", text)]).good();
        assert_eq!(warnings, "");
        assert!(config.slack.is_empty());
        assert_eq!(config.journal.path.to_str(), Some("/var/lib/salt-herald/journal.db"));
        assert_eq!(config.runs.patience, Duration::from_secs(300));
        assert!(!config.announce.scheduled);
    }
}

#[test]
fn no_config_at_all() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.bad(), @r#"
    Error DIR/herald: there is no config
      hint: an empty file is enough to record; to announce in Slack, put this into DIR/herald: slack: {monitoring: {webhook_url: "https://hooks.slack.com/services/..."}}
    "#);
    let salvaged = machine.load().map(drop).unwrap_err().salvaged;
    assert!(salvaged.is_some());
    let options = LoadOptions { may_be_absent: true, ..machine.options() };
    let (config, warnings) = load(&options).unwrap();
    assert_eq!((config.files.len(), machine.show(&warnings).as_str()), (0, ""));
    // One that is there counts, and one that is named must be there.
    machine.write("herald.d/a.conf", "name: prod\n");
    assert_eq!(load(&options).unwrap().0.name.as_deref(), Some("prod"));
    let options = LoadOptions { file: Some(machine.path("other")), ..options };
    assert!(load(&options).is_err());
}

#[test]
fn a_named_config_that_is_missing() {
    let machine = Machine::new();
    let options = LoadOptions { file: Some(machine.path("other")), ..machine.options() };
    let problems = load(&options).map(drop).unwrap_err();
    insta::assert_snapshot!(machine.show(&problems.problems), @"Error DIR/other: can't be read: No such file or directory (os error 2)");
    assert!(problems.salvaged.is_none());
}

#[test]
fn later_files_win_and_tables_merge() {
    let machine = Machine::with(&[
        (
            "herald",
            "name: a\nslack:\n  ops: {token: xoxb-1, channel: \"#a\"}\nannounce: {say: [a]}\n",
        ),
        ("herald.d/20.conf", "name: c\nannounce: {say: [c]}\n"),
        ("herald.d/10.conf", "name: b\nslack:\n  ops: {channel: \"#b\"}\n"),
        ("herald.d/30.conf", "slack:\n"),
        ("herald.d/.hidden.conf", "name: d\n"),
        ("herald.d/readme.txt", "no: config\n"),
    ]);
    let (config, warnings) = machine.good();
    assert_eq!(warnings, "");
    assert_eq!(config.name.as_deref(), Some("c"));
    assert_eq!(config.announce.say, ["c"]);
    assert!(
        matches!(&config.slack["ops"].access, SlackAccess::Bot { channel, .. } if channel == "#b")
    );
    let files = ["herald", "herald.d/10.conf", "herald.d/20.conf", "herald.d/30.conf"];
    assert_eq!(config.files, files.map(|file| machine.path(file)));
}

#[test]
fn a_drop_in_is_config_enough() {
    let (config, _) = Machine::with(&[("herald.d/a.conf", "name: a\n")]).good();
    assert_eq!(config.name.as_deref(), Some("a"));
}

#[test]
fn a_named_file_stands_alone() {
    let machine = Machine::with(&[
        ("other", "name: a\n"),
        ("other.d/a.conf", "name: b\n"),
        ("herald", "x: 1\n"),
    ]);
    let options = LoadOptions { file: Some(machine.path("other")), ..machine.options() };
    assert_eq!(load(&options).unwrap().0.name.as_deref(), Some("a"));
}

#[test]
fn mistakes_of_all_files_are_told_together() {
    let machine = Machine::with(&[
        ("herald", "nane: a\nslack:\n  ops:\n    webhook_url: https://hooks.slack.com/x\n"),
        ("herald.d/a.conf", "slack:\n  ops:\n    token: xoxb-1\n"),
        ("herald.d/b.conf", "slack: [\n"),
    ]);
    insta::assert_snapshot!(machine.bad(), @r#"
    Error DIR/herald:1: nane: unknown key; did you mean "name"?
    Error DIR/herald.d/a.conf:3: slack.ops.token: a token and a webhook stand in one sink
      hint: keep one, or give the other a table of its own with another name
    Error DIR/herald.d/b.conf:1: not valid YAML: unclosed bracket '['
      hint: the mistake can also stand above; quote a value that holds ": " or " #"
    "#);
}

#[test]
fn a_secret_in_an_open_config_is_warned_of() {
    let machine = Machine::with(&[(
        "herald",
        "slack:\n  ops:\n    webhook_url: https://hooks.slack.com/x\n",
    )]);
    machine.chmod("herald", 0o644);
    let (_, warnings) = machine.good();
    insta::assert_snapshot!(warnings, @r#"
    Warning DIR/herald:3: a secret stands in a file that everybody can read
      hint: chmod o-rwx DIR/herald
    "#);
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "slack:\n  a: &a {webhook_url: 'https://hooks.slack.com/x', slow_after: 5}\n  b:\n    <<: *a\n    slow_after: 6\n";
    let (config, _) = Machine::with(&[("herald", text)]).good();
    assert_eq!(config.slack["a"].slow_after, Duration::from_secs(5));
    assert_eq!(config.slack["b"].slow_after, Duration::from_secs(6));
}
