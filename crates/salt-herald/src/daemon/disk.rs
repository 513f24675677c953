//! Tells systemd whether the journal can be written. People in the channel are told by the publisher, and
//! the log by who writes.

use sd_notify::NotifyState;
use tokio::sync::watch;

use crate::store::Disk;

/// Tells it whenever it changes, for ever.
pub(super) async fn tell_systemd(mut disk: watch::Receiver<Disk>) {
    let mut told = None;
    loop {
        let now = status(&disk.borrow_and_update());
        // That all is well is said only after it was not.
        if told.as_ref() != Some(&now) && (told.is_some() || now.1) {
            let _ = sd_notify::notify(&[NotifyState::Status(&now.0)]);
        }
        told = Some(now);
        if disk.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What is said of it, and whether that is trouble.
fn status(disk: &Disk) -> (String, bool) {
    match disk {
        Disk::Well { .. } => ("the journal is written".to_owned(), false),
        Disk::Away(away) => {
            let why = &away.why;
            (format!("the journal can't be written, runs are kept in memory: {why}"), true)
        }
    }
}
