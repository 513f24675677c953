//! What the master's job cache keeps of a job: the one witness of a job beside the bus.
//!
//! The master writes a job's load there just after it fires the job's event, and a minion can't write
//! there by firing events. That corroborates, it does not prove: who takes the place of a syndic can
//! have a load kept. Where the cache is, and how long it is waited for, is not known here.

use salt_event::Raw;
use salt_event::Value;
use salt_event::job_cache::{Begun, Load};

use crate::digest::Digest;

/// How a look for a job's load came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    Kept(Kept),
    /// It is not, though it was waited for.
    Nothing,
    /// That can't be told: there is no cache, or not for us, or there was no time to look.
    Unknown,
}

/// A job's load, as far as it tells who began the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The minion that the load is from: the master published nothing under that jid, and kept what
    /// the minion returned.
    pub minion: Option<String>,
    /// Who published the job on a master above, if a syndic brought it.
    pub user_above: Option<String>,
    /// The minion that asked the master to publish it.
    pub asked_by: Option<String>,
    /// [`deed`] of it.
    pub deed: Option<Digest>,
}

impl Kept {
    /// What a load tells.
    pub fn of(load: &Load<'_>) -> Self {
        let (funs, arg) = load.what();
        Self {
            minion: match load.begun() {
                Begun::ByReturn => load.minion().map(str::to_owned),
                Begun::Published | Begun::OnMaster(_) | Begun::Ssh => None,
            },
            user_above: load.user_above().map(str::to_owned),
            asked_by: load.asked_by().map(str::to_owned),
            deed: deed(&funs, arg),
        }
    }
}

/// What a job does, to be compared: its functions and arguments. Nothing where the bus left something
/// out of it, or it is no tree that can be read.
pub fn deed<S: AsRef<str>>(funs: &[S], arg: Raw<'_>) -> Option<Digest> {
    let arg = Value::read(arg).ok()?;
    if is_trimmed(&arg) {
        return None;
    }
    let funs = funs.iter().map(|fun| Value::from(fun.as_ref().to_owned())).collect();
    Some(Digest::of(&Value::Array(vec![Value::Array(funs), arg]).to_bytes()))
}

/// Salt puts this in place of what is too large for an event.
fn is_trimmed(value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) => text == "VALUE_TRIMMED",
        Value::Array(items) => items.iter().any(is_trimmed),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| is_trimmed(value)),
        _ => false,
    }
}

/// How a look for what a minion returned came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundReturn {
    /// It is there: [`said`] of it, if that can be told.
    Kept(Option<Digest>),
    /// It is not, though it was waited for.
    Nothing,
    /// That can't be told.
    Unknown,
}

/// What a minion returned, to be compared. Nothing where the bus left something out of it, or it is no
/// tree that can be read.
pub fn said(ret: Raw<'_>, retcode: Raw<'_>) -> Option<Digest> {
    let ret = Value::read(ret).ok().filter(|ret| !is_trimmed(ret))?;
    let retcode = Value::read(retcode).ok()?;
    Some(Digest::of(&Value::Array(vec![ret, retcode]).to_bytes()))
}
