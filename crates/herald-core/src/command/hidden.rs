//! Hidden values in a command line: parameters of the shell, so that a line which is pasted as it is
//! stops, and says the same again once somebody has set them.
//!
//! It knows the quotes that our own lines are made of. Whether a value can be put back as it is, is
//! asked by [`restores`]; what is secret was decided before.

use std::collections::HashMap;

use crate::redact::{Mark, Marks, NotKept};

/// Which quotes a place of a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Single,
    Double,
    /// `"$(printf '…')"`
    Printf,
}

/// What makes the text of `"$(printf '…')"` begin and end.
const PRINTF: &str = "$(printf '";
const PRINTF_END: &str = "')";

/// The same line, where a parameter of the shell stands in the place of each mark.
pub(crate) fn with_parameters(line: &str) -> String {
    if Mark::find(line).is_none() && !line.contains("[not kept by ") {
        return line.to_owned();
    }
    let mut out = String::with_capacity(line.len() + 64);
    let mut inside = Inside::Nothing;
    // Behind the quote that opened last.
    let mut opened = 0;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let Some((parameter, length)) = parameter(rest) else {
            let (length, next) = step(inside, c, rest);
            let (passed, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
            out.push_str(passed);
            if inside == Inside::Nothing && next == Inside::Single {
                opened = out.len();
            }
            (inside, rest) = (next, left);
            continue;
        };
        rest = rest.get(length..).unwrap_or_default();
        match inside {
            Inside::Nothing => out.extend(["\"", &parameter, "\""]),
            Inside::Double => out.push_str(&parameter),
            Inside::Printf => out.extend([PRINTF_END, &parameter, PRINTF]),
            Inside::Single => {
                // No empty quotes are left on either side.
                if out.len() == opened {
                    _ = out.pop()
                } else {
                    out.push('\'')
                }
                out.extend(["\"", &parameter, "\""]);
                if let Some(behind) = rest.strip_prefix('\'') {
                    (rest, inside) = (behind, Inside::Nothing);
                } else {
                    out.push('\'');
                    opened = out.len();
                }
            }
        }
    }
    out
}

/// The parameter for what begins a text and is hidden or not kept, and the length of that.
fn parameter(text: &str) -> Option<(String, usize)> {
    let of_mark = || Mark::read(text.as_bytes()).map(|(mark, length)| (mark.parameter(), length));
    let not_kept = || NotKept::read(text).map(|it| (it.parameter().to_owned(), it.text().len()));
    of_mark().or_else(not_kept)
}

/// How far the next sign of the line reaches, and what it leads into.
fn step(inside: Inside, c: char, rest: &str) -> (usize, Inside) {
    let escaped = || 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
    match (inside, c) {
        (Inside::Printf, '\'') => (1, Inside::Double),
        (Inside::Double, '$') if rest.starts_with(PRINTF) => (PRINTF.len(), Inside::Printf),
        (Inside::Nothing | Inside::Double, '\\') => (escaped(), inside),
        (Inside::Nothing, '\'') => (1, Inside::Single),
        (Inside::Nothing, '"') => (1, Inside::Double),
        (Inside::Single, '\'') | (Inside::Double, '"') => (1, Inside::Nothing),
        _ => (c.len_utf8(), inside),
    }
}

/// Which value each mark stands for, as far as words told.
#[derive(Default)]
pub(super) struct Put<'w> {
    values: HashMap<Mark, &'w str>,
    /// How many bytes were tried, in all.
    tried: usize,
}

impl<'w> Put<'w> {
    /// What a mark stands for at the beginning of a text, which goes on with `next`.
    fn value(&mut self, mark: Mark, left: &'w str, next: &str, marks: &Marks) -> Option<&'w str> {
        if let Some(known) = self.values.get(&mark) {
            return left.starts_with(*known).then_some(*known);
        }
        // Where the next words stand in the secret itself, it ends at a later one.
        let ends = left.match_indices(next).map(|(at, _)| at).chain([left.len()]);
        for end in ends.take_while(|_| self.values.len() < MAX_HIDDEN) {
            self.tried = self.tried.saturating_add(end);
            if self.tried > MAX_TRIED {
                return None;
            }
            let value = left.get(..end).unwrap_or_default();
            if marks.of(value.as_bytes()) == mark {
                self.values.insert(mark, value);
                return Some(value);
            }
        }
        None
    }
}

/// Whether a word with marks becomes the word that was said when what is hidden is put in their place,
/// as its fingerprint knows it.
pub(super) fn restores<'w>(hidden: &str, said: &'w str, marks: &Marks, put: &mut Put<'w>) -> bool {
    let (mut hidden, mut said) = (hidden, said);
    while let Some((mark, start, end)) = Mark::find(hidden) {
        let (before, behind) = (hidden.get(..start), hidden.get(end..).unwrap_or_default());
        let Some(left) = before.and_then(|before| said.strip_prefix(before)) else {
            return false;
        };
        let next = match Mark::find(behind) {
            Some((_, start, _)) => behind.get(..start).unwrap_or_default(),
            None => behind,
        };
        let Some(value) = put.value(mark, left, next, marks) else {
            return false;
        };
        (hidden, said) = (behind, left.get(value.len()..).unwrap_or_default());
    }
    hidden == said
}

