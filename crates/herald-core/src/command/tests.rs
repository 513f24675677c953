//! Command lines as they are shown.

use super::*;

fn text(text: &str) -> Value<'_> {
    Value::from(text)
}

fn list<const N: usize>(items: [Value<'static>; N]) -> Value<'static> {
    Value::Array(items.into())
}

fn keywords<const N: usize>(pairs: [(&'static str, Value<'static>); N]) -> Value<'static> {
    let mark = (text("__kwarg__"), Value::Bool(true));
    let pairs = pairs.into_iter().map(|(key, value)| (text(key), value));
    Value::Map(std::iter::once(mark).chain(pairs).collect())
}

fn line(
    program: Program,
    tgt_type: &str,
    tgt: &Value<'_>,
    funs: &[&str],
    arg: &Value<'_>,
) -> String {
    let funs: Vec<String> = funs.iter().map(ToString::to_string).collect();
    command_line(&CommandParts { program, tgt: Some(tgt), tgt_type, funs: &funs, arg, batch: None })
}

fn salt(fun: &str, arg: &Value<'_>) -> String {
    line(Program::Salt, "glob", &text("*"), &[fun], arg)
}

#[test]
fn targets_of_every_kind() {
    let none = list([]);
    let kinds = [
        ("glob", text("web*")),
        ("pcre", text("web[0-9]+")),
        ("list", list([text("a"), text("b")])),
        ("grain", text("roles:nginx")),
        ("grain_pcre", text("os:(A|B)")),
        ("nodegroup", text("web")),
        ("range", text("%web")),
        ("compound", text("G@os:Debian and web*")),
        ("pillar", text("role:db")),
        ("pillar_pcre", text("role:d.*")),
        ("ipcidr", text("10.0.0.0/8")),
        ("no such kind", list([text("a")])),
    ];
    let lines: Vec<String> = kinds
        .iter()
        .map(|(kind, tgt)| line(Program::Salt, kind, tgt, &["test.ping"], &none))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    salt 'web*' test.ping
    salt -E 'web[0-9]+' test.ping
    salt -L a,b test.ping
    salt -G roles:nginx test.ping
    salt -P 'os:(A|B)' test.ping
    salt -N web test.ping
    salt -R %web test.ping
    salt -C 'G@os:Debian and web*' test.ping
    salt -I role:db test.ping
    salt -J 'role:d.*' test.ping
    salt -S 10.0.0.0/8 test.ping
    salt -L a test.ping
    ");
}

#[test]
fn programs() {
    let arg = list([text("deploy.web"), keywords([("test", Value::Bool(true))])]);
    let bare = Value::Map(vec![
        (text("mods"), text("deploy")),
        (text("orchestration_jid"), text("20261122170000123456")),
    ]);
    let tgt = text("*");
    let lines = [
        salt("state.highstate", &list([])),
        line(Program::SaltCall, "glob", &tgt, &["state.apply"], &arg),
        line(Program::SaltSsh, "glob", &tgt, &["state.apply"], &arg),
        line(Program::SaltRun, "", &tgt, &["runner.state.orchestrate"], &list([bare])),
        line(Program::Wheel, "", &tgt, &["wheel.key.accept"], &list([text("web1")])),
        line(Program::Salt, "glob", &tgt, &["test.ping"], &Value::Nil),
        command_line(&CommandParts {
            program: Program::Salt,
            tgt: Some(&tgt),
            tgt_type: "glob",
            funs: &["state.apply".into()],
            arg: &Value::Nil,
            batch: Some(2),
        }),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    salt '*' state.highstate
    salt-call state.apply deploy.web test=True
    salt-ssh '*' state.apply deploy.web test=True
    salt-run state.orchestrate mods=deploy
    wheel key.accept web1
    salt '*' test.ping
    salt -b 2 '*' state.apply
    ");
}

#[test]
fn several_functions() {
    let arg = list([list([]), list([text("echo hi")]), list([keywords([("a", Value::Int(1))])])]);
    let funs = ["test.ping", "cmd.run", "test.kwarg"];
    let tgt = text("*");
    let lines = [
        line(Program::Salt, "glob", &tgt, &funs, &arg),
        line(Program::Salt, "glob", &tgt, &funs[..2], &list([list([]), list([])])),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    salt '*' test.ping,cmd.run,test.kwarg , 'echo hi' , a=1
    salt '*' test.ping,cmd.run
    ");
}

#[test]
fn texts_read_back_as_texts() {
    let words = concat!(
        "1|0x1f|1.5|10.0.0.1|1_000|12:30|yes|True|None|null|~|| x|{a: b}|[x]|a: b|- a|\"x\"|",
        "a=b|a==b|-x|# x|it's|a\nb|2026-11-22|1.2.3|1e5|*|&a b|%x|[hidden]",
    );
    let lines: Vec<String> = words.split('|').map(|word| salt("f", &list([text(word)]))).collect();
    insta::assert_snapshot!(lines.join("\n").replace("salt '*' f ", ""), @r#"
    '"1"'
    '"0x1f"'
    '"1.5"'
    10.0.0.1
    1_000
    '"12:30"'
    '"yes"'
    '"True"'
    '"None"'
    '"null"'
    '"~"'
    ''
    '" x"'
    '"{a: b}"'
    '"[x]"'
    'a: b'
    '"- a"'
    '"\"x\""'
    '"a=b"'
    a==b
    '"-x"'
    '# x'
    'it'"'"'s'
    $'a\nb'
    2026-11-22
    1.2.3
    1e5
    '*'
    '"&a b"'
    %x
    '"[hidden]"'
    "#);
}

#[test]
fn values_that_are_no_texts() {
    let values = [
        Value::Nil,
        Value::Bool(false),
        Value::Int(-7),
        Value::UInt(u64::MAX),
        Value::Float(1.5),
        Value::Float(1e20),
        Value::Float(f64::NEG_INFINITY),
        Value::Bytes(b"\xff"[..].into()),
        list([text("a"), Value::Int(1), Value::Nil]),
        Value::Map(vec![(text("k"), text("a\nb")), (Value::Int(1), list([]))]),
        keywords([
            ("pillar", Value::Map(vec![(text("db_password"), text("[hidden]"))])),
            ("n", text("1")),
            ("s", text("two words")),
            ("m", text("a\nb")),
        ]),
    ];
    let lines: Vec<String> = values.map(|value| salt("f", &list([value]))).into();
    insta::assert_snapshot!(lines.join("\n").replace("salt '*' f ", ""), @r#"
    None
    False
    -7
    18446744073709551615
    1.5
    1.0e+20
    -.inf
    '"�"'
    '["a", 1, null]'
    '{"k": "a\nb", 1: []}'
    'pillar={"db_password": "[hidden]"}' 'n="1"' 's=two words' 'm="a\nb"'
    "#);
}

#[test]
fn long_lines_are_cut_and_stay_one_line() {
    let long = Value::from("x\n".repeat(100_000));
    let many = Value::Array(vec![Value::Map(vec![(long.clone(), long.clone())]); 100]);
    for arg in [list([long.clone().into_owned()]), many, Value::Array(vec![long; 50])] {
        let line = salt("cmd.run", &arg);
        assert_eq!(line.chars().count(), MAX_COMMAND_LINE);
        assert!(line.ends_with('…') && !line.contains('\n'));
    }
}
