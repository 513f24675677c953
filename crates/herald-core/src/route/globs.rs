//! A list of globs, some of which may say what must not be. Pure matching, no meaning.

use crate::glob::Glob;

/// Globs of which one must match, and globs (with `!` before them) of which none may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Globs {
    wanted: Vec<Glob>,
    unwanted: Vec<Glob>,
}

impl Globs {
    /// From texts as the config has them.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut globs = Self::default();
        for text in texts {
            match text.as_ref().strip_prefix('!') {
                Some(unwanted) => globs.unwanted.push(Glob::new(unwanted)),
                None => globs.wanted.push(Glob::new(text.as_ref())),
            }
        }
        globs
    }

    /// Whether there are none at all: then nothing matches.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// Whether there are globs of which one must match: then there must be something to match.
    pub fn wants_some(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether one of the texts matches a wanted glob, if there are any, and no text an unwanted one.
    pub fn hold<'a>(&self, texts: impl Iterator<Item = &'a str>) -> bool {
        let mut found = self.wanted.is_empty() && !self.unwanted.is_empty();
        for text in texts {
            if self.unwanted.iter().any(|glob| glob.matches(text)) {
                return false;
            }
            found = found || self.wanted.iter().any(|glob| glob.matches(text));
            if found && self.unwanted.is_empty() {
                return true;
            }
        }
        found
    }

    /// Whether it is sure that these hold wherever the others do.
    pub(super) fn cover(&self, other: &Globs) -> bool {
        let wants = |glob: &Glob| self.wanted.iter().any(|wide| wide.covers(glob));
        let wanted =
            self.wanted.is_empty() || (other.wants_some() && other.wanted.iter().all(wants));
        let refused = |glob: &Glob| other.unwanted.iter().any(|wide| wide.covers(glob));
        !self.is_empty() && wanted && self.unwanted.iter().all(refused)
    }

    /// Whether whatever is wanted is unwanted, too.
    pub(super) fn contradict(&self) -> bool {
        let refused = |glob: &Glob| self.unwanted.iter().any(|wide| wide.covers(glob));
        self.wants_some() && self.wanted.iter().all(refused)
    }

    /// In words: `prod-* or web*, not *-db`.
    pub fn in_words(&self) -> String {
        let joined =
            |globs: &[Glob]| globs.iter().map(Glob::as_str).collect::<Vec<_>>().join(" or ");
        match (self.wanted.is_empty(), self.unwanted.is_empty()) {
            (true, true) => "nothing".to_owned(),
            (false, true) => joined(&self.wanted),
            (true, false) => format!("not {}", joined(&self.unwanted)),
            (false, false) => format!("{}, not {}", joined(&self.wanted), joined(&self.unwanted)),
        }
    }
}
