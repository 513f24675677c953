//! Every case with its exact text, on made-up facts; and the probe on sockets of its own.

mod bus;
mod probe;
mod texts;

use std::path::PathBuf;

use super::facts::*;
use super::*;
use crate::config::{Config, LoadOptions, Problem, Problems, load};

type Loaded = Result<(Config, Vec<Problem>), Problems>;

/// A config in a directory of its own; the paths in it don't exist, which facts are made up for.
fn loaded(text: &str) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("herald");
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions {
        default_file: file,
        salt_dir: "/nowhere/salt".into(),
        ..LoadOptions::default()
    };
    let mut loaded = load(&options);
    if let Ok((config, warnings)) = &mut loaded {
        config.files = vec![PathBuf::from("/etc/salt/herald")];
        config.master.files = vec!["/etc/salt/master".into(), "/etc/salt/master.d/a.conf".into()];
        warnings.clear();
    }
    if let Err(problems) = &mut loaded {
        for problem in &mut problems.problems {
            problem.file = "/etc/salt/herald".into();
        }
    }
    loaded
}

const SINK: &str = "slack: {ops: {webhook_url: 'https://hooks.slack.com/x'}}\n";

fn owner(user: &str, group: &str, mode: u32) -> Owner {
    Owner { user: user.to_owned(), group: group.to_owned(), mode }
}

fn socket(owner: Owner, connect: ConnectFact) -> BusFact {
    at_socket(SocketFact::Present { owner, connect })
}

fn at_socket(socket: SocketFact) -> BusFact {
    BusFact::Unix { path: "/var/run/salt/master/master_event_pub.ipc".into(), socket }
}

/// A machine on which everything is right: Salt 3008, the service's user in the group salt.
fn journal_in(dir: DirFact) -> JournalFact {
    JournalFact { dir, unwritable_file: None, refused: None, is_full: false, signed: None }
}

fn fine() -> Facts {
    Facts {
        who: Who { user: "alice".to_owned(), uid: 1000 },
        service_account: Some(Account {
            groups: vec!["salt-herald".to_owned(), "salt".to_owned()],
        }),
        config_dir_exists: true,
        bus: socket(owner("salt", "salt", 0o660), ConnectFact::Accepted),
        job_cache: job_cache(DirFact::Usable),
        journal: journal_in(DirFact::Usable),
        access: AccessFact::default(),
        metrics: None,
    }
}

/// The report without what is fine.
fn wrong(facts: &Facts) -> String {
    wrong_with(SINK, facts)
}

fn wrong_with(text: &str, facts: &Facts) -> String {
    let mut report = decide(&loaded(text), Some(facts));
    report.findings.retain(|finding| finding.level != Level::Ok || finding.area == Area::Unit);
    render(&report)
}

const JOBS: &str = "/var/cache/salt/master/jobs";

/// As Salt's packages have it: the master's user and its group may read the cache.
fn job_cache(dir: DirFact) -> JobCacheFact {
    let root = |path: &str| (PathBuf::from(path), owner("root", "root", 0o755));
    let salt = |path: &str| (PathBuf::from(path), owner("salt", "salt", 0o750));
    let way = vec![root("/"), root("/var"), salt("/var/cache/salt/master"), salt(JOBS)];
    JobCacheFact { dir, at: JOBS.into(), way }
}

fn with_bus(bus: BusFact) -> Facts {
    Facts { bus, ..fine() }
}
