//! Looks whether the disk is slow, and tells systemd that, and whether the journal can be written. People
//! in the channel are told by the publisher, and the log by who writes.

use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::store::{Disk, JournalWriter};

/// How often it is looked how fast the disk is.
const EVERY: Duration = Duration::from_secs(1);

/// Looks how fast the disk is, until it is dropped. Who waits for the disk can't.
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    pub(super) fn start(writer: &JournalWriter) -> Self {
        let look = writer.stopwatch();
        Self(tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                look();
            }
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells it whenever it changes, for ever.
pub(super) async fn tell_systemd(
    mut disk: watch::Receiver<Disk>,
    mut slow: watch::Receiver<Option<Timestamp>>,
) {
    let mut told = None;
    loop {
        let now = status(&disk.borrow_and_update(), *slow.borrow_and_update());
        // That all is well is said only after it was not.
        if told.as_ref() != Some(&now) && (told.is_some() || now.1) {
            let _ = sd_notify::notify(&[NotifyState::Status(&now.0)]);
        }
        told = Some(now);
        let changed = tokio::select! {
            changed = disk.changed() => changed,
            changed = slow.changed() => changed,
        };
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What is said of it, and whether that is trouble.
fn status(disk: &Disk, slow: Option<Timestamp>) -> (String, bool) {
    match (disk, slow) {
        (Disk::Away(away), _) => {
            let why = &away.why;
            (format!("the journal can't be written, runs are kept in memory: {why}"), true)
        }
        (Disk::Well { .. }, Some(since)) => {
            (format!("the journal's disk is slow since {since}, runs are said late"), true)
        }
        (Disk::Well { .. }, None) => ("the journal is written".to_owned(), false),
    }
}
