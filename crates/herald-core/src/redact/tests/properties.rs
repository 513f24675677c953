//! What holds for every text and every tree.

use proptest::prelude::*;

use super::*;

const PLANTED: &str = "Tr0ub4dor&3xyz";

/// Texts of the pieces that the rules look for.
pub(super) fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("password"),
        Just("token"),
        Just("="),
        Just(": "),
        Just(" "),
        Just("\n"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("--"),
        Just("-p"),
        Just("mysql "),
        Just("curl -u a:b "),
        Just("https://"),
        Just("a:b@c"),
        Just("-----BEGIN PRIVATE KEY-----"),
        Just("-----END"),
        Just("eyJhbGciOiJI.eyJzdWIi.x"),
        Just("[hidden]"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("|"),
        Just("  "),
        Just("x"),
        Just("hunter2"),
        Just("ä"),
        Just("$6$"),
        Just("Bearer "),
        Just("Authorization: "),
        Just("echo "),
        Just("passwd --stdin"),
        Just("$"),
        Just("auth"),
        Just("AKIAIOSFODNN7EXAMPLE"),
        Just("<<<"),
        Just("_|-"),
        Just("by "),
        Just("identified "),
        Just("passwd:"),
        Just("secret"),
        Just("key"),
        Just("api_"),
        Just("hooks.slack.com/services/"),
        Just("+"),
        Just("-"),
        Just(","),
        Just("\\n"),
        Just("is: "),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn tree() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "[a-z =:'\"-]{0,20}".prop_map(Value::from),
        pieces().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let pair = ("[a-z_]{1,8}".prop_map(Value::from), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::Array),
            proptest::collection::vec(pair, 0..5).prop_map(Value::Map),
        ]
    })
}

/// Every name that says of a key in a tree that its value is secret has to be seen at the first look.
#[test]
fn every_key_that_names_a_secret_is_seen_at_the_first_look() {
    let names =
        ["user_pin", "senha", "db_heslo", "wachtwoord", "kennwort", "contraseña", "rocommunity"];
    for name in names {
        let tree = under(name, PLANTED);
        let mut clean = tree.clone();
        RULES.clean_return(&mut clean, &Secrets::default());
        assert!(!holds(&clean, PLANTED) && RULES.may_hold_secret(&tree.to_bytes()), "{name}");
    }
    let tree = under("encrypt", "Jd8fKx0+q2LmN4vB7zQw9RtY");
    assert!(RULES.may_hold_secret(&tree.to_bytes()));
}

fn under(name: &'static str, secret: &str) -> Value<'static> {
    Value::Map(vec![(Value::from(name), Value::from(secret.to_owned()))])
}

/// Puts a value somewhere into a tree.
fn plant(tree: Value<'static>, planted: Value<'static>, path: &[usize]) -> Value<'static> {
    match (tree, path.split_first()) {
        (Value::Array(mut items), Some((step, rest))) if !items.is_empty() => {
            let place = step % items.len();
            let inner = items.remove(place);
            items.insert(place, plant(inner, planted, rest));
            Value::Array(items)
        }
        (Value::Map(mut pairs), Some((step, rest))) if !pairs.is_empty() => {
            let place = step % pairs.len();
            let (key, inner) = pairs.remove(place);
            pairs.insert(place, (key, plant(inner, planted, rest)));
            Value::Map(pairs)
        }
        (other, _) => Value::Array(vec![other, planted]),
    }
}

