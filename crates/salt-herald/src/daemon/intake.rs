//! From what was heard to what is recorded: decodes, asks the ledger, hands batches to the journal.
//!
//! It decides nothing and knows no clock but the items' own times, so that a recording goes the
//! same way as a live bus.

mod looked;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use herald_core::backfill::{Backfill, Counter};
use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::ledger::{Ledger, Settings};
use herald_core::redact::Redactor;
use herald_core::run::{Run, RunId, RunStatus};
use jiff::Timestamp;
use salt_event::event::{Event, Kind, NewJob, decode};

use super::confirm::Confirmer;
use crate::metrics::{BusNumbers, RunNumbers, gauge_of};
use crate::source::job_cache::Piece;
use crate::source::{Heard, Item};
use crate::store::{Batch, Gap, JournalReader, JournalWriter, StoreError};

/// How many families of tags are counted apart.
const MAX_FAMILIES: usize = 1024;

/// What went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames.
    pub events: u64,
    /// Frames that could not be understood.
    pub unreadable: u64,
}

/// Takes items and records what they come to.
pub struct Intake {
    ledger: Ledger,
    reader: JournalReader,
    writer: JournalWriter,
    batch: Batch,
    seen: BTreeMap<String, u64>,
    counts: Counts,
    bus: BusNumbers,
    runs: RunNumbers,
    confirmer: Option<Confirmer>,
    /// Runs up to this one were taken out of the journal.
    gone: RunId,
    /// The journal could not be read the last time: that is logged once.
    cannot_read: bool,
}

