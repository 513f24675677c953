//! What is said of the event bus, and which systemd unit may read it.
//!
//! The unit follows from the socket's owner and mode, not from who runs `check`: that is mostly
//! root, who may do everything.

use std::path::Path;

use super::facts::{Account, BusFact, ConnectFact, Facts, Owner, SocketFact};
use super::probe::SERVICE_USER;
use super::report::{Area, Finding, Report};

const START: &str = "start it: systemctl start salt-master";

/// Judges the bus.
pub(super) fn bus(facts: &Facts, report: &mut Report) {
    match &facts.bus {
        BusFact::Tcp { address, connect } => {
            report.push(connected(&address.to_string(), connect, || {
                denied_tcp(&address.to_string())
            }));
        }
        BusFact::Unix { path, socket } => unix(path, socket, facts, report),
    }
}

fn unix(path: &Path, socket: &SocketFact, facts: &Facts, report: &mut Report) {
    let shown = path.display().to_string();
    let user = &facts.who.user;
    report.push(match socket {
        SocketFact::Absent => {
            Finding::error(Area::Bus, format!("the master is not running: {shown} does not exist")).hint(
                format!("{START}; if it does run, its sockets are elsewhere: set salt.sock_dir, or salt.config_dir if its config is not in /etc/salt"),
            )
        }
        SocketFact::Blocked { dir, owner } => Finding::error(
            Area::Bus,
            format!("{user} may not look into {} ({}), where the event bus is", dir.display(), owned(owner)),
        )
        .hint(match group_is_root(owner) {
            true => "run this as root".to_owned(),
            false => format!("run this as root, or as a user of the group {}", owner.group),
        }),
        SocketFact::NotASocket => {
            Finding::error(Area::Bus, format!("{shown} is no socket"))
                .hint("point salt.sock_dir to the directory in which the master has its sockets")
        }
        SocketFact::Present { owner, connect } => {
            connected(&shown, connect, || denied(&shown, user, owner))
        }
    });
}

fn connected(shown: &str, connect: &ConnectFact, denied: impl FnOnce() -> Finding) -> Finding {
    match connect {
        ConnectFact::Accepted => {
            Finding::ok(Area::Bus, format!("the event bus answers at {shown}"))
        }
        ConnectFact::Busy => Finding::warning(
            Area::Bus,
            format!("the event bus at {shown} has too many callers waiting"),
        )
        .hint("the master is overloaded or hangs: look into its log"),
        ConnectFact::Refused => Finding::error(
            Area::Bus,
            format!("the master is not running: nobody listens at {shown}"),
        )
        .hint(START),
        ConnectFact::Denied => denied(),
        ConnectFact::Failed(why) => {
            Finding::error(Area::Bus, format!("can't connect to the event bus at {shown}: {why}"))
        }
    }
}

fn denied_tcp(shown: &str) -> Finding {
    Finding::error(Area::Bus, format!("may not connect to the event bus at {shown}"))
        .hint("a firewall or a sandbox of this machine forbids it")
}

fn denied(shown: &str, user: &str, owner: &Owner) -> Finding {
    let message = format!("{user} may not read the event bus {shown} ({})", owned(owner));
    let finding = Finding::error(Area::Bus, message);
    if group_may(owner) && !group_is_root(owner) {
        return finding.hint(format!(
            "the group {0} may, as Salt 3007 and 3008 have it: usermod -a -G {0} {user}, then log in again",
            owner.group
        ));
    }
    let whom =
        if owner.user == "root" { "root".to_owned() } else { format!("root or {}", owner.user) };
    if group_may(owner) {
        return finding.hint(format!(
            "the group root may, which nobody is put into: run salt-herald as {whom}; \
             salt-herald-root.service does"
        ));
    }
    finding.hint(format!(
        "its owner alone may, as Salt 3006 has it: run salt-herald as {whom}; salt-herald-root.service does"
    ))
}

/// Who is in root's group may do much that root may: that is no way to let somebody read a bus.
fn group_is_root(owner: &Owner) -> bool {
    owner.group == "root"
}

fn group_may(owner: &Owner) -> bool {
    // To connect to a unix socket is to write to it.
    owner.mode & 0o020 != 0
}

fn owned(owner: &Owner) -> String {
    format!("mode {:04o}, {}:{}", owner.mode, owner.user, owner.group)
}

/// Says which unit may read this master's bus, as far as the socket tells.
pub(super) fn unit(facts: &Facts, report: &mut Report) {
    match &facts.bus {
        BusFact::Tcp { .. } => report.push(Finding::ok(
            Area::Unit,
            "salt-herald.service fits: every user of this machine may read a bus of ipc_mode tcp",
        )),
        BusFact::Unix { socket: SocketFact::Present { owner, .. }, .. } => {
            report.push(fitting_unit(owner, facts.service_account.as_ref()));
        }
        BusFact::Unix { .. } => {}
    }
}

/// Whether `salt-herald.service`, whose user is in these groups, can read the bus. A group that `check`
/// says it has to be put into is added.
pub(super) fn fits_without_root(bus: &BusFact, groups: &mut Vec<String>) -> bool {
    match bus {
        BusFact::Tcp { .. } => true,
        BusFact::Unix { socket: SocketFact::Present { owner, .. }, .. } => {
            let may = group_may(owner) && !group_is_root(owner);
            if may {
                groups.push(owner.group.clone());
            }
            may || owner.mode & 0o002 != 0
        }
        BusFact::Unix { .. } => false,
    }
}

fn fitting_unit(owner: &Owner, account: Option<&Account>) -> Finding {
    if owner.mode & 0o002 != 0 {
        return Finding::ok(Area::Unit, "salt-herald.service fits: every user may read the bus");
    }
    if !group_may(owner) {
        let message = format!(
            "salt-herald-root.service fits: only {} may read the bus (Salt 3006)",
            owner.user
        );
        let finding = Finding::ok(Area::Unit, message);
        return if owner.user == "root" {
            finding
        } else {
            finding.hint(format!(
                "or salt-herald.service without root: systemctl edit salt-herald, and under [Service] User={}",
                owner.user
            ))
        };
    }
    if group_is_root(owner) {
        let message = format!(
            "salt-herald-root.service fits: only {} and the group root may read the bus",
            owner.user
        );
        return Finding::ok(Area::Unit, message);
    }
    let message = format!(
        "salt-herald.service fits: the group {} may read the bus (Salt 3007 or 3008)",
        owner.group
    );
    match account {
        Some(account) if account.groups.contains(&owner.group) => Finding::ok(Area::Unit, message),
        Some(_) => Finding::warning(
            Area::Unit,
            format!("{message}, but the user {SERVICE_USER} is not in it"),
        )
        .hint(format!(
            "usermod -a -G {} {SERVICE_USER}, then systemctl restart salt-herald",
            owner.group
        )),
        None => Finding::warning(
            Area::Unit,
            format!("{message}, but there is no user {SERVICE_USER} yet"),
        )
        .hint(format!("useradd --system --no-create-home --groups {} {SERVICE_USER}", owner.group)),
    }
}
