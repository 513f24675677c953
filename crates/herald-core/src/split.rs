//! A return, taken apart: per state a definition and a body, stored once for all alike minions, and
//! the volatile rest (times, durations, order), packed.
//!
//! Everything that leaves here is redacted. What was redacted before is known by a hash of its
//! unredacted form, together with the secrets that were looked for, and is not looked at again.

mod judge;
mod known;

use std::sync::Arc;

use salt_event::event::Return;
use salt_event::msgpack::Token;
use salt_event::states::{NAMED_MEMBERS, Returned, StateResult, collisions, is_state_function};
use salt_event::{Raw, Value, write_token};

use crate::canonical::Canonical;
use crate::change::Failure;
use crate::digest::Digest;
use crate::payload::{MAX_PAYLOAD, Payload, PayloadKind};
use crate::redact::{NotKept, Redactor, Secrets, SiteRules};
use crate::run::Outcome;

pub(crate) use judge::orchestrated;
use judge::{asks_for_secret, count, follows, plain_outcome, whole_failure};
use known::{Item, Key, KeyMaker, Known};

/// A return, ready for the journal.
#[derive(Debug, Default)]
pub struct Split {
    /// The name of what it consists of.
    pub shape: Digest,
    /// Per item: duration, start and run number, each plus one, 0 for none; as LEB128.
    pub volatile: Vec<u8>,
    /// Contents that were not given out before.
    pub payloads: Vec<Payload>,
    /// What it comes to.
    pub outcome: Outcome,
    /// What failed in it.
    pub failures: Vec<Failure>,
    /// Jids of state runs that were in its way.
    pub collides_with: Vec<String>,
}

/// Most failures that are kept of one return; the return itself has all.
const MAX_FAILURES: usize = 200;

/// Takes returns apart, and remembers what it has given out.
pub struct Splitter {
    redactor: Redactor,
    known: Known,
    keys: KeyMaker,
}

/// Where one return is put together.
struct Assembly<'a> {
    canonical: Canonical<'a>,
    secrets: &'a Secrets,
    keys: KeyMaker,
    shape: Vec<u8>,
    split: Split,
}

