//! Eight concerns (routing, authentication, rate limiting, transformation, caching, aggregation, retries, circuit
//! breaking) put together with the builder, which checks their order. The same by hand: `eight_by_hand`; from a
//! document: `eight_from_file`.
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
    aggregate::{AggregateLayer, Branch, Plan},
    cache::CacheLayer,
    circuit_breaker::{EndpointBreakers, Settings},
    core::{Key, server::serve, upstream::Upstream},
    gateway::Gateway,
    jwt::{Algorithm, JwtLayer, VerifyingKey},
    mask::{self, MaskLayer},
    rate_limit::{Quota, RateLimitLayer},
    retry::RetryLayer,
    routing::Rule,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let services = eight::start().await?;
    let jwt = JwtLayer::new(ISSUER, [AUDIENCE], [VerifyingKey::secret(Algorithm::Hs256, SECRET)?]);
    let mask = MaskLayer::new(mask::Rules::new().keep_last("card.number", "***", 4))?;
    let plan = Plan::at("/page").branch(Branch::new("catalogue", "/catalogue").allow(["products"])).branch(
        Branch::new("advice", "/advice")
            .service(Upstream::new([services.broken.as_str()]).build()?)
            .optional(),
    );
    let page = AggregateLayer::new(plan)?;
    let breakers = EndpointBreakers::new(Settings::default().minimum(2), "broken");

    let gateway = Gateway::builder()
        .route(Rule::path("/orders"), |route| {
            route
                .layer(jwt.clone())
                .layer(RateLimitLayer::new(Quota::per_minute(2)).by(Key::principal()))
                .layer(mask)
                .layer(RetryLayer::default())
                .upstream(Upstream::new([services.orders.as_str()]))
        })
        .route(Rule::path("/catalogue"), |route| {
            route.layer(CacheLayer::default()).upstream(Upstream::new([services.catalogue.as_str()]))
        })
        .route(Rule::path("/page"), |route| {
            route.layer(jwt).layer(page).upstream(Upstream::new([services.catalogue.as_str()]))
        })
        .route(Rule::path("/broken"), |route| {
            route.upstream(breakers.guard(Upstream::new([services.broken.as_str()])))
        })
        .build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { serve(listener, gateway).await });
    for line in eight::ask(&url).await? {
        println!("{line}");
    }
    Ok(())
}
