//! What the rules share while they read one text: which parts are to be hidden, what was learned, and
//! in which quotes a place stands.
//!
//! It collects. What is secret is for the rules to say.

use std::collections::HashMap;
use std::ops::Range;

use super::Redactor;
use super::keys::{self, Kind};
use super::marks::Mark;
use super::patterns;
use super::plain::{self, Writing};
use super::secrets::Secrets;
use super::values::{at, is_placeholder, is_reference, slice};

/// One reading of one text.
pub(super) struct Scan<'t, 's> {
    pub(super) text: &'t [u8],
    spans: Vec<(Range<usize>, Mark)>,
    pub(super) rules: &'s Redactor,
    secrets: &'s mut Secrets,
    /// Up to where the text is dealt with.
    pub(super) done: usize,
    /// Up to where the words of a program were read, and where it is named.
    pub(super) words_done: usize,
    /// How many programs in a row stood in words that had been read.
    pub(super) words_again: u32,
    pub(super) words_of: Range<usize>,
    /// What was hidden in this text already, by how it was written.
    seen: HashMap<(&'t [u8], Writing), Mark>,
    /// The name that was asked for last, and what it says.
    named: Option<(Range<usize>, Option<Kind>)>,
    quotes: Quotes,
    /// Which rule reads at the moment.
    pub(super) rule: &'static str,
}

/// So many values are known again at once.
const MAX_SEEN: usize = 4_096;

impl<'t, 's> Scan<'t, 's> {
    pub(super) fn new(text: &'t [u8], rules: &'s Redactor, secrets: &'s mut Secrets) -> Self {
        let quotes = Quotes { place: 0, open: None };
        Scan {
            text,
            spans: Vec::new(),
            rules,
            secrets,
            done: 0,
            words_done: 0,
            words_again: 0,
            words_of: 0..0,
            seen: HashMap::new(),
            named: None,
            quotes,
            rule: "name",
        }
    }

    /// How secret a name says that its value is. The same name often comes again.
    pub(super) fn kind_of(&mut self, name: &Range<usize>) -> Option<Kind> {
        let written = slice(self.text, name.clone());
        match &self.named {
            Some((last, kind)) if slice(self.text, last.clone()) == written => *kind,
            _ => {
                let kind = keys::kind_of(written);
                self.named = Some((name.clone(), kind));
                kind
            }
        }
    }

    /// Hides a part of the text and learns it.
    pub(super) fn hide(&mut self, part: Range<usize>) {
        let writing = Writing::of(self.text, &part);
        if let Some(mark) = self.seen(&part, writing) {
            return self.push(part, mark);
        }
        let value = slice(self.text, part.clone());
        // Learned as it stands, it is that.
        let plain = match self.secrets.mark_of(value.trim_ascii()) {
            Some(_) => value.trim_ascii().to_vec(),
            None => plain::in_text(value, writing),
        };
        self.hide_new(part, &plain, writing);
    }

    /// Hides and learns a part of the text whose plain form is known.
    pub(super) fn hide_as(&mut self, part: Range<usize>, plain: &[u8]) {
        if plain != slice(self.text, part.clone()) {
            return self.hide_new(part, plain, Writing::Other);
        }
        match self.seen(&part, Writing::Plain) {
            Some(mark) => self.push(part, mark),
            None => self.hide_new(part, plain, Writing::Plain),
        }
    }

    /// Hides and learns what a pattern of the site matched.
    pub(super) fn hide_matched(&mut self, part: Range<usize>, pattern: usize) {
        let value = slice(self.text, part.clone());
        let mark = self.learn_as(value, value);
        self.secrets.tell(mark, &patterns::rule(pattern));
        self.spans.push((part, mark));
    }

    fn seen(&self, part: &Range<usize>, writing: Writing) -> Option<Mark> {
        self.seen.get(&(slice(self.text, part.clone()), writing)).copied()
    }

