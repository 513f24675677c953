//! The key by which checkpoints are signed, in a file beside the journal, and checking signatures.
//!
//! What is signed, and when, is decided elsewhere. The private key is never shown, logged or sent.

use std::fmt;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use herald_core::seal::{Checkpoint, PublicKey, Signed};
use rustix::fs::OFlags;
use thiserror::Error;

use crate::hex;

#[cfg(test)]
mod tests;

/// Longer files are no keys.
const MOST: u64 = 4096;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum SealError {
    /// The file can't be read or written.
    #[error("the signing key {path} can't be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What stands in it is none.
    #[error("{path} holds no signing key")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("the signing key {path} can be read by others (mode {mode:o})")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No key could be made.
    #[error("no signing key can be made")]
    Random,
}

impl SealError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "give the file to the daemon's user, with mode 0600",
            Self::NoKey { .. } => {
                "put the key back, or move the file away: another one is made, and that is said"
            }
            Self::Open { .. } => {
                "whoever read it can sign as this journal: move it away, so that another one is made, \
                 or chmod 0600 it"
            }
            Self::Random => "see whether the machine has a source of random numbers",
        }
    }
}

/// A key that signs.
pub struct SealKey(Ed25519KeyPair);

impl SealKey {
    /// Where the key of a journal is.
    pub fn place(journal: &Path) -> PathBuf {
        let mut name = journal.as_os_str().to_owned();
        name.push(".seal");
        PathBuf::from(name)
    }

    /// Reads the key beside a journal, or makes one: with mode 0600, and on disk before it is used.
    ///
    /// # Errors
    /// When there is one that can't be used, or none can be made. One that is there is never replaced.
    pub fn of_journal(journal: &Path) -> Result<Self, SealError> {
        let path = Self::place(journal);
        match Self::load(&path) {
            Err(SealError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::make(&path)
            }
            loaded => loaded,
        }
    }

    /// The same where it is not worth an end: without a key a journal is only not signed for. That is told
    /// in the log.
    pub fn if_usable(journal: &Path) -> Option<Self> {
        let tell = |error: SealError| {
            let (hint, error) = (error.hint(), &error as &dyn std::error::Error);
            tracing::error!(error, hint, "the journal is not signed for");
        };
        Self::of_journal(journal).map_err(tell).ok()
    }

    fn load(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        let file = open_regular(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SealError::Open { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(MOST).read_to_string(&mut text).map_err(failed)?;
        let key = hex::read(text.trim()).and_then(|der| Ed25519KeyPair::from_pkcs8(&der).ok());
        key.map(Self).ok_or_else(|| SealError::NoKey { path: path.to_owned() })
    }

    fn make(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        let key = Ed25519KeyPair::generate().map_err(|_| SealError::Random)?;
        let der = key.to_pkcs8v1().map_err(|_| SealError::Random)?;
        // Half a key must never lie there.
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&part)
            .map_err(failed)?;
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        writeln!(file, "{}", hex::write(der.as_ref())).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&part, path).map_err(failed)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        folder.sync_all().map_err(failed)?;
        Ok(Self(key))
    }

    /// The key by which what it signs is checked.
    pub fn public(&self) -> PublicKey {
        let bytes = self.0.public_key().as_ref().try_into();
        PublicKey(bytes.unwrap_or_default())
    }

    /// Signs a checkpoint.
    pub fn sign(&self, checkpoint: Checkpoint) -> Signed {
        let signature = self.0.sign(&checkpoint.to_bytes());
        Signed { checkpoint, signature: signature.as_ref().try_into().unwrap_or([0; 64]) }
    }
}

/// Opens a file for reading. Whoever finds something else there does not wait for it: a pipe would be, for
/// ever.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(no_wait).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is there and is no regular file"))
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealKey").field(&self.public()).finish()
    }
}

/// Whether a checkpoint was signed with the key that belongs to this one.
pub fn is_signed(signed: &Signed, key: PublicKey) -> bool {
    let bytes = signed.checkpoint.to_bytes();
    UnparsedPublicKey::new(&ED25519, key.0).verify(&bytes, &signed.signature).is_ok()
}
