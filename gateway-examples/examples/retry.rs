//! Another try where it is safe: an upstream that is busy at first, asked with GET, PUT and POST.
//!
//! Prints:
//! ```text
//! GET  -> 200 OK after 3 tries
//! PUT  -> 200 OK after 3 tries, each with the body `red`
//! POST -> 503 Service Unavailable after 1 try: it may have been processed
//! GET  -> 503 Service Unavailable after 1 try: the budget of the upstream is used up
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use gateway_layers::{
    core::{Body, Clock},
    retry::{Budget, RetryLayer, Terms},
};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
    let tries = Arc::new(AtomicU32::new(0));
    let (seen, count) = (Arc::clone(&bodies), Arc::clone(&tries));
    let busy = service_fn(move |request: Request<Body>| {
        let (seen, number) = (Arc::clone(&seen), count.fetch_add(1, Ordering::Relaxed));
        async move {
            let body = Body::collect_limited(request.into_body(), 1 << 10).await.unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            let mut answer = Response::new(Body::empty());
            if number < 2 {
                *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let ask = async |layer: &RetryLayer, request: Request<Body>| {
        tries.store(0, Ordering::Relaxed);
        bodies.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let Ok(answer) = layer.layer(busy.clone()).oneshot(request).await;
        (answer.status(), tries.load(Ordering::Relaxed))
    };

    let layer = RetryLayer::default().backoff(Duration::ZERO, Duration::ZERO);
    let (status, tries) = ask(&layer, Request::get("/").body(Body::empty())?).await;
    println!("GET  -> {status} after {tries} tries");
    let (status, tries) = ask(&layer, Request::put("/").body(Body::from("red"))?).await;
    let all = bodies.lock().unwrap_or_else(PoisonError::into_inner).join(" ");
    assert_eq!(all, "red red red");
    println!("PUT  -> {status} after {tries} tries, each with the body `red`");
    let (status, tries) = ask(&layer, Request::post("/").body(Body::from("pay"))?).await;
    println!("POST -> {status} after {tries} try: it may have been processed");

    let now = Clock::default().now();
    let budget = Budget::new(Terms { ratio: 0.0, per_second: 0 }, now);
    while budget.take(now) {}
    let (status, tries) = ask(&layer.budget(Arc::new(budget)), Request::get("/").body(Body::empty())?).await;
    println!("GET  -> {status} after {tries} try: the budget of the upstream is used up");
    Ok(())
}
