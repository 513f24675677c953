//! Events as a master fires them. What they say is the tests' matter.

use salt_event::Value;

/// A tag and its data.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) tag: String,
    pub(crate) data: Value<'static>,
}

/// The jid of a test's nth job.
pub(crate) fn jid(number: u32) -> String {
    format!("20261122183000{number:06}")
}

pub(crate) fn text(text: &str) -> Value<'static> {
    Value::from(text.to_owned())
}

pub(crate) fn texts<T: AsRef<str>>(items: &[T]) -> Value<'static> {
    Value::Array(items.iter().map(|item| text(item.as_ref())).collect())
}

pub(crate) fn map(pairs: Vec<(&str, Value<'static>)>) -> Value<'static> {
    Value::Map(pairs.into_iter().map(|(key, value)| (text(key), value)).collect())
}

/// `salt '*' FUN ARG…` by alice.
pub(crate) fn new_job<T: AsRef<str>>(
    jid: &str,
    fun: &str,
    arg: Vec<Value<'static>>,
    minions: &[T],
) -> Event {
    let data = map(vec![
        ("jid", text(jid)),
        ("tgt_type", text("glob")),
        ("tgt", text("*")),
        ("user", text("sudo_alice")),
        ("fun", text(fun)),
        ("arg", Value::Array(arg)),
        ("minions", texts(minions)),
        ("missing", Value::Array(Vec::new())),
    ]);
    Event { tag: format!("salt/job/{jid}/new"), data }
}

pub(crate) fn highstate<T: AsRef<str>>(jid: &str, minions: &[T]) -> Event {
    new_job(jid, "state.highstate", Vec::new(), minions)
}

/// What a minion returned, in full.
pub(crate) fn ret_of(
    jid: &str,
    minion: &str,
    fun: &str,
    fun_args: Vec<Value<'static>>,
    result: Value<'static>,
    retcode: i64,
) -> Event {
    let data = map(vec![
        ("cmd", text("_return")),
        ("id", text(minion)),
        ("success", Value::Bool(retcode == 0)),
        ("return", result),
        ("retcode", Value::Int(retcode)),
        ("jid", text(jid)),
        ("fun", text(fun)),
        ("fun_args", Value::Array(fun_args)),
        ("user", text("sudo_alice")),
        ("out", text("nested")),
    ]);
    Event { tag: format!("salt/job/{jid}/ret/{minion}"), data }
}

/// A highstate that went well, with one change or with none.
pub(crate) fn good(jid: &str, minion: &str, changed: bool) -> Event {
    let states = vec![state("motd", true, changed, "File is in the correct state")];
    ret_of(jid, minion, "state.highstate", Vec::new(), map_of(states), 0)
}

/// A highstate with one state that failed.
pub(crate) fn bad(jid: &str, minion: &str, comment: &str) -> Event {
    let states = vec![
        state("motd", true, false, "File is in the correct state"),
        state("nginx", false, false, comment),
    ];
    ret_of(jid, minion, "state.highstate", Vec::new(), map_of(states), 2)
}

/// One state of a return, with its key.
pub(crate) fn state(
    id: &str,
    result: bool,
    changed: bool,
    comment: &str,
) -> (Value<'static>, Value<'static>) {
    let changes = if changed { map(vec![("diff", text("-a\n+b"))]) } else { map(Vec::new()) };
    let data = map(vec![
        ("result", Value::Bool(result)),
        ("changes", changes),
        ("comment", text(comment)),
        ("name", text(id)),
        ("duration", Value::Float(12.5)),
        ("start_time", text("18:30:00.123456")),
        ("__run_num__", Value::Int(0)),
        ("__sls__", text("web")),
        ("__id__", text(id)),
    ]);
    (text(&format!("test_|-{id}_|-{id}_|-managed")), data)
}

pub(crate) fn map_of(pairs: Vec<(Value<'static>, Value<'static>)>) -> Value<'static> {
    Value::Map(pairs)
}

/// What a minion's schedule ran: only the return, and nobody's name.
pub(crate) fn scheduled(jid: &str, minion: &str, fun: &str, failed: bool) -> Event {
    let result = map_of(vec![state("nginx", !failed, false, "it is as it is")]);
    let data = map(vec![
        ("cmd", text("_return")),
        ("id", text(minion)),
        ("success", Value::Bool(!failed)),
        ("return", result),
        ("retcode", Value::Int(if failed { 2 } else { 0 })),
        ("jid", text(jid)),
        ("fun", text(fun)),
        ("fun_args", Value::Array(Vec::new())),
        ("schedule", text("hourly")),
    ]);
    Event { tag: format!("salt/job/{jid}/ret/{minion}"), data }
}

/// A client asks minions whether they still work on `about`.
pub(crate) fn find_job<T: AsRef<str>>(jid: &str, about: &str, minions: &[T]) -> Event {
    new_job(jid, "saltutil.find_job", vec![text(about)], minions)
}

/// A minion's answer to that.
pub(crate) fn still_works(jid: &str, about: &str, minion: &str, works: bool) -> Event {
    let result = if works {
        map(vec![("jid", text(about)), ("pid", Value::Int(4711))])
    } else {
        map(Vec::new())
    };
    ret_of(jid, minion, "saltutil.find_job", vec![text(about)], result, 0)
}

/// A runner begins.
pub(crate) fn runner(jid: &str, fun: &str) -> Event {
    runner_with(jid, fun, &[])
}

/// A runner begins, with arguments.
pub(crate) fn runner_with(jid: &str, fun: &str, args: &[Value<'static>]) -> Event {
    Event { tag: format!("salt/run/{jid}/new"), data: map(call_of(jid, fun, args)) }
}

/// A runner ends.
pub(crate) fn runner_ret(jid: &str, fun: &str) -> Event {
    runner_ret_with(jid, fun, &[])
}

/// A runner ends, that had arguments.
pub(crate) fn runner_ret_with(jid: &str, fun: &str, args: &[Value<'static>]) -> Event {
    let mut data = call_of(jid, fun, args);
    data.extend([("return", Value::Bool(true)), ("success", Value::Bool(true))]);
    Event { tag: format!("salt/run/{jid}/ret"), data: map(data) }
}

fn call_of(jid: &str, fun: &str, args: &[Value<'static>]) -> Vec<(&'static str, Value<'static>)> {
    vec![
        ("jid", text(jid)),
        ("fun", text(&format!("runner.{fun}"))),
        ("fun_args", Value::Array(args.to_vec())),
        ("user", text("sudo_alice")),
    ]
}

/// `salt -b 2 '*' FUN ARG…`, as 3008 tells of it.
pub(crate) fn batch_new<T: AsRef<str>>(
    jid: &str,
    fun: &str,
    arg: &[Value<'static>],
    minions: &[T],
) -> Event {
    let state = map(vec![
        ("all_minions", texts(minions)),
        ("arg", Value::Array(arg.to_vec())),
        ("batch_size", Value::Int(2)),
        ("failhard", Value::Bool(false)),
    ]);
    let data = map(vec![
        ("jid", text(jid)),
        ("tgt_type", text("glob")),
        ("tgt", text("*")),
        ("user", text("sudo_alice")),
        ("fun", text(fun)),
        ("state", state),
    ]);
    Event { tag: format!("salt/batch/{jid}/new"), data }
}

/// The master says that a batch is over.
pub(crate) fn batch_ends(jid: &str) -> Event {
    Event { tag: format!("salt/batch/{jid}/complete"), data: map(vec![("jid", text(jid))]) }
}
