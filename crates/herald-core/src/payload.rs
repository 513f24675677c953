//! Payloads: contents that entries name by digest. They can expire or be scrubbed without breaking
//! the chain of entries, because the chain holds only their digests.

use std::sync::Arc;

use crate::digest::Digest;
use crate::run::named;

named! {
    /// What a payload holds. All but sets and shapes are canonical MessagePack.
    PayloadKind {
        /// A run in words: [`crate::run::RunHead`].
        Head = 1, "head";
        /// A job's load: functions, arguments, target, user, metadata.
        Load = 2, "load";
        /// A set of minions, as a Roaring bitmap of their numbers.
        Set = 3, "set";
        /// A state's definition: id, sls, name, function.
        Definition = 4, "definition";
        /// A state's result, comment and changes, or a whole plain return.
        Body = 5, "body";
        /// What a return consists of: pairs of definition and body, by digest.
        Shape = 6, "shape";
        /// The ids of all minions, by number.
        Minions = 7, "minions";
    }
}

/// Longer contents, in bytes, are stored as their beginning with their true length.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Contents with their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// What it is.
    pub kind: PayloadKind,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes, redacted.
    pub bytes: Arc<[u8]>,
}

impl Payload {
    /// Names some bytes.
    pub fn new(kind: PayloadKind, bytes: &[u8]) -> Self {
        Self { kind, digest: Digest::of(bytes), bytes: bytes.into() }
    }
}
