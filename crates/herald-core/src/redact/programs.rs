//! Secrets in the words of programs that have a way of their own: `mysql -psecret`, `curl -u a:b`,
//! `vault login x`, `echo x | passwd --stdin bob`, `sudo -S <<< x`.
//!
//! It is called at a program's name and reads to the end of its command, as a shell takes it apart. Which
//! programs there are stands in `commands.rs`.

use std::ops::Range;
use std::sync::LazyLock;

use super::arguments;
use super::argv::{printed, strip_quotes, without_bracket, words_behind};
use super::commands::{ACCOUNTS, CALLS, NAMERS, OPTIONS, Options, PLACES, Part, SHORT, VALUED};
use super::pipes;
use super::scan::Scan;
use super::values::{at, quoted, skip, slice, word};
use super::words::Words;

/// In any case of letters; what stands beside it says whose option it is.
pub(super) const OPTION: &str = " -p ";

/// Words that are no program's name, or have a deed of their own.
const DEEDS: [(&str, Deed); 9] = [
    ("echo", Deed::Pipe),
    ("printf", Deed::Pipe),
    ("send", Deed::Send),
    ("htpasswd", Deed::Htpasswd),
    ("mosquitto_passwd", Deed::Htpasswd),
    ("net", Deed::Net),
    ("reg", Deed::Registry),
    ("convertto-securestring", Deed::SecureString),
    ("redis-cli", Deed::RedisUser),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Pipe,
    Send,
    Htpasswd,
    Net,
    Registry,
    SecureString,
    RedisUser,
}

