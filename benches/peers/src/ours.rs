//! Our layers.

use std::time::Duration;

use gateway_benches::{Leaf, request};
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    aggregate::{AggregateLayer, Branch, Plan},
    api_key::{ApiKey, ApiKeyLayer, KeyDigest},
    authorize::AuthorizeLayer,
    bulkhead::BulkheadLayer,
    cache::CacheLayer,
    circuit_breaker::CircuitBreakerLayer,
    client_addr::ClientAddrLayer,
    core::{Body, Key, RescueLayer, canonical::CanonicalLayer, meter::Meter},
    fallback::{FallbackLayer, Instead},
    headers::{HeadersLayer, Rules},
    json_body::{self, JsonBodyLayer},
    jwt::{Algorithm, JwtLayer, VerifyingKey},
    limits::LimitsLayer,
    mask::{self, MaskLayer},
    metrics::MetricsLayer,
    rate_limit::{Fields, Quota, RateLimitLayer},
    request_id::RequestIdLayer,
    retry::RetryLayer,
    routing::{NotFound, RoutingLayer, Rule, Stack},
    timeout::{TimeoutLayer, TryTimeoutLayer},
};
use http::{HeaderName, HeaderValue, Request};
use tower::{Layer, ServiceBuilder};

use crate::{
    cases::{Case, calling, calling_again},
    theirs::CacheableLeaf,
};

macro_rules! cases {
    ($($name:literal: $service:expr;)+) => {
        vec![$(Case { name: $name, leaf: Some("leaf"), make: || calling($service, request) }),+]
    };
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case { name: "leaf", leaf: None, make: || calling(Leaf, request) },
        Case { name: "leaf, with a token", leaf: None, make: || calling(Leaf, with_token) },
        Case { name: "leaf, cacheable", leaf: None, make: || calling(CacheableLeaf, request) },
    ];
    cases.extend(cases! {
        "request_id": RequestIdLayer::default().layer(Leaf);
        "client_addr": ClientAddrLayer::default().layer(Leaf);
        "access_log": AccessLogLayer::new(Sink::writer(std::io::sink())).layer(Leaf);
        "metrics": MetricsLayer::new(&Meter::default()).layer(Leaf);
        "limits": LimitsLayer::default().layer(Leaf);
        "routing, 100 rules": routed(100);
        "timeout": TimeoutLayer::new(Duration::from_secs(5)).layer(Leaf);
        "api_key": ApiKeyLayer::new([ApiKey::new("ada", KeyDigest::of(b"key-1"))]).layer(Leaf);
        "api_key and authorize": ApiKeyLayer::new([ApiKey::new("ada", KeyDigest::of(b"key-1")).scopes(["read"])])
            .layer(AuthorizeLayer::default().scopes(["read"]).layer(Leaf));
        "rate_limit for everyone": limit().by(Key::everyone()).layer(Leaf);
        "rate_limit by address": limit().layer(Leaf);
        "rate_limit by header": limit().by(Key::header(HeaderName::from_static("x-api-key"))).layer(Leaf);
        "rate_limit, draft-10 fields": limit().fields(Fields::Draft10).layer(Leaf);
        "bulkhead": BulkheadLayer::new(100).queue(50).layer(Leaf);
        "headers, one set each way": HeadersLayer::new(set(), set()).expect("rules").layer(Leaf);
        "json_body, an answer without JSON": JsonBodyLayer::new(json_body::Rules::new().drop("a")).expect("rules").layer(Leaf);
        "mask, an answer without JSON": MaskLayer::new(mask::Rules::new().replace("a", "***")).expect("rules").layer(Leaf);
        "aggregate, another path": AggregateLayer::new(Plan::at("/page").branch(Branch::new("a", "/a"))).expect("a plan").layer(Leaf);
        "fallback, a fixed answer": FallbackLayer::answer(Instead::json("{}")).layer(Leaf);
        "retry": RetryLayer::default().layer(Leaf);
        "circuit_breaker": CircuitBreakerLayer::default().layer(Leaf);
        "timeout of a try": TryTimeoutLayer::new(Duration::from_secs(1)).layer(Leaf);
    });
    cases.extend([
        Case {
            name: "jwt HS256, a known token",
            leaf: Some("leaf, with a token"),
            make: || calling(jwt().layer(Leaf), with_token),
        },
        Case {
            name: "jwt HS256, an unseen token",
            leaf: Some("leaf, with a token"),
            make: || calling(jwt().cache(0).layer(Leaf), with_token),
        },
        Case {
            name: "cache, a hit of 1 KiB",
            leaf: Some("leaf"),
            make: || calling_again(CacheLayer::default().layer(CacheableLeaf), request),
        },
        Case {
            name: "all together: 100 routes, id, metrics, HS256, limit",
            leaf: Some("leaf, with a token"),
            make: || calling(together(), with_token),
        },
    ]);
    cases
}

/// The stack of a gateway that only passes, as a user would put it together.
fn together() -> impl tower::Service<Request<Body>, Response = http::Response<Body>, Error: std::fmt::Debug> {
    let route = ServiceBuilder::new().layer(jwt()).layer(limit().by(Key::principal())).service(Leaf);
    let rules = (0..100).map(|number| {
        let stack = if number == 7 { Stack::new(route.clone()) } else { Stack::new(NotFound) };
        (Rule::prefix(format!("/svc{number}")), stack)
    });
    let routing = RoutingLayer::new(rules).expect("rules");
    ServiceBuilder::new()
        .layer(RescueLayer::default())
        .layer(CanonicalLayer::deferred())
        .layer(RequestIdLayer::default())
        .layer(MetricsLayer::new(&Meter::default()))
        .layer(routing)
        .service(NotFound)
}

fn routed(
    rules: u32,
) -> impl tower::Service<Request<Body>, Response = http::Response<Body>, Error: std::fmt::Debug> {
    let rules = (0..rules).map(|number| (Rule::prefix(format!("/svc{number}")), Stack::new(Leaf)));
    RoutingLayer::new(rules).expect("rules").layer(NotFound)
}

fn limit() -> RateLimitLayer {
    RateLimitLayer::new(Quota::per_second(1_000_000_000))
}

fn set() -> Rules {
    Rules::new().set(HeaderName::from_static("x-a"), HeaderValue::from_static("1"))
}

fn jwt() -> JwtLayer {
    let key = VerifyingKey::secret(Algorithm::Hs256, SECRET).expect("a secret");
    JwtLayer::new("https://login.example.com", ["orders"], [key])
}

fn with_token() -> Request<Body> {
    let mut request = request();
    request.headers_mut().insert("authorization", HeaderValue::from_static(BEARER));
    request
}

pub const SECRET: &[u8] = b"an example secret of 32 bytes...";
/// Good until the year 9999.
pub const BEARER: &str = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWRhIiwiZXhwIjoyNTM0MDIzMDA3OTksInNjb3BlIjoib3JkZXJzOnJlYWQiLCJyb2xlcyI6WyJjbGVyayJdfQ.0GwhSMvwL9V1XSgtnJ8KYAan8u0xyumA9M_LlZyR4s4";
