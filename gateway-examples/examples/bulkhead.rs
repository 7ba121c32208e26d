//! Two at a time, one in the queue; a place is free when the answer's body ended.
//!
//! Prints:
//! ```text
//! 200 OK and 200 OK are being read
//! 503 Service Unavailable: bulkhead_full
//! 200 OK once a body ended
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{convert::Infallible, time::Duration};

use gateway_examples::whole;
use gateway_layers::{bulkhead::BulkheadLayer, core::Body};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let layer = BulkheadLayer::new(2).queue(1).wait(Duration::from_secs(60));
    let service = layer.layer(service_fn(report));
    let ask = || service.clone().oneshot(Request::new(Body::empty()));

    let (first, second) = (ask().await?, ask().await?);
    println!("{} and {} are being read", first.status(), second.status());

    let waiting = tokio::spawn(ask());
    tokio::task::yield_now().await;
    let refused = whole(ask().await?.map(Body::new)).await?;
    let problem: serde_json::Value = serde_json::from_str(&refused.text)?;
    println!("{}: {}", refused.status, problem["code"].as_str().unwrap_or_default());

    whole(first.map(Body::new)).await?;
    println!("{} once a body ended", waiting.await??.status());
    Ok(())
}

async fn report(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from("a long report")))
}
