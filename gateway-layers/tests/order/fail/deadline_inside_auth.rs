//! The wait for keys would be outside of the one deadline.
use gateway_core::upstream::Upstream;
use gateway_layers::{gateway::Gateway, jwt::{Algorithm, JwtLayer, VerifyingKey}, routing::Rule, timeout::TimeoutLayer};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(JwtLayer::new("i", ["a"], [VerifyingKey::secret(Algorithm::Hs256, b"a secret that is as long as a hash").unwrap()])).layer(TimeoutLayer::new(std::time::Duration::from_secs(1))).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
