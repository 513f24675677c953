//! The fields of an entry that says what was made up, or may have been.

use super::EntryError;
use super::fields::{Get, Put};
use crate::run::JobId;
use crate::suspect::{Suspect, Why};

pub(super) fn encode_suspect(out: &mut Put, suspect: &Suspect) {
    out.u8(suspect.why.code());
    out.u64(suspect.job.map_or(0, |job| job.0));
    out.text(&suspect.jid);
    out.text(&suspect.minion);
    out.text(&suspect.sender);
    out.text(&suspect.tag);
    out.digest(suspect.said);
    out.u32(suspect.count);
}

pub(super) fn decode_suspect(input: &mut Get<'_>) -> Result<Suspect, EntryError> {
    Ok(Suspect {
        why: input.code("why", Why::from_code)?,
        job: Some(JobId(input.u64("job")?)).filter(|job| *job != JobId(0)),
        jid: input.text("jid")?,
        minion: input.text("minion")?,
        sender: input.text("sender")?,
        tag: input.text("tag")?,
        said: input.digest("said")?,
        count: input.u32("count")?,
    })
}
