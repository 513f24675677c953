//! The secrets of one run, and finding them again wherever they turn up: in a return, in another
//! job's arguments, in a file's name.
//!
//! It searches for exact values in the forms in which shells, JSON, URLs and base64 write them. It
//! does not decide what is secret: the rules of the other files do, and hand over what they hid.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use salt_event::Value;
use zeroize::{Zeroize, Zeroizing};

use super::marks::{self, Mark};
use super::site::NotKept;
use super::{forms, replace_ranges, values};

/// Most values that one run can teach; those above are still hidden where they stand.
const MAX_VALUES: usize = 4_096;
/// Most bytes that one run can teach.
const MAX_BYTES: usize = 1 << 20;
/// Shorter values would be found everywhere.
const MIN_LENGTH: usize = 4;
/// Values below this length are only found as words of their own.
const MIN_INSIDE: usize = 6;

/// The hidden values found in one run.
///
/// The values are wiped when it is dropped. The automaton made of them for searching is freed
/// without being wiped.
#[derive(Default, Clone)]
pub struct Secrets {
    /// What stands in the place of each; of a part of a secret it is the whole one's.
    values: BTreeMap<Known, Mark>,
    bytes: usize,
    /// The sum of the values' hashes: it does not depend on their order.
    fingerprint: u64,
    finder: OnceLock<Option<Finder>>,
    /// Which rule hid what, where somebody wants to know.
    told: Option<Vec<(Mark, Rule)>>,
    /// What was not kept at all.
    dropped: Vec<NotKept>,
}

/// The name of a rule. Names are never changed.
pub type Rule = Cow<'static, str>;

/// A value, by its bytes.
#[derive(Clone)]
struct Known(Zeroizing<Vec<u8>>);

impl Borrow<[u8]> for Known {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl Eq for Known {}

impl PartialOrd for Known {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Known {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_slice().cmp(other.0.as_slice())
    }
}

/// Searches for all forms of all values.
#[derive(Clone)]
struct Finder {
    automaton: AhoCorasick,
    /// The mark of each form.
    marks: Vec<Mark>,
}

impl Secrets {
    /// None yet, and it will be told which rule found each.
    pub fn explained() -> Self {
        Secrets { told: Some(Vec::new()), ..Secrets::default() }
    }

    /// Which rule hid what, in the order in which it was found.
    pub fn told(&self) -> &[(Mark, Rule)] {
        self.told.as_deref().unwrap_or_default()
    }

    pub(super) fn tell(&mut self, mark: Mark, rule: &str) {
        if let Some(told) = &mut self.told {
            told.push((mark, Cow::Owned(rule.to_owned())));
        }
    }

    /// By which rules of the site something was not kept at all.
    pub fn dropped(&self) -> &[NotKept] {
        &self.dropped
    }

