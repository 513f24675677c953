//! What minions made up, and what happens to keys: told in notices, a few at a time.
//!
//! Whoever makes something up can do so a thousand times a second. The first of a sender is told at once,
//! what else it sends is counted and told an hour later. In which words is decided in
//! [`herald_core::compose`].

use std::collections::HashMap;
use std::time::Duration;

use herald_core::alarm::{Alarm, AlarmRules, Likeness, Matter};
use herald_core::compose::alarm;
use tokio::time::Instant;

use super::worker::Worker;
use crate::store::{JournalReader, StoreError};

/// What is alike is told again no more often than this.
const LIKE_EVERY: Duration = Duration::from_secs(3_600);
/// And all of it together no more often than this.
const ANY_EVERY: Duration = Duration::from_secs(60);
/// Most likenesses of which it is remembered that they were told; beyond that they are told alike.
const MOST_LIKE: usize = 1_024;
/// Most of each kind that are read at once; of more, the rest comes with the next notice.
const MOST_READ: usize = 512;

/// What is to be told, and what was.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    waiting: Vec<Alarm>,
    /// All up to this entry waits, was told, or is none that is said.
    read: u64,
    told: HashMap<Likeness, Instant>,
    last: Option<Instant>,
}

/// What a sink was not told yet. Another channel of the same bot is not told.
pub(super) fn alarms_after(
    reader: &JournalReader,
    sink: &str,
    entry: Option<u64>,
) -> Result<Vec<Alarm>, StoreError> {
    match entry.filter(|_| !sink.contains('#')) {
        Some(entry) => reader.alarms_after(entry, MOST_READ),
        None => Ok(Vec::new()),
    }
}

impl Alarms {
    /// From which entry on there is more to read; nothing while enough waits.
    pub(super) fn read_after(&self, told: u64) -> Option<u64> {
        (self.waiting.len() < MOST_READ).then_some(told.max(self.read))
    }

    /// Takes up what was read.
    pub(super) fn wait_for(&mut self, read: Vec<Alarm>, rules: &AlarmRules) {
        self.read = read.last().map_or(self.read, |last| last.entry);
        self.waiting.extend(read.into_iter().filter(|alarm| rules.say(&alarm.matter)));
    }

    /// Whether something is to be told now, or when it may be.
    pub(super) fn due(&self, now: Instant) -> Option<Result<(), Instant>> {
        let after = |like: &Matter| self.told.get(&like.likeness()).map(|told| *told + LIKE_EVERY);
        let soonest = self.waiting.iter().map(|alarm| after(&alarm.matter).unwrap_or(now)).min()?;
        let until = self.last.map_or(soonest, |last| soonest.max(last + ANY_EVERY));
        Some(if until > now { Err(until) } else { Ok(()) })
    }

    /// All that waits was told.
    fn were_told(&mut self, now: Instant) {
        self.told.retain(|_, told| *told + LIKE_EVERY > now);
        for alarm in self.waiting.drain(..) {
            if self.told.len() < MOST_LIKE {
                self.told.entry(alarm.matter.likeness()).or_insert(now);
            }
        }
        self.last = Some(now);
    }
}

impl Worker {
    /// Tells what waits, in one notice.
    pub(super) async fn tell_alarms(&mut self) {
        let matters: Vec<Matter> =
            self.alarms.waiting.iter().map(|alarm| alarm.matter.clone()).collect();
        let Some(notice) = alarm(&matters, self.service.master.as_deref()) else { return };
        if self.notify_once(&notice).await {
            self.alarms.were_told(Instant::now());
            self.state.alarmed = self.state.alarmed.max(self.alarms.read);
            self.note_state().await;
            // There may be more than was read at once.
            self.read_alarms().await;
        }
    }

    /// Reads what waits to be told.
    async fn read_alarms(&mut self) {
        let after = self.alarms.read_after(self.state.alarmed.max(self.state.since));
        let sink = self.service.sink.clone();
        match self.with_reader(move |reader| alarms_after(reader, &sink, after)).await {
            Ok(read) => self.alarms.wait_for(read, &self.service.alarms),
            Err(error) => self.can_not_look(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use herald_core::digest::Digest;
    use herald_core::key::KeyAct;
    use herald_core::suspect::{Suspect, Why};

    use super::*;

    fn from(sender: &str) -> Alarm {
        let [jid, minion, tag] = ["", "", "salt/job/1/new"].map(str::to_owned);
        let (why, sender, said) = (Why::InMastersName, sender.to_owned(), Digest::ZERO);
        let suspect = Suspect { why, job: None, jid, minion, sender, tag, said, count: 1 };
        Alarm { entry: 1, matter: Matter::Suspect(suspect) }
    }

    fn of_key(minion: &str) -> Alarm {
        let (act, minion) = (KeyAct::Changed, minion.to_owned());
        Alarm { entry: 2, matter: Matter::Key { act, minion } }
    }

    fn wait_for(alarms: &mut Alarms, waiting: Vec<Alarm>) {
        alarms.waiting.clear();
        alarms.wait_for(waiting, &AlarmRules::default());
    }

    #[test]
    fn what_is_not_said_is_not_read_again() {
        let mut alarms = Alarms::default();
        let accepted = Matter::Key { act: KeyAct::Accepted, minion: "web1".to_owned() };
        alarms.wait_for(vec![Alarm { entry: 9, matter: accepted }], &AlarmRules::default());
        assert_eq!((alarms.due(Instant::now()), alarms.read_after(3)), (None, Some(9)));
        wait_for(&mut alarms, vec![from("web2"); MOST_READ]);
        assert_eq!(alarms.read_after(3), None);
    }

    #[test]
    fn what_is_alike_is_told_once_an_hour_and_all_of_it_once_a_minute() {
        let start = Instant::now();
        let mut alarms = Alarms::default();
        assert!(alarms.due(start).is_none());
        wait_for(&mut alarms, vec![from("web2")]);
        assert_eq!(alarms.due(start), Some(Ok(())));
        alarms.were_told(start);
        assert!(alarms.due(start).is_none());
        wait_for(&mut alarms, vec![from("web2")]);
        assert_eq!(alarms.due(start), Some(Err(start + LIKE_EVERY)));
        // Another minion, or something else of the same, waits a minute.
        for other in [from("web3"), of_key("web2")] {
            wait_for(&mut alarms, vec![from("web2"), other]);
            assert_eq!(alarms.due(start), Some(Err(start + ANY_EVERY)));
            assert_eq!(alarms.due(start + ANY_EVERY), Some(Ok(())));
        }
        wait_for(&mut alarms, vec![from("web2")]);
        assert_eq!(alarms.due(start + LIKE_EVERY), Some(Ok(())));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let start = Instant::now();
        let mut alarms = Alarms::default();
        wait_for(
            &mut alarms,
            (0..5_000).map(|number| from(&format!("made-up-{number}"))).collect(),
        );
        alarms.were_told(start);
        assert_eq!(alarms.told.len(), MOST_LIKE);
    }
}
