//! What is said of the master's job cache, from which is filled in what we did not hear. Pure.
//!
//! Who runs `check` is mostly root, who may read everything. So, as with the bus, it is also asked
//! whether the user of the unit that fits may.

use std::path::Path;
use std::time::Duration;

use herald_core::compose::elapsed;

use super::bus;
use super::decide::owned;
use super::facts::{DirFact, Facts, JobCacheFact, Owner};
use super::probe::SERVICE_USER;
use super::report::{Area, Finding, Report};
use crate::config::MasterConfig;

const LOST: &str = "without it, what happens while salt-herald is down or blind is not found again";

/// The same where not even loads can be read.
const BLIND: &str = "without it, what happens while salt-herald is down or blind is not found again, and no \
    job is told from one that a minion made up";

/// Whoever is away for a night's maintenance should find all of it again.
const SHORT: Duration = Duration::from_secs(4 * 3_600);

/// Judges whether there is something to fill in from.
pub(super) fn job_cache(master: &MasterConfig, facts: &Facts, report: &mut Report) {
    if master.master_job_cache != "local_cache" {
        let message = format!(
            "the master keeps its jobs in \"{}\" (master_job_cache), which salt-herald does not read",
            master.master_job_cache
        );
        let hint = format!("{BLIND}; it is if master_job_cache is left out of the master's config");
        report.push(Finding::warning(Area::JobCache, message).hint(hint));
        return;
    }
    returns(master, report);
    kept(master, report);
    places(master, report);
    report.push(dir(&facts.job_cache, facts));
    if facts.job_cache.dir == DirFact::Usable {
        report.findings.extend(closed_to_the_service(facts));
    }
}

/// Salt keeps the load of a job in any case; these two say what becomes of its returns.
fn returns(master: &MasterConfig, report: &mut Report) {
    let finding = if !master.job_cache {
        Finding::warning(Area::JobCache, "the master does not keep returns (job_cache: False)")
            .hint(format!("{LOST}; set job_cache: True in the master's config"))
    } else if let Some(returner) = &master.ext_job_cache {
        let message = format!(
            "returns are kept in \"{returner}\" (ext_job_cache), which salt-herald does not read"
        );
        Finding::warning(Area::JobCache, message)
            .hint(format!("{LOST}; it is if ext_job_cache is left out of the master's config"))
    } else {
        return;
    };
    report.push(finding);
}

/// Zero keeps jobs for ever.
fn kept(master: &MasterConfig, report: &mut Report) {
    if master.keep_jobs.is_zero() || master.keep_jobs >= SHORT {
        return;
    }
    let message =
        format!("the master keeps jobs for {} only (keep_jobs_seconds)", elapsed(master.keep_jobs));
    report.push(Finding::warning(Area::JobCache, message).hint(
        "what happens while salt-herald is down or blind for longer is not found again; Salt's own \
         default is keep_jobs_seconds: 86400",
    ));
}

/// A folder is named by a hash of the jid: of one that is not known, a job that began can't be found.
fn places(master: &MasterConfig, report: &mut Report) {
    if !master.keeps_loads() {
        let message =
            format!("the master names its jobs' folders by {} (hash_type)", master.hash_type);
        report.push(Finding::warning(Area::JobCache, message).hint(
            "no job is told from one that a minion made up; with hash_type: sha256, Salt's default, it is",
        ));
    }
}

fn dir(fact: &JobCacheFact, facts: &Facts) -> Finding {
    let shown = fact.at.display();
    let user = &facts.who.user;
    match &fact.dir {
        DirFact::Usable => Finding::ok(Area::JobCache, format!("{shown} can be read")),
        DirFact::Missing => Finding::warning(Area::JobCache, format!("{shown} does not exist"))
            .hint("the master makes it at its first job; if it has run jobs already, set salt.cachedir"),
        DirFact::NotADirectory => Finding::warning(Area::JobCache, format!("{shown} is no directory"))
            .hint("point salt.cachedir to the master's cachedir"),
        DirFact::Denied { owner } => {
            let message = format!("{user} may not read {shown}{}", owned(owner.as_ref()));
            let hint = match owner {
                Some(owner) if opens_by_group(owner) => {
                    format!("{BLIND}; run salt-herald in the group {}", owner.group)
                }
                Some(owner) if owner.user == "root" => format!("{BLIND}; run salt-herald as root"),
                Some(owner) => format!("{BLIND}; run salt-herald as {}, or as root", owner.user),
                None => format!("{BLIND}; run salt-herald as the master's user, in its group, or as root"),
            };
            Finding::warning(Area::JobCache, message).hint(hint)
        }
        DirFact::Failed(why) => {
            Finding::warning(Area::JobCache, format!("{shown} can't be read: {why}")).hint(BLIND)
        }
    }
}

/// Whether being in its group is enough. Nobody should be put into root's, which opens much more.
fn opens_by_group(owner: &Owner) -> bool {
    owner.mode & 0o050 == 0o050 && owner.group != "root"
}

/// What stops the user of `salt-herald.service`, where that is the unit that fits: the first
/// directory that is closed to it. Without such a user, it is judged as it is told to be made.
fn closed_to_the_service(facts: &Facts) -> Option<Finding> {
    let mut groups = facts.service_account.as_ref().map_or_else(Vec::new, |it| it.groups.clone());
    if !bus::fits_without_root(&facts.bus, &mut groups) {
        return None;
    }
    let cache = facts.job_cache.at.as_path();
    let open = |dir: &Path, owner: &Owner| {
        // To pass through a directory, and to list one.
        let wanted = if dir.starts_with(cache) { 0o5 } else { 0o1 };
        let bits = if owner.user == SERVICE_USER {
            owner.mode >> 6
        } else if groups.contains(&owner.group) {
            owner.mode >> 3
        } else {
            owner.mode
        };
        bits & wanted == wanted
    };
    let (dir, owner) = facts.job_cache.way.iter().find(|(dir, owner)| !open(dir, owner))?;
    let message = format!(
        "{SERVICE_USER}, the user of the unit, may not read {}{}",
        dir.display(),
        owned(Some(owner))
    );
    let hint = if opens_by_group(owner) {
        format!("{BLIND}; usermod -a -G {} {SERVICE_USER}", owner.group)
    } else {
        format!("{BLIND}; systemctl edit salt-herald, and under [Service] User={}", owner.user)
    };
    Some(Finding::warning(Area::JobCache, message).hint(hint))
}
