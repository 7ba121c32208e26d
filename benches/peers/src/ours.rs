//! Our layers.

use tower::Layer;

use crate::cases::{Case, Leaf, calling, request};
use gateway_layers::rate_limit::{Quota, RateLimitLayer};

pub fn cases() -> Vec<Case> {
    let over_leaf = |name, make| Case { name, leaf: Some("leaf"), make };
    vec![
        Case { name: "leaf", leaf: None, make: || calling(Leaf, request) },
        over_leaf("rate_limit", || {
            calling(RateLimitLayer::new(Quota::per_second(1_000_000_000)).layer(Leaf), request)
        }),
    ]
}
