//! What a site adds to the rules.

use proptest::prelude::*;

use super::properties::pieces;
use super::*;

fn with(make: impl FnOnce(&mut SiteRules)) -> Redactor {
    let mut site = SiteRules::default();
    make(&mut site);
    Redactor::with_site(Marks::new(&[7; KEY_BYTES]), site.into())
}

fn rules_of(redactor: &Redactor, text: &str) -> (String, Vec<String>) {
    let mut secrets = Secrets::explained();
    let clean = blind(&redactor.redact_text(text, &mut secrets));
    (clean, secrets.told().iter().map(|(_, rule)| rule.to_string()).collect())
}

fn read(printed: &str) -> Value<'static> {
    crate::python::read(printed).unwrap()
}

fn as_text(value: &Value<'_>) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Text(text) => format!("'{text}'"),
        Value::Array(items) => format!("[{}]", list(items.iter().map(as_text).collect())),
        Value::Map(pairs) => {
            let pair = |(key, value): &(_, _)| format!("{}: {}", as_text(key), as_text(value));
            format!("{{{}}}", list(pairs.iter().map(pair).collect()))
        }
        Value::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn clean(redactor: &Redactor, printed: &str) -> String {
    let mut value = read(printed);
    redactor.clean_return(&mut value, &Secrets::default());
    let bytes = read(printed).to_bytes();
    assert!(value == read(printed) || redactor.may_hold_secret(&bytes), "passed: {printed}");
    blind(&as_text(&value))
}

#[test]
fn a_sites_keys_are_found_in_texts_and_trees() {
    let redactor = with(|site| site.add_key("licence_code").unwrap());
    for (text, expected) in [
        ("licence_code: ABCD-1234", "licence_code: [hidden]"),
        ("run --licence_code ABCD-1234 now", "run --licence_code [hidden] now"),
        ("APP_LICENCE_CODE=ABCD-1234 x", "APP_LICENCE_CODE=[hidden] x"),
        (r#"{"licence_code": "ABCD-1234"}"#, r#"{"licence_code": "[hidden]"}"#),
    ] {
        let (got, rules) = rules_of(&redactor, text);
        assert_eq!((got.as_str(), rules), (expected, vec!["redact.keys".to_owned()]), "{text}");
        assert_eq!(redact(text), text, "no rule of ours hides it");
    }
    assert_eq!(
        clean(&redactor, "{'app': {'licence_code': 12345}}"),
        "{'app': {'licence_code': '[hidden]'}}"
    );
    assert!(redactor.returns_secret("pillar.get", &read("['app:licence_code']")));
}

#[test]
fn a_pattern_hides_its_named_groups_or_all_of_it() {
    let redactor = with(|site| {
        site.add_pattern(r"\bLIC-[0-9A-F]{8}\b").unwrap();
        site.add_pattern(r"badge (?<number>\d+) of (?<name>\w+)").unwrap();
    });
    let (got, rules) = rules_of(&redactor, "LIC-0123ABCD, badge 4711 of alice, badge of bob");
    assert_eq!(got, "[hidden], badge [hidden] of [hidden], badge of bob");
    assert_eq!(rules, ["redact.patterns[1]", "redact.patterns[2]", "redact.patterns[2]"]);
    assert_eq!(
        clean(&with(|site| site.add_pattern("^4711$").unwrap()), "[4711, 'a 4711']"),
        "['[hidden]', 'a 4711']"
    );
}

#[test]
fn what_a_pattern_matched_is_known_wherever_it_comes_back() {
    let redactor = with(|site| site.add_pattern(r"LIC-[0-9A-F]{8}").unwrap());
    let mut secrets = Secrets::default();
    redactor.redact_text("LIC-0123ABCD", &mut secrets);
    // base64 of "LIC-0123ABCD"
    assert!(secrets.hide("TElDLTAxMjNBQkNE").starts_with("[hidden"));
}

#[test]
fn a_pattern_meets_the_text_as_it_was_and_takes_nothing_away() {
    let redactor = with(|site| site.add_pattern(r"serial (?<all>\d+ password=\S+ x)").unwrap());
    assert_eq!(rules_of(&redactor, "serial 12 password=hunter2x x end").0, "serial [hidden] end");
    let inside = with(|site| site.add_pattern("beef").unwrap());
    let token = "ghp_0123456789abcdefbeef0123456789abcdef";
    assert_eq!(rules_of(&inside, &format!("a {token} b")).0, "a [hidden] b");
    let mut secrets = Secrets::default();
    inside.redact_text(&format!("password=hunterbeef2 {token}"), &mut secrets);
    assert!(!secrets.hide(&format!("{token} hunterbeef2")).contains("hunter"));
}

#[test]
fn parts_that_were_hidden_one_in_the_other_are_known() {
    let redactor = with(|site| site.add_pattern("ACME-[0-9]{6}").unwrap());
    let text = format!("ACME-123456 net user ?sig=\\{}{}", "AKIA", "A1".repeat(8));
    let (shown, _) = rules_of(&redactor, &text);
    assert!(!shown.contains("123456") && !shown.contains("A1A1"), "{shown}");
}

#[test]
fn nothing_is_kept_of_arguments_but_whether_they_test() {
    let redactor = with(|site| site.add_functions("acme.*", Part::Arguments));
    let shown = |fun: &str, printed: &str| {
        let mut arg = read(printed);
        redactor.redact_call(&[fun], &mut arg, &mut Secrets::default());
        as_text(&arg)
    };
    insta::assert_snapshot!(
        [
            shown("acme.issue", "['alice', {'__kwarg__': True, 'pin': 4711, 'test': True}]"),
            shown("acme.issue", "[]"),
            shown("runner.acme.issue", "['alice']"),
            shown("cmd.run", "['alice']"),
        ]
        .join("\n"),
        @r"
    ['[not kept by redact.functions]', {'__kwarg__': True, 'test': True}]
    []
    ['[not kept by redact.functions]']
    ['alice']
    "
    );
}

#[test]
fn what_is_told_of_other_jobs_and_states_is_not_kept_either() {
    let redactor = with(|site| {
        site.add_functions("acme.issue", Part::Both);
        site.add_states("deploy_key");
    });
    insta::assert_snapshot!(
        [
            clean(&redactor, "[{'jid': '1', 'fun': 'acme.issue', 'arg': ['alice'], 'tgt': '*'}]"),
            clean(&redactor, "{'1': {'Function': 'acme.issue', 'Arguments': ['alice'], 'Result': {'web1': {'return': 'x'}}}}"),
            clean(&redactor, "{'file_|-a': {'__id__': 'deploy_key', 'result': True, 'comment': 'alice', 'changes': {'a': 1}}}"),
            clean(&redactor, "{'file_|-a': {'__id__': 'other', 'result': True, 'comment': 'alice', 'changes': {'a': 1}}}"),
        ]
        .join("\n"),
        @r"
    [{'jid': '1', 'fun': 'acme.issue', 'arg': '[not kept by redact.functions]', 'tgt': '*'}]
    {'1': {'Function': 'acme.issue', 'Arguments': '[not kept by redact.functions]', 'Result': '[not kept by redact.functions]'}}
    {'file_|-a': {'__id__': 'deploy_key', 'result': True, 'comment': '[not kept by redact.states]', 'changes': '[not kept by redact.states]'}}
    {'file_|-a': {'__id__': 'other', 'result': True, 'comment': 'alice', 'changes': {'a': 1}}}
    "
    );
}

/// What is left of a text when all marks are taken out.
fn left(text: &str) -> String {
    blind(text).replace("[hidden]", "")
}

fn is_part(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    part.chars().all(|c| rest.any(|other| other == c))
}

const PATTERNS: [&str; 8] =
    ["x", "pass", "[a-z]+=", "(?s).{5}", "hunter\\d", "key|secret", "\\w+", "(?<a>\\w) (?<b>\\w)"];

static ADDING: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    PATTERNS.map(|pattern| with(|site| site.add_pattern(pattern).unwrap())).into()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_site_can_only_add(text in pieces(), at in 0..PATTERNS.len()) {
        let text = text.replace("[hidden]", "");
        let more = ADDING[at].redact_text(&text, &mut Secrets::default()).into_owned();
        prop_assert!(is_part(&left(&more), &left(&redact(&text))), "{more}\n{}", redact(&text));
    }
}
