//! The members of an event's data: found by name, with nothing believed of their types.
//!
//! Which of them an event needs is its kind's business.

use std::borrow::Cow;

use super::MAX_FUNS;
use crate::msgpack::{MsgpackError, Raw, Reader, Token};
use crate::time::MAX_JID;

/// The data's members that are asked for, read once.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(Vec<Field<'a>>);

#[derive(Debug, Clone)]
struct Field<'a> {
    name: &'static str,
    value: Raw<'a>,
    /// Its key was of the `str` family.
    is_text: bool,
}

/// All members that are ever asked for. Others are stepped over, however many there are: a minion
/// could bury its `cmd` under them.
const NAMES: [&str; 28] = [
    "_stamp",
    "jid",
    "fun",
    "cmd",
    "id",
    "return",
    "retcode",
    "success",
    "fun_args",
    "user",
    "arg",
    "tgt",
    "tgt_type",
    "minions",
    "missing",
    "metadata",
    "kwargs",
    "schedule",
    "args",
    "name",
    "type",
    "state",
    "batch_size",
    "stdout",
    "stderr",
    "act",
    "result",
    "pub",
];

impl<'a> Fields<'a> {
    /// Reads all members, each once; of data that is no map there are none.
    pub(crate) fn read(data: &'a [u8]) -> Result<Self, MsgpackError> {
        let mut fields = Self(Vec::with_capacity(16));
        let mut reader = Reader::new(data);
        let Ok(pairs) = reader.map() else {
            Reader::new(data).skip()?;
            return Ok(fields);
        };
        for _ in 0..pairs {
            let key = reader.raw()?;
            let value = reader.raw()?;
            match key.token() {
                Token::Str(name) => fields.add(name, value, true),
                Token::Bin(name) => fields.add(name, value, false),
                _ => {}
            }
        }
        Ok(fields)
    }

    /// The first of a name counts, but a key that is text goes before one that is bytes: for Salt
    /// these are two keys, and only the text is its own.
    fn add(&mut self, name: &[u8], value: Raw<'a>, is_text: bool) {
        let Some(name) = NAMES.into_iter().find(|known| known.as_bytes() == name) else {
            return;
        };
        let field = Field { name, value, is_text };
        match self.0.iter_mut().find(|known| known.name == name) {
            None => self.0.push(field),
            Some(known) if is_text && !known.is_text => *known = field,
            Some(_) => {}
        }
    }

    /// Whether these are the first of all members that are asked for, in this order.
    pub(crate) fn begin_with<const N: usize>(&self, names: [&str; N]) -> bool {
        self.0.len() >= N && self.0.iter().map(|field| field.name).zip(names).all(|(a, b)| a == b)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Raw<'a>> {
        debug_assert!(NAMES.contains(&name), "{name} is not collected");
        self.0.iter().find(|field| field.name == name).map(|field| field.value)
    }

    pub(crate) fn raw(&self, name: &str) -> Raw<'a> {
        self.get(name).unwrap_or(Raw::NIL)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.text()
    }

    /// The jid, which some clients send as a number.
    pub(crate) fn jid(&self) -> Option<Cow<'a, str>> {
        match self.get("jid")?.token() {
            Token::Str(bytes) | Token::Bin(bytes) => str::from_utf8(bytes)
                .ok()
                .filter(|jid| !jid.is_empty() && jid.len() <= MAX_JID)
                .map(Cow::Borrowed),
            Token::Int(number) => Some(Cow::Owned(number.to_string())),
            Token::UInt(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    pub(crate) fn fun_is_list(&self) -> bool {
        matches!(self.raw("fun").token(), Token::Array(_))
    }

    /// The functions: one as text, or a list.
    pub(crate) fn fun(&self) -> Option<Vec<Cow<'a, str>>> {
        let raw = self.get("fun")?;
        match raw.token() {
            Token::Str(_) | Token::Bin(_) => Some(vec![Cow::Borrowed(raw.text()?)]),
            Token::Array(1..) => {
                raw.items().take(MAX_FUNS).map(|item| item.text().map(Cow::Borrowed)).collect()
            }
            _ => None,
        }
    }
}
