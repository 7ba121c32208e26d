//! An upstream that fails is left alone until a probe finds it back.
//!
//! Prints:
//! ```text
//! 500 Internal Server Error, 500 Internal Server Error
//! 503 Service Unavailable: come back in 5 s, asked 2 times
//! 200 OK after 5 s, asked 3 times
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use gateway_examples::whole;
use gateway_layers::{
    circuit_breaker::{CircuitBreakerLayer, Settings},
    core::{Body, Clock},
};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

static ASKED: AtomicUsize = AtomicUsize::new(0);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (clock, hands) = Clock::manual();
    let layer = CircuitBreakerLayer::new(Settings::default().minimum(2).probes(1)).clock(clock);
    let service = layer.layer(service_fn(recovering));
    let ask = async || {
        let answer = service.clone().oneshot(Request::new(Body::empty())).await?;
        whole(answer.map(Body::new)).await
    };

    println!("{}, {}", ask().await?.status, ask().await?.status);
    let refused = ask().await?;
    let asked = || ASKED.load(Ordering::Relaxed);
    println!("{}: come back in {} s, asked {} times", refused.status, refused.header("retry-after"), asked());
    hands.advance(Duration::from_secs(5));
    println!("{} after 5 s, asked {} times", ask().await?.status, asked());
    Ok(())
}

/// Broken for its first two requests.
async fn recovering(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut answer = Response::new(Body::empty());
    if ASKED.fetch_add(1, Ordering::Relaxed) < 2 {
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(answer)
}
