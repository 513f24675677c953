//! What Slack's answers mean. Pure: status, headers' values and a bounded body in; an outcome out.
//!
//! It sends nothing and does not decide whether to try again: the error's variant says what kind of
//! trouble it is, and the publisher does the rest.

use std::time::Duration;

use serde_json::Value;

use super::super::DeliveryError;

/// How long to wait when Slack does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// The longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// An answer as it came, read up to a bound.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// The token's scopes, as each answer of the Web API carries them.
    pub(super) scopes: Option<String>,
    pub(super) body: Body,
}

/// An answer's body.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Whole(Vec<u8>),
    /// It went on after this many bytes.
    TooLong(usize),
}

/// Whether a request that was answered in no readable way may have done something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It posts: doing it twice says it twice.
    Posts,
    /// Doing it twice is doing it once.
    Repeatable,
}

impl Effect {
    /// The error for a request that went out and was not answered in a way that can be read.
    pub(super) fn unanswered(
        self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> DeliveryError {
        match self {
            Self::Posts => DeliveryError::InDoubt(source.into()),
            Self::Repeatable => DeliveryError::Unavailable(source.into()),
        }
    }
}

/// What the Web API answered: the JSON of an `ok`.
pub(super) fn read_api(answer: &Answer, effect: Effect) -> Result<Value, DeliveryError> {
    if answer.status == 429 {
        return Err(rate_limited(answer));
    }
    let json = match &answer.body {
        Body::Whole(bytes) => serde_json::from_slice::<Value>(bytes).ok(),
        Body::TooLong(_) => None,
    };
    if let Some(code) = json.as_ref().and_then(error_code) {
        return Err(error_of(&code, answer, effect));
    }
    if !(200..300).contains(&answer.status) {
        return Err(error_of_status(answer.status, effect));
    }
    match json {
        Some(json) if json.get("ok").and_then(Value::as_bool) == Some(true) => Ok(json),
        _ => Err(effect.unanswered(describe(answer))),
    }
}

/// What an incoming webhook answered.
pub(super) fn read_webhook(answer: &Answer) -> Result<(), DeliveryError> {
    if answer.status == 429 {
        return Err(rate_limited(answer));
    }
    let word = webhook_word(answer);
    match answer.status {
        200..300 if word.as_deref() == Some("ok") => Ok(()),
        200..300 => Err(Effect::Posts.unanswered(describe(answer))),
        status => match word {
            Some(code) if kind_of(&code).is_some() => Err(error_of(&code, answer, Effect::Posts)),
            Some(code) if (400..500).contains(&status) => {
                Err(error_of(&code, answer, Effect::Posts))
            }
            _ => Err(error_of_status(status, Effect::Posts)),
        },
    }
}

/// The single word that a webhook answers, if the body is one.
pub(super) fn webhook_word(answer: &Answer) -> Option<String> {
    match &answer.body {
        Body::Whole(bytes) => word(std::str::from_utf8(bytes).ok()?.trim()),
        Body::TooLong(_) => None,
    }
}

/// Why the API says no.
fn error_code(json: &Value) -> Option<String> {
    if json.get("ok").and_then(Value::as_bool) != Some(false) {
        return None;
    }
    let code = json.get("error").and_then(Value::as_str).and_then(word);
    let code = code.unwrap_or_else(|| "unnamed_error".to_owned());
    let needed = json.get("needed").and_then(Value::as_str).and_then(word);
    Some(match needed {
        Some(scope) if code == "missing_scope" => format!("{code}: {scope}"),
        _ => code,
    })
}

/// Slack's codes are short words. Anything else is not repeated: it ends up in logs and terminals.
fn word(text: &str) -> Option<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | ',');
    let fits = (1..=80).contains(&text.len()) && text.chars().all(known);
    fits.then(|| text.to_owned())
}

