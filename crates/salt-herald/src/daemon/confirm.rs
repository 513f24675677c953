//! Looks for each job that begins in the master's job cache, again and again, until its load is there;
//! and likewise for a return that is not believed by itself.
//!
//! The master fires an event first and writes its file then, mostly within milliseconds. A thread
//! of its own looks, at low priority and so often a second at the most: whoever can send events could
//! make it look. Who asks never waits for it, and what does not fit is not looked for. What was
//! found goes the way of every event; what it means is the ledger's matter.

mod purse;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use herald_core::confirm::{Found, FoundReturn};
use jiff::Timestamp;

use self::purse::Purse;
use crate::config::MasterConfig;
use crate::source::job_cache::{JobCache, JobCacheError};
use crate::source::{Heard, Item, Queue};

/// Most that is looked for at once: at 10,000 jobs a minute, 330 are within two seconds.
const MOST: usize = 4_096;
/// How many bytes of returns may wait to be looked up.
const MOST_HELD: usize = 16 << 20;
/// How long after an event the cache is looked into, the first times.
const FIRST: Duration = Duration::from_millis(20);
/// How far apart two looks are at the most.
const APART: Duration = Duration::from_millis(400);
/// A return is looked for as many times longer than a job: who is in doubt can wait, and what is not
/// there is not counted.
const LONGER: u32 = 5;

/// Where loads are looked for, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Looks {
    root: PathBuf,
    within: Duration,
}

/// What is to be looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The load of a job.
    Job(Box<str>),
    /// What a minion returned.
    Return {
        jid: Box<str>,
        minion: Box<str>,
        /// As it came.
        frame: Box<[u8]>,
    },
}

impl Ask {
    fn held(&self) -> usize {
        match self {
            Ask::Job(_) => 0,
            Ask::Return { frame, .. } => frame.len(),
        }
    }
}

/// The way to ask.
#[derive(Debug)]
pub(super) struct Confirmer {
    asks: SyncSender<Ask>,
    /// How many bytes of returns wait.
    held: Arc<AtomicUsize>,
    /// Some did not fit: that is logged once for each time.
    is_full: bool,
}

impl Looks {
    /// Nothing, where the master keeps no loads that we could find.
    pub(super) fn of(master: &MasterConfig, within: Duration) -> Option<Self> {
        let root = master.job_cache_dir();
        (master.keeps_loads() && !within.is_zero()).then_some(Self { root, within })
    }

    /// Whether the cache may be read. That it is not there yet says nothing: a master makes it with its
    /// first job.
    pub(super) fn can_look(&self) -> bool {
        !matches!(JobCache::open(&self.root), Err(JobCacheError::Denied { .. }))
    }

    /// Begins the thread that looks. It ends by itself when nobody can ask any more.
    pub(super) fn start(self, queue: Arc<Queue>) -> std::io::Result<Confirmer> {
        let (asks, asked) = sync_channel(MOST);
        let held = Arc::new(AtomicUsize::new(0));
        let mut looking = Looking {
            looks: self,
            queue,
            held: Arc::clone(&held),
            wanted: BTreeMap::new(),
            count: 0,
            purse: Purse::full(Instant::now()),
        };
        std::thread::Builder::new()
            .name("confirm".to_owned())
            .spawn(move || looking.look_for_all(&asked))?;
        Ok(Confirmer { asks, held, is_full: false })
    }
}

impl Confirmer {
    /// Asks; false where there is no room for it.
    pub(super) fn ask(&mut self, ask: Ask) -> bool {
        let size = ask.held();
        let before = self.held.fetch_add(size, Ordering::Relaxed);
        if before + size <= MOST_HELD && self.asks.try_send(ask).is_ok() {
            self.is_full = false;
            return true;
        }
        self.held.fetch_sub(size, Ordering::Relaxed);
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!("so much is in doubt that not all is looked for in the job cache");
        }
        false
    }
}

