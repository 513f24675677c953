//! MessagePack against an implementation of other people's, and against what nobody should send.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use salt_event::msgpack::{MsgpackError, Reader};
use salt_event::{MAX_DEPTH, MAX_VALUES, Value};

fn any_value() -> impl Strategy<Value = rmpv::Value> {
    let edges = prop_oneof![
        Just(0_i64),
        Just(-32),
        Just(-33),
        Just(127),
        Just(128),
        Just(-128),
        Just(-129),
        Just(255),
        Just(256),
        Just(i64::from(i16::MIN)),
        Just(i64::from(u16::MAX)),
        Just(i64::from(u16::MAX) + 1),
        Just(i64::from(i32::MIN)),
        Just(i64::from(i32::MIN) - 1),
        Just(i64::from(u32::MAX) + 1),
        Just(i64::MAX),
        Just(i64::MIN),
    ];
    let leaf = prop_oneof![
        Just(rmpv::Value::Nil),
        any::<bool>().prop_map(rmpv::Value::from),
        edges.prop_map(rmpv::Value::from),
        any::<i64>().prop_map(rmpv::Value::from),
        any::<u64>().prop_map(rmpv::Value::from),
        any::<f32>().prop_map(rmpv::Value::F32),
        any::<f64>().prop_map(rmpv::Value::F64),
        "\\PC{0,300}".prop_map(rmpv::Value::from),
        vec(any::<u8>(), 0..300).prop_map(rmpv::Value::Binary),
        (any::<i8>(), vec(any::<u8>(), 0..40)).prop_map(|(t, d)| rmpv::Value::Ext(t, d)),
    ];
    leaf.prop_recursive(6, 120, 40, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..40).prop_map(rmpv::Value::Array),
            vec((inner.clone(), inner), 0..40).prop_map(rmpv::Value::Map),
        ]
    })
}

fn encode(value: &rmpv::Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).unwrap();
    out
}

/// What we make of another implementation's value.
fn ours(value: &rmpv::Value) -> Value<'_> {
    let bytes = |bytes: &'_ [u8]| match String::from_utf8(bytes.to_vec()) {
        Ok(text) => Value::Text(Cow::Owned(text)),
        Err(error) => Value::Bytes(Cow::Owned(error.into_bytes())),
    };
    match value {
        rmpv::Value::Nil => Value::Nil,
        rmpv::Value::Boolean(value) => Value::Bool(*value),
        rmpv::Value::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, number) => Value::UInt(number.unwrap()),
        },
        rmpv::Value::F32(number) => Value::Float(f64::from(*number)),
        rmpv::Value::F64(number) => Value::Float(*number),
        rmpv::Value::String(text) => bytes(text.as_bytes()),
        rmpv::Value::Binary(data) => bytes(data),
        rmpv::Value::Ext(kind, data) => Value::Ext(*kind, Cow::Borrowed(data)),
        rmpv::Value::Array(items) => Value::Array(items.iter().map(ours).collect()),
        rmpv::Value::Map(pairs) => {
            Value::Map(pairs.iter().map(|(k, v)| (ours(k), ours(v))).collect())
        }
    }
}

