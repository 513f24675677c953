//! From a frame to a typed event.
//!
//! Fields that people never search in (`return`, `arg`) stay raw: they are understood where they
//! are needed. What is not one of Salt's job events is [`Kind::Other`], with its tag. This does not
//! decide whether an event is true: see [`Kind::FromMinion`] for what can be told.

mod fields;
mod key;
mod read;
mod twin;

use std::borrow::Cow;

use jiff::Timestamp;
use thiserror::Error;

pub(crate) use self::fields::Fields;
pub use self::key::KeyEvent;
use self::read::{batch, call, child, new_job, published};
pub(crate) use self::read::{job_return, returned};
use crate::msgpack::{MsgpackError, Raw, Reader, Token};
use crate::tag::Tag;
use crate::time::parse_stamp;

/// Longest tag that we take, in bytes.
pub const MAX_TAG: usize = 1024;

/// Most functions of one job that are looked at.
pub const MAX_FUNS: usize = 1000;

/// Why a frame is no event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The envelope `{head, body}` can't be read.
    #[error("the frame is no envelope of an event")]
    Envelope(#[source] MsgpackError),
    /// There is no `body`, or it is not bytes.
    #[error("the envelope holds no body")]
    NoBody,
    /// Tag and data can't be told apart.
    #[error("the body holds no tag")]
    NoTag,
    /// The data can't be read.
    #[error("the data of event {tag:?} can't be read")]
    Data {
        /// The event's tag.
        tag: String,
        /// Why.
        #[source]
        source: MsgpackError,
    },
}

