//! The first place at which a chain breaks, and how: by an entry's number, its hash, and its neighbours.
//!
//! Whoever changes an entry and makes every hash after it anew leaves nothing to be seen here: that is
//! what checkpoints are for.

use std::fmt;

use crate::digest::Digest;
use crate::entry;

/// So many that were inserted are told from such that were changed.
const MOST_INSERTED: u64 = 64;

/// An entry as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it stands: the number of its row.
    pub number: u64,
    /// What stands there.
    pub bytes: Vec<u8>,
    /// Its hash, as noted.
    pub hash: Digest,
}

/// What else stands in the file.
pub trait Links {
    /// The entry that stands at a number.
    fn at(&mut self, number: u64) -> Option<Link>;
    /// Where else than at `here` an entry stands that says of itself that it is this one.
    fn elsewhere(&mut self, number: u64, here: u64) -> Option<u64>;
}

/// Where a chain breaks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The entry; of those that were removed the first.
    pub entry: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not what was written; or the one before is not, and its hash was made anew.
    Changed {
        /// The one before can't be meant: there is none, or a checkpoint vouches for it.
        alone: bool,
    },
    /// It is what was written, and its hash is not.
    Hash,
    /// What was written was replaced by a copy of another entry.
    Copied {
        /// The other.
        of: u64,
    },
    /// An entry of another journal stands there.
    Foreign,
    /// It and those up to this one are not there.
    Removed {
        /// The last of them.
        last: u64,
        /// Those after it bear lower numbers now.
        renumbered: bool,
    },
    /// The end of what a checkpoint says was taken out is not there either.
    Beginning {
        /// The first that is there.
        first: u64,
    },
    /// It and those up to this one were not written: those around them follow on one another.
    Inserted {
        /// The last of them.
        last: u64,
    },
    /// It stands in another's place.
    Moved {
        /// Where.
        to: u64,
    },
    /// It and another stand in one another's place.
    Swapped {
        /// The other.
        with: u64,
    },
    /// It is what was written, but its row says another time or kind.
    Columns,
}

impl Fault {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Changed { .. } | Fault::Copied { .. } | Fault::Foreign => "entry_changed",
            Fault::Hash => "hash_changed",
            Fault::Removed { .. } | Fault::Beginning { .. } => "entry_removed",
            Fault::Inserted { .. } => "entry_inserted",
            Fault::Moved { .. } | Fault::Swapped { .. } => "entry_moved",
            Fault::Columns => "row_changed",
        }
    }
}

/// Whether an entry follows on a hash.
pub fn fits(before: Digest, link: &Link) -> bool {
    entry::chain(before, &link.bytes) == link.hash
}

/// What is wrong, where `found` should follow on the entry `last` with the hash `before`, and does not.
pub fn diagnose(
    origin: [u8; 16],
    (last, before): (u64, Digest),
    found: &Link,
    links: &mut dyn Links,
) -> Break {
    let wanted = last + 1;
    if found.number > wanted {
        return missing(wanted, found.number - 1, links);
    }
    let own = entry::outline(&found.bytes);
    let other = own.filter(|own| own.origin == origin && own.number != wanted);
    let is_displaced = other.is_some_and(|own| links.elsewhere(own.number, wanted).is_none());
    if !is_displaced && let Some(found) = inserted(last, before, found, links) {
        return found;
    }
    let next = links.at(wanted + 1);
    let fault = match own {
        Some(own) if own.origin != origin => Fault::Foreign,
        Some(own) if own.number != wanted => displaced(found, own.number, next.as_ref(), links),
        _ => changed(last, before, found, next.as_ref()),
    };
    Break { entry: wanted, fault }
}

/// A hole in the numbers.
fn missing(first: u64, last: u64, links: &mut dyn Links) -> Break {
    let fault = match links.elsewhere(first, first) {
        Some(to) => Fault::Moved { to },
        None => Fault::Removed { last, renumbered: false },
    };
    Break { entry: first, fault }
}

/// Without it, or without the one before, the others follow on one another.
fn inserted(last: u64, before: Digest, found: &Link, links: &mut dyn Links) -> Option<Break> {
    for number in found.number + 1..=found.number + MOST_INSERTED {
        let Some(next) = links.at(number) else { break };
        if fits(before, &next) {
            let fault = Fault::Inserted { last: number - 1 };
            return Some(Break { entry: found.number, fault });
        }
    }
    // The hash of what was inserted can be made to fit, but not that of what comes after.
    let earlier = last.checked_sub(1).filter(|number| *number > 0);
    let earlier = earlier.and_then(|number| links.at(number))?;
    let is_the_one_before = own_number(found) == Some(last) && fits(earlier.hash, found);
    is_the_one_before.then_some(Break { entry: last, fault: Fault::Inserted { last } })
}

fn own_number(link: &Link) -> Option<u64> {
    entry::outline(&link.bytes).map(|own| own.number)
}

/// It says of itself that it is another.
fn displaced(found: &Link, own: u64, next: Option<&Link>, links: &mut dyn Links) -> Fault {
    let wanted = found.number;
    let of_next = next.and_then(own_number);
    match links.elsewhere(wanted, wanted) {
        Some(to) if to == own => Fault::Swapped { with: own },
        Some(to) => Fault::Moved { to },
        None if own > wanted && of_next.is_none_or(|of_next| of_next == own + 1) => {
            Fault::Removed { last: own - 1, renumbered: true }
        }
        None => Fault::Copied { of: own },
    }
}

fn changed(last: u64, before: Digest, found: &Link, next: Option<&Link>) -> Fault {
    let is_followed = |hash| next.is_some_and(|next| fits(hash, next));
    if is_followed(entry::chain(before, &found.bytes)) {
        return Fault::Hash;
    }
    Fault::Changed { alone: last == 0 }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry;
        match self.fault {
            Fault::Changed { alone: true } => write!(f, "entry {entry} was changed"),
            Fault::Changed { alone: false } => {
                let before = entry - 1;
                write!(
                    f,
                    "entry {entry} was changed, or entry {before} was and its hash made anew: they \
                     don't follow on one another"
                )
            }
            Fault::Hash => {
                write!(f, "the hash of entry {entry} was changed; the entry is what was written")
            }
            Fault::Copied { of } => {
                write!(f, "entry {entry} was replaced by a copy of entry {of}")
            }
            Fault::Foreign => {
                write!(f, "entry {entry} is another journal's: it was changed, or inserted")
            }
            Fault::Removed { last, renumbered } => {
                let (what, were) = several(entry, last);
                write!(f, "{what} {were} removed")?;
                if renumbered { f.write_str(", and those after it numbered anew") } else { Ok(()) }
            }
            Fault::Beginning { first } => {
                let (what, were) = several(entry, first - 1);
                write!(f, "{what} {were} removed, and no checkpoint says so")
            }
            Fault::Inserted { last } => {
                let (what, were) = several(entry, last);
                let it = if entry == last { "it" } else { "them" };
                write!(f, "{what} {were} inserted: without {it} those around follow on one another")
            }
            Fault::Moved { to } => write!(f, "entry {entry} was moved: it stands as entry {to}"),
            Fault::Swapped { with } => {
                write!(
                    f,
                    "entries {entry} and {with} were moved: they stand in one another's place"
                )
            }
            Fault::Columns => write!(
                f,
                "the row of entry {entry} says another time or kind than the entry, which is what was \
                 written"
            ),
        }
    }
}

fn several(first: u64, last: u64) -> (String, &'static str) {
    if first == last {
        (format!("entry {first}"), "was")
    } else {
        (format!("entries {first} to {last}"), "were")
    }
}

#[cfg(test)]
mod tests;
