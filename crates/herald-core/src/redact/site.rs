//! What one site keeps out beside what the rules find: names of keys, patterns, and whole arguments,
//! returns and states. They only add.
//!
//! It says what matches. Where a config says it, and what stands in the place of what is not kept in a
//! journal or a command line, is for others.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use crate::glob::Glob;

/// Shorter names of keys would be found everywhere.
const MIN_KEY: usize = 3;
/// Longest name of a key.
const MAX_KEY: usize = 64;
/// So much memory may a pattern take, as the crate `regex` counts it.
const MAX_PATTERN: usize = 1 << 20;
/// Each takes a reading of every text.
const MAX_PATTERNS: usize = 64;

/// Why a rule can't be one. It does not repeat the rule, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// A key that is no name.
    #[error("must be a name of {MIN_KEY} to {MAX_KEY} letters, digits, \"_\", \"-\" and \".\"")]
    Key,
    /// A pattern that can't be read.
    #[error("is no regular expression: {0}")]
    Pattern(String),
    /// A pattern with which nothing would be left.
    #[error("matches where there is nothing, so that it would match everywhere")]
    Empty,
    /// A pattern that takes too much memory.
    #[error("is too large a regular expression")]
    Large,
    /// Too many patterns.
    #[error("is more than the {MAX_PATTERNS} patterns that there can be")]
    Many,
}

/// What of a function is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What it is given.
    Arguments,
    /// What it returns.
    Returns,
    /// Both.
    Both,
}

/// By which rule something is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// By its function.
    Function,
    /// By its minion.
    Minion,
    /// By its state.
    State,
}

impl NotKept {
    /// Stands in the place of what is not kept.
    pub const fn text(self) -> &'static str {
        match self {
            NotKept::Function => "[not kept by redact.functions]",
            NotKept::Minion => "[not kept by redact.minions]",
            NotKept::State => "[not kept by redact.states]",
        }
    }

    /// The same as a shell's parameter: it stops a command line that is pasted as it is.
    pub(crate) const fn parameter(self) -> &'static str {
        match self {
            NotKept::Function => "${not_kept:?by redact.functions}",
            NotKept::Minion => "${not_kept:?by redact.minions}",
            NotKept::State => "${not_kept:?by redact.states}",
        }
    }

    /// The one with whose text another text begins.
    pub(crate) fn read(text: &str) -> Option<Self> {
        [NotKept::Function, NotKept::Minion, NotKept::State]
            .into_iter()
            .find(|not_kept| text.starts_with(not_kept.text()))
    }
}

/// The rules of one site.
#[derive(Clone, Default)]
pub struct SiteRules {
    keys: Vec<String>,
    patterns: Vec<Regex>,
    functions: Vec<(Glob, Part)>,
    minions: Vec<Glob>,
    states: Vec<Glob>,
}

