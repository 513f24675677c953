//! Arguments and returns as trees.

use super::*;

fn text(text: &str) -> Value<'_> {
    Value::from(text)
}

fn map<'a, const N: usize>(pairs: [(&'a str, Value<'a>); N]) -> Value<'a> {
    Value::Map(pairs.into_iter().map(|(key, value)| (text(key), value)).collect())
}

const MARK: &str = "[hidden]";

/// A tree with every mark as `[hidden]`.
fn blinded(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Text(text) => Value::from(blind(&text)),
        Value::Bytes(bytes) => {
            let parts: Vec<_> = bytes.utf8_chunks().collect();
            let blinded = parts.iter().flat_map(|part| {
                [blind(part.valid()).into_bytes(), part.invalid().to_vec()].concat()
            });
            Value::Bytes(blinded.collect::<Vec<u8>>().into())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(blinded).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(key, item)| (blinded(key), blinded(item))).collect())
        }
        other => other.into_owned(),
    }
}

fn clean(value: Value<'_>) -> (Value<'static>, Secrets) {
    let mut value = value;
    let mut secrets = Secrets::default();
    redactor().redact_value(&mut value, &mut secrets);
    (blinded(value), secrets)
}

#[test]
fn keyword_arguments_are_hidden() {
    let args = Value::Array(vec![
        text("nginx"),
        map([
            ("__kwarg__", Value::Bool(true)),
            ("test", Value::Bool(true)),
            ("pillar", map([("db_password", text("hunter2x")), ("version", text("1.2"))])),
        ]),
    ]);
    let (args, secrets) = clean(args);
    let shown = format!("{args:?}");
    assert!(!shown.contains("hunter2x"), "{shown}");
    assert!(shown.contains("1.2") && shown.contains("nginx") && shown.contains("db_password"));
    let mut other =
        Value::Array(vec![text("wrote hunter2x to x"), Value::Bytes(b"\xffhunter2x"[..].into())]);
    secrets.hide_value(&mut other);
    assert_eq!(
        blinded(other),
        Value::Array(vec![text("wrote [hidden] to x"), Value::Bytes(b"\xff[hidden]"[..].into())])
    );
}

#[test]
fn everything_under_a_secret_name_is_hidden() {
    let (value, secrets) = clean(map([(
        "passwords",
        map([
            ("alice", text("hunter2x")),
            ("bob", Value::Array(vec![Value::Int(123_456_789), Value::Bool(true), Value::Nil])),
        ]),
    )]));
    assert_eq!(
        value,
        map([(
            "passwords",
            map([
                ("alice", text(MARK)),
                ("bob", Value::Array(vec![text(MARK), Value::Bool(true), Value::Nil])),
            ]),
        )])
    );
    let mut number = Value::Array(vec![Value::Int(123_456_789), Value::Int(12)]);
    secrets.hide_value(&mut number);
    assert_eq!(blinded(number), Value::Array(vec![text(MARK), Value::Int(12)]));
}

#[test]
fn names_of_states_hide_nothing() {
    let value = map([
        (
            "file_|-passwords_|-/etc/passwords_|-managed",
            map([("comment", text("is in the correct state")), ("__sls__", text("passwords"))]),
        ),
        ("passwords", map([("__sls__", text("passwords")), ("file", text("managed"))])),
        ("passwd", text("x")),
        ("password", Value::Nil),
        ("token", text("")),
        ("secret", Value::Bool(true)),
    ]);
    assert_eq!(clean(value.clone()).0, value);
}

#[test]
fn words_of_a_command_are_read_in_order() {
    let words = ["deploy", "--password", "hunter2x", "--token", "--verbose", "web"];
    let (value, _) = clean(Value::Array(words.iter().map(|word| text(word)).collect()));
    let expected = ["deploy", "--password", MARK, "--token", "--verbose", "web"];
    assert_eq!(value, Value::Array(expected.iter().map(|word| text(word)).collect()));
    let (value, _) =
        clean(Value::Array(vec![text("password=a b c"), text("PASSWORD=x1 psql -h db")]));
    assert_eq!(
        value,
        Value::Array(vec![text("password=[hidden]"), text("PASSWORD=[hidden] psql -h db")])
    );
}

#[test]
fn environments_of_containers_are_read() {
    let (value, _) = clean(map([("name", text("DB_PASSWORD")), ("value", text("hunter2x"))]));
    assert_eq!(value, map([("name", text("DB_PASSWORD")), ("value", text(MARK))]));
}

#[test]
fn keys_are_texts_too() {
    let key = "cmd_|-mysql -phunter2x_|-mysql -phunter2x_|-run";
    let (value, _) = clean(map([(key, Value::Bool(true))]));
    let hidden = "cmd_|-mysql -p[hidden]_|-mysql -p[hidden]_|-run";
    assert_eq!(value, map([(hidden, Value::Bool(true))]));
}

#[test]
fn arguments_are_secret_by_their_place() {
    let redactor = redactor();
    let mut secrets = Secrets::default();
    let mut arg = Value::Array(vec![text("bob"), text("localhost"), text("hunter2x")]);
    redactor.redact_arguments("mysql.user_create", &mut arg, &mut secrets);
    assert_eq!(
        blinded(arg.clone()),
        Value::Array(vec![text("bob"), text("localhost"), text(MARK)])
    );
    let mut arg = Value::Array(vec![text("DB_PASSWORD"), text("hunter3x")]);
    redactor.redact_arguments("environ.setval", &mut arg, &mut secrets);
    assert_eq!(blinded(arg.clone()), Value::Array(vec![text("DB_PASSWORD"), text(MARK)]));
    let mut arg = Value::Array(vec![text("LANG"), text("C.UTF-8")]);
    redactor.redact_arguments("environ.setval", &mut arg, &mut secrets);
    assert_eq!(blinded(arg.clone()), Value::Array(vec![text("LANG"), text("C.UTF-8")]));
    assert_eq!(blind(&secrets.hide("hunter2x hunter3x")), "[hidden] [hidden]");
}

