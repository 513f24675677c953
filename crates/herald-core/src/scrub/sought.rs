//! Secrets that somebody names, looked for in all that the journal holds, and hidden there.
//!
//! Unlike what rules find ([`crate::redact::Secrets`]) nothing is left alone here because it looks harmless:
//! what can't be looked for is refused. It keeps nothing.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use salt_event::Value;
use salt_event::msgpack::Reader;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::announce::Mood;
use crate::canonical::Canonical;
use crate::change::{GapReason, Storable};
use crate::command::with_parameters;
use crate::key::KeyAct;
use crate::owed::Part;
use crate::payload::PayloadKind;
use crate::redact::{Mark, Marks, forms_of};
use crate::run::{Flag, RunHead, RunKind, RunStatus, Standing};

/// Fewer bytes would be found everywhere.
pub const MIN_LENGTH: usize = 6;
/// Most bytes of all secrets together.
const MOST_BYTES: usize = 64 << 10;
/// What the journal's own contents are made of, beside the names of kinds.
const OWN_WORDS: &str = "kind user command fun tgt tgt_type test schedule saltenv metadata what arg __kwarg__ \
    result comment changes truncated start hidden by salt-herald [hidden ${hidden_ \
    origin payloads_indexed payloads_last put_back SQLite format 3";

/// Why something can't be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// There is nothing.
    #[error("no secret was given")]
    Nothing,
    /// It would be found everywhere.
    #[error("the secret in line {line} has fewer than {MIN_LENGTH} bytes")]
    Short {
        /// Which one, from 1.
        line: usize,
    },
    /// It is a part of what each journal holds.
    #[error(
        "the secret in line {line} is a word that every journal holds, and can't be told from it"
    )]
    OwnWord {
        /// Which one, from 1.
        line: usize,
    },
    /// They are too many.
    #[error("there are more than 64 KiB of secrets")]
    TooMuch,
}

/// Secrets that are looked for, in all of their forms.
///
/// The automaton made of them is freed without being wiped.
#[derive(Debug)]
pub struct Sought {
    automaton: AhoCorasick,
    /// What stands in the place of each form.
    of_form: Vec<Mark>,
    /// Each secret's, in the order in which they were given.
    marks: Vec<Mark>,
    /// Numbers are no text: those that are secret as a whole.
    numbers: Vec<(Zeroizing<String>, Mark)>,
    longest: usize,
}

/// Contents in which something was hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What is to stand there.
    pub bytes: Vec<u8>,
    /// In how many places something was.
    pub places: u64,
}