impl Assembly<'_> {
    /// What a state in which the minion's id does not stand is remembered by, without its canonical
    /// form: most are such.
    fn as_sent(&self, state: &StateResult<'_>) -> Option<Key> {
        let parts = [
            state.key.as_bytes(),
            state.sls.unwrap_or_default().as_bytes(),
            state.id.unwrap_or_default().as_bytes(),
            state.comment.bytes(),
            state.changes.bytes(),
        ];
        let is_plain = |part: &&[u8]| self.canonical.is_plain(part);
        if state.others > 0 || !parts.iter().all(is_plain) {
            return None;
        }
        let mut bytes = Vec::with_capacity(512);
        bytes.push(state.result.map_or(2, u8::from));
        for part in parts {
            bytes.extend_from_slice(&part.len().to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Some(self.keys.key(&mut bytes, self.secrets))
    }
}

impl Splitter {
    /// Remembers nothing yet.
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, known: Known::default(), keys: KeyMaker::default() }
    }

    /// Forgets what was given out, and not used since this was called last. What a journal has not been
    /// named for long it may have thrown away: it must be given out again.
    pub fn forget_unused(&mut self) {
        self.known.age();
    }

    /// Goes by other rules from now on. What was given out under those of before is not known any more.
    pub fn change_site(&mut self, site: Arc<SiteRules>) {
        self.redactor = Redactor::with_site(self.redactor.marks().clone(), site);
        self.known = Known::default();
    }

    /// The redactor.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Takes one return apart, and hides in it what is known to be secret.
    pub fn split(&mut self, ret: &Return<'_>, secrets: &Secrets) -> Split {
        let mut assembly = Assembly {
            // A secret that holds the id would not be found behind its placeholder.
            canonical: Canonical::new(if secrets.holds(ret.minion) { "" } else { ret.minion }),
            secrets,
            keys: self.keys.clone(),
            shape: Vec::with_capacity(1024),
            split: Split { outcome: plain_outcome(ret), ..Split::default() },
        };
        let is_state = ret.fun.iter().any(|fun| is_state_function(fun));
        if let Some(not_kept) = self.drops(ret) {
            add_dropped(&mut assembly, Returned::of(ret.ret, is_state), not_kept);
            return self.finish(assembly);
        }
        if asks_for_secret(&self.redactor, ret) {
            self.add_hidden(&mut assembly, ret.ret);
            return self.finish(assembly);
        }
        match Returned::of(ret.ret, is_state) {
            Returned::States(states) => {
                states.for_each(|state| self.add_state(&mut assembly, &state));
            }
            Returned::Refused(texts) => {
                assembly.split.collides_with = collisions(&texts);
                // salt-ssh tells of it without a return code.
                assembly.split.outcome.failed = true;
                self.add_plain(&mut assembly, ret.ret);
            }
            Returned::Plain(raw) => match orchestrated(raw) {
                Some(states) => states.for_each(|state| self.add_state(&mut assembly, &state)),
                None => self.add_plain(&mut assembly, raw),
            },
        }
        self.finish(assembly)
    }

    /// Whether the site wants nothing of a return to be kept.
    fn drops(&self, ret: &Return<'_>) -> Option<NotKept> {
        let site = self.redactor.site();
        let of_function = ret.fun.iter().find_map(|fun| site.drops_returns(fun));
        of_function.or_else(|| site.drops_minion(ret.minion))
    }

    fn finish(&mut self, assembly: Assembly<'_>) -> Split {
        let Assembly { shape, mut split, .. } = assembly;
        split.shape = self.give_shape(&shape, &mut split.payloads);
        if split.outcome.failed && split.failures.is_empty() {
            split.failures.extend(whole_failure(&shape));
        }
        split
    }

    fn add_state(&mut self, assembly: &mut Assembly<'_>, state: &StateResult<'_>) {
        let item = self.state_item(assembly, state);
        let split = &mut assembly.split;
        count(&mut split.outcome, state);
        if state.result == Some(false) && split.failures.len() < MAX_FAILURES {
            split.failures.push(Failure {
                definition: item.definition,
                body: item.body,
                follows: follows(state),
            });
        }
        push_varint(&mut split.volatile, state.duration.map_or(0, |micros| micros + 1));
        push_varint(&mut split.volatile, state.start.map_or(0, |micros| micros + 1));
        let number = state.run_number.and_then(|number| u64::try_from(number).ok());
        push_varint(&mut split.volatile, number.map_or(0, |number| number.saturating_add(1)));
        assembly.shape.extend_from_slice(&item.definition.0);
        assembly.shape.extend_from_slice(&item.body.0);
    }

    fn state_item(&mut self, assembly: &mut Assembly<'_>, state: &StateResult<'_>) -> Item {
        let as_sent = assembly.as_sent(state);
        if let Some(item) = as_sent.and_then(|key| self.known.get(key)) {
            return item;
        }
        let mut bytes = Vec::with_capacity(512);
        write_definition(&assembly.canonical, state, &mut bytes);
        let border = bytes.len();
        let not_kept = self
            .redactor
            .site()
            .drops_state(state.id.unwrap_or(state.parts().id), state.sls.unwrap_or_default());
        match not_kept {
            Some(not_kept) => write_result(state, not_kept, &mut bytes),
            None => write_body(&assembly.canonical, state, &mut bytes),
        }
        let key = self.keys.key(&mut bytes, assembly.secrets);
        let item = match self.known.get(key) {
            Some(item) => item,
            None => self.give_state(assembly, &bytes, border),
        };
        self.known.insert(key, item);
        as_sent.into_iter().for_each(|key| self.known.insert(key, item));
        item
    }

    /// A body that was never seen. Its definition nearly always was: of another minion, or before.
    fn give_state(&mut self, assembly: &mut Assembly<'_>, bytes: &[u8], border: usize) -> Item {
        let (definition, body) = bytes.split_at(border);
        let (secrets, payloads) = (assembly.secrets, &mut assembly.split.payloads);
        let key = self.keys.key(&mut definition.to_vec(), secrets);
        let definition = match self.known.get(key) {
            Some(item) => item.definition,
            None => {
                let digest = self.give(PayloadKind::Definition, definition, secrets, payloads);
                self.known.insert(key, Item { definition: digest, body: Digest::ZERO });
                digest
            }
        };
        Item { definition, body: self.give(PayloadKind::Body, body, secrets, payloads) }
    }

    /// The answer to somebody who asked for a secret: only its form is kept.
    fn add_hidden(&mut self, assembly: &mut Assembly<'_>, raw: Raw<'_>) {
        let mut value = Value::read(raw).unwrap_or_else(|_| Value::from("(unreadable)"));
        self.redactor.hide_all(&mut value, &mut Secrets::default());
        let payload = Payload::new(PayloadKind::Body, &bounded(value.to_bytes()));
        assembly.shape.extend_from_slice(&Digest::ZERO.0);
        assembly.shape.extend_from_slice(&payload.digest.0);
        assembly.split.payloads.push(payload);
    }

    fn add_plain(&mut self, assembly: &mut Assembly<'_>, raw: Raw<'_>) {
        let mut bytes = Vec::with_capacity(raw.bytes().len() + 16);
        if assembly.canonical.write(raw, &mut bytes).is_err() {
            bytes = Value::from("(unreadable)").to_bytes();
        }
        let key = self.keys.key(&mut bytes, assembly.secrets);
        let body = match self.known.get(key) {
            Some(item) => item.body,
            None => {
                let payloads = &mut assembly.split.payloads;
                let body = self.give(PayloadKind::Body, &bytes, assembly.secrets, payloads);
                let item = Item { definition: Digest::ZERO, body };
                self.known.insert(key, item);
                body
            }
        };
        assembly.shape.extend_from_slice(&Digest::ZERO.0);
        assembly.shape.extend_from_slice(&body.0);
    }

    /// Redacts one value and gives it out as a payload.
    fn give(
        &self,
        kind: PayloadKind,
        bytes: &[u8],
        secrets: &Secrets,
        payloads: &mut Vec<Payload>,
    ) -> Digest {
        let payload = Payload::new(kind, &self.redacted(bytes, secrets));
        let digest = payload.digest;
        payloads.push(payload);
        digest
    }

    fn redacted(&self, bytes: &[u8], secrets: &Secrets) -> Vec<u8> {
        if secrets.is_empty() && !self.redactor.may_hold_secret(bytes) {
            return bounded(bytes.to_vec());
        }
        let value = salt_event::msgpack::Reader::new(bytes).raw().and_then(Value::read);
        let mut value = match value {
            Ok(value) => value,
            Err(error) => return Value::from(format!("({error})")).to_bytes(),
        };
        self.redactor.clean_return(&mut value, secrets);
        bounded(value.to_bytes())
    }

    fn give_shape(&mut self, shape: &[u8], payloads: &mut Vec<Payload>) -> Digest {
        let digest = Digest::of(shape);
        let key = self.keys.of_digest(&digest);
        if self.known.get(key).is_none() {
            payloads.push(Payload { kind: PayloadKind::Shape, digest, bytes: shape.into() });
            self.known.insert(key, Item { definition: digest, body: digest });
        }
        digest
    }
}

