use std::time::Duration;

use gateway_core::upstream::Upstream;
use gateway_layers::{
    gateway::Gateway,
    rate_limit::{Quota, RateLimitLayer},
    routing::Rule,
    timeout::TryTimeoutLayer,
};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route
            .layer(TryTimeoutLayer::new(Duration::from_secs(1)))
            .layer(RateLimitLayer::new(Quota::per_second(1)))
            .upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
