//! Command lines as they are shown.

use super::*;
use crate::redact::{Redactor, Secrets};

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
    shown(&CommandParts {
        program,
        tgt: Some(tgt),
        tgt_type,
        funs: &funs,
        arg,
        batch: None,
        whole: true,
    })
}

/// The line, with a mark where it is not exact.
fn shown(parts: &CommandParts<'_>) -> String {
    let CommandLine { text, exact } = command_line(parts);
    if exact { text } else { format!("{text}   # inexact") }
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
    insta::assert_snapshot!(lines.join("\n"), @r#"
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
    salt -L a test.ping   # inexact
    "#);
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
        line(
            Program::SaltRun,
            "",
            &tgt,
            &["jobs.lookup_jid"],
            &list([text("20261122170000123456")]),
        ),
        // Runners look for keyword arguments in texts; a text like this came another way.
        line(Program::SaltRun, "", &tgt, &["test.arg"], &list([text("a=b"), text("1")])),
        line(Program::Wheel, "", &tgt, &["wheel.key.accept"], &list([text("web1")])),
        line(Program::Schedule, "", &tgt, &["state.apply"], &list([text("1"), Value::Map(vec![])])),
        line(Program::Salt, "glob", &tgt, &["test.ping"], &Value::Nil),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt '*' state.highstate
    salt-call state.apply deploy.web test=True
    salt-ssh '*' state.apply deploy.web test=True
    salt-run state.orchestrate mods=deploy
    salt-run jobs.lookup_jid 20261122170000123456
    salt-run test.arg '"a=b"' '"1"'   # inexact
    wheel key.accept web1   # inexact
    salt-call state.apply '"1"'
    salt '*' test.ping   # inexact
    "#);
}

#[test]
fn words_of_salt_call_are_shown_as_they_were_typed() {
    let typed = ["1", "\"1\"", "test=True", "pillar={\"a\": [1, 2]}", "a b", "-x", "a\nb\n", "#"];
    let typed = Value::Array(typed.iter().map(|word| text(word)).collect());
    let tgt = text("*");
    let lines = [
        line(Program::SaltCall, "glob", &tgt, &["test.arg"], &typed),
        line(Program::SaltSsh, "glob", &tgt, &["test.arg"], &typed),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    (w1="$(printf 'a\nb\n.')"; salt-call test.arg 1 '"1"' test=True 'pillar={"a": [1, 2]}' 'a b' -- -x "${w1%.}" '#')
    (w1="$(printf 'a\nb\n.')"; salt-ssh '*' test.arg 1 '"1"' test=True 'pillar={"a": [1, 2]}' 'a b' -- -x "${w1%.}" '#')
    "#);
}

#[test]
fn batches_say_what_the_bus_tells() {
    let batch = |size, failhard, wait| {
        shown(&CommandParts {
            program: Program::Salt,
            tgt: Some(&text("web  and N@b")),
            tgt_type: "compound",
            funs: &["state.apply".into()],
            arg: &list([]),
            batch: Some(Batched { size, failhard, wait }),
            whole: true,
        })
    };
    let lines = [
        batch(Some(2), false, None),
        batch(Some(1), true, Some(0.5)),
        batch(Some(1), false, Some(30.0)),
        batch(None, false, Some(0.0)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt -b 2 -C 'web  and N@b' state.apply
    salt -b 1 --batch-wait 0.5 --failhard -C 'web  and N@b' state.apply
    salt -b 1 --batch-wait 30 -C 'web  and N@b' state.apply
    salt -C 'web  and N@b' state.apply   # inexact
    "#);
}

#[test]
fn targets_that_are_hard_to_say() {
    let none = list([]);
    let tgts = [
        ("glob", text("-web1")),
        ("glob", text("")),
        ("glob", text("web1\nweb2")),
        ("glob", text("web1\n")),
        ("glob", text("a\u{202e}b")),
        ("glob", text("a\0b")),
        ("glob", list([text("a")])),
        ("list", list([])),
        ("list", list([text("a b")])),
        ("list", list([text("a,b")])),
        ("list", list([text("a\tb"), text("c")])),
        ("list", list([text("a b"), text("c")])),
        ("list", list([text("a"), Value::Int(1)])),
        ("list", text("a,b")),
        ("compound", text("web1  or web2")),
        ("compound", text("web1 or N@db")),
        ("pillar_exact", text("role:db")),
        ("glob", Value::Nil),
    ];
    let lines: Vec<String> = tgts
        .iter()
        .map(|(kind, tgt)| line(Program::Salt, kind, tgt, &["test.ping"], &none))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt -- -web1 test.ping
    salt '' test.ping
    salt "$(printf 'web1\nweb2')" test.ping
    (w1="$(printf 'web1\n.')"; salt "${w1%.}" test.ping)
    salt "$(printf 'a\342\200\256b')" test.ping
    salt 'a␀b' test.ping   # inexact
    salt a test.ping   # inexact
    salt -L '' test.ping
    salt -L 'a b' test.ping   # inexact
    salt -L a,b test.ping   # inexact
    salt -L "$(printf 'a\tb,c')" test.ping
    salt -L 'a b,c' test.ping   # inexact
    salt -L 'a,?' test.ping   # inexact
    salt -L a,b test.ping   # inexact
    salt -C 'web1  or web2' test.ping   # inexact
    salt -C 'web1 or N@db' test.ping   # inexact
    salt role:db test.ping   # inexact
    salt null test.ping   # inexact
    "#);
}

#[test]
fn keywords_that_are_no_last_words() {
    let bad = |key, value| keywords([(key, value)]);
    let marked = |value| Value::Map(vec![(text("__kwarg__"), value), (text("a"), Value::Int(1))]);
    let args = [
        list([keywords([("a", Value::Int(1))]), text("b")]),
        list([bad("two words", Value::Nil)]),
        list([bad("ä", Value::Nil)]),
        list([bad("1a", Value::Nil)]),
        list([Value::Map(vec![
            (text("__kwarg__"), Value::Bool(true)),
            (Value::Int(1), Value::Int(2)),
        ])]),
        list([keywords([])]),
        list([marked(Value::Bool(false))]),
        list([marked(Value::Int(1))]),
        list([keywords([("a", Value::Int(1)), ("a", Value::Int(2))])]),
        text("no list"),
    ];
    let lines: Vec<String> = args.iter().map(|arg| salt("f", arg)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt '*' f '{"__kwarg__": true, "a": 1}' b
    salt '*' f '{"__kwarg__": true, "two words": null}'
    salt '*' f '{"__kwarg__": true, "ä": null}'
    salt '*' f '{"__kwarg__": true, "1a": null}'
    salt '*' f '{"__kwarg__": true, 1: 2}'
    salt '*' f '{"__kwarg__": true}'
    salt '*' f '{"__kwarg__": false, "a": 1}'
    salt '*' f '{"__kwarg__": 1, "a": 1}'
    salt '*' f a=1 a=2   # inexact
    salt '*' f 'no list'   # inexact
    "#);
}

#[test]
fn several_functions() {
    let arg = list([list([]), list([text("echo hi")]), list([keywords([("a", Value::Int(1))])])]);
    let funs = ["test.ping", "cmd.run", "test.kwarg"];
    let tgt = text("*");
    let lines = [
        line(Program::Salt, "glob", &tgt, &funs, &arg),
        line(Program::Salt, "glob", &tgt, &funs[..2], &list([list([]), list([])])),
        line(
            Program::Salt,
            "glob",
            &tgt,
            &funs[..2],
            &list([list([text(",")]), list([text("::")])]),
        ),
        line(Program::Salt, "glob", &tgt, &funs[..2], &list([list([])])),
        line(Program::Salt, "glob", &tgt, &["a,b"], &list([])),
        line(Program::Salt, "glob", &tgt, &[], &list([])),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt '*' test.ping,cmd.run,test.kwarg , 'echo hi' , a=1
    salt '*' test.ping,cmd.run ,
    salt --args-separator=::: '*' test.ping,cmd.run , ::: ::
    salt '*' test.ping,cmd.run   # inexact
    salt '*' a,b   # inexact
    salt '*' ''   # inexact
    "#);
}

#[test]
fn texts_read_back_as_texts() {
    let words = concat!(
        "1|0x1f|1.5|10.0.0.1|1_000|12:30|yes|True|None|null|~|| x|{a: b}|[x]|a: b|- a|\"x\"|",
        "a=b|a==b|ä=b|-x|# x|1 # x|a: b # c|it's|a\nb|a\u{1b}b|2026-11-22|1.2.3|1e5|*|&a b|%x|[hidden]|",
        "20261122170000123456|01234567890123456789|--- a|>|a\0b|\u{feff}|$HOME `id`|=ls|,",
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
    -- '- a'
    '"\"x\""'
    '"a=b"'
    a==b
    '"ä=b"'
    -- -x
    '# x'
    '"1 \x23 x"'
    '"a: b \x23 c"'
    'it'"'"'s'
    '"a\nb"'
    '"a\x1bb"'
    2026-11-22
    1.2.3
    1e5
    '*'
    '"&a b"'
    %x
    '"[hidden]"'
    20261122170000123456
    01234567890123456789
    '"--- a"'
    '">"'
    '"a\x00b"'
    '"\ufeff"'
    '$HOME `id`'
    '=ls'
    ,
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
        Value::Float(-0.0),
        Value::Float(f64::NAN),
        Value::Float(5e-324),
        Value::Int(-1_234_567_890_123_456_789),
        Value::Bytes(b"\xff"[..].into()),
        Value::Ext(78, b"20261122"[..].into()),
        Value::Map(vec![(Value::Int(1), Value::Nil), (Value::Bool(true), Value::Nil)]),
        Value::Map(vec![(list([]), Value::Nil)]),
        text("VALUE_TRIMMED"),
        list([text("a"), Value::Int(1), Value::Nil]),
        Value::Map(vec![(text("k"), text("a\nb")), (Value::Int(1), list([]))]),
        keywords([
            ("pillar", Value::Map(vec![(text("db_password"), text("[hidden]"))])),
            ("n", text("1")),
            ("s", text("two words")),
            ("m", text("a\nb")),
            ("e", text("")),
            ("q", text("=x")),
            ("k", text("a=b")),
            ("i", Value::Int(-1_234_567_890_123_456_789)),
        ]),
    ];
    let lines: Vec<String> = values.map(|value| salt("f", &list([value]))).into();
    insta::assert_snapshot!(lines.join("\n").replace("salt '*' f ", ""), @r#"
    None
    False
    -- -7
    18446744073709551615   # inexact
    1.5
    1.0e+20
    -- -.inf
    -- -0.0
    .nan
    5.0e-324
    -- -1234567890123456789   # inexact
    '"�"'   # inexact
    '"20261122"'   # inexact
    '{1: null, true: null}'   # inexact
    '{[]: null}'   # inexact
    '"VALUE_TRIMMED"'   # inexact
    '["a", 1, null]'
    '{"k": "a\nb", 1: []}'
    'pillar={"db_password": "[hidden]"}' 'n="1"' 's=two words' 'm="a\nb"' e= 'q="=x"' k=a=b i=-1234567890123456789
    "#);
}

#[test]
fn long_lines_are_cut_and_stay_one_line() {
    let long = Value::from("x\n".repeat(100_000));
    let many = Value::Array(vec![Value::Map(vec![(long.clone(), long.clone())]); 100]);
    for arg in [list([long.clone().into_owned()]), many, Value::Array(vec![long; 50])] {
        let line = salt("cmd.run", &arg);
        let line = line.strip_suffix("   # inexact").unwrap();
        assert_eq!(line.chars().count(), MAX_COMMAND_LINE);
        assert!(line.ends_with('…') && !line.contains('\n'));
    }
}

/// What is said of something of which a part is hidden by these rules.
fn hiding(fun: &str, arg: &Value<'static>) -> String {
    let redactor = Redactor::new(Marks::new(&[7; 32]));
    let mut hidden = arg.clone();
    redactor.redact_arguments(fun, &mut hidden, &mut Secrets::default());
    let (tgt, funs) = (text("*"), [fun.to_owned()]);
    let parts = |arg| CommandParts {
        program: Program::Salt,
        tgt: Some(&tgt),
        tgt_type: "glob",
        funs: &funs,
        arg,
        batch: None,
        whole: true,
    };
    let line = command_line_hiding(&parts(&hidden), &parts(arg), redactor.marks());
    format!("{}{}", line.text, if line.exact { "" } else { "   # inexact" })
}

#[test]
fn what_is_hidden_can_be_put_back_where_the_line_is_exact() {
    let create = |password| list([text("bob"), text("localhost"), text(password)]);
    let lines = [
        hiding("mysql.user_create", &create("hunter2x")),
        hiding("mysql.user_create", &create("a#b\"c\\d")),
        // Quotes of YAML's around it keep it a text.
        hiding("mysql.user_create", &create("12345")),
        hiding("mysql.user_create", &create("it's: a $HOME")),
        // Nothing can be set that becomes this.
        hiding("mysql.user_create", &create("\"x\" # y")),
        hiding("cmd.run", &list([text("mysql -phunter2x -e 'select 1'")])),
        hiding("cmd.run", &list([text("mysql -p'a b' && mysql -p'a b' && mysql -phunter2x")])),
        // The shell on the minion takes the backslash away: what is to be set is not the secret.
        hiding("cmd.run", &list([text("mysql -pa\\ b")])),
        hiding(
            "state.apply",
            &list([keywords([("pillar", Value::Map(vec![(text("token"), text("x-1"))]))])]),
        ),
        hiding(
            "state.apply",
            &list([keywords([("pillar", Value::Map(vec![(text("token"), text("x\"1"))]))])]),
        ),
        hiding(
            "state.apply",
            &list([keywords([("pillar", Value::Map(vec![(text("token"), Value::Int(123_456))]))])]),
        ),
        hiding("state.apply", &list([keywords([("password", text("yes or no"))])])),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    salt '*' mysql.user_create bob localhost -- "${hidden_1500:?hidden by salt-herald}"
    salt '*' mysql.user_create bob localhost -- "${hidden_96f2:?hidden by salt-herald}"
    salt '*' mysql.user_create bob localhost '"'"${hidden_8acb:?hidden by salt-herald}"'"'
    salt '*' mysql.user_create bob localhost -- "${hidden_d156:?hidden by salt-herald}"
    salt '*' mysql.user_create bob localhost -- "${hidden_c55b:?hidden by salt-herald}"   # inexact
    salt '*' cmd.run 'mysql -p'"${hidden_1500:?hidden by salt-herald}"' -e '"'"'select 1'"'"''
    salt '*' cmd.run 'mysql -p'"'""${hidden_43ec:?hidden by salt-herald}""'"' && mysql -p'"'""${hidden_43ec:?hidden by salt-herald}""'"' && mysql -p'"${hidden_1500:?hidden by salt-herald}"
    salt '*' cmd.run 'mysql -p'"${hidden_43ec:?hidden by salt-herald}"   # inexact
    salt '*' state.apply 'pillar={"token": "'"${hidden_bbf7:?hidden by salt-herald}"'"}'
    salt '*' state.apply 'pillar={"token": "'"${hidden_a4e6:?hidden by salt-herald}"'"}'   # inexact
    salt '*' state.apply 'pillar={"token": "'"${hidden_8172:?hidden by salt-herald}"'"}'   # inexact
    salt '*' state.apply 'password='"${hidden_6fa9:?hidden by salt-herald}"
    "#);
}
