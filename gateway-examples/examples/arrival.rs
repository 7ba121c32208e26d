//! What a request meets first: address, id, sizes; and what follows it to the end: log and metrics.
//!
//! Prints:
//! ```text
//! 200 OK: client 203.0.113.9, id of 32 digits
//! 413 Payload Too Large: body_too_large
//! log: POST / 200 complete, 413 complete
//! metrics: 2 requests, 0 active
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{convert::Infallible, time::Duration};

use gateway_examples::whole;
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    client_addr::ClientAddrLayer,
    core::{Body, Facts, meter::Meter},
    limits::LimitsLayer,
    metrics::MetricsLayer,
    request_id::RequestIdLayer,
};
use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (meter, (sink, lines)) = (Meter::default(), Sink::memory());
    let service = ServiceBuilder::new()
        .layer(AccessLogLayer::new(sink.clone()))
        .layer(MetricsLayer::new(&meter))
        // The peer is what the server knows; here we play the server.
        .layer(ClientAddrLayer::new(["10.0.0.0/8".parse()?]).peer(|_| Some(([10, 0, 0, 1], 4000).into())))
        .layer(RequestIdLayer::default())
        .layer(LimitsLayer::default().body(100))
        .service(service_fn(async |request: Request<_>| {
            let facts = Facts::get(request.extensions()).cloned();
            let client = facts.as_ref().and_then(Facts::client_addr);
            let id = facts.as_ref().and_then(Facts::request_id).map_or(0, |id| id.as_str().len());
            let client = client.map_or_else(|| "unknown".to_owned(), |client| client.to_string());
            drop::<Request<gateway_layers::limits::LimitedBody<Body>>>(request);
            Ok::<_, Infallible>(Response::new(Body::from(format!("client {client}, id of {id} digits"))))
        }));

    for length in [10, 1000] {
        let request =
            Request::post("/").header("x-forwarded-for", "203.0.113.9").header("content-length", length);
        let body = Body::from("x".repeat(length));
        let answer = whole(service.clone().oneshot(request.body(body)?).await?.map(Body::new)).await?;
        match serde_json::from_str::<serde_json::Value>(&answer.text) {
            Ok(problem) => println!("{}: {}", answer.status, problem["code"].as_str().unwrap_or_default()),
            Err(_) => println!("{}: {}", answer.status, answer.text),
        }
    }

    sink.flush(Duration::from_secs(5));
    let mut told = Vec::new();
    for line in lines.text().lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        told.push(format!("{} {}", line["status"], line["end"].as_str().unwrap_or_default()));
    }
    println!("log: POST / {}", told.join(", "));
    let text = meter.render();
    let counted =
        text.lines().filter(|line| line.starts_with("http_server_request_duration_seconds_count")).count();
    let active =
        text.lines().find_map(|line| line.strip_prefix("http_server_active_requests ")).unwrap_or_default();
    println!("metrics: {counted} requests, {active} active");
    Ok(())
}
