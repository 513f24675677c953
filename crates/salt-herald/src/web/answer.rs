//! One request and its answer.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::HEALTHY;
use super::listener::Connection;
use crate::metrics::{self, Metrics};

/// Longest request without its body, in bytes. A body is not read.
const MAX_HEAD: usize = 8 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// Answers the one request of a connection.
pub(super) async fn answer(connection: Connection, metrics: Arc<Metrics>) {
    let service = service_fn(|request| {
        let response = respond(&request, &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "who asked went away, or does not speak HTTP");
    }
}

fn respond<T>(request: &Request<T>, metrics: &Metrics) -> Response<Full<Bytes>> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, metrics::CONTENT_TYPE, metrics.text()),
        (&Method::GET, "/-/healthy") => (StatusCode::OK, PLAIN, HEALTHY.to_owned()),
        (_, "/metrics" | "/-/healthy") => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET is answered\n".into())
        }
        _ => (StatusCode::NOT_FOUND, PLAIN, "there are /metrics and /-/healthy\n".into()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET"));
    }
    response
}
