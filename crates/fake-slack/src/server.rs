//! The running stand-in: its port, its connections, and the handle that tests hold.
//!
//! It serves HTTP/1 itself because trouble on request needs the connections: to close one without
//! an answer, or all of them with the port.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response, StatusCode};
use axum::response::{IntoResponse, Json};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service;

use crate::api::{self, Sent, Shared};
use crate::faults::Fault;
use crate::workspace::{Channel, Message, Options, Workspace};

/// Longest request that is kept for later.
const MOST_BODY: usize = 1 << 20;

/// A stand-in for Slack that runs until it is dropped.
#[derive(Debug)]
pub struct FakeSlack {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl FakeSlack {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), options).await
    }

    /// Starts on this address.
    ///
    /// # Errors
    /// When it can't be had.
    pub async fn start_on(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(Workspace::new(options)));
        let serving = Some(tokio::spawn(serve(listener, Arc::clone(&shared))));
        Ok(Self { shared, address, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to configure as `api_url`.
    pub fn api_url(&self) -> String {
        format!("http://{}/api/", self.address)
    }

    /// What to configure as `webhook_url`.
    pub fn webhook_url(&self) -> String {
        format!("http://{}/services/{}", self.address, self.shared.lock().options.webhook)
    }

    /// The channel as it is now.
    pub fn channel(&self) -> Channel {
        self.shared.lock().channels.first().cloned().unwrap_or_default()
    }

    /// A channel by its name, as it is now.
    pub fn channel_named(&self, name: &str) -> Option<Channel> {
        self.shared.lock().find(name).cloned()
    }

    /// The channel's messages and replies, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.channel().messages
    }

    /// Waits until the channel is as wanted.
    ///
    /// # Errors
    /// The channel as it was in the end, when the time is over.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Channel) -> bool,
        timeout: Duration,
    ) -> Result<Channel, Box<Channel>> {
        let wait = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                // From here on no change is missed.
                changed.as_mut().enable();
                let channel = self.channel();
                if wanted(&channel) {
                    return channel;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(timeout, wait).await;
        waited.map_err(|_| Box::new(self.channel()))
    }

    /// Makes the next calls fail: of one method (`chat.update`; `webhook`), or of any.
    pub fn fail_next(&self, method: Option<&str>, times: usize, fault: Fault) {
        self.shared.lock().faults.add(method, fault, times);
    }

    /// Takes back the faults that nobody met.
    pub fn stop_failing(&self) {
        self.shared.lock().faults.clear();
    }

    /// How much happened in the channel so far.
    pub fn count_changes(&self) -> usize {
        self.shared.lock().channels.first().map_or(0, |channel| channel.changes.len())
    }

    /// How many calls came so far, answered or not.
    pub fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// From now on, keeps every call as it is sent.
    pub fn keep_calls(&self) {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert_default();
    }

    /// What was kept since the last time.
    pub fn take_calls(&self) -> Vec<Sent> {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Waits until everything was looked at that clients sent before they went away: nobody may be
    /// connected any more. Only what a [`Fault::Late`] holds back can still arrive after that.
    ///
    /// # Errors
    /// When the port can't be reached.
    pub async fn settled(&self) -> io::Result<()> {
        // Connections are taken in order: once this one is answered, none waits before it.
        let mut last = TcpStream::connect(self.address).await?;
        last.write_all(b"GET /channel HTTP/1.0\r\n\r\n").await?;
        last.read_to_end(&mut Vec::new()).await?;
        drop(last);
        while self.shared.open.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Closes the port and all connections.
    pub async fn go_down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // The port is closed when the task is gone; how it ended says nothing.
            let _ = serving.await;
        }
    }

    /// Opens the same port again, with everything that was said before.
    ///
    /// # Errors
    /// When somebody else took the port.
    pub async fn come_back(&mut self) -> io::Result<()> {
        self.go_down().await;
        let listener = TcpListener::bind(self.address).await?;
        self.serving = Some(tokio::spawn(serve(listener, Arc::clone(&self.shared))));
        Ok(())
    }

    /// Adds a channel and gives its ID; `id` and `messages` are its own business.
    pub fn add_channel(&self, channel: Channel) -> String {
        self.shared.lock().add_channel(channel)
    }

    /// Changes the channel, such as archiving it or putting the bot out.
    pub fn change_channel(&self, change: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.shared.lock().channels.first_mut() {
            change(channel);
        }
        self.shared.changed.notify_waiters();
    }

    /// Changes tokens, scopes or rates.
    pub fn change_options(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.lock().options);
    }

    /// Withdraws the token.
    pub fn revoke_token(&self) {
        self.shared.lock().revoked = true;
    }

    /// Lets nobody edit any more, as a workspace can be set.
    pub fn close_edit_window(&self) {
        self.shared.lock().edit_window_closed = true;
    }

    /// Deletes a message as a person would; false if there is none.
    pub fn delete_message(&self, ts: &str) -> bool {
        let deleted = self.shared.lock().delete(ts);
        self.shared.changed.notify_waiters();
        deleted
    }

    /// Completes when something may have changed after it was enabled or first polled.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.shared.changed.notified()
    }
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = api::router(Arc::clone(&shared));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (open, shared) = (Open::count(&shared), Arc::clone(&shared));
                    connections.spawn(connection(stream, router.clone(), shared, open));
                }
                // Out of descriptors, most likely: give connections time to end.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A connection that counts as long as it is open.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn connection(stream: TcpStream, router: Router, shared: Arc<Shared>, _open: Open) {
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), Arc::clone(&shared), request)
    });
    // Clients may go away at any time, and faults end connections too.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The end of a connection without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on request")
    }
}

