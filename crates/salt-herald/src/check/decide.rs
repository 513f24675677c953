//! Judges what was read and what was seen. Pure.

use std::path::Path;

use super::bus;
use super::facts::{BusFact, DirFact, Facts, JournalFact, Owner, SignedFact, SocketFact};
use super::job_cache;
use super::listen;
use super::report::{Area, Finding, Level, Report};
use super::{access, redact};
use crate::config::{Config, DEFAULT_JOURNAL, Problem, Problems, Severity};

/// Everything that can be said; `facts` are missing when no config could be read to look by.
pub fn decide(loaded: &Result<(Config, Vec<Problem>), Problems>, facts: Option<&Facts>) -> Report {
    let mut report = Report::default();
    let config = match loaded {
        Ok((config, warnings)) => {
            report.push(Finding::ok(Area::Config, files(config)));
            problems(warnings, &mut report);
            Some(config)
        }
        Err(found) => {
            problems(&found.problems, &mut report);
            found.salvaged.as_deref()
        }
    };
    let (Some(config), Some(facts)) = (config, facts) else {
        report.push(Finding::warning(
            Area::Config,
            "the machine was not looked at, because the config does not say where",
        ));
        return report;
    };
    if no_salt(facts) {
        report.push(no_salt_finding(config, facts));
    } else {
        master(config, &mut report);
        bus::bus(facts, &mut report);
        job_cache::job_cache(&config.master, facts, &mut report);
    }
    journal(config, facts, &mut report);
    signed(facts, &mut report);
    access::judge(config, facts, &mut report);
    redact::judge(&config.redact, &mut report);
    listen::judge(config, facts, &mut report);
    // A sink with a mistake is left out of what was salvaged: silence would be no news then.
    if loaded.is_ok() {
        slack(config, &mut report);
    }
    bus::unit(facts, &mut report);
    sandbox(config, &mut report);
    report
}

fn problems(problems: &[Problem], report: &mut Report) {
    for problem in problems {
        let level = match problem.severity {
            Severity::Warning => Level::Warning,
            Severity::Error => Level::Error,
        };
        let message = problem.headline();
        report.push(Finding { level, area: Area::Config, message, hint: problem.hint.clone() });
    }
}

fn files(config: &Config) -> String {
    let files: Vec<String> = config.files.iter().map(|file| file.display().to_string()).collect();
    format!("read {}", files.join(", "))
}

/// Neither a config nor a socket of Salt's.
fn no_salt(facts: &Facts) -> bool {
    let nobody = matches!(&facts.bus, BusFact::Unix { socket: SocketFact::Absent, .. });
    nobody && !facts.config_dir_exists
}

fn no_salt_finding(config: &Config, facts: &Facts) -> Finding {
    let dir = config.master.config_dir.display();
    let bus = match &facts.bus {
        BusFact::Unix { path, .. } => path.display().to_string(),
        BusFact::Tcp { address, .. } => address.to_string(),
    };
    Finding::error(
        Area::Master,
        format!("no Salt master on this machine: neither {dir} nor {bus} exists"),
    )
    .hint("salt-herald runs beside a Salt master; if its config is elsewhere, set salt.config_dir")
}

fn master(config: &Config, report: &mut Report) {
    let master = &config.master;
    report.push(match master.files.as_slice() {
        [] => Finding::warning(
            Area::Master,
            format!("no master config in {}: Salt's defaults count", master.config_dir.display()),
        )
        .hint("set salt.config_dir if it is elsewhere"),
        [one] => Finding::ok(Area::Master, format!("config read from {}", one.display())),
        [first, rest @ ..] => Finding::ok(
            Area::Master,
            format!("config read from {} and {} included", first.display(), rest.len()),
        ),
    });
}

/// In brackets, to stand behind a path.
pub(super) fn owned(owner: Option<&Owner>) -> String {
    owner.map_or_else(String::new, |owner| {
        format!(" (mode {:04o}, {}:{})", owner.mode, owner.user, owner.group)
    })
}

