//! Two databases row by row: what was made of the entries just now, and what the journal holds.

use std::cmp::Ordering;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Rows};

use herald_core::verify::{Finding, Report, RowFault};

use crate::store::StoreError;
use crate::store::sqlite::write::reading;

/// What was taken out of the journal, or is being taken out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    /// Entries up to this one.
    pub(super) entry: u64,
    /// Runs up to this one.
    pub(super) run: u64,
}

/// A table that is made from entries.
struct Table {
    name: &'static str,
    /// What tells a row from all others, or at least all others of a return.
    key: &'static [&'static str],
    /// Rows with the same key are in the order in which they were written.
    ordered: bool,
    /// Numbers of payloads: they name nothing any more when these are gone.
    contents: &'static [&'static str],
    /// Columns that may be higher than what follows now: an earlier salt-herald counted more as a change.
    rising: &'static [&'static str],
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, ordered: false, contents: &[], rising: &[] }
}

const TABLES: [Table; 15] = [
    table("minion", &["number"]),
    Table { rising: &["version"], ..table("run", &["id"]) },
    table("job", &["id"]),
    Table { contents: &["shape"], ..table("return", &["job", "minion"]) },
    Table {
        ordered: true,
        contents: &["definition", "body"],
        ..table("failure", &["job", "minion"])
    },
    table("gap", &["entry"]),
    table("backfill", &["entry"]),
    table("backfilled", &["run"]),
    table("cut", &["entry"]),
    table("unsaid", &["entry", "sink"]),
    table("key_event", &["entry"]),
    table("suspect", &["entry"]),
    table("seal", &["entry"]),
    table("scrub", &["entry"]),
    table("scrubbed", &["entry", "place"]),
];

/// Compares all tables; how many rows there are.
pub(super) fn all(
    connection: &Connection,
    gone: Gone,
    report: &mut Report,
) -> Result<u64, StoreError> {
    let mut rows = 0;
    look_at_schema(connection, report)?;
    for table in &TABLES {
        rows += table.compare(connection, gone, report)?;
        table.look_at_indexes(connection, report)?;
    }
    Ok(rows)
}

type Cells = Vec<Value>;