/// Something that is looked for.
struct Wanted {
    ask: Ask,
    since: Instant,
    apart: Duration,
}

/// What the thread has in hand.
struct Looking {
    looks: Looks,
    queue: Arc<Queue>,
    held: Arc<AtomicUsize>,
    /// By when each is due; the number tells apart what is due at the same time.
    wanted: BTreeMap<(Instant, u64), Wanted>,
    count: u64,
    purse: Purse,
}

impl Looking {
    fn look_for_all(&mut self, asked: &Receiver<Ask>) {
        // The thread alone is made nicer, and stays so.
        if let Err(error) = rustix::process::nice(19) {
            tracing::debug!(%error, "the thread keeps its priority");
        }
        loop {
            let now = Instant::now();
            let next = self.wanted.keys().next().map_or(Duration::MAX, |(due, _)| *due - now);
            match asked.recv_timeout(next) {
                Ok(ask) if self.wanted.len() < MOST => {
                    let one = Wanted { ask, since: Instant::now(), apart: FIRST };
                    self.wanted.insert((one.since + FIRST, self.count), one);
                    self.count += 1;
                }
                Ok(ask) => self.answer(ask, Answer::unknown()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look_at_due(Instant::now());
        }
    }

    fn look_at_due(&mut self, now: Instant) {
        let later = self.wanted.split_off(&(now, u64::MAX));
        for ((_, number), one) in std::mem::replace(&mut self.wanted, later) {
            let end = one.since + self.looks.within_of(&one.ask);
            let answer = match self.purse.take(now) {
                true => self.looks.look(&one.ask, now >= end),
                // There was no time to look.
                false => (now >= end).then(Answer::unknown),
            };
            match answer {
                Some(answer) => self.answer(one.ask, answer),
                None => {
                    // Twice as long after each look, and not beyond the end.
                    let next = (now + one.apart).min(end.max(now + FIRST));
                    let apart = APART.min(one.apart * 2);
                    self.wanted.insert((next, number), Wanted { apart, ..one });
                }
            }
        }
    }

    fn answer(&self, ask: Ask, answer: Answer) {
        self.held.fetch_sub(ask.held(), Ordering::Relaxed);
        let heard = match ask {
            Ask::Job(jid) => Heard::Looked { jid, found: answer.job },
            Ask::Return { frame, .. } => Heard::LookedUp { frame, found: answer.ret },
        };
        self.queue.push([Item { at: Timestamp::now(), heard }]);
    }
}

/// What was found, of whichever was asked for.
struct Answer {
    job: Found,
    ret: FoundReturn,
}

impl Answer {
    fn unknown() -> Self {
        Self { job: Found::Unknown, ret: FoundReturn::Unknown }
    }
}

impl Looks {
    fn within_of(&self, ask: &Ask) -> Duration {
        match ask {
            Ask::Job(_) => self.within,
            Ask::Return { .. } => self.within * LONGER,
        }
    }

    /// Nothing while it may still come.
    fn look(&self, ask: &Ask, is_last: bool) -> Option<Answer> {
        let found = match ask {
            Ask::Job(jid) => JobCache::kept(&self.root, jid).map(|kept| {
                kept.map(|kept| Answer { job: Found::Kept(kept), ..Answer::unknown() })
                    .or(is_last.then(|| Answer { job: Found::Nothing, ..Answer::unknown() }))
            }),
            Ask::Return { jid, minion, .. } => {
                JobCache::kept_return(&self.root, jid, minion).map(|ret| match ret {
                    FoundReturn::Nothing if !is_last => None,
                    ret => Some(Answer { ret, ..Answer::unknown() }),
                })
            }
        };
        match found {
            Ok(answer) => answer,
            Err(_) if !is_last => None,
            Err(error) => {
                if !matches!(error, JobCacheError::Absent { .. }) {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "the job cache can't be looked into");
                }
                Some(Answer::unknown())
            }
        }
    }
}

#[cfg(test)]
mod tests;
