//! Looks for each job that begins in the master's job cache, again and again, until its load is there.
//!
//! The master fires a job's event first and writes its load then, mostly within milliseconds. A thread
//! of its own looks; who asks never waits for it, and what does not fit is not looked for. What was
//! found goes the way of every event; what it means is the ledger's matter.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use herald_core::confirm::Found;
use jiff::Timestamp;

use crate::config::MasterConfig;
use crate::source::job_cache::{JobCache, JobCacheError};
use crate::source::{Heard, Item, Queue};

/// Most jobs that are looked for at once: at 10,000 jobs a minute, 330 are within two seconds.
const MOST: usize = 4_096;
/// How long after a job the cache is looked into, the first times.
const FIRST: Duration = Duration::from_millis(20);
/// How far apart two looks are at the most.
const APART: Duration = Duration::from_millis(400);

/// Where loads are looked for, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Looks {
    root: PathBuf,
    within: Duration,
}

/// The way to ask.
#[derive(Debug)]
pub(super) struct Confirmer {
    asks: SyncSender<Box<str>>,
    /// Some did not fit: that is logged once for each time.
    is_full: bool,
}

impl Looks {
    /// Nothing, where the master keeps no loads that we could find.
    pub(super) fn of(master: &MasterConfig, within: Duration) -> Option<Self> {
        let root = master.job_cache_dir();
        (master.keeps_loads() && !within.is_zero()).then_some(Self { root, within })
    }

    /// Begins the thread that looks. It ends by itself when nobody can ask any more.
    pub(super) fn start(self, queue: Arc<Queue>) -> std::io::Result<Confirmer> {
        let (asks, asked) = sync_channel(MOST);
        std::thread::Builder::new()
            .name("confirm".to_owned())
            .spawn(move || look_for_all(&self, &asked, &queue))?;
        Ok(Confirmer { asks, is_full: false })
    }
}

impl Confirmer {
    /// Asks for a job; false where there is no room for it.
    pub(super) fn ask(&mut self, jid: &str) -> bool {
        match self.asks.try_send(jid.into()) {
            Ok(()) => {
                self.is_full = false;
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                if !std::mem::replace(&mut self.is_full, true) {
                    tracing::warn!(
                        "so many jobs begin that not all are looked for in the job cache"
                    );
                }
                false
            }
        }
    }
}

/// A job that is looked for.
struct Wanted {
    jid: Box<str>,
    since: Instant,
    apart: Duration,
}

fn look_for_all(looks: &Looks, asked: &Receiver<Box<str>>, queue: &Queue) {
    // By when each is due; the number tells apart what is due at the same time.
    let mut wanted: BTreeMap<(Instant, u64), Wanted> = BTreeMap::new();
    let mut count = 0_u64;
    loop {
        let now = Instant::now();
        let next = wanted.keys().next().map_or(Duration::MAX, |(due, _)| *due - now);
        match asked.recv_timeout(next) {
            Ok(jid) if wanted.len() < MOST => {
                let one = Wanted { jid, since: Instant::now(), apart: FIRST };
                wanted.insert((one.since + FIRST, count), one);
                count += 1;
            }
            Ok(jid) => queue.push([item(jid, Found::Unknown)]),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        let later = wanted.split_off(&(now, u64::MAX));
        for ((_, number), one) in std::mem::replace(&mut wanted, later) {
            match looks.look(&one, now) {
                Some(found) => queue.push([item(one.jid, found)]),
                None => {
                    // Twice as long after each look, and not beyond the end.
                    let end = one.since + looks.within;
                    let next = (now + one.apart).min(end.max(now + FIRST));
                    wanted
                        .insert((next, number), Wanted { apart: APART.min(one.apart * 2), ..one });
                }
            }
        }
    }
}

impl Looks {
    /// Nothing while it may still come.
    fn look(&self, one: &Wanted, now: Instant) -> Option<Found> {
        match JobCache::kept(&self.root, &one.jid) {
            Ok(Some(kept)) => Some(Found::Kept(kept)),
            _ if now < one.since + self.within => None,
            Ok(None) => Some(Found::Nothing),
            Err(error) => {
                if !matches!(error, JobCacheError::Absent { .. }) {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "a job can't be looked for");
                }
                Some(Found::Unknown)
            }
        }
    }
}

fn item(jid: Box<str>, found: Found) -> Item {
    Item { at: Timestamp::now(), heard: Heard::Looked { jid, found } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::job_cache::made::{Made, at, ids, map, text};

    const LONG: Duration = Duration::from_secs(60);
    const JID: &str = "20261122172611123456";

    fn looks(made: &Made, within: Duration) -> Looks {
        Looks { root: made.jobs(), within }
    }

    fn answer(queue: &Queue) -> (String, Found) {
        let item = queue.take(1, LONG, false).unwrap().pop().expect("an answer within a minute");
        let Heard::Looked { jid, found } = item.heard else { panic!("{item:?}") };
        (jid.into(), found)
    }

    #[test]
    fn a_load_is_waited_for_until_it_is_there() {
        let made = Made::new();
        let queue = Arc::new(Queue::new(1_000));
        let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
        assert!(confirmer.ask(JID));
        made.job(JID, &["web1"], at("17:26:11"));
        let (jid, Found::Kept(kept)) = answer(&queue) else { panic!("it is there") };
        assert_eq!((jid.as_str(), kept.minion, kept.user_above), (JID, None, None));
        assert!(kept.deed.is_some());
    }

    #[test]
    fn a_load_that_does_not_come_is_nothing_and_without_a_cache_nobody_knows() {
        let made = Made::new();
        let queue = Arc::new(Queue::new(1_000));
        let moment = Duration::from_millis(1);
        let mut confirmer = looks(&made, moment).start(Arc::clone(&queue)).unwrap();
        confirmer.ask(JID);
        assert_eq!(answer(&queue), (JID.to_owned(), Found::Nothing));
        std::fs::remove_dir(made.jobs()).unwrap();
        confirmer.ask(JID);
        assert_eq!(answer(&queue), (JID.to_owned(), Found::Unknown));
    }

    #[test]
    fn what_a_minion_returned_is_no_load_of_the_masters() {
        let made = Made::new();
        let queue = Arc::new(Queue::new(1_000));
        let load = map(vec![
            ("cmd", text("_return")),
            ("id", text("web1")),
            ("jid", text(JID)),
            ("fun", text("cmd.run")),
            ("fun_args", ids(&["uptime"])),
            ("return", text("up 3 days")),
        ]);
        made.file(JID, ".load.p", &load.to_bytes(), at("17:26:11"));
        let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
        confirmer.ask(JID);
        let (_, Found::Kept(kept)) = answer(&queue) else { panic!("it is there") };
        assert_eq!(kept.minion.as_deref(), Some("web1"));
    }

    #[test]
    fn more_than_fits_is_not_looked_for_and_waits_for_nobody() {
        let made = Made::new();
        let queue = Arc::new(Queue::new(1_000));
        let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
        // What the thread took up meanwhile is answered, what does not fit before it is refused.
        let refused = (0..3 * MOST).filter(|_| !confirmer.ask(JID)).count();
        made.job(JID, &["web1"], at("17:26:11"));
        let mut found = 0;
        for _ in refused..3 * MOST {
            found += usize::from(matches!(answer(&queue).1, Found::Kept(_)));
        }
        assert!((1..=2 * MOST).contains(&found), "{found}");
    }
}
