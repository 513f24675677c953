//! `preview`: what each place would have heard, by the master's own job cache, before anything is
//! posted.
//!
//! It reads the cache and writes nothing. The runs are decided on, and put into words, by the code
//! that does so for the daemon.

mod advice;
mod feed;
mod json;
mod places;
mod text;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use herald_core::redact::Redactor;
use jiff::Timestamp;

use self::feed::{Fed, Feed};
use self::places::Heard;
use super::args::PreviewArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::when::{self, End};
use super::{Found, journal};
use crate::config::{self, Config, LoadOptions, MasterConfig};
use crate::daemon::ledger_settings;
use crate::marks;
use crate::source::job_cache::{JobCache, JobCacheError, Skipped};

/// How many messages people are shown unless they ask for more.
const LIMIT: usize = 10;
/// The same of each of several places.
const LIMIT_OF_SEVERAL: usize = 3;

/// All that is shown.
struct Preview {
    since: Timestamp,
    until: Timestamp,
    /// The time span as it was asked for.
    asked: String,
    fed: Fed,
    heard: Heard,
    /// Whether there is a config of ours.
    has_config: bool,
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
    // Somebody tries it out on a copy, before there is a config.
    let options =
        LoadOptions { may_be_absent: args.cachedir.is_some(), ..journal::load_options(config) };
    let (config, _) = config::load(&options).map_err(Trouble::of)?;
    let preview = look(&config, Redactor::new(marks::of_process()), args, since, until)?;
    if args.json {
        for object in json::objects(&preview, args.limit.unwrap_or(usize::MAX)) {
            out.json(&object)?;
        }
    } else {
        let limit = match preview.heard.places.len() {
            _ if args.all => usize::MAX,
            1 => args.limit.unwrap_or(LIMIT),
            _ => args.limit.unwrap_or(LIMIT_OF_SEVERAL),
        };
        let shown = text::preview(&preview, limit, &out.view);
        out.print(&shown)?;
    }
    out.flush()?;
    Ok(Found::NothingWrong)
}

fn look(
    config: &Config,
    redactor: Redactor,
    args: &PreviewArgs,
    since: Timestamp,
    until: Timestamp,
) -> Result<Preview, Trouble> {
    let shown = places::shown(config, args.sink.as_deref())?;
    let master = &config.master;
    let folder = match &args.cachedir {
        Some(cachedir) => cachedir.join("jobs"),
        None => {
            see_that_it_is_kept(master)?;
            master.job_cache_dir()
        }
    };
    let trouble = |error| told(error, master, args.cachedir.is_some());
    let cache = JobCache::open(&folder).map_err(trouble)?.in_zone(master.jid_zone());
    // A jid can be of the very moment.
    let after = until.checked_add(Duration::from_secs(60)).unwrap_or(until);
    let listing = cache.list(since, after).map_err(trouble)?;
    if listing.held == 0 && listing.skipped.denied > 0 {
        let source = std::io::ErrorKind::PermissionDenied.into();
        return Err(trouble(JobCacheError::Denied { path: folder, source }));
    }
    let mut skipped = listing.skipped;
    let mut feed = Feed::new(ledger_settings(config), redactor, config.name.as_deref(), since);
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
        heard: Heard::of(&fed, config, shown, args.sink.is_some()),
        fed,
        has_config: !config.files.is_empty(),
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
