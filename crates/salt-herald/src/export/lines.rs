//! The lines of an export in a file, one by one, and what stands around one at which the chain breaks.
//!
//! Whether they belong together is not looked at.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use herald_core::digest::Digest;
use herald_core::entry::outline;
use herald_core::verify::{Link, Links};
use thiserror::Error;

use super::Piece;

/// Longer lines are none of ours: the bus gives no event that comes to so many bytes.
const MOST: u64 = 1 << 30;
/// So many entries behind a break are looked at to name it.
const AHEAD: usize = 70;

/// Why an export can't be looked through.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The file can't be read.
    #[error("{path} can't be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not begin as an export does.
    #[error("{path} is no export that this salt-herald knows")]
    None {
        /// The file.
        path: PathBuf,
    },
}

/// A line of the file.
pub(super) struct Line {
    pub(super) number: u64,
    /// What it says, if it says anything.
    pub(super) piece: Option<Piece>,
    /// It is what its bytes say, to the letter.
    pub(super) is_as_written: bool,
    /// Where in the file it begins.
    at: u64,
}

pub(super) struct Lines {
    path: PathBuf,
    input: BufReader<File>,
    number: u64,
    at: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, ExportError> {
        let failed = |source| ExportError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let input = BufReader::with_capacity(1 << 16, file);
        Ok(Self { path: path.to_owned(), input, number: 0, at: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>, ExportError> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(MOST).read_until(b'\n', &mut bytes);
        let length =
            read.map_err(|source| ExportError::File { path: self.path.clone(), source })?;
        if length == 0 {
            return Ok(None);
        }
        let at = self.at;
        self.number += 1;
        self.at += length as u64;
        let text = str::from_utf8(&bytes).unwrap_or_default();
        let piece = Piece::read(text);
        let is_as_written = piece.as_ref().is_some_and(|piece| piece.line() == text);
        Ok(Some(Line { number: self.number, piece, is_as_written, at }))
    }
}

/// What stands around a break. A chain in a file has no numbers but those of the entries themselves:
/// where one is missing, the next stands in its place.
pub(super) struct Around {
    path: PathBuf,
    /// From the break on.
    links: Vec<Link>,
    /// The entry before the last one that follows: its hash is all that is asked of it.
    earlier: Option<(u64, Digest)>,
}

impl Around {
    /// Reads what follows a line that holds an entry, which should be `found`.
    pub(super) fn read(
        lines: &Lines,
        line: &Line,
        found: &Link,
        earlier: Option<(u64, Digest)>,
    ) -> Result<Self, ExportError> {
        let mut after = Lines::open(&lines.path)?;
        let sought = after.input.seek(SeekFrom::Start(line.at));
        sought.map_err(|source| ExportError::File { path: lines.path.clone(), source })?;
        let mut links: Vec<Link> = Vec::new();
        while links.len() <= AHEAD {
            let Some(line) = after.next()? else { break };
            if let Some(Piece::Entry { hash, bytes, .. }) = line.piece {
                let number = found.number + links.len() as u64;
                links.push(Link { number, bytes, hash });
            }
        }
        Ok(Self { path: lines.path.clone(), links, earlier })
    }
}

impl Links for Around {
    fn at(&mut self, number: u64) -> Option<Link> {
        if let Some((_, hash)) = self.earlier.filter(|(of, _)| *of == number) {
            return Some(Link { number, bytes: Vec::new(), hash });
        }
        self.links.iter().find(|link| link.number == number).cloned()
    }

    fn elsewhere(&mut self, number: u64, here: u64) -> Option<u64> {
        let mut lines = Lines::open(&self.path).ok()?;
        let mut at = None;
        while let Some(line) = lines.next().ok()? {
            match line.piece {
                Some(Piece::Begin(begin)) => at = Some(begin.after),
                Some(Piece::Entry { bytes, .. }) => {
                    at = at.map(|at| at + 1);
                    let is_it = outline(&bytes).is_some_and(|own| own.number == number);
                    if is_it && at != Some(here) {
                        return at;
                    }
                }
                _ => {}
            }
        }
        None
    }
}
