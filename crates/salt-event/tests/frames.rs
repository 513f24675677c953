//! Framing: however the bytes are cut, the same frames come out, and nothing that a stream claims
//! costs memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;
use salt_event::frame::{Frame, FrameBuffer, FrameError};

/// What came out, without borrowing.
#[derive(Debug, PartialEq)]
enum Out {
    Whole(Vec<u8>),
    TooLong { length: usize, start: Vec<u8> },
    Error(FrameError),
}

fn drain(frames: &mut FrameBuffer, out: &mut Vec<Out>) -> bool {
    loop {
        out.push(match frames.next_frame() {
            Ok(Some(Frame::Whole(bytes))) => Out::Whole(bytes.to_vec()),
            Ok(Some(Frame::TooLong { length, start })) => Out::TooLong { length, start },
            Ok(None) => return true,
            Err(error) => {
                out.push(Out::Error(error));
                return false;
            }
        });
    }
}

/// All frames of a stream that comes in pieces of these sizes, over and over.
fn read(stream: &[u8], cuts: &[usize], limit: usize) -> Vec<Out> {
    let mut frames = FrameBuffer::with_limit(limit);
    let mut out = Vec::new();
    let mut rest = stream;
    for &cut in cuts.iter().cycle() {
        let (piece, behind) = rest.split_at(cut.min(rest.len()));
        frames.push(piece);
        rest = behind;
        if !drain(&mut frames, &mut out) || rest.is_empty() {
            return out;
        }
    }
    out
}

/// An envelope as Salt's publisher writes it.
fn envelope(body: &[u8]) -> Vec<u8> {
    let map = rmpv::Value::Map(vec![
        ("head".into(), rmpv::Value::Map(vec![])),
        ("body".into(), rmpv::Value::Binary(body.to_vec())),
    ]);
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, &map).unwrap();
    out
}

fn prefixed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

/// A map of any content, so that every header stands at a cut some day.
fn any_map() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(rmpv::Value::Nil),
        any::<bool>().prop_map(rmpv::Value::from),
        any::<i64>().prop_map(rmpv::Value::from),
        any::<u64>().prop_map(rmpv::Value::from),
        any::<f32>().prop_map(rmpv::Value::F32),
        any::<f64>().prop_map(rmpv::Value::F64),
        "\\PC{0,40}".prop_map(rmpv::Value::from),
        vec(any::<u8>(), 0..300).prop_map(rmpv::Value::Binary),
        (any::<i8>(), vec(any::<u8>(), 0..20)).prop_map(|(t, d)| rmpv::Value::Ext(t, d)),
    ];
    let value = leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(rmpv::Value::Array),
            vec((inner.clone(), inner), 0..20).prop_map(rmpv::Value::Map),
        ]
    });
    vec((value.clone(), value), 0..6).prop_map(|pairs| {
        let mut out = Vec::new();
        rmpv::encode::write_value(&mut out, &rmpv::Value::Map(pairs)).unwrap();
        out
    })
}

/// Envelopes and other maps, each with or without a length before it.
fn stream() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    let frame = prop_oneof![
        2 => any_map(),
        2 => vec(any::<u8>(), 0..200).prop_map(|body| envelope(&body)),
        1 => vec(any::<u8>(), 250..70_000).prop_map(|body| envelope(&body)),
    ];
    vec((frame, any::<bool>()), 0..12)
}

fn bytes_of(frames: &[(Vec<u8>, bool)]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(frame, is_prefixed)| if *is_prefixed { prefixed(frame) } else { frame.clone() })
        .collect()
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1..20_usize, 1..8), vec(1..30_000_usize, 1..8)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_gives_the_same_frames(frames in stream(), cuts in cuts()) {
        let wanted: Vec<Out> = frames.iter().map(|(frame, _)| Out::Whole(frame.clone())).collect();
        let out = read(&bytes_of(&frames), &cuts, usize::MAX);
        prop_assert!(out == wanted, "{} of {} frames", out.len(), wanted.len());
    }

    #[test]
    fn long_frames_are_stepped_over_the_same_at_any_cut(
        frames in stream(),
        cuts in cuts(),
        limit in 0..6000_usize,
    ) {
        let wanted: Vec<Out> = frames
            .iter()
            .map(|(frame, _)| match frame.len() {
                length if length > limit => Out::TooLong {
                    length,
                    start: frame[..length.min(4096)].to_vec(),
                },
                _ => Out::Whole(frame.clone()),
            })
            .collect();
        let out = read(&bytes_of(&frames), &cuts, limit);
        prop_assert!(out == wanted, "limit {limit}, {} of {} frames", out.len(), wanted.len());
    }

    #[test]
    fn garbage_ends_in_the_same_way_at_any_cut(
        garbage in vec(any::<u8>(), 0..400),
        cuts in vec(1..20_usize, 1..8),
        limit in 0..300_usize,
    ) {
        let whole = read(&garbage, &[garbage.len().max(1)], limit);
        prop_assert_eq!(read(&garbage, &cuts, limit), whole);
    }

    #[test]
    fn a_frame_is_what_it_takes_as_messagepack(frame in any_map()) {
        let mut rest = frame.as_slice();
        rmpv::decode::read_value(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read(&frame, &[3], usize::MAX), [Out::Whole(frame)]);
    }
}