fn holds(value: &Value<'_>, secret: &str) -> bool {
    memchr::memmem::find(&value.to_bytes(), secret.as_bytes()).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_is_too_much(text in "\\PC{0,200}") {
        redact(&text);
    }

    #[test]
    fn what_the_first_look_passes_holds_nothing(tree in tree()) {
        let bytes = tree.to_bytes();
        let mut clean = tree.clone();
        RULES.clean_return(&mut clean, &Secrets::default());
        prop_assert!(clean == tree || RULES.may_hold_secret(&bytes), "{tree:?} became {clean:?}");
    }

    #[test]
    fn once_is_enough(text in pieces()) {
        let once = redact(&text);
        prop_assert_eq!(redact(&once), once);
    }

    #[test]
    fn planted_secrets_never_survive(
        tree in tree(),
        other in tree(),
        path in proptest::collection::vec(any::<usize>(), 0..5),
        name in prop::sample::select(vec!["password", "db_passwd", "apiKey", "tokens", "client_secret"]),
    ) {
        let redactor = &*RULES;
        let mut secrets = Secrets::default();
        let mut args = plant(tree, under(name, PLANTED), &path);
        redactor.redact_value(&mut args, &mut secrets);
        prop_assert!(!holds(&args, PLANTED));
        let mut returned = plant(other, Value::from(format!("it said {PLANTED}!")), &path);
        redactor.clean_return(&mut returned, &secrets);
        prop_assert!(!holds(&returned, PLANTED));
    }

    #[test]
    fn planted_options_never_survive(before in pieces(), secret in "[A-Za-z0-9]{4,8}[0-9][A-Z][a-z]{4}") {
        let text = format!("{before}\nrun --password {secret} web\n");
        prop_assert!(!redact(&text).contains(&secret), "{}", redact(&text));
    }
}

/// Pieces that make a careless rule read everything again at every place.
const HEAVY: &[&str] = &[
    "password",
    "mysql/curl/",
    "vault,mysql,",
    "password=",
    "password: ",
    "password=\"",
    "password='",
    "password=\\\"",
    "--password ",
    "password\n  ",
    "password:\n ",
    "mysql ",
    "mysql -p ",
    "curl -u ",
    "echo x | ",
    "a://",
    "a://b:",
    "://",
    "-----BEGIN",
    "-----BEGIN PRIVATE KEY-----[hidden]",
    "eyJ",
    "eyJ-",
    "SG.",
    "ghp_",
    "$1$",
    "$6$a$",
    "auth:",
    "auth=x ",
    "key[",
    "secret={",
    "secrets=[\"",
    "secrets={'a",
    "secrets={\\",
    "password=a'b ",
    "password=a'\\",
    "token='\\",
    "Bearer ",
    "identified by ",
    "AKIAIOSFODNN7EXAMPLE ",
    "passwd:files ",
    "<password>",
    "\\npassword",
    "hooks.slack.com/services/",
    "password is generated for ",
    "password-",
    "pass.pass_",
    "passwd <<<",
    "rabbitmqctl add_user ",
    "htpasswd -b ",
    "login password ",
    "token=a.b(",
    "auth=/",
    "passwd=file:",
    "password=[hidden]",
    "token=1.2.3-1",
    "-----BEGIN PRIVATE KEY-----__",
];

/// With a rule that is not linear, this test takes minutes.
#[test]
fn long_texts_of_anchors_take_no_longer() {
    let redactor = redactor();
    for piece in HEAVY {
        let text = piece.repeat(200_000 / piece.len());
        redactor.redact_text(&text, &mut Secrets::default());
    }
    for anchor in anchors() {
        for behind in ["", " ", "=", ": "] {
            let piece = format!("{}{behind}", anchor.text);
            redactor.redact_text(&piece.repeat(6_000 / piece.len()), &mut Secrets::default());
        }
    }
}

/// Looking for a secret elsewhere takes no longer, either, however it is made.
#[test]
fn long_secrets_that_repeat_themselves_are_looked_for_in_no_longer() {
    for piece in ["p", "Pw", "aaab", "xyz"] {
        let long = piece.repeat(100_000 / piece.len());
        let text = format!("run --password {long}1 -h db1\n{long}1 and {long}2");
        let mut value = Value::from(text);
        RULES.clean_return(&mut value, &Secrets::default());
        assert!(!holds(&value, &format!("{long}1")), "{piece}");
    }
}
