//! What is fetched from us over HTTP: the metrics, and whether we are there. So far nothing else.
//!
//! It listens where the config says, and nowhere without that. It answers `GET` only, one request a
//! connection, and ends a connection that takes long: whoever sticks holds up nobody but, for a few
//! seconds, others who ask. That it can't listen is told in the log, and tried on: nothing else
//! depends on it.

mod answer;
mod listener;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::metrics::Metrics;
use listener::Listener;

/// What `/-/healthy` says.
pub const HEALTHY: &str = "salt-herald is there\n";

/// How many connections are answered at a time; more wait until one of them ends.
const MOST: usize = 32;
/// How long a connection may take, from its beginning to its end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before the next try to listen.
const RETRY: Duration = Duration::from_secs(5);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On a port of one of this machine's addresses.
    Tcp(SocketAddr),
    /// On a unix socket that is made there.
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The server, where there is to be one. It ends when this is dropped.
pub struct Web {
    metrics: Arc<Metrics>,
    serving: Option<(Address, JoinHandle<()>)>,
}

impl Web {
    /// Listens at an address, or not at all.
    pub fn start(metrics: Arc<Metrics>, address: Option<Address>) -> Self {
        let mut web = Self { metrics, serving: None };
        web.change_to(address);
        web
    }

    /// Listens elsewhere, or no more.
    pub fn change_to(&mut self, address: Option<Address>) {
        if self.serving.as_ref().map(|(address, _)| address) == address.as_ref() {
            return;
        }
        self.stop();
        self.serving = address.map(|address| {
            let serving = serve(address.clone(), Arc::clone(&self.metrics));
            (address, tokio::spawn(serving))
        });
    }

    fn stop(&mut self) {
        if let Some((_, serving)) = self.serving.take() {
            serving.abort();
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Listens, and tries until it can.
async fn serve(address: Address, metrics: Arc<Metrics>) {
    let mut told = String::new();
    loop {
        match Listener::bind(&address).await {
            Ok(listener) => {
                tracing::info!(address = %address, "metrics can be fetched");
                answer_all(listener, &metrics, MOST, PATIENCE).await;
            }
            Err(error) => {
                let trouble = error.to_string();
                if trouble != told {
                    tracing::error!(
                        address = %address,
                        error = trouble,
                        "can't listen for those who fetch metrics; trying on"
                    );
                    told = trouble;
                }
            }
        }
        sleep(RETRY).await;
    }
}

/// Answers connections until no more can be taken.
async fn answer_all(listener: Listener, metrics: &Arc<Metrics>, most: usize, patience: Duration) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= most {
            connections.join_next().await;
        }
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be taken");
                return;
            }
        };
        let answering = answer::answer(connection, Arc::clone(metrics));
        connections.spawn(timeout(patience, answering));
    }
}
