//! How the sinks are, so that one can tell of another's trouble: once, by one of them, and again
//! when it is over.
//!
//! Only trouble that somebody has to mend is told: a chat that is away is mostly away for all. What
//! was told is kept in the journal, so that a restart does not tell it again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::{Disk, SinkState, Told};

/// Of one sink's trouble, and of what it gave up, no more is told than this often.
const TELL_EVERY: Duration = Duration::from_secs(3_600);

/// Who can be in trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Sink(String),
    /// The journal can't be written.
    Journal,
    /// It can, but that takes long.
    Disk,
}

/// How all sinks are.
#[derive(Debug)]
pub(super) struct Health {
    all: Mutex<BTreeMap<Whose, State>>,
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
pub(super) struct Gone {
    pub(super) count: u64,
    pub(super) error: String,
    pub(super) command: String,
    pub(super) jid: Option<String>,
}

/// What is to be told of another sink.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) about: Whose,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Unusable(String),
    UsableAgain,
    Gone(Gone),
}

impl Health {
    /// Of these sinks nothing is known yet.
    pub(super) fn of(names: &[&str]) -> Self {
        let names = names.iter().map(|name| Whose::Sink((*name).to_owned()));
        let all = names.chain([Whose::Journal, Whose::Disk]);
        let all = all.map(|whose| (whose, State::default())).collect();
        Self { all: Mutex::new(all), changed: watch::Sender::new(()) }
    }

    /// Takes up what was told of a sink before.
    pub(super) fn introduce(&self, sink: &SinkState) {
        let mut sinks = self.lock();
        // Who is not there any more can't say that it is over.
        let is_there = |told: &Told| sinks.contains_key(&Whose::Sink(told.sink.clone()));
        let told = sink.told.clone().filter(is_there);
        if let Some(state) = sinks.get_mut(&Whose::Sink(sink.name.clone())) {
            state.told = told;
        }
    }

    /// Changes whenever a sink's state does.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn is_well(&self, sink: &str) {
        self.set(&Whose::Sink(sink.to_owned()), Condition::Well);
    }

    pub(super) fn is_unusable(&self, sink: &str, trouble: &str) {
        self.set(&Whose::Sink(sink.to_owned()), Condition::Unusable(trouble.to_owned()));
    }

    /// The journal's file can be written, or not.
    pub(super) fn disk_is(&self, disk: &Disk) {
        let condition = match disk {
            Disk::Well { .. } => Condition::Well,
            Disk::Away(away) => Condition::Unusable(away.why.clone()),
        };
        self.set(&Whose::Journal, condition);
    }

    /// Since when writing it takes long, if it does.
    pub(super) fn slow_is(&self, slow: Option<Timestamp>) {
        let condition = slow.map_or(Condition::Well, |at| Condition::Unusable(at.to_string()));
        self.set(&Whose::Disk, condition);
    }

    /// A message was refused for good, or is gone.
    pub(super) fn gave_up(&self, sink: &str, error: &str, command: &str, jid: Option<&str>) {
        if let Some(state) = self.lock().get_mut(&Whose::Sink(sink.to_owned())) {
            let count = state.gone.as_ref().map_or(0, |gone| gone.count) + 1;
            let (error, command) = (error.to_owned(), command.to_owned());
            let jid = jid.map(str::to_owned);
            state.gone = Some(Gone { count, error, command, jid });
        }
        self.changed.send_replace(());
    }

    fn set(&self, whose: &Whose, condition: Condition) {
        let changed = self.lock().get_mut(whose).is_some_and(|state| {
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
        self.due_of(|_| true, teller, now)
    }

    /// The same, only of the disk's speed.
    pub(super) fn due_of_speed(&self, teller: &str, now: Instant) -> Option<Result<Due, Instant>> {
        self.due_of(|about| *about == Whose::Disk, teller, now)
    }

    fn due_of(
        &self,
        is_asked: impl Fn(&Whose) -> bool,
        teller: &str,
        now: Instant,
    ) -> Option<Result<Due, Instant>> {
        let mut sinks = self.lock();
        let own = Whose::Sink(teller.to_owned());
        let is_usable = |state: &State| !matches!(state.condition, Condition::Unusable(_));
        if !sinks.get(&own).is_some_and(is_usable) {
            return None;
        }
        let mut later: Option<Instant> = None;
        let others = sinks.iter_mut().filter(|(about, _)| **about != own && is_asked(about));
        for (about, state) in others {
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Whose, State>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
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
        health.gave_up("a", "gone", "salt x", None);
        let due = health.due("b", start).unwrap().unwrap();
        health.gave_up("a", "gone", "salt y", None);
        health.gave_up("a", "gone", "salt z", None);
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
            alarmed: 0,
            thread: None,
            checkpoint: None,
            attempt: None,
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