impl std::error::Error for Closed {}

async fn answer(
    mut router: Router,
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<axum::body::Body>, Closed> {
    let request = keep(&shared, request).await?;
    let path = request.uri().path();
    let webhook = path.starts_with("/services/");
    let method = method_of(path);
    let fault = method.and_then(|method| {
        shared.calls.fetch_add(1, Ordering::Relaxed);
        shared.lock().faults.take(method)
    });
    match &fault {
        Some(Fault::Dead) => return Err(Closed),
        Some(Fault::Slow(delay)) => tokio::time::sleep(*delay).await,
        Some(Fault::Late(delay)) => {
            let (request, _) = whole(request).await?;
            let delay = *delay;
            tokio::spawn(arrive_late(router, shared, request, delay));
            return Err(Closed);
        }
        Some(Fault::DroppedAnswer | Fault::SlowAnswer(_)) | None => {}
        Some(Fault::RateLimited { retry_after }) => {
            return Ok(rate_limited(retry_after.as_deref()));
        }
        Some(Fault::Code(code)) if webhook => {
            return Ok((StatusCode::BAD_REQUEST, code.clone()).into_response());
        }
        Some(Fault::Code(code)) => {
            return Ok(Json(json!({ "ok": false, "error": code })).into_response());
        }
        Some(Fault::Answer { status, body }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok((status, body.clone()).into_response());
        }
    }
    let response = router.call(request).await.unwrap_or_else(|never: Infallible| match never {});
    match fault {
        Some(Fault::DroppedAnswer) => return Err(Closed),
        Some(Fault::SlowAnswer(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }
    Ok(response)
}

/// The method that a path calls.
fn method_of(path: &str) -> Option<&str> {
    if path.starts_with("/services/") { Some("webhook") } else { path.strip_prefix("/api/") }
}

/// Keeps a call as it was sent, where somebody wants to see it.
async fn keep(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Request<axum::body::Body>, Closed> {
    let request = request.map(axum::body::Body::new);
    let wanted = shared.kept.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    let Some(method) = method_of(request.uri().path()).filter(|_| wanted).map(str::to_owned) else {
        return Ok(request);
    };
    let (request, body) = whole(request).await?;
    let mut kept = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert_default().push(Sent { method, body: body.to_vec() });
    Ok(request)
}

/// The call with its body at hand.
async fn whole(
    request: Request<axum::body::Body>,
) -> Result<(Request<axum::body::Body>, axum::body::Bytes), Closed> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST_BODY).await.map_err(|_| Closed)?;
    Ok((Request::from_parts(parts, axum::body::Body::from(body.clone())), body))
}

/// Takes up a call whose connection was closed, and notes how long ago that was.
async fn arrive_late(
    mut router: Router,
    shared: Arc<Shared>,
    request: Request<axum::body::Body>,
    delay: Duration,
) {
    let closed = tokio::time::Instant::now();
    tokio::time::sleep(delay).await;
    let response = router.call(request).await.unwrap_or_else(|never: Infallible| match never {});
    let late = closed.elapsed();
    let body = axum::body::to_bytes(response.into_body(), MOST_BODY).await.unwrap_or_default();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(ts) = answer.get("ts").and_then(serde_json::Value::as_str) {
        shared.lock().mark_late(ts, late);
    }
}

fn rate_limited(retry_after: Option<&str>) -> Response<axum::body::Body> {
    match retry_after {
        Some(text) => api::wait(text),
        None => StatusCode::TOO_MANY_REQUESTS.into_response(),
    }
}
