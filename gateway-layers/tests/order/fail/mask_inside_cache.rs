//! What was stored under looser rules would be answered under stricter ones.
use gateway_core::upstream::Upstream;
use gateway_layers::{cache::CacheLayer, gateway::Gateway, mask::{MaskLayer, Rules}, routing::Rule};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(CacheLayer::default()).layer(MaskLayer::new(Rules::new().replace("password", "***")).unwrap()).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
