//! `preview`: what the channel would have heard, by the master's own job cache, before anything is
//! posted.
//!
//! It reads the cache and writes nothing. The runs are decided on, and put into words, by the code
//! that does so for the daemon.

mod feed;
mod json;
mod text;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use herald_core::survey::{Service, Survey};
use jiff::Timestamp;

use self::feed::{Fed, Feed};
use super::args::PreviewArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::when::{self, End};
use super::{Found, journal};
use crate::config::{self, Config, MasterConfig, SlackAccess};
use crate::daemon::ledger_settings;
use crate::source::job_cache::{JobCache, JobCacheError, Skipped};

/// How many messages people are shown unless they ask for more.
const LIMIT: usize = 10;

/// All that is shown.
struct Preview {
    since: Timestamp,
    until: Timestamp,
    /// The time span as it was asked for.
    asked: String,
    fed: Fed,
    survey: Survey,
    /// Where it would be said.
    channels: Vec<String>,
    /// What stands in the config already, and would be replaced by what is advised.
    config: config::AnnounceConfig,
    cache: Cache,
}

/// What is to be known of the cache that it was read from.
struct Cache {
    folder: PathBuf,
    /// How many jobs it holds in all.
    held: u64,
    /// When the earliest job that it holds began.
    earliest: Option<Timestamp>,
    /// How long it keeps a job; zero: for ever. Nothing of a copy.
    keeps: Option<Duration>,
    left_out: u64,
    skipped: Skipped,
}

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &PreviewArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let until = out.view.now;
    let since = when::parse(&args.since, End::Begin, until, &out.view.zone).ok_or_else(|| {
        Trouble::new(format!("--since: {} is no time", args.since))
            .hint("write 24h, 3d, 14:02, 2026-11-22, today, yesterday or RFC 3339")
    })?;
    let loaded = config::load(&journal::load_options(config));
    let (config, _) = loaded.map_err(Trouble::of)?;
    let preview = look(&config, args, since, until)?;
    if args.json {
        let first =
            args.limit.map_or(0, |limit| preview.survey.messages.len().saturating_sub(limit));
        for object in json::objects(&preview, first) {
            out.json(&object)?;
        }
    } else {
        let limit = if args.all { usize::MAX } else { args.limit.unwrap_or(LIMIT) };
        let shown = text::preview(&preview, limit, &out.view);
        out.print(&shown)?;
    }
    out.flush()?;
    Ok(Found::NothingWrong)
}

fn look(
    config: &Config,
    args: &PreviewArgs,
    since: Timestamp,
    until: Timestamp,
) -> Result<Preview, Trouble> {
    let master = &config.master;
    let folder = match &args.cachedir {
        Some(cachedir) => cachedir.join("jobs"),
        None => {
            see_that_it_is_kept(master)?;
            master.job_cache_dir()
        }
    };
    let trouble = |error| told(error, master, args.cachedir.is_some());
    let cache = JobCache::open(&folder).map_err(trouble)?;
    // A jid can be of the very moment.
    let after = until.checked_add(Duration::from_secs(60)).unwrap_or(until);
    let listing = cache.list(since, after).map_err(trouble)?;
    if listing.held == 0 && listing.skipped.denied > 0 {
        let source = std::io::ErrorKind::PermissionDenied.into();
        return Err(trouble(JobCacheError::Denied { path: folder, source }));
    }
    let mut skipped = listing.skipped;
    let mut feed = Feed::new(ledger_settings(config), config.name.as_deref(), since);
    let read = cache.events(listing.jobs).each(|at, event| {
        feed.take(at, event);
        Ok::<(), Infallible>(())
    });
    let Ok(read) = read;
    skipped.add(read);
    let fed = feed.finish(until, &config.names);
    Ok(Preview {
        since,
        until,
        asked: args.since.clone(),
        survey: Survey::of(&fed.seen, service(config)),
        fed,
        channels: channels(config),
        config: config.announce.clone(),
        cache: Cache {
            folder,
            held: listing.held,
            earliest: listing.earliest,
            keeps: args.cachedir.is_none().then_some(master.keep_jobs),
            left_out: listing.left_out,
            skipped,
        },
    })
}

/// A master can keep its jobs elsewhere, or only that they were published: then everything would
/// look as if nobody had answered.
fn see_that_it_is_kept(master: &MasterConfig) -> Result<(), Trouble> {
    let what = if master.master_job_cache != "local_cache" {
        format!(
            "the master keeps its jobs elsewhere (master_job_cache: {})",
            master.master_job_cache
        )
    } else if let Some(elsewhere) = &master.ext_job_cache {
        format!("the master keeps what minions return elsewhere (ext_job_cache: {elsewhere})")
    } else if !master.job_cache {
        "the master does not keep what minions return (job_cache: False)".to_owned()
    } else {
        return Ok(());
    };
    Err(Trouble::new(what).hint(
        "run salt-herald for a day with nothing under slack: it records and says nothing; \
         salt-herald log --all shows the runs then",
    ))
}

fn told(error: JobCacheError, master: &MasterConfig, is_named: bool) -> Trouble {
    let hint = match &error {
        JobCacheError::Absent { .. } if is_named => {
            "--cachedir names a master's cachedir, or a copy of it, with the folder jobs in it"
                .into()
        }
        JobCacheError::Absent { .. } => format!(
            "{} says that the cachedir is {}; if the master is another, set salt.config_dir, or \
             name its cachedir with --cachedir. A master that published no job yet has none",
            master.config_dir.join("master").display(),
            master.cachedir.display()
        ),
        JobCacheError::Denied { .. } => {
            let user = master.user.as_deref().unwrap_or("root");
            format!("only {user} may read it: sudo salt-herald preview")
        }
        JobCacheError::Io { .. } => return Trouble::of(error),
    };
    Trouble::of(error).hint(hint)
}

/// How the channel is served: of several sinks, as the first that can edit.
fn service(config: &Config) -> Service {
    let is_bot = |slack: &&config::SlackConfig| matches!(slack.access, SlackAccess::Bot { .. });
    let webhook = config.slack.values().find(|slack| !is_bot(slack));
    let edits = config.slack.values().any(|slack| is_bot(&slack)) || webhook.is_none();
    Service { edits, slow_after: webhook.map_or(Duration::MAX, |slack| slack.slow_after) }
}

/// Where it would be said: channels by name, webhooks by the names of their sinks.
fn channels(config: &Config) -> Vec<String> {
    let channel = |(name, slack): (&String, &config::SlackConfig)| match &slack.access {
        SlackAccess::Bot { channel, .. } => channel.clone(),
        SlackAccess::Webhook { .. } => name.clone(),
    };
    config.slack.iter().map(channel).collect()
}
