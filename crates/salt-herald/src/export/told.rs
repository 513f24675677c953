//! Which contents were told: each stands before the first entry that names it, and nowhere else. By that one
//! who writes knows what to write, and one who checks whether anything is missing, or was put in.

use herald_core::digest::{Digest, DigestMap};
use herald_core::payload::PayloadKind;

use super::fields;

/// Contents that were named so far, and whether all of each is there: of a shape with its parts. It takes
/// some 40 bytes of memory for each.
#[derive(Debug, Default)]
pub(crate) struct Told(DigestMap<bool>);

/// What an entry is the first to name, and what it names that is not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    /// Named for the first time, and not there.
    pub(crate) gone: Vec<Digest>,
    /// Not there, and needed to understand the entry.
    pub(super) needed: Option<Digest>,
    /// A part of what a return says is not there.
    pub(super) is_expired: bool,
}

impl Told {
    /// Takes up what an entry names. `find` is asked for what it is the first to name, in a fixed order, and
    /// gives the bytes of shapes, and any of others, where they are there.
    pub(crate) fn take<E>(
        &mut self,
        entry: &[u8],
        mut find: impl FnMut(Digest, PayloadKind) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Lacks, E> {
        let mut lacks = Lacks::default();
        for (digest, kind) in fields::names(entry) {
            let is_whole = self.look(digest, kind, &mut lacks, &mut find)?;
            match kind {
                _ if is_whole => {}
                PayloadKind::Shape | PayloadKind::Definition | PayloadKind::Body => {
                    lacks.is_expired = true;
                }
                PayloadKind::Head | PayloadKind::Load | PayloadKind::Set | PayloadKind::Minions => {
                    lacks.needed = lacks.needed.or(Some(digest))
                }
            }
        }
        Ok(lacks)
    }

    /// Whether these contents are there.
    fn look<E>(
        &mut self,
        digest: Digest,
        kind: PayloadKind,
        lacks: &mut Lacks,
        find: &mut impl FnMut(Digest, PayloadKind) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<bool, E> {
        if digest == Digest::ZERO {
            return Ok(true);
        }
        if let Some(known) = self.0.get(&digest) {
            return Ok(*known);
        }
        let found = find(digest, kind)?;
        self.0.insert(digest, found.is_some());
        let Some(bytes) = found else {
            lacks.gone.push(digest);
            return Ok(false);
        };
        let mut is_whole = true;
        if kind == PayloadKind::Shape {
            let parts = [PayloadKind::Definition, PayloadKind::Body].into_iter().cycle();
            let digests = bytes.chunks_exact(32).filter_map(Digest::from_slice);
            for (part, kind) in digests.zip(parts) {
                is_whole &= self.look(part, kind, lacks, find)?;
            }
            self.0.insert(digest, is_whole);
        }
        Ok(is_whole)
    }
}