fn read(bytes: &[u8]) -> Result<Value<'_>, MsgpackError> {
    Value::read(Reader::new(bytes).raw()?)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn we_read_what_another_wrote(value in any_value()) {
        let bytes = encode(&value);
        let read = read(&bytes).unwrap();
        prop_assert!(read == ours(&value), "{read:?}");
    }

    #[test]
    fn another_reads_what_we_write_and_we_write_it_again_the_same(value in any_value()) {
        let bytes = encode(&value);
        let canonical = read(&bytes).unwrap().to_bytes();
        let mut rest = canonical.as_slice();
        let again = rmpv::decode::read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert!(ours(&again) == ours(&value));
        prop_assert_eq!(read(&canonical).unwrap().to_bytes(), canonical);
    }

    /// The other implementation writes the shortest headers too; only its 32-bit floats are shorter.
    #[test]
    fn what_we_write_is_the_shortest(value in any_value()) {
        fn widen(value: rmpv::Value) -> rmpv::Value {
            match value {
                rmpv::Value::F32(number) => rmpv::Value::F64(f64::from(number)),
                rmpv::Value::Array(items) => {
                    rmpv::Value::Array(items.into_iter().map(widen).collect())
                }
                rmpv::Value::Map(pairs) => rmpv::Value::Map(
                    pairs.into_iter().map(|(k, v)| (widen(k), widen(v))).collect(),
                ),
                // Bytes that are text become text, with another header.
                rmpv::Value::Binary(data) => match String::from_utf8(data) {
                    Ok(text) => rmpv::Value::from(text),
                    Err(error) => rmpv::Value::Binary(error.into_bytes()),
                },
                value => value,
            }
        }
        let bytes = encode(&value);
        prop_assert!(read(&bytes).unwrap().to_bytes() == encode(&widen(value)));
    }

    #[test]
    fn skipping_takes_what_another_takes(values in vec(any_value(), 0..6)) {
        let bytes: Vec<u8> = values.iter().flat_map(encode).collect();
        let mut rest = bytes.as_slice();
        let mut reader = Reader::new(&bytes);
        while !rest.is_empty() {
            rmpv::decode::read_value(&mut rest).unwrap();
            reader.skip().unwrap();
            prop_assert_eq!(reader.position(), bytes.len() - rest.len());
        }
        prop_assert!(reader.is_at_end());
    }

    #[test]
    fn what_is_cut_off_is_truncated_and_nothing_else(value in any_value(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&value);
        let cut = &bytes[..at.index(bytes.len())];
        let mut reader = Reader::new(cut);
        let is_truncated = matches!(reader.skip(), Err(MsgpackError::Truncated { .. }));
        prop_assert!(is_truncated);
        prop_assert_eq!(reader.position(), 0);
    }

    /// Both say the same of any bytes, but for what we take and the other does not read as text.
    #[test]
    fn any_bytes_are_judged_alike(bytes in vec(any::<u8>(), 0..200)) {
        let mut rest = bytes.as_slice();
        let theirs = rmpv::decode::read_value(&mut rest);
        let mut reader = Reader::new(&bytes);
        match (theirs, reader.raw()) {
            (Ok(theirs), Ok(raw)) => {
                prop_assert_eq!(raw.bytes().len(), bytes.len() - rest.len());
                let canonical = Value::read(raw).unwrap().to_bytes();
                let mut wanted = Vec::new();
                ours(&theirs).write(&mut wanted);
                // As bytes: not-a-number equals nothing.
                prop_assert_eq!(canonical, wanted);
            }
            (Err(_), Err(_)) => prop_assert_eq!(reader.position(), 0),
            (theirs, ours) => prop_assert!(
                // It takes the reserved byte for nil.
                bytes.contains(&0xc1),
                "theirs {theirs:?}, ours {ours:?}"
            ),
        }
    }
}

#[test]
fn every_beginning_of_a_value_is_truncated() {
    let value = rmpv::Value::Map(vec![
        (1.into(), rmpv::Value::F32(1.5)),
        ("k".into(), rmpv::Value::Ext(78, vec![1; 16])),
        (rmpv::Value::Nil, vec![rmpv::Value::from(-70_000)].into()),
        (vec![0xff, 0xfe].as_slice().into(), u64::MAX.into()),
        ("x".repeat(300).into(), rmpv::Value::Ext(-1, vec![0; 300])),
        ("é".repeat(33_000).into(), vec![0xff; 70_000].as_slice().into()),
    ]);
    let bytes = encode(&value);
    for end in (0..1000).chain(bytes.len() - 1000..bytes.len()) {
        let error = Reader::new(&bytes[..end]).skip().unwrap_err();
        assert!(matches!(error, MsgpackError::Truncated { .. }), "{end}");
    }
    assert_eq!(read(&bytes).unwrap(), ours(&value));
}