/// A return of which only is kept what it comes to.
fn add_dropped(assembly: &mut Assembly<'_>, returned: Returned<'_>, not_kept: NotKept) {
    let split = &mut assembly.split;
    match returned {
        Returned::States(states) => states.for_each(|state| count(&mut split.outcome, &state)),
        Returned::Refused(texts) => {
            split.collides_with = collisions(&texts);
            split.outcome.failed = true;
        }
        Returned::Plain(raw) => {
            let steps = orchestrated(raw).into_iter().flatten();
            steps.for_each(|state| count(&mut split.outcome, &state));
        }
    }
    let payload = Payload::new(PayloadKind::Body, &Value::from(not_kept.text()).to_bytes());
    assembly.shape.extend_from_slice(&Digest::ZERO.0);
    assembly.shape.extend_from_slice(&payload.digest.0);
    assembly.split.payloads.push(payload);
}

/// Contents that are too long, as their beginning with their true length.
fn bounded(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() <= MAX_PAYLOAD {
        return bytes;
    }
    let start = String::from_utf8_lossy(bytes.get(..64 << 10).unwrap_or_default()).into_owned();
    Value::Map(vec![
        ("truncated".into(), Value::Int(i64::try_from(bytes.len()).unwrap_or(i64::MAX))),
        ("start".into(), start.into()),
    ])
    .to_bytes()
}

fn write_definition(canonical: &Canonical<'_>, state: &StateResult<'_>, out: &mut Vec<u8>) {
    let parts = state.parts();
    let function = format!("{}.{}", parts.module, parts.function);
    write_token(Token::Array(4), out);
    for text in [state.id.unwrap_or(parts.id), state.sls.unwrap_or_default(), parts.name, &function]
    {
        canonical.write_text(text.as_bytes(), out);
    }
}

fn write_body(canonical: &Canonical<'_>, state: &StateResult<'_>, out: &mut Vec<u8>) {
    let is_other = |key: &Raw<'_>| !key.text().is_some_and(|key| NAMED_MEMBERS.contains(&key));
    write_token(Token::Map(3 + state.others), out);
    let nil = Raw::NIL;
    let result = match state.result {
        None => Token::Nil,
        Some(result) => Token::Bool(result),
    };
    canonical.write_text(b"result", out);
    write_token(result, out);
    for (name, value) in [("comment", state.comment), ("changes", state.changes)] {
        canonical.write_text(name.as_bytes(), out);
        write_or_nil(canonical, value, nil, out);
    }
    if state.others == 0 {
        return;
    }
    for (key, value) in state.raw.pairs().filter(|(key, _)| is_other(key)) {
        write_or_nil(canonical, key, nil, out);
        write_or_nil(canonical, value, nil, out);
    }
}

/// Of a state of which neither changes nor comment are kept.
fn write_result(state: &StateResult<'_>, not_kept: NotKept, out: &mut Vec<u8>) {
    let text = || Value::from(not_kept.text());
    let changes = match state.has_changes() {
        true => text(),
        false => Value::Map(Vec::new()),
    };
    let body = Value::Map(vec![
        ("result".into(), state.result.map_or(Value::Nil, Value::Bool)),
        ("comment".into(), text()),
        ("changes".into(), changes),
    ]);
    out.extend_from_slice(&body.to_bytes());
}

/// Writes a value; one that can't be read (it was skipped over, so it can) as nil.
fn write_or_nil(canonical: &Canonical<'_>, raw: Raw<'_>, nil: Raw<'_>, out: &mut Vec<u8>) {
    let before = out.len();
    if canonical.write(raw, out).is_err() {
        out.truncate(before);
        out.extend_from_slice(nil.bytes());
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
