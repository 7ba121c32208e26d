use gateway_core::phase::{self, Staged};
use gateway_layers::gateway::Gateway;

struct WhoLayer;

impl Staged for WhoLayer {
    type Phase = phase::Allow;
}

struct HowMuchLayer;

impl Staged for HowMuchLayer {
    type Phase = phase::Limit;
}

fn main() {
    let _ = Gateway::builder().layer(HowMuchLayer).layer(WhoLayer);
}
