use gateway_layers::gateway::Gateway;
use tower::limit::ConcurrencyLimitLayer;

fn main() {
    let _ = Gateway::builder().layer(ConcurrencyLimitLayer::new(10));
}
