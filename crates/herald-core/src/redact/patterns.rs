//! The patterns of a site, laid over what the rules hid: what either hides is hidden.
//!
//! The rules read a text again and again, each time without what was hidden before; a pattern is meant for
//! the text as it was. So it is kept where in that text everything stood that was hidden.

use std::ops::Range;

use regex::bytes::Regex;

use super::marks::{self, Mark, Marks};
use super::{Spans, slice};

/// The name of the rule, by its place in the config, from 1.
pub(super) fn rule(at: usize) -> String {
    format!("redact.patterns[{}]", at + 1)
}

/// What patterns match in a text, and which of them: their named groups, or else the whole.
pub(super) fn find(patterns: &[Regex], text: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found = Vec::new();
    for (at, pattern) in patterns.iter().enumerate() {
        let named: Vec<&str> = pattern.capture_names().flatten().collect();
        if named.is_empty() {
            found.extend(pattern.find_iter(text).map(|it| (it.range(), at)));
            continue;
        }
        for matched in pattern.captures_iter(text) {
            let groups = named.iter().filter_map(|name| matched.name(name));
            found.extend(groups.map(|it| (it.range(), at)));
        }
    }
    // A mark hides nothing more than it did.
    found.retain(|(range, _)| !range.is_empty() && !touches_mark(text, range));
    found
}

fn touches_mark(text: &[u8], range: &Range<usize>) -> bool {
    marks::covers(text, range.start)
        || memchr::memchr2_iter(b'[', b'$', slice(text, range.clone()))
            .any(|place| marks::length_at(text.get(range.start + place..).unwrap_or_default()) > 0)
}

/// Where in a text everything stood that was hidden in it by one reading after another.
#[derive(Default)]
pub(super) struct Hidden {
    spans: Spans,
}

impl Hidden {
    /// Takes in what a further reading hid, by its places in the text without what was hidden before.
    pub(super) fn add(&mut self, found: &[(Range<usize>, Mark)]) {
        let marks = self.places_of_marks();
        let mut covered = vec![false; marks.len()];
        let mut added: Spans = Vec::with_capacity(found.len());
        for (part, mark) in found {
            let first = marks.partition_point(|mark| mark.end <= part.start);
            let behind = marks.partition_point(|mark| mark.start < part.end);
            covered.iter_mut().take(behind).skip(first).for_each(|covered| *covered = true);
            // A part that begins or ends inside of a mark covers what that one hid.
            let place = |place: usize, at: usize| {
                let before = at.checked_sub(1).and_then(|at| marks.get(at).zip(self.spans.get(at)));
                before.map_or(place, |(mark, (was, _))| was.end + place.saturating_sub(mark.end))
            };
            let begins_in = marks.get(first).filter(|mark| mark.start <= part.start);
            let start = match (begins_in, self.spans.get(first)) {
                (Some(_), Some((was, _))) if first < behind => was.start,
                _ => place(part.start, first),
            };
            added.push((start..place(part.end, behind), *mark));
        }
        let mut covered = covered.into_iter();
        self.spans.retain(|_| !covered.next().unwrap_or_default());
        self.spans.extend(added);
        self.spans.sort_by_key(|(span, _)| span.start);
    }

    /// Where the marks of what is hidden so far stand in the text that has them.
    fn places_of_marks(&self) -> Vec<Range<usize>> {
        let (mut out, mut was_end, mut end) = (Vec::with_capacity(self.spans.len()), 0, 0);
        for (was, _) in &self.spans {
            let start = end + was.start.saturating_sub(was_end);
            end = start + Mark::LENGTH;
            was_end = was_end.max(was.end);
            out.push(start..end);
        }
        out
    }

    /// With what patterns matched in the text as it was.
    pub(super) fn with(mut self, text: &[u8], matched: Spans, marks: &Marks) -> Spans {
        self.spans.extend(matched);
        merged(text, self.spans, marks)
    }
}

/// In order and apart from each other.
pub(super) fn merged(text: &[u8], mut spans: Spans, marks: &Marks) -> Spans {
    spans.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    let mut merged: Spans = Vec::with_capacity(spans.len());
    for (span, mark) in spans {
        match merged.last_mut() {
            // The larger one has said it.
            Some((last, _)) if span.end <= last.end => {}
            Some((last, of_both)) if span.start < last.end => {
                last.end = span.end;
                *of_both = marks.of(slice(text, last.clone()));
            }
            _ => merged.push((span, mark)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::replace_ranges;
    use super::*;

    proptest! {
        /// What was hidden in one reading after another is hidden by one reading of the whole.
        #[test]
        fn where_it_stood_is_known_after_any_readings(
            readings in proptest::collection::vec(proptest::collection::vec((0usize..90, 1usize..30), 0..4), 1..5)
        ) {
            let text: Vec<u8> = (0..60).map(|at| b'a' + (at % 26)).collect();
            let marks = Marks::new(&[7; 32]);
            let (mut hidden, mut now) = (Hidden::default(), text.clone());
            for reading in readings {
                let parts = reading.into_iter().filter_map(|(start, length)| {
                    let range = start..(start + length).min(now.len());
                    (start < now.len()).then(|| (range.clone(), marks.of(slice(&now, range))))
                });
                let parts = merged(&now, parts.collect(), &marks);
                // A rule hides a whole mark or nothing of it.
                let cuts = |place: usize| marks::covers(&now, place) && !now[place..].starts_with(b"[");
                let parts: Spans = parts
                    .into_iter()
                    .filter(|(part, _)| !cuts(part.start) && (part.end == now.len() || !cuts(part.end)))
                    .collect();
                hidden.add(&parts);
                now = replace_ranges(&now, &parts);
            }
            prop_assert_eq!(replace_ranges(&text, &hidden.spans), now);
        }
    }
}