/// All that the tables say of one program.
#[derive(Default)]
struct Program {
    options: Vec<&'static Options>,
    /// Behind which subcommand, and how many other words.
    places: Vec<(&'static str, usize)>,
    account: Option<Part>,
    /// Whether a secret is given to it behind its name.
    names: bool,
    deed: Option<Deed>,
}

impl Program {
    fn join(&mut self, more: Program) {
        self.options.extend(more.options);
        self.places.extend(more.places);
        self.account = self.account.or(more.account);
        self.names |= more.names;
        self.deed = self.deed.or(more.deed);
    }
}

static PROGRAMS: LazyLock<Words<Program>> = LazyLock::new(|| {
    let of = Program::default;
    let options = OPTIONS.iter().flat_map(|options| {
        let named = move |name: &&'static str| (*name, Program { options: vec![options], ..of() });
        options.names.iter().map(named)
    });
    let places =
        PLACES.iter().copied().chain(functions()).map(|(name, behind, others)| {
            (name, Program { places: vec![(behind, others)], ..of() })
        });
    let names = NAMERS.iter().map(|name| (*name, Program { names: true, ..of() }));
    let accounts =
        ACCOUNTS.iter().map(|(name, part)| (*name, Program { account: Some(*part), ..of() }));
    let deeds = DEEDS.iter().map(|(name, deed)| (*name, Program { deed: Some(*deed), ..of() }));
    Words::new(options.chain(places).chain(names).chain(accounts).chain(deeds), Program::join)
});

/// Salt's own functions in a text, as `salt` and `salt-call` are told them. Nearly all have a word in them that is
/// looked for (`shadow.set_password`, `mysql.user_create`).
fn functions() -> impl Iterator<Item = (&'static str, &'static str, usize)> {
    // A number, but on Windows.
    let is_sure = |(name, _): &&(&'static str, usize)| *name != "user.add";
    arguments::PLACES.iter().filter(is_sure).map(|(name, place)| (*name, "", *place))
}

/// How many programs in the words of another are asked for words of their own (`sudo env X=1 mysql`): nobody types
/// more, and one endless word of such names would be read once for each.
const MAX_AGAIN: u32 = 64;

/// What the search looks for, in any case of letters.
pub(super) fn anchors() -> impl Iterator<Item = &'static str> {
    let is_long = |name: &&str| !SHORT.iter().any(|(short, _)| short == name);
    let named = OPTIONS.iter().flat_map(|program| program.names.iter().copied());
    let placed = PLACES.iter().map(|placed| placed.0);
    let accounts = ACCOUNTS.iter().map(|account| account.0);
    named
        .chain(placed)
        .chain(accounts)
        .chain(NAMERS.iter().copied())
        .chain(CALLS.iter().map(|call| call.0))
        .filter(is_long)
        .chain(SHORT.iter().map(|(_, anchor)| *anchor))
        .chain(["htpasswd", "mosquitto_passwd", "echo", "printf", "send \"", "rabbitmq.add_user"])
}

/// Hides what the words behind a program's name hold.
pub(super) fn hide_words(scan: &mut Scan<'_, '_>, name: Range<usize>, inside: Option<u8>) {
    let called = slice(scan.text, name.clone());
    call(scan, called, name.end);
    let Some(program) = PROGRAMS.get(called) else { return };
    match program.deed {
        Some(Deed::Pipe) => {
            if called.eq_ignore_ascii_case(b"printf") {
                let words = words_behind(scan.text, name.end, inside);
                printed(scan.text, &words).into_iter().for_each(|it| scan.hide_value(it, true));
            }
            scan.rule = "pipe";
            return pipes::piped(scan, &name, inside);
        }
        Some(Deed::Send) => return pipes::sent(scan, &name),
        _ => {}
    }
    // Another name of a program in the words of one: they were read.
    let last = slice(scan.text, scan.words_of.clone());
    let is_again = scan.words_done > name.start;
    scan.words_again = if is_again { scan.words_again + 1 } else { 0 };
    if is_again && (last.eq_ignore_ascii_case(called) || scan.words_again > MAX_AGAIN) {
        return;
    }
    let words = words_behind(scan.text, name.end, inside);
    scan.words_done = words.last().map_or(name.end, |word| word.end);
    scan.words_of = name.clone();
    for options in &program.options {
        options.hide(scan, &words);
    }
    for (subcommand, others) in &program.places {
        placed(scan, called, &words, subcommand, *others);
    }
    if let Some(part) = program.account {
        words.iter().for_each(|word| hide_part(scan, part, word.clone()));
    }
    if program.names {
        named(scan, &words);
    }
    match program.deed {
        Some(Deed::Htpasswd) => htpasswd(scan, &words),
        Some(Deed::Net) => net(scan, &words),
        Some(Deed::Registry) => registry(scan, &words),
        Some(Deed::SecureString) => pipes::piped_before(scan, name.start),
        Some(Deed::RedisUser) => redis_user(scan, &words),
        _ => {}
    }
}

impl Options {
    fn hide(&self, scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
        let text = scan.text;
        let mut needed = self.needs.is_empty();
        for (index, word) in words.iter().enumerate() {
            let written = slice(text, word.clone());
            if !matches!(written.first(), Some(b'-' | b'/')) {
                needed |= written == self.needs.as_bytes();
                continue;
            }
            if !needed {
                continue;
            }
            let is_it = |option: &&str| written.eq_ignore_ascii_case(option.as_bytes());
            let is_exact = |option: &&str| written == option.as_bytes();
            let is_option = match self.options.first().is_some_and(|first| first.len() > 2) {
                true => self.options.iter().any(is_it),
                false => self.options.iter().any(is_exact),
            };
            if self.separate && is_option {
                if let Some(value) =
                    words.get(index + 1).filter(|next| at(text, next.start) != b'-')
                {
                    hide_part(scan, self.part, value.clone());
                }
            } else if let Some(length) = self.attached_to(written) {
                hide_part(scan, self.part, word.start + length..word.end);
            }
        }
    }

