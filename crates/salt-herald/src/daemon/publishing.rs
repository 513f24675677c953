//! The publisher as the daemon has it: begun with a config, ended in order, begun anew with another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Limits, RunError};
use crate::chat;
use crate::config::Config;
use crate::metrics::SinkFamilies;
use crate::publish::{self, Publisher, Target};
use crate::store::JournalWriter;

/// A publisher that runs.
pub(super) struct Publishing {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    numbers: SinkFamilies,
    sinks: Vec<String>,
}

impl Publishing {
    /// Begins to publish to the sinks of a config.
    pub(super) async fn start(
        config: &Config,
        writer: &JournalWriter,
        limits: Limits,
        numbers: SinkFamilies,
    ) -> Result<Self, RunError> {
        let (stop, stopping) = watch::channel(false);
        let settings = publish::Settings {
            master: config.name.clone(),
            names: Arc::new(config.names.clone()),
            routes: Arc::new(config.routes.clone()),
            alarms: Arc::new(config.announce.alarms.clone()),
            numbers: numbers.clone(),
            pace: limits.pace,
        };
        let targets = targets(config)?;
        let sinks = targets.iter().map(|target| target.sink.name().to_owned()).collect();
        tracing::info!(sinks = targets.len(), "publishing");
        let grace = limits.grace;
        let publisher = Publisher::start(settings, targets, writer.clone(), stopping, grace).await;
        Ok(Self { stop, task: tokio::spawn(publisher.run()), numbers, sinks })
    }

    /// The sinks that are served, by name.
    pub(super) fn sinks(&self) -> Vec<String> {
        self.sinks.clone()
    }

    /// Says what is owed and can be said within the grace, and ends.
    pub(super) async fn stop(&mut self) -> Result<(), RunError> {
        self.stop.send_replace(true);
        Ok((&mut self.task).await?)
    }

    /// Ends at once, though something is under way: nobody may write to the journal after this.
    pub(super) fn abort(&self) {
        self.task.abort();
    }

    /// Ends, and begins again with another config. Never both at once: they would say all twice.
    pub(super) async fn change_to(
        &mut self,
        config: &Config,
        writer: &JournalWriter,
        limits: Limits,
    ) -> Result<(), RunError> {
        self.stop().await?;
        *self = Self::start(config, writer, limits, self.numbers.clone()).await?;
        Ok(())
    }
}

fn targets(config: &Config) -> Result<Vec<Target>, reqwest::Error> {
    let sinks = chat::sinks(config)?;
    let target = |sink: chat::Sink| {
        // Another channel of a bot has no table of its own.
        let own = config.slack.get(sink.name());
        let slow_after = own.map_or(Duration::MAX, |slack| slack.slow_after);
        let checkpoints = own.is_some_and(|slack| slack.checkpoints);
        Target { sink, slow_after, checkpoints }
    };
    Ok(sinks.into_iter().map(target).collect())
}
