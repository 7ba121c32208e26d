//! A whole gateway as the fallback service of an axum application.
//!
//! Prints:
//! ```text
//! GET /health: 200 OK: well
//! GET /users/7: 200 OK: user 7
//! GET /nothing: 404 Not Found: no_route
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use axum::{Router, extract::Path, routing::get};
use gateway_examples::get as ask;
use gateway_layers::{
    core::upstream::Upstream, gateway::Gateway, request_id::RequestIdLayer, routing::Rule,
    timeout::TimeoutLayer,
};
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let users = Router::new().route("/users/{id}", get(async |Path(id): Path<u32>| format!("user {id}")));
    let users = serve(users).await?;

    let gateway = Gateway::builder()
        .layer(RequestIdLayer::default())
        .route(Rule::path("/users/{id}"), |route| {
            route.layer(TimeoutLayer::new(Duration::from_secs(2))).upstream(Upstream::new([users.as_str()]))
        })
        .build()?;
    let app = serve(Router::new().route("/health", get(async || "well")).fallback_service(gateway)).await?;

    for path in ["/health", "/users/7", "/nothing"] {
        let answer = ask(&app, path).await?;
        let text = match serde_json::from_str::<serde_json::Value>(&answer.text) {
            Ok(problem) => problem["code"].as_str().unwrap_or_default().to_owned(),
            Err(_) => answer.text,
        };
        println!("GET {path}: {}: {text}", answer.status);
    }
    Ok(())
}

/// Serves an application on a free port and returns its URL.
async fn serve(app: Router) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
