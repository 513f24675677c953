//! The config that we ship is one that works.

use super::Machine;

#[test]
fn the_example_loads_without_a_problem() {
    let text = include_str!("../../../../../dist/herald.example");
    let machine = Machine::with(&[("herald", text)]);
    let (config, warnings) = machine.good();
    assert_eq!(warnings, "");
    assert_eq!(config.slack.len(), 1);
}

/// Every key is shown in the example, set or as a comment, so that nobody has to look for one.
#[test]
fn the_example_names_every_key() {
    let text = include_str!("../../../../../dist/herald.example");
    let keys = super::super::schema::SINK_KEYS.iter().chain(super::super::master::KEYS);
    let keys = keys.chain(super::super::schema::ROUTE_KEYS);
    let keys = keys.chain(super::super::redact::KEYS);
    let announce = ["say", "quiet", "scheduled", "service_users", "alarms"];
    let others = ["name", "config_dir", "path", "patience", "metrics", "listen"];
    let names =
        ["routes", "people", "slack", "mention", "minion_name", "strip_prefix", "strip_suffix"];
    for key in keys.chain(&announce).chain(&others).chain(&names) {
        assert!(text.contains(&format!("{key}:")), "{key} is not in dist/herald.example");
    }
}

#[test]
fn the_profile_for_an_api_loads_behind_the_example() {
    let machine = Machine::with(&[
        ("herald", include_str!("../../../../../dist/herald.example")),
        ("herald.d/api.conf", include_str!("../../../../../dist/profiles/api.conf")),
    ]);
    let (config, warnings) = machine.good();
    assert_eq!(warnings, "");
    assert_eq!(config.announce.service_users, ["saltapi"]);
    assert_eq!(config.slack.len(), 1);
}