/// What an answer that makes no sense looked like, without repeating it.
fn describe(answer: &Answer) -> String {
    let status = answer.status;
    match &answer.body {
        Body::TooLong(read) => {
            format!("HTTP {status} with more than {read} bytes, which is no answer of Slack's")
        }
        Body::Whole(bytes) if bytes.is_empty() => format!("HTTP {status} with nothing in it"),
        Body::Whole(bytes) => {
            format!("HTTP {status} with {} bytes that are no answer of Slack's", bytes.len())
        }
    }
}

fn rate_limited(answer: &Answer) -> DeliveryError {
    DeliveryError::RateLimited { retry_after: wait(answer.retry_after.as_deref()) }
}

/// How long to wait: what Slack says in seconds, within reason.
fn wait(retry_after: Option<&str>) -> Duration {
    let Some(text) = retry_after.map(str::trim) else {
        return DEFAULT_WAIT;
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return DEFAULT_WAIT;
    }
    // Digits that don't fit are a very long wait.
    let seconds = text.parse().unwrap_or(u64::MAX);
    Duration::from_secs(seconds).clamp(Duration::from_secs(1), LONGEST_WAIT)
}

/// Who answers so can be something on the way, after Slack did what was asked.
fn error_of_status(status: u16, effect: Effect) -> DeliveryError {
    match status {
        401 | 403 | 404 | 407 | 410 => {
            DeliveryError::Unauthorized { reason: format!("http_{status}") }
        }
        408 | 425 => DeliveryError::Unavailable(format!("HTTP {status}").into()),
        500.. => effect.unanswered(format!("HTTP {status}")),
        400..500 => DeliveryError::Rejected { reason: format!("http_{status}") },
        _ => DeliveryError::Unavailable(
            format!("HTTP {status}, which Slack does not answer: is there a proxy?").into(),
        ),
    }
}

/// The kinds of trouble that Slack has words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Wait,
    Gone,
    /// Somebody has to change the token, the channel or the workspace's settings.
    Operator,
    Message,
    /// On Slack's side, and passing: nothing was done.
    Broken,
    /// The same, but Slack says that something may have been done.
    Unclear,
}

fn error_of(code: &str, answer: &Answer, effect: Effect) -> DeliveryError {
    let reason = code.to_owned();
    // With a code that we don't know nothing is given up: people are told, and it is tried again.
    match kind_of(code).unwrap_or(Kind::Operator) {
        Kind::Wait => rate_limited(answer),
        Kind::Gone => DeliveryError::MessageGone { reason },
        Kind::Operator => DeliveryError::Unauthorized { reason },
        Kind::Message => DeliveryError::Rejected { reason },
        Kind::Broken => DeliveryError::Unavailable(reason.into()),
        Kind::Unclear => effect.unanswered(reason),
    }
}

fn kind_of(code: &str) -> Option<Kind> {
    let code = code.split(':').next().unwrap_or(code);
    Some(match code {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => Kind::Wait,
        "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found"
        | "invalid_thread_ts" | "message_not_owned_by_app" | "cannot_reply_to_message" => Kind::Gone,
        // The token.
        "not_authed" | "invalid_auth" | "account_inactive" | "token_revoked" | "token_expired"
        | "missing_scope" | "no_permission" | "not_allowed_token_type" | "access_denied"
        | "accesslimited" | "ekm_access_denied" | "enterprise_is_restricted"
        | "team_access_not_granted" | "two_factor_setup_required" | "team_not_found"
        // The channel.
        | "channel_not_found" | "not_in_channel" | "is_archived" | "is_inactive"
        | "restricted_action" | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel" | "restricted_action_non_threadable_channel"
        // The webhook.
        | "no_service" | "no_service_id" | "no_active_hooks" | "no_team" | "team_disabled"
        | "invalid_token" | "channel_is_archived" | "action_prohibited"
        | "posting_to_general_channel_denied" | "user_not_found" => Kind::Operator,
        "internal_error" | "fatal_error" => Kind::Unclear,
        "service_unavailable" | "request_timeout"
        | "update_failed" | "rollup_error" | "team_added_to_org" | "org_login_required"
        | "external_channel_migrating" | "streaming_state_conflict" => Kind::Broken,
        "msg_too_long" | "msg_blocks_too_long" | "no_text" | "invalid_payload" | "invalid_blocks"
        | "invalid_blocks_format" | "invalid_attachments" | "invalid_arguments" | "block_mismatch"
        | "too_many_attachments" | "missing_text_or_fallback_or_attachments"
        | "invalid_metadata_format" | "invalid_metadata_schema" | "metadata_too_large"
        | "metadata_must_be_sent_from_app" => Kind::Message,
        _ => return None,
    })
}

