//! What in a journal holds a secret: contents, the entries and runs that name them, messages that may show
//! them, and what can't be changed. It reads only.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use herald_core::digest::Digest;
use herald_core::payload::PayloadKind;
use herald_core::run::{RunHead, RunId};
use herald_core::scrub::Sought;
use rusqlite::{Connection, OptionalExtension};

use super::{FoundSecret, Left, Marked};
use crate::store::sqlite::rows;
use crate::store::sqlite::write::reading;
use crate::store::{Part, StoreError};

/// Texts that no entry holds, and that were not made by us alone.
pub(super) const NOTES: [(&str, &str); 4] =
    [("delivery", "error"), ("sink", "trouble"), ("seen", "family"), ("meta", "value")];

/// Where an entry's fields begin.
const FIELDS: usize = 34;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) found: FoundSecret,
    /// Contents, by their number in this file.
    pub(super) payloads: Vec<i64>,
    /// Of messages, also those that show several runs: run, sink, part.
    pub(super) to_compare: Vec<(RunId, String, Part)>,
}

/// Looks through all of it.
pub(super) fn look(connection: &Connection, sought: &Sought) -> Result<Look, StoreError> {
    look_at_all(connection, sought).map_err(reading)
}

fn look_at_all(connection: &Connection, sought: &Sought) -> rusqlite::Result<Look> {
    let mut look = Look::default();
    let named = look.contents(connection, sought)?;
    let shapes = shapes_of(connection, &named)?;
    let mut shown = look.entries(connection, sought, &named, &shapes)?;
    shown.extend(failed_with(connection, &look.payloads)?);
    look.messages(connection, sought, &shown)?;
    for (table, column) in NOTES {
        look.found.notes += notes(connection, sought, table, column)?.len() as u64;
    }
    Ok(look)
}

impl Look {
    /// Contents that hold one, by name.
    fn contents(
        &mut self,
        connection: &Connection,
        sought: &Sought,
    ) -> rusqlite::Result<HashSet<Digest>> {
        let mut select = connection.prepare("SELECT id, digest, kind, bytes FROM payload")?;
        let mut rows = select.query([])?;
        let mut named = HashSet::new();
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(3)?.as_blob()?;
            if !sought.may_be_in(bytes) {
                continue;
            }
            let Some(kind) = PayloadKind::from_code(row.get(2)?) else { continue };
            match sought.hide_contents(kind, bytes) {
                Some(hidden) => {
                    *self.found.payloads.entry(kind).or_default() += 1;
                    self.found.places += hidden.places;
                    self.payloads.push(row.get(0)?);
                    named.insert(Digest(row.get(1)?));
                }
                None if kind == PayloadKind::Minions && sought.is_in(bytes) => {
                    self.found.left.push(Left::Minions);
                }
                None => {}
            }
        }
        Ok(named)
    }

    /// Entries that hold one themselves, and the runs of those that name such contents; those whose message
    /// may show it.
    fn entries(
        &mut self,
        connection: &Connection,
        sought: &Sought,
        named: &HashSet<Digest>,
        shapes: &HashSet<Digest>,
    ) -> rusqlite::Result<BTreeSet<RunId>> {
        let mut select =
            connection.prepare("SELECT number, kind, bytes FROM entry ORDER BY number")?;
        let mut rows = select.query([])?;
        let (mut runs, mut shown) = (BTreeSet::new(), BTreeSet::new());
        while let Some(row) = rows.next()? {
            let (number, kind) = (rows::number(row, 0)?, row.get(1)?);
            let bytes = row.get_ref(2)?.as_blob()?;
            if sought.is_in(bytes) {
                self.found.left.push(Left::Entry { number, kind });
            }
            let is_named = |at: usize, of: &HashSet<Digest>| {
                let digest = bytes.get(at..at + 32).and_then(Digest::from_slice);
                digest.is_some_and(|digest| of.contains(&digest))
            };
            match kind {
                4 | 5 if is_named(FIELDS + 8, named) => shown.extend(id(bytes).map(RunId)),
                // What stands before the load is not of one length.
                6 if (FIELDS..bytes.len()).any(|at| is_named(at, named)) => {
                    runs.extend(run_of(connection, bytes)?);
                }
                9 if is_named(FIELDS + 45, shapes) => runs.extend(run_of(connection, bytes)?),
                _ => {}
            }
        }
        runs.extend(&shown);
        self.found.runs = runs.into_iter().collect();
        Ok(shown)
    }

    /// Messages that may show it: of those runs, and of those with which they were told.
    fn messages(
        &mut self,
        connection: &Connection,
        sought: &Sought,
        runs: &BTreeSet<RunId>,
    ) -> rusqlite::Result<()> {
        let mut select = connection.prepare(
            "SELECT run, sink, part, delivery.at, coalesce(message, '') <> '' AND state = 'said', \
             coalesce(lead, run) = run, coalesce((SELECT command FROM run WHERE id = delivery.run), '') \
             FROM delivery WHERE (state = 'said' OR coalesce(message, '') <> '') AND (run = ?1 \
             OR run = (SELECT told_with FROM run WHERE id = ?1) \
             OR (run, sink) IN (SELECT lead, sink FROM delivery WHERE run = ?1) AND part = 'message')",
        )?;
        let mut all = BTreeMap::new();
        for run in runs {
            let mut rows = select.query([run.0 as i64])?;
            while let Some(row) = rows.next()? {
                let (run, part) =
                    (RunId(rows::number(row, 0)?), rows::named(row, 2, Part::from_name)?);
                let sink: String = row.get(1)?;
                let command: String = row.get(6)?;
                let marked = Marked {
                    run,
                    sink: sink.clone(),
                    part,
                    at: rows::time(row, 3)?,
                    command: hidden_command(sought, &command),
                    can_be_rewritten: row.get(4)?,
                };
                all.insert((run, sink, part), (marked, row.get::<_, bool>(5)?));
            }
        }
        for (key, (marked, is_own)) in all {
            if marked.can_be_rewritten {
                self.to_compare.push(key);
            }
            // Of a message about several runs the first stands for all.
            if is_own {
                self.found.messages.push(marked);
            }
        }
        Ok(())
    }
}

