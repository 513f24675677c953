//! What the tests of the ledger share: events made as a master would, recorded buses, and runs as
//! text.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub mod journal;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use herald_core::change::{Change, What};
use herald_core::compose::{Context, FailureGroup, announce, sort_failures};
use herald_core::digest::Digest;
use herald_core::ledger::{Ledger, Restored, Settings};
use herald_core::minions::{MinionSet, Minions};
use herald_core::names::AS_THEY_ARE;
use herald_core::payload::PayloadKind;
use herald_core::redact::{Marks, Redactor};
use herald_core::run::{Run, RunId};
use herald_core::state::State;
use jiff::Timestamp;
use salt_event::Value;
use salt_event::capture::{Capture, Captured};
use salt_event::event::decode;
use salt_event::frame::{Frame, FrameBuffer};

/// A bus's event, ready to be decoded.
pub type Frames = Vec<(Timestamp, Vec<u8>)>;

pub fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

pub fn list(items: &[&str]) -> Value<'static> {
    Value::Array(items.iter().map(|item| text(item)).collect())
}

pub fn map(pairs: Vec<(&str, Value<'static>)>) -> Value<'static> {
    Value::Map(pairs.into_iter().map(|(k, v)| (text(k), v)).collect())
}

/// An event as it comes over the bus.
pub fn frame(tag: &str, data: &Value<'_>) -> Vec<u8> {
    let mut body = tag.as_bytes().to_vec();
    body.extend_from_slice(b"\n\n");
    data.write(&mut body);
    // Bytes, as they are even where they could be text.
    let mut frame = b"\x82\xa4head\x80\xa4body\xc6".to_vec();
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&body);
    frame
}

/// `20261122120000000000` and the seconds since.
pub fn jid(number: u32) -> String {
    format!("202611221200{:02}{:06}", number / 1000, number)
}

pub fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub fn at(seconds: f64) -> Timestamp {
    start() + Duration::from_secs_f64(seconds)
}

/// `salt/job/J/new`.
pub struct Job {
    pub jid: String,
    pub user: &'static str,
    pub fun: Value<'static>,
    pub arg: Value<'static>,
    pub tgt: Value<'static>,
    pub tgt_type: &'static str,
    pub minions: Vec<String>,
    pub missing: Vec<String>,
}

impl Job {
    pub fn new(jid: &str, fun: &str, arg: Value<'static>, minions: &[&str]) -> Self {
        Job {
            jid: jid.to_owned(),
            user: "alice",
            fun: text(fun),
            arg,
            tgt: text("*"),
            tgt_type: "glob",
            minions: minions.iter().map(ToString::to_string).collect(),
            missing: Vec::new(),
        }
    }

    pub fn on_list(mut self) -> Self {
        self.tgt = Value::Array(self.minions.iter().map(|id| text(id)).collect());
        self.tgt_type = "list";
        self
    }

    pub fn frame(&self) -> Vec<u8> {
        let ids = |ids: &[String]| Value::Array(ids.iter().map(|id| text(id)).collect());
        let data = map(vec![
            ("jid", text(&self.jid)),
            ("tgt_type", text(self.tgt_type)),
            ("tgt", self.tgt.clone()),
            ("user", text(self.user)),
            ("fun", self.fun.clone()),
            ("arg", self.arg.clone()),
            ("minions", ids(&self.minions)),
            ("missing", ids(&self.missing)),
        ]);
        frame(&format!("salt/job/{}/new", self.jid), &data)
    }
}

/// `salt/job/J/ret/MINION`, as a minion that was asked returns.
pub fn ret(jid: &str, minion: &str, fun: &str, ret: Value<'static>, retcode: i64) -> Vec<u8> {
    ret_with(jid, minion, fun, ret, retcode, vec![("user", text("alice"))])
}

pub fn ret_with(
    jid: &str,
    minion: &str,
    fun: &str,
    ret: Value<'static>,
    retcode: i64,
    more: Vec<(&str, Value<'static>)>,
) -> Vec<u8> {
    let mut pairs = vec![
        ("cmd", text("_return")),
        ("id", text(minion)),
        ("jid", text(jid)),
        ("fun", text(fun)),
        ("return", ret),
        ("retcode", Value::Int(retcode)),
    ];
    if !more.iter().any(|(key, _)| *key == "fun_args") {
        pairs.push(("fun_args", Value::Array(Vec::new())));
    }
    pairs.extend(more);
    frame(&format!("salt/job/{jid}/ret/{minion}"), &map(pairs))
}

/// `find_job`, asked and answered.
pub fn poll(jid: &str, about: &str, minions: &[&str]) -> Vec<u8> {
    Job::new(jid, "saltutil.find_job", list(&[about]), minions).on_list().frame()
}

pub fn answer(jid: &str, about: &str, minion: &str, works: bool) -> Vec<u8> {
    let found =
        if works { map(vec![("jid", text(about)), ("pid", Value::Int(7))]) } else { map(vec![]) };
    let args = vec![("fun_args", list(&[about])), ("user", text("alice"))];
    ret_with(jid, minion, "saltutil.find_job", found, 0, args)
}

/// One state's result.
pub fn state(
    id: &str,
    result: Option<bool>,
    changed: bool,
    comment: &str,
) -> (String, Value<'static>) {
    let changes = match changed {
        true => map(vec![("diff", text("new"))]),
        false => map(vec![]),
    };
    let body = map(vec![
        ("result", result.map_or(Value::Nil, Value::Bool)),
        ("changes", changes),
        ("comment", text(comment)),
        ("name", text(id)),
        ("duration", Value::Float(12.5)),
        ("start_time", text("12:00:01.000000")),
        ("__run_num__", Value::Int(0)),
        ("__sls__", text("web")),
        ("__id__", text(id)),
    ]);
    (format!("file_|-{id}_|-{id}_|-managed"), body)
}

pub fn states(states: Vec<(String, Value<'static>)>) -> Value<'static> {
    Value::Map(states.into_iter().map(|(key, value)| (text(&key), value)).collect())
}

/// A ledger with all that it gave out.
pub struct Heard {
    pub ledger: Ledger,
    pub changes: Vec<Change>,
    pub payloads: HashMap<Digest, (PayloadKind, Vec<u8>)>,
    /// What an earlier process left.
    pub journal: State,
}

impl Default for Heard {
    fn default() -> Self {
        Self::restored(Restored::default(), start())
    }
}

fn marks() -> Marks {
    Marks::new(&[7; 32])
}

/// What stands in a secret's place.
pub fn mark(secret: &str) -> String {
    marks().of(secret.as_bytes()).to_string()
}

impl Heard {
    pub fn restored(from: Restored, now: Timestamp) -> Self {
        Self::with(Settings::default(), from, now)
    }

    pub fn with(settings: Settings, from: Restored, now: Timestamp) -> Self {
        Heard {
            ledger: Ledger::restore(settings, Redactor::new(marks()), now, from),
            changes: Vec::new(),
            payloads: HashMap::new(),
            journal: State::default(),
        }
    }

    pub fn take(&mut self, changes: Vec<Change>) -> usize {
        for payload in changes.iter().flat_map(|change| &change.payloads) {
            self.payloads.insert(payload.digest, (payload.kind, payload.bytes.to_vec()));
        }
        let count = changes.len();
        self.changes.extend(changes);
        count
    }

    /// Lets time pass, as the daemon does.
    pub fn wait(&mut self, until: Timestamp) {
        while let Some(due) = self.ledger.next_timeout().filter(|due| *due <= until) {
            let changes = self.ledger.handle_timeout(due);
            self.take(changes);
            if self.ledger.next_timeout() == Some(due) {
                break;
            }
        }
    }

    /// Takes an event; gives how many changes it made.
    pub fn hear(&mut self, now: Timestamp, frame: &[u8]) -> usize {
        self.wait(now);
        let Ok(event) = decode(frame) else { return 0 };
        self.adopt(now, &event);
        let changes = self.ledger.handle_event(now, &event);
        self.take(changes)
    }

    pub fn run(&self, number: u64) -> &Run {
        self.ledger.run(RunId(number)).unwrap()
    }

    pub fn runs(&self) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self.ledger.runs().collect();
        runs.sort_by_key(|run| run.id);
        runs
    }

    /// What failed in a run, folded over the minions, as a journal gives it.
    pub fn failures(&self, run: &Run) -> Vec<FailureGroup> {
        let mut groups: BTreeMap<(Digest, Digest, bool), MinionSet> = BTreeMap::new();
        for change in &self.changes {
            if let What::Returned { job, minion, failures, .. } = &change.what
                && run.jobs.contains(job)
            {
                for failure in failures {
                    let key = (failure.definition, failure.body, failure.follows);
                    groups.entry(key).or_default().extend(*minion);
                }
            }
        }
        let minions = self.ledger.minions();
        let mut groups: Vec<_> = groups
            .iter()
            .map(|((definition, body, follows), set)| FailureGroup {
                title: self.short(*definition).unwrap_or(run.head.funs.join(",")),
                minions: minions.names(set).into_iter().map(str::to_owned).collect(),
                count: set.len(),
                text: self.comment(*body),
                follows: *follows,
            })
            .collect();
        sort_failures(&mut groups);
        groups
    }

    fn value(&self, digest: Digest) -> Option<Value<'_>> {
        let (_, bytes) = self.payloads.get(&digest)?;
        Value::read(salt_event::msgpack::Reader::new(bytes).raw().ok()?).ok()
    }

    fn short(&self, definition: Digest) -> Option<String> {
        match self.value(definition)? {
            Value::Array(parts) => {
                let part = |at: usize| parts[at].as_text().unwrap_or_default().to_owned();
                Some(format!("{} ({}) in {}", part(0), part(3), part(1)))
            }
            _ => None,
        }
    }

    fn comment(&self, body: Digest) -> String {
        match self.value(body) {
            None => "(not given out)".to_owned(),
            Some(value) => match value.get("comment") {
                Some(comment) => words(comment),
                None => words(&value),
            },
        }
    }
}

fn words(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.clone().into_owned(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("\n"),
        other => format!("{other:?}"),
    }
}

/// All frames of a recording, with the times at which they were whole.
pub fn recorded(capture: &[u8]) -> Frames {
    let mut buffer = FrameBuffer::default();
    let mut frames = Vec::new();
    for record in Capture::read(capture).unwrap() {
        match record.what {
            Captured::Lost => buffer = FrameBuffer::default(),
            Captured::Bytes(bytes) => {
                buffer.push(bytes);
                while let Some(frame) = buffer.next_frame().unwrap() {
                    if let Frame::Whole(bytes) = frame {
                        frames.push((record.at, bytes.to_vec()));
                    }
                }
            }
        }
    }
    frames
}

pub fn names(minions: &Minions, set: &MinionSet) -> String {
    minions.names(set).join(" ")
}

/// One compact block for a run. Jids are numbered by their run, so that recordings of the same
/// scenarios look alike.
pub fn block(heard: &Heard, run: &Run) -> String {
    let minions = heard.ledger.minions();
    let mut out = String::new();
    let head = &run.head;
    let user = head.user.as_deref().unwrap_or("-");
    writeln!(
        out,
        "{} {} by {user}, {} ({} jobs){}",
        run.id.0,
        head.kind.name(),
        run.status.name(),
        run.jobs.len(),
        if run.said { ", said" } else { "" },
    )
    .unwrap();
    if let Some(with) = run.told_with {
        writeln!(out, "  told with {}", with.0).unwrap();
    }
    let sets = [
        ("expected", &run.tally.expected),
        ("returned", &run.tally.returned),
        ("failed", &run.tally.failed),
        ("changed", &run.tally.changed),
        ("would change", &run.tally.would_change),
        ("missing", &run.tally.missing),
        ("silent", &run.tally.silent),
    ];
    for (what, set) in sets.iter().filter(|(_, set)| !set.is_empty()) {
        writeln!(out, "  {what}: {}", names(minions, set)).unwrap();
    }
    let flags: Vec<&str> = run.flags.iter().map(|flag| flag.name()).collect();
    if !flags.is_empty() {
        writeln!(out, "  flags: {}", flags.join(" ")).unwrap();
    }
    for jid in &run.collides_with {
        writeln!(out, "  collides with: {}", run_of(heard, jid)).unwrap();
    }
    let context = Context { master: None, minions, names: &AS_THEY_ARE };
    let said = announce(run, &heard.failures(run), context);
    writeln!(out, "  {} {}", said.mood.symbol(), said.command).unwrap();
    writeln!(out, "    {}", said.byline).unwrap();
    if !said.tally.is_empty() {
        writeln!(out, "    {}", said.tally).unwrap();
    }
    for detail in &said.details {
        writeln!(out, "    - {} on {}", detail.title, detail.minions).unwrap();
        for line in detail.text.lines().take(6) {
            writeln!(out, "      {line}").unwrap();
        }
    }
    out
}

fn run_of(heard: &Heard, jid: &str) -> String {
    let found = heard.ledger.runs().find(|run| run.jids.iter().any(|known| known == jid));
    found.map_or("nobody we know".to_owned(), |run| format!("the job of run {}", run.id.0))
}
