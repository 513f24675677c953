//! Values as trees: what Salt's arguments and returns are when somebody has to look inside, and
//! the canonical bytes by which they are stored and named.
//!
//! Reading is forgiving (bytes that are UTF-8 are text, anything may be a key) and bounded in depth
//! and in number. Writing is strict: one value has one encoding. This does not redact and knows no
//! Salt.

use std::borrow::Cow;

use crate::msgpack::{MsgpackError, Raw, Reader, Token};

/// How deep a tree may nest. Salt's own returns stay under 20.
pub const MAX_DEPTH: usize = 100;
/// How many values a tree may hold: about 60 MB of memory at the most.
pub const MAX_VALUES: usize = 1_000_000;

/// One value of any type that Salt puts on the bus.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `None`.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits with a sign.
    Int(i64),
    /// An integer above [`i64::MAX`].
    UInt(u64),
    /// A float.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes that are not UTF-8.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// A map, in the order in which it was sent; keys can be of any type.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// An extension type: Salt uses 78 for datetimes and 79 for constants.
    Ext(i8, Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// Reads one whole value.
    ///
    /// # Errors
    /// When it is not MessagePack, nests deeper than [`MAX_DEPTH`] or holds more than
    /// [`MAX_VALUES`] values.
    pub fn read(raw: Raw<'a>) -> Result<Self, MsgpackError> {
        let mut left = MAX_VALUES;
        read(&mut raw.reader(), MAX_DEPTH, &mut left)
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value that a map holds under a text key.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Value::Map(pairs) => {
                pairs.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The value without borrowing from the event.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Nil => Value::Nil,
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::UInt(value) => Value::UInt(value),
            Value::Float(value) => Value::Float(value),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Value::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Value::Map(pairs) => Value::Map(
                pairs.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
            ),
            Value::Ext(kind, data) => Value::Ext(kind, Cow::Owned(data.into_owned())),
        }
    }

    /// Appends the canonical bytes: MessagePack with the shortest header for every value, maps in
    /// the order in which they were sent.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Nil => write_token(Token::Nil, out),
            Value::Bool(value) => write_token(Token::Bool(*value), out),
            Value::Int(value) => write_token(Token::Int(*value), out),
            Value::UInt(value) => write_token(Token::UInt(*value), out),
            Value::Float(value) => write_token(Token::Float(*value), out),
            Value::Text(text) => write_token(Token::Str(text.as_bytes()), out),
            // As it would be read again, so that what is built and what is read look alike.
            Value::Bytes(bytes) if str::from_utf8(bytes).is_ok() => {
                write_token(Token::Str(bytes), out);
            }
            Value::Bytes(bytes) => write_token(Token::Bin(bytes), out),
            Value::Ext(kind, data) => write_token(Token::Ext(*kind, data), out),
            Value::Array(items) => {
                write_token(Token::Array(items.len()), out);
                items.iter().for_each(|item| item.write(out));
            }
            Value::Map(pairs) => {
                write_token(Token::Map(pairs.len()), out);
                pairs.iter().for_each(|(key, value)| {
                    key.write(out);
                    value.write(out);
                });
            }
        }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

fn read<'a>(
    reader: &mut Reader<'a>,
    depth: usize,
    left: &mut usize,
) -> Result<Value<'a>, MsgpackError> {
    let depth = depth.checked_sub(1).ok_or(MsgpackError::TooDeep { limit: MAX_DEPTH })?;
    *left = left.checked_sub(1).ok_or(MsgpackError::TooMany { limit: MAX_VALUES })?;
    Ok(match reader.token()? {
        Token::Nil => Value::Nil,
        Token::Bool(value) => Value::Bool(value),
        Token::Int(value) => Value::Int(value),
        Token::UInt(value) => Value::UInt(value),
        Token::Float(value) => Value::Float(value),
        Token::Str(bytes) | Token::Bin(bytes) => match str::from_utf8(bytes) {
            Ok(text) => Value::Text(Cow::Borrowed(text)),
            Err(_) => Value::Bytes(Cow::Borrowed(bytes)),
        },
        Token::Ext(kind, data) => Value::Ext(kind, Cow::Borrowed(data)),
        Token::Array(count) => {
            let mut items = Vec::with_capacity(count.min(64));
            for _ in 0..count {
                items.push(read(reader, depth, left)?);
            }
            Value::Array(items)
        }
        Token::Map(count) => {
            let mut pairs = Vec::with_capacity(count.min(64));
            for _ in 0..count {
                let key = read(reader, depth, left)?;
                pairs.push((key, read(reader, depth, left)?));
            }
            Value::Map(pairs)
        }
    })
}

