//! Where everything is written: in the file, or in memory while the file can't be, and in the file again
//! once it can. Who writes notices nothing of it.
//!
//! When and how often the file is tried again is decided here; what is said of it is the daemon's matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use herald_core::change::GapReason;
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::sync::watch;

use super::deed::{Answer, Deed};
use super::lock::Lock;
use super::memory::Memory;
use super::overlay::Place;
use super::restore::UNSURE_UNTIL;
use super::speed::Speed;
use super::write::{End, Inserter};
use super::{open, refused};
use crate::metrics::JournalNumbers;
use crate::store::{Away, Batch, Disk, Keeping, SinkState, StoreError};

/// How long to wait before the file is tried again, at first and at the most.
const RETRY: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];
/// How long nothing is said in the log of a file that still can't be written, at first and at the most.
const REPEAT: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(3600)];

/// How long to rest before what has to wait for readers is tried again.
const REST: Duration = Duration::from_millis(5);

/// What is shared with those who wait for the writer.
#[derive(Debug)]
pub(super) struct Shared {
    /// Where readers look.
    pub(super) place: Arc<Place>,
    /// Counts commits.
    pub(super) numbers: JournalNumbers,
    /// How the file is.
    pub(super) disk: watch::Sender<Disk>,
    /// How fast it is.
    pub(super) speed: Speed,
    /// No more batches, for now.
    pub(super) full: AtomicBool,
    /// Nothing is waited for any more: the process ends.
    pub(super) abandoned: AtomicBool,
    /// What found no room since the file could not be written: the first and the last of it.
    pub(super) lost: std::sync::Mutex<Option<(Timestamp, Timestamp)>>,
    /// How long things are to be kept from now on, and the sinks that are heeded.
    pub(super) rules: std::sync::Mutex<Option<(Keeping, Vec<String>)>>,
    /// How many batches were lost by themselves, each of which is a gap.
    pub(super) refused: AtomicU64,
    /// Runs up to this one were taken out.
    pub(super) gone: Arc<AtomicU64>,
}

impl Shared {
    pub(super) fn new(place: Arc<Place>, numbers: JournalNumbers) -> Self {
        Self {
            place,
            numbers,
            disk: watch::Sender::new(Disk::Well { lost: None }),
            speed: Speed::default(),
            full: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            lost: std::sync::Mutex::new(None),
            rules: std::sync::Mutex::new(None),
            refused: AtomicU64::new(0),
            gone: Arc::default(),
        }
    }

    /// Why something found no room that came at that time.
    pub(super) fn why_no_room(&self, at: Timestamp) -> GapReason {
        if matches!(*self.disk.borrow(), Disk::Well { .. }) {
            return GapReason::QueueFull;
        }
        if let Ok(mut lost) = self.lost.lock() {
            let (from, to) = lost.unwrap_or((at, at));
            *lost = Some((from.min(at), to.max(at)));
        }
        GapReason::DiskAway
    }
}

/// Writes, wherever it can.
pub(super) struct Recorder {
    file: Option<Inserter>,
    memory: Option<Memory>,
    lock: Option<Lock>,
    origin: [u8; 16],
    shared: Arc<Shared>,
    /// How many bytes may be held in memory.
    limit: usize,
    /// When the file is tried again, and how long after that.
    retry: (Instant, Duration),
    /// When the log says next that it still can't be written, and how long after that.
    repeat: (Instant, Duration),
    for_good: bool,
}

