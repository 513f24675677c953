//! `redact`: what of a text, or of a recorded bus, is hidden, and which rule does it.
//!
//! The rules are the daemon's own, and those of the site's config. It looks at each event by itself: what an open run teaches about the
//! returns of others, only a daemon (or a replay) knows. Nothing is kept, and nothing of a secret is printed.

use std::collections::BTreeMap;
use std::io::{Read, stdin};
use std::path::Path;

use herald_core::literal;
use herald_core::redact::{Redactor, Rule, Secrets};
use salt_event::Value;
use salt_event::capture::{Capture, Captured};
use salt_event::event::decode;
use salt_event::frame::FrameBuffer;

use super::Found;
use super::args::RedactArgs;
use super::journal::site_rules;
use super::output::Output;
use super::trouble::Trouble;
use crate::marks;
use crate::source::{Heard, Item, take_frames};

/// The longest text that is read.
const MOST: u64 = 1 << 30;

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &RedactArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let bytes = read(args.file.as_deref())?;
    let redactor = Redactor::with_site(marks::of_process(), site_rules(config)?);
    match Capture::read(&bytes) {
        Ok(capture) => events(&redactor, capture, |text| out.print(text))?,
        Err(_) => out.print(&of_text(&redactor, &String::from_utf8_lossy(&bytes), args.explain))?,
    }
    out.flush()?;
    Ok(Found::NothingWrong)
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    match file.filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let opened = std::fs::File::open(file).map_err(|source| {
                Trouble::new(format!("{} can't be read: {source}", file.display()))
            })?;
            opened.take(MOST + 1).read_to_end(&mut bytes)?;
        }
        None => _ = stdin().lock().take(MOST + 1).read_to_end(&mut bytes)?,
    }
    if bytes.len() as u64 > MOST {
        return Err(Trouble::new("there is more than 1 GiB to read").hint("cut it up first"));
    }
    Ok(bytes)
}

/// The text without its secrets; with what hid them below, if that is wanted.
fn of_text(redactor: &Redactor, text: &str, explain: bool) -> String {
    let mut secrets = Secrets::explained();
    let mut value = Value::from(redactor.redact_text(text, &mut secrets).into_owned());
    // What one place names as secret can stand in another without a name.
    secrets.hide_value(&mut value);
    let mut shown = literal::lines(value.as_text().unwrap_or_default());
    if explain {
        if !shown.ends_with('\n') && !shown.is_empty() {
            shown.push('\n');
        }
        let rules = rules(&secrets);
        shown.push_str(if rules.is_empty() { "\nnothing is hidden\n" } else { "\n" });
        shown.push_str(&rules);
    }
    shown
}

/// Each event in which something is hidden.
fn events(
    redactor: &Redactor,
    capture: Capture<'_>,
    mut print: impl FnMut(&str) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let (mut all, mut hiding) = (0_u64, 0_u64);
    let (mut frames, mut items): (_, Vec<Item>) = (FrameBuffer::default(), Vec::new());
    for record in capture {
        match record.what {
            Captured::Bytes(bytes) => {
                frames.push(bytes);
                if take_frames(&mut frames, record.at, &mut items).is_err() {
                    frames = FrameBuffer::default();
                }
            }
            Captured::Lost => frames = FrameBuffer::default(),
        }
        for item in items.drain(..) {
            let Heard::Frame(frame) = &item.heard else { continue };
            all += 1;
            if let Some(text) = of_event(redactor, frame) {
                hiding += 1;
                print(&text)?;
            }
        }
    }
    print(&format!("{all} events, {hiding} of them with something that is hidden\n"))
}

