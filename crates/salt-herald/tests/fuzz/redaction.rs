//! Redaction: any text is read, in time that its length explains, and a secret that is known is nowhere in
//! what comes out, however it was written in what went in.
//!
//! What is secret by the rules alone is the corpus' matter (herald-core/tests/corpus). Here a secret is
//! planted, and looked for by taking the encodings apart again, not by making them as the redactor does.

use std::time::Duration;

use herald_core::redact::{Marks, Redactor, Secrets};
use salt_event::Value;

use crate::chance::{Chance, rounds};
use crate::mutilate::{fuzz, mutilated};
use crate::seeds;

fn redactor() -> Redactor {
    Redactor::new(Marks::new(&[7; 32]))
}

#[test]
fn any_text_is_redacted() {
    let rules = redactor();
    fuzz("redaction", &seeds::corpus(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut secrets = Secrets::explained();
        let clean = rules.redact_text(&text, &mut secrets).into_owned();
        // Something is hidden if and only if a rule says so.
        assert_eq!(clean == text, secrets.told().is_empty(), "{text}\n{clean}");
        let mut value = Value::from(text.into_owned());
        rules.clean_return(&mut value, &secrets);
        let mut bytes = Value::Bytes(bytes.to_vec().into());
        rules.clean_return(&mut bytes, &secrets);
    });
}

/// A function, and what it is given with a secret in it.
type Carrier = fn(&str) -> (&'static str, Value<'static>);

/// Where a command names a secret, so that it is known from then on.
const CARRIERS: [Carrier; 5] = [
    |secret| ("state.apply", list(Value::Map(vec![(of("db_password"), of(secret))]))),
    |secret| ("cmd.run", list(of(&format!("run --password {}", quoted(secret))))),
    |secret| ("cmd.run", list(of(&format!("mysql -p{} -e 'select 1'", quoted(secret))))),
    |secret| ("cmd.run", list(of(&format!("psql postgres://bob:{}@db1/x", percent(secret))))),
    |secret| ("mysql.user_create", Value::Array(vec![of("bob"), of("localhost"), of(secret)])),
];

/// How a minion may write it.
const ENCODINGS: [fn(&str) -> String; 8] = [
    str::to_owned,
    |secret| serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
    percent,
    quoted,
    |secret| base64(secret.as_bytes(), STANDARD),
    |secret| base64(format!("x{secret}: yes").as_bytes(), STANDARD),
    |secret| base64(format!("xy{secret}z").as_bytes(), URL_SAFE),
    |secret| base64(format!("bob:{secret}\n").as_bytes(), URL_SAFE),
];

#[test]
fn a_secret_that_is_known_is_nowhere_in_a_return_in_any_of_its_forms() {
    let rules = redactor();
    let seeds = seeds::corpus();
    let mut chance = Chance::new();
    for _ in 0..rounds(1_500, 60_000) {
        let secret = secret(&mut chance);
        let (fun, mut argument) = chance.one_of(&CARRIERS)(&secret);
        let mut secrets = Secrets::default();
        rules.redact_arguments(fun, &mut argument, &mut secrets);
        let shown = text_of(&argument);
        assert!(!reveals(&shown, &secret), "{secret:?} is in what became of {fun}: {shown}");

        let encoding = chance.index(ENCODINGS.len());
        let written = ENCODINGS[encoding](&secret);
        let around = String::from_utf8_lossy(&mutilated(&seeds, &mut chance)).into_owned();
        let text = put_into(&around, &written, &mut chance);
        let mut returned = returned_as(&text, &mut chance);
        rules.clean_return(&mut returned, &secrets);
        let shown = text_of(&returned);
        let is_shown = reveals(&shown, &secret) || shown.contains(&written);
        assert!(
            !is_shown,
            "{secret:?}, of {fun}, written as {written:?}\nin {text:?}\nis in {shown:?}"
        );
    }
}

/// 10 to 24 characters, with all that shells, URLs and JSON write in a way of their own.
fn secret(chance: &mut Chance) -> String {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const OTHERS: &str = "!#%&+/=?@^_-.:;,*~|<>(){}'\"\\ äß€";
    let letters: Vec<char> = LETTERS.chars().collect();
    let all: Vec<char> = LETTERS.chars().chain(OTHERS.chars()).chain(OTHERS.chars()).collect();
    let inner: String = (0..8 + chance.index(15)).map(|_| chance.one_of(&all)).collect();
    // A letter and a digit in it, so that it is no word, and no reference to something else.
    format!("{}{inner}{}", chance.one_of(&letters[..52]), chance.index(10))
}

