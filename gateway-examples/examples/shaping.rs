//! A deadline, and headers edited both ways: two layers around one handler.
//!
//! Prints:
//! ```text
//! 200 OK: tenant blue, served by gateway
//! 504 Gateway Timeout: upstream_timeout
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{convert::Infallible, time::Duration};

use gateway_examples::whole;
use gateway_layers::{
    core::Body,
    headers::{HeadersLayer, Rules},
    timeout::TimeoutLayer,
};
use http::{HeaderName, HeaderValue, Request, Response};
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let name = HeaderName::from_static;
    let request = Rules::new().set(name("x-tenant"), HeaderValue::from_static("blue"));
    let response = Rules::new().set(name("x-served-by"), HeaderValue::from_static("gateway"));
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_millis(50)))
        .layer(HeadersLayer::new(request, response)?)
        .service(service_fn(tenant));

    let quick = whole(service.clone().oneshot(Request::get("/").body(Body::empty())?).await?).await?;
    println!("{}: {}, served by {}", quick.status, quick.text, quick.header("x-served-by"));
    let slow = whole(service.oneshot(Request::get("/slow").body(Body::empty())?).await?).await?;
    let problem: serde_json::Value = serde_json::from_str(&slow.text)?;
    println!("{}: {}", slow.status, problem["code"].as_str().unwrap_or_default());
    Ok(())
}

async fn tenant(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/slow" {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let tenant = request.headers()["x-tenant"].to_str().unwrap_or_default();
    Ok(Response::new(Body::from(format!("tenant {tenant}"))))
}
