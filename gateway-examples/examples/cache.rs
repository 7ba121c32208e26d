//! A cache in front of a handler that counts how often it is asked.
//!
//! Prints:
//! ```text
//! GET /: 200 OK: answer 1 (gateway; fwd=uri-miss; stored; ttl=60)
//! GET /: 200 OK: answer 1 (gateway; hit; ttl=60)
//! GET / if-none-match: 304 Not Modified:  (gateway; hit; ttl=60)
//! POST /: 200 OK: answer 2 (gateway; fwd=method)
//! GET /: 200 OK: answer 3 (gateway; fwd=uri-miss; stored; ttl=60)
//! GET /private: 200 OK: answer 4 (gateway; fwd=uri-miss)
//! GET /private: 200 OK: answer 5 (gateway; fwd=uri-miss)
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use gateway_examples::whole;
use gateway_layers::{
    cache::CacheLayer,
    core::{Body, Clock},
};
use http::{HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let count = Arc::new(AtomicUsize::new(0));
    let handler = service_fn(move |request| answer(&request, count.fetch_add(1, Ordering::Relaxed) + 1));
    // Time stands still, so that what is printed is always the same.
    let (clock, _) = Clock::manual();
    let service = CacheLayer::default().clock(clock).layer(handler);
    for (method, path, condition) in [
        ("GET", "/", ""),
        ("GET", "/", ""),
        ("GET", "/", "if-none-match"),
        ("POST", "/", ""),
        ("GET", "/", ""),
        ("GET", "/private", ""),
        ("GET", "/private", ""),
    ] {
        let mut request = Request::builder().method(method).uri(path);
        if !condition.is_empty() {
            request = request.header(condition, "\"v1\"");
        }
        let answer = whole(service.clone().oneshot(request.body(Body::empty())?).await?).await?;
        let asked = format!("{method} {path} {condition}");
        println!(
            "{}: {}: {} ({})",
            asked.trim_end(),
            answer.status,
            answer.text,
            answer.header("cache-status")
        );
    }
    Ok(())
}

fn answer(request: &Request<Body>, number: usize) -> Ready<Result<Response<Body>, Infallible>> {
    let mut response = Response::new(Body::from(format!("answer {number}")));
    let control = if request.uri().path() == "/private" { "private, max-age=60" } else { "max-age=60" };
    response.headers_mut().insert("cache-control", HeaderValue::from_static(control));
    response.headers_mut().insert("etag", HeaderValue::from_static("\"v1\""));
    ready(Ok(response))
}
