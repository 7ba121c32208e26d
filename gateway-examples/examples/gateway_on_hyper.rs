//! A whole gateway on a plain hyper server, without our own.
//!
//! Prints:
//! ```text
//! 200 OK: hello from /greet
//! 405 Method Not Allowed: allow GET, HEAD
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::convert::Infallible;

use gateway_examples::send;
use gateway_layers::{core::Body, gateway::Gateway, headers::HeadersLayer, routing::Rule};
use http::{Method, Request, Response};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::service_fn;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let greet = service_fn(|request: Request<Body>| async move {
        Ok::<_, Infallible>(Response::new(Body::from(format!("hello from {}", request.uri().path()))))
    });
    let gateway = Gateway::builder()
        .route(Rule::path("/greet").method(Method::GET), |route| {
            route.layer(HeadersLayer::default()).service(greet)
        })
        .build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(gateway.clone());
            let mut http1 = hyper::server::conn::http1::Builder::new();
            // Without a timer hyper waits for a head for ever.
            let connection = http1.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });

    let greeting = send(&server, Request::get("/greet").body(Body::empty())?).await?;
    println!("{}: {}", greeting.status, greeting.text);
    let refused = send(&server, Request::delete("/greet").body(Body::empty())?).await?;
    println!("{}: allow {}", refused.status, refused.header("allow"));
    Ok(())
}
