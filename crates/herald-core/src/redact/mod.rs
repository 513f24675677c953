//! Stub until the real one is merged.
use salt_event::Value;
use std::borrow::Cow;
#[derive(Default, Clone, Debug)]
pub struct Secrets;
impl Secrets {
    pub fn is_empty(&self) -> bool {
        true
    }
    pub fn extend(&mut self, _o: &Secrets) {}
    pub fn fingerprint(&self) -> u64 {
        0
    }
}
#[derive(Debug)]
pub struct Redactor;
impl Redactor {
    pub fn new() -> Self {
        Redactor
    }
    pub fn redact_value(&self, _v: &mut Value<'_>, _s: &mut Secrets) {}
    pub fn redact_text<'t>(&self, t: &'t str, _s: &mut Secrets) -> Cow<'t, str> {
        Cow::Borrowed(t)
    }
    pub fn clean_return(&self, _v: &mut Value<'_>, _s: &Secrets) {}
}
