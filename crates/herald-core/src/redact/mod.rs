//! Keeping secrets out of everything that is stored and said: by the names under which they stand,
//! by their own shapes, and by finding known ones again.
//!
//! The rules hide rather too much than too little, and leave names, paths and options readable. They
//! are not proof against somebody who wants to get a secret past them. A site can add to them, and take
//! nothing away. Nothing keeps a secret longer than the [`Secrets`] of its run.
//!
//! A text is first searched for anchors (`pass`, `://`, `ghp_`, …) in one pass; only where one is
//! found do the rules read. Every rule reads a bounded way, so that no text takes longer than its
//! length allows.

mod arguments;
mod argv;
mod blocks;
mod commands;
mod devices;
mod forms;
mod harmless;
mod keys;
mod marks;
mod named;
mod pairs;
mod patterns;
mod phrases;
mod pipes;
mod places;
mod plain;
mod programs;
mod scan;
mod secrets;
mod services;
mod sieve;
mod site;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod values;
mod whole;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use salt_event::Value;

pub(crate) use forms::push_all as forms_of;
pub use marks::{KEY_BYTES, Mark, Marks};
pub use secrets::{Rule, Secrets};
pub use site::{NotKept, Part, SiteError, SiteRules};

use scan::Scan;
use sieve::{Anchor, Family, Sieve};
use values::slice;

/// Parts of names, in any case of letters, at which the rules for names are asked.
const NAME_ANCHORS: &[&str] = &[
    "pass",
    "pw",
    "secret",
    "token",
    "key",
    "psk",
    "auth",
    "cred",
    "cookie",
    "bearer",
    "identified",
    "signature",
    "community",
    "kennwort",
    "contrase",
    "heslo",
    "senha",
    "wachtwoord",
    "unseal",
    "ticket_salt",
    "&sig=",
    "?sig=",
];

/// The name of the rule for keys that a site's config names.
const SITE_KEYS: &str = "redact.keys";

/// How often a text is read at the most. Two do, but for texts that were made to need more.
const MAX_ROUNDS: usize = 8;

/// What is asked where an anchor stands.
#[derive(Clone, Copy)]
enum Look {
    Shape(tokens::Look),
    /// The whole name around it.
    Name,
    /// `<<<`
    HereString,
    /// ` -p `
    BesideName,
}

/// The rules by which secrets are found.
#[derive(Clone)]
pub struct Redactor {
    marks: Marks,
    site: Arc<SiteRules>,
    /// For texts.
    rules: Arc<Sieve<Look>>,
    /// For one quick look at a whole tree, whose keys are asked for more.
    trees: Arc<Sieve<()>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// Every anchor of the rules for texts, with what it means.
fn anchors() -> impl Iterator<Item = Anchor<Look>> {
    let shape = |(text, look)| (Cow::Borrowed(text), Family::Shape, Look::Shape(look));
    let name = |text| (Cow::Borrowed(text), Family::Name, Look::Name);
    let names = NAME_ANCHORS.iter().copied().chain(programs::anchors());
    let signs = [(pipes::HERE_STRING, Look::HereString), (programs::OPTION, Look::BesideName)];
    let signs = signs.map(|(text, means)| (Cow::Borrowed(text), Family::Name, means));
    let all = tokens::anchors().map(shape).chain(names.map(name)).chain(signs);
    all.map(|(text, family, means)| Anchor { text, family, means })
}

/// What searches texts, and what looks at trees.
type Sieves = (Arc<Sieve<Look>>, Arc<Sieve<()>>);

/// By the anchors of the rules, and those of a site.
fn sieves(site: &SiteRules) -> Sieves {
    let keys = || site.keys().iter().map(|key| Cow::Owned(key.clone()));
    let looks = keys().map(|text| Anchor { text, family: Family::Name, means: Look::Name });
    let of_text = anchors().map(|Anchor { text, family, .. }| (text, family));
    let members = tree::anchors().chain(site.members()).map(Cow::Borrowed).chain(keys());
    let of_keys = members.map(|text| (text, Family::Name));
    let plain = |(text, family)| Anchor { text, family, means: () };
    let trees = Sieve::new(of_text.chain(of_keys).map(plain));
    (Arc::new(Sieve::new(anchors().chain(looks))), Arc::new(trees))
}

/// Those of the rules alone.
static BUILT_IN: LazyLock<Sieves> = LazyLock::new(|| sieves(&SiteRules::default()));

impl Redactor {
    /// By the rules alone. What they hide is marked by a key.
    pub fn new(marks: Marks) -> Self {
        let (rules, trees) = &*BUILT_IN;
        Redactor { marks, rules: rules.clone(), trees: trees.clone(), site: Arc::default() }
    }

