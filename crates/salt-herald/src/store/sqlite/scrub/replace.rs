//! Replacing what holds a secret, in the transaction of who takes it out, and saying so in entries.
//!
//! Names of contents stay: entries are chained with them. What was found is not looked for again here.

use herald_core::digest::Digest;
use herald_core::payload::PayloadKind;
use herald_core::run::{Flag, RunId};
use herald_core::scrub::{Scrub, Scrubbed, Sought};
use rusqlite::{OptionalExtension, params};

use super::ScrubOrder;
use super::look::{Look, NOTES, notes};
use crate::store::StoreError;
use crate::store::sqlite::write::{Insert, reading, writing};
use crate::store::sqlite::{rows, scrubs};

/// Replaces all that was found; the entries that say so. Where nothing is replaced there is none.
pub(super) fn replace(
    insert: &mut Insert<'_>,
    look: &Look,
    order: &ScrubOrder<'_>,
) -> Result<Vec<u64>, StoreError> {
    let pairs = contents(insert, &look.payloads, order.sought).map_err(writing)?;
    for run in &look.found.runs {
        flag_run(insert, *run, order.sought)?;
    }
    for (table, column) in NOTES {
        rewrite(insert, order.sought, table, column).map_err(writing)?;
    }
    for (run, sink, part) in &look.to_compare {
        // It is compared with what would be said now, and rewritten if that is something else. What was taken
        // up into it shows by it, and is no news because of this.
        let sql = "UPDATE delivery SET version = 0 \
                   WHERE run = ?1 AND sink = ?2 AND part = ?3 AND said IS NOT NULL";
        let mut update = insert.connection.prepare_cached(sql).map_err(writing)?;
        update.execute(params![run.0 as i64, sink, part.name()]).map_err(writing)?;
    }
    let found = &look.found;
    if pairs.is_empty() && found.notes == 0 {
        return Ok(Vec::new());
    }
    let scrub = Scrub {
        when: insert.now,
        first: None,
        reason: order.reason.to_owned(),
        by: order.by.to_owned(),
        sudo: order.sudo.to_owned(),
        marks: order.sought.marks().to_vec(),
        places: found.places + found.notes,
        runs: found.runs.clone(),
        pairs,
    };
    scrubs::record(insert, scrub)
}

fn contents(
    insert: &mut Insert<'_>,
    payloads: &[i64],
    sought: &Sought,
) -> rusqlite::Result<Vec<Scrubbed>> {
    let connection = insert.connection;
    let mut select = connection.prepare("SELECT digest, kind, bytes FROM payload WHERE id = ?1")?;
    let mut update = connection.prepare("UPDATE payload SET bytes = ?2 WHERE id = ?1")?;
    let mut measure = connection.prepare("UPDATE used SET bytes = ?2 WHERE payload = ?1")?;
    let mut pairs = Vec::new();
    for id in payloads {
        let (digest, hidden) = select.query_row([id], |row| {
            let kind = PayloadKind::from_code(row.get(1)?);
            let bytes = row.get_ref(2)?.as_blob()?;
            Ok((Digest(row.get(0)?), kind.and_then(|kind| sought.hide_contents(kind, bytes))))
        })?;
        let Some(hidden) = hidden else { continue };
        update.execute(params![id, hidden.bytes])?;
        measure.execute(params![id, hidden.bytes.len() as i64])?;
        let (became, places) = (Digest::of(&hidden.bytes), hidden.places);
        pairs.push(Scrubbed { digest, became, places });
    }
    Ok(pairs)
}

/// What is queried of a run, as its contents say it now. Nothing happened to it: its version stays.
fn flag_run(insert: &mut Insert<'_>, run: RunId, sought: &Sought) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM run WHERE id = ?1", rows::RUN);
    let found = insert
        .connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row([run.0 as i64], rows::run).optional())
        .map_err(reading)?;
    let Some((mut run, version)) = found else { return Ok(()) };
    sought.hide_head(&mut run.head);
    run.flags.insert(Flag::Scrubbed);
    insert.run(&run, version).map_err(writing)
}

fn rewrite(
    insert: &Insert<'_>,
    sought: &Sought,
    table: &str,
    column: &str,
) -> rusqlite::Result<()> {
    let sql = format!("UPDATE OR REPLACE {table} SET {column} = ?2 WHERE {column} = ?1");
    for (text, hidden) in notes(insert.connection, sought, table, column)? {
        insert.connection.execute(&sql, params![text, hidden])?;
    }
    Ok(())
}
