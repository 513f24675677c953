//! What the journal's file holds, read by other means than the app's own.

use std::path::Path;

use herald_core::verify::Witness;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use salt_herald::store::{Manner, verify};
use sha2::{Digest, Sha256};

/// The tables that are made from entries.
pub(crate) const MADE: [&str; 13] = [
    "run",
    "job",
    "return",
    "failure",
    "minion",
    "gap",
    "backfill",
    "backfilled",
    "unsaid",
    "key_event",
    "suspect",
    "scrub",
    "scrubbed",
];

pub(crate) fn open(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

/// Recomputes the chain over all entries, from where it was cut, and gives the number of the last. `verify`
/// must find nothing wrong either.
pub(crate) fn verify_chain(path: &Path) -> i64 {
    let report =
        verify(path, Manner { threads: 2, chain_only: false }, &Witness::default()).unwrap();
    assert!(report.is_whole(), "{:#?}", report.findings);
    let connection = open(path);
    let sql = "SELECT bytes FROM entry WHERE kind = 16 ORDER BY number DESC LIMIT 1";
    let cut: Option<Vec<u8>> = connection.query_row(sql, [], |row| row.get(0)).ok();
    let (mut count, mut before) = cut.map_or((0, vec![0; 32]), |bytes| {
        (i64::from_be_bytes(bytes[34..42].try_into().unwrap()), bytes[42..74].to_vec())
    });
    let sql = "SELECT number, bytes, hash FROM entry WHERE number > ?1 ORDER BY number";
    let mut select = connection.prepare(sql).unwrap();
    let mut rows = select.query([count]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (number, bytes, hash): (i64, Vec<u8>, Vec<u8>) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        count += 1;
        assert_eq!(number, count, "a hole in the numbers");
        let mut sha = Sha256::new();
        sha.update(&before);
        sha.update(&bytes);
        assert_eq!(sha.finalize().to_vec(), hash, "entry {number} breaks the chain");
        before = hash;
    }
    count
}

/// All rows of a table.
pub(crate) fn dump(path: &Path, table: &str) -> Vec<Vec<Value>> {
    let connection = open(path);
    let columns = number(path, &format!("SELECT count(*) FROM pragma_table_info('{table}')"));
    let columns = usize::try_from(columns).unwrap();
    let order: Vec<String> = (1..=columns).map(|column| column.to_string()).collect();
    let sql = format!("SELECT * FROM {table} ORDER BY {}", order.join(", "));
    let mut select = connection.prepare(&sql).unwrap();
    let rows =
        select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

pub(crate) fn count(path: &Path, table: &str) -> i64 {
    number(path, &format!("SELECT count(*) FROM {table}"))
}

pub(crate) fn number(path: &Path, sql: &str) -> i64 {
    open(path).query_row(sql, [], |row| row.get(0)).unwrap()
}
