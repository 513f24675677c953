//! Salt's times: `_stamp`, jids, a state's start and duration.
//!
//! Only reading; what zone a jid was written in is the caller's knowledge.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::msgpack::{Raw, Token};

/// Reads a `_stamp`: ISO 8601, in UTC, with an offset or without one.
pub fn parse_stamp(text: &str) -> Option<Timestamp> {
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(stamp);
    }
    text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Longest jid that we take, in bytes; Salt's own have 20 digits and at most a process id.
pub const MAX_JID: usize = 64;

/// Whether text has the form of a jid: 20 digits, perhaps with `_` and a process id.
pub fn is_jid(text: &str) -> bool {
    let (time, tail) = text.split_once('_').unwrap_or((text, "0"));
    time.len() == 20
        && text.len() <= MAX_JID
        && !tail.is_empty()
        && [time, tail].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The time that a jid names: in the master's zone, or in UTC where `utc_jid` is set.
pub fn jid_time(jid: &str) -> Option<DateTime> {
    if !is_jid(jid) {
        return None;
    }
    let number = |from: usize, to: usize| jid.get(from..to)?.parse::<i32>().ok();
    DateTime::new(
        i16::try_from(number(0, 4)?).ok()?,
        i8::try_from(number(4, 6)?).ok()?,
        i8::try_from(number(6, 8)?).ok()?,
        i8::try_from(number(8, 10)?).ok()?,
        i8::try_from(number(10, 12)?).ok()?,
        i8::try_from(number(12, 14)?).ok()?,
        number(14, 20)?.checked_mul(1000)?,
    )
    .ok()
}

/// A state's `duration`, which Salt gives in milliseconds (old minions: as text, with the unit).
/// In microseconds.
pub(crate) fn parse_duration(raw: Raw<'_>) -> Option<u64> {
    let milliseconds = match raw.token() {
        Token::Float(value) => value,
        Token::Int(value) => value as f64,
        Token::Str(text) => {
            str::from_utf8(text).ok()?.trim_end_matches("ms").trim().parse().ok()?
        }
        _ => return None,
    };
    (0.0..1e13).contains(&milliseconds).then(|| (milliseconds * 1000.0).round() as u64)
}

/// A state's `start_time`, `HH:MM:SS.ffffff` by the minion's clock. In microseconds since midnight.
pub(crate) fn parse_start(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    if hours > 23 || minutes > 59 || seconds > 60 || fraction.len() > 6 {
        return None;
    }
    let scale = 10_u64.pow(6 - u32::try_from(fraction.len()).ok()?);
    let micros = fraction.parse::<u64>().ok()? * scale;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_with_and_without_an_offset_are_utc() {
        let wanted = "2026-11-22T17:26:11.123456Z".parse::<Timestamp>().unwrap();
        for text in [
            "2026-11-22T17:26:11.123456",
            "2026-11-22T17:26:11.123456+00:00",
            "2026-11-22T18:26:11.123456+01:00",
        ] {
            assert_eq!(parse_stamp(text), Some(wanted), "{text}");
        }
        assert_eq!(parse_stamp("yesterday"), None);
    }

    #[test]
    fn a_jid_is_twenty_digits_and_perhaps_a_process() {
        assert!(is_jid("20261122172611123456"));
        assert!(is_jid("20261122172611123456_4711"));
        for no in ["2026112217261112345", "20261122172611123456_", "req", "2026112217261112345x"] {
            assert!(!is_jid(no), "{no}");
        }
        let time = jid_time("20261122172611123456_4711").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T17:26:11.123456");
        assert_eq!(jid_time("20261399172611123456"), None);
    }

    #[test]
    fn starts_and_durations_are_in_microseconds() {
        assert_eq!(parse_start("01:02:03.000004"), Some(3_723_000_004));
        assert_eq!(parse_start("01:02:03.5"), Some(3_723_500_000));
        assert_eq!(parse_start("25:02:03.5"), None);
        assert_eq!(parse_start("::"), None);
        let float = crate::Value::Float(12.5).to_bytes();
        let raw = crate::msgpack::Reader::new(&float).raw().unwrap();
        assert_eq!(parse_duration(raw), Some(12_500));
        let text = crate::Value::from("3.25 ms").to_bytes();
        let raw = crate::msgpack::Reader::new(&text).raw().unwrap();
        assert_eq!(parse_duration(raw), Some(3_250));
    }
}
