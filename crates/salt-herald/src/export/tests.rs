//! That each kind of entry has names, and that lines are read back as they were written.

use std::path::Path;

use herald_core::entry::{Contents, EntryError, decode};
use salt_event::Value as Salt;

use super::*;

struct Nothing;

impl Contents for Nothing {
    fn payload(&mut self, _digest: Digest) -> Option<Vec<u8>> {
        None
    }
}

/// One entry of every kind, as herald-core documents them.
fn every_kind() -> Vec<Vec<u8>> {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../herald-core/tests/snapshots");
    let text = std::fs::read_to_string(core.join("entries__the_bytes_are_as_documented.snap"));
    let text = text.unwrap();
    let (_, text) = text.split_once("\n---\n").unwrap();
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    let digits = blocks.map(|block| block.split("\n->").next().unwrap().replace('\n', ""));
    digits.map(|digits| hex::read(digits.trim()).unwrap()).collect()
}

#[test]
fn each_kind_of_entry_has_names_for_all_of_its_bytes() {
    let entries = every_kind();
    assert!(entries.len() > 20, "{}", entries.len());
    let mut lines = Vec::new();
    for bytes in entries {
        assert!(fields::is_known(&bytes), "{}", hex::write(&bytes));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(!fields::is_known(&longer) && !fields::is_known(&bytes[..bytes.len() - 1]));
        let object = Value::Object(fields::of_entry(&bytes));
        lines.push(object.to_string());
        let piece = Piece::Entry {
            number: 258,
            hash: Digest::of(&bytes),
            bytes,
            times: Some(vec![1, 2]),
            gone: vec![Digest([9; 32])],
        };
        assert_eq!(Piece::read(&piece.line()), Some(piece));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// Whoever adds a kind adds its names: this fails where that was forgotten.
#[test]
fn no_kind_that_can_be_read_lacks_names() {
    let head = every_kind().swap_remove(0);
    for kind in 0..=255 {
        let mut bytes = head[..34].to_vec();
        bytes[33] = kind;
        let is_kind = decode(&bytes, &mut Nothing) != Err(EntryError::Field("kind"));
        let has_names = fields::of_entry(&bytes)["kind"] != json!(kind.to_string());
        assert_eq!(is_kind, has_names, "kind {kind}");
    }
}

#[test]
fn other_lines_are_read_back_whatever_stands_in_them() {
    // Deeper than a reader of JSON that recurses goes.
    let mut deep = vec![0x91; 200];
    deep.push(0xc0);
    let texts = ["", "a\u{202e}\u{1b}[31m\"\\\n", "\u{10ffff}"];
    let texts = texts.map(|text| Salt::from(text.to_owned()).to_bytes());
    for bytes in texts.into_iter().chain([deep, vec![0xc1], Vec::new()]) {
        for kind in PayloadKind::ALL {
            let digest = Digest::of(&bytes);
            let piece = Piece::Payload { digest, kind: *kind, bytes: bytes.clone() };
            let line = piece.line();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert_eq!(Piece::read(&line), Some(piece), "{line}");
        }
    }
    let at = Some("2026-11-22T14:00:00.5Z".parse().unwrap());
    let begin = Begin { origin: [7; 16], after: 3, hash: Digest([1; 32]), since: at, until: None };
    let end = Piece::End { entries: 3, payloads: 4, last: 9, hash: Digest([2; 32]) };
    for piece in [Piece::Begin(begin), end] {
        assert_eq!(Piece::read(&piece.line()), Some(piece));
    }
}

#[test]
fn few_bytes_that_claim_many_minions_are_not_written_out() {
    // Runs of all numbers there are.
    let all: roaring::RoaringBitmap = (0..=u32::MAX).step_by(1 << 11).collect();
    let mut bytes = Vec::new();
    all.serialize_into(&mut bytes).unwrap();
    assert_eq!(fields::of_payload(PayloadKind::Set, &bytes), Value::Null);
    let some: roaring::RoaringBitmap = (0..100).collect();
    bytes.clear();
    some.serialize_into(&mut bytes).unwrap();
    assert_eq!(fields::of_payload(PayloadKind::Set, &bytes).as_array().unwrap().len(), 100);
}
