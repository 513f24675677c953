//! SIGHUP: the config is read again. One with a mistake is told of, and changes nothing.
//!
//! What a new config changes while running, and what has to wait for a restart, is said here; to carry
//! it out is the daemon's.

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::{Config, LoadOptions, MasterConfig, Problems, Severity, load};

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
    for what in what_waits(before, now) {
        tracing::warn!("{what} changed in the config: that takes a restart");
    }
}

fn what_waits(before: &Config, now: &Config) -> Vec<&'static str> {
    let (old, new) = (&before.master, &now.master);
    let place = |master: &MasterConfig| {
        (master.job_cache, master.master_job_cache.clone(), master.ext_job_cache.clone())
    };
    let waits = [
        ("journal.path", before.journal.path != now.journal.path),
        ("the master's job cache", old.job_cache_dir() != new.job_cache_dir()),
        ("where returns are kept", place(old) != place(new)),
        ("how long jobs are kept", old.keep_jobs != new.keep_jobs),
        ("utc_jid", old.utc_jid != new.utc_jid),
        ("the master's event bus", old.bus_address() != new.bus_address()),
    ];
    waits.into_iter().filter(|(_, changed)| *changed).map(|(what, _)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let default_file = folder.path().join("herald");
        std::fs::write(&default_file, text).unwrap();
        let salt_dir = "/nowhere/salt".into();
        load(&LoadOptions { default_file, salt_dir, ..LoadOptions::default() }).unwrap().0
    }

    #[test]
    fn what_back_fills_go_by_waits_for_a_restart() {
        let before = config("salt: {cachedir: /a}");
        let waits = |text: &str| what_waits(&before, &config(text)).join(", ");
        assert_eq!(waits("salt: {cachedir: /a}"), "");
        assert_eq!(waits("salt: {cachedir: /b}"), "the master's job cache");
        assert_eq!(
            waits("salt: {cachedir: /a, job_cache: false, keep_jobs_seconds: 60, utc_jid: true}"),
            "where returns are kept, how long jobs are kept, utc_jid"
        );
    }
}
