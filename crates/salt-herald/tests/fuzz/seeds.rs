//! What is mutilated: the recorded buses, job caches and texts of this repository, read where they stand.

use std::path::PathBuf;

use salt_event::capture::{Capture, Captured};
use salt_event::frame::{Frame, FrameBuffer};

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &str, kind: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(here(folder))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|of| of == kind))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The recordings, whole.
pub(crate) fn captures() -> Vec<Vec<u8>> {
    files("../salt-event/tests/buses", "bus")
}

/// What the buses said, as a stream each.
pub(crate) fn streams() -> Vec<Vec<u8>> {
    let stream = |capture: &Vec<u8>| {
        let bytes = Capture::read(capture).unwrap().filter_map(|record| match record.what {
            Captured::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        });
        bytes.flatten().collect()
    };
    captures().iter().map(stream).collect()
}

/// The events of all buses.
pub(crate) fn events() -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    for stream in streams() {
        let mut frames = FrameBuffer::default();
        frames.push(&stream);
        while let Ok(Some(Frame::Whole(bytes))) = frames.next_frame() {
            events.push(bytes.to_vec());
        }
    }
    assert!(events.len() > 500, "{}", events.len());
    events
}

/// The files of all job caches whose names end so.
pub(crate) fn cache_files(end: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for cache in files("tests/caches", "json") {
        let cache: serde_json::Value = serde_json::from_slice(&cache).unwrap();
        for file in cache.as_array().unwrap() {
            if file["path"].as_str().unwrap().ends_with(end) {
                found.push(from_hex(file["bytes"].as_str().unwrap_or_default()));
            }
        }
    }
    assert!(found.len() > 5, "{end}: {}", found.len());
    found
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len() / 2 * 2).step_by(2).map(digits).collect()
}

/// The configs with a mistake each, and the one without any.
pub(crate) fn configs() -> Vec<Vec<u8>> {
    let mut configs = files("src/config/tests/mistakes", "yaml");
    configs.push(std::fs::read(here("../../dist/herald.example")).unwrap());
    configs
}

/// The corpus of secrets and of harmless lines, each case by itself, without the signs in it.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut cases = Vec::new();
    for file in files("../herald-core/tests/corpus", "txt") {
        let text = String::from_utf8(file).unwrap().replace(['⟦', '⟧', '‖'], "");
        let parts: Vec<&str> = match text.contains("\n%%\n") {
            true => text.split("%%\n").skip(1).collect(),
            false => text.lines().filter(|line| !line.starts_with("# ")).collect(),
        };
        cases.extend(parts.iter().map(|part| part.as_bytes().to_vec()));
    }
    assert!(cases.len() > 1_400, "{}", cases.len());
    cases
}
