//! Recording a bus as it is, and taking a recording for a bus.
//!
//! A recording holds everything in clear, secrets too: its file is for its owner only. A replay
//! goes the way of a live bus into a journal, and says nothing to anybody.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use herald_core::change::GapReason;
use herald_core::ledger::Settings;
use herald_core::redact::{Redactor, SiteRules};
use jiff::Timestamp;
use salt_event::capture::{Capture, Captured, Record, write_header, write_record};
use salt_event::frame::FrameBuffer;
use tokio::sync::watch;

use super::intake::Intake;
use super::{MOST, RunError, bus_of};
use crate::config::Config;
use crate::marks;
use crate::source::{Heard, Item, connect, take_frames};
use crate::store::{Disk, Journal};

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayReport {
    /// Events that were read.
    pub events: u64,
    /// Events that could not be understood.
    pub unreadable: u64,
    /// Runs that the journal holds afterwards.
    pub runs: u64,
    /// Bytes at the recording's end that are no whole record: it was cut off there.
    pub cut_off: u64,
}

/// Writes the raw bytes of the bus to a file, until the process is ended.
///
/// # Errors
/// When the file can't be written, or the bus can't be reached at all.
pub fn record(config: Config, file: &Path) -> Result<(), RunError> {
    let bus = bus_of(&config);
    let mut stream = connect(&bus).map_err(|error| format!("{bus} can't be reached: {error}"))?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(file)?;
    let mut out = Vec::new();
    write_header(&mut out);
    let mut buffer = vec![0; 128 << 10];
    loop {
        file.write_all(&out)?;
        out.clear();
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                write_record(
                    Record { at: Timestamp::now(), what: Captured::Bytes(bytes) },
                    &mut out,
                );
            }
            Err(error) if crate::source::is_patience(&error) => {}
            Ok(0) | Err(_) => {
                write_record(Record { at: Timestamp::now(), what: Captured::Lost }, &mut out);
                stream = loop {
                    match connect(&bus) {
                        Ok(stream) => break stream,
                        Err(_) => std::thread::sleep(Duration::from_millis(200)),
                    }
                };
            }
        }
    }
}

/// Takes a recording into a journal, which is made if there is none.
///
/// # Errors
/// When the file is no recording, or the journal can't be written.
pub fn replay(file: &Path, journal: &Path) -> Result<ReplayReport, RunError> {
    replay_with(file, journal, Arc::default())
}

/// The same by the rules of a site.
///
/// # Errors
/// As [`replay`].
pub fn replay_with(
    file: &Path,
    journal: &Path,
    site: Arc<SiteRules>,
) -> Result<ReplayReport, RunError> {
    let bytes = std::fs::read(file)?;
    let mut capture = Capture::read(&bytes)?;
    let opened = Journal::open(journal)?;
    let writer = opened.into_writer()?;
    let reader = writer.reader()?;
    let redactor = Redactor::new(marks::of_journal(journal));
    let settings = Settings { site, ..Settings::default() };
    let start = capture.clone().next().map_or(Timestamp::now(), |record| record.at);
    let mut intake = Intake::new(settings, redactor, reader, writer.clone(), start)?;
    let end = take_capture(&mut intake, &mut capture)?;
    // What had not ended when the recording did would not have ended by itself.
    intake.catch_up(end.unwrap_or(start));
    intake.flush_all()?;
    let counts = intake.counts();
    drop(intake);
    let disk = writer.disk();
    writer.close();
    refuse_away(&disk)?;
    let runs = crate::store::JournalReader::open(journal)?.count_runs()?;
    Ok(ReplayReport {
        events: counts.events,
        unreadable: counts.unreadable,
        runs,
        cut_off: capture.unread() as u64,
    })
}

/// What stands in memory only is lost when we end.
pub(super) fn refuse_away(disk: &watch::Receiver<Disk>) -> Result<(), RunError> {
    match &*disk.borrow() {
        Disk::Away(away) => Err(format!("the journal can't be written: {}", away.why).into()),
        Disk::Well { .. } => Ok(()),
    }
}

fn take_capture(
    intake: &mut Intake,
    capture: &mut Capture<'_>,
) -> Result<Option<Timestamp>, RunError> {
    let mut frames = FrameBuffer::default();
    let mut last = None;
    let mut items = Vec::new();
    for record in capture {
        last = Some(record.at);
        match record.what {
            Captured::Bytes(bytes) => {
                frames.push(bytes);
                if take_frames(&mut frames, record.at, &mut items).is_err() {
                    frames = FrameBuffer::default();
                }
            }
            Captured::Lost => {
                frames = FrameBuffer::default();
                let heard = Heard::Gap { from: record.at, reason: GapReason::MasterAway };
                items.push(Item { at: record.at, heard });
            }
        }
        for item in items.drain(..) {
            intake.take(&item)?;
        }
        if intake.waiting() >= MOST {
            intake.flush()?;
        }
    }
    Ok(last)
}