/// Whether a webhook's answer to an empty message shows that it takes messages.
pub(super) fn refuses_emptiness(answer: &Answer) -> bool {
    matches!(
        webhook_word(answer).as_deref(),
        Some("no_text" | "invalid_payload" | "missing_text_or_fallback_or_attachments")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let body = Body::Whole(body.as_bytes().to_vec());
        Answer { status, retry_after: None, scopes: None, body }
    }

    fn label_of(result: Result<impl Sized, DeliveryError>) -> String {
        match result {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{}: {error}", error.label()),
        }
    }

    #[test]
    fn waits_within_reason() {
        let secs = |text| wait(text).as_secs();
        assert_eq!(secs(Some("7")), 7);
        assert_eq!(secs(Some("0")), 1);
        assert_eq!(secs(Some("86400")), 3_600);
        assert_eq!(secs(Some("99999999999999999999999999")), 3_600);
        for odd in ["", "-5", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(secs(Some(odd)), 30, "{odd}");
        }
        assert_eq!(secs(None), 30);
    }

    #[test]
    fn each_answer_of_the_api_has_one_meaning() {
        let cases = [
            (200, r#"{"ok":true,"ts":"1.2"}"#),
            (200, r#"{"ok":false,"error":"ratelimited"}"#),
            (200, r#"{"ok":false,"error":"message_not_found"}"#),
            (200, r#"{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"x"}"#),
            (200, r#"{"ok":false,"error":"not_in_channel"}"#),
            (200, r#"{"ok":false,"error":"msg_too_long"}"#),
            (200, r#"{"ok":false,"error":"something_new"}"#),
            (200, r#"{"ok":false,"error":"internal_error"}"#),
            (200, r#"{"ok":false,"error":"\u001b[31m<script>"}"#),
            (200, r#"{"ok":false}"#),
            (200, r#"{"ok":"yes"}"#),
            (200, "<html>Log in to the wireless network</html>"),
            (200, ""),
            (302, ""),
            (404, "<html>"),
            (413, ""),
            (429, r#"{"ok":false,"error":"ratelimited"}"#),
            (500, r#"{"ok":false,"error":"invalid_auth"}"#),
            (503, "<html>"),
        ];
        let mut said = String::new();
        for (status, body) in cases {
            let label = label_of(read_api(&answer(status, body), Effect::Posts));
            said.push_str(&format!("{status} {body}\n  {label}\n"));
        }
        insta::assert_snapshot!(said);
    }

    #[test]
    fn each_answer_of_a_webhook_has_one_meaning() {
        let cases = [
            (200, "ok"),
            (200, "<html>"),
            (400, "invalid_payload"),
            (400, "no_text"),
            (403, "invalid_token"),
            (403, "action_prohibited"),
            (404, "no_service"),
            (404, "channel_not_found"),
            (410, "channel_is_archived"),
            (400, "user_not_found"),
            (500, "rollup_error"),
            (500, "missing_text_or_fallback_or_attachments"),
            (400, "a_new_word"),
            (404, "<html>not here</html>"),
            (502, "<html>"),
            (429, ""),
        ];
        let mut said = String::new();
        for (status, body) in cases {
            let label = label_of(read_webhook(&answer(status, body)));
            said.push_str(&format!("{status} {body}\n  {label}\n"));
        }
        insta::assert_snapshot!(said);
    }
}
