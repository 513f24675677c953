//! Tests of the whole redaction: tables of lines, trees, and what holds for every text.

mod properties;
mod site;
mod trees;

use super::services::SHAPES;
use super::*;

static RULES: LazyLock<Redactor> = LazyLock::new(redactor);

/// The mark of a secret.
fn mark(secret: &str) -> String {
    RULES.marks().of(secret.as_bytes()).to_string()
}

/// A text with every mark as `[hidden]`.
fn blind(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((_, start, end)) = Mark::find(rest) {
        out.push_str(&rest[..start]);
        out.push_str("[hidden]");
        rest = &rest[end..];
    }
    out + rest
}

/// Marks are made by the same key in every test.
fn redactor() -> Redactor {
    Redactor::new(Marks::new(&[7; KEY_BYTES]))
}

fn redact(text: &str) -> String {
    RULES.redact_text(text, &mut Secrets::default()).into_owned()
}

/// The lines of a table; a written `\n` stays two characters.
fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with("# ") && !line.is_empty())
}

#[test]
fn secrets_vanish() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for marked in lines(include_str!("secret_lines.txt")) {
        count += 1;
        let line: String = marked.chars().filter(|c| !matches!(c, '⟦' | '⟧')).collect();
        let expected = expected(marked);
        let got = blind(&redact(&line));
        assert!(RULES.may_hold_secret(line.as_bytes()), "passed at the first look: {line}");
        if got != expected {
            wrong.push(format!("{line}\n  got      {got}\n  expected {expected}"));
        }
    }
    assert!(count >= 140, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The line with the mark in the place of what stands in ⟦⟧.
fn expected(marked: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in marked.chars() {
        match c {
            '⟦' => inside = true,
            '⟧' => {
                inside = false;
                out.push_str("[hidden]");
            }
            _ if inside => {}
            _ => out.push(c),
        }
    }
    out
}

#[test]
fn harmless_lines_stay() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in lines(include_str!("harmless_lines.txt")) {
        count += 1;
        let got = redact(line);
        if got != line {
            wrong.push(format!("{line}\n  got {got}"));
        }
    }
    assert!(count >= 120, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn redacting_twice_changes_nothing_more() {
    let all = include_str!("secret_lines.txt").lines();
    for line in all.chain(include_str!("harmless_lines.txt").lines()) {
        let line: String = line.chars().filter(|c| !matches!(c, '⟦' | '⟧')).collect();
        let once = redact(&line);
        assert_eq!(redact(&once), once, "{line}");
    }
}

#[test]
fn lines_among_others_are_found() {
    let text =
        "web1:\n    ----------\n    db_password:\n        hunter2x\n    user:\n        bob\n";
    let expected =
        "web1:\n    ----------\n    db_password:\n        [hidden]\n    user:\n        bob\n";
    assert_eq!(blind(&redact(text)), expected);
    let text = "key:\n  private_key: |\n    abc\n    def\n  user: bob\n";
    assert_eq!(blind(&redact(text)), "key:\n  private_key: |\n    [hidden]\n  user: bob\n");
    let text = "passwords:\n  - hunter2x\n  - \"hunter3x\"\nnext: 1\n";
    assert_eq!(blind(&redact(text)), "passwords:\n  - [hidden]\n  - \"[hidden]\"\nnext: 1\n");
    let text = "--- \n+++ \n@@ -1,2 +1,2 @@\n [client]\n-password = old one\n+password = new one\n user = x\n";
    let hidden = blind(&redact(text));
    assert!(!hidden.contains("old") && !hidden.contains("new one"), "{hidden}");
    assert!(hidden.contains("+password = [hidden]\n user = x\n"), "{hidden}");
}

#[test]
fn keys_of_several_lines_are_found_again_line_by_line() {
    let redactor = redactor();
    let mut secrets = Secrets::default();
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabcdefghijklmnop0\n-----END RSA PRIVATE KEY-----\n";
    let hidden = redactor.redact_text(key, &mut secrets);
    assert_eq!(
        blind(&hidden),
        "-----BEGIN RSA PRIVATE KEY-----[hidden]-----END RSA PRIVATE KEY-----\n"
    );
    assert_eq!(blind(&secrets.hide("+MIIEpAIBAAKCAQEA7")), "+[hidden]");
}

#[test]
fn keys_with_written_line_ends_are_found_again_line_by_line() {
    let redactor = redactor();
    let mut secrets = Secrets::default();
    let key = r#"{"x": "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabcdefghijklmnop0\n-----END PRIVATE KEY-----"}"#;
    assert!(!redactor.redact_text(key, &mut secrets).contains("MIIE"));
    assert_eq!(
        blind(&secrets.hide("+MIIEpAIBAAKCAQEA7\n+abcdefghijklmnop0")),
        "+[hidden]\n+[hidden]"
    );
}

#[test]
fn only_blanks_between_underscores_are_no_secrets() {
    for blank in ["__DB_PASSWORD__", "__pass__", "____"] {
        assert_eq!(redact(&format!("password: {blank}")), format!("password: {blank}"));
    }
    for secret in ["__s3cret__", "__hunter2x", "__a-b__"] {
        assert_eq!(blind(&redact(&format!("password: {secret}"))), "password: [hidden]");
    }
}

#[test]
fn known_secrets_are_found_in_their_forms() {
    let redactor = redactor();
    let mut secrets = Secrets::default();
    redactor.redact_text("password='hunter 2/\"x'", &mut secrets);
    for text in [
        "said hunter 2/\"x twice",
        r#"{"a": "hunter 2/\"x"}"#,
        "q=hunter%202%2F%22x",
        // base64 of "bob:hunter 2/\"x"
        "Ym9iOmh1bnRlciAyLyJ4",
    ] {
        assert!(secrets.hide(text).contains(&mark("hunter 2/\"x")), "{text}");
    }
    assert_eq!(format!("{secrets:?}"), format!("Secrets({})", secrets.len()));
}

#[test]
fn words_and_short_values_are_not_sought_elsewhere() {
    let redactor = redactor();
    let mut secrets = Secrets::default();
    for text in ["password=root", "password=abc", "password=12345", "token=password", "pw=hidden"] {
        redactor.redact_text(text, &mut secrets);
    }
    assert!(secrets.is_empty(), "{secrets:?}");
    redactor.redact_text("pw=abcd", &mut secrets);
    assert_eq!(blind(&secrets.hide("abcd xabcdx")), "[hidden] xabcdx");
}

#[test]
fn the_fingerprint_follows_the_set_and_not_its_order() {
    let redactor = redactor();
    let (mut one, mut other) = (Secrets::default(), Secrets::default());
    let empty = one.fingerprint();
    redactor.redact_text("password=hunter2x", &mut one);
    let first = one.fingerprint();
    assert_ne!(empty, first);
    redactor.redact_text("password=hunter2x", &mut one);
    assert_eq!(one.fingerprint(), first);
    redactor.redact_text("password=hunter3x", &mut other);
    other.extend(&one);
    redactor.redact_text("password=hunter3x", &mut one);
    assert_ne!(one.fingerprint(), first);
    assert_eq!(one.fingerprint(), other.fingerprint());
}

/// The rules' own limits cut no container so that its rest is shown.
#[test]
fn containers_of_any_size_are_hidden() {
    let pairs: Vec<String> = (0..600).map(|at| format!("\"k{at}\": \"v{at:05}Geheim\"")).collect();
    let whole = format!("{{\"passwords\": {{{}}}}}", pairs.join(", "));
    for text in [whole.as_str(), &whole[..12_000], &whole[..2_000]] {
        let shown = redact(text);
        assert!(!shown.contains("Geheim"), "{}", blind(&shown));
        assert_eq!(redact(&shown), shown);
    }
    assert_eq!(blind(&redact(&whole)), "{\"passwords\": {[hidden]}}");
    let text = "password: {x9Geheim\nuser: bob";
    assert_eq!(blind(&redact(text)), "password: [hidden]\nuser: bob");
}

#[test]
fn a_backslash_takes_no_mark_apart() {
    let token = format!("password=\\{}_{} x", "ghp", "a1".repeat(18));
    // A bracket stays behind it, and nothing of what the mark says.
    assert_eq!(blind(&redact(&token)), "password=[hidden]] x");
}

#[test]
fn a_password_that_holds_a_secrets_name_is_found_again() {
    for secret in
        ["MySecret-2024!", "Admin-Password1", "RootPw2024", "my-secret-Token9", "q8 pass w"]
    {
        let mut secrets = Secrets::default();
        let arguments =
            |text: &str| Value::Map(vec![("db_password".into(), text.to_owned().into())]);
        RULES.redact_value(&mut arguments(secret), &mut secrets);
        let said = format!("login with {secret} failed");
        assert_eq!(blind(&secrets.hide(&said)), "login with [hidden] failed", "{secret}");
    }
    for name in ["password", "DB_PASSWORD", "api-token"] {
        let mut secrets = Secrets::default();
        RULES.redact_value(&mut Value::Map(vec![("password".into(), name.into())]), &mut secrets);
        assert_eq!(secrets.hide("set the password"), "set the password", "{name}");
    }
}

#[test]
fn each_rule_says_its_name() {
    let shown = |text: &str| {
        let mut secrets = Secrets::explained();
        RULES.redact_text(text, &mut secrets);
        let rules: Vec<&str> = secrets.told().iter().map(|(_, rule)| rule.as_ref()).collect();
        rules.join(" ")
    };
    for (text, rule) in [
        ("password=hunter2x", "name"),
        ("mysql -phunter2x db", "program"),
        ("deploy -u bob -p hunter2x", "program"),
        ("echo hunter2x | passwd --stdin bob", "pipe"),
        ("sudo -S <<< hunter2x id", "pipe"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "jwt"),
        ("https://bob:hunter2x@example.com/", "url"),
        ("glpat-abcdefghij0123456789", "token"),
        ("root:$6$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789./ABCDEF:1", "hash"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "private-key"),
        ("db1:5432:shop:app:hunter2x", "fields"),
        ("CREATE USER bob IDENTIFIED BY 'hunter2x'", "phrase"),
        ("nothing at all", ""),
    ] {
        assert_eq!(shown(text), rule, "{text}");
    }
    let mut secrets = Secrets::explained();
    let mut value = Value::Map(vec![("db_password".into(), "hunter2x".into())]);
    RULES.redact_value(&mut value, &mut secrets);
    assert_eq!(secrets.told(), [(RULES.marks().of(b"hunter2x"), "key".into())]);
}

#[test]
fn every_service_of_the_table_is_known_from_its_shortest_token_on() {
    for shape in SHAPES {
        let letters: Vec<u8> = (b'0'..=b'9').chain(b'a'..=b'z').chain(b'A'..=b'Z').collect();
        let letters = letters.iter().filter(|letter| shape.body.has(**letter)).cycle();
        let body: String = letters.take(shape.min).map(|letter| char::from(*letter)).collect();
        let token = format!("{}{body}", shape.prefix);
        let hidden = redact(&format!("it said {token} twice"));
        assert!(!hidden.contains(&body) && hidden.ends_with("] twice"), "{token}: {hidden}");
        let shorter = format!("it said {} twice", &token[..token.len() - 1]);
        assert_eq!(redact(&shorter), shorter, "{}", shape.prefix);
    }
}
