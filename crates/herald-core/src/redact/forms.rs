//! The forms in which one value turns up: as it is, and as JSON, a URL, a shell and base64 write it.
//!
//! Only simple forms: nothing is searched for twice encoded, compressed or reversed.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";
/// Shortest piece of base64 that says enough to be looked for.
const MIN_BASE64: usize = 10;

/// Adds every form of a value, each once.
pub(crate) fn push_all(value: &[u8], out: &mut Vec<Vec<u8>>) {
    let mut forms = vec![value.to_vec(), shell(value)];
    forms.extend(JSON.iter().map(|manner| escaped(value, *manner)));
    forms.extend([
        percent(value, UPPER, "%20"),
        percent(value, LOWER, "%20"),
        percent(value, UPPER, "+"),
    ]);
    for offset in 0..3 {
        let core = base64_core(value, offset);
        if core.len() >= MIN_BASE64 {
            let url_safe = core.iter().map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            });
            forms.push(url_safe.collect());
            forms.push(core);
        }
    }
    forms.sort_unstable();
    forms.dedup();
    out.append(&mut forms);
}

/// What a writer of JSON writes by number beside what has to be.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// All that is no ASCII, as Python does by default.
    beyond_ascii: bool,
    /// What means something in HTML, as Go does by default.
    html: bool,
    /// A slash with a stroke before it, as PHP does by default, which is of the first kind, too.
    slash: bool,
}

const JSON: [Manner; 4] = [
    Manner { beyond_ascii: false, html: false, slash: false },
    Manner { beyond_ascii: true, html: false, slash: false },
    Manner { beyond_ascii: false, html: true, slash: false },
    Manner { beyond_ascii: true, html: false, slash: true },
];

/// As inside a JSON string. What is no UTF-8 stays as it is.
fn escaped(value: &[u8], manner: Manner) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        chunk.valid().chars().for_each(|char| push_escaped(char, manner, &mut out));
        out.extend_from_slice(chunk.invalid());
    }
    out
}

fn push_escaped(char: char, manner: Manner, out: &mut Vec<u8>) {
    let by_number = (manner.beyond_ascii && !char.is_ascii())
        || (manner.html && matches!(char, '&' | '<' | '>' | '\u{2028}' | '\u{2029}'))
        || char < ' ';
    match char {
        '"' | '\\' => out.extend([b'\\', char as u8]),
        '/' if manner.slash => out.extend(b"\\/"),
        '\n' => out.extend(b"\\n"),
        '\r' => out.extend(b"\\r"),
        '\t' => out.extend(b"\\t"),
        _ if by_number => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.extend(format!("\\u{unit:04x}").bytes());
            }
        }
        _ => out.extend(char.encode_utf8(&mut [0; 4]).bytes()),
    }
}

/// As in a URL, or in what a form sends.
fn percent(value: &[u8], digits: &[u8; 16], blank: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else if byte == b' ' {
            out.extend_from_slice(blank.as_bytes());
        } else {
            let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or_default();
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// As between single quotes in a shell.
fn shell(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'\'' => out.extend_from_slice(b"'\"'\"'"),
            _ => out.push(byte),
        }
    }
    out
}

/// The characters of base64 that depend on the value alone, when it begins `offset` bytes behind a
/// group of three.
fn base64_core(value: &[u8], offset: usize) -> Vec<u8> {
    let mut bits = 0u32;
    let mut held = 0;
    // The first character that holds no bit of what stood before.
    let mut skip = match offset {
        0 => 0,
        1 => 4,
        _ => 2,
    };
    let mut out = Vec::new();
    for &byte in value {
        bits = (bits << 8) | u32::from(byte);
        held += 8;
        if skip > 0 {
            held -= skip;
            skip = 0;
        }
        while held >= 6 {
            held -= 6;
            let index = (bits >> held) & 63;
            out.push(BASE64.get(index as usize).copied().unwrap_or_default());
        }
        bits &= (1 << held) - 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_at_every_offset() {
        // python3: base64.b64encode(b"hunter2hunter2"), b"x" + …, b"xx" + …
        assert_eq!(base64_core(b"hunter2hunter2", 0), b"aHVudGVyMmh1bnRlcj");
        assert_eq!(base64_core(b"hunter2hunter2", 1), b"h1bnRlcjJodW50ZXIy");
        assert_eq!(base64_core(b"hunter2hunter2", 2), b"odW50ZXIyaHVudGVyM");
    }

    #[test]
    fn json_and_urls_are_found_as_their_writers_write_them() {
        let mut out = Vec::new();
        push_all("Pä<s/ 2😀".as_bytes(), &mut out);
        let found: Vec<String> =
            out.into_iter().map(|form| String::from_utf8(form).unwrap()).collect();
        // json.dumps of Python, encoding/json of Go, json_encode of PHP; urllib's quote and quote_plus.
        for form in [
            r"P\u00e4<s/ 2\ud83d\ude00",
            r"Pä\u003cs/ 2😀",
            r"P\u00e4<s\/ 2\ud83d\ude00",
            "P%C3%A4%3Cs%2F%202%F0%9F%98%80",
            "P%c3%a4%3cs%2f%202%f0%9f%98%80",
            "P%C3%A4%3Cs%2F+2%F0%9F%98%80",
        ] {
            assert!(found.iter().any(|found| found == form), "{form} is not in {found:#?}");
        }
    }

    #[test]
    fn a_plain_value_has_no_form_twice() {
        let mut out = Vec::new();
        push_all(b"hunter2", &mut out);
        assert_eq!(out, [b"hunter2".to_vec()]);
    }
}
