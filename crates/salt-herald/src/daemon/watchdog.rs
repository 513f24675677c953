//! Tells systemd that the bus is being read, as long as it is: `WatchdogSec=` in the unit.
//!
//! Only the reading side is vouched for. A journal that waits for its disk, or a chat that is away,
//! is nothing that a restart would mend.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;

/// Vouches for ever, if systemd wants to know.
pub(super) async fn vouch(pulse: Arc<AtomicU64>) {
    match sd_notify::watchdog_enabled() {
        Some(within) => {
            vouch_every(within / 3, &pulse, || {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            })
            .await;
        }
        None => std::future::pending().await,
    }
}

/// Each time the pulse went on, it is told.
async fn vouch_every(period: Duration, pulse: &AtomicU64, tell: impl Fn()) {
    let mut last = None;
    loop {
        let now = pulse.load(Ordering::Relaxed);
        if last.replace(now) == Some(now) {
            tracing::error!("the bus is not read any more; systemd will start us again");
        } else {
            tell();
        }
        sleep(period).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reading_side_that_stands_still_is_not_vouched_for() {
        let (pulse, told) = (AtomicU64::new(0), AtomicU64::new(0));
        let told_now = || told.load(Ordering::Relaxed);
        let vouching = vouch_every(Duration::from_secs(10), &pulse, || {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let beating = async {
            sleep(Duration::from_secs(1)).await;
            for beats in 1..=3 {
                pulse.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(10)).await;
                assert_eq!(told_now(), beats + 1);
            }
            sleep(Duration::from_secs(100)).await;
            assert_eq!(told_now(), 4, "nobody vouches for what stands still");
        };
        tokio::select! { () = vouching => {} () = beating => {} }
    }
}
