//! What an operator's monitoring is told: numbers, and their text in the OpenMetrics format.
//!
//! Numbers are passed to those who count, as plain handles; there is no global recorder. A state that
//! somebody else keeps (a queue's length, the journal's trouble) is asked for when somebody looks.
//! Nothing here knows who counts, or how the text is fetched. No label holds anything that comes from
//! the bus: no user, no minion, no jid, no command.

mod numbers;
mod process;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use numbers::{
    BusNumbers, JournalNumbers, Request, RunNumbers, SinkFamilies, SinkNumbers, gauge_of,
};

/// The kind of text that [`Metrics::text`] gives, as HTTP names it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Brings a number up to date before it is shown.
type Ask = Box<dyn Fn() + Send>;

/// All numbers of the daemon.
pub struct Metrics {
    /// Of the master's bus, and of what waits behind it.
    pub bus: BusNumbers,
    /// Of the journal.
    pub journal: JournalNumbers,
    /// Of the runs.
    pub runs: RunNumbers,
    /// Of the sinks.
    pub sinks: SinkFamilies,
    registry: Registry,
    asks: Mutex<Vec<Ask>>,
}

impl Metrics {
    /// All at their beginning.
    pub fn new() -> Self {
        let (bus, journal) = (BusNumbers::default(), JournalNumbers::default());
        let (runs, sinks) = (RunNumbers::default(), SinkFamilies::default());
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("salt_herald");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "Which salt-herald this is", build);
        bus.register(ours);
        journal.register(ours);
        runs.register(ours);
        sinks.register(ours);
        let process = process::ProcessNumbers::default();
        process.register(&mut registry);
        let asks = Mutex::new(vec![Box::new(move || process.ask()) as Ask]);
        Self { bus, journal, runs, sinks, registry, asks }
    }

    /// Calls this each time before the numbers are shown.
    pub fn ask(&self, ask: impl Fn() + Send + 'static) {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(ask));
    }

    /// The text.
    pub fn text(&self) -> String {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|ask| ask());
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
