//! Streams, events, recordings and the files of a job cache.

use std::cell::RefCell;

use salt_event::capture::{Capture, Captured};
use salt_event::event::decode;
use salt_event::frame::{Frame, FrameBuffer};
use salt_event::job_cache::Load;
use salt_event::msgpack::Reader;
use salt_event::{Raw, Value};

use crate::mutilate::fuzz;
use crate::records::Told;
use crate::seeds;

/// What comes out of a stream in pieces of a size: the frames, and how it ended.
fn frames_of(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let mut frames = FrameBuffer::with_limit(1 << 16);
    let mut out = Vec::new();
    for piece in stream.chunks(piece) {
        frames.push(piece);
        loop {
            match frames.next_frame() {
                Ok(Some(Frame::Whole(bytes))) => out.push(bytes.to_vec()),
                Ok(Some(Frame::TooLong { length, start })) => {
                    assert!(length > 1 << 16 && start.len() <= length);
                    out.push(start);
                }
                Ok(None) => break,
                Err(_) => return (out, false),
            }
        }
        assert!(frames.pending() <= (1 << 16) + 64, "{} bytes are kept", frames.pending());
    }
    (out, true)
}

#[test]
fn streams_are_cut_into_the_same_frames_wherever_they_break() {
    let streams: Vec<Vec<u8>> = seeds::streams()
        .into_iter()
        .flat_map(|stream| stream.chunks(20_000).map(<[u8]>::to_vec).collect::<Vec<_>>())
        .collect();
    fuzz("frames", &streams, |stream| {
        let whole = frames_of(stream, stream.len().max(1));
        let pieces = frames_of(stream, 1 + stream.len() % 97);
        // A stream that ends in an error may have given what stood in the same piece before.
        assert_eq!(whole.1, pieces.1);
        assert_eq!(whole.0, pieces.0);
    });
}

#[test]
fn any_event_is_understood_or_refused_and_its_entries_can_be_read_again() {
    let told = RefCell::new(Told::new());
    fuzz("events", &seeds::events(), |frame| {
        let Ok(event) = decode(frame) else { return };
        let mut told = told.borrow_mut();
        let told = told.next();
        told.take(|ledger, now| ledger.handle_event(now, &event));
        // The same again, as a replay has it.
        told.take(|ledger, now| ledger.handle_event(now, &event));
        told.let_time_pass();
    });
}

#[test]
fn any_recording_is_read_as_far_as_it_goes() {
    let captures: Vec<Vec<u8>> = seeds::captures()
        .into_iter()
        .map(|capture| capture[..30_000.min(capture.len())].to_vec())
        .collect();
    fuzz("captures", &captures, |bytes| {
        let Ok(mut capture) = Capture::read(bytes) else { return };
        let read: usize = capture
            .by_ref()
            .map(|record| match record.what {
                Captured::Bytes(bytes) => bytes.len(),
                _ => 0,
            })
            .sum();
        assert!(read + capture.unread() <= bytes.len());
    });
}

/// The past of one job, by its load and what a minion returned.
fn take_past(told: &mut Told, load: &[u8], minions: &[u8], ret: &[u8]) {
    let Ok(Some(load)) = Load::read(load) else { return };
    let minions = Reader::new(minions).raw().unwrap_or(Raw::NIL);
    let missing = load.missing(minions);
    let missing = Reader::new(&missing).raw().unwrap_or(Raw::NIL);
    let told = told.next();
    told.ledger.begin_past(true);
    if let Some(event) = load.beginning(minions, missing) {
        told.take(|ledger, now| ledger.handle_past_event(now, now, &event));
    }
    if let Some(event) = load.batch(minions) {
        told.take(|ledger, now| ledger.handle_past_event(now, now, &event));
    }
    if let Ok(Some(event)) = load.returned("web1", ret) {
        told.take(|ledger, now| ledger.handle_past_event(now, now, &event));
    }
    told.take(|ledger, now| ledger.end_past(now, Some(jiff::Timestamp::MIN)));
}

#[test]
fn any_load_of_a_job_cache_is_understood_or_refused() {
    let (rets, minions) = (seeds::cache_files("return.p"), seeds::cache_files(".minions.p"));
    let told = RefCell::new(Told::new());
    fuzz("loads", &seeds::cache_files(".load.p"), |load| {
        let other = load.len();
        take_past(
            &mut told.borrow_mut(),
            load,
            &minions[other % minions.len()],
            &rets[other % rets.len()],
        );
    });
}

#[test]
fn any_return_of_a_job_cache_is_understood_or_refused() {
    let loads = seeds::cache_files(".load.p");
    let minions = Value::Array(vec![Value::from("web1")]).to_bytes();
    let told = RefCell::new(Told::new());
    fuzz("returns", &seeds::cache_files("return.p"), |ret| {
        take_past(&mut told.borrow_mut(), &loads[ret.len() % loads.len()], &minions, ret);
    });
    let rets = seeds::cache_files("return.p");
    fuzz("minions", &seeds::cache_files(".minions.p"), |minions| {
        take_past(&mut told.borrow_mut(), &loads[minions.len() % loads.len()], minions, &rets[0]);
    });
}

/// So that the recordings are what they are taken for.
#[test]
fn what_is_mutilated_is_good_before() {
    for event in seeds::events() {
        decode(&event).unwrap();
    }
    for load in seeds::cache_files(".load.p") {
        Load::read(&load).unwrap();
    }
}
