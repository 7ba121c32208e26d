//! One layer, alone, in an axum service: two requests at once for every client address.
//!
//! Prints:
//! ```text
//! 200 OK: hello
//! 200 OK: hello
//! 429 Too Many Requests: come back in 30 s
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::net::SocketAddr;

use axum::{Router, routing::get};
use gateway_examples::get as ask;
use gateway_layers::{
    client_addr::ClientAddrLayer,
    rate_limit::{Quota, RateLimitLayer},
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // The key is the client's address; axum knows the peer's.
    let limit = ServiceBuilder::new()
        .layer(ClientAddrLayer::default().peer_from_axum())
        .layer(RateLimitLayer::new(Quota::per_minute(2)));
    let app = Router::new().route("/", get(async || "hello")).layer(limit);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = format!("http://{}", listener.local_addr()?);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });

    for _ in 0..3 {
        let answer = ask(&server, "/").await?;
        match answer.header("retry-after") {
            "" => println!("{}: {}", answer.status, answer.text),
            seconds => println!("{}: come back in {seconds} s", answer.status),
        }
    }
    Ok(())
}