#[test]
fn the_shortest_frames_and_the_long_ones() {
    let long = envelope(&vec![7; 9 << 20]);
    let stream = [b"\x80".as_slice(), &long, b"\x80\0\0\0\x01\x80", &long].concat();
    let empty = || Out::Whole(b"\x80".to_vec());
    for cut in [1 << 12, (1 << 16) - 1, 5 << 20, usize::MAX] {
        let wanted =
            [empty(), Out::Whole(long.clone()), empty(), empty(), Out::Whole(long.clone())];
        assert!(read(&stream, &[cut], usize::MAX) == wanted, "{cut}");
    }
}

#[test]
fn a_length_that_ends_like_a_header_swallows_nothing() {
    // The last byte of this length is 0xc5: to a decoder that skips what is no map, a blob's header.
    let frame = envelope(&[1; 0xc5 - 14]);
    assert_eq!(frame.len(), 0xc5);
    let stream = [prefixed(&frame), prefixed(&frame)].concat();
    let wanted = [Out::Whole(frame.clone()), Out::Whole(frame)];
    assert_eq!(read(&stream, &[5], usize::MAX), wanted);
}

#[test]
fn what_begins_no_frame_is_an_error_and_stays_one() {
    for first in (0x90..=0xff).filter(|byte| !matches!(byte, 0xde | 0xdf)) {
        let wanted = [Out::Error(FrameError::NotAFrame { byte: first })];
        assert_eq!(read(&[first], &[1], usize::MAX), wanted);
    }
    let mut frames = FrameBuffer::default();
    frames.push(b"\x82\xa4head\xc1");
    for _ in 0..2 {
        assert_eq!(frames.next_frame().unwrap_err(), FrameError::Broken { after: 6 });
    }
}

#[test]
fn text_is_not_taken_for_a_length() {
    // "salt" would be a length of 1.9 GB, and we would wait for it in silence.
    let wanted = [Out::Error(FrameError::NotAFrame { byte: b'/' })];
    assert_eq!(read(b"salt/job/1/new", &[14], usize::MAX), wanted);
    let wanted = [Out::Error(FrameError::NotAFrame { byte: 0 })];
    assert_eq!(read(&[0; 8], &[8], usize::MAX), wanted);
}

/// What is held after each piece, for pieces that are read through [`FrameBuffer::room`].
fn most_held(pieces: impl Iterator<Item = Vec<u8>>, limit: usize) -> (usize, Vec<Out>) {
    let mut frames = FrameBuffer::with_limit(limit);
    let (mut most, mut out) = (0, Vec::new());
    for piece in pieces {
        let room = frames.room(piece.len());
        most = most.max(room.len());
        room[..piece.len()].copy_from_slice(&piece);
        frames.filled(piece.len());
        drain(&mut frames, &mut out);
        most = most.max(frames.pending());
    }
    (most, out)
}

#[test]
fn a_claimed_length_costs_nothing() {
    for claim in [
        b"\x7f\xff\xff\xff\x82".as_slice(),
        b"\x82\xa4head\x80\xa4body\xc6\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xdd\xff\xff\xff\xff",
    ] {
        let (most, out) = most_held([claim.to_vec()].into_iter(), 1 << 30);
        assert!(most < 64, "{most}");
        assert_eq!(out, []);
    }
}

#[test]
fn long_frames_pass_through_little_memory() {
    let long = envelope(&vec![0x80; 40 << 20]);
    let (length, start) = (long.len(), long[..4096].to_vec());
    let next = envelope(b"tag\n\n\x80");
    for is_prefixed in [true, false] {
        let long = if is_prefixed { prefixed(&long) } else { long.clone() };
        let stream = [long, next.clone()].concat();
        let pieces = stream.chunks(10_000).map(<[u8]>::to_vec);
        let (most, out) = most_held(pieces, 1 << 20);
        assert!(most < 64 << 10, "{most}");
        let start = start.clone();
        assert!(out == [Out::TooLong { length, start }, Out::Whole(next.clone())]);
    }
}

#[test]
fn what_a_burst_took_is_given_back_under_traffic() {
    let long = envelope(&vec![1; 30 << 20]);
    let small = envelope(&[2; 900]);
    let mut frames = FrameBuffer::default();
    // Always in the middle of a frame, as on a busy bus: the buffer is never empty.
    let stream: Vec<u8> = [long, small.repeat(4000)].concat();
    let mut room = 0;
    for piece in stream.chunks(10_007) {
        room = frames.room(piece.len()).len();
        frames.push(piece);
        drain(&mut frames, &mut Vec::new());
    }
    assert!(room < 2 << 20, "{room}");
}

#[test]
fn one_frame_a_read_does_not_move_all_that_waits() {
    // A reader that is far behind and takes one frame for each piece: with a move of everything
    // for each piece these would be 100 GB of copies.
    let small = envelope(&[3; 40]);
    let mut frames = FrameBuffer::default();
    frames.push(&small.repeat(50_000));
    for _ in 0..50_000 {
        frames.push(&small);
        assert!(matches!(frames.next_frame(), Ok(Some(Frame::Whole(_)))));
    }
    assert_eq!(frames.pending(), 50_000 * small.len());
}
