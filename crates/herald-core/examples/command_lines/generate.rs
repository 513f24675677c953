//! Made-up loads: every kind of target, one function or several, arguments of every type. Some of
//! what is made up no command line can say. The same seed gives the same loads.

use salt_event::Value;

use crate::text::{pick, plain, text};

/// A small generator of numbers (xorshift64*): the proof must not change with a library.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero, and small seeds would be alike for a while.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = random.next());
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 11) % end.max(1) as u64).unwrap_or(0)
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }
}

/// One load, as it stands in `salt/job/J/new`.
pub(crate) fn load(random: &mut Random) -> Value<'static> {
    let (tgt_type, tgt) = target(random);
    let (fun, arg) = match random.below(5) {
        0 => several(random),
        _ => (Value::from(function(random)), arguments(random, 5)),
    };
    Value::Map(vec![
        ("tgt".into(), tgt),
        ("tgt_type".into(), tgt_type.into()),
        ("fun".into(), fun),
        ("arg".into(), arg),
    ])
}

const KINDS: [&str; 11] = [
    "glob",
    "pcre",
    "list",
    "grain",
    "grain_pcre",
    "nodegroup",
    "range",
    "compound",
    "pillar",
    "pillar_pcre",
    "ipcidr",
];

/// A target of some kind.
pub(crate) fn target(random: &mut Random) -> (&'static str, Value<'static>) {
    let kind = match random.below(3) {
        0 => "glob",
        _ => pick(random, &KINDS),
    };
    if random.one_in(200) {
        let odd = pick(random, &["", "pillar_exact", "data", "GLOB"]);
        return (odd, Value::from(text(random)));
    }
    let tgt = match kind {
        "list" if random.one_in(100) => Value::from(text(random)),
        "list" => {
            let count = random.below(5);
            Value::Array((0..count).map(|_| Value::from(minion(random))).collect())
        }
        "compound" if !random.one_in(8) => {
            let words = (0..=random.below(4)).map(|_| minion(random));
            let words: Vec<String> = words.flat_map(words_of).collect();
            // Salt puts one space between them.
            Value::from(words.join(pick(random, &[" ", " ", " ", " ", "  ", "\t", " N@x "])))
        }
        _ if random.one_in(3) => Value::from(text(random)),
        _ if random.one_in(300) => Value::Nil,
        _ => {
            let wanted =
                ["*", "web*", "web[0-9]+", "roles:web", "G@os:Debian", "10.0.0.0/8", "%web"];
            Value::from(pick(random, &wanted))
        }
    };
    (kind, tgt)
}

/// Mostly as the master knows them.
fn minion(random: &mut Random) -> String {
    if random.one_in(8) { text(random) } else { plain(random) }
}

/// The words of a text, as Python takes it apart.
fn words_of(text: String) -> Vec<String> {
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn function(random: &mut Random) -> String {
    match random.below(12) {
        0 => text(random),
        1 => plain(random),
        _ => pick(random, &["test.arg", "state.apply", "cmd.run", "test.ping"]).to_owned(),
    }
}

fn several(random: &mut Random) -> (Value<'static>, Value<'static>) {
    let count = if random.one_in(30) { 1 } else { 2 + random.below(3) };
    let funs = (0..count).map(|_| Value::from(function(random))).collect();
    let lists = if random.one_in(50) { count + 1 } else { count };
    let arg = (0..lists).map(|_| arguments(random, 3)).collect();
    (Value::Array(funs), Value::Array(arg))
}

fn arguments(random: &mut Random, most: usize) -> Value<'static> {
    let mut items: Vec<Value<'static>> =
        (0..random.below(most)).map(|_| value(random, 3)).collect();
    if random.one_in(2) {
        let keywords = keywords(random);
        let place = if random.one_in(12) { random.below(items.len() + 1) } else { items.len() };
        items.insert(place, keywords);
    }
    Value::Array(items)
}

fn keywords(random: &mut Random) -> Value<'static> {
    let mut pairs = vec![(Value::from("__kwarg__"), Value::Bool(true))];
    if random.one_in(40) {
        pairs = vec![(Value::from("__kwarg__"), value(random, 0))];
    }
    for _ in 0..random.below(4) {
        let names = ["test", "pillar", "saltenv", "name", "a.b", "a-b", "_x", "env", "queue"];
        let name = match random.below(12) {
            0 => value(random, 0),
            1 => Value::from(text(random)),
            _ => Value::from(pick(random, &names)),
        };
        if random.one_in(200) || pairs.iter().all(|(known, _)| *known != name) {
            pairs.push((name, value(random, 3)));
        }
    }
    Value::Map(pairs)
}

fn value(random: &mut Random, depth: usize) -> Value<'static> {
    match random.below(if depth > 0 { 16 } else { 13 }) {
        0..=6 => Value::from(text(random)),
        7 => Value::Bool(random.one_in(2)),
        8 => Value::Nil,
        9..=10 => integer(random),
        11 => float(random),
        12 if random.one_in(40) => odd(random),
        12 => Value::from(plain(random)),
        13..=14 => Value::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        _ => map(random, depth - 1),
    }
}

fn map(random: &mut Random, depth: usize) -> Value<'static> {
    let mut pairs: Vec<(Value<'static>, Value<'static>)> = Vec::new();
    for _ in 0..random.below(4) {
        let key = match random.below(8) {
            0 => integer(random),
            1 => value(random, 0),
            2..=3 => Value::from(text(random)),
            _ => Value::from(plain(random)),
        };
        if random.one_in(100) || pairs.iter().all(|(known, _)| *known != key) {
            pairs.push((key, value(random, depth)));
        }
    }
    Value::Map(pairs)
}

fn integer(random: &mut Random) -> Value<'static> {
    let edges = [0, 1, -1, 7, 255, 65_536, i64::MAX, i64::MIN, -1_234_567_890_123_456_789];
    match random.below(4) {
        0 => Value::Int(edges.get(random.below(edges.len())).copied().unwrap_or(0)),
        1 if random.one_in(6) => Value::UInt(u64::MAX - random.next() / 4),
        1 => Value::Int(random.next() as i64),
        _ => Value::Int(random.below(2_000) as i64 - 500),
    }
}

fn float(random: &mut Random) -> Value<'static> {
    let edges =
        [0.0, -0.0, 1.0, -1.5, 0.1, 1e16, 1e20, 1e-7, 5e-324, f64::MAX, f64::INFINITY, f64::NAN];
    match random.below(3) {
        0 => Value::Float(edges.get(random.below(edges.len())).copied().unwrap_or(0.0)),
        1 => Value::Float(f64::from_bits(random.next())),
        _ => Value::Float(random.below(100_000) as f64 / 100.0 - 300.0),
    }
}

/// What only an API client sends, or nobody.
fn odd(random: &mut Random) -> Value<'static> {
    match random.below(3) {
        0 => Value::Bytes(b"\xff\xfe".as_slice().into()),
        1 => Value::Ext(78, b"20261122T17:00:00.000000".as_slice().into()),
        _ => Value::Map(vec![(Value::Array(vec![]), Value::Nil)]),
    }
}
