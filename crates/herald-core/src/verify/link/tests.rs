//! Each way in which somebody can lay hands on a chain, and how it is told.

use jiff::Timestamp;

use super::*;
use crate::change::{Change, What};
use crate::entry::{EntryHead, encode};

const ORIGIN: [u8; 16] = *b"0123456789abcdef";

fn bytes(origin: [u8; 16], number: u64, version: &str) -> Vec<u8> {
    let what = What::Opened { version: version.to_owned() };
    encode(
        EntryHead { origin, number },
        &Change { at: Timestamp::UNIX_EPOCH, what, payloads: Vec::new() },
    )
}

/// Ten entries.
fn whole() -> Vec<Link> {
    let mut hash = Digest::ZERO;
    let link = |number| {
        let bytes = bytes(ORIGIN, number, "1");
        hash = entry::chain(hash, &bytes);
        Link { number, bytes, hash }
    };
    (1..=10).map(link).collect()
}

struct Rows(Vec<Link>);

impl Links for Rows {
    fn at(&mut self, number: u64) -> Option<Link> {
        self.0.iter().find(|link| link.number == number).cloned()
    }

    fn elsewhere(&mut self, number: u64, here: u64) -> Option<u64> {
        let says_so = |link: &&Link| own_number(link) == Some(number) && link.number != here;
        self.0.iter().find(says_so).map(|link| link.number)
    }
}

/// The first break of some rows.
fn first_break(rows: Vec<Link>) -> Option<Break> {
    let mut rows = Rows(rows);
    rows.0.sort_by_key(|link| link.number);
    let (mut last, mut before) = (0, Digest::ZERO);
    for link in rows.0.clone() {
        let is_its_own = own_number(&link) == Some(link.number);
        if link.number != last + 1 || !fits(before, &link) || !is_its_own {
            return Some(diagnose(ORIGIN, (last, before), &link, &mut rows));
        }
        (last, before) = (link.number, link.hash);
    }
    None
}

fn told(hand: impl FnOnce(&mut Vec<Link>)) -> String {
    let mut rows = whole();
    hand(&mut rows);
    first_break(rows).map_or("whole".to_owned(), |found| found.to_string())
}

/// Those from here on bear other numbers.
fn shift(rows: &mut [Link], by: i64) {
    rows.iter_mut().for_each(|row| row.number = row.number.checked_add_signed(by).unwrap());
}

fn insert(rows: &mut Vec<Link>, bytes: Vec<u8>, is_hashed: bool) {
    let hash = if is_hashed { entry::chain(rows[3].hash, &bytes) } else { Digest::of(b"x") };
    shift(&mut rows[4..], 1);
    rows.insert(4, Link { number: 5, bytes, hash });
}

#[test]
fn each_tampering_is_told_by_its_name() {
    let texts = [
        ("nothing", told(|_| {})),
        ("a byte", told(|rows| rows[4].bytes[38] ^= 1)),
        ("a byte of the first", told(|rows| rows[0].bytes[38] ^= 1)),
        ("a byte of the last", told(|rows| rows[9].bytes[38] ^= 1)),
        (
            "an entry and its hash",
            told(|rows| {
                rows[4].bytes = bytes(ORIGIN, 5, "2");
                rows[4].hash = entry::chain(rows[3].hash, &rows[4].bytes);
            }),
        ),
        ("a hash", told(|rows| rows[4].hash = Digest::of(b"x"))),
        ("one is gone", told(|rows| drop(rows.remove(4)))),
        ("three are gone", told(|rows| drop(rows.drain(4..7)))),
        (
            "three are gone, and the rest has other numbers",
            told(|rows| {
                rows.drain(4..7);
                shift(&mut rows[4..], -3);
            }),
        ),
        ("the end is gone", told(|rows| rows.truncate(7))),
        ("the beginning is gone", told(|rows| drop(rows.drain(..2)))),
        ("one more", told(|rows| insert(rows, bytes(ORIGIN, 5, "2"), false))),
        ("one more that fits", told(|rows| insert(rows, bytes(ORIGIN, 5, "2"), true))),
        (
            "three more",
            told(|rows| (0..3).for_each(|n| insert(rows, bytes(ORIGIN, 5 + n, "2"), false))),
        ),
        ("another journal's", told(|rows| rows[4].bytes = bytes([7; 16], 5, "2"))),
        ("one has another number", told(|rows| rows[4].number = 20)),
        (
            "one was moved up",
            told(|rows| {
                let mut moved = rows.remove(4);
                moved.number = 8;
                shift(&mut rows[4..7], -1);
                rows.insert(7, moved);
            }),
        ),
        (
            "two were swapped",
            told(|rows| {
                rows.swap(4, 7);
                (rows[4].number, rows[7].number) = (5, 8);
            }),
        ),
        ("one is a copy", told(|rows| rows[4] = Link { number: 5, ..rows[1].clone() })),
        ("a copy more", told(|rows| insert(rows, bytes(ORIGIN, 7, "1"), false))),
        ("rubbish", told(|rows| rows[4].bytes = b"rubbish".to_vec())),
    ];
    let texts: Vec<String> = texts.iter().map(|(what, told)| format!("{what}: {told}")).collect();
    insta::assert_snapshot!(texts.join("\n"));
}