impl Recorder {
    /// Writes into a file that can be written.
    pub(super) fn new(file: Inserter, lock: Lock, limit: usize, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            origin: file.origin(),
            file: Some(file),
            memory: None,
            lock: Some(lock),
            shared,
            limit,
            retry: (now, RETRY[0]),
            repeat: (now, REPEAT[0]),
            for_good: false,
        }
    }

    /// Begins in memory: the file can be read, but not written.
    pub(super) fn begin_away(
        (origin, end, last): ([u8; 16], End, RunId),
        lock: Option<Lock>,
        limit: usize,
        shared: Arc<Shared>,
        why: &StoreError,
    ) -> Result<Self, StoreError> {
        let now = Instant::now();
        let mut recorder = Self {
            origin,
            file: None,
            memory: None,
            lock,
            shared,
            limit,
            retry: (now, RETRY[0]),
            repeat: (now, REPEAT[0]),
            for_good: false,
        };
        recorder.go_away((end, last), why)?;
        if let Some(memory) = &mut recorder.memory {
            // Who wrote it before may have ended with something in memory, and could not leave word.
            let now = Timestamp::now().as_microsecond();
            let noted = memory.write(vec![Deed::Note(UNSURE_UNTIL, now)]);
            noted.map_err(|(error, _)| error)?;
        }
        Ok(recorder)
    }

    /// Does some deeds, all at once, and gives their answers once that is as sure as it can be.
    pub(super) fn write(&mut self, deeds: Vec<Deed>) -> Vec<Answer> {
        loop {
            if self.memory.is_some() {
                return self.write_in_memory(deeds);
            }
            let Some(file) = &mut self.file else { return Vec::new() };
            let mut answers = Vec::with_capacity(deeds.len());
            let written = file.transaction(|insert| {
                deeds
                    .iter()
                    .try_for_each(|deed| insert.carry_out(deed).map(|one| answers.push(Some(one))))
            });
            let Err(error) = written else { return answers };
            let end = (file.end(), file.last_run());
            if let Err(other) = self.go_away(end, &error) {
                let cause = &other as &dyn std::error::Error;
                tracing::error!(error = cause, "nothing can be kept in memory either");
                std::thread::sleep(RETRY[0]);
            }
        }
    }

    fn write_in_memory(&mut self, deeds: Vec<Deed>) -> Vec<Answer> {
        let Some(memory) = &mut self.memory else { return Vec::new() };
        let answers = match write_patiently(memory, &self.shared, deeds) {
            Ok(answers) => answers.into_iter().map(Some).collect(),
            // One of them is to blame: it costs only itself.
            Err((_, deeds)) => {
                deeds.into_iter().map(|deed| write_alone(memory, &self.shared, deed)).collect()
            }
        };
        self.tell();
        answers
    }

    /// What is shared with those who wait.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The number of the last entry that is written.
    pub(super) fn last_number(&self) -> u64 {
        let file = self.file.as_ref().map_or(0, Inserter::last_number);
        self.memory.as_ref().map_or(file, Memory::last_number)
    }

    /// Whether work was left over that can be done now.
    pub(super) fn is_behind(&self) -> bool {
        self.memory.is_none() && self.file.as_ref().is_some_and(Inserter::is_behind)
    }

    /// How long things are to be kept, if that changed.
    pub(super) fn take_rules(&self) -> Option<(Keeping, Vec<String>)> {
        self.shared.rules.lock().ok().and_then(|mut rules| rules.take())
    }

    /// The file's, while it can be written.
    pub(super) fn file(&mut self) -> Option<&mut Inserter> {
        self.file.as_mut().filter(|_| self.memory.is_none())
    }

    /// Does what was left over.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreError> {
        self.file.as_mut().map_or(Ok(()), Inserter::catch_up)
    }

    /// How long until the file is tried again, if it is to be.
    pub(super) fn until_retry(&self) -> Option<Duration> {
        let is_away = self.memory.is_some() && !self.for_good;
        is_away.then(|| self.retry.0.saturating_duration_since(Instant::now()))
    }

    /// Tries to write into the file what waits in memory.
    pub(super) fn retry(&mut self) {
        let Err(error) = self.come_back() else { return };
        let now = Instant::now();
        self.retry = (now + self.retry.1, (self.retry.1 * 2).min(RETRY[1]));
        let gives_up = is_damage(&error);
        if gives_up {
            self.tell_for_good(&error);
        }
        if gives_up || now >= self.repeat.0 {
            self.repeat = (now + self.repeat.1, (self.repeat.1 * 2).min(REPEAT[1]));
            let size = self.memory.as_ref().map_or(0, Memory::size);
            let cause = &error as &dyn std::error::Error;
            tracing::error!(error = cause, bytes = size, "the journal still can't be written");
        }
    }

    /// The file is not tried again: whoever was told that it would be is told otherwise.
    fn tell_for_good(&mut self, error: &StoreError) {
        self.for_good = true;
        let mut since = None;
        self.shared.disk.send_modify(|disk| {
            if let Disk::Away(away) = disk {
                (away.why, away.for_good) = (said(error), true);
                since = Some(away.since);
            }
        });
        if let Some(since) = since {
            self.tell_lock(since, &said(error));
        }
    }

    fn tell_lock(&mut self, since: Timestamp, why: &str) {
        let line = format!("in memory since {since}: {why}");
        self.lock.iter_mut().for_each(|lock| lock.tell(Some(&line)));
    }

    /// Nothing more comes: what is in memory is written now, or lost.
    pub(super) fn end(mut self) {
        if !self.for_good {
            let _ = self.come_back();
        }
        if let Some(memory) = &self.memory {
            let entries = memory.last_number() - memory.base.number;
            tracing::error!(entries, "the journal could not be written: these are lost");
        }
    }

    fn go_away(&mut self, (end, last): (End, RunId), why: &StoreError) -> Result<(), StoreError> {
        let memory = Memory::begin(self.shared.place.path(), self.origin, (end, last))?;
        self.for_good = is_damage(why);
        let now = Instant::now();
        (self.retry, self.repeat) =
            ((now + RETRY[0], RETRY[0] * 2), (now + REPEAT[0], REPEAT[0] * 2));
        let cause = why as &dyn std::error::Error;
        tracing::error!(error = cause, "the journal can't be written; it goes on in memory");
        self.shared.place.move_to(Some(memory.place.clone()));
        let left = self.limit;
        let (since, recorded, for_good) = (Timestamp::now(), end.number, self.for_good);
        let why = said(why);
        self.tell_lock(since, &why);
        self.memory = Some(memory);
        self.shared.disk.send_replace(Disk::Away(Away { why, since, recorded, left, for_good }));
        Ok(())
    }

    /// Tells how much room is left in memory.
    fn tell(&mut self) {
        let Some(memory) = &self.memory else { return };
        let room = self.limit.saturating_sub(memory.size());
        self.shared.full.store(room == 0, Ordering::Release);
        self.shared.disk.send_if_modified(|disk| match disk {
            Disk::Away(away) => std::mem::replace(&mut away.left, room) != room,
            Disk::Well { .. } => false,
        });
    }

    fn come_back(&mut self) -> Result<(), StoreError> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let path = self.shared.place.path();
        if self.lock.as_ref().is_none_or(Lock::is_weak) {
            self.lock = None;
            self.lock = Some(Lock::take(path)?);
        }
        let connection = open::reopen(path)?;
        let mut file = Inserter::new(connection)?.counted_by(self.shared.numbers.clone());
        if (file.origin(), file.end()) != (self.origin, memory.base) {
            let what = "another journal lies in its place".to_owned();
            return Err(StoreError::Damaged { what });
        }
        let (done, mut refused) = (&memory.done, 0);
        let whole = file.transaction(|insert| {
            done.iter().try_for_each(|deed| insert.carry_out(deed).map(|_| ()))
        });
        match whole {
            // One of them is to blame: it must not keep all others away for ever.
            Err(error) if refused::is_refusal(&error) => {
                let mut gaps = 0;
                file.transaction(|insert| {
                    gaps = 0;
                    done.iter().try_for_each(|deed| {
                        gaps += u64::from(insert.carry_out_or_gap(deed)?);
                        Ok(())
                    })
                })?;
                refused = gaps;
            }
            whole => whole?,
        }
        let entries = file.last_number() - memory.base.number;
        if file.end() != memory.end() {
            tracing::error!("what was written is not what was kept in memory");
        }
        tracing::info!(entries, "the journal is written again");
        self.file = Some(file);
        self.shared.place.move_to(None);
        self.memory = None;
        self.shared.full.store(false, Ordering::Release);
        self.lock.iter_mut().for_each(|lock| lock.tell(None));
        let lost = self.shared.lost.lock().map(|mut lost| lost.take()).unwrap_or_default();
        self.shared.refused.fetch_add(refused, Ordering::Release);
        self.shared.disk.send_replace(Disk::Well { lost });
        Ok(())
    }
}