    fn hide_new(&mut self, part: Range<usize>, plain: &[u8], writing: Writing) {
        let value = slice(self.text, part.clone());
        if value.is_empty() || is_placeholder(value) {
            return;
        }
        let mark = self.learn_as(value, plain);
        if writing != Writing::Other && self.seen.len() < MAX_SEEN {
            self.seen.insert((value, writing), mark);
        }
        self.push(part, mark);
    }

    fn push(&mut self, part: Range<usize>, mark: Mark) {
        self.secrets.tell(mark, self.rule);
        self.spans.push((part, mark));
    }

    fn learn_as(&mut self, value: &[u8], plain: &[u8]) -> Mark {
        let core = plain::core(plain);
        let mark = self.secrets.mark_of(&core).unwrap_or_else(|| self.rules.marks.of(&core));
        self.secrets.learn(&core, mark);
        if plain != core.as_ref() {
            self.secrets.learn(plain, mark);
        }
        if value != plain {
            self.secrets.learn(value, mark);
        }
        mark
    }

    /// Hides a part as [`Scan::hide`] does, unless a shell or a template puts the value in later.
    pub(super) fn hide_value(&mut self, part: Range<usize>, expands: bool) {
        if !is_reference(slice(self.text, part.clone()), expands) {
            self.hide(part);
        }
    }

    /// Learns a part that is hidden within a larger one.
    pub(super) fn learn(&mut self, part: Range<usize>) {
        let value = slice(self.text, part.clone());
        if !is_placeholder(value) {
            let plain = plain::in_text(value, Writing::of(self.text, &part));
            self.learn_as(value, &plain);
        }
    }

    /// Hides the parts that make up a larger one, without learning it as a whole.
    pub(super) fn hide_unlearned(&mut self, part: Range<usize>) {
        let value = slice(self.text, part.clone());
        if !part.is_empty() && !is_placeholder(value) {
            let mark = self.rules.marks.of(value);
            self.push(part, mark);
        }
    }

    /// The quote that is open on this line at a place. Places have to come in order.
    pub(super) fn quote_at(&mut self, place: usize) -> Option<u8> {
        self.quotes.advance(self.text, place);
        self.quotes.open
    }

    /// The parts to hide with their marks, in order and apart from each other.
    pub(super) fn into_spans(mut self) -> Vec<(Range<usize>, Mark)> {
        self.spans.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let mut merged: Vec<(Range<usize>, Mark)> = Vec::with_capacity(self.spans.len());
        for (span, mark) in self.spans {
            match merged.last_mut() {
                // The larger one has said it.
                Some((last, _)) if span.end <= last.end => {}
                Some((last, of_both)) if span.start <= last.end => {
                    last.end = span.end;
                    *of_both = self.rules.marks.of(slice(self.text, last.clone()));
                }
                _ => merged.push((span, mark)),
            }
        }
        merged
    }
}

struct Quotes {
    place: usize,
    open: Option<u8>,
}

impl Quotes {
    fn advance(&mut self, text: &[u8], place: usize) {
        if let Some(newline) = memchr::memrchr(b'\n', slice(text, self.place..place)) {
            self.place += newline + 1;
            self.open = None;
        }
        while self.place < place {
            let byte = at(text, self.place);
            let next = at(text, self.place + 1);
            match (byte, self.open) {
                (b'\\', Some(b'\'')) if next != b'\'' => {}
                (b'\\', _) => self.place += 1,
                (b'\'' | b'"', Some(open)) if open == byte => self.open = None,
                // The apostrophe of "don't".
                (b'\'', None)
                    if next.is_ascii_alphanumeric() && follows_letter(text, self.place) => {}
                (b'\'' | b'"', None) => self.open = Some(byte),
                _ => {}
            }
            self.place += 1;
        }
    }
}

fn follows_letter(text: &[u8], place: usize) -> bool {
    place.checked_sub(1).is_some_and(|before| at(text, before).is_ascii_alphanumeric())
}
