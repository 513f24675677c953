//! SIGHUP: the config is read again. One with a mistake is told of, and changes nothing.
//!
//! What a new config changes while running, and what has to wait for a restart, is said here; to carry
//! it out is the daemon's.

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::{Config, LoadOptions, Problems, Severity, load};

/// Reads the config again at each SIGHUP, and hands over the ones without mistakes.
pub(super) fn on_hangup(options: LoadOptions) -> mpsc::Receiver<Config> {
    let (hand_over, configs) = mpsc::channel(1);
    if let Ok(hangup) = signal(SignalKind::hangup()) {
        tokio::spawn(reload_all(hangup, options, hand_over));
    }
    configs
}

async fn reload_all(mut hangup: Signal, options: LoadOptions, hand_over: mpsc::Sender<Config>) {
    while hangup.recv().await.is_some() {
        let options = options.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || load(&options)).await else {
            return;
        };
        match loaded {
            Ok((config, warnings)) => {
                warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                if hand_over.send(config).await.is_err() {
                    return;
                }
            }
            Err(problems) => refuse(&problems),
        }
    }
}

fn refuse(problems: &Problems) {
    let mistakes = || problems.problems.iter().filter(|one| one.severity == Severity::Error);
    mistakes().for_each(|mistake| tracing::error!("{mistake}"));
    tracing::error!("the config has a mistake: what was in force before stays");
    let first = mistakes().next().map(ToString::to_string).unwrap_or_default();
    let first = first.lines().next().unwrap_or_default();
    let status = format!("the config was not read again: {first}");
    let _ = sd_notify::notify(&[NotifyState::Status(&status)]);
}

/// Tells what of a new config has to wait for a restart.
pub(super) fn say_what_waits(before: &Config, now: &Config) {
    let waits = [
        ("journal.path", before.journal.path != now.journal.path),
        ("the master's job cache", before.master.job_cache_dir() != now.master.job_cache_dir()),
        ("the master's event bus", before.master.bus_address() != now.master.bus_address()),
    ];
    for (what, _) in waits.iter().filter(|(_, changed)| *changed) {
        tracing::warn!("{what} changed in the config: that takes a restart");
    }
}
