//! A MessagePack cursor over borrowed bytes: one header at a time, nothing allocated, never a panic.
//!
//! It takes everything that Salt sends (text that is no UTF-8, keys that are no text, extension
//! types) because it only looks at lengths; what text means is [`crate::Value`]'s business. It does
//! not build trees, does not recurse, and does not write MessagePack.

use thiserror::Error;

use crate::header::{Shape, number};

/// Why bytes are not MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MsgpackError {
    /// The bytes end inside a value.
    #[error("the bytes end inside a value, at offset {at}")]
    Truncated {
        /// Offset in bytes of the value that is cut off.
        at: usize,
    },
    /// `0xc1`, which the format reserves and nobody may write.
    #[error("byte 0xc1 at offset {at} is reserved and starts no value")]
    Reserved {
        /// Offset in bytes.
        at: usize,
    },
    /// Another kind of value than the caller needs.
    #[error("expected {wanted} at offset {at}")]
    Unexpected {
        /// Offset in bytes.
        at: usize,
        /// What was needed, in words.
        wanted: &'static str,
    },
    /// Nested deeper than any event of Salt is.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit that was passed.
        limit: usize,
    },
    /// More values than we are willing to hold in memory as a tree.
    #[error("more than {limit} values in one event")]
    TooMany {
        /// The limit that was passed.
        limit: usize,
    },
}

/// One header with what belongs to it, but for the members of arrays and maps, which follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
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
    /// The `str` family; not necessarily UTF-8.
    Str(&'a [u8]),
    /// The `bin` family.
    Bin(&'a [u8]),
    /// An array of so many values, which follow.
    Array(usize),
    /// A map of so many pairs, which follow.
    Map(usize),
    /// An extension: its type and data.
    Ext(i8, &'a [u8]),
}

/// A position in bytes that hold MessagePack.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset in bytes of the next value.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether all bytes are read.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Reads one header, and the data that it carries itself.
    pub fn token(&mut self) -> Result<Token<'a>, MsgpackError> {
        let start = self.at;
        let token = self.token_inner(start);
        if token.is_err() {
            self.at = start;
        }
        token
    }

    #[inline]
    fn token_inner(&mut self, start: usize) -> Result<Token<'a>, MsgpackError> {
        let first = self.byte(start)?;
        Ok(match first {
            0x00..=0x7f => Token::Int(i64::from(first)),
            0x80..=0x8f => Token::Map(usize::from(first & 0x0f)),
            0x90..=0x9f => Token::Array(usize::from(first & 0x0f)),
            0xa0..=0xbf => Token::Str(self.take(usize::from(first & 0x1f), start)?),
            0xc0 => Token::Nil,
            0xc1 => return Err(MsgpackError::Reserved { at: start }),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(first - 0xc4, start)?;
                Token::Bin(self.take(length, start)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(first - 0xc7, start)?;
                self.extension(length, start)?
            }
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.fixed(start)?))),
            0xcb => Token::Float(f64::from_be_bytes(self.fixed(start)?)),
            0xcc => Token::Int(i64::from(self.byte(start)?)),
            0xcd => Token::Int(i64::from(u16::from_be_bytes(self.fixed(start)?))),
            0xce => Token::Int(i64::from(u32::from_be_bytes(self.fixed(start)?))),
            0xcf => unsigned(u64::from_be_bytes(self.fixed(start)?)),
            0xd0 => Token::Int(i64::from(i8::from_be_bytes(self.fixed(start)?))),
            0xd1 => Token::Int(i64::from(i16::from_be_bytes(self.fixed(start)?))),
            0xd2 => Token::Int(i64::from(i32::from_be_bytes(self.fixed(start)?))),
            0xd3 => Token::Int(i64::from_be_bytes(self.fixed(start)?)),
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4), start)?,
            0xd9..=0xdb => {
                let length = self.length(first - 0xd9, start)?;
                Token::Str(self.take(length, start)?)
            }
            0xdc | 0xdd => Token::Array(self.length(first - 0xdc + 1, start)?),
            0xde | 0xdf => Token::Map(self.length(first - 0xde + 1, start)?),
            0xe0..=0xff => Token::Int(i64::from(first as i8)),
        })
    }

    /// Steps over one value, whatever it holds; iterative, so depth costs nothing.
    pub fn skip(&mut self) -> Result<(), MsgpackError> {
        let mut at = self.at;
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            let truncated = MsgpackError::Truncated { at };
            let first = *self.bytes.get(at).ok_or(truncated)?;
            let shape = Shape::of(first);
            if shape.reserved {
                return Err(MsgpackError::Reserved { at });
            }
            let (mut data, mut children) = (u64::from(shape.data), u64::from(shape.children));
            let mut length = 1;
            if shape.width > 0 {
                length += usize::from(shape.width);
                let digits = self.bytes.get(at + 1..at + length).ok_or(truncated)?;
                (data, children) = shape.follow(number(digits));
            }
            left = left.saturating_add(children);
            at = at.saturating_add(length).saturating_add(data as usize);
            if at > self.bytes.len() {
                return Err(truncated);
            }
        }
        self.at = at;
        Ok(())
    }

    /// Steps over one value and gives the bytes that it took.
    pub fn raw(&mut self) -> Result<Raw<'a>, MsgpackError> {
        let start = self.at;
        self.skip()?;
        Ok(Raw(self.bytes.get(start..self.at).unwrap_or_default()))
    }

    /// What was read since an offset at which a value began: that value, if it is whole by now.
    pub(crate) fn since(&self, start: usize) -> Raw<'a> {
        Raw(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// Reads the header of a map, and gives its number of pairs.
    pub fn map(&mut self) -> Result<usize, MsgpackError> {
        let at = self.at;
        match self.token()? {
            Token::Map(pairs) => Ok(pairs),
            _ => Err(MsgpackError::Unexpected { at, wanted: "a map" }),
        }
    }

    fn byte(&mut self, start: usize) -> Result<u8, MsgpackError> {
        let byte = *self.bytes.get(self.at).ok_or(MsgpackError::Truncated { at: start })?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize, start: usize) -> Result<&'a [u8], MsgpackError> {
        let end = self.at.checked_add(length).ok_or(MsgpackError::Truncated { at: start })?;
        let taken = self.bytes.get(self.at..end).ok_or(MsgpackError::Truncated { at: start })?;
        self.at = end;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self, start: usize) -> Result<[u8; N], MsgpackError> {
        let taken = self.take(N, start)?;
        taken.try_into().map_err(|_| MsgpackError::Truncated { at: start })
    }

    /// A length of 1, 2 or 4 bytes, by the power of two that the header's last bits name.
    fn length(&mut self, power: u8, start: usize) -> Result<usize, MsgpackError> {
        Ok(match power {
            0 => usize::from(self.byte(start)?),
            1 => usize::from(u16::from_be_bytes(self.fixed(start)?)),
            _ => u32::from_be_bytes(self.fixed(start)?) as usize,
        })
    }

    fn extension(&mut self, length: usize, start: usize) -> Result<Token<'a>, MsgpackError> {
        let kind = self.byte(start)? as i8;
        Ok(Token::Ext(kind, self.take(length, start)?))
    }
}

