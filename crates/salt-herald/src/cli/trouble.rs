//! Why a command could not do its work, as a person reads it: what, because of what, and what to do.
//!
//! Texts only; nothing is printed here, and nothing is tried again.

use std::error::Error;

use herald_core::literal;

use crate::config::Problems;
use crate::store::StoreError;

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It could not run.
    Failed {
        /// What failed, with its causes.
        error: Box<dyn Error + Send + Sync>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Whoever read our output has enough of it: no failure.
    ReaderGone,
}

impl Trouble {
    /// A failure that has no error below it.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self::of(what.into())
    }

    /// A failure with its causes, and the hint that goes with them.
    pub(super) fn of(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let hint = chain(error.as_ref()).find_map(hint_of);
        Self::Failed { error, hint }
    }

    /// The same with a hint.
    #[must_use]
    pub(super) fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Failed { error, .. } => Self::Failed { error, hint: Some(text.into()) },
            Self::ReaderGone => Self::ReaderGone,
        }
    }

    /// What is said of it; nothing where nothing failed.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Failed { error, hint } => told(error.as_ref(), hint.as_deref()),
            Self::ReaderGone => String::new(),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::of(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            Self::of(error)
        }
    }
}

/// An error with its causes, one each line.
fn told(error: &(dyn Error + 'static), hint: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(problems) = error.downcast_ref::<Problems>() {
        text.push_str("salt-herald: the config can't be used\n");
        for line in problems.to_string().lines() {
            text.push_str(&format!("  {}\n", literal::line(line)));
        }
        return text;
    }
    let mut last = String::new();
    for (depth, cause) in chain(error).enumerate() {
        let cause = literal::line(&cause.to_string());
        // Some errors repeat their cause's words; once is enough.
        if depth > 0 && last.ends_with(&cause) {
            continue;
        }
        let lead = if depth == 0 { "salt-herald: " } else { "  because " };
        text.push_str(&format!("{lead}{cause}\n"));
        last = cause;
    }
    if let Some(hint) = hint {
        text.push_str(&format!("  hint: {}\n", literal::line(hint)));
    }
    text
}

fn chain<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> + 'e {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

fn hint_of(error: &(dyn Error + 'static)) -> Option<String> {
    let hint = match error.downcast_ref::<StoreError>()? {
        StoreError::Open { source, .. } if is_denied(source.as_ref()) => {
            "ask as a user who may read the journal: root, or one of the group that owns it"
        }
        StoreError::Open { .. } => {
            "see that this is a journal, and that you may read it and its directory: \
             salt-herald check"
        }
        StoreError::Newer { .. } => "use the salt-herald that made it, or a later one",
        StoreError::Busy { .. } => {
            "stop the other one first: systemctl stop salt-herald, or name another with journal.path"
        }
        StoreError::Changed { .. } => "use the salt-herald that made it, or a released one",
        StoreError::Damaged { .. } => "keep the file, and take the last backup in its place",
        StoreError::Broken { .. } => {
            "nothing was written to it. Move it away with the files beside it (mv journal.db* …) and \
             start anew, or put the last backup in its place; see docs/troubleshooting.md"
        }
        StoreError::Absent { .. } | StoreError::Sqlite { .. } | StoreError::Closed => return None,
    };
    Some(hint.to_owned())
}

fn is_denied(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return error.kind() == std::io::ErrorKind::PermissionDenied;
    }
    error
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code)
        .is_some_and(|code| {
            matches!(code, rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::CannotOpen)
        })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn each_trouble_says_what_why_and_what_to_do() {
        let path = PathBuf::from("/var/lib/salt-herald/journal.db");
        let source = || Box::new(io::Error::from(io::ErrorKind::PermissionDenied));
        let troubles = [
            Trouble::of(StoreError::Open { path: path.clone(), source: source() }),
            Trouble::of(StoreError::Newer {
                path: path.clone(),
                by: " (0.9.0)".to_owned(),
                found: 7,
                known: 1,
            }),
            Trouble::of(StoreError::Broken {
                path: path.clone(),
                what: "it is cut off: 4096 of 8192 bytes are there".to_owned(),
            }),
            Trouble::of(StoreError::Busy { path: path.clone(), holder: "4711".to_owned() }),
            Trouble::of(StoreError::Absent { path }),
            Trouble::new("no run has a jid that begins with 99\u{1b}[31m").hint("see log"),
            Trouble::ReaderGone,
        ];
        let texts: Vec<String> = troubles.iter().map(Trouble::text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
