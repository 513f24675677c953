//! The line, the bytes, and when one is due.

use super::*;

fn signed() -> Signed {
    let at = "2026-11-26T00:00:07.25Z".parse().unwrap();
    let checkpoint = Checkpoint::new(*b"0123456789abcdef", 4711, Digest::of(b"x"), at);
    Signed { checkpoint, signature: std::array::from_fn(|at| at as u8) }
}

fn key(byte: u8) -> PublicKey {
    PublicKey([byte; 32])
}

#[test]
fn a_checkpoint_is_signed_and_written_as_the_documentation_says() {
    let hex: String =
        signed().checkpoint.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(format!("{}\n{hex}\n{}", signed(), key(7)));
    assert_eq!(PublicKey::from_hex(&key(7).to_string()), Some(key(7)));
    assert_eq!(PublicKey::from_hex("07"), None);
}

#[test]
fn what_people_paste_is_read() {
    let line = signed().to_string();
    let pasted = [
        line.clone(),
        format!("`{line}`"),
        format!("Nov 26 00:00:07 master salt-herald[4711]:  INFO {line}"),
        format!("alice  01:02 AM\n<{}>\n", line.replace(' ', "\u{a0}")),
        format!("\u{201c}{}\u{201d},", line.replace('-', "\u{2011}")),
        line.replace(' ', "\n").replace("2026", "\u{200b}2026\u{feff}"),
        line.to_uppercase().replace("SALT-HERALD CHECKPOINT", "salt-herald checkpoint"),
    ];
    for text in pasted {
        assert_eq!(read(&text), [Ok(signed())], "{text}");
    }
    assert_eq!(read(&format!("{line}\n{line}")).len(), 2);
    assert_eq!(read("the checkpoint is at noon; salt-herald says so"), []);
}

#[test]
fn what_is_cut_off_is_told() {
    let line = signed().to_string();
    let odd: Vec<String> = [20, 23, 30, 60, 100, 200, line.len() - 1]
        .iter()
        .map(|length| match &read(&line[..*length])[..] {
            [Err(odd)] => format!("{length}: {:?} {}", odd.number, odd.what),
            other => format!("{length}: {other:?}"),
        })
        .collect();
    insta::assert_snapshot!(odd.join("\n"));
}

#[test]
fn one_is_due_every_hour_and_whenever_something_is_new() {
    let now: Timestamp = "2026-11-26T00:00:00Z".parse().unwrap();
    let last =
        |seconds: i64| Some(Last { at: now - SignedDuration::from_secs(seconds), key: key(1) });
    assert_eq!(due(None, key(1), true, now), Some(Occasion::First));
    assert_eq!(due(last(3599), key(1), false, now), None);
    assert_eq!(due(last(3600), key(1), false, now), Some(Occasion::Hour));
    assert_eq!(due(last(10), key(2), false, now), Some(Occasion::NewKey));
    assert_eq!(due(last(10), key(1), true, now), Some(Occasion::PutBack));
    // The clock was put back.
    assert_eq!(due(last(-60), key(1), false, now), None);
    assert_eq!(due(last(-7200), key(1), false, now), Some(Occasion::Hour));
}