    pub(super) fn tell_dropped(&mut self, not_kept: NotKept) {
        if self.told.is_some() && !self.dropped.contains(&not_kept) {
            self.dropped.push(not_kept);
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many values are known.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether a text is a part of a known value.
    pub(crate) fn holds(&self, part: &str) -> bool {
        let finder = memchr::memmem::Finder::new(part);
        self.values.keys().any(|known| finder.find(&known.0).is_some())
    }

    /// Takes in what another set knows.
    pub fn extend(&mut self, other: &Secrets) {
        for (known, mark) in &other.values {
            self.insert(&known.0, *mark);
        }
    }

    /// Those that stand nowhere by chance: what one person names as secret must not blank what
    /// another one wrote, unless it is surely the same.
    pub(crate) fn random_ones(&self) -> Secrets {
        let mut random = Secrets::default();
        for (known, mark) in self.values.iter().filter(|(known, _)| looks_random(&known.0)) {
            random.insert(&known.0, *mark);
        }
        random
    }

    /// Changes whenever the set changes: a cache's key. It is made from the secrets, so it stays in
    /// memory: it is not to be stored or shown.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Hides every known secret in a text.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let ranges = self.find(text.as_bytes());
        if ranges.is_empty() {
            return Cow::Borrowed(text);
        }
        match String::from_utf8(replace_ranges(text.as_bytes(), &ranges)) {
            Ok(hidden) => Cow::Owned(hidden),
            // A secret of stray bytes that cut a character: rather nothing than a part of it.
            Err(_) => {
                Cow::Owned(ranges.first().map(|(_, mark)| mark.to_string()).unwrap_or_default())
            }
        }
    }

    /// Hides every known secret in all texts, keys, bytes and numbers of a tree.
    pub fn hide_value(&self, value: &mut Value<'_>) {
        if self.finder().is_some() {
            self.hide_in(value);
        }
    }

    fn hide_in(&self, value: &mut Value<'_>) {
        match value {
            Value::Text(text) => {
                if let Cow::Owned(hidden) = self.hide(text) {
                    *text = Cow::Owned(hidden);
                }
            }
            Value::Bytes(bytes) | Value::Ext(_, bytes) => {
                let ranges = self.find(bytes);
                if !ranges.is_empty() {
                    *bytes = Cow::Owned(replace_ranges(bytes, &ranges));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Map(pairs) => pairs.iter_mut().for_each(|(key, item)| {
                self.hide_in(key);
                self.hide_in(item);
            }),
            Value::Int(number) => self.hide_number(value_text(number), value),
            Value::UInt(number) => self.hide_number(value_text(number), value),
            Value::Float(number) => self.hide_number(value_text(number), value),
            Value::Nil | Value::Bool(_) => {}
        }
    }

    fn hide_number(&self, digits: String, value: &mut Value<'_>) {
        if let Some(mark) = self.mark_of(digits.as_bytes()) {
            *value = Value::Text(mark.to_string().into());
        }
    }

    /// The mark of a value that is known as it stands.
    pub(super) fn mark_of(&self, value: &[u8]) -> Option<Mark> {
        self.values.get(value).copied()
    }

    /// Learns a value that was hidden, and its parts that are secret by themselves.
    pub(super) fn learn(&mut self, value: &[u8], mark: Mark) {
        let value = value.trim_ascii();
        // Diffs and logs show a long secret line by line, each behind a sign of its own.
        let lines = values::lines(value);
        for line in lines.iter().filter(|_| lines.len() > 1).map(|line| line.trim_ascii()) {
            if line.len() >= 12 && !line.starts_with(b"-----") {
                self.insert(line, mark);
            }
        }
        if let Some(bare) = values::after_scheme(value) {
            self.insert(bare, mark);
        }
        self.insert(value, mark);
    }

    fn insert(&mut self, value: &[u8], mark: Mark) {
        let full = self.values.len() >= MAX_VALUES || self.bytes + value.len() > MAX_BYTES;
        if full || self.values.contains_key(value) || !can_be_sought(value) {
            return;
        }
        self.values.insert(Known(Zeroizing::new(value.to_vec())), mark);
        self.bytes += value.len();
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        self.fingerprint = self.fingerprint.wrapping_add(hasher.finish());
        self.finder = OnceLock::new();
    }

    fn find(&self, text: &[u8]) -> Vec<(Range<usize>, Mark)> {
        let Some(finder) = self.finder() else {
            return Vec::new();
        };
        let found = finder.automaton.find_iter(text).filter(|found| {
            let range = found.range();
            (range.len() >= MIN_INSIDE || stands_alone(text, &range))
                && !marks::covers(text, range.start)
        });
        found
            .filter_map(|found| {
                let mark = finder.marks.get(found.pattern().as_usize())?;
                Some((found.range(), *mark))
            })
            .collect()
    }

    fn finder(&self) -> Option<&Finder> {
        if self.values.is_empty() {
            return None;
        }
        self.finder
            .get_or_init(|| {
                let (mut sought, mut marks) = (Vec::new(), Vec::new());
                for (known, mark) in &self.values {
                    forms::push_all(&known.0, &mut sought);
                    marks.resize(sought.len(), *mark);
                }
                let automaton = AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .kind(kind_for(&sought))
                    .build(&sought)
                    .ok();
                sought.zeroize();
                automaton.map(|automaton| Finder { automaton, marks })
            })
            .as_ref()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

/// What the steps to make a table of every next state may come to.
const MAX_TABLE: usize = 1 << 20;

/// A table of every next state is the fastest to search with, but takes the square of a form's length to
/// make: a secret of one letter for a megabyte would take days. Without one, both are linear.
fn kind_for(sought: &[Vec<u8>]) -> Option<AhoCorasickKind> {
    let steps = sought
        .iter()
        .fold(0usize, |sum, form| sum.saturating_add(form.len().saturating_mul(form.len())));
    (steps > MAX_TABLE).then_some(AhoCorasickKind::ContiguousNFA)
}

fn value_text(number: &impl ToString) -> String {
    number.to_string()
}

/// Whether looking for a value elsewhere hides secrets, and not half of the text.
fn can_be_sought(value: &[u8]) -> bool {
    let is_number = value.len() < 6 && value.iter().all(u8::is_ascii_digit);
    if value.len() < MIN_LENGTH || is_number || values::is_common(value) {
        return false;
    }
    !marks::is_of_marks(value) && !values::is_placeholder(value) && !is_plain_name(value)
}

/// Whether a value is only a secret's name, in one case of letters: `password`, `DB_TOKEN`. What
/// has digits or mixed letters besides may well be somebody's password.
fn is_plain_name(value: &[u8]) -> bool {
    let is_in = |is_letter: fn(&u8) -> bool| {
        value.iter().all(|byte| is_letter(byte) || b"_-".contains(byte))
    };
    (is_in(u8::is_ascii_lowercase) || is_in(u8::is_ascii_uppercase))
        && super::keys::names_secret_bytes(value)
}

/// Whether a value looks as if a machine or a careful person had made it, so that it stands nowhere
/// by chance: at least 8 bytes, with letters and digits, and no path.
fn looks_random(value: &[u8]) -> bool {
    value.len() >= 8
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && !value.contains(&b'/')
}

/// Whether a value of which nobody said what it is may be a secret: one that looks as if it were made,
/// and is neither a host nor a version; or a sentence.
pub(super) fn may_be_one(value: &[u8]) -> bool {
    let is_name =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_:".contains(byte);
    let is_dotted = value.contains(&b'.') && value.iter().all(is_name);
    let is_sentence = value.len() >= 12 && value.contains(&b' ');
    is_sentence || looks_random(value) && !is_dotted
}

fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !is_word(range.start.checked_sub(1).and_then(|at| text.get(at)))
        && !is_word(text.get(range.end))
}
