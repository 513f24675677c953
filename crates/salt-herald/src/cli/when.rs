//! Times as people type them: `2h`, `14:02`, `yesterday`, `2026-11-22`, RFC 3339.
//!
//! Pure: now and the zone are arguments.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use super::output::View;
use super::trouble::Trouble;

/// Which end of a day is meant where only a day is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its beginning.
    Begin,
    /// Its end.
    Close,
}

/// The time that an option was given.
pub(super) fn wanted(
    text: &str,
    option: &str,
    end: End,
    view: &View,
) -> Result<Timestamp, Trouble> {
    parse(text, end, view.now, &view.zone).ok_or_else(|| {
        Trouble::new(format!("--{option}: {text} is no time")).hint(
            "write 2h, 3d, 14:02, 2026-11-22, '2026-11-22 14:02', today, yesterday or RFC 3339",
        )
    })
}

/// The same where it need not be given.
pub(super) fn given(
    text: Option<&str>,
    option: &str,
    end: End,
    view: &View,
) -> Result<Option<Timestamp>, Trouble> {
    text.map(|text| wanted(text, option, end, view)).transpose()
}

/// Reads a time; nothing if it is none.
pub(super) fn parse(text: &str, end: End, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let text = text.strip_suffix(" ago").unwrap_or(text).trim_end();
    let local = now.to_zoned(zone.clone());
    let day = |date: Date| of_day(date, end, zone);
    match text {
        "now" => return Some(now),
        "today" => return day(local.date()),
        "yesterday" => return day(local.date().yesterday().ok()?),
        _ => {}
    }
    if let Some(span) = span(text) {
        return now.checked_sub(span).ok();
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(stamp);
    }
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        return day(date);
    }
    if text.contains(':') && !text.contains('-') {
        return text.parse().ok().and_then(|time| last(time, &local, zone));
    }
    let moment: DateTime = text.parse().ok()?;
    Some(moment.to_zoned(zone.clone()).ok()?.timestamp())
}

fn of_day(date: Date, end: End, zone: &TimeZone) -> Option<Timestamp> {
    let date = match end {
        End::Begin => date,
        End::Close => date.tomorrow().ok()?,
    };
    Some(date.to_zoned(zone.clone()).ok()?.timestamp())
}

/// The last time that a clock showed this.
fn last(time: Time, local: &Zoned, zone: &TimeZone) -> Option<Timestamp> {
    let today = local.date().to_datetime(time).to_zoned(zone.clone()).ok()?;
    if today <= *local {
        return Some(today.timestamp());
    }
    let yesterday = today.checked_sub(1.day()).ok()?;
    Some(yesterday.timestamp())
}

/// `90s`, `45m`, `2h`, `3d`, `1w`.
fn span(text: &str) -> Option<SignedDuration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit.trim() {
        "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, end: End) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now = "2026-11-22T13:30:00Z".parse().unwrap();
        match parse(text, end, now, &zone) {
            Some(time) => time.to_string(),
            None => "no time".to_owned(),
        }
    }

    #[test]
    fn times_as_people_type_them() {
        let texts = [
            "now",
            "today",
            "yesterday",
            "90s",
            "45m",
            "2h",
            "3d",
            "2h ago",
            "1w",
            "14:02",
            "14:02:30",
            "15:00",
            "2026-11-20",
            "2026-11-20 14:02",
            "2026-11-20T14:02:03",
            "2026-11-20T14:02:03Z",
            "2026-11-20T14:02:03.5-05:00",
            "99999999999999999999d",
            "9223372036854775807w",
            "14",
            "",
            "25:00",
            "2026-13-01",
            "tomorrow",
        ];
        let lines: Vec<String> =
            texts.iter().map(|text| format!("{text:28} {}", read(text, End::Begin))).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_day_is_meant_to_its_end() {
        assert_eq!(read("2026-11-20", End::Close), "2026-11-20T23:00:00Z");
        assert_eq!(read("today", End::Close), "2026-11-22T23:00:00Z");
        assert_eq!(read("14:02", End::Close), "2026-11-22T13:02:00Z");
    }
}