    /// The same, and what a site adds.
    pub fn with_site(marks: Marks, site: Arc<SiteRules>) -> Self {
        if site.is_empty() {
            return Redactor { site, ..Self::new(marks) };
        }
        let (rules, trees) = sieves(&site);
        Redactor { marks, rules, trees, site }
    }

    /// What the site adds.
    pub fn site(&self) -> &SiteRules {
        &self.site
    }

    /// By which rule a name says that its value is secret: a map's key, an option, a pillar's path.
    fn rule_of_name(&self, name: &[u8]) -> Option<&'static str> {
        match self.site.has_key(name) {
            true => Some(SITE_KEYS),
            false => keys::names_secret_bytes(name).then_some("key"),
        }
    }

    fn names_secret(&self, name: &[u8]) -> bool {
        self.rule_of_name(name).is_some()
    }

    /// What marks what it hides.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Hides what is secret in a text by its name or its shape, and adds it to `secrets`.
    pub fn redact_text<'t>(&self, text: &'t str, secrets: &mut Secrets) -> Cow<'t, str> {
        let Some(clean) = self.clean(text.as_bytes(), secrets) else {
            return Cow::Borrowed(text);
        };
        match String::from_utf8(clean) {
            Ok(hidden) => Cow::Owned(hidden),
            // No rule cuts a character; if one did, rather nothing than a part of a secret.
            Err(_) => Cow::Owned(self.marks.of(text.as_bytes()).to_string()),
        }
    }

    /// Hides what is secret in a tree by its names and shapes, at any depth, and adds it to
    /// `secrets`: for arguments, and for whatever else names a run's secrets.
    pub fn redact_value(&self, value: &mut Value<'_>, secrets: &mut Secrets) {
        tree::redact(self, value, secrets);
    }

    /// The arguments of a function: as [`Redactor::redact_value`], and also what is secret by its
    /// place, as in `mysql.user_create bob localhost hunter2`.
    ///
    /// `arg` is the list of a job with one function. For several functions it is called for each.
    pub fn redact_arguments(&self, fun: &str, arg: &mut Value<'_>, secrets: &mut Secrets) {
        arguments::redact(self, fun, arg, secrets);
        tree::redact(self, arg, secrets);
        if let Some(not_kept) = self.site.drops_arguments(fun) {
            whole::drop_arguments(self, arg, not_kept, secrets);
        }
    }

    /// The arguments of a call: of one function, or the lists of several.
    pub fn redact_call<S: AsRef<str>>(
        &self,
        funs: &[S],
        arg: &mut Value<'_>,
        secrets: &mut Secrets,
    ) {
        match (funs, arg) {
            ([fun], arg) => self.redact_arguments(fun.as_ref(), arg, secrets),
            (funs, Value::Array(lists)) if funs.len() == lists.len() => {
                for (fun, list) in funs.iter().zip(lists) {
                    self.redact_arguments(fun.as_ref(), list, secrets);
                }
            }
            (funs, arg) => {
                self.redact_value(arg, secrets);
                let drops = |fun: &S| self.site.drops_arguments(fun.as_ref());
                if let Some(not_kept) = funs.iter().find_map(drops) {
                    whole::drop_arguments(self, arg, not_kept, secrets);
                }
            }
        }
    }

    /// Arguments of which nothing is kept. What stood in them is known to be secret.
    pub fn drop_arguments(&self, arg: &mut Value<'_>, not_kept: NotKept, secrets: &mut Secrets) {
        whole::drop_arguments(self, arg, not_kept, secrets);
    }

    /// A return: what its own names and shapes say is hidden in all of it, and every secret that is
    /// known. What a return teaches is forgotten with it.
    pub fn clean_return(&self, value: &mut Value<'_>, secrets: &Secrets) {
        let mut own = Secrets::default();
        tree::redact(self, value, &mut own);
        secrets.hide_value(value);
        own.hide_value(value);
    }

    /// Whether the rules would look closer at anything in these bytes, a whole tree in MessagePack:
    /// else there is nothing to hide but what is known to be secret.
    pub fn may_hold_secret(&self, bytes: &[u8]) -> bool {
        !self.site.patterns().is_empty() || self.trees.is_in(bytes)
    }

    /// Hides every text and number of a tree: the return of a function that was asked for a secret
    /// (see [`Redactor::returns_secret`]).
    pub fn hide_all(&self, value: &mut Value<'_>, secrets: &mut Secrets) {
        tree::hide_leaves(self, value, secrets);
    }

    /// Whether all that a function returns is secret, because it was asked for a secret: `pillar.get
    /// db:password`, `vault.read_secret`.
    pub fn returns_secret(&self, fun: &str, arg: &Value<'_>) -> bool {
        arguments::returns_secret(self, fun, arg)
    }

    /// The text without its secrets, if it has some.
    fn clean(&self, text: &[u8], secrets: &mut Secrets) -> Option<Vec<u8>> {
        let matched = patterns::find(self.site.patterns(), text);
        if matched.is_empty() {
            return self.clean_by_rules(text, secrets, |_| {});
        }
        let mut hidden = patterns::Hidden::default();
        self.clean_by_rules(text, secrets, |spans| hidden.add(spans));
        let mut scan = Scan::new(text, self, secrets);
        matched.into_iter().for_each(|(range, at)| scan.hide_matched(range, at));
        let spans = hidden.with(text, scan.into_spans(), &self.marks);
        let clean = replace_ranges(text, &spans);
        Some(self.clean_by_rules(&clean, secrets, |_| {}).unwrap_or(clean))
    }

    /// It is read again until nothing more is found: what was hidden can give the rest another
    /// meaning, and twice has to be the same as once. `hid` is told each time what is hidden.
    fn clean_by_rules(
        &self,
        text: &[u8],
        secrets: &mut Secrets,
        mut hid: impl FnMut(&[(Range<usize>, Mark)]),
    ) -> Option<Vec<u8>> {
        let mut clean = self.clean_once(text, secrets, &mut hid)?;
        for _ in 1..MAX_ROUNDS {
            match self.clean_once(&clean, secrets, &mut hid) {
                Some(next) => clean = next,
                None => break,
            }
        }
        Some(clean)
    }

    fn clean_once(
        &self,
        text: &[u8],
        secrets: &mut Secrets,
        mut hid: impl FnMut(&[(Range<usize>, Mark)]),
    ) -> Option<Vec<u8>> {
        let mut names = Vec::new();
        let mut scan = Scan::new(text, self, secrets);
        self.rules.each(text, |found, look| match look {
            Look::Shape(shape) => at_shape(&mut scan, found, shape),
            _ => names.push((found, look)),
        });
        let shapes = scan.into_spans();
        if shapes.is_empty() {
            let named = self.find_named(text, names, secrets);
            hid(&named);
            return (!named.is_empty()).then(|| replace_ranges(text, &named));
        }
        hid(&shapes);
        // Names are looked for in what stands there now: a mark is a value.
        let shaped = replace_ranges(text, &shapes);
        names.clear();
        self.rules.each(&shaped, |found, look| match look {
            Look::Shape(_) => {}
            _ => names.push((found, look)),
        });
        let named = self.find_named(&shaped, names, secrets);
        hid(&named);
        Some(if named.is_empty() { shaped } else { replace_ranges(&shaped, &named) })
    }

    fn find_named(
        &self,
        text: &[u8],
        names: Vec<(Range<usize>, Look)>,
        secrets: &mut Secrets,
    ) -> Spans {
        let mut scan = Scan::new(text, self, secrets);
        for (found, look) in names {
            if found.start >= scan.done {
                named::at_anchor(&mut scan, found, look);
            }
        }
        scan.into_spans()
    }
}

/// Whether a name says that its value is secret: a map's key, an option, a pillar's path.
pub fn names_secret(name: &str) -> bool {
    keys::names_secret(name)
}

/// Asks the rule of a shape.
fn at_shape(scan: &mut Scan<'_, '_>, found: Range<usize>, look: tokens::Look) {
    if found.start < scan.done {
        return;
    }
    let text = scan.text;
    let Some(span) = look.secret(text, found) else { return };
    scan.rule = look.rule();
    if look.is_aws_id()
        && let Some(near) = tokens::aws_secret_near(text, &span)
    {
        scan.hide(near);
    }
    scan.done = span.end;
    let plain = look.plain(slice(text, span.clone()));
    scan.hide_as(span, &plain);
}

/// Parts of a text that are hidden, in order and apart, and what stands in their place.
type Spans = Vec<(Range<usize>, Mark)>;

/// The text with a mark in the place of each part.
fn replace_ranges(text: &[u8], spans: &[(Range<usize>, Mark)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for (range, mark) in spans {
        out.extend_from_slice(slice(text, from..range.start));
        mark.push_to(&mut out);
        from = range.end;
    }
    out.extend_from_slice(slice(text, from..text.len()));
    out
}
