//! Captures: a bus written down, byte for byte, with the times at which its pieces came.
//!
//! An ASCII line `salt-herald capture 1`, then records of 8 bytes microseconds since the epoch, 1
//! byte kind, 4 bytes length (numbers big-endian) and so many bytes. A capture may break off
//! anywhere. This works on bytes in memory, does no I/O, and hides nothing: a capture holds every
//! secret that was on the bus.

use jiff::Timestamp;
use thiserror::Error;

/// What every capture begins with, whatever its version.
const MAGIC: &[u8] = b"salt-herald capture ";
/// The version that we read and write, with the end of its line.
const VERSION: &[u8] = b"1\n";
/// Time, kind and length.
const RECORD_HEADER: usize = 8 + 1 + 4;

const BYTES: u8 = 0;
const LOST: u8 = 1;

/// Why bytes are no capture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// Another kind of file.
    #[error("this is no capture: it does not begin with \"salt-herald capture\"")]
    NotACapture,
    /// A capture in a format that is not ours.
    #[error("the capture is of version {version:?}, but only version 1 can be read")]
    Version {
        /// The version that its first line names.
        version: String,
    },
}

/// One record of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it happened, by the clock of the machine that captured.
    pub at: Timestamp,
    /// What happened.
    pub what: Captured<'a>,
}

/// What happened while a bus was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured<'a> {
    /// Bytes came, cut as the socket gave them.
    Bytes(&'a [u8]),
    /// The connection was lost; what follows is a new one, with a frame's beginning.
    Lost,
}

/// The records of a capture, in the order in which they were written.
///
/// ```
/// use salt_event::capture::{Capture, Captured, Record, write_header, write_record};
///
/// let at = "2026-11-22T17:26:11.5Z".parse()?;
/// let mut file = Vec::new();
/// write_header(&mut file);
/// write_record(Record { at, what: Captured::Bytes(b"\x80") }, &mut file);
///
/// let mut capture = Capture::read(&file)?;
/// assert_eq!(capture.next(), Some(Record { at, what: Captured::Bytes(b"\x80") }));
/// assert_eq!(capture.next(), None);
/// assert_eq!(capture.unread(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Capture<'a> {
    rest: &'a [u8],
}

impl<'a> Capture<'a> {
    /// Reads the first line; the records follow by iterating.
    ///
    /// # Errors
    /// When the bytes are no capture, or one of another version.
    pub fn read(bytes: &'a [u8]) -> Result<Self, CaptureError> {
        let line = bytes.strip_prefix(MAGIC).ok_or(CaptureError::NotACapture)?;
        match line.strip_prefix(VERSION) {
            Some(rest) => Ok(Self { rest }),
            None => {
                let version = line.iter().take(20).take_while(|byte| **byte != b'\n');
                let version: Vec<u8> = version.copied().collect();
                Err(CaptureError::Version {
                    version: String::from_utf8_lossy(&version).into_owned(),
                })
            }
        }
    }

    /// How many bytes are left behind the last whole record, once the iteration has ended: more than
    /// none when the capture was cut off.
    pub fn unread(&self) -> usize {
        self.rest.len()
    }

    /// One record of any kind, known to us or not.
    fn record(&mut self) -> Option<(Timestamp, u8, &'a [u8])> {
        let (time, rest) = self.rest.split_first_chunk::<8>()?;
        let (&kind, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (bytes, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((time_of(u64::from_be_bytes(*time)), kind, bytes))
    }
}

impl<'a> Iterator for Capture<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, kind, bytes) = self.record()?;
            let what = match kind {
                BYTES => Captured::Bytes(bytes),
                LOST => Captured::Lost,
                // Something that a later version may add beside the bytes.
                _ => continue,
            };
            return Some(Record { at, what });
        }
    }
}

fn time_of(microseconds: u64) -> Timestamp {
    i64::try_from(microseconds)
        .ok()
        .and_then(|microseconds| Timestamp::from_microsecond(microseconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Appends what a capture begins with.
pub fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(VERSION);
}

/// Appends a record. A time before 1970 is written as 1970. Bytes above 4 GiB make several records.
pub fn write_record(record: Record<'_>, out: &mut Vec<u8>) {
    let time = u64::try_from(record.at.as_microsecond()).unwrap_or(0);
    match record.what {
        Captured::Lost => write(time, LOST, &[], out),
        Captured::Bytes(bytes) => {
            bytes.chunks(u32::MAX as usize).for_each(|bytes| write(time, BYTES, bytes, out))
        }
    }
}

fn write(time: u64, kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(RECORD_HEADER + bytes.len());
    out.extend_from_slice(&time.to_be_bytes());
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, Vec<Record<'static>>) {
        let at = |micros| Timestamp::from_microsecond(micros).unwrap();
        let records = vec![
            Record { at: at(1), what: Captured::Bytes(b"abc") },
            Record { at: at(1_795_370_103_216_132), what: Captured::Lost },
            Record { at: at(1_795_370_103_216_133), what: Captured::Bytes(&[0; 300]) },
        ];
        let mut out = Vec::new();
        write_header(&mut out);
        for record in &records {
            write_record(*record, &mut out);
        }
        (out, records)
    }

    #[test]
    fn what_was_written_is_read() {
        let (bytes, records) = sample();
        let mut capture = Capture::read(&bytes).unwrap();
        assert_eq!(capture.by_ref().collect::<Vec<_>>(), records);
        assert_eq!(capture.unread(), 0);
    }

    #[test]
    fn a_cut_costs_only_the_record_that_is_cut() {
        let (bytes, records) = sample();
        let begin = MAGIC.len() + VERSION.len();
        for end in begin..bytes.len() {
            let mut capture = Capture::read(&bytes[..end]).unwrap();
            let read: Vec<_> = capture.by_ref().collect();
            assert!(records.starts_with(&read), "{end}");
            assert!(read.len() < records.len(), "{end}");
            assert_eq!(capture.next(), None, "{end}");
            let whole = match read.len() {
                0 => 0,
                1 => RECORD_HEADER + 3,
                _ => 2 * RECORD_HEADER + 3,
            };
            assert_eq!(capture.unread(), end - begin - whole, "{end}");
        }
    }

    #[test]
    fn records_of_a_later_kind_and_absurd_times_are_no_obstacle() {
        let mut bytes = Vec::new();
        write_header(&mut bytes);
        write(7, 9, b"later", &mut bytes);
        write(u64::MAX, BYTES, b"x", &mut bytes);
        let read: Vec<_> = Capture::read(&bytes).unwrap().collect();
        let at = Timestamp::MAX;
        let what = Captured::Bytes(b"x");
        assert_eq!(read, [Record { at, what }]);
    }

    #[test]
    fn what_is_no_capture_is_said() {
        for no in [&b""[..], b"salt-herald", b"SQLite format 3\0"] {
            let error = Capture::read(no).unwrap_err();
            assert_eq!(error, CaptureError::NotACapture);
        }
        for (bytes, version) in [
            (&b"salt-herald capture 2\nrest"[..], "2"),
            (b"salt-herald capture 1", "1"),
            (b"salt-herald capture \xff345678901234567890123", "\u{fffd}3456789012345678901"),
        ] {
            let error = Capture::read(bytes).unwrap_err();
            let version = version.to_owned();
            assert_eq!(error, CaptureError::Version { version });
        }
    }
}
