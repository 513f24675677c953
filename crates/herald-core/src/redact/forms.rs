//! The forms in which one value turns up: as it is, and as JSON, a URL, a shell and base64 write it.
//!
//! Only simple forms: nothing is searched for twice encoded, compressed or reversed.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// Shortest piece of base64 that says enough to be looked for.
const MIN_BASE64: usize = 10;

/// Adds every form of a value, each once.
pub(crate) fn push_all(value: &[u8], out: &mut Vec<Vec<u8>>) {
    let mut forms = vec![value.to_vec(), escaped(value), percent(value), shell(value)];
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

/// As inside a JSON string.
fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.push(byte),
        }
    }
    out
}

/// As in a URL.
fn percent(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
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
    fn a_plain_value_has_no_form_twice() {
        let mut out = Vec::new();
        push_all(b"hunter2", &mut out);
        assert_eq!(out, [b"hunter2".to_vec()]);
    }
}
