//! The fields of an entry that says how the chain stands, signed.

use super::EntryError;
use super::fields::{Get, Put};
use crate::seal::{Occasion, PublicKey, Seal};

pub(super) fn encode_seal(out: &mut Put, seal: &Seal) {
    out.u64(seal.number);
    out.digest(seal.hash);
    out.time(seal.at);
    out.u8(seal.occasion.code());
    out.0.extend_from_slice(&seal.key.0);
    out.0.extend_from_slice(&seal.signature);
}

pub(super) fn decode_seal(input: &mut Get<'_>) -> Result<Seal, EntryError> {
    Ok(Seal {
        number: input.u64("number")?,
        hash: input.digest("hash")?,
        at: input.time("time of the checkpoint")?,
        occasion: input.code("occasion", Occasion::from_code)?,
        key: PublicKey(input.fixed("key")?),
        signature: input.fixed("signature")?,
    })
}
