//! The day by which things get old: it follows the clock, but is not led astray by it.
//!
//! A machine that boots in another year is put right a minute later; what was taken out in that minute
//! would not come back. What goes by that day is decided elsewhere.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::write::{Insert, Inserter};

/// So many days at once are believed: nobody was there over a long weekend.
const BELIEVED: i64 = 3;
/// Of more than these, one for each such time in which the daemon runs.
const STEP: Duration = Duration::from_secs(3 * 3600);
/// The day that was reached, in `meta`.
pub(super) const AGED_TO: &str = "aged_to";

/// How far it is.
#[derive(Debug)]
pub(super) struct Age {
    /// The day that the file holds.
    noted: Option<i64>,
    /// Without one: the first day on which something was recorded.
    oldest: i64,
    /// When it last went on, or the process began.
    since: Instant,
}

impl Age {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { noted: noted(connection)?, oldest: oldest(connection)?, since: Instant::now() })
    }

    /// The day that counts, where the clock says this one.
    pub(super) fn day(&self, clock: i64) -> i64 {
        follow(self.from(clock), clock, self.since.elapsed())
    }

    /// The day by which is recorded, where the clock says this one: never one that is over already.
    pub(super) fn recorded(&self, clock: i64) -> i64 {
        self.noted.map_or(clock, |noted| noted.max(clock))
    }

    /// Goes on as far as the clock is followed.
    pub(super) fn advance(&mut self, connection: &Connection, clock: i64) -> rusqlite::Result<()> {
        self.oldest = oldest(connection)?;
        let day = self.day(clock);
        if day > self.from(clock) {
            self.note(connection, day)?;
        }
        Ok(())
    }

    pub(super) fn note(&mut self, connection: &Connection, day: i64) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        connection.execute(sql, params![AGED_TO, day])?;
        (self.noted, self.since) = (Some(day), Instant::now());
        Ok(())
    }

    fn from(&self, clock: i64) -> i64 {
        self.noted.unwrap_or(self.oldest.min(clock))
    }
}

fn noted(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    connection.query_row(sql, [AGED_TO], |row| row.get(0)).optional()
}

fn oldest(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(min(day), 0) FROM day";
    connection.query_row(sql, [], |row| row.get(0))
}

/// From one day towards the clock's, after such a time. Never back: what was recorded on a day that
/// was reached must not get younger or older by it.
fn follow(from: i64, clock: i64, running: Duration) -> i64 {
    let ahead = clock.saturating_sub(from);
    if ahead <= BELIEVED {
        return from.max(clock);
    }
    let steps = running.as_secs() / STEP.as_secs();
    from + i64::try_from(steps).unwrap_or(i64::MAX).min(ahead)
}

impl Inserter {
    /// Days since 1970, by the writer's clock.
    fn clock_day(&self) -> i64 {
        self.now().as_second().div_euclid(86_400)
    }

    /// The day that is noted of what is recorded now.
    pub(super) fn today(&self) -> i64 {
        let clock = self.clock_day();
        self.age.as_ref().map_or(clock, |age| age.recorded(clock))
    }

    /// The day by which things get old. It may lie behind the clock's.
    pub(super) fn aged_to(&self) -> i64 {
        let clock = self.clock_day();
        self.age.as_ref().map_or(clock, |age| age.day(clock))
    }

    /// Lets things get as old as the clock is followed.
    pub(super) fn advance_age(&mut self) -> rusqlite::Result<()> {
        let clock = self.clock_day();
        let age = self.age.as_mut();
        age.map_or(Ok(()), |age| age.advance(&self.connection, clock))
    }

    /// Lets things be as old as on that day, whatever was before.
    #[cfg(test)]
    pub(super) fn set_age(&mut self, day: i64) {
        self.age.as_mut().unwrap().note(&self.connection, day).unwrap();
    }
}

impl Insert<'_> {
    /// Notes that what comes from now on comes on another day.
    pub(super) fn note_day(&mut self) -> rusqlite::Result<()> {
        if self.day == self.today {
            return Ok(());
        }
        // A clock that was ahead for a while must not keep anything for ever: what was recorded then
        // was recorded today at the latest.
        let next = self.end.number as i64 + 1;
        let sql =
            "INSERT OR IGNORE INTO day SELECT ?1, coalesce(min(entry), ?2) FROM day WHERE day > ?1";
        self.connection.execute(sql, [self.today, next])?;
        self.connection.execute("DELETE FROM day WHERE day > ?1", [self.today])?;
        self.day = self.today;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_followed_at_once_over_a_weekend_and_slowly_from_there_on() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!(follow(100, 100, hours(0)), 100);
        assert_eq!(follow(100, 103, hours(0)), 103);
        assert_eq!(follow(100, 104, hours(2)), 100);
        assert_eq!(follow(100, 3750, hours(0)), 100);
        assert_eq!(follow(100, 3750, hours(24)), 108);
        assert_eq!(follow(100, 130, hours(1000)), 130);
        assert_eq!(follow(100, 3, hours(1000)), 100);
    }
}
