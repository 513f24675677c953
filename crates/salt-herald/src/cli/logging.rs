//! The log: on stderr for people, with fields of their own in systemd's journal.
//!
//! What is logged is each place's own matter.

use std::io::{IsTerminal, stderr};

use rustix::fs::fstat;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use super::trouble::Trouble;

/// Starts the log, as `HERALD_LOG` says.
pub(super) fn start() -> Result<(), Trouble> {
    let levels = std::env::var("HERALD_LOG").unwrap_or_default();
    let levels = if levels.is_empty() { "info" } else { &levels };
    let filter = EnvFilter::try_new(levels).map_err(|error| {
        Trouble::of(error).hint("HERALD_LOG takes levels: info, debug, salt_herald::chat=trace")
    })?;
    let journald = is_journald().then(tracing_journald::layer).and_then(Result::ok);
    let log = match journald {
        // SALT_HERALD_RUN=41 and the like: `journalctl SALT_HERALD_SINK=ops` finds them.
        Some(journald) => journald.with_field_prefix(Some("SALT_HERALD".to_owned())).boxed(),
        None => {
            let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal() && !no_colour).boxed()
        }
    };
    // A second one in the same process can't be; the first one serves.
    let _ = registry().with(log.with_filter(filter)).try_init();
    Ok(())
}

/// Whether stderr is systemd's journal: it says so by the device and the inode of the stream.
fn is_journald() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(stderr()).is_ok_and(|found| stream == format!("{}:{}", found.st_dev, found.st_ino))
}
