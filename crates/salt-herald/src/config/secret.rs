//! Secrets: given in the config itself, or in a file that the config names.
//!
//! What was read goes straight into a `SecretString`; no message, not even about a malformed
//! secret, holds a part of it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::problem::{Problem, Severity};
use super::table::{Given, Table};
use super::values::{absolute_path, text};

/// More than any token, and little enough to read without thought (`/dev/zero` is a file, too).
const LONGEST_SECRET: u64 = 16 * 1024;

/// A secret that a table may hold in two ways.
pub(super) struct Taken {
    /// Where the table speaks of it, even when the secret itself could not be read.
    pub(super) mentioned: Option<Given<()>>,
    /// The secret.
    pub(super) value: Option<Given<SecretString>>,
}

/// Takes `name`, or the content of the file that `name_file` names.
pub(super) fn take(
    table: &mut Table,
    name: &'static str,
    name_file: &'static str,
    problems: &mut Vec<Problem>,
) -> Taken {
    let inline_mention = table.mention(name);
    let file_mention = table.mention(name_file);
    let inline = table.take(name, text, problems).map(|given| Given {
        value: SecretString::from(given.value.trim().to_owned()),
        key: given.key,
        place: given.place,
    });
    let file = table.take(name_file, absolute_path, problems);
    if let (Some(_), Some(second)) = (&inline_mention, &file_mention) {
        problems.push(
            second
                .problem(format!("stands beside \"{name}\", which says the same"))
                .hint(format!("keep \"{name_file}\" and remove \"{name}\"")),
        );
    }
    let value = match (inline, file) {
        (Some(inline), _) => Some(inline),
        (None, Some(file)) => from_file(&file, problems),
        (None, None) => None,
    };
    let value = value.filter(|given| one_word(given, problems));
    Taken { mentioned: inline_mention.or(file_mention), value }
}

fn one_word(given: &Given<SecretString>, problems: &mut Vec<Problem>) -> bool {
    use secrecy::ExposeSecret;
    let broken =
        given.value.expose_secret().contains(|c: char| c.is_whitespace() || c.is_control());
    if broken {
        problems.push(given.problem("holds blanks or line breaks, which no secret of Slack does"));
    }
    !broken
}

fn from_file(
    given: &Given<std::path::PathBuf>,
    problems: &mut Vec<Problem>,
) -> Option<Given<SecretString>> {
    let path = given.value.as_path();
    match read(path) {
        Ok((secret, mode)) => {
            if readable_by_others(mode) {
                problems.push(
                    given
                        .problem(format!("{} can be read by everybody", path.display()))
                        .hint(format!("chmod o-rwx {}", path.display()))
                        .severity(Severity::Warning),
                );
            }
            Some(Given { value: secret, key: given.key.clone(), place: given.place.clone() })
        }
        Err(Unreadable { why, hint }) => {
            let problem = given.problem(format!("{} {why}", path.display()));
            problems.push(Problem { hint, ..problem });
            None
        }
    }
}

/// Whether a file's mode lets everybody read it.
pub(super) fn readable_by_others(mode: u32) -> bool {
    mode & 0o004 != 0
}

struct Unreadable {
    why: String,
    hint: Option<String>,
}

fn read(path: &Path) -> Result<(SecretString, u32), Unreadable> {
    let failed = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Some(format!(
                "let the daemon's group read it: chgrp salt-herald {0} && chmod 0640 {0}",
                path.display()
            )),
            _ => None,
        };
        Unreadable { why: format!("can't be read: {error}"), hint }
    };
    // Asked before opening: to open a named pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Unreadable { why: "is no file".to_owned(), hint: None });
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST_SECRET + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST_SECRET {
        return Err(Unreadable { why: "is too long to hold one secret".to_owned(), hint: None });
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Unreadable { why: "is no text".to_owned(), hint: None });
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(Unreadable {
            why: "is empty".to_owned(),
            hint: Some("write the secret alone into it, in one line".to_owned()),
        });
    }
    Ok((SecretString::from(text.to_owned()), metadata.permissions().mode()))
}
