//! Where in a text the rules have to look: one pass over it finds every place at which an anchor
//! (`pass`, `://`, `ghp_`, …) begins.
//!
//! Two tables say of each pair of bytes in which buckets an anchor begins, or goes on, with it. Of
//! nearly every place they say no, and nothing depends on what was read before, so that it goes at
//! more than a gigabyte a second where an automaton waits for its last state at each byte. What
//! they let through is compared. What an anchor means is not known here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::values::slice;

/// Which anchors are matched apart from each other: of one family the leftmost and longest counts,
/// and the next begins behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Tokens and the like, exactly as written.
    Shape,
    /// Names and programs, in any case of letters.
    Name,
}

/// What is looked for, and what is to be asked where it stands.
#[derive(Debug, Clone)]
pub(super) struct Anchor<T> {
    pub(super) text: Cow<'static, str>,
    pub(super) family: Family,
    pub(super) means: T,
}

/// How many buckets each family has; the last one is for anchors of two bytes, with which anything
/// goes on.
const BUCKETS: usize = 4;
const PAIRS: usize = 1 << 16;

/// All anchors, made ready for searching.
#[derive(Debug, Clone)]
pub(super) struct Sieve<T> {
    begins: Box<[u8; PAIRS]>,
    goes_on: Box<[u8; PAIRS]>,
    /// By the first two bytes as they stand in a text, the number of a group; the first one is empty.
    group: Box<[u16; PAIRS]>,
    /// The longest first.
    groups: Vec<Vec<Anchor<T>>>,
}

impl<T: Copy> Sieve<T> {
    /// Anchors are of two bytes at least; shorter ones are never found.
    pub(super) fn new(anchors: impl IntoIterator<Item = Anchor<T>>) -> Self {
        let mut anchors: Vec<Anchor<T>> = anchors.into_iter().collect();
        // Like beginnings share a bucket, which keeps the tables thin.
        let key = |anchor: &Anchor<T>| (anchor.family == Family::Name, anchor.text.clone());
        anchors.sort_by_cached_key(key);
        anchors.dedup_by(|one, other| key(one) == key(other));
        let mut sieve = Sieve {
            begins: Box::new([0; PAIRS]),
            goes_on: Box::new([0; PAIRS]),
            group: Box::new([0; PAIRS]),
            groups: vec![Vec::new()],
        };
        let mut groups: BTreeMap<[u8; 2], Vec<Anchor<T>>> = BTreeMap::new();
        let count = anchors.len().max(1);
        for (index, anchor) in anchors.into_iter().enumerate() {
            for pair in sieve.mark(&anchor, index * (BUCKETS - 1) / count) {
                groups.entry(pair).or_default().push(anchor.clone());
            }
        }
        for (pair, mut group) in groups {
            group.sort_by_key(|anchor| std::cmp::Reverse(anchor.text.len()));
            if let Some(number) = sieve.group.get_mut(index_of(pair)) {
                *number = u16::try_from(sieve.groups.len()).unwrap_or_default();
                sieve.groups.push(group);
            }
        }
        sieve
    }

    /// Puts an anchor into both tables, and says with which pairs of bytes it can begin.
    fn mark(&mut self, anchor: &Anchor<T>, bucket: usize) -> Vec<[u8; 2]> {
        let mut bytes = anchor.text.bytes();
        let (Some(first), Some(second)) = (bytes.next(), bytes.next()) else {
            return Vec::new();
        };
        let (third, fourth) = (bytes.next(), bytes.next());
        let any_case = anchor.family == Family::Name;
        let bucket = if third.is_none() { BUCKETS - 1 } else { bucket };
        let bit = 1u8 << (bucket + if any_case { BUCKETS } else { 0 });
        let any: Vec<u8> = (0..=u8::MAX).collect();
        let of = |byte: Option<u8>| byte.map_or(any.clone(), |byte| cases(byte, any_case));
        let begins = pairs(&of(Some(first)), &of(Some(second)));
        begins.iter().for_each(|pair| set(&mut self.begins, *pair, bit));
        pairs(&of(third), &of(fourth)).iter().for_each(|pair| set(&mut self.goes_on, *pair, bit));
        begins
    }

    /// Hands out every anchor of a text, in the order of their beginnings.
    pub(super) fn each(&self, text: &[u8], mut take: impl FnMut(Range<usize>, T)) {
        let mut done = [0usize; 2];
        let mut place = 0;
        while let Some(found) = self.next(text, place) {
            for family in [Family::Shape, Family::Name] {
                let Some(done) = done.get_mut(family as usize).filter(|done| **done <= found)
                else {
                    continue;
                };
                if let Some(anchor) = self.at(text, found, family) {
                    *done = found + anchor.text.len();
                    take(found..*done, anchor.means);
                }
            }
            place = found + 1;
        }
    }

