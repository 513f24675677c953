//! From the files of a master's job cache to the events that its bus would have given.
//!
//! The master keeps a load for each job (`.load.p`), the minions that it was meant for (`.minions.p`),
//! for a batch on 3008 how far that is (`.batch.p`), and what each minion returned (`return.p`). Which
//! files there are, and when they were written, is the caller's knowledge: nothing is read here.

use std::borrow::Cow;

use crate::event::{
    Batch, Behind, Call, Event, Fields, Kind, NewJob, Origin, Return, job_return, returned,
};
use crate::msgpack::{MsgpackError, Raw, Reader, Token};
use crate::value::Value;

/// Who began a job, by what the load says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// The master published it.
    Published,
    /// Nobody: only a return tells of it, which the master kept as its load. `salt-call`, schedules.
    ByReturn,
    /// A runner or a wheel function, kept when it had ended.
    OnMaster(Origin),
    /// salt-ssh.
    Ssh,
}

/// A job's load.
#[derive(Debug, Clone)]
pub struct Load<'a> {
    fields: Fields<'a>,
    jid: Cow<'a, str>,
    begun: Begun,
}

impl<'a> Load<'a> {
    /// Reads a `.load.p`. Nothing when it is no load: it names no job or no function.
    ///
    /// # Errors
    /// When it is not MessagePack, or is cut off.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, MsgpackError> {
        let raw = Reader::new(bytes).raw()?;
        let fields = Fields::read(raw.bytes())?;
        let Some(jid) = fields.jid() else { return Ok(None) };
        let Some(fun) = fields.fun() else { return Ok(None) };
        let begun = begun(&fields, raw, fun.first().map_or("", AsRef::as_ref));
        Ok(Some(Self { fields, jid, begun }))
    }

    /// The job's id.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// Who began it.
    pub fn begun(&self) -> Begun {
        self.begun
    }

    /// The minion that it is from, if it is.
    pub fn minion(&self) -> Option<&'a str> {
        self.fields.text("id")
    }

    /// Its functions and their arguments.
    pub fn what(&self) -> (Vec<Cow<'a, str>>, Raw<'a>) {
        (self.fields.fun().unwrap_or_default(), self.fields.raw("arg"))
    }

    /// Who published it on a master above: a syndic publishes again with that name among the keywords,
    /// where no other client has it (seen on 3006 to 3008) but 3008's own batches.
    pub fn user_above(&self) -> Option<&'a str> {
        self.fields.raw("kwargs").get("user").and_then(Raw::text)
    }

    /// The minion that asked the master to publish it, as `peer` in the master's config lets it
    /// (`publish.publish`): its id is all that stands among the keywords then (seen on 3006 to 3008). On the
    /// bus such a job is root's.
    pub fn asked_by(&self) -> Option<&'a str> {
        let kwargs = self.fields.raw("kwargs");
        let is_alone = kwargs.token() == Token::Map(1);
        kwargs.get("id").filter(|_| is_alone && self.begun == Begun::Published)?.text()
    }

    /// The event of the job's beginning, with its minions and those that the master did not know
    /// ([`Self::missing`]). Nothing where the bus would have said nothing before the first return.
    pub fn beginning(&self, minions: Raw<'a>, missing: Raw<'a>) -> Option<Event<'a>> {
        let (family, kind) = match self.begun {
            Begun::Published => ("job", Kind::NewJob(self.new_job(minions, missing)?)),
            Begun::OnMaster(origin) => (family(origin), Kind::Call(self.call(origin)?)),
            Begun::ByReturn | Begun::Ssh => return None,
        };
        Some(event(format!("salt/{family}/{}/new", self.jid), kind))
    }

    /// The event of a batch's beginning (3008), by its `.batch.p`. It stands for [`Self::beginning`]:
    /// the load is only that of the last slice.
    pub fn batch(&self, state: Raw<'a>) -> Option<Event<'a>> {
        let text = |key: &str| state.get(key).and_then(Raw::text);
        let minions = state.get("all_minions")?;
        minions.items().next()?;
        let batch = Batch {
            jid: self.jid.clone(),
            fun: self.fields.fun()?,
            is_list: self.fields.fun_is_list(),
            arg: state.get("arg").unwrap_or(Raw::NIL),
            tgt: state.get("tgt")?,
            tgt_type: text("tgt_type").unwrap_or("glob"),
            user: text("user"),
            minions,
            size: state.get("batch_size").and_then(Raw::integer),
            failhard: state.get("failhard").and_then(Raw::boolean).unwrap_or(false),
            wait: state.get("batch_wait").and_then(Raw::number),
        };
        Some(event(format!("salt/batch/{}/new", self.jid), Kind::BatchNew(batch)))
    }

    /// The event of a return, by its `return.p` and the minion that it was kept under.
    ///
    /// # Errors
    /// When it is not MessagePack, or is cut off.
    pub fn returned(
        &self,
        minion: &'a str,
        bytes: &'a [u8],
    ) -> Result<Option<Event<'a>>, MsgpackError> {
        let kept = Reader::new(bytes).raw()?;
        let ret = match self.begun {
            // What the bus said stands inside, with everything that it said.
            Begun::OnMaster(origin) => {
                let said = kept.get("return").unwrap_or(Raw::NIL);
                job_return(&Fields::read(said.bytes())?, origin, &self.jid, "")
            }
            Begun::Published | Begun::ByReturn | Begun::Ssh => {
                Some(self.minion_return(minion, &Fields::read(kept.bytes())?))
            }
        };
        let Some(ret) = ret.filter(|ret| ret.jid == self.jid) else { return Ok(None) };
        let tag = match ret.origin {
            Origin::Minion => format!("salt/job/{}/ret/{minion}", self.jid),
            origin => format!("salt/{}/{}/ret", family(origin), self.jid),
        };
        Ok(Some(event(tag, Kind::Return(ret))))
    }

    fn new_job(&self, minions: Raw<'a>, missing: Raw<'a>) -> Option<NewJob<'a>> {
        Some(NewJob {
            jid: self.jid.clone(),
            fun: self.fields.fun()?,
            is_list: self.fields.fun_is_list(),
            arg: self.fields.raw("arg"),
            tgt: self.fields.raw("tgt"),
            tgt_type: self.fields.text("tgt_type").unwrap_or("glob"),
            user: self.fields.text("user"),
            minions,
            missing,
            metadata: self.fields.raw("kwargs").get("metadata"),
        })
    }

    fn call(&self, origin: Origin) -> Option<Call<'a>> {
        let said = Fields::read(self.fields.raw("return").bytes()).ok()?;
        Some(Call {
            origin,
            jid: self.jid.clone(),
            fun: said.fun()?.into_iter().next()?,
            fun_args: said.raw("fun_args"),
            user: said.text("user"),
        })
    }

    /// The cache keeps only what differs between the minions: the rest is the load's.
    fn minion_return(&self, minion: &'a str, kept: &Fields<'a>) -> Return<'a> {
        let load = &self.fields;
        let by_return = self.begun == Begun::ByReturn;
        let asked = by_return.then(|| load.get("fun_args")).flatten();
        Return {
            origin: Origin::Minion,
            jid: self.jid.clone(),
            minion,
            tag_differs: false,
            fun: load.fun().unwrap_or_default(),
            fun_args: asked.unwrap_or_else(|| load.raw("arg")),
            ret: returned(kept),
            retcode: kept.raw("retcode"),
            success: kept.get("success"),
            user: load.text("user"),
            through_syndic: false,
            cmd: (self.begun != Begun::Ssh).then_some("_return"),
            schedule: load.text("schedule"),
            arg: load.get("arg").filter(|_| by_return),
            tgt: load.get("tgt").filter(|_| by_return),
            metadata: load.get("metadata"),
        }
    }

    /// Who was listed in the target, but is none of the minions: written as a list of ids, for
    /// [`Self::beginning`]. Other targets than lists name nobody who could be missing.
    pub fn missing(&self, minions: Raw<'a>) -> Vec<u8> {
        let is_list = self.fields.text("tgt_type") == Some("list");
        let tgt = self.fields.raw("tgt");
        let listed: Vec<&str> = match tgt.token() {
            _ if !is_list => Vec::new(),
            Token::Array(_) => tgt.items().filter_map(Raw::text).collect(),
            _ => tgt.text().unwrap_or_default().split(',').map(str::trim).collect(),
        };
        let known: std::collections::HashSet<&str> =
            minions.items().filter_map(Raw::text).collect();
        let missing = listed.into_iter().filter(|id| !id.is_empty() && !known.contains(id));
        Value::Array(missing.map(Value::from).collect()).to_bytes()
    }
}