#[test]
fn the_reserved_byte_is_refused_with_its_place() {
    let error = Reader::new(b"\x92\x01\xc1").skip().unwrap_err();
    assert_eq!(error, MsgpackError::Reserved { at: 2 });
}

#[test]
fn a_tree_that_is_too_deep_is_stepped_over_but_not_built() {
    for header in [&b"\x91"[..], b"\x81\xc0", b"\xdc\0\x01"] {
        for (depth, is_read) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false)] {
            let bytes = [header.repeat(depth), vec![0xc0]].concat();
            assert_eq!(read(&bytes).is_ok(), is_read, "{header:?} {depth}");
        }
    }
    let bomb = [vec![0x91; 5_000_000], vec![0xc0]].concat();
    let raw = Reader::new(&bomb).raw().unwrap();
    assert_eq!(raw.bytes().len(), bomb.len());
    let limit = MAX_DEPTH;
    assert_eq!(Value::read(raw), Err(MsgpackError::TooDeep { limit }));
}

#[test]
fn a_tree_of_too_many_values_is_not_built() {
    let array = |count: usize| {
        let mut bytes = vec![0xdd];
        bytes.extend_from_slice(&(count as u32).to_be_bytes());
        bytes.resize(bytes.len() + count, 0xc0);
        bytes
    };
    assert!(read(&array(MAX_VALUES - 1)).is_ok());
    let limit = MAX_VALUES;
    assert_eq!(read(&array(MAX_VALUES)), Err(MsgpackError::TooMany { limit }));
    assert!(size_of::<Value<'_>>() <= 32);
}

#[test]
fn claims_are_not_believed() {
    for bytes in [
        &b"\xdd\xff\xff\xff\xff\x01"[..],
        b"\xdf\xff\xff\xff\xff\x01",
        b"\xc6\xff\xff\xff\xff\x01",
        b"\xdb\xff\xff\xff\xff\x01",
        b"\xc9\xff\xff\xff\xff\x01",
    ] {
        let error = Reader::new(bytes).raw().unwrap_err();
        assert!(matches!(error, MsgpackError::Truncated { .. }));
    }
}

#[test]
fn one_value_has_one_encoding() {
    let same = [
        (Value::UInt(5), Value::Int(5)),
        (Value::Bytes(Cow::Borrowed(b"text")), Value::Text(Cow::Borrowed("text"))),
        (Value::Float(f64::from_bits(0xfff8_0000_0000_1234)), Value::Float(f64::NAN)),
    ];
    for (a, b) in same {
        assert_eq!(a.to_bytes(), b.to_bytes(), "{a:?}");
    }
    // The long forms of the same values.
    for (long, short) in [
        (&b"\xcf\0\0\0\0\0\0\0\x05"[..], &b"\x05"[..]),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", b"\xff"),
        (b"\xdb\0\0\0\x01a", b"\xa1a"),
        (b"\xc4\x01a", b"\xa1a"),
        (b"\xdd\0\0\0\0", b"\x90"),
        (b"\xdf\0\0\0\0", b"\x80"),
        (b"\xc9\0\0\0\x02\x4eab", b"\xd5\x4eab"),
        (b"\xca\x3f\xc0\0\0", b"\xcb\x3f\xf8\0\0\0\0\0\0"),
    ] {
        assert_eq!(read(long).unwrap().to_bytes(), short, "{long:x?}");
    }
}

#[test]
fn raw_values_answer_only_what_they_are() {
    let bytes = b"\x84\xc4\x01k\x01\xa1k\x02\x03\xa1i\xa1\xff\xc0";
    let raw = Reader::new(bytes).raw().unwrap();
    assert_eq!(raw.get("k").unwrap().integer(), Some(2));
    assert_eq!(raw.get("i"), None);
    assert_eq!(raw.pairs().count(), 4);
    assert_eq!(raw.items().count(), 0);
    assert_eq!((raw.text(), raw.boolean(), raw.integer()), (None, None, None));
    assert_eq!(format!("{raw:?}"), "Raw(14 bytes)");
}