/// Writes in memory, however long somebody reads there. Who reads file and memory as one holds the
/// memory, too, while a sick disk lets it wait; that is no fault of what is to be written.
fn write_patiently(
    memory: &mut Memory,
    shared: &Shared,
    mut deeds: Vec<Deed>,
) -> Result<Vec<Option<SinkState>>, (StoreError, Vec<Deed>)> {
    let mut repeat = Instant::now();
    loop {
        match memory.write(deeds) {
            Err((error, back))
                if is_passing(&error) && !shared.abandoned.load(Ordering::Acquire) =>
            {
                if Instant::now() >= repeat {
                    repeat = Instant::now() + REPEAT[0];
                    let cause = &error as &dyn std::error::Error;
                    tracing::warn!(error = cause, "what is to be kept in memory has to wait");
                }
                std::thread::sleep(REST);
                deeds = back;
            }
            done => return done,
        }
    }
}

/// What can't be kept even by itself is lost, and a gap.
fn write_alone(memory: &mut Memory, shared: &Shared, deed: Deed) -> Answer {
    let (error, mut deeds) = match write_patiently(memory, shared, vec![deed]) {
        Ok(answers) => return answers.into_iter().next(),
        Err(refused) => refused,
    };
    let cause = &error as &dyn std::error::Error;
    tracing::error!(error = cause, "this can't be recorded, and is lost");
    if let Some(Deed::Record(batch)) = deeds.pop()
        && let Some(gap) = refused::gap_instead(&batch)
    {
        let batch = Batch { changes: vec![gap], ..Batch::default() };
        if let Err((error, _)) = write_patiently(memory, shared, vec![Deed::Record(batch)]) {
            let cause = &error as &dyn std::error::Error;
            tracing::error!(error = cause, "nor can it be recorded that it is lost");
        }
        shared.refused.fetch_add(1, Ordering::Release);
    }
    None
}

/// Whether it is worth trying again, as nothing is wrong with what is to be written.
fn is_passing(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, OperationInterrupted, OutOfMemory};
    let StoreError::Sqlite { source, .. } = error else { return false };
    matches!(
        source.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked | OperationInterrupted | OutOfMemory)
    )
}

fn is_damage(error: &StoreError) -> bool {
    match error {
        StoreError::Sqlite { source, .. } => open::is_damage(source),
        StoreError::Broken { .. } | StoreError::Damaged { .. } => true,
        _ => false,
    }
}

/// An error in one line, without what everybody knows.
fn said(error: &StoreError) -> String {
    match error {
        StoreError::Sqlite { source, .. } => source.to_string(),
        StoreError::Open { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}
