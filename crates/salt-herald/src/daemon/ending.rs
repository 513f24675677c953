//! The end: what was read is recorded, what is owed is said, and the process goes in time, whatever the
//! disk and the chat do meanwhile.
//!
//! What a slow disk did not take in time is lost; the next start tells of it as a gap.

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::publishing::Publishing;
use super::{Limits, Listening, RunError};
use crate::store::JournalWriter;

/// Ends what runs, one after the other, and all of it in the time that the limits leave.
pub(super) async fn end(
    bus: Option<Listening>,
    mut publishing: Publishing,
    writer: JournalWriter,
    limits: Limits,
) -> Result<(), RunError> {
    let until = Instant::now() + limits.end;
    if let Some(bus) = bus {
        stop_listening(bus, &writer, until - limits.end / 4).await?;
    }
    // So that what was heard last can be said.
    let soon = (Instant::now() + limits.grace).min(until - limits.end / 8);
    let _ = timeout_at(soon, writer.settle()).await;
    match timeout_at(until, publishing.stop()).await {
        Ok(stopped) => stopped?,
        Err(_) => {
            publishing.abort();
            tracing::warn!("what is owed is said after the next start");
        }
    }
    // The publishers are gone by now, so that the journal's last batch is the last.
    writer.abandon();
    let closing = spawn_blocking(move || writer.close());
    match timeout_at(until + limits.end / 16, closing).await {
        Ok(closed) => closed?,
        Err(_) => tracing::error!("the disk is too slow: what waits for it is lost, and a gap"),
    }
    Ok(())
}

/// Stops reading, and waits until what was read is handed to the journal.
async fn stop_listening(
    bus: Listening,
    writer: &JournalWriter,
    until: Instant,
) -> Result<(), RunError> {
    let mut stopping = spawn_blocking(move || bus.stop());
    match timeout_at(until, &mut stopping).await {
        Ok(stopped) => stopped?,
        Err(_) => writer.abandon(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Limits;

    #[test]
    fn all_of_it_fits_into_five_seconds() {
        let end = Limits::default().end;
        assert!(end + end / 16 < Duration::from_secs(5), "{end:?}");
    }
}
