//! Which files a pattern names, as Python's `glob.glob` sees it (without `recursive`), because that
//! is what Salt's `include` calls.
//!
//! Not for targets or function names: those never touch a file system.

use std::io;
use std::path::{Component, Path, PathBuf};

/// What a pattern names.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    /// Sorted.
    pub(crate) paths: Vec<PathBuf>,
    /// Directories that we had to look into and may not; Python passes over them in silence.
    pub(crate) unreadable: Vec<(PathBuf, io::Error)>,
}

/// The existing files that an absolute pattern names.
pub(crate) fn expand(pattern: &Path) -> Expanded {
    let mut expanded = Expanded { paths: vec![PathBuf::new()], ..Expanded::default() };
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy();
        if matches!(component, Component::Normal(_)) && text.contains(['*', '?', '[']) {
            let bases = std::mem::take(&mut expanded.paths);
            for base in bases {
                list(&base, &text, &mut expanded);
            }
        } else {
            for path in &mut expanded.paths {
                path.push(component);
            }
        }
    }
    expanded.paths.retain(|path| path.symlink_metadata().is_ok());
    expanded.paths.sort();
    expanded
}

fn list(dir: &Path, pattern: &str, expanded: &mut Expanded) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() == io::ErrorKind::PermissionDenied {
                expanded.unreadable.push((dir.to_path_buf(), error));
            }
            return;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let hidden = name.starts_with('.') && !pattern.starts_with('.');
        if !hidden && matches(pattern, &name) {
            expanded.paths.push(dir.join(entry.file_name()));
        }
    }
}

/// Python's `fnmatch.fnmatchcase`: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut pattern, mut name) = (pattern.as_slice(), name.as_slice());
    // Where to go on when the text after the last `*` does not fit: one letter further.
    let mut retry: Option<(&[char], &[char])> = None;
    loop {
        if let [star, rest @ ..] = pattern
            && *star == '*'
        {
            retry = Some((rest, name));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && name.is_empty() {
            return true;
        }
        if let [letter, name_rest @ ..] = name
            && let Some(pattern_rest) = step(pattern, *letter)
        {
            pattern = pattern_rest;
            name = name_rest;
            continue;
        }
        match retry {
            Some((after_star, [_, further @ ..])) => {
                retry = Some((after_star, further));
                pattern = after_star;
                name = further;
            }
            _ => return false,
        }
    }
}

/// The pattern after one letter has been matched by its head; `None` when it does not fit.
fn step(pattern: &[char], letter: char) -> Option<&[char]> {
    match pattern {
        ['?', rest @ ..] => Some(rest),
        ['[', rest @ ..] => match set(rest) {
            Some((set, rest)) => in_set(set, letter).then_some(rest),
            None => (letter == '[').then_some(rest),
        },
        [head, rest @ ..] => (*head == letter).then_some(rest),
        [] => None,
    }
}

/// Splits at the `]` that closes a set; one right at the start (or after `!`) belongs to the set.
fn set(pattern: &[char]) -> Option<(&[char], &[char])> {
    let skipped = if pattern.first() == Some(&'!') { 2 } else { 1 };
    let end = pattern.iter().skip(skipped).position(|c| *c == ']')? + skipped;
    Some((pattern.get(..end)?, pattern.get(end + 1..)?))
}

fn in_set(set: &[char], letter: char) -> bool {
    let (negated, mut set) = match set {
        ['!', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let mut found = false;
    while let [head, rest @ ..] = set {
        if let [low, '-', high, rest @ ..] = set {
            found |= (*low..=*high).contains(&letter);
            set = rest;
        } else {
            found |= *head == letter;
            set = rest;
        }
    }
    found != negated
}