fn journal(config: &Config, facts: &Facts, report: &mut Report) {
    let path = config.journal.path.as_path();
    let dir = path.parent().unwrap_or(Path::new("/"));
    let shown = dir.display();
    let user = &facts.who.user;
    report.push(match &facts.journal.dir {
        // systemd makes the state directory when the unit starts for the first time.
        DirFact::Missing if path == Path::new(DEFAULT_JOURNAL) => {
            Finding::warning(Area::Journal, format!("{shown} does not exist yet"))
                .hint("systemd makes it when the service starts")
        }
        DirFact::Missing => Finding::error(Area::Journal, format!("{shown} does not exist")).hint(format!(
            "make it, owned by the user that salt-herald runs as: install -d -m 0750 -o salt-herald {shown}"
        )),
        DirFact::NotADirectory => Finding::error(Area::Journal, format!("{shown} is no directory"))
            .hint("set journal.path to a file in a directory of its own"),
        DirFact::Denied { owner } => {
            let message = format!("{user} may not write to {shown}{}", owned(owner.as_ref()));
            Finding::error(Area::Journal, message).hint(match owner {
                Some(owner) => format!("run this as {}, or give the directory to the user that salt-herald runs as", owner.user),
                None => "give the directory to the user that salt-herald runs as".to_owned(),
            })
        }
        DirFact::Failed(why) => Finding::error(Area::Journal, format!("can't write to {shown}: {why}"))
            .hint("set journal.path to a place that can be written"),
        DirFact::Usable => match &facts.journal.unwritable_file {
            None => readable_journal(path, facts),
            file @ Some(owner) => Finding::error(
                Area::Journal,
                format!("{user} may not write to {}{}", path.display(), owned(file.as_ref())),
            )
            .hint(format!("run this as {}, or give the file to the user that salt-herald runs as", owner.user)),
        },
    });
}

/// Which key signs, and how far people know: what `verify` goes by.
fn signed(facts: &Facts, report: &mut Report) {
    let Some(SignedFact { number, at, key, told }) = &facts.journal.signed else { return };
    let told: Vec<String> =
        told.iter().map(|(sink, at)| format!("; last said at {sink}: {at}")).collect();
    let message = format!("signed up to entry {number}, {at}, with the key {key}{}", told.concat());
    report.push(Finding::ok(Area::Journal, message));
}

/// A journal that we may write: whether it can be.
fn readable_journal(path: &Path, facts: &Facts) -> Finding {
    match &facts.journal {
        JournalFact { refused: Some(why), .. } => Finding::error(Area::Journal, why.clone()).hint(
            "nothing is written to it. Move it away with the files beside it (mv journal.db* …) and start \
             anew, or put the last backup in its place; see docs/troubleshooting.md",
        ),
        JournalFact { is_full: true, .. } => {
            Finding::error(Area::Journal, format!("there is no room left for {}", path.display()))
                .hint("until there is, runs are kept in memory, and lost when salt-herald ends")
        }
        _ => Finding::ok(Area::Journal, format!("{} can be written", path.display())),
    }
}

/// The units let the daemon write to its state directory and nowhere else.
fn sandbox(config: &Config, report: &mut Report) {
    let (Some(dir), Some(state)) =
        (config.journal.path.parent(), Path::new(DEFAULT_JOURNAL).parent())
    else {
        return;
    };
    if !dir.starts_with(state) {
        let message = format!(
            "the units may write to {} only, and the journal is elsewhere",
            state.display()
        );
        report.push(Finding::warning(Area::Unit, message).hint(format!(
            "systemctl edit the unit, and under [Service] ReadWritePaths={}",
            dir.display()
        )));
    }
}

fn slack(config: &Config, report: &mut Report) {
    let names = config.slack.keys().chain(config.channels.keys());
    let names: Vec<&str> = names.map(String::as_str).collect();
    let by = match config.routes.len() {
        0 => String::new(),
        1 => ", by one route".to_owned(),
        count => format!(", by {count} routes"),
    };
    report.push(match names.as_slice() {
        [] => Finding::warning(Area::Slack, "no sink: salt-herald records, and announces nothing")
            .hint("add one under \"slack\" in the config to have runs announced"),
        names => Finding::ok(Area::Slack, format!("announces to {}{by}", names.join(", "))),
    });
}
