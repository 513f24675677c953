//! A secret that slipped through and was taken out afterwards: what an entry says of that, and how it is
//! found and hidden in what the journal holds ([`Sought`]).
//!
//! Where the journal keeps things, and who takes them out, is the store's matter.

mod sought;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::redact::Mark;
use crate::run::RunId;

pub use sought::{Hidden, MIN_LENGTH, Refused, Sought};

/// So many contents are told of by one entry; of more, another tells.
pub const MOST_PAIRS: usize = 1000;

/// That contents were replaced, as an entry says it. The contents keep their names: those are in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub {
    /// When it was done. An entry that repeats another has a later time of its own.
    pub when: Timestamp,
    /// The entry that said it first, where this one repeats it since that one is taken out.
    pub first: Option<u64>,
    /// Why, in somebody's words.
    pub reason: String,
    /// Who: the user of the process.
    pub by: String,
    /// Who became that user, by sudo's word; empty: nobody, or not known.
    pub sudo: String,
    /// What stands in the places of the secrets.
    pub marks: Vec<Mark>,
    /// In how many places they stood.
    pub places: u64,
    /// The runs that name such contents.
    pub runs: Vec<RunId>,
    /// The contents: by which name entries know them, and the digest of what stands there now.
    pub pairs: Vec<Scrubbed>,
}

/// Contents that were replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// By which entries name them: the digest of what stood there.
    pub digest: Digest,
    /// The digest of what stands there now.
    pub became: Digest,
    /// How many places that were.
    pub places: u64,
}

impl Scrub {
    /// The same in as many portions as entries are needed; the first names the runs.
    pub fn portions(self) -> Vec<Scrub> {
        let head = |scrub: &Scrub| Scrub { runs: Vec::new(), pairs: Vec::new(), ..scrub.clone() };
        let counted = |pairs: &[Scrubbed]| pairs.iter().map(|pair| pair.places).sum::<u64>();
        let elsewhere = self.places.saturating_sub(counted(&self.pairs));
        let mut portions: Vec<Scrub> = self
            .pairs
            .chunks(MOST_PAIRS)
            .map(|pairs| Scrub { places: counted(pairs), pairs: pairs.to_vec(), ..head(&self) })
            .collect();
        if portions.is_empty() {
            portions.push(Scrub { places: 0, ..head(&self) });
        }
        if let Some(first) = portions.first_mut() {
            first.places += elsewhere;
            first.runs = self.runs;
        }
        portions
    }

    /// Who did it, in words: `root`, or `alice by sudo as root`.
    pub fn who(&self) -> String {
        match self.sudo.as_str() {
            "" => self.by.clone(),
            sudo => format!("{sudo} by sudo as {}", self.by),
        }
    }
}

#[cfg(test)]
mod tests;
