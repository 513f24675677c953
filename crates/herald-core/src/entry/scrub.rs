//! The fields of an entry that says what was taken out because it was secret.

use super::EntryError;
use super::fields::{Get, Put};
use crate::redact::Mark;
use crate::run::RunId;
use crate::scrub::{Scrub, Scrubbed};

/// Those who check contents with other tools find the pairs at one place.
pub(super) fn encode_scrub(out: &mut Put, scrub: &Scrub) {
    out.time(scrub.when);
    out.u64(scrub.first.unwrap_or(0));
    out.u64(scrub.places);
    out.u32(scrub.pairs.len() as u32);
    for Scrubbed { digest, became, places } in &scrub.pairs {
        out.digest(*digest);
        out.digest(*became);
        out.u64(*places);
    }
    out.u32(scrub.runs.len() as u32);
    scrub.runs.iter().for_each(|run| out.u64(run.0));
    out.text(&scrub.reason);
    out.text(&scrub.by);
    out.text(&scrub.sudo);
    let marks: Vec<String> = scrub.marks.iter().map(Mark::to_string).collect();
    out.texts(&marks);
}

pub(super) fn decode_scrub(input: &mut Get<'_>) -> Result<Scrub, EntryError> {
    Ok(Scrub {
        when: input.time("time of the scrub")?,
        first: Some(input.u64("first entry")?).filter(|entry| *entry != 0),
        places: input.u64("places")?,
        pairs: input.many("contents", |input| {
            let (digest, became) = (input.digest("contents")?, input.digest("new contents")?);
            Ok(Scrubbed { digest, became, places: input.u64("places of contents")? })
        })?,
        runs: input.many("runs", |input| input.u64("run").map(RunId))?,
        reason: input.text("reason")?,
        by: input.text("by")?,
        sudo: input.text("sudo")?,
        marks: input.many("marks", |input| {
            let text = input.text("mark")?;
            let whole = |(mark, length)| (length == text.len()).then_some(mark);
            Mark::read(text.as_bytes()).and_then(whole).ok_or(EntryError::Field("mark"))
        })?,
    })
}
