//! What a return comes to as a whole: by its codes, by its form, by what was asked.

use salt_event::event::Return;
use salt_event::msgpack::Token;
use salt_event::states::{Returned, StateResult, is_state_function};
use salt_event::{Raw, Value};

use crate::change::Failure;
use crate::digest::Digest;
use crate::redact::Redactor;
use crate::run::Outcome;

/// Whether a function was asked for a secret, so that all that it returns is one.
pub(super) fn asks_for_secret(rules: &Redactor, ret: &Return<'_>) -> bool {
    if ret.fun.iter().all(|fun| is_state_function(fun)) {
        return false;
    }
    let args = Value::read(ret.fun_args).unwrap_or(Value::Nil);
    match (ret.fun.as_slice(), &args) {
        ([fun], args) => rules.returns_secret(fun, args),
        (funs, Value::Array(lists)) if funs.len() == lists.len() => {
            funs.iter().zip(lists).any(|(fun, list)| rules.returns_secret(fun, list))
        }
        (funs, _) => funs.iter().any(|fun| rules.returns_secret(fun, &Value::Nil)),
    }
}

/// The results of an orchestration's steps: `{"data": {"x_master": {…}}}`.
pub(crate) fn orchestrated(raw: Raw<'_>) -> Option<salt_event::states::States<'_>> {
    let (_, steps) = raw.get("data")?.pairs().next()?;
    match Returned::of(steps, false) {
        Returned::States(states) => Some(states),
        _ => None,
    }
}

/// Counts a state in what a return comes to.
pub(super) fn count(outcome: &mut Outcome, state: &StateResult<'_>) {
    outcome.states += 1;
    outcome.duration = outcome.duration.saturating_add(state.duration.unwrap_or(0));
    if state.has_changes() {
        outcome.states_changed += 1;
        match state.result {
            None => outcome.would_change = true,
            Some(_) => outcome.changed = true,
        }
    }
    if state.result == Some(false) {
        outcome.failed = true;
        outcome.states_failed += 1;
    }
}

/// Whether a state failed only because of another.
pub(super) fn follows(state: &StateResult<'_>) -> bool {
    state.comment.text().is_some_and(|text| text.starts_with("One or more requisite failed"))
}

/// A failure of the function as a whole, by the return's only item.
pub(super) fn whole_failure(shape: &[u8]) -> Option<Failure> {
    let body = Digest::from_slice(shape.get(32..64)?)?;
    (shape.len() == 64).then_some(Failure { definition: Digest::ZERO, body, follows: false })
}

/// What salt-ssh says of a host that it did not reach: text, and nothing beside it.
fn is_unreachable(ret: &Return<'_>) -> bool {
    let is_bare = ret.cmd.is_none()
        && ret.success.is_none()
        && matches!((ret.retcode.token(), ret.fun_args.token()), (Token::Nil, Token::Nil));
    is_bare
        && ret.ret.text().is_some_and(|text| {
            text.starts_with("ssh:") || text.contains("did not return any data")
        })
}

/// What return code and `success` say.
pub(super) fn plain_outcome(ret: &Return<'_>) -> Outcome {
    let retcode = match ret.retcode.token() {
        Token::Int(code) => Some(code),
        Token::Map(_) => ret
            .retcode
            .pairs()
            .filter_map(|(_, code)| code.integer())
            .max_by_key(|code| code.unsigned_abs()),
        _ => None,
    };
    let refused = match ret.success.map(Raw::token) {
        Some(Token::Bool(success)) => !success,
        Some(Token::Map(_)) => ret
            .success
            .is_some_and(|map| map.pairs().any(|(_, success)| success.boolean() == Some(false))),
        _ => false,
    };
    let failed = refused || retcode.is_some_and(|code| code != 0) || is_unreachable(ret);
    Outcome { failed, retcode, ..Outcome::default() }
}
