//! The `access` table: which groups of this machine may read the journal, and have the daemon do something.
//!
//! Whether there are such groups is not asked here: that is `check`.

use super::problem::Problem;
use super::schema;
use super::table::Table;
use super::values::{Mismatch, salt_text};
use super::yaml::Value;

/// The keys of the table.
pub(super) const KEYS: &[&str] = &["read", "hold"];

/// Who may do what, beside root and the daemon's own user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// The group that may read the journal; unless the config says so, the daemon's own.
    pub read: Option<String>,
    /// The group that may have the daemon do something; none, unless the config says so.
    pub hold: Option<String>,
}

/// Reads the table.
pub(super) fn read(mut table: Table, problems: &mut Vec<Problem>) -> AccessConfig {
    let mut one = |key| table.take(key, group, problems).map(|given| given.value);
    let (read, hold) = (one("read"), one("hold"));
    table.finish(schema::elsewhere("access"), problems);
    AccessConfig { read, hold }
}

/// A name as `groupadd` takes it, or a number.
fn group(value: Value) -> Result<String, Mismatch> {
    let name = salt_text(value)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-$@\\".contains(&byte);
    if name.len() > 64 || !name.bytes().all(fits) {
        return Err(Mismatch::new("must be the name of a group, or its number")
            .hint("getent group lists them"));
    }
    Ok(name)
}