impl Sought {
    /// One secret in each line of a text. In contents the ids of `minions` stand as placeholders, in a
    /// secret, too.
    ///
    /// # Errors
    /// When one can't be looked for.
    pub fn new<'m>(
        text: &[u8],
        marks: &Marks,
        minions: impl IntoIterator<Item = &'m str>,
    ) -> Result<Self, Refused> {
        if text.len() > MOST_BYTES {
            return Err(Refused::TooMuch);
        }
        let own_words = own_words();
        let mut secrets: Vec<(&[u8], Mark)> = Vec::new();
        for (line, secret) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let secret = secret.trim_ascii();
            if secret.is_empty() {
                continue;
            }
            if secret.len() < MIN_LENGTH {
                return Err(Refused::Short { line });
            }
            if memchr::memmem::find(own_words.as_bytes(), secret).is_some() {
                return Err(Refused::OwnWord { line });
            }
            secrets.push((secret, marks.of(secret)));
        }
        if secrets.is_empty() {
            return Err(Refused::Nothing);
        }
        let minions: Vec<&str> = minions.into_iter().collect();
        let (mut forms, mut of_form) = (Vec::new(), Vec::new());
        for (secret, mark) in &secrets {
            push_forms(secret, &minions, &mut forms);
            of_form.resize(forms.len(), *mark);
        }
        let longest = forms.iter().map(Vec::len).max().unwrap_or_default();
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        forms.zeroize();
        let automaton = built.map_err(|_| Refused::TooMuch)?;
        let number = |(secret, mark): &(&[u8], Mark)| {
            let text = str::from_utf8(secret).ok().filter(|text| text.parse::<f64>().is_ok())?;
            Some((Zeroizing::new(text.to_owned()), *mark))
        };
        let numbers = secrets.iter().filter_map(number).collect();
        let mut marks: Vec<Mark> = Vec::new();
        for (_, mark) in secrets {
            if !marks.contains(&mark) {
                marks.push(mark);
            }
        }
        Ok(Self { automaton, of_form, marks, numbers, longest })
    }

    /// What stands in the places of the secrets.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The length of the longest form: who looks through something in pieces lets them overlap by that.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Whether some bytes hold one.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.automaton.is_match(bytes)
    }

    /// How many stand in some bytes and end behind the first `seen` of them.
    pub fn count(&self, bytes: &[u8], seen: usize) -> u64 {
        self.automaton.find_iter(bytes).filter(|found| found.end() > seen).count() as u64
    }

    /// Whether contents may hold one: numbers are no text, so where one is sought all may.
    pub fn may_be_in(&self, contents: &[u8]) -> bool {
        !self.numbers.is_empty() || self.is_in(contents)
    }

    /// A text without them, if it holds any, and in how many places.
    pub fn hide_text(&self, text: &str) -> Option<(String, u64)> {
        let (mut hidden, mut places) = (Cow::Borrowed(text), 0);
        // What was left on both sides of a mark is no secret by itself, but with one that overlaps it may be.
        while let Some(next) = self.hide_once(hidden.as_bytes()) {
            places += next.places;
            // A form of stray bytes that cuts a character: rather nothing than a part of it.
            let first = || self.marks.first().map(Mark::to_string).unwrap_or_default();
            hidden = Cow::Owned(String::from_utf8(next.bytes).unwrap_or_else(|_| first()));
        }
        (places > 0).then(|| (hidden.into_owned(), places))
    }

    fn hide_once(&self, text: &[u8]) -> Option<Hidden> {
        let (mut bytes, mut places, mut done) = (Vec::with_capacity(text.len()), 0, 0);
        for found in self.automaton.find_iter(text) {
            let mark = self.of_form.get(found.pattern().as_usize())?;
            bytes.extend_from_slice(text.get(done..found.start()).unwrap_or_default());
            bytes.extend_from_slice(mark.to_string().as_bytes());
            (places, done) = (places + 1, found.end());
        }
        bytes.extend_from_slice(text.get(done..).unwrap_or_default());
        (places > 0).then_some(Hidden { bytes, places })
    }

    /// Hides them in all texts, keys, bytes and numbers of a tree; in how many places.
    pub fn hide_value(&self, value: &mut Value<'_>) -> u64 {
        match value {
            Value::Text(text) => match self.hide_text(text) {
                Some((hidden, places)) => {
                    *text = Cow::Owned(hidden);
                    places
                }
                None => 0,
            },
            Value::Bytes(bytes) | Value::Ext(_, bytes) => match self.hide_once(bytes) {
                Some(hidden) => {
                    *bytes = Cow::Owned(hidden.bytes);
                    hidden.places
                }
                None => 0,
            },
            Value::Array(items) => items.iter_mut().map(|item| self.hide_value(item)).sum(),
            Value::Map(pairs) => pairs
                .iter_mut()
                .map(|(key, item)| self.hide_value(key) + self.hide_value(item))
                .sum(),
            Value::Int(number) => self.hide_number(&number.to_string(), value),
            Value::UInt(number) => self.hide_number(&number.to_string(), value),
            Value::Float(number) => self.hide_number(&number.to_string(), value),
            Value::Nil | Value::Bool(_) => 0,
        }
    }

    fn hide_number(&self, digits: &str, value: &mut Value<'_>) -> u64 {
        let Some((_, mark)) = self.numbers.iter().find(|(secret, _)| secret.as_str() == digits)
        else {
            return 0;
        };
        *value = Value::from(mark.to_string());
        1
    }

    /// Hides them in what a run is in words; in how many places. Its command line stops there when it is
    /// pasted.
    pub fn hide_head(&self, head: &mut RunHead) -> u64 {
        let hide = |text: &mut String| match self.hide_text(text) {
            Some((hidden, places)) => {
                *text = hidden;
                places
            }
            None => 0,
        };
        let in_command = hide(&mut head.command);
        if in_command > 0 {
            head.command = with_parameters(&head.command);
        }
        let texts = [&mut head.tgt, &mut head.tgt_type];
        let named = [&mut head.user, &mut head.schedule, &mut head.saltenv];
        in_command
            + head
                .funs
                .iter_mut()
                .chain(texts)
                .chain(named.into_iter().flatten())
                .map(hide)
                .sum::<u64>()
            + head.metadata.as_mut().map_or(0, |metadata| self.hide_value(metadata))
    }

    /// Contents without them, if they hold any. The ids of minions are left alone, as entries hold them, too.
    pub fn hide_contents(&self, kind: PayloadKind, bytes: &[u8]) -> Option<Hidden> {
        match kind {
            PayloadKind::Set | PayloadKind::Shape | PayloadKind::Minions => None,
            PayloadKind::Head => {
                let mut head = RunHead::from_payload_bytes(bytes)?;
                let places = self.hide_head(&mut head);
                (places > 0).then(|| Hidden { bytes: head.to_payload_bytes(), places })
            }
            PayloadKind::Load | PayloadKind::Definition | PayloadKind::Body => {
                let Ok(mut value) = Reader::new(bytes).raw().and_then(Value::read) else {
                    // Nobody can say where in it something stands.
                    let mark = self.marks.first().filter(|_| self.is_in(bytes))?;
                    let bytes = Value::from(mark.to_string()).to_bytes();
                    return Some(Hidden { bytes, places: 1 });
                };
                let places = self.hide_value(&mut value);
                (places > 0).then(|| Hidden { bytes: value.to_bytes(), places })
            }
        }
    }
}