/// The tag, and what hid something in the data; nothing where nothing did.
fn of_event(redactor: &Redactor, frame: &[u8]) -> Option<String> {
    let tag = decode(frame).ok()?.tag.into_owned();
    // What stands behind the tag and an empty line.
    let head = [tag.as_bytes(), b"\n\n"].concat();
    let border = frame.windows(head.len()).position(|part| part == head)?;
    let raw = salt_event::msgpack::Reader::new(frame.get(border + head.len()..)?).raw().ok()?;
    let mut value = Value::read(raw).ok()?;
    let mut secrets = Secrets::explained();
    let fun = value.get("fun").and_then(Value::as_text).unwrap_or_default().to_owned();
    let minion = value.get("id").and_then(Value::as_text).unwrap_or_default().to_owned();
    if let Value::Map(pairs) = &mut value {
        drop_minions(redactor, pairs, &minion, &mut secrets);
        let is_arguments = |key: &Value<'_>| matches!(key.as_text(), Some("arg" | "fun_args"));
        for (_, arguments) in pairs.iter_mut().filter(|(key, _)| is_arguments(key)) {
            redactor.redact_arguments(&fun, arguments, &mut secrets);
        }
    }
    redactor.redact_value(&mut value, &mut secrets);
    let rules = rules(&secrets);
    let (tag, fun) = (literal::line(&tag), literal::line(&fun));
    (!rules.is_empty()).then(|| format!("{tag}  {fun}\n{rules}\n"))
}

/// What is not kept of a minion's return, or of a job for it.
fn drop_minions(
    redactor: &Redactor,
    pairs: &mut [(Value<'_>, Value<'_>)],
    minion: &str,
    secrets: &mut Secrets,
) {
    let asked: Vec<String> = pairs
        .iter()
        .filter(|(key, _)| key.as_text() == Some("minions"))
        .flat_map(|(_, value)| match value {
            Value::Array(names) => names.as_slice(),
            _ => &[],
        })
        .filter_map(|name| name.as_text().map(str::to_owned))
        .collect();
    let mut names = asked.iter().map(String::as_str).chain([minion]);
    let Some(not_kept) = names.find_map(|name| redactor.site().drops_minion(name)) else { return };
    let is_one = |key: &Value<'_>| matches!(key.as_text(), Some("arg" | "fun_args" | "return"));
    for (_, value) in pairs.iter_mut().filter(|(key, _)| is_one(key)) {
        redactor.drop_arguments(value, not_kept, secrets);
    }
}

/// Which rules hid what, a line for each mark.
fn rules(secrets: &Secrets) -> String {
    let mut by_mark: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for (mark, rule) in secrets.told() {
        let rules = by_mark.entry(mark.to_string()).or_default();
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    let hidden = by_mark.iter().map(|(mark, rules)| format!("{mark}  {}\n", rules.join(", ")));
    hidden.chain(secrets.dropped().iter().map(|it| format!("{}\n", it.text()))).collect()
}

#[cfg(test)]
mod tests {
    use herald_core::redact::Marks;

    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(Marks::new(&[7; 32]))
    }

    #[test]
    fn a_text_is_shown_with_the_rules_that_hid_something() {
        let text = "mysql -phunter2x -h db1\npassword = hunter2x\nsaid hunter2x\u{1b}[31m\n\
            curl https://bob:other-3x@example.com/";
        insta::assert_snapshot!(of_text(&redactor(), text, true), @r"
        mysql -p[hidden 1500] -h db1
        password = [hidden 1500]
        said [hidden 1500]\u{1b}[31m
        curl https://bob:[hidden 8f23]@example.com/

        [hidden 1500]  program, name
        [hidden 8f23]  url
        ");
        assert_eq!(of_text(&redactor(), "nothing", true), "nothing\n\nnothing is hidden\n");
        assert_eq!(of_text(&redactor(), "nothing", false), "nothing");
    }

    #[test]
    fn of_a_recorded_bus_the_events_are_shown_in_which_something_is_hidden() {
        let bus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses/3008.bus");
        let bytes = std::fs::read(bus).unwrap();
        let mut shown = String::new();
        events(&redactor(), Capture::read(&bytes).unwrap(), |text| {
            shown.push_str(text);
            Ok(())
        })
        .unwrap();
        insta::assert_snapshot!(shown);
    }
}
