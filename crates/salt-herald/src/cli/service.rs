//! `run`, `record`, `replay`: the commands that are the daemon's to carry out.
//!
//! Here they only get what they need: the config, a log on stderr, and an ear for what they say.

use std::path::Path;

use super::args::{RecordArgs, ReplayArgs};
use super::output::Output;
use super::trouble::Trouble;
use super::{Found, journal, logging, output};
use crate::config::{self, Config, Problem};
use crate::daemon::{self, Limits, ReplayReport};

/// Carries out `run`.
pub(super) fn run(config: Option<&Path>) -> Result<Found, Trouble> {
    logging::start()?;
    let options = journal::load_options(config);
    let (config, warnings) = load(config)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    daemon::run(config, options, Limits::default()).map_err(Trouble::of)?;
    Ok(Found::NothingWrong)
}

/// Carries out `record`.
pub(super) fn record(config: Option<&Path>, args: &RecordArgs) -> Result<Found, Trouble> {
    logging::start()?;
    let (config, _) = load(config)?;
    output::note(&format!(
        "salt-herald: {} will hold every secret that passes over the bus\n",
        args.file.display()
    ));
    daemon::record(config, &args.file).map_err(Trouble::of)?;
    Ok(Found::NothingWrong)
}

/// Carries out `replay`.
pub(super) fn replay(
    config: Option<&Path>,
    args: &ReplayArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    logging::start()?;
    let site = journal::site_rules(config)?;
    let report = daemon::replay_with(&args.file, &args.journal, site).map_err(Trouble::of)?;
    if args.json {
        out.json(&serde_json::json!({
            "events": report.events,
            "unreadable": report.unreadable,
            "runs": report.runs,
            "cut_off": report.cut_off,
        }))?;
    } else {
        out.print(&told(&report))?;
    }
    out.flush()?;
    Ok(Found::NothingWrong)
}

fn told(report: &ReplayReport) -> String {
    let ReplayReport { events, unreadable, runs, cut_off } = report;
    let end = match cut_off {
        0 => String::new(),
        bytes => format!("; its last {bytes} bytes are no record"),
    };
    format!("{events} events, {unreadable} unreadable; the journal holds {runs} runs{end}\n")
}

fn load(config: Option<&Path>) -> Result<(Config, Vec<Problem>), Trouble> {
    config::load(&journal::load_options(config)).map_err(|problems| {
        output::note(&Trouble::of(problems).text());
        Trouble::new("nothing was started").hint("mend the config; salt-herald check looks again")
    })
}
