//! The fields of an entry that says what the limit took.

use super::EntryError;
use super::fields::{Get, Put};
use crate::limited::{Limited, Unsaid};

pub(super) fn encode_limited(out: &mut Put, limited: &Limited) {
    out.u64(limited.limit);
    out.u32(limited.results_before);
    out.u32(limited.quiet_before);
    out.u64(limited.last);
    out.u32(limited.unsaid.len() as u32);
    for Unsaid { sink, runs, from, to } in &limited.unsaid {
        out.text(sink);
        out.u64(*runs);
        out.time(*from);
        out.time(*to);
    }
}

pub(super) fn decode_limited(input: &mut Get<'_>) -> Result<Limited, EntryError> {
    let limit = input.u64("limit")?;
    let results_before = input.u32("results before")?;
    let quiet_before = input.u32("quiet before")?;
    let last = input.u64("last")?;
    let unsaid = (0..input.u32("unsaid")?).map(|_| {
        Ok(Unsaid {
            sink: input.text("sink")?,
            runs: input.u64("runs")?,
            from: input.time("from")?,
            to: input.time("to")?,
        })
    });
    let unsaid = unsaid.collect::<Result<_, _>>()?;
    Ok(Limited { limit, results_before, quiet_before, last, unsaid })
}