/// Most bytes that are tried for one line: with more, it counts as one that can't be put back. An
/// argument can be as long as an event, and its end be sought at each of its characters.
const MAX_TRIED: usize = 1 << 20;

/// Most values that are put back into one line: with more, it counts as one that can't be.
const MAX_HIDDEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// A short stack, and far more bytes than could be tried.
    #[test]
    fn a_word_with_marks_without_end_takes_no_stack_and_little_time() {
        let marks = Marks::new(&[7; 32]);
        let mark = marks.of(b"hunter2x").to_string();
        let many = |word: &str| format!("password={word} ").repeat(100_000);
        let (hidden, said) = (many(&mark), many("hunter2x"));
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
            assert!(restores(&hidden, &said, &marks, &mut Put::default()));
            let other = "[hidden 0000]";
            let long = "x".repeat(4 << 20);
            let mut put = Put::default();
            restores(other, &long, &marks, &mut put);
            assert!(put.tried < MAX_TRIED + long.len() + 1);
            for _ in 0..100 {
                assert!(!restores(&format!("{other}{other}y"), &long, &marks, &mut put));
            }
        });
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn a_parameter_stands_in_every_quote() {
        let lines = [
            "salt x '[hidden 3f2a]'",
            "salt x 'mysql -p[hidden 3f2a] -h db'",
            "salt x 'pillar={\"a\": \"[hidden 3f2a]\", \"b\": \"[hidden 0000]\"}' y",
            "salt x '[hidden 3f2a][hidden 0000]'",
            "salt x 'it'\"'\"'s [hidden 3f2a]'",
            "salt \"$(printf 'a\\nb[hidden 3f2a]c')\" x",
            "a\\'[hidden 3f2a] \"b[hidden 3f2a]\"",
            "nothing",
        ];
        let shown: Vec<String> = lines.iter().map(|line| with_parameters(line)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        salt x "${hidden_3f2a:?hidden by salt-herald}"
        salt x 'mysql -p'"${hidden_3f2a:?hidden by salt-herald}"' -h db'
        salt x 'pillar={"a": "'"${hidden_3f2a:?hidden by salt-herald}"'", "b": "'"${hidden_0000:?hidden by salt-herald}"'"}' y
        salt x "${hidden_3f2a:?hidden by salt-herald}""${hidden_0000:?hidden by salt-herald}"
        salt x 'it'"'"'s '"${hidden_3f2a:?hidden by salt-herald}"
        salt "$(printf 'a\nb')${hidden_3f2a:?hidden by salt-herald}$(printf 'c')" x
        a\'"${hidden_3f2a:?hidden by salt-herald}" "b${hidden_3f2a:?hidden by salt-herald}"
        nothing
        "#);
    }

    #[test]
    fn what_is_put_back_has_to_be_what_was_said() {
        let marks = Marks::new(&[7; 32]);
        let mark = |value: &str| marks.of(value.as_bytes()).to_string();
        let back = |hidden: &str, said: &str| restores(hidden, said, &marks, &mut Put::default());
        let (one, other) = (mark("hunter2"), mark("a b"));
        assert!(back(&format!("-p{one} -h"), "-phunter2 -h"));
        assert!(back(&format!("{one}{other}"), "hunter2a b"));
        assert!(back(&format!("{one} {other}{one}"), "hunter2 a bhunter2"));
        assert!(back(&format!("{other} c"), "a b c"));
        assert!(!back(&format!("-p{other}"), "-pa\\ b"));
        assert!(!back(&format!("{one} {one}"), "hunter2 hunter3"));
        assert!(!back(&format!("x{one}"), "yhunter2"));
        assert!(!back(&one, "hunter2 x"));
        assert!(!back("-p[hidden]", "-phunter2"));
    }
}
