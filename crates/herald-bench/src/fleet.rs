//! A fleet's highstate as it stands on the bus: a publication and a return of about 8 KB from each
//! minion. Alike minions differ as real ones do: in their id, in times and in durations.

use salt_event::Value;

/// How alike the minions' returns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Only id, times and durations differ.
    Alike,
    /// The comment and the changes of every state differ too.
    Different,
}

/// States in each return.
const STATES: usize = 20;
/// Of these, so many hold the minion's own id in their name, id and comment.
const WITH_ID: usize = 4;

/// The frames of one highstate, framed with a length as Salt 3006 does.
pub(crate) fn highstate(minions: usize, likeness: Likeness, jid: &str) -> Vec<Vec<u8>> {
    let names: Vec<String> = (0..minions).map(|n| format!("web{n:05}.example.com")).collect();
    let mut frames = vec![new_job(jid, "state.highstate", &[], &names)];
    frames.extend(names.iter().enumerate().map(|(n, name)| ret(jid, n, name, likeness)));
    frames
}

/// The publication of one shell command on one minion.
pub(crate) fn command(jid: &str, minion: &str, line: &str) -> Vec<u8> {
    command_by("root", jid, minion, line)
}

/// The publication of one shell command on minions, with commas between them.
pub(crate) fn command_by(user: &str, jid: &str, list: &str, line: &str) -> Vec<u8> {
    let minions: Vec<Value<'_>> = list.split(',').map(|id| id.to_owned().into()).collect();
    let (tgt_type, tgt) = match minions.len() {
        1 => ("glob", list.to_owned().into()),
        _ => ("list", Value::Array(minions.clone())),
    };
    let data = map([
        ("jid", jid.to_owned().into()),
        ("tgt_type", tgt_type.into()),
        ("tgt", tgt),
        ("user", user.to_owned().into()),
        ("fun", "cmd.run".into()),
        ("arg", Value::Array(vec![line.to_owned().into()])),
        ("minions", Value::Array(minions)),
        ("missing", Value::Array(vec![])),
        ("_stamp", stamp()),
    ]);
    frame(&format!("salt/job/{jid}/new"), &data)
}

/// The publication of a function on all minions.
pub(crate) fn new_job(jid: &str, fun: &'static str, args: &[String], names: &[String]) -> Vec<u8> {
    let args = args.iter().map(|arg| arg.clone().into()).collect();
    let names = names.iter().map(|name| name.clone().into()).collect();
    let data = map([
        ("jid", jid.to_owned().into()),
        ("tgt_type", "glob".into()),
        ("tgt", "*".into()),
        ("user", "sudo_alice".into()),
        ("fun", fun.into()),
        ("arg", Value::Array(args)),
        ("minions", Value::Array(names)),
        ("missing", Value::Array(vec![])),
        ("_stamp", stamp()),
    ]);
    frame(&format!("salt/job/{jid}/new"), &data)
}

fn ret(jid: &str, number: usize, name: &str, likeness: Likeness) -> Vec<u8> {
    let data = map([
        ("cmd", "_return".into()),
        ("id", name.to_owned().into()),
        ("success", Value::Bool(true)),
        ("return", Value::Map(states(number, name, likeness, false))),
        ("retcode", Value::Int(0)),
        ("jid", jid.to_owned().into()),
        ("fun", "state.highstate".into()),
        ("fun_args", Value::Array(vec![])),
        ("user", "sudo_alice".into()),
        ("out", "highstate".into()),
        ("_stamp", stamp()),
        ("ts", Value::Int(1_795_369_882)),
    ]);
    frame(&format!("salt/job/{jid}/ret/{name}"), &data)
}

/// What a minion's highstate returns, with the last state failed or not.
pub(crate) fn states(
    number: usize,
    name: &str,
    likeness: Likeness,
    fails: bool,
) -> Vec<(Value<'static>, Value<'static>)> {
    let state = |place| state(place, number, name, likeness, fails && place + 1 == STATES);
    (0..STATES).map(state).collect()
}

fn state(
    place: usize,
    number: usize,
    name: &str,
    likeness: Likeness,
    fails: bool,
) -> (Value<'static>, Value<'static>) {
    // As in real fleets, the minion's own id stands in some of the states only.
    let own = if place < WITH_ID { name } else { "app.example.com" };
    let file = format!("/srv/app/{own}/conf.d/part{place}.conf");
    let token = match likeness {
        Likeness::Alike => "0".repeat(8),
        Likeness::Different => format!("{:08x}", number * STATES + place),
    };
    let changes = if place.is_multiple_of(5) {
        let diff = format!("--- \n+++ \n@@ -1,3 +1,3 @@\n workers 4\n-build 1\n+build {token}\n");
        map([("diff", diff.into())])
    } else {
        Value::Map(vec![])
    };
    let comment = format!("File {file} is in the correct state, revision {token}");
    let jitter = (number * 31 + place * 17) % 997;
    let body = map([
        ("name", file.clone().into()),
        ("changes", changes),
        ("result", Value::Bool(!fails)),
        ("comment", comment.into()),
        ("__sls__", format!("app.part{place}").into()),
        ("__run_num__", Value::Int(place as i64)),
        ("start_time", format!("17:51:22.{:06}", jitter * 1001).into()),
        ("duration", Value::Float(3.0 + jitter as f64 / 100.0)),
        ("__id__", file.clone().into()),
    ]);
    (format!("file_|-{file}_|-{file}_|-managed").into(), body)
}

/// A map with these keys.
pub(crate) fn map<const N: usize>(pairs: [(&'static str, Value<'static>); N]) -> Value<'static> {
    Value::Map(pairs.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// The time, as Salt writes it.
pub(crate) fn stamp() -> Value<'static> {
    let now = jiff::Timestamp::now().to_string();
    now.trim_end_matches('Z').to_owned().into()
}

/// An event, framed with a length as Salt 3006 does.
pub(crate) fn frame(tag: &str, data: &Value<'_>) -> Vec<u8> {
    let mut body = format!("{tag}\n\n").into_bytes();
    data.write(&mut body);
    let envelope = Value::Map(vec![
        ("head".into(), Value::Map(vec![])),
        ("body".into(), Value::Bytes(body.into())),
    ]);
    let bytes = envelope.to_bytes();
    let mut framed = (bytes.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(&bytes);
    framed
}

/// A jid that no other has.
pub(crate) fn jid(number: usize) -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    format!("{}{:06}", now.strftime("%Y%m%d%H%M%S"), number % 1_000_000)
}
