//! Whether the groups that `access` names are there, and can be given what they shall have: judged.

use super::facts::{Facts, GroupFact};
use super::probe::SERVICE_USER;
use super::report::{Area, Finding, Report};
use crate::config::Config;

/// Judges what was seen.
pub(super) fn judge(config: &Config, facts: &Facts, report: &mut Report) {
    let groups = [
        ("read", &config.access.read, "reads the journal", facts.access.read),
        ("hold", &config.access.hold, "may have the daemon do something", facts.access.hold),
    ];
    for (key, name, may, fact) in groups {
        if let (Some(name), Some(fact)) = (name, fact) {
            report.push(one(key, name, may, fact));
        }
    }
}

fn one(key: &str, name: &str, may: &str, fact: GroupFact) -> Finding {
    match fact {
        GroupFact::Missing => {
            Finding::error(Area::Access, format!("access.{key}: there is no group {name}"))
                .hint(format!("groupadd --system {name}, or name another"))
        }
        GroupFact::NotOurs => {
            let message = format!(
                "access.{key}: {SERVICE_USER} is not in the group {name}, and can give it nothing"
            );
            Finding::warning(Area::Access, message).hint(format!(
                "usermod -a -G {name} {SERVICE_USER}, and the unit needs SystemCallFilter=@chown; see \
                 docs/configuration.md"
            ))
        }
        GroupFact::Ours => Finding::ok(Area::Access, format!("who is in the group {name} {may}")),
    }
}
