//! Eight concerns (routing, authentication, rate limiting, transformation, caching, aggregation, retries, circuit
//! breaking) put together with nothing but `tower::ServiceBuilder`, as the fallback of an axum application. With the
//! builder: `eight_by_builder`; from a document: `eight_from_file`.
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

use axum::{Router, routing::get};
use gateway_examples::eight::{self, AUDIENCE, ISSUER, SECRET};
use gateway_layers::{
    aggregate::{AggregateLayer, Branch, Plan},
    cache::CacheLayer,
    circuit_breaker::{CircuitBreakerLayer, Settings},
    core::{Key, RescueLayer, canonical::CanonicalLayer, upstream::Upstream},
    jwt::{Algorithm, JwtLayer, VerifyingKey},
    mask::{self, MaskLayer},
    rate_limit::{Quota, RateLimitLayer},
    retry::RetryLayer,
    routing::{NotFound, RoutingLayer, Rule, Stack},
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let services = eight::start().await?;
    let jwt = JwtLayer::new(ISSUER, [AUDIENCE], [VerifyingKey::secret(Algorithm::Hs256, SECRET)?]);
    let broken = Upstream::new([services.broken.as_str()]).build()?;
    let catalogue = Upstream::new([services.catalogue.as_str()]).build()?;

    let orders = ServiceBuilder::new()
        .layer(jwt.clone())
        .layer(RateLimitLayer::new(Quota::per_minute(2)).by(Key::principal()))
        .layer(MaskLayer::new(mask::Rules::new().keep_last("card.number", "***", 4))?)
        .layer(RetryLayer::default())
        .service(Upstream::new([services.orders.as_str()]).build()?);
    let kept = ServiceBuilder::new().layer(CacheLayer::default()).service(catalogue.clone());
    let plan = Plan::at("/page")
        .branch(Branch::new("catalogue", "/catalogue").allow(["products"]))
        .branch(Branch::new("advice", "/advice").service(broken.clone()).optional());
    let page = ServiceBuilder::new().layer(jwt).layer(AggregateLayer::new(plan)?).service(catalogue);
    let guarded =
        ServiceBuilder::new().layer(CircuitBreakerLayer::new(Settings::default().minimum(2))).service(broken);

    let routing = RoutingLayer::new([
        (Rule::path("/orders"), Stack::new(orders)),
        (Rule::path("/catalogue"), Stack::new(kept)),
        (Rule::path("/page"), Stack::new(page)),
        (Rule::path("/broken"), Stack::new(guarded)),
    ])?;
    let gateway = ServiceBuilder::new()
        .layer(RescueLayer::default())
        .layer(CanonicalLayer::deferred())
        .layer(routing)
        .service(NotFound);

    let app = Router::new().route("/health", get(async || "well")).fallback_service(gateway);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    for line in eight::ask(&url).await? {
        println!("{line}");
    }
    Ok(())
}
