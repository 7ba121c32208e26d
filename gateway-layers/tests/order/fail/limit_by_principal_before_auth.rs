//! Nobody is known yet, so all would be counted as one.
use gateway_core::upstream::Upstream;
use gateway_layers::{gateway::Gateway, jwt::{Algorithm, JwtLayer, VerifyingKey}, rate_limit::{Quota, RateLimitLayer}, routing::Rule};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(RateLimitLayer::new(Quota::per_second(1)).by(gateway_core::Key::principal())).layer(JwtLayer::new("i", ["a"], [VerifyingKey::secret(Algorithm::Hs256, b"a secret that is as long as a hash").unwrap()])).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