/// Whether there is any table, index, view or trigger that we did not make, or not any more.
fn look_at_schema(connection: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let objects = |schema: &str| {
        format!(
            "SELECT type, name, sql FROM {schema}.sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        )
    };
    let (made, held) = (objects("main"), objects("disk"));
    for (sql, why) in [
        (
            format!("SELECT name FROM ({made} EXCEPT {held})"),
            "it is not there as salt-herald makes it",
        ),
        (format!("SELECT name FROM ({held} EXCEPT {made})"), "it is not what salt-herald makes"),
    ] {
        let mut select = connection.prepare(&sql).map_err(reading)?;
        let names = select.query_map([], |row| row.get::<_, String>(0)).map_err(reading)?;
        for name in names {
            let (table, why) = (name.map_err(reading)?, why.to_owned());
            report.find(Finding::Table { table, why });
        }
    }
    Ok(())
}

impl Table {
    fn compare(
        &self,
        connection: &Connection,
        gone: Gone,
        report: &mut Report,
    ) -> Result<u64, StoreError> {
        let sql = |schema: &str| {
            let key = self.key.join(", ");
            let order = if self.ordered { ", rowid" } else { "" };
            format!("SELECT * FROM {schema}.\"{}\" ORDER BY {key}{order}", self.name)
        };
        let mut made = connection.prepare(&sql("main")).map_err(reading)?;
        let mut held = connection.prepare(&sql("disk")).map_err(reading)?;
        let columns: Vec<String> = made.column_names().map(str::to_owned).collect();
        if !held.column_names().eq(columns.iter()) {
            return Err(StoreError::Damaged { what: format!("its table {}", self.name) });
        }
        let place = |name: &&str| columns.iter().position(|column| column == name);
        let keys: Vec<usize> = self.key.iter().filter_map(place).collect();
        let width = columns.len();
        let mut made = made.query([]).map_err(reading)?;
        let mut held = held.query([]).map_err(reading)?;
        let (mut wanted, mut found) = (next(&mut made, width)?, next(&mut held, width)?);
        let mut rows = 0;
        loop {
            let order = match (&wanted, &found) {
                (None, None) => return Ok(rows),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(wanted), Some(found)) => by_key(wanted, found, &keys),
            };
            rows += u64::from(found.is_some() && order.is_ge());
            let fault = match (order, &wanted, &found) {
                (Ordering::Less, Some(_), _) => Some(RowFault::Gone),
                (Ordering::Greater, _, Some(row)) => {
                    (!self.is_leaving(connection, row, gone)?).then_some(RowFault::Stray)
                }
                (Ordering::Equal, Some(wanted), Some(found)) => {
                    let other = self.other_columns(connection, &columns, wanted, found)?;
                    (!other.is_empty()).then_some(RowFault::Differs(other))
                }
                _ => None,
            };
            let row = if order.is_le() { &wanted } else { &found };
            if let (Some(fault), Some(row)) = (fault, row) {
                report.find(self.finding(row, &keys, fault));
            }
            if order.is_le() {
                wanted = next(&mut made, width)?;
            }
            if order.is_ge() {
                found = next(&mut held, width)?;
            }
        }
    }

    fn other_columns(
        &self,
        connection: &Connection,
        columns: &[String],
        wanted: &Cells,
        found: &Cells,
    ) -> Result<Vec<String>, StoreError> {
        let mut other = Vec::new();
        for ((column, wanted), found) in columns.iter().zip(wanted).zip(found) {
            let is_contents = self.contents.contains(&column.as_str());
            let is_higher = self.rising.contains(&column.as_str()) && is_above(wanted, found);
            let is_same = wanted == found
                || is_higher
                || is_contents && is_expired(connection, wanted, found)?;
            if !is_same {
                other.push(column.clone());
            }
        }
        Ok(other)
    }

    fn finding(&self, row: &Cells, keys: &[usize], fault: RowFault) -> Finding {
        let cell = |place: &usize| match row.get(*place) {
            Some(Value::Integer(number)) => number.to_string(),
            _ => "?".to_owned(),
        };
        let key: Vec<String> = self
            .key
            .iter()
            .zip(keys)
            .map(|(name, place)| format!("{name} {}", cell(place)))
            .collect();
        Finding::Row { table: self.name.to_owned(), key: key.join(", "), fault }
    }

    /// Whether a row belongs to what is being taken out.
    fn is_leaving(
        &self,
        connection: &Connection,
        row: &Cells,
        gone: Gone,
    ) -> Result<bool, StoreError> {
        let first = match row.first() {
            Some(Value::Integer(number)) => *number,
            _ => return Ok(false),
        };
        let (entry, run) = (gone.entry as i64, gone.run as i64);
        Ok(match (self.name, row.get(1)) {
            ("run" | "backfilled", _) => first <= run,
            ("job", Some(Value::Integer(of))) => *of <= run,
            (
                "gap" | "backfill" | "cut" | "unsaid" | "key_event" | "suspect" | "seal" | "scrub"
                | "scrubbed",
                _,
            ) => first <= entry,
            ("return" | "failure", _) if run > 0 => {
                let sql = "SELECT run FROM disk.job WHERE id = ?1";
                let of: Option<i64> = connection
                    .prepare_cached(sql)
                    .and_then(|mut select| select.query_row([first], |row| row.get(0)).optional())
                    .map_err(reading)?;
                of.is_none_or(|of| of <= run)
            }
            _ => false,
        })
    }

    /// Who asks by an index must not be told something else.
    fn look_at_indexes(
        &self,
        connection: &Connection,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let sql = format!("PRAGMA disk.integrity_check(\"{}\")", self.name);
        let mut check = connection.prepare(&sql).map_err(reading)?;
        let mut said = check.query([]).map_err(reading)?;
        while let Some(row) = said.next().map_err(reading)? {
            let what: String = row.get(0).map_err(reading)?;
            if what != "ok" {
                report.find(Finding::Table { table: self.name.to_owned(), why: what });
            }
        }
        Ok(())
    }
}

fn is_above(wanted: &Value, found: &Value) -> bool {
    matches!((wanted, found), (Value::Integer(wanted), Value::Integer(found)) if found > wanted)
}

/// Whether a number names contents that are not there any more: none has it, and what came back later
/// has a higher one.
fn is_expired(connection: &Connection, wanted: &Value, found: &Value) -> Result<bool, StoreError> {
    let (Value::Integer(wanted), Value::Integer(found)) = (wanted, found) else {
        return Ok(false);
    };
    let sql = "SELECT EXISTS (SELECT 1 FROM disk.payload WHERE id = ?1) \
               OR NOT EXISTS (SELECT 1 FROM disk.meta WHERE key = 'payloads_last')";
    let is_there: bool = connection
        .prepare_cached(sql)
        .and_then(|mut select| select.query_row([found], |row| row.get(0)))
        .map_err(reading)?;
    Ok(!is_there && (*wanted == 0 || found < wanted))
}

fn next(rows: &mut Rows<'_>, width: usize) -> Result<Option<Cells>, StoreError> {
    let Some(row) = rows.next().map_err(reading)? else { return Ok(None) };
    let cells = (0..width).map(|column| row.get(column)).collect::<rusqlite::Result<Cells>>();
    cells.map(Some).map_err(reading)
}

fn by_key(one: &Cells, other: &Cells, keys: &[usize]) -> Ordering {
    let number = |row: &Cells, place: usize| match row.get(place) {
        Some(Value::Integer(number)) => *number,
        _ => i64::MIN,
    };
    let order = |place: &usize| number(one, *place).cmp(&number(other, *place));
    keys.iter().map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