    /// Whether any anchor stands in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let mut place = 0;
        while let Some(found) = self.next(text, place) {
            let is_at = |family| self.at(text, found, family).is_some();
            if is_at(Family::Shape) || is_at(Family::Name) {
                return true;
            }
            place = found + 1;
        }
        false
    }

    /// The longest anchor of a family that begins at a place.
    fn at(&self, text: &[u8], place: usize, family: Family) -> Option<&Anchor<T>> {
        let pair = *slice(text, place..place + 2).first_chunk()?;
        let number = self.group.get(index_of(pair))?;
        self.groups.get(usize::from(*number))?.iter().find(|anchor| {
            let written = slice(text, place..place + anchor.text.len());
            anchor.family == family
                && match family {
                    Family::Shape => written == anchor.text.as_bytes(),
                    Family::Name => written.eq_ignore_ascii_case(anchor.text.as_bytes()),
                }
        })
    }

    /// The next place at which an anchor may begin.
    fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        let passes =
            |a: u8, b: u8, c: u8, d: u8| get(&self.begins, [a, b]) & get(&self.goes_on, [c, d]);
        let found = rest.array_windows().position(|&[a, b, c, d]| passes(a, b, c, d) != 0);
        if let Some(offset) = found {
            return Some(from + offset);
        }
        // Behind the end of the text nothing goes on, which only short anchors can do without.
        let tail = rest.len().saturating_sub(3);
        let last = |at: usize| rest.get(at).copied().unwrap_or(0);
        (tail..rest.len())
            .find(|&at| passes(last(at), last(at + 1), last(at + 2), last(at + 3)) != 0)
            .map(|at| from + at)
    }
}

fn index_of(pair: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(pair))
}

fn get(table: &[u8; PAIRS], pair: [u8; 2]) -> u8 {
    table.get(index_of(pair)).copied().unwrap_or_default()
}

fn set(table: &mut [u8; PAIRS], pair: [u8; 2], bit: u8) {
    if let Some(mask) = table.get_mut(index_of(pair)) {
        *mask |= bit;
    }
}

fn cases(byte: u8, any_case: bool) -> Vec<u8> {
    let mut cases = vec![byte];
    if any_case && byte.is_ascii_alphabetic() {
        cases = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
    }
    cases
}

fn pairs(first: &[u8], second: &[u8]) -> Vec<[u8; 2]> {
    first.iter().flat_map(|a| second.iter().map(|b| [*a, *b])).collect()
}

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, MatchKind};
    use proptest::prelude::*;

    use super::*;

    const SHAPES: [&str; 6] = ["SK", "ghp_", "gh", "://", "-----BEGIN", "SG."];
    const NAMES: [&str; 8] = ["pass", "passwd", "pw", "key", "keys on", "?sig=", " -p ", "mysql"];

    fn sieve() -> Sieve<()> {
        let of = |family| move |text: &'static str| Anchor { text: text.into(), family, means: () };
        let shapes = SHAPES.into_iter().map(of(Family::Shape));
        Sieve::new(shapes.chain(NAMES.into_iter().map(of(Family::Name))))
    }

    fn by_automaton(anchors: &[&str], any_case: bool, text: &[u8]) -> Vec<Range<usize>> {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(any_case)
            .build(anchors)
            .unwrap();
        automaton.find_iter(text).map(|found| found.range()).collect()
    }

    proptest! {
        #[test]
        fn it_finds_what_an_automaton_finds(
            text in "(SK|sk|ghp_|gh|://|:/|-----BEGIN|SG\\.|pass|PASSwd|Pw|key|keYs on|\\?sig=| -p |mysql|[a-z\\x00 ä]){0,30}"
        ) {
            let text = text.as_bytes();
            let sieve = sieve();
            let mut found = Vec::new();
            sieve.each(text, |range, ()| found.push(range));
            let mut expected = by_automaton(&SHAPES, false, text);
            expected.extend(by_automaton(&NAMES, true, text));
            prop_assert_eq!(sieve.is_in(text), !expected.is_empty());
            let key = |range: &Range<usize>| (range.start, range.end);
            expected.sort_by_key(key);
            found.sort_by_key(key);
            prop_assert_eq!(found, expected);
        }
    }
}