    /// The length of the option at the beginning of `-px`; long options join with `=`.
    fn attached_to(&self, written: &[u8]) -> Option<usize> {
        self.options.iter().find_map(|option| {
            let head = written.get(..option.len())?;
            let is_it = match option.as_bytes().first() == Some(&b'/') {
                true => head.eq_ignore_ascii_case(option.as_bytes()),
                false => head == option.as_bytes(),
            };
            let long = option.as_bytes().get(1) == Some(&b'-');
            match written.get(option.len()).filter(|_| is_it) {
                None => None,
                Some(b'=') if long => Some(option.len() + 1),
                Some(_) => (self.attached && !long).then_some(option.len()),
            }
        })
    }
}

fn hide_part(scan: &mut Scan<'_, '_>, part: Part, value: Range<usize>) {
    let (value, expands) = strip_quotes(scan.text, value);
    let written = slice(scan.text, value.clone());
    match part {
        Part::Whole => scan.hide_value(value, expands),
        Part::After(sign) => hide_after(scan, sign, value, expands),
        Part::AfterLast(sign) => {
            if let Some(found) = memchr::memrchr(sign, written) {
                scan.hide_value(value.start + found + 1..value.end, expands);
            }
        }
        Part::Oracle | Part::Account => {
            let sign = if part == Part::Oracle { b'/' } else { b':' };
            let begin = memchr::memchr(sign, written);
            let end = memchr::memrchr(b'@', written);
            let is_path = matches!(written.first(), Some(b'/' | b'@' | b'-' | b'.'));
            if let Some(begin) = begin.filter(|_| !is_path) {
                let end = end.filter(|end| *end > begin);
                if part == Part::Oracle || end.is_some() {
                    let end = end.unwrap_or(written.len());
                    scan.hide_value(value.start + begin + 1..value.start + end, expands);
                }
            }
        }
    }
}

pub(super) fn hide_after(scan: &mut Scan<'_, '_>, sign: u8, value: Range<usize>, expands: bool) {
    if let Some(found) = memchr::memchr(sign, slice(scan.text, value.clone())) {
        scan.hide_value(value.start + found + 1..value.end, expands);
    }
}

/// `-u alice -p x` of whatever program: a name beside it makes it a password. MySQL's own take `-p` for a
/// question.
pub(super) fn beside_name(scan: &mut Scan<'_, '_>, option: Range<usize>, inside: Option<u8>) {
    const NAMES: [&[u8]; 5] = [b" -u ", b" -U ", b" --user ", b" --username ", b" -l "];
    let text = scan.text;
    let before = slice(text, option.start.saturating_sub(160)..option.start + 1);
    let command =
        before.rsplit(|byte| matches!(byte, b'\n' | b';' | b'|' | b'&')).next().unwrap_or_default();
    let holds = |part: &[u8]| memchr::memmem::find(command, part).is_some();
    // `cp -u -p` names nobody.
    let named = |name: &&[u8]| {
        memchr::memmem::find(command, name)
            .is_some_and(|found| at(command, found + name.len()) != b'-')
    };
    if !NAMES.iter().any(named) || holds(b"mysql") || holds(b"mariadb") {
        return;
    }
    let found = word(text, skip(text, option.end, b" "), inside);
    let value = slice(text, found.inner.clone());
    let is_port = value.first().is_some_and(u8::is_ascii_digit)
        && value.iter().all(|byte| byte.is_ascii_digit() || b":.,-/tcpud".contains(byte));
    if !is_port && !matches!(value.first(), Some(b'-' | b'/' | b'.')) {
        scan.hide_value(found.inner, found.expands);
    }
}

fn placed(
    scan: &mut Scan<'_, '_>,
    called: &[u8],
    words: &[Range<usize>],
    subcommand: &str,
    others: usize,
) {
    let text = scan.text;
    let written = |word: &Range<usize>| slice(text, word.clone());
    let mut from = 0;
    if !subcommand.is_empty() {
        let is_it = |word: &Range<usize>| written(word).eq_ignore_ascii_case(subcommand.as_bytes());
        let Some(found) = words.iter().position(is_it) else { return };
        from = found + 1;
    }
    let mut plain = Vec::new();
    let mut valued = false;
    for word in words.iter().skip(from) {
        let is_option = at(text, word.start) == b'-';
        if !is_option && !valued {
            plain.push(word.clone());
        }
        valued = is_option && VALUED.iter().any(|option| option.as_bytes() == written(word));
    }
    let Some(value) = plain.get(others).cloned() else { return };
    let is = |known: &str| called.eq_ignore_ascii_case(known.as_bytes());
    let begins = |sign: &[u8]| plain.first().is_some_and(|word| written(word).starts_with(sign));
    let fits = (!is("composer") || begins(b"http-basic"))
        && (!is("smbclient") || begins(b"//"))
        // Nothing of `username=alice`.
        && (!is("vault") || !is_pair(written(&value)));
    if fits {
        let (value, expands) = strip_quotes(text, without_bracket(text, value));
        match is("etcdctl") {
            true => hide_after(scan, b':', value, expands),
            false => scan.hide_value(value, expands),
        }
    }
}

/// `username=alice`; a `=` at the end is base64's.
fn is_pair(word: &[u8]) -> bool {
    word.split(|byte| *byte == b'=').nth(1).is_some_and(|value| !value.is_empty())
}

/// `setx DB_PASSWORD x`, `sc config svc password= x`; a number between is a slot.
fn named(scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
    let text = scan.text;
    for (index, name) in words.iter().enumerate() {
        let written = slice(text, name.clone());
        let name = written.strip_suffix(b"=").unwrap_or(written);
        let name = name.strip_prefix(b"/").unwrap_or(name);
        // Of keys that are named like that, it is the file.
        if name.contains(&b'/') && name.ends_with(b".key") {
            continue;
        }
        if at(name, 0) == b'-' || name.contains(&b'=') || !scan.rules.names_secret(name) {
            continue;
        }
        let is_slot = |word: &&Range<usize>| slice(text, (*word).clone()).len() < 3;
        let value = words.iter().skip(index + 1).find(|word| !is_slot(word)).cloned();
        if let Some(value) = value.filter(|value| !matches!(at(text, value.start), b'-' | b'/')) {
            let (value, expands) = strip_quotes(text, value);
            let (value, _) = strip_quotes(text, value);
            scan.hide_value(value, expands);
        }
    }
}

/// `htpasswd -b FILE USER PASSWORD`, `htpasswd -nb USER PASSWORD`.
fn htpasswd(scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
    let text = scan.text;
    let is_option = |word: &&Range<usize>| at(text, word.start) == b'-';
    let has = |letter: u8| {
        words.iter().filter(is_option).any(|word| slice(text, word.clone()).contains(&letter))
    };
    let place = if has(b'n') { 1 } else { 2 };
    if has(b'b') {
        let value = words.iter().filter(|word| !is_option(word)).nth(place).cloned();
        if let Some(value) = value {
            scan.hide_value(value, true);
        }
    }
}

/// `net user NAME PASSWORD /add`, `net use Z: \\srv\share PASSWORD`.
fn net(scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
    let text = scan.text;
    let written = |word: &Range<usize>| slice(text, word.clone());
    let is_place = |word: &Range<usize>| {
        let word = written(word);
        word.starts_with(b"\\\\") || word.len() == 2 && word.ends_with(b":") || word == b"*"
    };
    let skipped = match words.first().map(written) {
        Some(what) if what.eq_ignore_ascii_case(b"user") => 2,
        Some(what) if what.eq_ignore_ascii_case(b"use") => 1,
        _ => return,
    };
    let value = words
        .iter()
        .skip(skipped)
        .find(|word| !is_place(word) && at(text, word.start) != b'/')
        .cloned();
    if let Some(value) = value {
        scan.hide_value(value, true);
    }
}

/// `reg add KEY /v DefaultPassword /d x`
fn registry(scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
    let text = scan.text;
    let behind = |option: &[u8]| {
        let is_it = |word: &Range<usize>| slice(text, word.clone()).eq_ignore_ascii_case(option);
        words.get(words.iter().position(is_it)? + 1).cloned()
    };
    let is_secret = behind(b"/v").is_some_and(|name| scan.rules.names_secret(slice(text, name)));
    if let Some(value) = behind(b"/d").filter(|_| is_secret) {
        scan.hide_value(value, true);
    }
}

/// `ACL SETUSER app on '>x'`
fn redis_user(scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
    let text = scan.text;
    let is_user = |word: &Range<usize>| slice(text, word.clone()).eq_ignore_ascii_case(b"setuser");
    if words.iter().any(is_user) {
        for word in words.iter().filter(|word| at(text, word.start) == b'>') {
            scan.hide_value(word.start + 1..word.end, true);
        }
    }
}

/// `db.auth("admin", "x")`
fn call(scan: &mut Scan<'_, '_>, called: &[u8], end: usize) {
    let text = scan.text;
    if at(text, end) != b'(' {
        return;
    }
    let ends = |name: &str| {
        let tail = slice(called, called.len().saturating_sub(name.len())..called.len());
        tail.eq_ignore_ascii_case(name.as_bytes())
    };
    let Some((_, place)) = CALLS.iter().find(|call| ends(call.0)) else { return };
    let mut start = skip(text, end + 1, b" ");
    for index in 0..=*place {
        let Some(found) = quoted(text, start, None) else { return };
        if index == *place {
            return scan.hide_value(found.inner, false);
        }
        start = skip(text, found.end, b", ");
    }
}