/// Somewhere in a text, by itself or in the middle of a word.
fn put_into(text: &str, part: &str, chance: &mut Chance) -> String {
    let mut place = chance.index(text.len() + 1);
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    let (before, behind) = text.split_at(place);
    let gap = chance.one_of(&["", " ", "\n", "\"", "'", "=", ": "]);
    [before, gap, part, gap, behind].concat()
}

fn returned_as(text: &str, chance: &mut Chance) -> Value<'static> {
    match chance.index(4) {
        0 => Value::Map(vec![(of("stdout"), of(text))]),
        1 => Value::Map(vec![(of(text), Value::Bool(true))]),
        2 => Value::Array(vec![of("x"), Value::Bytes(text.as_bytes().to_vec().into())]),
        _ => of(text),
    }
}

fn of(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

fn list(value: Value<'static>) -> Value<'static> {
    Value::Array(vec![value])
}

/// All that is said in a tree.
fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        Value::Map(pairs) => {
            let pair = |(key, item): &(Value<'_>, Value<'_>)| text_of(key) + "\n" + &text_of(item);
            pairs.iter().map(pair).collect::<Vec<_>>().join("\n")
        }
        other => format!("{other:?}"),
    }
}

/// Whether a secret can be read out of a text: as it stands, or by undoing what JSON, a URL, a shell or
/// base64 did to it.
fn reveals(text: &str, secret: &str) -> bool {
    let undone = [undo_json(text), undo_percent(text), text.replace("'\"'\"'", "'")];
    text.contains(secret)
        || undone.iter().any(|text| text.contains(secret))
        || undo_base64(text).any(|bytes| holds(&bytes, secret.as_bytes()))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn undo_json(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(escaped)) => {
                out.push(escaped);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

fn undo_percent(text: &str) -> String {
    let (bytes, mut out, mut place) = (text.as_bytes(), Vec::new(), 0);
    while place < bytes.len() {
        let digits = bytes.get(place + 1..place + 3).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte.filter(|_| bytes[place] == b'%') {
            Some(byte) => {
                out.push(byte);
                place += 3;
            }
            None => {
                out.push(bytes[place]);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What each run of base64's letters says, read from each of the four places where a group can begin.
fn undo_base64(text: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    let runs = text.split(move |c| !is_letter(c)).filter(|run| run.len() >= 12);
    runs.flat_map(|run| (0..4).map(move |skipped| from_base64(&run.as_bytes()[skipped..])))
}

fn from_base64(letters: &[u8]) -> Vec<u8> {
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in letters {
        let value = STANDARD.iter().zip(URL_SAFE).position(|(a, b)| a == letter || b == letter);
        bits = (bits << 6) | value.unwrap() as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8], letters: &[u8; 64]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for number in 0..=group.len() {
            out.push(letters[(bits >> (18 - 6 * number)) as usize & 63] as char);
        }
    }
    out + &"=".repeat((3 - bytes.len() % 3) % 3)
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

/// How much longer as many bytes may take where they are one text and not eight.
const MOST: u64 = 4;
/// What the clock of a thread may be wrong by: it is set when the kernel looks.
const BLUR: Duration = Duration::from_millis(60);

#[test]
fn one_long_text_takes_no_longer_than_eight_short_ones() {
    let rules = redactor();
    let seeds = seeds::corpus();
    let mut chance = Chance::new();
    for _ in 0..rounds(40, 800) {
        let whole = mutilated(&seeds, &mut chance);
        let from = chance.index(whole.len().max(1)).min(whole.len());
        let to = (from + 1 + chance.index(60)).min(whole.len());
        let piece = String::from_utf8_lossy(&whole[from..to]).into_owned() + " ";
        let cost = |length: usize, times: usize| {
            let text = piece.repeat(length / piece.len());
            let begun = on_cpu();
            for _ in 0..times {
                // What is hidden is also looked for.
                rules.clean_return(&mut of(&text), &Secrets::default());
            }
            on_cpu() - begun
        };
        let (short, long) = (cost(32 << 10, 8), cost(256 << 10, 1));
        let most = MOST * short + BLUR.as_nanos() as u64;
        assert!(long < most, "{short} ns, and {long} ns as one: {piece:?}");
    }
}

/// How long this thread has been on a CPU, in nanoseconds: no clock of the wall's, so that nothing that runs
/// beside it counts.
fn on_cpu() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split_whitespace().next().unwrap().parse().unwrap()
}
