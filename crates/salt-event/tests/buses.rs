//! Recorded buses of real masters: every event is understood for what it is.
//!
//! The snapshots are to be read: a line is an event, jids and minions are numbered or named as they
//! appear, times are left out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use salt_event::capture::{Capture, Captured};
use salt_event::event::{Batch, Event, Kind, NewJob, Return, decode};
use salt_event::frame::{Frame, FrameBuffer};
use salt_event::msgpack::Token;
use salt_event::states::{Returned, collisions, is_state_function};
use salt_event::tag::{Tag, family};
use salt_event::{Raw, Value};

/// What a bus is rendered into.
#[derive(Default)]
struct Page {
    jids: Vec<String>,
    lines: String,
    kinds: BTreeMap<&'static str, usize>,
    others: BTreeMap<String, usize>,
    prefixed: usize,
    bare: usize,
}

impl Page {
    fn jid(&mut self, jid: &str) -> String {
        let known = self.jids.iter().position(|known| known == jid);
        let at = known.unwrap_or_else(|| {
            self.jids.push(jid.to_owned());
            self.jids.len() - 1
        });
        format!("J{}", at + 1)
    }

    fn event(&mut self, event: &Event<'_>) {
        assert!(event.stamp.is_some(), "{} has no time", event.tag);
        let (kind, text) = self.text(event);
        *self.kinds.entry(kind).or_default() += 1;
        if kind == "other" {
            *self.others.entry(family(&event.tag)).or_default() += 1;
        }
        writeln!(self.lines, "{kind:<8} {text}").unwrap();
    }

    fn text(&mut self, event: &Event<'_>) -> (&'static str, String) {
        match &event.kind {
            Kind::NewJob(job) => ("job", self.job(job)),
            Kind::Return(ret) => ("return", self.ret(ret)),
            Kind::Minions { jid, minions } => {
                ("minions", format!("{} {}", self.jid(jid), ids(*minions)))
            }
            Kind::Behind(behind) => {
                let (syndic, jid) = (&behind.syndic, self.jid(&behind.jid));
                match &behind.job {
                    Some(job) => ("below", format!("{syndic} {}", self.job(job))),
                    None => ("below", format!("{syndic} {jid} {}", ids(behind.minions))),
                }
            }
            Kind::Call(call) => {
                let jid = self.jid(&call.jid);
                let user = call.user.unwrap_or("-");
                ("call", format!("{jid} {:?} {} user={user}", call.origin, call.fun))
            }
            Kind::Child(child) => {
                let jid = self.jid(&child.jid);
                let what = if child.is_state { "state" } else { "function" };
                let (tgt, tgt_type) = (short(child.tgt), child.tgt_type);
                ("child", format!("{jid} {what} {:?} {tgt_type}:{tgt}", child.name))
            }
            Kind::BatchNew(batch) => ("batch", self.batch(batch)),
            Kind::BatchComplete { jid } => ("batched", self.jid(jid)),
            Kind::FromMinion { sender, claims_job } => {
                let tag = self.tag(&event.tag);
                ("minion's", format!("{sender} claims_job={claims_job} {tag}"))
            }
            Kind::Key(event) => ("key", {
                let tag = if event.is_auth { "auth" } else { "key" };
                let (act, key) = (event.act, if event.key.is_some() { " with a key" } else { "" });
                format!("{tag} {act:?} good={} {}{key}", event.is_good, event.minion)
            }),
            Kind::Twin { jid } => ("twin", format!("{} {}", self.jid(jid), self.tag(&event.tag))),
            Kind::Published { jid, .. } => ("published", self.jid(jid)),
            Kind::Echo => ("echo", self.tag(&event.tag)),
            Kind::Odd => ("odd", self.tag(&event.tag)),
            Kind::Other => ("other", self.tag(&event.tag)),
        }
    }

