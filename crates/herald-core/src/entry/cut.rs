//! The fields of an entry that says where the chain begins from now on.

use super::fields::{Get, Put};
use super::{Contents, EntryError};
use crate::change::Cut;
use crate::run::{JobId, RunId};

pub(super) fn encode_cut(out: &mut Put, cut: &Cut) {
    out.u64(cut.last);
    out.digest(cut.hash);
    out.u64(cut.run.0);
    out.u64(cut.job.0);
    out.digest(cut.minions.digest);
}

pub(super) fn decode_cut(
    input: &mut Get<'_>,
    contents: &mut dyn Contents,
) -> Result<Cut, EntryError> {
    Ok(Cut {
        last: input.u64("last")?,
        hash: input.digest("hash")?,
        run: RunId(input.u64("run")?),
        job: JobId(input.u64("job")?),
        minions: input.named("minions", contents)?,
    })
}
