//! What each kind of event says, from its data: nothing where it lacks what every such event has.

use std::borrow::Cow;

use super::{Batch, Call, Child, Fields, Kind, NewJob, Origin, Return};
use crate::msgpack::{Raw, Token};
use crate::tag::is_minion;

/// The master makes the tag from the data: where their jids differ, it is not the master's event.
pub(super) fn new_job<'a>(fields: &Fields<'a>, tag_jid: &str) -> Option<NewJob<'a>> {
    Some(NewJob {
        jid: fields.jid().filter(|jid| jid == tag_jid)?,
        fun: fields.fun()?,
        is_list: fields.fun_is_list(),
        arg: fields.raw("arg"),
        tgt: target(fields)?,
        tgt_type: fields.text("tgt_type").unwrap_or("glob"),
        user: fields.text("user"),
        minions: fields.raw("minions"),
        missing: fields.raw("missing"),
        metadata: fields.get("metadata"),
    })
}

/// No job is published without one.
fn target<'a>(fields: &Fields<'a>) -> Option<Raw<'a>> {
    fields.get("tgt").filter(|tgt| tgt.token() != Token::Nil)
}

pub(super) fn published<'a>(fields: &Fields<'a>, tag_jid: &str) -> Option<Kind<'a>> {
    let metadata = fields.get("metadata").filter(|metadata| metadata.token() != Token::Nil)?;
    Some(Kind::Published { jid: fields.jid().filter(|jid| jid == tag_jid)?, metadata })
}

pub(crate) fn job_return<'a>(
    fields: &Fields<'a>,
    origin: Origin,
    tag_jid: &str,
    tag_minion: &str,
) -> Option<Return<'a>> {
    let minion = match origin {
        Origin::Minion => fields.text("id").filter(|id| is_minion(id))?,
        Origin::Runner | Origin::Wheel => "",
    };
    let jid = fields.jid()?;
    Some(Return {
        origin,
        // The master makes the tag from the data: a difference is somebody's doing.
        tag_differs: tag_minion != minion || tag_jid != jid,
        jid,
        minion,
        fun: fields.fun().unwrap_or_default(),
        fun_args: fields.raw("fun_args"),
        ret: returned(fields),
        retcode: fields.raw("retcode"),
        success: fields.get("success"),
        user: fields.text("user"),
        cmd: fields.text("cmd"),
        through_syndic: fields.text("cmd").is_none() && fields.begin_with(["jid", "id"]),
        schedule: fields.text("schedule"),
        arg: fields.get("arg"),
        tgt: fields.get("tgt"),
        metadata: fields.get("metadata"),
    })
}

/// What was returned. salt-ssh before 3007 leaves it out where a shell answered instead of Salt.
pub(crate) fn returned<'a>(fields: &Fields<'a>) -> Raw<'a> {
    let good = fields.raw("retcode").integer() == Some(0);
    let answer = || fields.get(if good { "stdout" } else { "stderr" });
    fields.get("return").or_else(answer).unwrap_or(Raw::NIL)
}

pub(super) fn call<'a>(fields: &Fields<'a>, origin: Origin, tag_jid: &str) -> Option<Call<'a>> {
    Some(Call {
        origin,
        jid: fields.jid().filter(|jid| jid == tag_jid)?,
        fun: fields.fun()?.into_iter().next()?,
        fun_args: fields.raw("fun_args"),
        user: fields.text("user"),
    })
}

pub(super) fn child<'a>(fields: &Fields<'a>, jid: &str) -> Option<Child<'a>> {
    let args = fields.get("args")?;
    Some(Child {
        jid: Cow::Owned(jid.to_owned()),
        is_state: fields.text("type") == Some("state"),
        name: fields.text("name").unwrap_or_default(),
        tgt: fields.get("tgt")?,
        tgt_type: args.get("tgt_type").and_then(Raw::text).unwrap_or("glob"),
    })
}

pub(super) fn batch<'a>(fields: &Fields<'a>, jid: &str) -> Option<Batch<'a>> {
    let state = fields.raw("state");
    Some(Batch {
        jid: Cow::Owned(jid.to_owned()),
        fun: fields.fun()?,
        is_list: fields.fun_is_list(),
        arg: state.get("arg").unwrap_or(Raw::NIL),
        tgt: target(fields)?,
        tgt_type: fields.text("tgt_type").unwrap_or("glob"),
        user: fields.text("user"),
        minions: state.get("all_minions").unwrap_or(Raw::NIL),
        size: state.get("batch_size").or(fields.get("batch_size")).and_then(Raw::integer),
        failhard: state.get("failhard").and_then(Raw::boolean).unwrap_or(false),
        wait: state.get("batch_wait").and_then(Raw::number),
    })
}
