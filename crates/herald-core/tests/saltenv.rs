//! Which environment a command names.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use salt_event::Value;
use support::{Heard, Job, at, frame, jid, map, text};

fn call(jid: &str, fun: &str, args: Value<'static>) -> Vec<u8> {
    let data = map(vec![
        ("fun", text(fun)),
        ("jid", text(jid)),
        ("user", text("alice")),
        ("fun_args", args),
    ]);
    frame(&format!("salt/run/{jid}/new"), &data)
}

#[test]
fn the_environment_is_what_the_command_names() {
    let kwargs = |pairs: Vec<(&'static str, Value<'static>)>| {
        let kwarg = ("__kwarg__", Value::Bool(true));
        map([vec![kwarg], pairs].concat())
    };
    let prod = || kwargs(vec![("saltenv", text("prod"))]);
    let named = |arg: Vec<Value<'static>>| {
        let mut heard = Heard::default();
        let job = Job::new(&jid(1), "state.apply", Value::Array(arg), &["web1"]);
        heard.hear(at(0.0), &job.frame());
        heard.run(1).head.saltenv.clone()
    };
    assert_eq!(named(vec![text("web"), prod()]).as_deref(), Some("prod"));
    assert_eq!(named(vec![text("web"), text("saltenv=dev")]).as_deref(), Some("dev"));
    assert_eq!(named(vec![kwargs(vec![("saltenv", Value::Nil)])]), None);
    assert_eq!(named(vec![text("web"), text("prod")]), None);
    let orchestrated = |arg: Vec<Value<'static>>| {
        let mut heard = Heard::default();
        let arg = Value::Array(arg);
        heard.hear(at(0.0), &call(&jid(1), "runner.state.orchestrate", arg));
        heard.run(1).head.saltenv.clone()
    };
    assert_eq!(orchestrated(vec![text("orch"), prod()]).as_deref(), Some("prod"));
    assert_eq!(orchestrated(vec![text("orch"), text("dev")]).as_deref(), Some("dev"));
    assert_eq!(orchestrated(vec![text("orch"), text("test=True")]), None);
}
