//! Python's literals, read back from what a template of Salt's prints: `{{ data['arg'] }}` gives
//! `['nginx', {'__kwarg__': True, 'test': True}]`. JSON is read, too.
//!
//! Pure. It evaluates nothing, knows no names but those of constants, and reads a bounded depth and
//! number of values. What is no literal from its first character to its last is nothing at all.

use std::borrow::Cow;

use salt_event::Value;

/// Deepest nesting; well below [`salt_event::MAX_DEPTH`].
const MAX_DEPTH: usize = 60;
/// Most values in all.
const MAX_VALUES: usize = 200_000;

/// The value that a literal stands for.
///
/// Tuples and sets become lists, what prints as a call (`datetime.datetime(2026, 11, 22)`) its own
/// text, and numbers that no event can hold the text of their digits. Half a surrogate pair, which
/// no text of ours can hold, becomes U+FFFD.
pub fn read(text: &str) -> Option<Value<'static>> {
    let mut reader = Reader { rest: text, left: MAX_VALUES };
    let value = reader.value(MAX_DEPTH)?;
    reader.skip_blanks();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
    /// How many values may still come.
    left: usize,
}

impl<'t> Reader<'t> {
    fn value(&mut self, depth: usize) -> Option<Value<'static>> {
        let depth = depth.checked_sub(1)?;
        self.left = self.left.checked_sub(1)?;
        self.skip_blanks();
        match self.peek()? {
            '[' => self.list('[', ']', depth).map(Value::Array),
            '(' => self.list('(', ')', depth).map(Value::Array),
            '{' => self.braces(depth),
            '\'' | '"' => self.text().map(Value::from),
            '0'..='9' | '-' | '+' | '.' => self.number(),
            _ => self.word(depth),
        }
    }

    fn list(&mut self, open: char, close: char, depth: usize) -> Option<Vec<Value<'static>>> {
        self.expect(open)?;
        let mut items = Vec::new();
        loop {
            if self.takes(close) {
                return Some(items);
            }
            if !items.is_empty() {
                self.expect(',')?;
                // `(1,)`
                if self.takes(close) {
                    return Some(items);
                }
            }
            items.push(self.value(depth)?);
        }
    }

    /// A dict or a set.
    fn braces(&mut self, depth: usize) -> Option<Value<'static>> {
        let before = self.rest;
        self.expect('{')?;
        if self.takes('}') {
            return Some(Value::Map(Vec::new()));
        }
        let mut key = self.value(depth)?;
        if !self.takes(':') {
            self.rest = before;
            return self.list('{', '}', depth).map(Value::Array);
        }
        let mut pairs = Vec::new();
        loop {
            pairs.push((key, self.value(depth)?));
            if self.takes('}') {
                return Some(Value::Map(pairs));
            }
            self.expect(',')?;
            key = self.value(depth)?;
            self.expect(':')?;
        }
    }

    fn number(&mut self) -> Option<Value<'static>> {
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let (negative, digits) = match word.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let padded = digits.len() > 1 && digits.starts_with('0');
            let number = word.parse().map(Value::Int).or_else(|_| word.parse().map(Value::UInt));
            return (!padded).then(|| number.unwrap_or_else(|_| Value::from(word.to_owned())));
        }
        let float = match constant(digits) {
            Some(Value::Float(number)) => number,
            Some(_) => return None,
            None => {
                let plain = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
                let signed = digits.starts_with(['+', '-']);
                (!signed && digits.bytes().all(plain)).then(|| digits.parse().ok())??
            }
        };
        Some(Value::Float(if negative { -float } else { float }))
    }

    /// A constant, a text with a letter before it, or something that prints as a call.
    fn word(&mut self, depth: usize) -> Option<Value<'static>> {
        let before = self.rest;
        let word = self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        match (word, self.peek()) {
            ("b" | "B", Some('\'' | '"')) => self.bytes(),
            ("u" | "U", Some('\'' | '"')) => self.text().map(Value::from),
            ("OrderedDict", Some('(')) => self.ordered(depth),
            ("", _) => None,
            (_, Some('(')) => {
                self.skip_call()?;
                let length = before.len() - self.rest.len();
                before.get(..length).map(|text| Value::from(text.to_owned()))
            }
            _ => constant(word),
        }
    }

    /// `OrderedDict([('a', 1)])`, or since Python 3.12 `OrderedDict({'a': 1})`.
    fn ordered(&mut self, depth: usize) -> Option<Value<'static>> {
        self.expect('(')?;
        if self.takes(')') {
            return Some(Value::Map(Vec::new()));
        }
        let value = self.value(depth)?;
        self.expect(')')?;
        let pair = |item| match item {
            Value::Array(pair) => <[Value<'static>; 2]>::try_from(pair).ok().map(|[k, v]| (k, v)),
            _ => None,
        };
        match value {
            Value::Map(pairs) => Some(Value::Map(pairs)),
            Value::Array(items) => {
                items.into_iter().map(pair).collect::<Option<_>>().map(Value::Map)
            }
            _ => None,
        }
    }

    /// Reads over brackets and what is in them.
    fn skip_call(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                '\'' | '"' => {
                    self.text()?;
                    continue;
                }
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            self.next()?;
            if open == 0 {
                return Some(());
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.next()?;
        let mut out = String::new();
        loop {
            match self.next()? {
                c if c == quote => return Some(out),
                '\n' | '\r' => return None,
                '\\' => out.push(match self.next()? {
                    'x' => char::from_u32(self.hex(2)?)?,
                    'u' => self.unit()?,
                    'U' => char::from_u32(self.hex(8)?).unwrap_or(char::REPLACEMENT_CHARACTER),
                    c => self.escape(c)?,
                }),
                c => out.push(c),
            }
        }
    }

    fn bytes(&mut self) -> Option<Value<'static>> {
        let quote = self.next()?;
        let mut out = Vec::new();
        loop {
            let c = match self.next()? {
                c if c == quote => break,
                '\n' | '\r' => return None,
                '\\' => match self.next()? {
                    'x' => char::from_u32(self.hex(2)?)?,
                    c => self.escape(c)?,
                },
                c if c.is_ascii() => c,
                _ => return None,
            };
            out.push(u8::try_from(u32::from(c)).ok()?);
        }
        // As an event is read, too.
        Some(match String::from_utf8(out) {
            Ok(text) => Value::from(text),
            Err(error) => Value::Bytes(Cow::Owned(error.into_bytes())),
        })
    }

    /// What a letter after a backslash means, in texts and in bytes.
    fn escape(&mut self, letter: char) -> Option<char> {
        Some(match letter {
            '\\' | '\'' | '"' | '/' => letter,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0'..='7' => {
                let mut code = letter.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    self.next()?;
                    code = code * 8 + digit;
                }
                char::from_u32(code)?
            }
            _ => return None,
        })
    }

    /// `\uXXXX`; JSON writes two of them for one character.
    fn unit(&mut self) -> Option<char> {
        let first = self.hex(4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.rest;
        if let Some(rest) = self.rest.strip_prefix("\\u") {
            self.rest = rest;
            let second = self.hex(4)?;
            if (0xdc00..0xe000).contains(&second) {
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.rest = before;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let mut code = 0_u32;
        for _ in 0..digits {
            code = code.checked_mul(16)?.checked_add(self.next()?.to_digit(16)?)?;
        }
        Some(code)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Steps over a sign, if it comes next.
    fn takes(&mut self, sign: char) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: char) -> Option<()> {
        self.takes(sign).then_some(())
    }
}

/// The words of Python's, and of JSON's.
fn constant(word: &str) -> Option<Value<'static>> {
    Some(match word {
        "None" | "null" => Value::Nil,
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        "nan" | "NaN" => Value::Float(f64::NAN),
        "inf" | "Infinity" => Value::Float(f64::INFINITY),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::from(text)
    }

    #[test]
    fn what_a_template_prints() {
        let printed =
            r#"['nginx', {'__kwarg__': True, 'pillar': {"it's": None}, 'n': -1.5e+20}, (1,), ()]"#;
        let keywords = Value::Map(vec![
            (text("__kwarg__"), Value::Bool(true)),
            (text("pillar"), Value::Map(vec![(text("it's"), Value::Nil)])),
            (text("n"), Value::Float(-1.5e20)),
        ]);
        let one = Value::Array(vec![Value::Int(1)]);
        let all = vec![text("nginx"), keywords, one, Value::Array(Vec::new())];
        assert_eq!(read(printed), Some(Value::Array(all)));
    }

    #[test]
    fn each_kind_of_literal() {
        let list =
            |items: &[i64]| Value::Array(items.iter().map(|item| Value::Int(*item)).collect());
        for (printed, value) in [
            ("None", Value::Nil),
            (" true\n", Value::Bool(true)),
            ("18446744073709551615", Value::UInt(u64::MAX)),
            ("99999999999999999999999", text("99999999999999999999999")),
            ("-0", Value::Int(0)),
            ("1.", Value::Float(1.0)),
            ("-inf", Value::Float(f64::NEG_INFINITY)),
            ("{1, 2}", list(&[1, 2])),
            ("{}", Value::Map(Vec::new())),
            ("OrderedDict()", Value::Map(Vec::new())),
            ("OrderedDict([(1, 2)])", Value::Map(vec![(Value::Int(1), Value::Int(2))])),
            ("OrderedDict({1: 2})", Value::Map(vec![(Value::Int(1), Value::Int(2))])),
            (r#"b'a\x00\xc3\xa9'"#, text("a\0é")),
            (r#"b"\xff'""#, Value::Bytes(b"\xff'"[..].into())),
            (r"'\x41\u00e9\U0001f600\101\0\'\\'", text("Aé😀A\0'\\")),
            (r#""\ud83d\ude00\/\b""#, text("😀/\u{8}")),
            (r"'\ud83dx\udcff'", text("\u{fffd}x\u{fffd}")),
            ("datetime.date(2026, (1), ')')", text("datetime.date(2026, (1), ')')")),
        ] {
            assert_eq!(read(printed), Some(value), "{printed}");
        }
    }

    #[test]
    fn what_is_no_literal_is_nothing() {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        let many = format!("[{}]", "0,".repeat(MAX_VALUES));
        for text in [
            "",
            "nginx",
            "[",
            "[1",
            "[1 2]",
            "[,]",
            "[1,,2]",
            "{1: 2, 3}",
            "{1: }",
            "'a",
            "'a\nb'",
            "'a' 'b'",
            "[1] x",
            "007",
            "1_000",
            "0x1f",
            "1e",
            "--1",
            r"'\q'",
            r"'\x4'",
            r"b'\u0041'",
            "b'é'",
            "__import__",
            "f(",
            "(1 if x else 2)",
            "'''a'''",
            "-None",
            &deep,
            &many,
        ] {
            assert_eq!(read(text), None, "{text:.60}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_stumble(text in r#"[\[\](){},:'"\\bux0-9eE.+\-NaTrué ]{0,80}"#) {
            let _ = read(&text);
        }
    }
}
