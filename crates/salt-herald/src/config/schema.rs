//! Our own keys: what each means, its default, and where it belongs.
//!
//! Decides on a merged tree; reads no file but those that hold secrets (through `secret`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::alarms::alarms;
use super::problem::Problem;
use super::table::Table;
use super::values::{absolute_path, boolean, line, some_seconds, texts};
use super::{AnnounceConfig, JournalConfig, MasterConfig, RunsConfig};
use super::{Config, DEFAULT_JOURNAL};
use super::{access, keeping, master, metrics, people, redact, routes, slack};

/// The keys of one sink under `slack`.
pub(super) const SINK_KEYS: &[&str] = &[
    "webhook_url",
    "webhook_url_file",
    "token",
    "token_file",
    "channel",
    "username",
    "icon_emoji",
    "color",
    "api_url",
    "slow_after",
    "checkpoints",
];

/// The keys of a route.
pub(super) const ROUTE_KEYS: &[&str] = &[
    "fun", "target", "minion", "user", "kind", "saltenv", "test", "outcome", "metadata", "to",
    "continue",
];

/// Where each key belongs, for one that stands under another parent.
const HOMES: &[(&str, &[&str])] = &[
    ("slack.NAME", SINK_KEYS),
    ("announce", &["say", "quiet", "scheduled", "service_users", "alarms"]),
    ("journal", keeping::KEYS),
    ("runs", &["patience"]),
    ("access", access::KEYS),
    ("metrics", &["listen"]),
    ("redact", redact::KEYS),
    ("routes", ROUTE_KEYS),
    ("people.NAME", &["mention"]),
    ("minion_name", &["strip_prefix", "strip_suffix"]),
    ("salt", &["config_dir"]),
    ("salt", master::KEYS),
];

/// Under which parent a key is known, unless that is where it stands already.
pub(super) fn elsewhere(here: &'static str) -> impl Fn(&str) -> Option<&'static str> {
    move |key| {
        HOMES
            .iter()
            .find(|(home, keys)| *home != here && keys.contains(&key))
            .map(|(home, _)| *home)
    }
}

/// Reads the whole config; what is wrong gets its default and a problem.
///
/// `salt_dir` is where the master's config is when `salt.config_dir` does not say.
pub(super) fn read(
    mut root: Table,
    salt_dir: &Path,
    files: Vec<PathBuf>,
    problems: &mut Vec<Problem>,
) -> Config {
    let name = root.take("name", line, problems).map(|given| given.value);
    let salt = root.table("salt", problems);
    let journal = root.table("journal", problems);
    let access = root.table("access", problems);
    let metrics = root.table("metrics", problems);
    let sinks = root.table("slack", problems);
    let named = sinks.places();
    let slack = slack::read(sinks, problems);
    let routes = root.take("routes", routes::items, problems);
    let routes = routes::read(routes, &routes::Sinks { named: &named, read: &slack }, problems);
    let people = root.table("people", problems);
    let minion_name = root.table("minion_name", problems);
    let called = people::read(people, minion_name, problems);
    let announce = root.table("announce", problems);
    let redact = root.table("redact", problems);
    let runs = root.table("runs", problems);
    root.finish(elsewhere(""), problems);
    Config {
        name,
        master: read_salt(salt, salt_dir, problems),
        journal: read_journal(journal, problems),
        access: access::read(access, problems),
        metrics: metrics::read(metrics, problems),
        slack,
        routes: routes.routes,
        channels: routes.channels,
        names: called.names,
        slack_members: called.members,
        announce: read_announce(announce, problems),
        redact: redact::read(redact, problems),
        runs: read_runs(runs, problems),
        files,
    }
}

fn read_salt(mut table: Table, salt_dir: &Path, problems: &mut Vec<Problem>) -> MasterConfig {
    let config_dir = table
        .take("config_dir", absolute_path, problems)
        .map_or_else(|| salt_dir.to_path_buf(), |given| given.value);
    let config = master::read(&config_dir, &mut table, problems);
    table.finish(elsewhere("salt"), problems);
    config
}

fn read_journal(mut table: Table, problems: &mut Vec<Problem>) -> JournalConfig {
    let path = table
        .take("path", absolute_path, problems)
        .map_or_else(|| PathBuf::from(DEFAULT_JOURNAL), |given| given.value);
    let keeping = keeping::read(&mut table, problems);
    table.finish(elsewhere("journal"), problems);
    JournalConfig { path, keeping }
}

fn read_announce(mut table: Table, problems: &mut Vec<Problem>) -> AnnounceConfig {
    let mut globs = |key, problems: &mut _| {
        table.take(key, texts, problems).map(|given| given.value).unwrap_or_default()
    };
    let say = globs("say", problems);
    let quiet = globs("quiet", problems);
    let service_users = globs("service_users", problems);
    let scheduled = table.take("scheduled", boolean, problems).is_some_and(|given| given.value);
    let alarms = table.take("alarms", alarms, problems).map(|given| given.value);
    table.finish(elsewhere("announce"), problems);
    let alarms = alarms.unwrap_or_default();
    AnnounceConfig { say, quiet, scheduled, service_users, alarms }
}

fn read_runs(mut table: Table, problems: &mut Vec<Problem>) -> RunsConfig {
    let patience = table
        .take("patience", some_seconds, problems)
        .map_or(Duration::from_secs(300), |given| given.value);
    table.finish(elsewhere("runs"), problems);
    RunsConfig { patience }
}
