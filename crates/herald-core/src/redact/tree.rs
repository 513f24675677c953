//! Secrets in trees: maps whose keys name them, lists whose words do, and every text inside.
//!
//! It walks; the names and the shapes are judged elsewhere. It recurses, as trees have a bounded
//! depth ([`salt_event::MAX_DEPTH`]).

use std::borrow::Cow;

use salt_event::Value;

use super::keys::{STEMS, is_about_secrets, is_directory};
use super::values::{is_placeholder, is_reference};
use super::{Redactor, Secrets, plain, secrets, whole};

/// Keys beside a password that say who and where: hidden with the rest, but words of every log.
const PLAIN_KEYS: &[&str] = &[
    "user", "username", "login", "name", "host", "hostname", "server", "port", "type", "method",
    "email", "region", "url", "database", "db", "id", "scheme", "protocol", "role", "path",
];

/// Keys that make a map a state or an SLS, whatever it is called.
const STATE_KEYS: &[&str] = &["__sls__", "__env__", "__id__", "__run_num__"];

/// The key of what a command is given to read, which can be a password and nothing else.
const STDIN: &str = "stdin";

/// What keys are asked for besides the names of texts, in any case of letters.
pub(super) fn anchors() -> impl Iterator<Item = &'static str> {
    STEMS.into_iter().chain([STDIN, "encrypt"])
}

/// Hides what is secret by its name or shape.
pub(super) fn redact(rules: &Redactor, value: &mut Value<'_>, secrets: &mut Secrets) {
    match value {
        Value::Text(text) => {
            if let Cow::Owned(hidden) = keyword(rules, text, secrets) {
                *text = Cow::Owned(hidden);
            }
        }
        Value::Bytes(bytes) | Value::Ext(_, bytes) => {
            if let Some(clean) = rules.clean(bytes, secrets) {
                *bytes = Cow::Owned(clean);
            }
        }
        Value::Array(items) => list(rules, items, secrets),
        Value::Map(pairs) => map(rules, pairs, secrets),
        Value::Int(number) => number_of(rules, number.to_string(), value, secrets),
        Value::UInt(number) => number_of(rules, number.to_string(), value, secrets),
        _ => {}
    }
}

/// A number is secret only if a pattern of the site says so.
fn number_of(rules: &Redactor, digits: String, value: &mut Value<'_>, secrets: &mut Secrets) {
    if !rules.site.patterns().is_empty()
        && let Cow::Owned(hidden) = rules.redact_text(&digits, secrets)
    {
        *value = Value::from(hidden);
    }
}

/// A text, or an argument as `salt-call` was given it: `password=a b c` is one word there.
fn keyword<'t>(rules: &Redactor, text: &'t str, secrets: &mut Secrets) -> Cow<'t, str> {
    if let Some((name, value)) = text.split_once('=') {
        let is_name = name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_name
            && !value.contains('\n')
            && rules.names_secret(name.as_bytes())
            && !value.starts_with(['\'', '"', '=', ' '])
        {
            let mut whole = Value::from(value.to_owned());
            hide_under(rules, name, &mut whole, secrets);
            return match whole.as_text() {
                Some(hidden) if hidden != value => Cow::Owned(format!("{name}={hidden}")),
                _ => rules.redact_text(text, secrets),
            };
        }
    }
    rules.redact_text(text, secrets)
}

