//! `routes`: where runs are said, and why one went where it went.
//!
//! [`gather`] asks the same functions as the daemon, with today's config; [`text`] and [`object`]
//! put into words what they say.

mod object;
pub(super) mod text;

use std::borrow::Cow;
use std::path::Path;

use herald_core::noise::Rule;
use herald_core::route::{Decision, Moment, Route, decide, moments};
use herald_core::run::Run;

use super::args::RoutesArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::{Found, journal, show};
use crate::config::{self, Config};
use crate::daemon;
use crate::publish::{facts_of, leading_run};
use crate::store::{Delivery, JournalReader, StoreError};

/// All that is told of where a run goes.
struct Explained {
    run: Run,
    /// The routes are asked about this one, with which it is told.
    leading: Option<Run>,
    /// Why it is quiet by today's config; only of a run that is not told of at all.
    quiet: Option<Rule>,
    /// What the routes say, at each moment at which they are asked.
    asked: Vec<(Moment, Decision)>,
    /// Where it goes by today's config.
    goes_to: Vec<String>,
    /// What was said of it.
    deliveries: Vec<Delivery>,
}

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &RoutesArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let (config, _) = config::load(&journal::load_options(config)).map_err(Trouble::of)?;
    if args.explain.is_empty() {
        list(&config, args, out)?;
    } else {
        let path = args.journal.as_ref().unwrap_or(&config.journal.path);
        let mut reader = JournalReader::open(path)?;
        let run = show::one_run(&mut reader, &args.explain, out)?;
        let explained = gather(&mut reader, &config, run)?;
        if args.json {
            out.json(&object::explained(&explained, &config.routes))?;
        } else {
            out.print(&text::explained(&explained, &config.routes, &out.view))?;
        }
    }
    out.flush()?;
    Ok(Found::NothingWrong)
}

fn list(config: &Config, args: &RoutesArgs, out: &mut Output) -> Result<(), Trouble> {
    if args.json {
        let objects = config.routes.iter().enumerate();
        return objects.into_iter().try_for_each(|(at, route)| out.json(&object::route(at, route)));
    }
    out.print(&text::list(&config.routes, &places(config)))
}

/// Everywhere that something can be said.
pub(super) fn places(config: &Config) -> Vec<String> {
    config.slack.keys().chain(config.channels.keys()).cloned().collect()
}

fn gather(reader: &mut JournalReader, config: &Config, run: Run) -> Result<Explained, StoreError> {
    let leading = match leading_run(reader, &run)? {
        Cow::Borrowed(_) => None,
        Cow::Owned(leading) => Some(leading),
    };
    let is_told = run.said || run.told_with.is_some();
    let quiet = (!is_told).then(|| daemon::ledger_settings(config).say.rule(&run.head));
    let asked = if is_told {
        ask(reader, &config.routes, leading.as_ref().unwrap_or(&run))?
    } else {
        Vec::new()
    };
    let leads = |place: &String| asked.iter().any(|(_, decision)| decision.leads_to(place));
    Ok(Explained {
        goes_to: places(config).into_iter().filter(leads).collect(),
        deliveries: reader.all_deliveries(run.told_with.unwrap_or(run.id))?,
        run,
        leading,
        quiet,
        asked,
    })
}

fn ask(
    reader: &mut JournalReader,
    routes: &[Route],
    run: &Run,
) -> Result<Vec<(Moment, Decision)>, StoreError> {
    let facts = facts_of(reader, run)?;
    let asked = moments(run).iter().map(|moment| (*moment, decide(routes, facts, *moment)));
    let mut asked: Vec<_> = asked.collect();
    // The same twice is told once.
    asked.dedup_by(|now, begun| now.1 == begun.1);
    Ok(asked)
}
