//! A piece of a job cache, read and not yet understood: it can be handed from one thread to another.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use salt_event::Raw;
use salt_event::event::Event;
use salt_event::job_cache::{Load, behind};
use salt_event::msgpack::Reader;

/// What is kept of a job while its returns wait.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    pub(super) folder: PathBuf,
    pub(super) load: Vec<u8>,
}

/// What a job's folder holds beside its load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) minions: Vec<u8>,
    /// By the syndic's id.
    pub(super) behind_syndics: Vec<(String, Vec<u8>)>,
    pub(super) batch: Vec<u8>,
    pub(super) returned: Vec<String>,
}

/// A job's beginning, or a return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub(super) job: Arc<Kept>,
    pub(super) part: Part,
    /// Up to then all was handed over: it may come before its time.
    pub(super) told_until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Begins(Box<Contents>),
    Returned { minion: String, bytes: Vec<u8> },
}

impl Piece {
    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let part = match &self.part {
            Part::Begins(contents) => contents.minions.len() + contents.batch.len(),
            Part::Returned { bytes, .. } => bytes.len(),
        };
        part + self.job.load.len()
    }

    /// Up to when all of the past was handed over before it.
    pub fn told_until(&self) -> Timestamp {
        self.told_until
    }

    /// Hands over the events that the bus gave of it, one or more; whether it made sense.
    ///
    /// # Errors
    /// What `take` gives.
    pub fn each<E>(&self, take: impl FnMut(&Event<'_>) -> Result<(), E>) -> Result<bool, E> {
        let Some(load) = Load::read(&self.job.load).ok().flatten() else { return Ok(false) };
        match &self.part {
            Part::Begins(contents) => give_beginning(&load, contents, take).map(|()| true),
            Part::Returned { minion, bytes } => give_return(&load, minion, bytes, take),
        }
    }
}

fn give_return<E>(
    load: &Load<'_>,
    minion: &str,
    bytes: &[u8],
    mut take: impl FnMut(&Event<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    match load.returned(minion, bytes).ok().flatten() {
        Some(event) => take(&event).map(|()| true),
        None => Ok(false),
    }
}

fn give_beginning<E>(
    load: &Load<'_>,
    contents: &Contents,
    mut take: impl FnMut(&Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let minions = whole(&contents.minions);
    let missing = load.missing(minions);
    let batch = load.batch(whole(&contents.batch));
    if let Some(event) = batch.or_else(|| load.beginning(minions, whole(&missing))) {
        take(&event)?;
    }
    for (syndic, minions) in &contents.behind_syndics {
        take(&behind(syndic, load.jid(), whole(minions)))?;
    }
    Ok(())
}

/// The value that bytes are, or nothing if they are none.
fn whole(bytes: &[u8]) -> Raw<'_> {
    Reader::new(bytes).raw().unwrap_or(Raw::NIL)
}
