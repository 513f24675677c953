//! What is not kept at all, because the site says so: whole arguments, and in trees that tell of other
//! jobs and of states, their members.
//!
//! What stood there is known to be secret from then on, so that it is hidden where it comes back. Which
//! functions, minions and states these are stands in `site.rs`.

use salt_event::Value;

use super::site::NotKept;
use super::{Redactor, Secrets, tree};

/// Keys under which the function of a job stands in what Salt tells of jobs.
const FUNCTIONS: [&str; 3] = ["fun", "Function", "function"];
/// Keys beside it with what it is given.
const ARGUMENTS: [&str; 4] = ["arg", "fun_args", "kwarg", "Arguments"];
/// Keys beside it with what it returns.
const RETURNS: [&str; 3] = ["return", "ret", "Result"];
/// What of a state is not kept.
const OF_STATES: [&str; 2] = ["changes", "comment"];

/// Arguments of which nothing is kept but whether they only test.
pub(super) fn drop_arguments(
    rules: &Redactor,
    arg: &mut Value<'_>,
    not_kept: NotKept,
    secrets: &mut Secrets,
) {
    let is_empty = match arg {
        Value::Nil => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if is_empty {
        return;
    }
    let tests = match arg {
        Value::Array(items) => {
            items.iter().any(|item| item.get("test") == Some(&Value::Bool(true)))
        }
        _ => false,
    };
    let mut kept = vec![replaced(rules, arg, not_kept, secrets)];
    if tests {
        let keyword = |name: &'static str| (Value::from(name), Value::Bool(true));
        kept.push(Value::Map(vec![keyword("__kwarg__"), keyword("test")]));
    }
    *arg = Value::Array(kept);
}

/// In what is told of a job or a state, the members that are not kept.
pub(super) fn drop_members(
    rules: &Redactor,
    pairs: &mut [(Value<'_>, Value<'_>)],
    secrets: &mut Secrets,
) {
    if rules.site.drops_any_function()
        && let Some(fun) = text_under(pairs, &FUNCTIONS)
    {
        if let Some(not_kept) = rules.site.drops_arguments(&fun) {
            drop_under(rules, pairs, &ARGUMENTS, not_kept, secrets);
        }
        if let Some(not_kept) = rules.site.drops_returns(&fun) {
            drop_under(rules, pairs, &RETURNS, not_kept, secrets);
        }
    }
    if rules.site.drops_any_state() {
        let (id, sls) = (text_under(pairs, &["__id__"]), text_under(pairs, &["__sls__"]));
        if (id.is_some() || sls.is_some())
            && let Some(not_kept) = rules
                .site
                .drops_state(id.as_deref().unwrap_or_default(), sls.as_deref().unwrap_or_default())
        {
            drop_under(rules, pairs, &OF_STATES, not_kept, secrets);
        }
    }
}

fn text_under(pairs: &[(Value<'_>, Value<'_>)], keys: &[&str]) -> Option<String> {
    let is_one = |key: &Value<'_>| key.as_text().is_some_and(|key| keys.contains(&key));
    pairs.iter().find(|(key, _)| is_one(key))?.1.as_text().map(str::to_owned)
}

fn drop_under(
    rules: &Redactor,
    pairs: &mut [(Value<'_>, Value<'_>)],
    keys: &[&str],
    not_kept: NotKept,
    secrets: &mut Secrets,
) {
    for (key, value) in pairs.iter_mut() {
        let holds_something = match value {
            Value::Nil | Value::Bool(_) => false,
            Value::Array(items) => !items.is_empty(),
            Value::Map(pairs) => !pairs.is_empty(),
            _ => true,
        };
        if holds_something && key.as_text().is_some_and(|key| keys.contains(&key)) {
            *value = replaced(rules, value, not_kept, secrets);
        }
    }
}

/// What stands in the place of a value, all of which is known to be secret from now on.
fn replaced(
    rules: &Redactor,
    value: &Value<'_>,
    not_kept: NotKept,
    secrets: &mut Secrets,
) -> Value<'static> {
    tree::learn_leaves(rules, value, secrets);
    secrets.tell_dropped(not_kept);
    Value::from(not_kept.text())
}