impl DecodeError {
    /// The tag, where it could be read.
    pub fn tag(&self) -> Option<&str> {
        match self {
            DecodeError::Data { tag, .. } => Some(tag),
            _ => None,
        }
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// The tag as it was sent.
    pub tag: Cow<'a, str>,
    /// When the master fired it, by its own word.
    pub stamp: Option<Timestamp>,
    /// What it tells.
    pub kind: Kind<'a>,
}

/// What an event tells.
#[derive(Debug, Clone)]
pub enum Kind<'a> {
    /// A job was published.
    NewJob(NewJob<'a>),
    /// A minion returned, or a runner or wheel function ended ([`Return::origin`] tells).
    Return(Return<'a>),
    /// More minions belong to a job: those behind a syndic.
    Minions {
        /// The job.
        jid: Cow<'a, str>,
        /// A list of minion ids.
        minions: Raw<'a>,
    },
    /// What a syndic passes up of a job on the master below.
    Behind(Behind<'a>),
    /// A runner or a wheel function was called.
    Call(Call<'a>),
    /// An orchestration is about to publish a job.
    Child(Child<'a>),
    /// A batch began (3008): what its jobs' slices are slices of.
    BatchNew(Batch<'a>),
    /// A batch ended (3008).
    BatchComplete {
        /// The jid that all slices share.
        jid: Cow<'a, str>,
    },
    /// A minion sent it under a tag of its own choice: not the master's word.
    FromMinion {
        /// The true sender, which the master wrote.
        sender: &'a str,
        /// It bears a tag of the master's own: of a job, a key or an authentication.
        claims_job: bool,
    },
    /// A minion's key was changed, or a minion authenticated.
    Key(KeyEvent<'a>),
    /// An event under a piece of the tag that its data would have: a minion that sends events with a
    /// prefix has each of them on the bus twice, once without the prefix. The master fires none such.
    Twin {
        /// The job that it claims to tell of.
        jid: Cow<'a, str>,
    },
    /// What else is known of a job that was just published (3007 and later).
    Published {
        /// The job.
        jid: Cow<'a, str>,
        /// What an API client added, or `salt --metadata`.
        metadata: Raw<'a>,
    },
    /// An event that says nothing new: `salt/job/J/publish` without metadata, and error notices that
    /// the return repeats.
    Echo,
    /// It has the tag of a job's beginning or of a return, and lacks what each such event has: a function,
    /// a target, a jid that is the tag's, a minion's id.
    Odd,
    /// Any other.
    Other,
}

/// `salt/job/J/new`.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// The job's id.
    pub jid: Cow<'a, str>,
    /// The functions; mostly one.
    pub fun: Vec<Cow<'a, str>>,
    /// They were sent as a list: also a single one can be, by an API client.
    pub is_list: bool,
    /// Positional and keyword arguments; with several functions a list of lists.
    pub arg: Raw<'a>,
    /// The target, as it was given.
    pub tgt: Raw<'a>,
    /// How the target is meant: `glob`, `list`, `grain`, …
    pub tgt_type: &'a str,
    /// Who, as the master knows it.
    pub user: Option<&'a str>,
    /// The minions that were asked.
    pub minions: Raw<'a>,
    /// Listed, but no such minion.
    pub missing: Raw<'a>,
    /// What an API client added.
    pub metadata: Option<Raw<'a>>,
}

/// Where a return came from, by its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A minion.
    Minion,
    /// A runner, on the master.
    Runner,
    /// A wheel function, on the master.
    Wheel,
}

/// `salt/job/J/ret/MINION`, `salt/run/J/ret`, `salt/wheel/J/ret`.
#[derive(Debug, Clone)]
pub struct Return<'a> {
    /// Where it came from.
    pub origin: Origin,
    /// The job's id.
    pub jid: Cow<'a, str>,
    /// The minion's id; empty for runners and wheel functions.
    pub minion: &'a str,
    /// The tag names another job or minion than the data: not the master's word.
    pub tag_differs: bool,
    /// The functions; mostly one.
    pub fun: Vec<Cow<'a, str>>,
    /// The arguments once more.
    pub fun_args: Raw<'a>,
    /// What was returned.
    pub ret: Raw<'a>,
    /// An integer, or a map by function.
    pub retcode: Raw<'a>,
    /// A boolean, or a map by function; `salt-call` gives none.
    pub success: Option<Raw<'a>>,
    /// Who, as the master knows it; `salt-call` and schedules give none.
    pub user: Option<&'a str>,
    /// `_return` from minions; absent through a syndic and from salt-ssh.
    pub cmd: Option<&'a str>,
    /// The master made it again of what a syndic gave it: it has few fields, and in an order of its own.
    pub through_syndic: bool,
    /// The name of the minion's schedule that ran it.
    pub schedule: Option<&'a str>,
    /// The arguments of a `salt-call`.
    pub arg: Option<Raw<'a>>,
    /// The target of a `salt-call`: the minion itself.
    pub tgt: Option<Raw<'a>>,
    /// What an API client added.
    pub metadata: Option<Raw<'a>>,
}

/// `syndic/ID/J` before 3008, `syndic/ID/salt/job/J/new` from then on: who is asked behind a syndic. The
/// job is one that the master here published, or one of the master below.
#[derive(Debug, Clone)]
pub struct Behind<'a> {
    /// The syndic's id: it is a minion of the master here.
    pub syndic: Cow<'a, str>,
    /// The job's id.
    pub jid: Cow<'a, str>,
    /// Who is asked there.
    pub minions: Raw<'a>,
    /// The job as the master below published it.
    pub job: Option<NewJob<'a>>,
}

/// `salt/run/J/new`, `salt/wheel/J/new`.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Runner or wheel.
    pub origin: Origin,
    /// The job's id.
    pub jid: Cow<'a, str>,
    /// The function, with `runner.` or `wheel.` before it.
    pub fun: Cow<'a, str>,
    /// Its arguments.
    pub fun_args: Raw<'a>,
    /// Who, as the master knows it.
    pub user: Option<&'a str>,
}

/// `salt/run/J/args`: the job that an orchestration publishes next.
#[derive(Debug, Clone)]
pub struct Child<'a> {
    /// The orchestration's jid.
    pub jid: Cow<'a, str>,
    /// Whether the job runs states; otherwise it runs the function `name`.
    pub is_state: bool,
    /// The step's name: for a function the function's.
    pub name: &'a str,
    /// The target of the job.
    pub tgt: Raw<'a>,
    /// How the target is meant.
    pub tgt_type: &'a str,
}

/// `salt/batch/J/new` (3008): what the slices are slices of. From the client it comes before them
/// and is whole; from the master (`--async`) it comes after the first, with neither arguments nor
/// minions.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// The jid that all slices share.
    pub jid: Cow<'a, str>,
    /// The functions; mostly one.
    pub fun: Vec<Cow<'a, str>>,
    /// They were sent as a list.
    pub is_list: bool,
    /// Positional and keyword arguments.
    pub arg: Raw<'a>,
    /// The target of the whole.
    pub tgt: Raw<'a>,
    /// How the target is meant.
    pub tgt_type: &'a str,
    /// Who, as the master knows it.
    pub user: Option<&'a str>,
    /// All minions that will be asked.
    pub minions: Raw<'a>,
    /// How many at a time.
    pub size: Option<i64>,
    /// It stops at the first failure.
    pub failhard: bool,
    /// How many seconds it waits before it takes the next minion.
    pub wait: Option<f64>,
}