impl Intake {
    /// Goes on where the journal stopped.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn new(
        settings: Settings,
        redactor: Redactor,
        mut reader: JournalReader,
        writer: JournalWriter,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let restored = reader.restored()?;
        Ok(Self {
            ledger: Ledger::restore(settings, redactor, now, restored),
            reader,
            writer,
            batch: Batch::default(),
            seen: BTreeMap::new(),
            counts: Counts::default(),
            bus: BusNumbers::default(),
            runs: RunNumbers::default(),
            confirmer: None,
            gone: RunId(0),
            cannot_read: false,
        })
    }

    /// Counts there what goes through.
    pub fn counted_by(self, bus: &BusNumbers, runs: &RunNumbers) -> Self {
        Self { bus: bus.clone(), runs: runs.clone(), ..self }
    }

    /// Has each job that begins looked for in the job cache.
    pub(super) fn confirmed_by(self, confirmer: Confirmer) -> Self {
        Self { confirmer: Some(confirmer), ..self }
    }

    /// What went through so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Records that the journal was opened.
    pub fn note_opened(&mut self, now: Timestamp) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.add(vec![Change { at: now, what: What::Opened { version }, payloads: Vec::new() }]);
    }

    /// Takes one item.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn take(&mut self, item: &Item) -> Result<(), StoreError> {
        if let Heard::Stepped(step) = &item.heard {
            self.ledger.put_clock(*step);
        }
        self.catch_up(item.at);
        match &item.heard {
            Heard::Frame(bytes) => self.take_frame(item.at, bytes)?,
            Heard::TooLong { length, start } => self.add_unreadable(item.at, "", *length, start),
            Heard::Gap { from, reason } => {
                self.bus.gap(*reason);
                let what = What::Gap { from: (*from).min(item.at), to: item.at, reason: *reason };
                self.add(vec![Change { at: item.at, what, payloads: Vec::new() }]);
                let changes = self.ledger.handle_gap(item.at);
                self.add(changes);
            }
            Heard::Lost => {
                self.bus.connected.set(0);
            }
            Heard::Connected => {
                self.bus.connected.set(1);
            }
            Heard::Looked { jid, found } => self.take_found(item.at, jid, found)?,
            Heard::LookedUp { frame, found } => self.take_looked_up(item.at, frame, *found)?,
            Heard::Past(_) | Heard::Stepped(_) => {}
        }
        Ok(())
    }

    /// Takes a piece of the past, and counts what it adds; whether it made sense.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub(super) fn take_past(
        &mut self,
        at: Timestamp,
        piece: &Piece,
        counter: &mut Counter,
    ) -> Result<bool, StoreError> {
        piece.each(|event| {
            self.adopt(at, event)?;
            let changes = self.ledger.handle_past_event(at, piece.told_until(), event);
            counter.take(&changes);
            self.add(changes);
            Ok(())
        })
    }

    /// The past is about to be told: of a gap, or of another time.
    pub(super) fn begin_past(&mut self, of_gap: bool) {
        self.ledger.begin_past(of_gap);
    }

    /// The past is told; all of it that is missing in what began after `whole_since`.
    pub(super) fn end_past(
        &mut self,
        now: Timestamp,
        whole_since: Option<Timestamp>,
        counter: &mut Counter,
    ) {
        let changes = self.ledger.end_past(now, whole_since);
        counter.take(&changes);
        self.add(changes);
    }

    /// Records what a back-fill came to.
    pub(super) fn note_backfilled(&mut self, now: Timestamp, backfill: Backfill) {
        self.add(vec![Change { at: now, what: What::Backfilled(backfill), payloads: Vec::new() }]);
    }

    /// Goes on from what the journal has, as after a restart: it lost something that the ledger knows,
    /// so that a back-fill would find nothing missing.
    ///
    /// # Errors
    /// When the journal is closed.
    pub(super) fn begin_anew(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.flush()?;
        // What is on its way may be of the same run.
        let _ = self.writer.settling()?.blocking_recv();
        let restored = self.ask(|reader| reader.restored().map(Some))?;
        if let Some(restored) = restored {
            self.ledger.begin_anew(now, restored);
            let changes = self.ledger.handle_gap(now);
            self.add(changes);
            self.flush()?;
        }
        Ok(())
    }

    /// The gaps that wait for a back-fill, as far as they are on disk.
    pub(super) fn gaps_to_fill(&mut self) -> Result<Vec<Gap>, StoreError> {
        self.ask(|reader| reader.gaps_to_fill())
    }

    /// When the last gap ended that was not read whole, of those up to this entry and behind it; nothing
    /// where the journal can't be read.
    pub(super) fn blind_until(&mut self, read: u64) -> Result<Option<Timestamp>, StoreError> {
        self.ask(|reader| Ok(Some(reader.blind_until(read)?.unwrap_or(Timestamp::MIN))))
    }

    /// When the journal was begun: what was before is nobody's news.
    pub(super) fn begun_at(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(|reader| reader.begun_at())
    }

    /// The jids of the runs that are open, the latest first.
    pub(super) fn open_jids(&self, most: usize) -> Vec<String> {
        let open = |run: &&Run| run.status == RunStatus::Running;
        let mut runs: Vec<&Run> = self.ledger.runs().filter(open).collect();
        runs.sort_unstable_by_key(|run| Reverse(run.id));
        runs.iter().flat_map(|run| &run.jids).take(most).cloned().collect()
    }

    /// Hears again how an open job began: what is secret in it, the journal does not hold.
    pub(super) fn remind(&mut self, job: &NewJob<'_>) {
        self.ledger.remind(job);
    }

    /// Lets time pass, up to `now`, one deadline after the other.
    pub fn catch_up(&mut self, now: Timestamp) {
        let gone = self.writer.gone();
        if gone > self.gone {
            self.gone = gone;
            self.ledger.forget_up_to(gone);
        }
        while let Some(due) = self.ledger.next_timeout().filter(|due| *due <= now) {
            let changes = self.ledger.handle_timeout(due);
            self.add(changes);
            if self.ledger.next_timeout() == Some(due) {
                // Nothing was due after all: not again for the same time.
                break;
            }
        }
    }

    /// How many changes wait to be handed over.
    pub fn waiting(&self) -> usize {
        self.batch.changes.len()
    }

    /// When time must pass next.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.ledger.next_timeout()
    }

    /// How many runs have not ended.
    #[cfg(test)]
    pub(super) fn open_runs(&self) -> usize {
        self.ledger.open_runs()
    }

    /// Goes by other settings from now on.
    pub fn change_settings(&mut self, settings: Settings) {
        self.ledger.change_settings(settings);
    }

    /// Hands over what came together.
    ///
    /// # Errors
    /// When the journal is closed.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let confirmed = self.ledger.take_confirmed();
        self.add(confirmed);
        let (runs, jobs) = self.ledger.take_touched();
        self.batch.runs = runs.into_iter().cloned().collect();
        self.batch.jobs = jobs.into_iter().cloned().collect();
        self.runs.open.set(gauge_of(self.ledger.open_runs()));
        self.runs.forged_events.inc_by(self.ledger.take_suspects());
        if !self.batch.changes.is_empty() {
            self.batch.seen.extend(std::mem::take(&mut self.seen));
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        self.writer.record(std::mem::take(&mut self.batch))
    }

    /// Hands over everything, the counts of events too, though nothing else may have changed.
    ///
    /// # Errors
    /// When the journal is closed.
    pub fn flush_all(&mut self) -> Result<(), StoreError> {
        self.batch.seen.extend(std::mem::take(&mut self.seen));
        self.flush()
    }

    /// The way to the journal.
    pub fn writer(&self) -> &JournalWriter {
        &self.writer
    }

    fn take_frame(&mut self, at: Timestamp, bytes: &[u8]) -> Result<(), StoreError> {
        self.counts.events += 1;
        self.bus.event_at(at);
        let event = match decode(bytes) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, bytes = bytes.len(), "an event can't be read");
                let tag = error.tag().unwrap_or_default().to_owned();
                self.add_unreadable(at, &tag, bytes.len() as u64, bytes);
                return Ok(());
            }
        };
        self.count(&event);
        self.adopt(at, &event)?;
        if self.is_odd(&event) {
            tracing::warn!(tag = ?event.tag, bytes = bytes.len(), "an event of a job makes no sense");
            self.add_unreadable(at, &event.tag, bytes.len() as u64, bytes);
            return Ok(());
        }
        if self.is_looked_up(&event, bytes) {
            return Ok(());
        }
        let changes = self.ledger.handle_event(at, &event);
        self.add(changes);
        self.have_looked_for(at);
        Ok(())
    }

    /// Whether an event claims to be of a job, and none can be made of it: a return of a job that nobody
    /// knows, and that does not say what was run, is no run either.
    fn is_odd(&self, event: &Event<'_>) -> bool {
        match &event.kind {
            Kind::Odd => true,
            Kind::Return(ret) => {
                let is_unknown = self.ledger.unknown_jid(event).is_some();
                ret.fun.is_empty() && !ret.tag_differs && is_unknown
            }
            _ => false,
        }
    }

    /// Counts what is only counted.
    fn count(&mut self, event: &Event<'_>) {
        if !matches!(
            event.kind,
            Kind::Other | Kind::Odd | Kind::Echo | Kind::Key(_) | Kind::FromMinion { .. }
        ) {
            return;
        }
        let family = salt_event::tag::family(&event.tag);
        let is_new = !self.seen.contains_key(&family);
        let family =
            if is_new && self.seen.len() >= MAX_FAMILIES { "(others)".to_owned() } else { family };
        *self.seen.entry(family).or_default() += 1;
    }

    /// Gives the ledger a run that only the journal remembers.
    fn adopt(&mut self, at: Timestamp, event: &Event<'_>) -> Result<(), StoreError> {
        match self.ledger.unknown_jid(event) {
            Some(jid) => self.adopt_jid(at, jid),
            None => Ok(()),
        }
    }

    fn adopt_jid(&mut self, at: Timestamp, jid: &str) -> Result<(), StoreError> {
        for (run, jobs) in self.ask(|reader| reader.runs_with_jid(jid))? {
            self.ledger.adopt(at, run, jobs);
        }
        Ok(())
    }

    /// Asks the journal. Where its file can't be read, what is in memory has to do, and then nothing:
    /// a run whose start is not known is better than none.
    fn ask<T: Default>(
        &mut self,
        question: impl Fn(&mut JournalReader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 0..2 {
            match self.reader.follow().and_then(|()| question(&mut self.reader)) {
                Err(error @ (StoreError::Sqlite { .. } | StoreError::Damaged { .. })) => {
                    if !std::mem::replace(&mut self.cannot_read, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "the journal can't be read; going on without");
                    }
                    self.reader.leave_file();
                }
                answered => {
                    self.cannot_read = false;
                    return answered;
                }
            }
        }
        Ok(T::default())
    }

    fn add_unreadable(&mut self, at: Timestamp, tag: &str, length: u64, bytes: &[u8]) {
        self.counts.unreadable += 1;
        self.bus.unreadable.inc();
        let tag = tag.chars().take(256).collect();
        let what = What::Unreadable { tag, length, digest: Digest::of(bytes) };
        self.add(vec![Change { at, what, payloads: Vec::new() }]);
    }

    fn add(&mut self, changes: Vec<Change>) {
        changes.iter().for_each(|change| self.count_run(&change.what));
        self.batch.changes.extend(changes);
    }

    fn count_run(&self, what: &What) {
        match what {
            What::RunStarted { head, .. } => self.runs.started(head.value.kind),
            What::Stood { standing, jobs } => self.runs.stood(*standing, jobs.len()),
            What::RunEnded { run, status, .. } => {
                if let Some(run) = self.ledger.run(*run) {
                    self.runs.ended(run.head.kind, *status);
                }
            }
            _ => {}
        }
    }
}