/// The bits of the one not-a-number that we write.
const NAN: u64 = 0x7ff8_0000_0000_0000;

/// The headers of one family: the short form (first byte, lengths below), then 8, 16 and 32 bits.
struct Family {
    short: Option<(u8, usize)>,
    one: Option<u8>,
    two: u8,
    four: u8,
}

const STR: Family = Family { short: Some((0xa0, 32)), one: Some(0xd9), two: 0xda, four: 0xdb };
const BIN: Family = Family { short: None, one: Some(0xc4), two: 0xc5, four: 0xc6 };
/// Without the headers of 1, 2, 4, 8 and 16 bytes, which are shorter.
const EXT: Family = Family { short: None, one: Some(0xc7), two: 0xc8, four: 0xc9 };
const ARRAY: Family = Family { short: Some((0x90, 16)), one: None, two: 0xdc, four: 0xdd };
const MAP: Family = Family { short: Some((0x80, 16)), one: None, two: 0xde, four: 0xdf };

impl Family {
    /// Writes the shortest header. Lengths above 32 bits can't be read from any event.
    fn write(&self, length: usize, out: &mut Vec<u8>) {
        match (self.short, self.one) {
            (Some((base, below)), _) if length < below => out.push(base | length as u8),
            (_, Some(header)) if length < 0x100 => out.extend_from_slice(&[header, length as u8]),
            _ if length < 0x1_0000 => {
                out.push(self.two);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                out.push(self.four);
                out.extend_from_slice(&(length as u32).to_be_bytes());
            }
        }
    }
}

/// Appends one header with its data, in the shortest encoding. The members of arrays and maps are
/// the caller's to write.
pub fn write_token(token: Token<'_>, out: &mut Vec<u8>) {
    match token {
        Token::Nil => out.push(0xc0),
        Token::Bool(value) => out.push(if value { 0xc3 } else { 0xc2 }),
        Token::Int(value) => write_int(value, out),
        Token::UInt(value) => write_unsigned(value, out),
        // One not-a-number for all: its spare bits differ between processors.
        Token::Float(value) if value.is_nan() => write_wide(0xcb, NAN.to_be_bytes(), out),
        Token::Float(value) => write_wide(0xcb, value.to_be_bytes(), out),
        Token::Array(count) => ARRAY.write(count, out),
        Token::Map(count) => MAP.write(count, out),
        Token::Str(bytes) => {
            STR.write(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Token::Bin(bytes) => {
            BIN.write(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Token::Ext(kind, data) => {
            match data.len() {
                length @ (1 | 2 | 4 | 8 | 16) => out.push(0xd4 + length.trailing_zeros() as u8),
                length => EXT.write(length, out),
            }
            out.push(kind as u8);
            out.extend_from_slice(data);
        }
    }
}

fn write_wide(header: u8, bytes: [u8; 8], out: &mut Vec<u8>) {
    out.push(header);
    out.extend_from_slice(&bytes);
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    match value {
        0.. => write_unsigned(value as u64, out),
        -0x20..=-1 => out.push(value as u8),
        -0x80..=-0x21 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => {
            out.push(0xd1);
            out.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            out.push(0xd2);
            out.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => write_wide(0xd3, value.to_be_bytes(), out),
    }
}

/// What is not negative has one family of headers, as Python writes it.
fn write_unsigned(value: u64, out: &mut Vec<u8>) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => write_wide(0xcf, value.to_be_bytes(), out),
    }
}
