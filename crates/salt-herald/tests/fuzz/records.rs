//! The journal's entries and their contents, and literals of Python in command lines.

use std::collections::HashMap;

use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::entry::{Contents, EntryHead, decode, encode};
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::python;
use herald_core::redact::{Marks, Redactor};
use jiff::{SignedDuration, Timestamp};

use crate::mutilate::fuzz;
use crate::seeds;

const HEAD: EntryHead = EntryHead { origin: *b"0123456789abcdef", number: 7 };

#[derive(Default)]
struct Payloads(HashMap<Digest, Vec<u8>>);

impl Contents for Payloads {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        self.0.get(&digest).cloned()
    }
}

/// A ledger, and a journal that takes what it decides and must give it back.
pub(crate) struct Told {
    pub(crate) ledger: Ledger,
    now: Timestamp,
    payloads: Payloads,
    entries: Vec<Vec<u8>>,
    /// How many inputs this one has met.
    met: usize,
}

impl Told {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let ledger = Ledger::restore(
            Settings::default(),
            Redactor::new(Marks::new(&[7; 32])),
            now,
            Restored::default(),
        );
        Self { ledger, now, payloads: Payloads::default(), entries: Vec::new(), met: 0 }
    }

    /// For the next input: a new one after a while, since making one is slow.
    pub(crate) fn next(&mut self) -> &mut Self {
        self.met += 1;
        if self.met.is_multiple_of(200) {
            *self = Self::new();
        }
        self
    }

    /// What the ledger decides can be written and read again.
    pub(crate) fn take(&mut self, work: impl FnOnce(&mut Ledger, Timestamp) -> Vec<Change>) {
        for mut change in work(&mut self.ledger, self.now) {
            for payload in std::mem::take(&mut change.payloads) {
                self.payloads.0.insert(payload.digest, payload.bytes.to_vec());
            }
            let entry = encode(HEAD, &change);
            let (head, mut again) = decode(&entry, &mut self.payloads).unwrap();
            assert_eq!(head, HEAD);
            // Of what is volatile an entry holds only the digest.
            if let (What::Returned { volatile, .. }, What::Returned { volatile: kept, .. }) =
                (&change.what, &mut again.what)
            {
                kept.clone_from(volatile);
            }
            assert!(encode(HEAD, &again) == entry, "{change:?} became {again:?}");
            self.entries.push(entry);
        }
        self.ledger.take_touched();
    }

    /// Every time-out that is due within a week.
    pub(crate) fn let_time_pass(&mut self) {
        let end = self.now + SignedDuration::from_hours(24 * 7);
        for _ in 0..100 {
            let Some(due) = self.ledger.next_timeout().filter(|due| *due <= end) else { return };
            self.now = self.now.max(due);
            self.take(|ledger, now| ledger.handle_timeout(now));
        }
        panic!("time-outs without an end");
    }
}

#[test]
fn any_entry_is_read_or_refused() {
    let mut told = Told::new();
    for event in seeds::events() {
        let event = salt_event::event::decode(&event).unwrap();
        told.take(|ledger, now| ledger.handle_event(now, &event));
    }
    let payloads = std::cell::RefCell::new(told.payloads);
    fuzz("entries", &told.entries, |entry| {
        let _ = decode(entry, &mut *payloads.borrow_mut());
    });
    // Whole entries whose contents are not what they were.
    let contents: Vec<Vec<u8>> = payloads.borrow().0.values().cloned().collect();
    let entries = &told.entries;
    fuzz("payloads", &contents, |content| {
        struct Always<'a>(&'a [u8]);
        impl Contents for Always<'_> {
            fn payload(&mut self, _: Digest) -> Option<Vec<u8>> {
                Some(self.0.to_vec())
            }
        }
        for at in 0..8 {
            let entry = &entries[(content.len() * 31 + at * 977) % entries.len()];
            let _ = decode(entry, &mut Always(content));
        }
    });
}

#[test]
fn any_literal_of_python_is_read_or_left_as_text() {
    let literals = [
        "{'a': [1, 2.5e3, None, True], \"b\": ('x',)}",
        "[[], {}, (), -0x1f, 1_000, 1e999, b'\\x00', r'\\d', u'\\u00e4']",
        "'it''s' \"a\\nb\\N{DASH}\"",
        "{1: {2: {3: [4, [5, [6]]]}}}",
        "-9223372036854775808",
        "  ( 'a' , )  # no comment",
        "{'pillar': {'password': 'x y', 'list': [1,2,3]}}",
    ];
    let seeds: Vec<Vec<u8>> = literals.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz("python", &seeds, |bytes| {
        let _ = python::read(&String::from_utf8_lossy(bytes));
    });
}
