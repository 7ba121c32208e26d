//! The circuit would see three tries as one call, and their failures not at all.
use gateway_core::upstream::Upstream;
use gateway_layers::{circuit_breaker::CircuitBreakerLayer, gateway::Gateway, retry::RetryLayer, routing::Rule};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(CircuitBreakerLayer::default()).layer(RetryLayer::default()).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
