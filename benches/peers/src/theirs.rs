//! What would be used instead.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body as AxumBody, extract::ConnectInfo};
use bytes::Bytes;
use gateway_benches::{Leaf, request};
use gateway_layers::core::Body;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_resilience::{
    bulkhead::BulkheadLayer, circuitbreaker::CircuitBreakerLayer, ratelimiter::RateLimiterLayer,
};

use crate::{
    cases::{Case, calling, calling_again},
    ours::{BEARER, SECRET},
};

pub fn cases() -> Vec<Case> {
    let over_leaf = |name, make| Case { name, leaf: Some("leaf"), make };
    vec![
        over_leaf("tower-resilience breaker", || {
            let layer =
                CircuitBreakerLayer::builder().failure_rate_threshold(0.5).build().expect("a breaker");
            calling(layer.layer(Leaf), request)
        }),
        over_leaf("tower-resilience bulkhead", || {
            let layer = BulkheadLayer::builder().max_concurrent_calls(10).build().expect("a bulkhead");
            calling(layer.layer(Leaf), request)
        }),
        over_leaf("tower retry", || calling(tower::retry::RetryLayer::new(Once).layer(Leaf), request)),
        over_leaf("tower-resilience rate limiter", || {
            let layer = RateLimiterLayer::builder()
                .limit_for_period(1_000_000_000)
                .refresh_period(Duration::from_secs(1))
                .build()
                .expect("a limiter");
            calling(layer.layer(Leaf), request)
        }),
        Case { name: "axum leaf", leaf: None, make: || calling(AxumLeaf, request) },
        Case {
            name: "tower_governor, by address",
            leaf: Some("axum leaf"),
            make: || {
                let config = tower_governor::governor::GovernorConfigBuilder::default()
                    .per_nanosecond(1)
                    .burst_size(u32::MAX)
                    .finish()
                    .expect("a limit");
                let layer = tower_governor::GovernorLayer::new(Arc::new(config));
                calling(layer.layer(AxumLeaf), || {
                    let mut request = request();
                    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000))));
                    request
                })
            },
        },
        over_leaf("tower timeout", || {
            calling(tower::timeout::TimeoutLayer::new(Duration::from_secs(5)).layer(Leaf), request)
        }),
        over_leaf("tower concurrency limit", || {
            calling(tower::limit::ConcurrencyLimitLayer::new(10).layer(Leaf), request)
        }),
        Case {
            name: "jsonwebtoken HS256, bare",
            leaf: None,
            make: || {
                let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
                let key = jsonwebtoken::DecodingKey::from_secret(SECRET);
                let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
                validation.set_audience(&["orders"]);
                validation.set_issuer(&["https://login.example.com"]);
                let token = BEARER.trim_start_matches("Bearer ");
                Box::new(move || {
                    let decoded = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation);
                    drop(decoded.expect("a good token"));
                })
            },
        },
        Case {
            name: "http-cache-tower, a hit of 1 KiB",
            leaf: Some("leaf"),
            make: || {
                let manager = http_cache::MokaManager::default();
                let layer = http_cache_tower::HttpCacheLayer::new(manager);
                calling_again(layer.layer(CacheableLeaf), || {
                    let mut request = request();
                    *request.uri_mut() = http::Uri::from_static("http://example.com/svc7/orders");
                    request
                })
            },
        },
    ]
}

/// tower's retry with a policy that keeps the first answer, and a copy of the request until then, as ours does.
#[derive(Clone)]
struct Once;

impl<A, E> tower::retry::Policy<Request<Body>, A, E> for Once {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<Body>, _: &mut Result<A, E>) -> Option<Self::Future> {
        None
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(Body::empty());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

/// A leaf with the body that tower_governor refuses with.
#[derive(Clone, Copy)]
struct AxumLeaf;

impl<B> Service<Request<B>> for AxumLeaf {
    type Response = Response<AxumBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<AxumBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(AxumBody::empty())))
    }
}

/// A leaf whose answer may be kept for a minute.
#[derive(Clone, Copy)]
pub struct CacheableLeaf;

impl<B> Service<Request<B>> for CacheableLeaf {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let answer = Response::builder().header("cache-control", "max-age=60").body(Full::from(ONE_KIB));
        ready(Ok(answer.expect("a response")))
    }
}

const ONE_KIB: &[u8] = &[b'x'; 1024];
