//! Rows to domain types and back. A row that holds what it may not is an error with its place.

use std::collections::BTreeSet;

use herald_core::announce::Mood;
use herald_core::minions::{MinionSet, read_set, set_bytes};
use herald_core::outbox::read_doubt;
use herald_core::run::{
    Flag, Job, JobId, Run, RunHead, RunId, RunKind, RunStatus, Standing, Tally,
};
use herald_core::seal::Told as ToldCheckpoint;
use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use salt_event::Value;
use salt_event::msgpack::Reader;

use crate::store::{Delivery, DeliveryState, Part, SinkState, Told};

/// The columns of `run`, in the order in which [`run`] reads them.
pub(super) const RUN: &str = "run.id, run.kind, run.user, run.command, run.funs, run.tgt, \
    run.tgt_type, run.test, run.schedule, run.started_at, run.finished_at, run.status, run.said, \
    run.told_with, run.own_failure, run.flags, run.collides_with, run.expected, run.returned, \
    run.failed, run.changed, run.would_change, run.missing, run.silent, run.version, \
    run.saltenv, run.metadata";

/// The columns of `job`, in the order in which [`job`] reads them.
pub(super) const JOB: &str = "id, run, jid, funs, started_at, ended, returns_itself, expected, \
    returned, failed, changed, would_change, missing, silent, standing";

/// The columns of `delivery`, in the order in which [`delivery`] reads them.
pub(super) const DELIVERY: &str = "run, sink, part, lead, message, said, version, state, \
    error, at, late, mood";

pub(super) fn json_list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&items).unwrap_or_else(|_| "[]".to_owned())
}

pub(super) fn set(set: &MinionSet) -> Vec<u8> {
    if set.is_empty() { Vec::new() } else { set_bytes(set) }
}

/// A run without its jobs, and its version.
pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<(Run, u64)> {
    let head = RunHead {
        kind: named(row, 1, RunKind::from_name)?,
        user: row.get(2)?,
        command: row.get(3)?,
        funs: list(row, 4)?,
        tgt: row.get(5)?,
        tgt_type: row.get(6)?,
        test: row.get(7)?,
        schedule: row.get(8)?,
        saltenv: row.get(25)?,
        metadata: value(row, 26)?,
    };
    let run = Run {
        id: RunId(number(row, 0)?),
        head,
        started_at: time(row, 9)?,
        finished_at: optional_time(row, 10)?,
        status: named(row, 11, RunStatus::from_name)?,
        jobs: Vec::new(),
        jids: Vec::new(),
        said: row.get(12)?,
        told_with: row.get::<_, Option<i64>>(13)?.map(|id| RunId(id as u64)),
        own_failure: row.get(14)?,
        flags: list(row, 15)?.iter().filter_map(|name| Flag::from_name(name)).collect(),
        collides_with: BTreeSet::from_iter(list(row, 16)?),
        tally: tally(row, 17)?,
    };
    Ok((run, number(row, 24)?))
}

pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: JobId(number(row, 0)?),
        run: RunId(number(row, 1)?),
        jid: row.get(2)?,
        funs: list(row, 3)?,
        started_at: time(row, 4)?,
        ended: row.get(5)?,
        returns_itself: row.get(6)?,
        tally: tally(row, 7)?,
        standing: row.get::<_, Option<String>>(14)?.as_deref().and_then(Standing::from_name),
    })
}

pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let said: Option<Vec<u8>> = row.get(5)?;
    Ok(Delivery {
        run: RunId(number(row, 0)?),
        sink: row.get(1)?,
        part: named(row, 2, Part::from_name)?,
        lead: row.get::<_, Option<i64>>(3)?.map(|id| RunId(id as u64)),
        message: row.get(4)?,
        said: said.and_then(|said| said.try_into().ok()),
        version: number(row, 6)?,
        state: named(row, 7, DeliveryState::from_name)?,
        error: row.get(8)?,
        at: time(row, 9)?,
        late: row.get(10)?,
        mood: row.get::<_, Option<String>>(11)?.and_then(|name| Mood::from_name(&name)),
    })
}

/// The columns of `sink`, in the order in which [`sink`] reads them.
pub(super) const SINK: &str = "name, since, settled, trouble, doubt, told_in, told_at, blind, \
    missed, failing_since, unsaid, alarmed, thread, checkpoint, checkpoint_at, attempt";

/// How far a sink is.
pub(super) fn sink(row: &Row<'_>) -> rusqlite::Result<SinkState> {
    Ok(SinkState {
        name: row.get(0)?,
        since: number(row, 1)?,
        settled: number(row, 2)?,
        trouble: row.get(3)?,
        doubt: row.get::<_, Option<String>>(4)?.map(|text| read_doubt(&text)).unwrap_or_default(),
        blind: row.get(7)?,
        missed: number(row, 8)?,
        failing_since: optional_time(row, 9)?,
        unsaid: number(row, 10)?,
        alarmed: number(row, 11)?,
        thread: row.get(12)?,
        checkpoint: optional_time(row, 14)?
            .map(|at| Ok::<_, rusqlite::Error>(ToldCheckpoint { number: number(row, 13)?, at }))
            .transpose()?,
        attempt: optional_time(row, 15)?,
        told: match (row.get(5)?, optional_time(row, 6)?) {
            (Some(sink), Some(at)) => Some(Told { sink, at }),
            _ => None,
        },
    })
}

fn tally(row: &Row<'_>, first: usize) -> rusqlite::Result<Tally> {
    Ok(Tally {
        expected: get_set(row, first)?,
        returned: get_set(row, first + 1)?,
        failed: get_set(row, first + 2)?,
        changed: get_set(row, first + 3)?,
        would_change: get_set(row, first + 4)?,
        missing: get_set(row, first + 5)?,
        silent: get_set(row, first + 6)?,
    })
}

fn get_set(row: &Row<'_>, column: usize) -> rusqlite::Result<MinionSet> {
    match row.get_ref(column)?.as_blob()? {
        [] => Ok(MinionSet::new()),
        bytes => read_set(bytes).ok_or_else(|| damaged(column, "no set of minions", Type::Blob)),
    }
}

/// A value in MessagePack.
fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Value<'static>>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else {
        return Ok(None);
    };
    let read = Reader::new(bytes).raw().and_then(Value::read);
    read.map(|value| Some(value.into_owned()))
        .map_err(|_| damaged(column, "no MessagePack", Type::Blob))
}

fn list(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| damaged(column, "no list", Type::Text))
}

pub(super) fn named<T>(
    row: &Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let name: String = row.get(column)?;
    from_name(&name).ok_or_else(|| damaged(column, "an unknown name", Type::Text))
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| damaged(column, "a negative number", Type::Integer))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros: i64 = row.get(column)?;
    Timestamp::from_microsecond(micros).map_err(|_| damaged(column, "no time", Type::Integer))
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => time(row, column).map(Some),
    }
}

fn damaged(column: usize, what: &str, kind: Type) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, what.to_owned().into())
}