/// What was returned, and the return code, by a `return.p`.
///
/// # Errors
/// When it is not MessagePack, or is cut off.
pub fn kept_return(bytes: &[u8]) -> Result<(Raw<'_>, Raw<'_>), MsgpackError> {
    let kept = Fields::read(Reader::new(bytes).raw()?.bytes())?;
    Ok((returned(&kept), kept.raw("retcode")))
}

/// The event by which the master tells of minions behind a syndic, by its `.minions.SYNDIC.p`.
pub fn behind<'a>(syndic: &'a str, jid: &'a str, minions: Raw<'a>) -> Event<'a> {
    let behind = Behind { syndic: syndic.into(), jid: jid.into(), minions, job: None };
    event(format!("syndic/{syndic}/{jid}"), Kind::Behind(behind))
}

fn event(tag: String, kind: Kind<'_>) -> Event<'_> {
    Event { tag: Cow::Owned(tag), stamp: None, kind }
}

fn family(origin: Origin) -> &'static str {
    match origin {
        Origin::Minion => "job",
        Origin::Runner => "run",
        Origin::Wheel => "wheel",
    }
}

/// What a minion returned bears `cmd: _return`, which the master demands of it: so a minion that
/// calls its function `runner.x` makes no runner of it.
fn begun(fields: &Fields<'_>, raw: Raw<'_>, fun: &str) -> Begun {
    let id = fields.text("id");
    match (fields.text("cmd"), id) {
        (Some("publish"), _) => Begun::Published,
        (None, Some(id)) if id.ends_with("_master") && fun.starts_with("runner.") => {
            Begun::OnMaster(Origin::Runner)
        }
        (None, Some(id)) if id.ends_with("_master") && fun.starts_with("wheel.") => {
            Begun::OnMaster(Origin::Wheel)
        }
        (_, Some(_)) => Begun::ByReturn,
        // salt-ssh knows no returners to be named in a publication.
        (None, None) if raw.get("ret").is_none() => Begun::Ssh,
        (_, None) => Begun::Published,
    }
}
