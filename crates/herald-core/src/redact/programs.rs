//! Secrets in the options of programs that have a way of their own: `mysql -psecret`, `curl -u a:b`,
//! `sshpass -p x`, `echo x | passwd --stdin bob`.
//!
//! It is called at a program's name and reads to the end of its command. Options whose own name says
//! that they are secret (`--password x`) are not its matter.

use std::ops::Range;

use super::scan::Scan;
use super::values::{at, line_end_within, skip, slice, word};

/// Which part of an option's value is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    After(u8),
}

struct Program {
    names: &'static [&'static str],
    /// A word that has to stand before the option.
    needs: &'static str,
    options: &'static [&'static str],
    /// `-px`
    attached: bool,
    /// `-p x`
    separate: bool,
    part: Part,
}

const fn program(names: &'static [&'static str], options: &'static [&'static str]) -> Program {
    Program { names, needs: "", options, attached: true, separate: true, part: Part::Whole }
}

const PROGRAMS: &[Program] = &[
    Program {
        separate: false,
        ..program(
            &[
                "mysql",
                "mysqldump",
                "mysqladmin",
                "mysqlimport",
                "mysqlshow",
                "mysqlcheck",
                "mysqlsh",
                "mysqlbinlog",
                "mysqlslap",
                "mysqlpump",
                "mysql_upgrade",
                "mariadb",
                "mariadb-dump",
                "mariadb-admin",
                "mariadb-backup",
                "mariabackup",
                "xtrabackup",
                "innobackupex",
                "mycli",
                "7z",
                "7za",
            ],
            &["-p"],
        )
    },
    program(&["sshpass"], &["-p"]),
    Program { attached: false, ..program(&["redis-cli", "valkey-cli"], &["-a"]) },
    Program {
        part: Part::After(b':'),
        ..program(&["curl"], &["-u", "-U", "--user", "--proxy-user"])
    },
    program(
        &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "mongostat",
            "cqlsh",
            "useradd",
            "usermod",
            "influx",
        ],
        &["-p"],
    ),
    program(
        &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldapcompare"],
        &["-w"],
    ),
    program(&["ldappasswd"], &["-w", "-s", "-a"]),
    Program { part: Part::After(b'%'), ..program(&["smbclient", "rpcclient", "smbmap"], &["-U"]) },
    Program {
        needs: "login",
        ..program(
            &["docker", "podman", "helm", "skopeo", "buildah", "nerdctl", "oc", "az"],
            &["-p"],
        )
    },
    program(&["sqlcmd", "bcp", "ipmitool", "unzip", "zip"], &["-P"]),
    program(&["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk"], &["-c", "-A", "-X"]),
];

/// Programs whose secret has a fixed place: the word behind a subcommand and so many others.
const PLACED: &[(&str, &str, usize)] = &[
    ("rabbitmqctl", "add_user", 1),
    ("rabbitmqctl", "change_password", 1),
    ("rabbitmqctl", "authenticate_user", 1),
    ("mysqladmin", "password", 0),
];

/// Programs that read a secret from what is piped into them.
const READERS: &[&str] = &[
    "passwd",
    "chpasswd",
    "smbpasswd",
    "htpasswd",
    "--stdin",
    "--password-stdin",
    "sudo -S",
    "cryptsetup",
    "kinit",
    "--passphrase-fd",
    "pw user",
    "vncpasswd",
    "su -",
];

/// Most words of a command that are read.
const MAX_WORDS: usize = 80;

/// What the search looks for, in any case of letters.
pub(super) fn anchors() -> impl Iterator<Item = &'static str> {
    let named = PROGRAMS.iter().flat_map(|program| program.names.iter().copied());
    named.chain(PLACED.iter().map(|placed| placed.0)).chain(["htpasswd", "echo", "printf"])
}

/// Hides what the options behind a program's name hold.
pub(super) fn hide_options(scan: &mut Scan<'_, '_>, name: Range<usize>, inside: Option<u8>) {
    let called = slice(scan.text, name.clone());
    match called {
        b"echo" | b"printf" => return piped(scan, name.end, inside),
        b"passwd" | b"chpasswd" | b"smbpasswd" => return here_string(scan, name.end, inside),
        _ => {}
    }
    for (index, program) in PROGRAMS.iter().enumerate() {
        if program.names.iter().any(|known| known.as_bytes() == called) {
            scan.programs_done.resize(PROGRAMS.len(), 0);
            // Another name of the same program in its arguments: they were read.
            if scan.programs_done.get(index).is_some_and(|done| *done > name.start) {
                continue;
            }
            let words = arguments(scan.text, name.end, inside);
            let end = words.last().map_or(name.end, |word| word.end);
            if let Some(done) = scan.programs_done.get_mut(index) {
                *done = end;
            }
            program.hide(scan, &words);
        }
    }
    if PLACED.iter().any(|placed| placed.0.as_bytes() == called) {
        placed(scan, name.clone(), inside);
    }
    if called == b"htpasswd" {
        htpasswd(scan, name.end, inside);
    }
}

