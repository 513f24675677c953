//! How the sinks are, so that one can tell of another's trouble: once, by one of them, and again
//! when it is over.
//!
//! Only trouble that somebody has to mend is told: a chat that is away is mostly away for all. What
//! was told is kept in the journal, so that a restart does not tell it again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use herald_core::announce::Notice;
use herald_core::compose::{given_up, unusable, unwritable, usable_again, written_again};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::worker::Worker;
use crate::chat::DeliveryError;
use crate::metrics::Request;
use crate::store::{Disk, SinkState, Told};

/// Of one sink's trouble, and of what it gave up, no more is told than this often.
const TELL_EVERY: Duration = Duration::from_secs(3_600);

/// What stands among the sinks for the journal, of whose trouble people are told in the same way. No
/// sink has an empty name.
const JOURNAL: &str = "";

/// How all sinks are.
#[derive(Debug)]
pub(super) struct Health {
    sinks: Mutex<BTreeMap<String, State>>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    condition: Condition,
    /// Where its trouble was told, until it is told that it is over.
    told: Option<Told>,
    /// Not before then its trouble is told again.
    trouble_after: Option<Instant>,
    /// What it gave up, and nobody told yet.
    gone: Option<Gone>,
    gone_after: Option<Instant>,
    /// Somebody is telling it.
    is_being_told: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    Unknown,
    Well,
    Unusable(String),
}

#[derive(Debug, Clone)]
struct Gone {
    count: u64,
    error: String,
    command: String,
}

/// What is to be told of another sink.
#[derive(Debug)]
pub(super) struct Due {
    about: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Unusable(String),
    UsableAgain,
    Gone(Gone),
}

impl Health {
    /// Of these sinks nothing is known yet.
    pub(super) fn of(names: &[&str]) -> Self {
        let names = names.iter().copied().chain([JOURNAL]);
        let sinks = names.map(|name| (name.to_owned(), State::default())).collect();
        Self { sinks: Mutex::new(sinks), changed: watch::Sender::new(()) }
    }

    /// Takes up what was told of a sink before.
    pub(super) fn introduce(&self, sink: &SinkState) {
        let mut sinks = self.lock();
        // Who is not there any more can't say that it is over.
        let told = sink.told.clone().filter(|told| sinks.contains_key(&told.sink));
        if let Some(state) = sinks.get_mut(&sink.name) {
            state.told = told;
        }
    }

    /// Changes whenever a sink's state does.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn is_well(&self, sink: &str) {
        self.set(sink, Condition::Well);
    }

    pub(super) fn is_unusable(&self, sink: &str, trouble: &str) {
        self.set(sink, Condition::Unusable(trouble.to_owned()));
    }

    /// The journal's file can be written, or not.
    pub(super) fn disk_is(&self, disk: &Disk) {
        match disk {
            Disk::Well { .. } => self.is_well(JOURNAL),
            Disk::Away(away) => self.is_unusable(JOURNAL, &away.why),
        }
    }

    /// A message was refused for good, or is gone.
    pub(super) fn gave_up(&self, sink: &str, error: &str, command: &str) {
        if let Some(state) = self.lock().get_mut(sink) {
            let count = state.gone.as_ref().map_or(0, |gone| gone.count) + 1;
            let (error, command) = (error.to_owned(), command.to_owned());
            state.gone = Some(Gone { count, error, command });
        }
        self.changed.send_replace(());
    }

    fn set(&self, sink: &str, condition: Condition) {
        let changed = self.lock().get_mut(sink).is_some_and(|state| {
            let is_new = state.condition != condition;
            state.condition = condition;
            is_new
        });
        if changed {
            self.changed.send_replace(());
        }
    }

    /// What `teller` is to tell now, or when it may have to. What it takes up nobody else tells.
    pub(super) fn due(&self, teller: &str, now: Instant) -> Option<Result<Due, Instant>> {
        let mut sinks = self.lock();
        let is_usable = |state: &State| !matches!(state.condition, Condition::Unusable(_));
        if !sinks.get(teller).is_some_and(is_usable) {
            return None;
        }
        let mut later: Option<Instant> = None;
        for (about, state) in sinks.iter_mut().filter(|(about, _)| *about != teller) {
            match state.due(teller, now) {
                Some(Ok(what)) => {
                    state.is_being_told = true;
                    return Some(Ok(Due { about: about.clone(), what }));
                }
                Some(Err(until)) => later = Some(later.map_or(until, |other| other.min(until))),
                None => {}
            }
        }
        later.map(Err)
    }

    /// Notes that it was told, or could not be.
    pub(super) fn was_told(&self, due: &Due, told: Option<Told>, now: Instant) {
        let mut sinks = self.lock();
        let Some(state) = sinks.get_mut(&due.about) else { return };
        state.is_being_told = false;
        let Some(told) = told else { return };
        match &due.what {
            What::Unusable(_) => {
                state.told = Some(told);
                state.trouble_after = Some(now + TELL_EVERY);
            }
            What::UsableAgain => state.told = None,
            What::Gone(gone) => {
                let missed = state.gone.as_ref().map_or(0, |now| now.count - gone.count);
                state.gone = state.gone.take().filter(|_| missed > 0);
                if let Some(gone) = &mut state.gone {
                    gone.count = missed;
                }
                state.gone_after = Some(now + TELL_EVERY);
            }
        }
        drop(sinks);
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due(&self, teller: &str, now: Instant) -> Option<Result<What, Instant>> {
        if self.is_being_told {
            return None;
        }
        let (what, after) = match (&self.condition, &self.told) {
            (Condition::Unusable(trouble), None) => {
                (What::Unusable(trouble.clone()), self.trouble_after)
            }
            (Condition::Well, Some(told)) if told.sink == teller => (What::UsableAgain, None),
            _ => (What::Gone(self.gone.clone()?), self.gone_after),
        };
        Some(match after.filter(|after| *after > now) {
            Some(after) => Err(after),
            None => Ok(what),
        })
    }
}

