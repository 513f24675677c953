//! The fields of entries as bytes: big-endian numbers, texts behind their length, digests.

use jiff::Timestamp;

use super::{Contents, EntryError};
use crate::change::{Named, Storable};
use crate::digest::Digest;

/// Writes fields.
pub(super) struct Put(pub(super) Vec<u8>);

impl Put {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn time(&mut self, value: Timestamp) {
        self.u64(value.as_microsecond() as u64);
    }

    pub(super) fn digest(&mut self, value: Digest) {
        self.0.extend_from_slice(&value.0);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.u32(value.len() as u32);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn texts(&mut self, values: &[String]) {
        self.u32(values.len() as u32);
        values.iter().for_each(|value| self.text(value));
    }
}

/// Reads fields, in the order in which they were written.
pub(super) struct Get<'a>(pub(super) &'a [u8]);

impl<'a> Get<'a> {
    pub(super) fn take(
        &mut self,
        count: usize,
        field: &'static str,
    ) -> Result<&'a [u8], EntryError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(EntryError::Field(field))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn fixed<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], EntryError> {
        self.take(N, field)?.try_into().map_err(|_| EntryError::Field(field))
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, EntryError> {
        self.fixed::<1>(field).map(|[byte]| byte)
    }

    /// A boolean; anything but 0 and 1 is none.
    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, EntryError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(EntryError::Field(field)),
        }
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, EntryError> {
        self.fixed(field).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, EntryError> {
        self.fixed(field).map(u64::from_be_bytes)
    }

    pub(super) fn time(&mut self, field: &'static str) -> Result<Timestamp, EntryError> {
        let micros = self.u64(field)? as i64;
        Timestamp::from_microsecond(micros).map_err(|_| EntryError::Field(field))
    }

    pub(super) fn digest(&mut self, field: &'static str) -> Result<Digest, EntryError> {
        self.fixed(field).map(Digest)
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<String, EntryError> {
        let length = self.u32(field)? as usize;
        let bytes = self.take(length, field)?;
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| EntryError::Field(field))
    }

    pub(super) fn texts(&mut self, field: &'static str) -> Result<Vec<String>, EntryError> {
        let count = self.u32(field)? as usize;
        (0..count).map(|_| self.text(field)).collect()
    }

    /// Several of a kind, behind their number.
    pub(super) fn many<T>(
        &mut self,
        field: &'static str,
        mut one: impl FnMut(&mut Self) -> Result<T, EntryError>,
    ) -> Result<Vec<T>, EntryError> {
        let count = self.u32(field)?;
        (0..count).map(|_| one(self)).collect()
    }

    pub(super) fn code<T>(
        &mut self,
        field: &'static str,
        from_code: impl Fn(u8) -> Option<T>,
    ) -> Result<T, EntryError> {
        from_code(self.u8(field)?).ok_or(EntryError::Field(field))
    }

    pub(super) fn named<T: Storable>(
        &mut self,
        field: &'static str,
        contents: &mut dyn Contents,
    ) -> Result<Named<T>, EntryError> {
        let digest = self.digest(field)?;
        let bytes = contents.payload(digest).ok_or(EntryError::Payload(digest))?;
        let value = T::from_payload_bytes(&bytes).ok_or(EntryError::Field(field))?;
        Ok(Named { value, digest })
    }
}
