//! How long the thread that writes takes for what it does. While it waits for the disk it can tell
//! nobody: somebody else looks.
//!
//! From when on that is slow is decided in [`herald_core::slowness`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use herald_core::slowness::Slowness;
use jiff::Timestamp;
use tokio::sync::watch;

/// How fast the disk is.
#[derive(Debug)]
pub(super) struct Speed {
    slowness: Mutex<Slowness>,
    /// Since when it is slow, if it is.
    pub(super) slow: watch::Sender<Option<Timestamp>>,
}

impl Default for Speed {
    fn default() -> Self {
        Self { slowness: Mutex::default(), slow: watch::Sender::new(None) }
    }
}

impl Speed {
    /// Does something that may have to wait for the disk.
    pub(super) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        self.lock().begin(Instant::now());
        let done = work();
        self.lock().end(Instant::now());
        done
    }

    /// Looks how it is, and tells if that changed.
    pub(super) fn look(&self) {
        let now = Instant::now();
        let slow = self.lock().look(now).map(|since| now - since);
        self.slow.send_if_modified(|known| match (&known, slow) {
            (None, Some(since)) => {
                let began = Timestamp::now().checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH);
                tracing::warn!(
                    since = %began,
                    "the disk is slow: what is to be recorded takes seconds, or does not come back"
                );
                *known = Some(began);
                true
            }
            (Some(_), None) => {
                tracing::info!("the disk is no longer slow");
                *known = None;
                true
            }
            _ => false,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Slowness> {
        self.slowness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