#[test]
fn lookups_of_secrets_return_secrets() {
    let arg = |name| Value::Array(vec![text(name)]);
    assert!(RULES.returns_secret("pillar.get", &arg("db:password")));
    assert!(!RULES.returns_secret("pillar.get", &arg("db:host")));
    assert!(!RULES.returns_secret("test.echo", &arg("password")));
    assert!(RULES.returns_secret("vault.read_secret", &arg("secret/app")));
}

#[test]
fn returns_repeat_what_was_given() {
    let redactor = redactor();
    let mut secrets = Secrets::default();
    let mut arg = Value::Array(vec![map([("token", text("zvg-3344-x"))])]);
    redactor.redact_arguments("state.apply", &mut arg, &mut secrets);
    let mut value = map([
        ("comment", text("called with zvg-3344-x")),
        ("changes", map([("stdout", text("token=other-one-1 and zvg-3344-x"))])),
    ]);
    redactor.clean_return(&mut value, &secrets);
    let shown = format!("{value:?}");
    assert!(!shown.contains("zvg") && !shown.contains("other-one"), "{shown}");
}

#[test]
fn versions_of_packages_stay() {
    let value = map([
        ("passwd", text("1:4.13+dfsg1-1+b1")),
        ("base-passwd", text("3.6.1")),
        ("libsecret-1-0", map([("old", text("")), ("new", text("0.20.5-3"))])),
        ("python3-secretstorage", Value::Array(vec![text("3.3.3-1")])),
        ("auth_tries", Value::Int(7)),
    ]);
    assert_eq!(clean(value.clone()).0, value);
    let secrets = map([("passwd", text("1.2.3")), ("db_password", text("1.2-3"))]);
    let hidden = map([("passwd", text(MARK)), ("db_password", text(MARK))]);
    assert_eq!(clean(secrets).0, hidden);
}

#[test]
fn one_secret_has_one_mark_wherever_it_stands() {
    let secret = "hunter 2/x@";
    let mut secrets = Secrets::default();
    let base64 = "Ym9iOmh1bnRlciAyL3hA"; // of "bob:hunter 2/x@"
    for said in [
        text("mysql --password='hunter 2/x@' db"),
        text("mysql --password=\"hunter 2/x@\" db"),
        text(r"mysql --password hunter\ 2/x@ db"),
        text("{\"password\": \"hunter 2\\/x@\"}"),
        text("postgres://bob:hunter%202%2Fx%40@db/app"),
        text("curl -u 'bob:hunter 2/x@' https://example.com"),
        text("Authorization: Basic Ym9iOmh1bnRlciAyL3hA"),
        map([("password", text(secret))]),
        map([("Authorization", text("Basic Ym9iOmh1bnRlciAyL3hA"))]),
    ] {
        for fresh in [true, false] {
            let mut value = said.clone();
            let mut own = if fresh { Secrets::default() } else { secrets.clone() };
            RULES.redact_value(&mut value, &mut own);
            let shown = format!("{value:?}");
            assert!(shown.contains(&mark(secret)), "{shown}, {said:?}");
            secrets.extend(&own);
        }
    }
    // Known as a whole as well: it was a header's.
    assert_eq!(secrets.hide(base64), mark(secret));
    assert_eq!(secrets.hide("YTpodW50ZXIgMi94QA=="), format!("YTp{}A==", mark(secret)));
    let mut number = map([("pin_token", Value::Int(123_456)), ("x", text("of 123456"))]);
    RULES.clean_return(&mut number, &Secrets::default());
    let shown = format!("{number:?}");
    assert_eq!(shown.matches(&mark("123456")).count(), 2, "{shown}");
}

#[test]
fn a_key_has_one_mark_in_one_piece_and_line_by_line() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabcdefghijklmnop0\n-----END RSA PRIVATE KEY-----\n";
    let mut secrets = Secrets::default();
    let mark = mark("MIIEpAIBAAKCAQEA7abcdefghijklmnop0");
    assert!(RULES.redact_text(key, &mut secrets).contains(&mark));
    assert_eq!(secrets.hide("+MIIEpAIBAAKCAQEA7"), format!("+{mark}"));
    let mut value = map([("private_key", text(key))]);
    RULES.redact_value(&mut value, &mut Secrets::default());
    assert_eq!(value.get("private_key"), Some(&Value::from(mark)));
}

#[test]
fn marks_are_left_as_they_are() {
    let mut secrets = Secrets::default();
    // A secret of four letters that could stand in a mark.
    let digits = mark("hunter2x").replace("[hidden ", "").replace(']', "");
    RULES.redact_value(&mut map([("password", text(&digits))]), &mut secrets);
    for said in
        [mark("hunter2x"), "[hidden]".into(), "${hidden_3f2a:?hidden by salt-herald}".into()]
    {
        assert_eq!(secrets.hide(&said), said);
        assert_eq!(redact(&format!("password={said}")), format!("password={said}"));
        let mut value = map([("password", text(&said))]);
        RULES.redact_value(&mut value, &mut secrets);
        assert_eq!(value, map([("password", text(&said))]));
    }
}
