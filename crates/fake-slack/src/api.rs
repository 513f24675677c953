//! The HTTP side: Slack's Web API, its incoming webhook, and two pages that show the channel.
//!
//! It reads calls and writes answers. What is allowed stands in `workspace` and `rules`.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::content::Content;
use crate::draw::{Look, draw};
use crate::history;
use crate::workspace::{By, Channel, Message, Refusal, Workspace};

/// What the server and its owner share.
#[derive(Debug)]
pub(crate) struct Shared {
    workspace: Mutex<Workspace>,
    /// Told after every call.
    pub(crate) changed: Notify,
    /// How many calls came, answered or not.
    pub(crate) calls: AtomicUsize,
    /// How many connections are open.
    pub(crate) open: AtomicUsize,
    /// What was sent, byte by byte, where somebody wants to see it.
    pub(crate) kept: Mutex<Option<Vec<Sent>>>,
}

/// A call as it was sent, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The method (`chat.postMessage`), or `webhook`.
    pub method: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Shared {
    pub(crate) fn new(workspace: Workspace) -> Self {
        Self {
            workspace: Mutex::new(workspace),
            changed: Notify::new(),
            calls: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            kept: Mutex::new(None),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Workspace> {
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type AppState = State<Arc<Shared>>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/{method}", post(web_api).get(web_api))
        .route("/services/{*secret}", post(webhook))
        .route("/channel", get(channel_json))
        .route("/channel.txt", get(channel_text))
        .with_state(shared)
}

async fn web_api(
    State(shared): AppState,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = text_of(&headers, header::CONTENT_TYPE);
    // These read no JSON, and say nothing of it either.
    let deaf = kind.starts_with("application/json") && method.starts_with("conversations.");
    let body = if deaf { Bytes::new() } else { body };
    let kind = if deaf { "" } else { kind };
    let query = query.unwrap_or_default();
    let result = {
        let mut workspace = shared.lock();
        match Arguments::read(kind, &query, &body) {
            None => Err(Refusal::code("invalid_json")),
            Some(arguments) => {
                let bearer = text_of(&headers, header::AUTHORIZATION).strip_prefix("Bearer ");
                let token = bearer.unwrap_or_else(|| arguments.text("token"));
                authorize(&workspace, token)
                    .and_then(|()| call(&mut workspace, &method, &arguments))
            }
        }
    };
    let scopes = shared.lock().options.scopes.join(",");
    shared.changed.notify_waiters();
    answer(result, &scopes)
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn authorize(workspace: &Workspace, token: &str) -> Result<(), Refusal> {
    if token.is_empty() {
        Err(Refusal::code("not_authed"))
    } else if token != workspace.options.token {
        Err(Refusal::code("invalid_auth"))
    } else if workspace.revoked {
        Err(Refusal::code("token_revoked"))
    } else {
        Ok(())
    }
}

fn call(workspace: &mut Workspace, method: &str, args: &Arguments) -> Result<Value, Refusal> {
    let now = Instant::now();
    match method {
        "auth.test" => Ok(json!({
            "url": "https://fake.slack.example/", "team": "Fake", "team_id": "T0FAKE",
            "user": workspace.options.bot, "user_id": "U0FAKE", "bot_id": "B0FAKE",
        })),
        "chat.postMessage" => {
            workspace.need_scope("chat:write")?;
            let thread = args.has("thread_ts").then(|| args.text("thread_ts"));
            let content = args.content(Content::default());
            let text = content.text.clone();
            let channel = args.text("channel");
            let (channel, ts) = workspace.post(By::Bot, channel, thread, content, now)?;
            Ok(json!({ "channel": channel, "ts": ts, "message": { "text": text, "ts": ts } }))
        }
        "chat.update" => {
            workspace.need_scope("chat:write")?;
            let (channel, ts) = (args.text("channel"), args.text("ts"));
            workspace.edit(channel, ts, |before| args.content(before), now)?;
            Ok(json!({ "channel": channel, "ts": ts, "text": args.text("text") }))
        }
        "conversations.info" => {
            let channel = visible_channel(workspace, args.text("channel"), "read")?;
            Ok(json!({ "channel": describe(channel) }))
        }
        "conversations.list" => list(workspace, args),
        "conversations.history" => {
            let channel = readable_channel(workspace, args.text("channel"))?;
            let roots: Vec<&Message> = channel.roots().collect();
            Ok(history::page(roots.into_iter().rev(), args, 100))
        }
        "conversations.replies" => {
            let channel = readable_channel(workspace, args.text("channel"))?;
            let ts = args.text("ts");
            let root = channel.messages.iter().find(|message| message.ts == ts);
            let root = root.ok_or(Refusal::code("thread_not_found"))?;
            Ok(history::page(std::iter::once(root).chain(channel.replies(ts)), args, 1_000))
        }
        _ => Err(Refusal::code("unknown_method")),
    }
}

/// A channel by its ID, as far as the token may see it.
fn visible_channel<'a>(
    workspace: &'a Workspace,
    id: &str,
    what: &str,
) -> Result<&'a Channel, Refusal> {
    let channel = workspace.channels.iter().find(|channel| channel.id == id);
    let scope = match (channel.is_some_and(|channel| channel.private), what) {
        (false, "read") => "channels:read",
        (false, _) => "channels:history",
        (true, "read") => "groups:read",
        (true, _) => "groups:history",
    };
    workspace.need_scope(scope)?;
    let visible = channel.filter(|channel| !channel.private || channel.member);
    visible.ok_or(Refusal::code("channel_not_found"))
}

/// A channel whose messages the token may read: the bot has to be in it.
fn readable_channel<'a>(workspace: &'a Workspace, id: &str) -> Result<&'a Channel, Refusal> {
    let channel = visible_channel(workspace, id, "history")?;
    if channel.member { Ok(channel) } else { Err(Refusal::code("not_in_channel")) }
}

