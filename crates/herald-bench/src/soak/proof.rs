//! Whether all that was sent is in the journal, and its chain is whole: by the daemon's own `backup`,
//! which computes the chain of the copy from its first entry to its last.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::probe::Probe;
use super::traffic::Sent;
use crate::table::Table;
use crate::{Failure, Options};

/// Until what was sent last must be recorded.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn check(
    options: &Options,
    folder: &Path,
    sent: &Sent,
    probe: &Probe<'_>,
    table: &mut Table,
) -> Result<Vec<String>, Failure> {
    let wanted: HashSet<&str> = sent.jids.iter().chain(probe.jids()).map(String::as_str).collect();
    let returns = sent.returns + probe.jids().len();
    let start = Instant::now();
    let (mut missing, mut found) = look(probe, &wanted)?;
    while (missing > 0 || found < returns) && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(500));
        (missing, found) = look(probe, &wanted)?;
    }
    let recorded = wanted.len() - missing;
    table.row("jobs in the journal", format!("{recorded}"), format!("sent: {}", wanted.len()));
    table.row("returns in the journal", format!("{found}"), format!("sent: {returns}"));
    let mut troubles = Vec::new();
    if missing > 0 || found != returns {
        troubles
            .push(format!("{missing} jobs are not in the journal; {found} returns of {returns}"));
    }
    let chain = copy(options, folder)?;
    table.row("chain of the journal", chain.as_deref().map_or("whole", |_| "broken"), "");
    troubles.extend(chain);
    Ok(troubles)
}

/// How many jobs are missing, and how many returns are there.
fn look(probe: &Probe<'_>, wanted: &HashSet<&str>) -> Result<(usize, usize), Failure> {
    let mut left = wanted.clone();
    let mut select = probe.journal().prepare_cached("SELECT jid FROM job")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        left.remove(row.get::<_, String>(0)?.as_str());
    }
    let count = "SELECT count(*) FROM return";
    let returns: i64 = probe.journal().query_row(count, [], |row| row.get(0))?;
    Ok((left.len(), usize::try_from(returns)?))
}

/// What `backup` finds wrong.
fn copy(options: &Options, folder: &Path) -> Result<Option<String>, Failure> {
    let output = Command::new(&options.herald)
        .arg("--config")
        .arg(folder.join("herald"))
        .arg("backup")
        .arg(folder.join("copy.db"))
        .output()?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
}
