//! Literals that a real Python printed, read back. Skipped where there is none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fmt::Write;
use std::process::Command;

use herald_core::python::read;
use salt_event::Value;

/// Prints random values, the same at every run: a literal in one line, in the next what it is.
const SCRIPT: &str = r##"
import collections, json, random, struct

random.seed(20261122)
PIECES = ["a", "'", '"', "\\", "\n", "\t", "\r", "\0", "\x1b", "\x7f", "\x85", "é", "日", "😀", "\u2028",
    "\ufeff", "\ue000", "{{ x }}", "$(id)", "`", ",", ":", "]", "}", "\\n", "\\u0041", "#", "%}"]

def text():
    return "".join(random.choice(PIECES) for _ in range(random.randrange(6)))

def scalar(json_only):
    kinds = [lambda: None, lambda: True, lambda: False, text, text, lambda: random.randrange(-2**63, 2**64),
        lambda: random.randrange(100), lambda: random.choice([0.1, -1e300, 5e-324, 1e16, -0.0]),
        lambda: struct.unpack(">d", random.randbytes(8))[0]]
    if not json_only:
        kinds.append(lambda: random.randbytes(random.randrange(5)))
    return random.choice(kinds)()

def value(depth, json_only):
    kind = random.randrange(6) if depth else 0
    below = lambda: value(depth - 1, json_only)
    count = range(random.randrange(4))
    if kind < 3:
        return scalar(json_only)
    if kind == 3:
        return [below() for _ in count]
    if kind == 4 and not json_only:
        return random.choice([tuple, list])(below() for _ in count)
    pairs = {(text() if json_only else scalar(False)): below() for _ in count}
    return pairs if json_only else random.choice([dict, collections.OrderedDict])(pairs)

def told(v):
    if v is None or v is True or v is False:
        return str(v)
    if isinstance(v, int):
        return f"i{v}"
    if isinstance(v, float):
        return "nan" if v != v else "d" + struct.pack(">d", v).hex()
    if isinstance(v, str):
        return "s" + v.encode().hex()
    if isinstance(v, bytes):
        try:
            return told(v.decode())
        except UnicodeDecodeError:
            return "b" + v.hex()
    if isinstance(v, dict):
        return "{" + "".join(f"{told(k)}:{told(i)}," for k, i in v.items()) + "}"
    return "[" + "".join(told(i) + "," for i in v) + "]"

for number in range(3000):
    way = number % 3
    v = value(4, way > 0)
    print(repr(v) if way == 0 else json.dumps(v, ensure_ascii=way == 1))
    print(told(v))
"##;

fn told(value: &Value<'_>, out: &mut String) {
    match value {
        Value::Nil => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(number) => write!(out, "i{number}").unwrap(),
        Value::UInt(number) => write!(out, "i{number}").unwrap(),
        Value::Float(number) if number.is_nan() => out.push_str("nan"),
        Value::Float(number) => write!(out, "d{:016x}", number.to_bits()).unwrap(),
        Value::Text(text) => hex('s', text.as_bytes(), out),
        Value::Bytes(bytes) | Value::Ext(_, bytes) => hex('b', bytes, out),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                told(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Map(pairs) => {
            out.push('{');
            for (key, item) in pairs {
                told(key, out);
                out.push(':');
                told(item, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

fn hex(kind: char, bytes: &[u8], out: &mut String) {
    out.push(kind);
    bytes.iter().for_each(|byte| write!(out, "{byte:02x}").unwrap());
}

#[test]
fn what_python_prints_is_read_back() {
    let output = Command::new("python3").args(["-X", "utf8", "-c", SCRIPT]).output();
    let Ok(output) = output else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    // Not `lines`: JSON leaves other line breaks than `\n` as they are.
    let lines: Vec<&str> = printed.trim_end_matches('\n').split('\n').collect();
    assert_eq!(lines.len(), 6_000);
    for pair in lines.chunks(2) {
        let value = read(pair[0]).unwrap_or_else(|| panic!("not read: {}", pair[0]));
        let mut said = String::new();
        told(&value, &mut said);
        assert_eq!(said, pair[1], "{}", pair[0]);
    }
}
