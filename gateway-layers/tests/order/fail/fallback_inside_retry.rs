//! The first failure would be answered by the fallback, and never be tried again.
use gateway_core::upstream::Upstream;
use gateway_layers::{fallback::{FallbackLayer, Instead}, gateway::Gateway, retry::RetryLayer, routing::Rule};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(RetryLayer::default()).layer(FallbackLayer::<gateway_layers::fallback::Nobody>::answer(Instead::json("{}"))).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
