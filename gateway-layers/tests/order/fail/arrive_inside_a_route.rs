use gateway_core::upstream::Upstream;
use gateway_layers::{client_addr::ClientAddrLayer, gateway::Gateway, routing::Rule};

fn main() {
    let _ = Gateway::builder().route(Rule::prefix("/"), |route| {
        route.layer(ClientAddrLayer::default()).upstream(Upstream::new(["http://127.0.0.1:9000"]))
    });
}