impl Program {
    fn hide(&self, scan: &mut Scan<'_, '_>, words: &[Range<usize>]) {
        let text = scan.text;
        let mut needed = self.needs.is_empty();
        for (index, word) in words.iter().enumerate() {
            let written = slice(text, word.clone());
            needed |= written == self.needs.as_bytes();
            if !needed {
                continue;
            }
            if self.separate && self.options.iter().any(|option| option.as_bytes() == written) {
                if let Some(value) =
                    words.get(index + 1).filter(|next| at(text, next.start) != b'-')
                {
                    self.hide_part(scan, value.clone());
                }
            } else if let Some(length) = self.attached_to(written) {
                self.hide_part(scan, word.start + length..word.end);
            }
        }
    }

    /// The length of the option at the beginning of `-px`; long options join with `=`.
    fn attached_to(&self, written: &[u8]) -> Option<usize> {
        self.options.iter().find_map(|option| {
            let rest = written.strip_prefix(option.as_bytes())?;
            let long = option.starts_with("--");
            match rest.first() {
                None => None,
                Some(b'=') if long => Some(option.len() + 1),
                Some(_) => (self.attached && !long).then_some(option.len()),
            }
        })
    }

    fn hide_part(&self, scan: &mut Scan<'_, '_>, value: Range<usize>) {
        let (value, expands) = strip_quotes(scan.text, value);
        match self.part {
            Part::Whole => scan.hide_value(value, expands),
            Part::After(sign) => hide_after(scan, sign, value, expands),
        }
    }
}

fn hide_after(scan: &mut Scan<'_, '_>, sign: u8, value: Range<usize>, expands: bool) {
    if let Some(found) = memchr::memchr(sign, slice(scan.text, value.clone())) {
        scan.hide_value(value.start + found + 1..value.end, expands);
    }
}

/// The words of a command up to its end, quotes around whole words left out.
fn arguments(text: &[u8], start: usize, inside: Option<u8>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut place = start;
    while words.len() < MAX_WORDS {
        place = skip(text, place, b" \t");
        if at(text, place) == b'\\' && at(text, place + 1) == b'\n' {
            place += 2;
            continue;
        }
        let byte = at(text, place);
        if byte == 0 || Some(byte) == inside {
            break;
        }
        let found = word(text, place, inside);
        if found.end <= place {
            break;
        }
        words.push(found.inner);
        place = found.end;
    }
    words
}

fn strip_quotes(text: &[u8], value: Range<usize>) -> (Range<usize>, bool) {
    let (first, last) = (at(text, value.start), at(text, value.end.saturating_sub(1)));
    let is_quoted = value.len() >= 2 && first == last && matches!(first, b'\'' | b'"');
    match is_quoted {
        true => (value.start + 1..value.end - 1, first == b'"'),
        false => (value, true),
    }
}

fn placed(scan: &mut Scan<'_, '_>, name: Range<usize>, inside: Option<u8>) {
    let words = arguments(scan.text, name.end, inside);
    let called = slice(scan.text, name);
    for (program, subcommand, others) in PLACED {
        if program.as_bytes() != called {
            continue;
        }
        let mut plain = words
            .iter()
            .skip_while(|word| slice(scan.text, (*word).clone()) != subcommand.as_bytes())
            .skip(1)
            .filter(|word| at(scan.text, word.start) != b'-');
        if let Some(value) = plain.nth(*others) {
            let (value, expands) = strip_quotes(scan.text, value.clone());
            scan.hide_value(value, expands);
        }
    }
}

/// `htpasswd -b FILE USER PASSWORD`, `htpasswd -nb USER PASSWORD`.
fn htpasswd(scan: &mut Scan<'_, '_>, start: usize, inside: Option<u8>) {
    let words = arguments(scan.text, start, inside);
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

/// `echo x | passwd --stdin bob`, `echo bob:x | chpasswd`.
fn piped(scan: &mut Scan<'_, '_>, start: usize, inside: Option<u8>) {
    let text = scan.text;
    let line = slice(text, start..line_end_within(text, start, 2048));
    if at(text, start) != b' ' || !line.contains(&b'|') {
        return;
    }
    let words = arguments(text, start, inside);
    let end = words.last().map_or(start, |word| word.end);
    let pipe = skip(text, end, b"\"' ");
    if at(text, pipe) != b'|' {
        return;
    }
    let reader = slice(text, pipe + 1..line_end_within(text, pipe, 160));
    let command = reader.split(|byte| matches!(byte, b'|' | b';')).next().unwrap_or_default();
    let reads = |name: &str| memchr::memmem::find(command, name.as_bytes()).is_some();
    if !READERS.iter().any(|name| reads(name)) {
        return;
    }
    for word in words {
        let written = slice(text, word.clone());
        if written.starts_with(b"-") || written.starts_with(b"%") {
            continue;
        }
        match reads("chpasswd") && written.contains(&b':') {
            true => hide_after(scan, b':', word, true),
            false => scan.hide_value(word, true),
        }
    }
}

/// `passwd --stdin bob <<< x`, `chpasswd <<< bob:x`.
fn here_string(scan: &mut Scan<'_, '_>, start: usize, inside: Option<u8>) {
    let text = scan.text;
    let line = slice(text, start..line_end_within(text, start, 200));
    let Some(sign) = memchr::memmem::find(line, b"<<<") else {
        return;
    };
    let found = word(text, skip(text, start + sign + 3, b" "), inside);
    match slice(text, found.inner.clone()).contains(&b':') {
        true => hide_after(scan, b':', found.inner, found.expands),
        false => scan.hide_value(found.inner, found.expands),
    }
}