/// A command line as it is kept afterwards.
fn hidden_command(sought: &Sought, command: &str) -> String {
    let mut head = RunHead {
        kind: herald_core::run::RunKind::Command,
        user: None,
        command: command.to_owned(),
        funs: Vec::new(),
        tgt: String::new(),
        tgt_type: String::new(),
        test: false,
        schedule: None,
        saltenv: None,
        metadata: None,
    };
    sought.hide_head(&mut head);
    head.command
}

/// What returns consist of that hold such contents.
fn shapes_of(
    connection: &Connection,
    named: &HashSet<Digest>,
) -> rusqlite::Result<HashSet<Digest>> {
    let mut select = connection.prepare("SELECT digest, bytes FROM payload WHERE kind = ?1")?;
    let mut rows = select.query([PayloadKind::Shape.code()])?;
    let mut shapes = HashSet::new();
    while let Some(row) = rows.next()? {
        let mut parts = row.get_ref(1)?.as_blob()?.chunks_exact(32).filter_map(Digest::from_slice);
        if parts.any(|part| named.contains(&part)) {
            shapes.insert(Digest(row.get(0)?));
        }
    }
    Ok(shapes)
}

/// Runs that failed with such contents: their messages may show them.
fn failed_with(connection: &Connection, payloads: &[i64]) -> rusqlite::Result<BTreeSet<RunId>> {
    let payloads: HashSet<i64> = payloads.iter().copied().collect();
    let mut select = connection.prepare(
        "SELECT run, coalesce(definition, 0), body FROM failure JOIN job ON job.id = failure.job",
    )?;
    let mut rows = select.query([])?;
    let mut runs = BTreeSet::new();
    while let Some(row) = rows.next()? {
        if payloads.contains(&row.get(1)?) || payloads.contains(&row.get(2)?) {
            runs.insert(RunId(rows::number(row, 0)?));
        }
    }
    Ok(runs)
}

/// The texts of a column that hold one, with what is to stand there.
pub(super) fn notes(
    connection: &Connection,
    sought: &Sought,
    table: &str,
    column: &str,
) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE typeof({column}) = 'text'");
    let mut select = connection.prepare(&sql)?;
    let texts = select.query_map([], |row| row.get::<_, String>(0))?;
    let mut notes = Vec::new();
    for text in texts {
        let text = text?;
        if let Some((hidden, _)) = sought.hide_text(&text) {
            notes.push((text, hidden));
        }
    }
    Ok(notes)
}

/// The number with which an entry's fields begin.
fn id(entry: &[u8]) -> Option<u64> {
    entry.get(FIELDS..).and_then(|fields| fields.first_chunk().copied()).map(u64::from_be_bytes)
}

/// The run to which an entry's job belongs now.
fn run_of(connection: &Connection, entry: &[u8]) -> rusqlite::Result<Option<RunId>> {
    let Some(job) = id(entry) else { return Ok(None) };
    let mut select = connection.prepare_cached("SELECT run FROM job WHERE id = ?1")?;
    select.query_row([job as i64], |row| rows::number(row, 0).map(RunId)).optional()
}
