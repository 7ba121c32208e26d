//! Eight concerns (routing, authentication, rate limiting, transformation, caching, aggregation, retries, circuit
//! breaking) from a document. The same with the builder: `eight_by_builder`; by hand: `eight_by_hand`.
//!
//! Prints:
//! ```text
//! /nothing: 404 no_route
//! /orders: 401 token_missing
//! /orders: 200 {"card":{"number":"***1234"},"orders":[1,2]}
//! /orders: 200 {"card":{"number":"***1234"},"orders":[1,2]}
//! /orders: 429 rate_limited
//! /catalogue: 200 {"asked":1,"products":["tea","scones"]}
//! /catalogue: 200 {"asked":1,"products":["tea","scones"]}
//! /page: 200 {"_errors":[{"branch":"advice","code":"branch_status","status":503}],"products":["tea","scones"]}
//! /broken: 503
//! /broken: 503
//! /broken: 503 circuit_open
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use gateway_examples::eight::{self, AUDIENCE, ISSUER, SECRET};
use gateway_layers::{
    config::{self, Context, Source},
    core::server::serve,
};
use tokio::net::TcpListener;

const DOCUMENT: &str = "
routes:
  - path: /orders
    jwt: &jwt
      issuer: ${ISSUER}
      audience: ${AUDIENCE}
      keys: [{algorithm: HS256, secret: '${SECRET}'}]
    rate_limit: {requests: 2, per: 1m, by: [principal]}
    mask:
      fields: [{field: card.number, keep_last: 4}]
    retry: {}
    upstream: ${ORDERS}
  - path: /catalogue
    cache: {}
    upstream: ${CATALOGUE}
  - path: /page
    jwt: *jwt
    aggregate:
      branches:
        - {name: catalogue, get: /catalogue, allow: [products]}
        - {name: advice, get: /advice, upstream: '${BROKEN}', outcome: optional}
    upstream: ${CATALOGUE}
  - path: /broken
    circuit_breaker: {minimum: 2}
    upstream: ${BROKEN}
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let services = eight::start().await?;
    let variable = |name: &str| match name {
        "ISSUER" => Some(ISSUER.to_owned()),
        "AUDIENCE" => Some(AUDIENCE.to_owned()),
        "SECRET" => Some(String::from_utf8_lossy(SECRET).into_owned()),
        "ORDERS" => Some(services.orders.clone()),
        "CATALOGUE" => Some(services.catalogue.clone()),
        "BROKEN" => Some(services.broken.clone()),
        _ => None,
    };
    let source = Source { name: "eight.yaml", text: DOCUMENT };
    let declared =
        config::load(source, variable, &Context::default()).map_err(|problems| problems.to_string())?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let gateway = declared.service();
    tokio::spawn(async move { serve(listener, gateway).await });
    for line in eight::ask(&url).await? {
        println!("{line}");
    }
    Ok(())
}