fn list(workspace: &Workspace, args: &Arguments) -> Result<Value, Refusal> {
    let types = if args.has("types") { args.text("types") } else { "public_channel" };
    let (public, private) = (types.contains("public_channel"), types.contains("private_channel"));
    if public {
        workspace.need_scope("channels:read")?;
    }
    if private {
        workspace.need_scope("groups:read")?;
    }
    let wanted = |c: &&Channel| {
        if c.private { private && c.member } else { public }
    };
    let start: usize = args.text("cursor").parse().unwrap_or(0);
    let limit = args.number("limit").unwrap_or(100).clamp(1, 1_000);
    let all: Vec<Value> = workspace.channels.iter().filter(wanted).map(describe).collect();
    let page: Vec<&Value> = all.iter().skip(start).take(limit).collect();
    let end = start + page.len();
    let next = if end < all.len() { end.to_string() } else { String::new() };
    Ok(json!({ "channels": page, "response_metadata": { "next_cursor": next } }))
}

fn describe(channel: &Channel) -> Value {
    json!({
        "id": channel.id, "name": channel.name, "name_normalized": channel.name,
        "is_channel": !channel.private, "is_private": channel.private,
        "is_archived": channel.archived, "is_member": channel.member,
    })
}

fn answer(result: Result<Value, Refusal>, scopes: &str) -> Response {
    let scopes_header = [("x-oauth-scopes", scopes.to_owned())];
    let body = match result {
        Ok(mut value) => {
            if let Some(fields) = value.as_object_mut() {
                fields.insert("ok".to_owned(), Value::Bool(true));
            }
            value
        }
        Err(Refusal::Code(code, why)) if why.is_empty() => json!({ "ok": false, "error": code }),
        Err(Refusal::Code(code, why)) => json!({
            "ok": false, "error": code,
            "response_metadata": { "messages": [format!("[ERROR] {why}")] },
        }),
        Err(Refusal::Scope(needed)) => json!({
            "ok": false, "error": "missing_scope", "needed": needed, "provided": scopes,
        }),
        Err(Refusal::Wait(seconds)) => return wait(&seconds.to_string()),
    };
    (scopes_header, Json(body)).into_response()
}

/// HTTP 429, with what stands in `Retry-After`.
pub(crate) fn wait(retry_after: &str) -> Response {
    let body = Json(json!({ "ok": false, "error": "ratelimited" }));
    let retry = [(header::RETRY_AFTER, retry_after.to_owned())];
    (StatusCode::TOO_MANY_REQUESTS, retry, body).into_response()
}

async fn webhook(
    State(shared): AppState,
    Path(secret): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let result = {
        let mut workspace = shared.lock();
        let kind = text_of(&headers, header::CONTENT_TYPE);
        post_by_webhook(&mut workspace, &secret, kind, &body)
    };
    shared.changed.notify_waiters();
    match result {
        Ok(()) => "ok".into_response(),
        Err(Refusal::Wait(seconds)) => wait(&seconds.to_string()),
        Err(Refusal::Scope(code)) => (StatusCode::FORBIDDEN, code).into_response(),
        Err(Refusal::Code(code, _)) => {
            let (status, code) = match code {
                "no_service" | "channel_not_found" => (StatusCode::NOT_FOUND, code),
                "invalid_token" => (StatusCode::FORBIDDEN, code),
                "is_archived" => (StatusCode::GONE, "channel_is_archived"),
                other => (StatusCode::BAD_REQUEST, other),
            };
            (status, code).into_response()
        }
    }
}

fn post_by_webhook(
    workspace: &mut Workspace,
    secret: &str,
    kind: &str,
    body: &[u8],
) -> Result<(), Refusal> {
    let own = workspace.options.webhook.clone();
    if secret != own {
        let service = |path: &str| path.rsplit_once('/').map(|(service, _)| service.to_owned());
        let known = service(secret) == service(&own);
        return Err(Refusal::code(if known { "invalid_token" } else { "no_service" }));
    }
    let unreadable = Refusal::code("invalid_payload");
    let arguments = Arguments::of_webhook(kind, body).ok_or(unreadable)?;
    let mut channel = workspace.options.channel.clone();
    let mut content = arguments.content(Content::default());
    if workspace.options.legacy {
        let given = |name: &str| arguments.optional(name).map(str::to_owned);
        channel = given("channel").unwrap_or(channel);
        content =
            Content { username: given("username"), icon_emoji: given("icon_emoji"), ..content };
    }
    workspace.post(By::Webhook, &channel, None, content, Instant::now()).map(|_| ())
}

async fn channel_json(State(shared): AppState) -> Response {
    let workspace = shared.lock();
    let Some(channel) = workspace.channels.first() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let messages: Vec<Value> = channel.messages.iter().map(history::say).collect();
    Json(json!({ "id": channel.id, "name": channel.name, "messages": messages })).into_response()
}

/// `?columns=80` cuts lines to a terminal's width, `&color=1` colours them.
async fn channel_text(State(shared): AppState, RawQuery(query): RawQuery) -> Response {
    let query = Arguments::read("", &query.unwrap_or_default(), b"").unwrap_or_default();
    let look =
        Look { color: query.has("color"), width: query.number("columns").unwrap_or(usize::MAX) };
    let workspace = shared.lock();
    let Some(channel) = workspace.channels.first() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut text = draw(channel, &look).join("\n");
    text.push('\n');
    text.into_response()
}
