use gateway_core::{phase, upstream::Upstream};
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    client_addr::ClientAddrLayer,
    gateway::Gateway,
    rate_limit::{Quota, RateLimitLayer},
    routing::Rule,
};
use tower::limit::ConcurrencyLimitLayer;

fn main() {
    let gateway = Gateway::builder()
        .layer(ClientAddrLayer::default())
        .layer_at(phase::Arrive, RateLimitLayer::new(Quota::per_second(1)))
        .layer(AccessLogLayer::new(Sink::writer(std::io::sink())))
        .layer_unordered(ConcurrencyLimitLayer::new(1000))
        .route(Rule::prefix("/"), |route| {
            route
                .layer_at(phase::Limit, ConcurrencyLimitLayer::new(10))
                .upstream(Upstream::new(["http://127.0.0.1:9000"]))
        })
        .build();
    assert!(gateway.is_ok());
}