/// All forms of a secret: those in which it turns up, these as they stand inside of others, and those in which a
/// minion's id is replaced.
fn push_forms(secret: &[u8], minions: &[&str], forms: &mut Vec<Vec<u8>>) {
    let mut all: Vec<Vec<u8>> = Vec::new();
    forms_of(secret, &mut all);
    for form in all.clone() {
        // A JSON text in a shell's quotes, as command lines have it; or in a URL.
        forms_of(&form, &mut all);
    }
    if let Ok(text) = str::from_utf8(secret) {
        // Without an id the placeholder's own sign is still written otherwise.
        for minion in minions.iter().filter(|minion| text.contains(**minion)).chain([&""]) {
            let mut value = Vec::new();
            Canonical::new(minion).write_text(secret, &mut value);
            let replaced = Reader::new(&value).raw().ok().and_then(|raw| raw.text());
            all.extend(replaced.map(|text| text.as_bytes().to_vec()));
        }
    }
    // What is left of a short one in another form would be found everywhere.
    all.retain(|form| form.len() >= MIN_LENGTH);
    all.sort_unstable();
    all.dedup();
    forms.append(&mut all);
}

/// What stands in every journal.
fn own_words() -> String {
    let mut words = vec![OWN_WORDS];
    words.extend(RunKind::ALL.iter().map(|it| it.name()));
    words.extend(RunStatus::ALL.iter().map(|it| it.name()));
    words.extend(Flag::ALL.iter().map(|it| it.name()));
    words.extend(Standing::ALL.iter().map(|it| it.name()));
    words.extend(PayloadKind::ALL.iter().map(|it| it.name()));
    words.extend(GapReason::ALL.iter().map(|it| it.name()));
    words.extend(KeyAct::ALL.iter().map(|it| it.name()));
    words.extend(Part::ALL.iter().map(|it| it.name()));
    words.extend(Mood::ALL.iter().map(|it| it.name()));
    words.join("\n")
}
