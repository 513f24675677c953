//! Says what the journal holds: for each sink, what would be said of a run now against what was
//! last said there.
//!
//! It takes no events: a wake-up only says "look". What is owed is decided by
//! [`herald_core::owed`]; this carries it out, one step at a time, within the sink's limits, and
//! notes in the journal what was said where.

mod alarms;
mod checkpoints;
mod choose;
mod doubt;
mod health;
mod missed;
mod outcome;
mod pace;
mod recent;
mod routing;
mod say;
mod tell;
#[cfg(test)]
mod tests;
mod unrecorded;
mod unsaid;
mod view;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use herald_core::alarm::AlarmRules;
use herald_core::names::Names;
use herald_core::route::Route;
use tokio::sync::watch;
use tokio::task::JoinSet;

use health::Health;
use pace::Budget;
pub use pace::Pace;
pub(crate) use routing::{facts_of, leading_run};
pub use worker::Target;

use crate::chat::DeliveryError;
use crate::metrics::SinkFamilies;
use crate::store::JournalWriter;

/// What the publisher must know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How this master is called in messages.
    pub master: Option<String>,
    /// How people and minions are called in them.
    pub names: Arc<Names>,
    /// To which sinks runs go; none is every run to every sink.
    pub routes: Arc<Vec<Route>>,
    /// What is said at once though it is no run.
    pub alarms: Arc<AlarmRules>,
    /// Where it is counted what was said.
    pub numbers: SinkFamilies,
    /// How fast to go.
    pub pace: Pace,
}

/// The workers of all sinks, ready to run.
pub struct Publisher(Vec<worker::Worker>);

impl Publisher {
    /// Takes up the sinks. What is recorded from now on is news to a sink that is new.
    ///
    /// They run until `stop`, and then until nothing is owed, but not longer than `grace`.
    pub async fn start(
        settings: Settings,
        targets: Vec<Target>,
        writer: JournalWriter,
        stop: watch::Receiver<bool>,
        grace: Duration,
    ) -> Self {
        let budget = Arc::new(Budget::for_edits(settings.pace));
        let names: Vec<&str> = targets.iter().map(|target| target.sink.name()).collect();
        let health = Arc::new(Health::of(&names));
        let mut workers = Vec::new();
        settings.numbers.begin_anew();
        for target in targets {
            let name = target.sink.name().to_owned();
            let numbers = settings.numbers.of(&name, &DeliveryError::LABELS);
            let worker = worker::Worker::start(
                settings.clone(),
                target,
                writer.clone(),
                Arc::clone(&budget),
                Arc::clone(&health),
                stop.clone(),
                grace,
            );
            match worker.await {
                Ok(worker) => workers.push(worker),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(sink = name, error, "this sink can't be served");
                    numbers.trouble.set(1);
                }
            }
        }
        Self(workers)
    }

    /// Publishes to all sinks.
    pub async fn run(self) {
        let mut workers = JoinSet::new();
        for worker in self.0 {
            workers.spawn(worker.run());
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a sink's publisher ended badly");
            }
        }
    }
}