impl SiteRules {
    /// What stands under a key of this name, or of one that ends with it behind a sign, is secret.
    ///
    /// # Errors
    /// When it is no name.
    pub fn add_key(&mut self, name: &str) -> Result<(), SiteError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let is_name = (MIN_KEY..=MAX_KEY).contains(&name.len()) && name.bytes().all(fits);
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !is_name || !ends(name.bytes().next()) || !ends(name.bytes().last()) {
            return Err(SiteError::Key);
        }
        self.keys.push(name.to_owned());
        Ok(())
    }

    /// What matches is secret: its named groups, or else all of it.
    ///
    /// # Errors
    /// When it can't be read, is too large, or matches everywhere.
    pub fn add_pattern(&mut self, pattern: &str) -> Result<(), SiteError> {
        if self.patterns.len() >= MAX_PATTERNS {
            return Err(SiteError::Many);
        }
        let built = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN)
            .dfa_size_limit(MAX_PATTERN)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => SiteError::Large,
                error => SiteError::Pattern(what_is_wrong(&error.to_string())),
            })?;
        if built.is_match(b"") {
            return Err(SiteError::Empty);
        }
        self.patterns.push(built);
        Ok(())
    }

    /// Nothing of what such functions are given, or return, is kept.
    pub fn add_functions(&mut self, glob: &str, part: Part) {
        self.functions.push((Glob::new(glob), part));
    }

    /// Nothing of what such minions are given, or return, is kept.
    pub fn add_minions(&mut self, glob: &str) {
        self.minions.push(Glob::new(glob));
    }

    /// Neither changes nor comments of states with such an id, or of such an SLS, are kept.
    pub fn add_states(&mut self, glob: &str) {
        self.states.push(Glob::new(glob));
    }

    /// How many rules there are: keys, patterns, functions, minions, states.
    pub fn counts(&self) -> [usize; 5] {
        [
            self.keys.len(),
            self.patterns.len(),
            self.functions.len(),
            self.minions.len(),
            self.states.len(),
        ]
    }

    /// Whether what a function is given is not kept.
    pub fn drops_arguments(&self, fun: &str) -> Option<NotKept> {
        self.function(fun, Part::Returns)
    }

    /// Whether what a function returns is not kept.
    pub fn drops_returns(&self, fun: &str) -> Option<NotKept> {
        self.function(fun, Part::Arguments)
    }

    fn function(&self, fun: &str, other: Part) -> Option<NotKept> {
        // The bus says it of runners and wheel functions.
        let bare =
            fun.strip_prefix("runner.").or_else(|| fun.strip_prefix("wheel.")).unwrap_or(fun);
        let fits = |(glob, part): &(Glob, Part)| {
            *part != other && (glob.matches(fun) || glob.matches(bare))
        };
        self.functions.iter().any(fits).then_some(NotKept::Function)
    }

    /// Whether nothing of a minion is kept.
    pub fn drops_minion(&self, minion: &str) -> Option<NotKept> {
        self.minions.iter().any(|glob| glob.matches(minion)).then_some(NotKept::Minion)
    }

    /// Whether neither changes nor comments of a state are kept.
    pub fn drops_state(&self, id: &str, sls: &str) -> Option<NotKept> {
        let fits = |glob: &Glob| glob.matches(id) || !sls.is_empty() && glob.matches(sls);
        self.states.iter().any(fits).then_some(NotKept::State)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts() == [0; 5]
    }

    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    pub(super) fn patterns(&self) -> &[Regex] {
        &self.patterns
    }

    /// Keys of trees at which it looks besides.
    pub(super) fn members(&self) -> impl Iterator<Item = &'static str> {
        let functions: &[&str] = if self.functions.is_empty() { &[] } else { &["fun"] };
        let states: &[&str] = if self.states.is_empty() { &[] } else { &["__id__", "__sls__"] };
        functions.iter().chain(states).copied()
    }

    pub(super) fn drops_any_function(&self) -> bool {
        !self.functions.is_empty()
    }

    pub(super) fn drops_any_state(&self) -> bool {
        !self.states.is_empty()
    }

    /// Whether a key is one of the site's.
    pub(super) fn has_key(&self, name: &[u8]) -> bool {
        self.keys.iter().any(|key| {
            let border = name.len().checked_sub(key.len());
            border.is_some_and(|border| {
                let (before, end) = name.split_at(border);
                end.eq_ignore_ascii_case(key.as_bytes())
                    && before.last().is_none_or(|sign| !sign.is_ascii_alphanumeric())
            })
        })
    }
}

/// What the crate `regex` says is wrong, without the pattern that it shows above.
fn what_is_wrong(said: &str) -> String {
    let last = said.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or("it can't be read").to_owned()
}

impl fmt::Debug for SiteRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteRules({:?})", self.counts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_by_itself_or_behind_a_sign() {
        let mut site = SiteRules::default();
        site.add_key("licence_code").unwrap();
        for name in ["licence_code", "LICENCE_CODE", "app.licence_code", "x:licence_code"] {
            assert!(site.has_key(name.as_bytes()), "{name}");
        }
        for name in ["xlicence_code", "licence_code_file", "licence-code", "code", ""] {
            assert!(!site.has_key(name.as_bytes()), "{name}");
        }
        for name in ["ab", "", "a b", "_code", "code-", "schlüssel"] {
            assert_eq!(site.add_key(name), Err(SiteError::Key), "{name}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_told_without_its_text() {
        let mut site = SiteRules::default();
        let said = |pattern: &str, site: &mut SiteRules| match site.add_pattern(pattern) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(
            ["(SECRET", "SECRET(?=x)", "SECRET|", "[SECRET]{999}{999}", "SECRET"]
                .map(|pattern| said(pattern, &mut site))
                .join("\n"),
            @r"
        is no regular expression: unclosed group
        is no regular expression: look-around, including look-ahead and look-behind, is not supported
        matches where there is nothing, so that it would match everywhere
        is too large a regular expression
        "
        );
        for _ in 0..MAX_PATTERNS {
            let _ = site.add_pattern("x");
        }
        assert_eq!(site.add_pattern("x"), Err(SiteError::Many));
    }

    #[test]
    fn functions_minions_and_states_are_told_by_globs() {
        let mut site = SiteRules::default();
        site.add_functions("vault.*", Part::Returns);
        site.add_functions("acme.issue", Part::Both);
        site.add_minions("hsm*");
        site.add_states("*.secrets");
        assert_eq!(site.drops_returns("vault.read_secret"), Some(NotKept::Function));
        assert_eq!(site.drops_arguments("vault.read_secret"), None);
        assert_eq!(site.drops_arguments("runner.acme.issue"), Some(NotKept::Function));
        assert_eq!(site.drops_minion("hsm1"), Some(NotKept::Minion));
        assert_eq!(site.drops_minion("web1"), None);
        assert_eq!(site.drops_state("key", "app.secrets"), Some(NotKept::State));
        assert_eq!(site.drops_state("key", "app"), None);
    }
}