/// The tag and the data of a frame.
///
/// # Errors
/// When the frame is no envelope.
pub fn split_frame(frame: &[u8]) -> Result<(Cow<'_, str>, &[u8]), DecodeError> {
    let mut reader = Reader::new(frame);
    let pairs = reader.map().map_err(DecodeError::Envelope)?;
    let mut body = None;
    for _ in 0..pairs {
        let key = reader.raw().map_err(DecodeError::Envelope)?;
        let value = reader.raw().map_err(DecodeError::Envelope)?;
        if key.text() == Some("body") {
            body = Some(value);
        }
    }
    let body = match body.map(Raw::token) {
        Some(Token::Bin(bytes) | Token::Str(bytes)) => bytes,
        _ => return Err(DecodeError::NoBody),
    };
    let head = body.get(..body.len().min(MAX_TAG + 2)).unwrap_or_default();
    let at = memchr::memmem::find(head, b"\n\n").ok_or(DecodeError::NoTag)?;
    let tag = String::from_utf8_lossy(body.get(..at).unwrap_or_default());
    Ok((tag, body.get(at + 2..).unwrap_or_default()))
}

/// Understands a whole frame.
///
/// # Errors
/// When the frame is no event. An event whose data lacks what its tag promises is no error: it is
/// [`Kind::Odd`] or [`Kind::Other`].
pub fn decode(frame: &[u8]) -> Result<Event<'_>, DecodeError> {
    let (tag, data) = split_frame(frame)?;
    let fields = Fields::read(data)
        .map_err(|source| DecodeError::Data { tag: tag.clone().into_owned(), source })?;
    let stamp = fields.text("_stamp").and_then(parse_stamp);
    let kind = understand(&tag, &fields).or_else(|| twin::twin(&tag, &fields));
    let kind = kind.unwrap_or_else(|| if is_of_job(&tag) { Kind::Odd } else { Kind::Other });
    Ok(Event { tag, stamp, kind })
}

/// Whether a tag is one of those under which a job begins or returns.
fn is_of_job(tag: &str) -> bool {
    matches!(
        Tag::parse(tag),
        Tag::JobNew(_)
            | Tag::JobReturn(..)
            | Tag::RunnerNew(_)
            | Tag::RunnerReturn(_)
            | Tag::WheelNew(_)
            | Tag::WheelReturn(_)
            | Tag::BatchNew(_)
            | Tag::BehindNew(..)
    )
}

fn understand<'a>(tag: &str, fields: &Fields<'a>) -> Option<Kind<'a>> {
    let tag = Tag::parse(tag);
    if fields.text("cmd") == Some("_minion_event") {
        let claims_job = !matches!(tag, Tag::Other);
        return Some(Kind::FromMinion { sender: fields.text("id")?, claims_job });
    }
    match tag {
        Tag::JobNew(jid) => new_job(fields, jid).map(Kind::NewJob),
        Tag::JobReturn(jid, minion) => {
            job_return(fields, Origin::Minion, jid, minion).map(Kind::Return)
        }
        Tag::RunnerReturn(jid) => job_return(fields, Origin::Runner, jid, "").map(Kind::Return),
        Tag::WheelReturn(jid) => job_return(fields, Origin::Wheel, jid, "").map(Kind::Return),
        Tag::RunnerNew(jid) => call(fields, Origin::Runner, jid).map(Kind::Call),
        Tag::WheelNew(jid) => call(fields, Origin::Wheel, jid).map(Kind::Call),
        Tag::RunnerArgs(jid) => child(fields, jid).map(Kind::Child),
        Tag::Minions(jid) => {
            Some(Kind::Minions { jid: Cow::Owned(jid.to_owned()), minions: fields.get("minions")? })
        }
        Tag::BehindMinions(syndic, jid) => {
            let (syndic, jid) = (Cow::Owned(syndic.to_owned()), Cow::Owned(jid.to_owned()));
            Some(Kind::Behind(Behind { syndic, jid, minions: fields.get("minions")?, job: None }))
        }
        Tag::BehindNew(syndic, jid) => {
            let (job, syndic) = (new_job(fields, jid)?, Cow::Owned(syndic.to_owned()));
            let (jid, minions) = (job.jid.clone(), job.minions);
            Some(Kind::Behind(Behind { syndic, jid, minions, job: Some(job) }))
        }
        Tag::BatchNew(jid) => batch(fields, jid).map(Kind::BatchNew),
        Tag::BatchComplete(jid) => Some(Kind::BatchComplete { jid: Cow::Owned(jid.to_owned()) }),
        Tag::JobPublish(jid) => Some(published(fields, jid).unwrap_or(Kind::Echo)),
        Tag::JobError(..) => Some(Kind::Echo),
        Tag::Key => key::key(fields, false),
        Tag::Auth => key::key(fields, true),
        Tag::Other => None,
    }
}
