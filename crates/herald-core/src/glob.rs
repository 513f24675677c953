//! Globs as Salt matches them: the rules of Python's `fnmatch.fnmatchcase`, to the letter.
//!
//! There are no braces, no separators that a star stops at, and no escapes; that is Python's doing.
//! Matching takes at most the product of both lengths.

/// Whether a text matches a glob: `*`, `?`, `[a-z]`, `[!a-z]`.
pub fn fnmatch(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).matches(text)
}

/// A glob that is asked more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
}

impl Glob {
    /// Every text is a glob.
    pub fn new(pattern: &str) -> Self {
        Self { text: pattern.to_owned(), parts: parse(pattern) }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        fits(&self.parts, &text, |part, found| part.matches(*found))
    }

    /// Whether it is sure that whatever matches the other glob matches this one, too. It can be so
    /// though this says no.
    pub fn covers(&self, other: &Glob) -> bool {
        fits(&self.parts, &other.parts, Part::covers)
    }
}

/// Whether the parts take up the items one by one, where a star takes any number of them.
fn fits<T>(parts: &[Part], items: &[T], takes: impl Fn(&Part, &T) -> bool) -> bool {
    let (mut at, mut place) = (0, 0);
    // Behind the last star, and the item from which it was tried.
    let mut star: Option<(usize, usize)> = None;
    while let Some(found) = items.get(place) {
        match parts.get(at) {
            Some(Part::Star) => {
                star = Some((at + 1, place));
                at += 1;
            }
            Some(part) if takes(part, found) => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((behind, from)) = star else {
                    return false;
                };
                star = Some((behind, from + 1));
                at = behind;
                place = from + 1;
            }
        }
    }
    parts.get(at..).unwrap_or_default().iter().all(|part| matches!(part, Part::Star))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Star,
    Any,
    One(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn matches(&self, found: char) -> bool {
        match self {
            Part::Star => false,
            Part::Any => true,
            Part::One(one) => *one == found,
            Part::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&found)) != *negated
            }
        }
    }

    /// Whether it matches each letter that the other matches; a star matches more than letters.
    fn covers(&self, other: &Part) -> bool {
        match (self, other) {
            (_, Part::Star) => false,
            (Part::Any, _) => true,
            (part, Part::One(one)) => part.matches(*one),
            (part, other) => part == other,
        }
    }
}

fn parse(pattern: &str) -> Vec<Part> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(&sign) = pattern.get(at) {
        at += 1;
        parts.push(match sign {
            '*' => Part::Star,
            '?' => Part::Any,
            '[' => match closing(&pattern, at) {
                Some(close) => {
                    let inner = pattern.get(at..close).unwrap_or_default();
                    at = close + 1;
                    set(inner)
                }
                // Never closed: a bracket like any other letter.
                None => Part::One('['),
            },
            other => Part::One(other),
        });
    }
    parts
}

/// The bracket that closes a set; one right at the beginning is a member.
fn closing(pattern: &[char], open: usize) -> Option<usize> {
    let mut from = open;
    if pattern.get(from) == Some(&'!') {
        from += 1;
    }
    if pattern.get(from) == Some(&']') {
        from += 1;
    }
    pattern.get(from..)?.iter().position(|sign| *sign == ']').map(|found| from + found)
}

fn set(inner: &[char]) -> Part {
    let chunks = without_empty_ranges(chunks(inner));
    let negated = chunks.first().and_then(|chunk| chunk.first()) == Some(&'!');
    let mut ranges: Vec<(char, char)> = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let mut members = chunk.iter().skip(usize::from(negated && index == 0)).copied();
        if index > 0
            && let (Some(last), Some(first)) = (ranges.last_mut(), members.next())
        {
            last.1 = first;
        }
        ranges.extend(members.map(|member| (member, member)));
    }
    match ranges.is_empty() {
        // Python: `[!]` cannot be closed, and a set that lost all its ranges matches nothing, or
        // all when it was negated.
        true if negated => Part::Any,
        _ => Part::Set { negated, ranges },
    }
}

/// The parts between the hyphens that make ranges: the first and the last letters of neighbours are
/// a range's ends.
fn chunks(inner: &[char]) -> Vec<Vec<char>> {
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let mut begin = 0;
    let mut from = if inner.first() == Some(&'!') { 2 } else { 1 };
    while let Some(found) =
        inner.get(from..).and_then(|rest| rest.iter().position(|sign| *sign == '-'))
    {
        let hyphen = from + found;
        chunks.push(inner.get(begin..hyphen).unwrap_or_default().to_vec());
        begin = hyphen + 1;
        from = hyphen + 3;
    }
    let rest = inner.get(begin..).unwrap_or_default();
    match chunks.last_mut() {
        // A hyphen at the end is a member.
        Some(last) if rest.is_empty() => last.push('-'),
        _ => chunks.push(rest.to_vec()),
    }
    chunks
}

/// Leaves out ranges whose end stands before their beginning.
fn without_empty_ranges(mut chunks: Vec<Vec<char>>) -> Vec<Vec<char>> {
    for index in (1..chunks.len()).rev() {
        let (before, after) = chunks.split_at_mut(index);
        let (Some(left), Some(right)) = (before.last_mut(), after.first()) else {
            continue;
        };
        if left.last() > right.first() {
            left.pop();
            left.extend(right.iter().skip(1));
            chunks.remove(index);
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by Python 3.11's own `fnmatch.fnmatchcase`.
    #[test]
    fn as_python_does_it() {
        let mut count = 0;
        for line in include_str!("glob/cases.txt").lines().filter(|line| !line.starts_with("# ")) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [pattern, text, expected] = fields[..] else { panic!("{line}") };
            assert_eq!(fnmatch(pattern, text), expected == "1", "{pattern} on {text}");
            count += 1;
        }
        assert!(count > 1_000);
    }

    #[test]
    fn a_glob_covers_narrower_ones() {
        let covers = |wide: &str, narrow: &str| Glob::new(wide).covers(&Glob::new(narrow));
        for (wide, narrow) in [
            ("*", "prod-*"),
            ("prod-*", "prod-web?"),
            ("a*c", "a[xy]*bc"),
            ("w?b", "w[ae]b"),
            ("*a*", "a*"),
        ] {
            assert!(covers(wide, narrow), "{wide} {narrow}");
            assert!(!covers(narrow, wide), "{narrow} {wide}");
        }
        assert!(covers("[ab]*", "[ab]*") && !covers("?", "*") && !covers("[ab]", "[bc]"));
    }

    proptest! {
        #[test]
        fn what_is_covered_matches(wide in "[ab*?]{0,6}", narrow in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            let (wide, narrow) = (Glob::new(&wide), Glob::new(&narrow));
            if wide.covers(&narrow) && narrow.matches(&text) {
                prop_assert!(wide.matches(&text));
            }
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!fnmatch(&pattern, &"a".repeat(5_000)));
        assert!(fnmatch("*", "") && fnmatch("web*.example.com", "web1.example.com"));
        assert!(fnmatch("d?b", "dåb") && fnmatch("[à-ÿ]", "é"));
    }
}