    /// A tag with its jid numbered.
    fn tag(&mut self, tag: &str) -> String {
        let parts = tag.split('/').map(|part| match Tag::parse(part) {
            Tag::Minions(jid) => self.jid(jid),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn job(&mut self, job: &NewJob<'_>) -> String {
        let mut line = format!(
            "{} {} {}:{} user={} minions={}",
            self.jid(&job.jid),
            job.fun.join(","),
            job.tgt_type,
            short(job.tgt),
            job.user.unwrap_or("-"),
            ids(job.minions)
        );
        if job.missing.items().next().is_some() {
            write!(line, " missing={}", ids(job.missing)).unwrap();
        }
        line + &args(job.arg) + metadata(job.metadata)
    }

    fn batch(&mut self, batch: &Batch<'_>) -> String {
        format!(
            "{} {} {}:{} user={} minions={} size={:?}{}",
            self.jid(&batch.jid),
            batch.fun.join(","),
            batch.tgt_type,
            short(batch.tgt),
            batch.user.unwrap_or("-"),
            ids(batch.minions),
            batch.size,
            args(batch.arg)
        )
    }

    fn ret(&mut self, ret: &Return<'_>) -> String {
        let mut line = format!(
            "{} {:?} {} {} user={} cmd={} retcode={} success={}",
            self.jid(&ret.jid),
            ret.origin,
            ret.minion,
            ret.fun.join(","),
            ret.user.unwrap_or("-"),
            ret.cmd.unwrap_or("-"),
            short(ret.retcode),
            ret.success.map_or("-".into(), short)
        );
        if ret.through_syndic {
            line += " through a syndic";
        }
        if ret.tag_differs {
            line += " tag_differs";
        }
        if let Some(schedule) = ret.schedule {
            write!(line, " schedule={schedule}").unwrap();
        }
        if let (Some(arg), Some(tgt)) = (ret.arg, ret.tgt) {
            write!(line, " tgt={}{}", short(tgt), args(arg)).unwrap();
        }
        let is_state = ret.fun.iter().any(|fun| is_state_function(fun));
        line + &args(ret.fun_args) + metadata(ret.metadata) + &self.form(ret.ret, is_state)
    }

    fn form(&mut self, ret: Raw<'_>, is_state: bool) -> String {
        match Returned::of(ret, is_state) {
            Returned::Plain(raw) => format!(" -> plain {}", type_of(raw)),
            Returned::Refused(texts) => {
                let met = collisions(&texts);
                let met: Vec<_> = met.iter().map(|jid| self.jid(jid)).collect();
                format!(" -> refused {} met=[{}]", texts.len(), met.join(" "))
            }
            Returned::States(states) => {
                let states: Vec<_> = states.collect();
                let count = |result| states.iter().filter(|s| s.result == result).count();
                let changed = states.iter().filter(|state| state.has_changes()).count();
                for state in &states {
                    let parts = state.parts();
                    assert!(!parts.module.is_empty() && !parts.function.is_empty());
                }
                format!(
                    " -> states {} failed {} would {} changed {changed}",
                    states.len(),
                    count(Some(false)),
                    count(None),
                )
            }
        }
    }
}

fn ids(raw: Raw<'_>) -> String {
    let ids: Vec<_> = raw.items().map(|id| id.text().unwrap_or("?")).collect();
    format!("[{}]", ids.join(" "))
}

/// How many arguments, and whether some have names.
fn args(raw: Raw<'_>) -> String {
    let named = raw.items().filter(|arg| arg.get("__kwarg__").is_some());
    match (raw.items().count(), named.count()) {
        (0, _) => String::new(),
        (count, 0) => format!(" args={count}"),
        (count, named) => format!(" args={count} ({named} named)"),
    }
}

fn metadata(metadata: Option<Raw<'_>>) -> &'static str {
    metadata.map_or("", |_| " metadata")
}

fn type_of(raw: Raw<'_>) -> Cow<'static, str> {
    match raw.token() {
        Token::Nil => "nil".into(),
        Token::Bool(value) => value.to_string().into(),
        Token::Int(_) | Token::UInt(_) | Token::Float(_) => "number".into(),
        Token::Str(bytes) | Token::Bin(bytes) => match str::from_utf8(bytes) {
            Ok(_) => "text".into(),
            Err(_) => "bytes".into(),
        },
        Token::Array(count) => format!("list {count}").into(),
        Token::Map(count) => format!("map {count}").into(),
        Token::Ext(kind, _) => format!("extension {kind}").into(),
    }
}

/// A small value in a few words.
fn short(raw: Raw<'_>) -> Cow<'_, str> {
    match Value::read(raw).unwrap() {
        Value::Text(text) => text,
        Value::Nil => "-".into(),
        Value::Bool(value) => value.to_string().into(),
        Value::Int(value) => value.to_string().into(),
        Value::Array(_) => ids(raw).into(),
        Value::Map(_) => {
            let each = raw.pairs().map(|(k, v)| format!("{}:{}", short(k), short(v)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(" ")).into()
        }
        other => panic!("{other:?}"),
    }
}

/// Everything of a capture.
fn page(capture: &[u8]) -> String {
    let mut page = Page::default();
    let mut frames = FrameBuffer::default();
    let mut capture = Capture::read(capture).unwrap();
    for record in capture.by_ref() {
        match record.what {
            Captured::Lost => {
                assert_eq!(frames.pending(), 0);
                frames = FrameBuffer::default();
                page.lines.push_str("-- connection lost\n");
            }
            Captured::Bytes(bytes) => {
                frames.push(bytes);
                read_frames(&mut frames, &mut page);
            }
        }
    }
    assert_eq!((capture.unread(), frames.pending()), (0, 0));
    let (bare, prefixed) = (page.bare, page.prefixed);
    let mut out = format!("{bare} bare and {prefixed} prefixed frames\n\n");
    for (kind, count) in &page.kinds {
        writeln!(out, "{count:>4} {kind}").unwrap();
    }
    for (family, count) in &page.others {
        writeln!(out, "     {count:>4} {family}").unwrap();
    }
    out + "\n" + &page.lines
}

fn read_frames(frames: &mut FrameBuffer, page: &mut Page) {
    loop {
        let before = frames.pending();
        let length = match frames.next_frame().unwrap() {
            None => return,
            Some(Frame::TooLong { length, .. }) => panic!("{length}"),
            Some(Frame::Whole(bytes)) => {
                page.event(&decode(bytes).unwrap());
                bytes.len()
            }
        };
        match before - frames.pending() - length {
            0 => page.bare += 1,
            4 => page.prefixed += 1,
            other => panic!("{other} bytes between frames"),
        }
    }
}

#[test]
fn salt_3006_before_the_length() {
    insta::assert_snapshot!(page(include_bytes!("buses/3006-old.bus")));
}

#[test]
fn salt_3006() {
    insta::assert_snapshot!(page(include_bytes!("buses/3006.bus")));
}

#[test]
fn salt_3007() {
    insta::assert_snapshot!(page(include_bytes!("buses/3007.bus")));
}

#[test]
fn salt_3008() {
    insta::assert_snapshot!(page(include_bytes!("buses/3008.bus")));
}

#[test]
fn salt_ssh_on_3006() {
    insta::assert_snapshot!(page(include_bytes!("buses/salt-ssh-3006.bus")));
}

#[test]
fn salt_ssh_on_3007() {
    insta::assert_snapshot!(page(include_bytes!("buses/salt-ssh-3007.bus")));
}

#[test]
fn salt_ssh_on_3008() {
    insta::assert_snapshot!(page(include_bytes!("buses/salt-ssh-3008.bus")));
}

#[test]
fn a_master_above_a_syndic_on_3006() {
    insta::assert_snapshot!(page(include_bytes!("buses/syndic-3006.bus")));
}

#[test]
fn a_master_below_with_a_syndic_on_3006() {
    insta::assert_snapshot!(page(include_bytes!("buses/syndic-3006-lower.bus")));
}

#[test]
fn a_master_above_a_syndic_on_3007() {
    insta::assert_snapshot!(page(include_bytes!("buses/syndic-3007.bus")));
}

#[test]
fn a_master_below_with_a_syndic_on_3007() {
    insta::assert_snapshot!(page(include_bytes!("buses/syndic-3007-lower.bus")));
}

#[test]
fn a_master_above_a_syndic_on_3008() {
    insta::assert_snapshot!(page(include_bytes!("buses/syndic-3008.bus")));
}

#[test]
fn a_master_below_with_a_syndic_on_3008() {
    insta::assert_snapshot!(page(include_bytes!("buses/syndic-3008-lower.bus")));
}

#[test]
fn two_masters_on_3006() {
    let both = [
        include_bytes!("buses/two-masters-3006.bus").as_slice(),
        include_bytes!("buses/two-masters-3006-second.bus"),
    ];
    insta::assert_snapshot!(both.map(page).join("\n-- the second master\n"));
}

#[test]
fn two_masters_on_3007() {
    let both = [
        include_bytes!("buses/two-masters-3007.bus").as_slice(),
        include_bytes!("buses/two-masters-3007-second.bus"),
    ];
    insta::assert_snapshot!(both.map(page).join("\n-- the second master\n"));
}

#[test]
fn two_masters_on_3008() {
    let both = [
        include_bytes!("buses/two-masters-3008.bus").as_slice(),
        include_bytes!("buses/two-masters-3008-second.bus"),
    ];
    insta::assert_snapshot!(both.map(page).join("\n-- the second master\n"));
}
