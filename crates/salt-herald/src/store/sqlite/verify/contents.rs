//! Payloads: each against its name, and the index by which they are found.
//!
//! Who names them is not looked at here.

use std::path::Path;

use herald_core::digest::Digest;
use herald_core::payload::PayloadKind;
use herald_core::verify::{Finding, Report, Scrubs, Stands};
use rusqlite::Connection;

use super::count;
use crate::store::StoreError;
use crate::store::sqlite::open::open_for_reading;
use crate::store::sqlite::payloads::{indexed, key};
use crate::store::sqlite::write::reading;

/// What came of a part.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) payloads: u64,
    pub(super) bytes: u64,
    pub(super) scrubbed: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) left_out: u64,
}

/// The payloads in so many parts, by id: after which, and up to which.
pub(super) fn bounds(connection: &Connection, parts: u64) -> Result<Vec<(i64, i64)>, StoreError> {
    let last = count(connection, "SELECT coalesce(max(id), 0) FROM payload")?;
    let bound = |part: u64| (last * part / parts) as i64;
    // Behind the last one may come more, or stand what has an odd number.
    let upto = |part: u64| if part + 1 == parts { i64::MAX } else { bound(part + 1) };
    let after = |part: u64| if part == 0 { i64::MIN } else { bound(part) };
    Ok((0..parts).map(|part| (after(part), upto(part))).collect())
}

/// Looks at payloads after one and up to another.
pub(super) fn look(
    path: &Path,
    after: i64,
    upto: i64,
    scrubs: &Scrubs,
) -> Result<Part, StoreError> {
    let connection = open_for_reading(path)?.connection;
    let sql = "SELECT id, digest, kind, bytes FROM payload WHERE id > ?1 AND id <= ?2 ORDER BY id";
    let mut select = connection.prepare(sql).map_err(reading)?;
    let mut find_key = connection
        .prepare("SELECT 1 FROM payload_key WHERE key = ?1 AND payload = ?2")
        .map_err(reading)?;
    let indexed = indexed(&connection).map_err(reading)?;
    let mut rows = select.query([after, upto]).map_err(reading)?;
    let (mut part, mut all) = (Part::default(), Report::default());
    while let Some(row) = rows.next().map_err(reading)? {
        let blob =
            |column| row.get_ref(column).and_then(|value| Ok(value.as_blob()?)).map_err(reading);
        let (id, kind): (i64, i64) = (row.get(0).map_err(reading)?, row.get(2).map_err(reading)?);
        let bytes = blob(3)?;
        let digest = Digest::from_slice(blob(1)?).unwrap_or_default();
        part.payloads += 1;
        part.bytes += bytes.len() as u64;
        let kind = u8::try_from(kind).ok().and_then(PayloadKind::from_code);
        match scrubs.judge(digest, Digest::of(bytes)) {
            Stands::AsNamed | Stands::Scrubbed if kind.is_none() => {
                all.find(Finding::Payload { digest, kind });
            }
            Stands::AsNamed => {}
            Stands::Scrubbed => part.scrubbed += 1,
            Stands::Back(entry) => all.find(Finding::Back { digest, entry }),
            Stands::Changed => all.find(Finding::Payload { digest, kind }),
        }
        if id <= indexed && !find_key.exists([key(digest), id]).map_err(reading)? {
            all.find(Finding::Key { payload: id, is_there: true });
        }
    }
    (part.findings, part.left_out) = (all.findings, all.left_out);
    Ok(part)
}

/// Whether the index names what is not there.
pub(super) fn look_at_index(
    connection: &Connection,
    report: &mut Report,
) -> Result<(), StoreError> {
    let sql =
        "SELECT payload FROM payload_key WHERE payload NOT IN (SELECT id FROM payload) LIMIT 21";
    let mut select = connection.prepare(sql).map_err(reading)?;
    let strays = select.query_map([], |row| row.get::<_, i64>(0)).map_err(reading)?;
    for stray in strays {
        report.find(Finding::Key { payload: stray.map_err(reading)?, is_there: false });
    }
    Ok(())
}
