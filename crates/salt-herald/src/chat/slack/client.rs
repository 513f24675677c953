//! The way to Slack: one request out, one bounded answer back.
//!
//! It tells what may have arrived from what surely did not, and that is all it decides. No retries,
//! no waiting, no knowledge of methods or messages.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::super::DeliveryError;
use super::answer::{Answer, Body, Effect};

/// For a request and its answer together.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// For the way there: DNS, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Slack's answers are a few KiB; this bounds what a stranger can make us hold.
const MOST_BODY: usize = 64 * 1024;
/// A page of channels is longer.
const MOST_LIST: usize = 4 * 1024 * 1024;

/// An HTTP client as chats want it: with its timeouts, 5 s to connect and 15 s in all.
///
/// Redirects are not followed: Slack has none, and whoever redirects a webhook would get the message.
///
/// # Errors
/// When TLS can't be set up.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("salt-herald/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        // Shorter than servers keep connections: one that dies under a request leaves a doubt.
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// How a request's content is written.
pub(super) enum Content<'a> {
    /// As `chat.*` and webhooks take it.
    Json(&'a Value),
    /// The `conversations.*` methods that read know nothing else; the usual script's way to a webhook.
    Form(&'a [(&'a str, &'a str)]),
}

/// Sends one request and reads its answer.
pub(super) async fn send(
    http: &reqwest::Client,
    url: &str,
    token: Option<&SecretString>,
    content: Content<'_>,
    effect: Effect,
) -> Result<Answer, DeliveryError> {
    let (kind, body, most) = match content {
        Content::Json(json) => ("application/json; charset=utf-8", json.to_string(), MOST_BODY),
        Content::Form(fields) => ("application/x-www-form-urlencoded", form(fields), MOST_LIST),
    };
    let mut request = http.post(url).header(header::CONTENT_TYPE, kind).body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token.expose_secret());
    }
    exchange(request, most, effect).await
}

async fn exchange(
    request: RequestBuilder,
    most: usize,
    effect: Effect,
) -> Result<Answer, DeliveryError> {
    let response = request.send().await.map_err(|error| explain(error, effect))?;
    let header_of = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let status = response.status().as_u16();
    let retry_after = header_of("retry-after");
    let scopes = header_of("x-oauth-scopes");
    let body = read_bounded(response, most).await.map_err(|error| explain(error, effect));
    // A status that says everything needs no body.
    let body = match body {
        Err(_) if status != 200 => Body::Whole(Vec::new()),
        body => body?,
    };
    Ok(Answer { status, retry_after, scopes, body })
}

async fn read_bounded(mut response: Response, most: usize) -> Result<Body, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > most {
            return Ok(Body::TooLong(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(bytes))
}

/// Which trouble a failed request is. The URL goes: it can be a secret.
fn explain(error: reqwest::Error, effect: Effect) -> DeliveryError {
    let error = error.without_url();
    if error.is_builder() {
        // The address or the token can't even be written into a request.
        DeliveryError::Unauthorized { reason: "invalid_url_or_token".to_owned() }
    } else if error.is_connect() {
        DeliveryError::Unavailable(Box::new(error))
    } else {
        effect.unanswered(error)
    }
}

/// `application/x-www-form-urlencoded`, as the few fields that we send need it.
fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}
