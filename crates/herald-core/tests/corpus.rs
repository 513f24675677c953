//! The corpus: what people really type and machines really say, with secrets and without. Not one secret
//! is shown; of the harmless ones at most one in fifty is hidden.
//!
//! The files below `tests/corpus` say in their first line how they are read. All secrets are invented; those of
//! a service's form stand in pieces, so that nobody who scans this repository finds them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use herald_core::python;
use herald_core::redact::{Marks, Redactor, Secrets};
use salt_event::Value;

/// A case and what is secret in it.
struct Case {
    text: String,
    secrets: Vec<String>,
}

impl Case {
    /// Takes the signs off.
    fn read(marked: &str) -> Self {
        let mut case = Case { text: String::new(), secrets: Vec::new() };
        let mut inside: Option<String> = None;
        for c in marked.chars().filter(|c| *c != '‖') {
            match c {
                '⟦' => inside = Some(String::new()),
                '⟧' => case.secrets.extend(inside.take()),
                _ => {
                    case.text.push(c);
                    inside.iter_mut().for_each(|secret| secret.push(c));
                }
            }
        }
        case
    }

    /// The secrets that stand in what became of the case.
    fn shown_in(&self, redacted: &str) -> Vec<&str> {
        self.secrets.iter().map(String::as_str).filter(|secret| redacted.contains(secret)).collect()
    }
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with("# ") && !line.is_empty())
}

fn texts(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.split("%%\n").skip(1)
}

fn redactor() -> Redactor {
    Redactor::new(Marks::new(&[7; 32]))
}

fn of_text(rules: &Redactor, text: &str) -> String {
    // As a return is read: what one line teaches is hidden in the others.
    let mut value = Value::from(text.to_owned());
    rules.clean_return(&mut value, &Secrets::default());
    value.as_text().unwrap().to_owned()
}

fn of_tree(rules: &Redactor, text: &str) -> String {
    let mut value = python::read(text).unwrap_or_else(|| panic!("no literal: {text}"));
    rules.clean_return(&mut value, &Secrets::default());
    format!("{value:?}")
}

/// What is shown of the secrets of some cases.
fn misses(cases: &[Case], redact: impl Fn(&str) -> String) -> Vec<String> {
    let miss = |case: &Case| {
        let redacted = redact(&case.text);
        let shown = case.shown_in(&redacted);
        (!shown.is_empty()).then(|| format!("{shown:?} in {redacted}"))
    };
    cases.iter().filter_map(miss).collect()
}

fn hidden_of<'t>(
    rules: &Redactor,
    harmless: impl Iterator<Item = &'t str>,
) -> (usize, Vec<String>) {
    let mut count = 0;
    let mut hidden = Vec::new();
    for text in harmless {
        count += 1;
        let redacted = of_text(rules, text);
        if redacted != text {
            hidden.push(format!("{text}\n  {redacted}"));
        }
    }
    (count, hidden)
}

#[test]
fn no_secret_of_the_corpus_is_shown() {
    let rules = redactor();
    let commands: Vec<Case> =
        lines(include_str!("corpus/secret_commands.txt")).map(Case::read).collect();
    let pillars: Vec<Case> =
        lines(include_str!("corpus/secret_pillars.txt")).map(Case::read).collect();
    let mut others: Vec<Case> =
        texts(include_str!("corpus/secret_texts.txt")).map(Case::read).collect();
    others.extend(lines(include_str!("corpus/secret_tokens.txt")).map(Case::read));
    let count = commands.len() + pillars.len() + others.len();
    assert!(count >= 400, "{count}");
    assert!(commands.iter().chain(&pillars).chain(&others).all(|case| !case.secrets.is_empty()));
    let mut missed = misses(&commands, |text| of_text(&rules, text));
    missed.extend(misses(&pillars, |text| of_tree(&rules, text)));
    missed.extend(misses(&others, |text| of_text(&rules, text)));
    assert!(missed.is_empty(), "{} of {count}:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn what_is_hidden_once_stays_as_it_is() {
    let rules = redactor();
    let commands = lines(include_str!("corpus/secret_commands.txt"));
    let others = texts(include_str!("corpus/secret_texts.txt"));
    for case in commands.chain(others).map(Case::read) {
        let once = rules.redact_text(&case.text, &mut Secrets::default()).into_owned();
        let twice = rules.redact_text(&once, &mut Secrets::default());
        assert_eq!(twice, once, "{}", case.text);
    }
}

#[test]
fn of_the_harmless_ones_nearly_all_stay() {
    let (count, hidden) = hidden_of(&redactor(), lines(include_str!("corpus/harmless_lines.txt")));
    assert!(count >= 400, "{count}");
    assert!(hidden.len() * 50 <= count, "{} of {count}:\n{}", hidden.len(), hidden.join("\n"));
}

/// Written after the rules, and not tuned to: what it shows is known and counted, so that it can only get
/// less.
#[test]
fn of_the_check_little_is_wrong() {
    let rules = redactor();
    let cases: Vec<Case> =
        lines(include_str!("corpus/check_secrets.txt")).map(Case::read).collect();
    let missed = misses(&cases, |text| of_text(&rules, text));
    let (count, hidden) = hidden_of(&rules, lines(include_str!("corpus/check_harmless.txt")));
    assert!(cases.len() >= 100 && count >= 100, "{} and {count}", cases.len());
    assert!(missed.len() <= 19, "{} of {}:\n{}", missed.len(), cases.len(), missed.join("\n"));
    assert!(hidden.len() * 50 <= count, "{} of {count}:\n{}", hidden.len(), hidden.join("\n"));
}

/// Written without a look at the rules, by another hand than theirs. What it shows and what it hides in vain is
/// counted, so that it can only get less.
#[test]
fn of_the_fresh_check_little_is_wrong() {
    let rules = redactor();
    let commands: Vec<Case> =
        lines(include_str!("corpus/fresh_secrets.txt")).map(Case::read).collect();
    let pillars: Vec<Case> =
        lines(include_str!("corpus/fresh_pillars.txt")).map(Case::read).collect();
    let others: Vec<Case> = texts(include_str!("corpus/fresh_texts.txt")).map(Case::read).collect();
    let cases = commands.len() + pillars.len() + others.len();
    let mut missed = misses(&commands, |text| of_text(&rules, text));
    missed.extend(misses(&pillars, |text| of_tree(&rules, text)));
    missed.extend(misses(&others, |text| of_text(&rules, text)));
    assert!(missed.len() <= 1, "{} of {cases}:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn of_what_is_harmless_in_the_fresh_check_little_is_hidden() {
    let rules = redactor();
    let (count, mut hidden) = hidden_of(&rules, lines(include_str!("corpus/fresh_harmless.txt")));
    let (more, others) = hidden_of(&rules, texts(include_str!("corpus/fresh_harmless_texts.txt")));
    hidden.extend(others);
    let pillars: Vec<&str> = lines(include_str!("corpus/fresh_harmless_pillars.txt")).collect();
    for text in &pillars {
        let whole = format!("{:?}", python::read(text).unwrap_or_else(|| panic!("{text}")));
        let redacted = of_tree(&rules, text);
        if redacted != whole {
            hidden.push(format!("{whole}\n  {redacted}"));
        }
    }
    let count = count + more + pillars.len();
    assert!(hidden.len() <= 2, "{} of {count}:\n{}", hidden.len(), hidden.join("\n"));
}
