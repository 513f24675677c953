//! What would make it calmer, for people, and the lines of config for it.
//!
//! Pure; what is advised is decided by the survey.

use std::fmt::Write as _;

use herald_core::literal;
use herald_core::survey::Advice;

use super::super::row::BOLD;
use super::text::counted;
use crate::config::AnnounceConfig;

/// The shipped profile for masters that an API drives.
const PROFILE: &str = include_str!("../../../../../dist/profiles/api.conf");
/// The user that stands in it.
const PROFILE_USER: &str = "\"saltapi\"";
/// What would make it calmer; with the place, where there are several.
pub(super) fn text(advice: &Advice, place: Option<&str>, config: &AnnounceConfig) -> String {
    let place = place.map(|place| format!(" in {}", literal::line(place))).unwrap_or_default();
    let (file, why) = match advice {
        Advice::Service { user, percent, per_hour, left } => {
            let user = literal::line(user);
            let root = if user == "root" {
                " People who work as root would be quiet, too: let the service have a user of its own."
            } else {
                ""
            };
            let why = format!(
                "An API seems to drive this master: {user} has {percent} % of all runs, {per_hour} an hour. \
                 The profile \"api\" records them and says those that fail; {} would be left{place}.{root}",
                at_most(*left)
            );
            ("api.conf", why)
        }
        Advice::Function { fun, messages, left } => {
            let why = format!(
                "{} makes {messages} of the messages{place}. If nobody needs to hear of it, {} would be left; \
                 those that fail are said all the same.",
                literal::line(fun),
                at_most(*left)
            );
            ("calm.conf", why)
        }
    };
    let mut text = format!("\n{BOLD}Calmer{BOLD:#}\n{}", folded(&why));
    let _ = writeln!(text, "  Put this into /etc/salt/herald.d/{file}, and look again:\n");
    for line in config_lines(advice, config).lines() {
        let _ = writeln!(text, "    {}", literal::line(line));
    }
    text
}

/// What to put into the config. A list there is replaced, so what it holds already stands here, too.
pub(super) fn config_lines(advice: &Advice, config: &AnnounceConfig) -> String {
    let list = |known: &[String], new: &str| {
        let all = known.iter().map(String::as_str).chain([new]);
        // A text of JSON is one of YAML, too.
        all.map(|text| serde_json::Value::from(text).to_string()).collect::<Vec<_>>().join(", ")
    };
    match advice {
        Advice::Service { user, .. } => {
            let lines = PROFILE.lines().filter(|line| !line.starts_with('#'));
            let profile: Vec<&str> = lines.collect();
            profile.join("\n").replace(PROFILE_USER, &list(&config.service_users, user))
        }
        Advice::Function { fun, .. } => {
            format!("announce:\n  quiet: [{}]", list(&config.quiet, fun))
        }
    }
}

/// Text in lines of a width that is easy to read, set in a little.
fn folded(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() > 90 {
            let _ = writeln!(lines, " {line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(lines, " {line}");
    lines
}

fn at_most(messages: u64) -> String {
    if messages == 0 {
        "none".to_owned()
    } else {
        format!("at most {}", counted(messages, "message"))
    }
}