impl Worker {
    /// Tells what is the matter at another sink, or no longer.
    pub(super) async fn tell(&mut self, due: Due) {
        let notice = self.notice(&due);
        let sent = self.counted(Request::Notice, self.sink.notify(&notice)).await;
        let is_told = match &sent {
            Ok(()) => {
                self.succeeded().await;
                true
            }
            // One that may have arrived, or is not taken, is not worth a second.
            Err(DeliveryError::InDoubt(_)) => true,
            Err(error) => !self.comes_back(error).await,
        };
        if let Err(error) = &sent {
            let error = error as &dyn std::error::Error;
            tracing::warn!(sink = self.service.sink, error, "a notice was not said");
        }
        let told = Told { sink: self.service.sink.clone(), at: Timestamp::now() };
        let noted = match &due.what {
            What::Unusable(_) if is_told => Some(Some(told.clone())),
            What::UsableAgain if is_told => Some(None),
            _ => None,
        };
        // Of the journal's trouble nobody knows after a restart: what was told of it is in memory only.
        let noted = noted.filter(|_| due.about != JOURNAL);
        if let Some(noted) = noted
            && let Err(error) = self.writer.note_told(&due.about, noted).await
        {
            tracing::error!(%error, "what was told can't be noted");
        }
        self.health.was_told(&due, is_told.then_some(told), Instant::now());
    }

    fn notice(&self, due: &Due) -> Notice {
        let master = self.service.master.as_deref();
        if due.about == JOURNAL {
            return match &*self.writer.disk().borrow() {
                Disk::Well { lost } => written_again(*lost, master),
                Disk::Away(away) => unwritable(&away.why, away.left, away.for_good, master),
            };
        }
        match &due.what {
            What::Unusable(trouble) => unusable(&due.about, trouble, master),
            What::UsableAgain => usable_again(&due.about, master),
            What::Gone(gone) => {
                given_up(&due.about, &gone.command, &gone.error, gone.count, master)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(health: &Health, due: &Due, at: Instant) {
        let told = Told { sink: "b".to_owned(), at: Timestamp::UNIX_EPOCH };
        health.was_told(due, Some(told), at);
    }

    #[test]
    fn trouble_is_told_once_by_one_and_again_when_it_is_over() {
        let start = Instant::now();
        let health = Health::of(&["a", "b", "c"]);
        assert!(health.due("b", start).is_none());
        health.is_unusable("a", "no");
        assert!(health.due("a", start).is_none(), "not of itself");
        let due = health.due("b", start).unwrap().unwrap();
        assert!(health.due("c", start).is_none(), "b tells it");
        told(&health, &due, start);
        assert!(health.due("b", start).is_none() && health.due("c", start).is_none());
        health.is_unusable("a", "still no");
        assert!(health.due("b", start).is_none());
        health.is_well("a");
        assert!(health.due("c", start).is_none(), "who told the trouble tells its end");
        told(&health, &health.due("b", start).unwrap().unwrap(), start);
        // It comes and goes.
        health.is_unusable("a", "no");
        let until = health.due("c", start).unwrap().unwrap_err();
        assert_eq!(until, start + TELL_EVERY);
        assert!(health.due("c", until).unwrap().is_ok());
    }

    #[test]
    fn who_is_in_trouble_tells_nothing() {
        let start = Instant::now();
        let health = Health::of(&["a", "b"]);
        health.is_unusable("a", "no");
        health.is_unusable("b", "no");
        assert!(health.due("a", start).is_none() && health.due("b", start).is_none());
        health.is_well("b");
        let due = health.due("b", start).unwrap().unwrap();
        health.was_told(&due, None, start);
        assert!(health.due("b", start).unwrap().is_ok(), "it could not be told");
    }

    #[test]
    fn what_is_given_up_is_counted() {
        let start = Instant::now();
        let health = Health::of(&["a", "b"]);
        health.gave_up("a", "gone", "salt x");
        let due = health.due("b", start).unwrap().unwrap();
        health.gave_up("a", "gone", "salt y");
        health.gave_up("a", "gone", "salt z");
        told(&health, &due, start);
        let until = health.due("b", start).unwrap().unwrap_err();
        let Due { what: What::Gone(gone), .. } = health.due("b", until).unwrap().unwrap() else {
            panic!("something else");
        };
        assert_eq!((gone.count, gone.command.as_str()), (2, "salt z"));
    }

    #[test]
    fn a_restart_tells_only_the_end() {
        let start = Instant::now();
        let health = Health::of(&["a", "b"]);
        let told = |sink: &str| Some(Told { sink: sink.to_owned(), at: Timestamp::UNIX_EPOCH });
        let state = |told| SinkState {
            name: "a".to_owned(),
            since: 0,
            settled: 0,
            trouble: None,
            failing_since: None,
            unsaid: 0,
            doubt: Default::default(),
            blind: false,
            missed: 0,
            told,
        };
        health.introduce(&state(told("b")));
        assert!(health.due("b", start).is_none());
        health.is_unusable("a", "no");
        assert!(health.due("b", start).is_none());
        health.is_well("a");
        assert!(health.due("b", start).unwrap().is_ok());
        health.introduce(&state(told("who is gone")));
        assert!(health.due("b", start).is_none());
    }
}
