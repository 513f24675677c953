//! What minions made up, or may have: rows in and out.

use herald_core::alarm::{Alarm, Matter};
use herald_core::digest::Digest;
use herald_core::run::JobId;
use herald_core::suspect::{Suspect, Why};
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::keys::key_event;
use super::read::JournalReader;
use super::rows;
use super::write::Insert;
use crate::store::{StoreError, Suspected};

const SUSPECT: &str = "entry, at, why, job, jid, minion, sender, tag, said, count";

impl Insert<'_> {
    pub(super) fn suspect(
        &mut self,
        entry: i64,
        at: Timestamp,
        suspect: &Suspect,
    ) -> rusqlite::Result<()> {
        let Suspect { why, job, jid, minion, sender, tag, said, count } = suspect;
        self.connection
            .prepare_cached("INSERT INTO suspect VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(params![
                entry,
                at.as_microsecond(),
                why.name(),
                job.map(|job| job.0 as i64),
                jid,
                minion,
                sender,
                tag,
                said.0,
                count
            ])?;
        self.take_back(suspect)
    }

    /// What was counted in a minion's name, and is not what it said.
    fn take_back(&mut self, suspect: &Suspect) -> rusqlite::Result<()> {
        let (Why::Displaced, Some(job)) = (suspect.why, suspect.job) else {
            return Ok(());
        };
        for table in ["return", "failure"] {
            let sql = format!(
                "DELETE FROM {table} WHERE job = ?1 \
                 AND minion = (SELECT number FROM minion WHERE name = ?2)"
            );
            self.connection.prepare_cached(&sql)?.execute(params![job.0 as i64, suspect.minion])?;
        }
        Ok(())
    }
}

impl JournalReader {
    /// What was suspect from `since` on and before `until`, in the order of entries.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn suspects(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Suspected>, StoreError> {
        let sql =
            format!("SELECT {SUSPECT} FROM suspect WHERE at >= ?1 AND at < ?2 ORDER BY entry");
        self.all(&sql, [since.as_microsecond(), until.as_microsecond()], suspected)
    }

    /// What was suspect and what happened to keys, as entries after this one say it: so many of each at
    /// the most, in the order of entries.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn alarms_after(&self, entry: u64, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        let after = params![entry as i64, limit as i64];
        let sql = format!("SELECT {SUSPECT} FROM suspect WHERE entry > ?1 ORDER BY entry LIMIT ?2");
        let of = |one: Suspected| Alarm { entry: one.entry, matter: Matter::Suspect(one.suspect) };
        let mut alarms: Vec<Alarm> =
            self.all(&sql, after, suspected)?.into_iter().map(of).collect();
        let sql = "SELECT entry, at, act, minion, key FROM key_event \
                   WHERE entry > ?1 AND act <> 'seen' ORDER BY entry LIMIT ?2";
        let keys = self.all(sql, after, key_event)?.into_iter();
        alarms.extend(keys.map(|key| Alarm {
            entry: key.entry,
            matter: Matter::Key { act: key.act, minion: key.minion },
        }));
        // What is between the last of a kind and the first that was not read waits for it.
        let ends = [is_suspect as fn(&Alarm) -> bool, |alarm| !is_suspect(alarm)].map(|of| {
            let all: Vec<u64> =
                alarms.iter().filter(|alarm| of(alarm)).map(|one| one.entry).collect();
            all.last().copied().filter(|_| all.len() >= limit)
        });
        let end = ends.into_iter().flatten().min().unwrap_or(u64::MAX);
        alarms.retain(|alarm| alarm.entry <= end);
        alarms.sort_by_key(|alarm| alarm.entry);
        Ok(alarms)
    }
}

fn is_suspect(alarm: &Alarm) -> bool {
    matches!(alarm.matter, Matter::Suspect(_))
}

fn suspected(row: &Row<'_>) -> rusqlite::Result<Suspected> {
    let job: Option<i64> = row.get(3)?;
    let said: Vec<u8> = row.get(8)?;
    let suspect = Suspect {
        why: rows::named(row, 2, Why::from_name)?,
        job: job.map(|job| JobId(job as u64)),
        jid: row.get(4)?,
        minion: row.get(5)?,
        sender: row.get(6)?,
        tag: row.get(7)?,
        said: Digest::from_slice(&said).unwrap_or(Digest::ZERO),
        count: row.get(9)?,
    };
    Ok(Suspected { entry: rows::number(row, 0)?, at: rows::time(row, 1)?, suspect })
}