fn unsigned(number: u64) -> Token<'static> {
    i64::try_from(number).map_or(Token::UInt(number), Token::Int)
}

/// The bytes of exactly one value, known to be whole, not yet understood.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// A value that stands for "nothing was said": MessagePack's nil.
    pub const NIL: Raw<'static> = Raw(&[0xc0]);

    /// The bytes as they were on the wire.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Reads from the value's first byte.
    pub fn reader(self) -> Reader<'a> {
        Reader::new(self.0)
    }

    /// The value's header.
    pub fn token(self) -> Token<'a> {
        self.reader().token().unwrap_or(Token::Nil)
    }

    /// The value as text, if it is text (or bytes that are text).
    pub fn text(self) -> Option<&'a str> {
        match self.token() {
            Token::Str(bytes) | Token::Bin(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The bytes of a key, to be compared with a name; empty if it is no text.
    pub(crate) fn name(self) -> &'a [u8] {
        match self.token() {
            Token::Str(bytes) | Token::Bin(bytes) => bytes,
            _ => b"",
        }
    }

    /// The value as a boolean, if it is one.
    pub fn boolean(self) -> Option<bool> {
        match self.token() {
            Token::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value as an integer, if it is one.
    pub fn integer(self) -> Option<i64> {
        match self.token() {
            Token::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The value as a float, if it is a number.
    pub fn number(self) -> Option<f64> {
        match self.token() {
            Token::Int(value) => Some(value as f64),
            Token::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The pairs of a map; nothing if it is no map.
    pub fn pairs(self) -> Pairs<'a> {
        let mut reader = self.reader();
        let left = reader.map().unwrap_or(0);
        Pairs { reader, left }
    }

    /// The members of an array; nothing if it is no array.
    pub fn items(self) -> Items<'a> {
        let mut reader = self.reader();
        let left = match reader.token() {
            Ok(Token::Array(count)) => count,
            _ => 0,
        };
        Items { reader, left }
    }

    /// The value that a map holds under a text key. A key of the `bin` family counts only where
    /// there is none of the `str` family: for Salt the two are different keys, and a sender could
    /// put one before the other.
    pub fn get(self, key: &str) -> Option<Raw<'a>> {
        let mut as_bytes = None;
        for (name, value) in self.pairs() {
            match name.token() {
                Token::Str(name) if name == key.as_bytes() => return Some(value),
                Token::Bin(name) if name == key.as_bytes() => as_bytes = as_bytes.or(Some(value)),
                _ => {}
            }
        }
        as_bytes
    }
}

impl std::fmt::Debug for Raw<'_> {
    // Never the content: a raw value is not redacted yet.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raw({} bytes)", self.0.len())
    }
}

/// Iterates over a map's pairs.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Raw<'a>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((self.reader.raw().ok()?, self.reader.raw().ok()?))
    }
}

/// Iterates over an array's members.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.reader.raw().ok()
    }
}
