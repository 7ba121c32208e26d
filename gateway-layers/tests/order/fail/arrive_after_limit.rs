use gateway_layers::{
    gateway::Gateway,
    rate_limit::{Quota, RateLimitLayer},
    request_id::RequestIdLayer,
};

fn main() {
    let _ = Gateway::builder()
        .layer(RateLimitLayer::new(Quota::per_second(1)))
        .layer(RequestIdLayer::default());
}
