//! Every try would be authenticated, limited and logged again.
use gateway_core::upstream::Upstream;
use gateway_layers::{gateway::Gateway, jwt::{Algorithm, JwtLayer, VerifyingKey}, retry::RetryLayer, routing::Rule};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(RetryLayer::default()).layer(JwtLayer::new("i", ["a"], [VerifyingKey::secret(Algorithm::Hs256, b"a secret that is as long as a hash").unwrap()])).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