/// A list can be a command's words: `["--password", "x"]`.
fn list(rules: &Redactor, items: &mut [Value<'_>], secrets: &mut Secrets) {
    let mut named = None;
    for item in items {
        let is_option = item.as_text().is_some_and(|text| text.starts_with('-'));
        let takes = !is_option && !matches!(item, Value::Map(_) | Value::Array(_));
        match named.take().filter(|_| takes) {
            Some(rule) => leaves(rules, item, true, rule, secrets),
            None => redact(rules, item, secrets),
        }
        let option = item.as_text().filter(|text| text.starts_with('-'));
        named = option.and_then(|text| rules.rule_of_name(text.as_bytes()));
    }
}

fn map(rules: &Redactor, pairs: &mut [(Value<'_>, Value<'_>)], secrets: &mut Secrets) {
    let about_secret = names_one(rules, pairs);
    whole::drop_members(rules, pairs, secrets);
    for (key, value) in pairs {
        let secret = match key.as_text() {
            Some("value") => about_secret,
            Some(STDIN) => matches!(value, Value::Text(_)),
            Some(name)
                if is_directory(
                    name.as_bytes(),
                    value.as_text().unwrap_or_default().as_bytes(),
                ) =>
            {
                false
            }
            Some("key" | "encrypt") => value.as_text().is_some_and(is_random_key),
            Some("routing_key" | "service_key") => value.as_text().is_some_and(is_integration_key),
            Some(name) => {
                rules.names_secret(name.as_bytes()) && !is_state(value) && !is_package(name, value)
            }
            None => false,
        };
        if secret {
            hide_under(rules, key.as_text().unwrap_or_default(), value, secrets);
        } else {
            redact(rules, value, secrets);
        }
        redact(rules, key, secrets);
    }
}

/// `{name: DB_PASSWORD, value: x}`, as containers get their environment.
fn names_one(rules: &Redactor, pairs: &[(Value<'_>, Value<'_>)]) -> bool {
    pairs.iter().any(|(key, value)| {
        matches!(key.as_text(), Some("name" | "key" | "Name" | "Key"))
            && value.as_text().is_some_and(|name| rules.names_secret(name.as_bytes()))
    })
}

/// What PagerDuty gives out; others call a queue so.
fn is_integration_key(value: &str) -> bool {
    value.len() == 32
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && value.bytes().any(|byte| byte.is_ascii_digit())
}

/// A key of a cipher or a cloud, under a name that says little: long, of letters of both cases and digits.
pub(super) fn is_random_key(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    value.len() >= 20
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

fn is_state(value: &Value<'_>) -> bool {
    STATE_KEYS.iter().any(|key| value.get(key).is_some())
}

/// Packages have names such as `passwd` and `libsecret-1-0`, and their values are versions:
/// `1:4.13+dfsg1-1`, `{old: …, new: …}`, or a list of them.
fn is_package(name: &str, value: &Value<'_>) -> bool {
    let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-+.".contains(&c);
    name.bytes().all(is_name) && is_versions(value, name.contains('-'))
}

/// `sure` is whether the name has a package's form; else a version has to have a revision.
fn is_versions(value: &Value<'_>, sure: bool) -> bool {
    match value {
        Value::Text(text) => {
            let is_part = |c: u8| c.is_ascii_alphanumeric() || b".+~:-".contains(&c);
            let revised = text.split_once('-').is_some_and(|(version, _)| version.contains('.'));
            text.starts_with(|c: char| c.is_ascii_digit())
                && text.bytes().all(is_part)
                && (revised || (sure && text.contains('.')))
        }
        Value::Array(items) => {
            !items.is_empty() && items.iter().all(|item| is_versions(item, sure))
        }
        Value::Map(pairs) => {
            let is_side = |key: &Value<'_>| matches!(key.as_text(), Some("old" | "new"));
            let is_gone = |item: &Value<'_>| item.as_text() == Some("");
            let told = pairs.iter().any(|(_, item)| is_versions(item, sure));
            told && pairs
                .iter()
                .all(|(key, item)| is_side(key) && (is_gone(item) || is_versions(item, sure)))
        }
        _ => false,
    }
}

/// Hides every text and number of a tree.
pub(super) fn hide_leaves(rules: &Redactor, value: &mut Value<'_>, secrets: &mut Secrets) {
    leaves(rules, value, true, "key", secrets);
}

/// The same under a name, which says by which rule.
fn hide_under(rules: &Redactor, name: &str, value: &mut Value<'_>, secrets: &mut Secrets) {
    let rule = rules.rule_of_name(name.as_bytes()).unwrap_or("key");
    leaves(rules, value, true, rule, secrets);
}

fn leaves(
    rules: &Redactor,
    value: &mut Value<'_>,
    learn: bool,
    rule: &'static str,
    secrets: &mut Secrets,
) {
    let hidden = match value {
        Value::Nil | Value::Bool(_) => return,
        Value::Array(items) => {
            return items.iter_mut().for_each(|item| leaves(rules, item, learn, rule, secrets));
        }
        Value::Map(pairs) => {
            return pairs.iter_mut().for_each(|(key, item)| {
                let plain = key.as_text().is_some_and(|name| PLAIN_KEYS.contains(&name));
                // How many, how long, from when on.
                let counts = matches!(item, Value::Int(_) | Value::UInt(_) | Value::Float(_));
                if counts && key.as_text().is_some_and(|name| is_about_secrets(name.as_bytes())) {
                    return;
                }
                leaves(rules, item, learn && !plain, rule, secrets);
            });
        }
        Value::Text(text) => {
            if is_placeholder(text.as_bytes()) || is_reference(text.as_bytes(), false) {
                return;
            }
            leaf(rules, text.as_bytes(), learn, rule, secrets)
        }
        Value::Bytes(bytes) | Value::Ext(_, bytes) => leaf(rules, bytes, learn, rule, secrets),
        Value::Int(number) => leaf(rules, number.to_string().as_bytes(), learn, rule, secrets),
        Value::UInt(number) => leaf(rules, number.to_string().as_bytes(), learn, rule, secrets),
        Value::Float(number) => leaf(rules, number.to_string().as_bytes(), learn, rule, secrets),
    };
    *value = Value::from(hidden);
}

/// Learns the texts of a tree that is not kept, as far as they may be secrets: words and names stand
/// elsewhere, too.
pub(super) fn learn_leaves(rules: &Redactor, value: &Value<'_>, secrets: &mut Secrets) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| learn_leaves(rules, item, secrets)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, item)| learn_leaves(rules, item, secrets)),
        Value::Text(text) => {
            let core = plain::core(text.as_bytes());
            if secrets::may_be_one(&core) {
                let mark = secrets.mark_of(&core).unwrap_or_else(|| rules.marks.of(&core));
                secrets.learn(&core, mark);
            }
        }
        _ => {}
    }
}

/// What stands in a leaf's place.
fn leaf(
    rules: &Redactor,
    value: &[u8],
    learn: bool,
    rule: &'static str,
    secrets: &mut Secrets,
) -> String {
    let core = plain::core(value);
    let mark = secrets.mark_of(&core).unwrap_or_else(|| rules.marks.of(&core));
    secrets.tell(mark, rule);
    if learn {
        secrets.learn(value, mark);
        secrets.learn(&core, mark);
    }
    mark.to_string()
}
