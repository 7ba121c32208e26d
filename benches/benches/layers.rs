//! What one request costs in each layer over a leaf that answers at once, beside what it replaces.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up ends")]

use std::{hint::black_box, io, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gateway_benches::{Leaf, call, request};
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    aggregate::{AggregateLayer, Branch, Plan},
    api_key::{ApiKey, ApiKeyLayer, KeyDigest},
    authorize::AuthorizeLayer,
    bulkhead::BulkheadLayer,
    cache::CacheLayer,
    circuit_breaker::{CircuitBreakerLayer, Settings},
    client_addr::ClientAddrLayer,
    config::{self, Source},
    core::{Body, Key, RescueLayer, canonical::CanonicalLayer, meter::Meter, upstream::Upstream},
    fallback::{FallbackLayer, Instead},
    gateway::Gateway,
    headers::{HeadersLayer, Rules},
    json_body::{self, JsonBodyLayer},
    limits::LimitsLayer,
    mask::{self, MaskLayer},
    metrics::MetricsLayer,
    rate_limit::{Algorithm, Fields, Limit, Quota, RateLimitLayer},
    request_id::RequestIdLayer,
    retry::RetryLayer,
    routing::{NotFound, RoutingLayer, Rule, Stack},
    timeout::{TimeoutLayer, TryTimeoutLayer},
};
use http::{HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service};

fn layers(criterion: &mut Criterion) {
    // tower's timeout arms a timer for every call, and wants a runtime for it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("layers");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(30);
    let meter = Meter::default();
    let api_key = Key::header(HeaderName::from_static("x-api-key"));
    let set = Rules::new().set(HeaderName::from_static("x-a"), HeaderValue::from_static("1"));

    macro_rules! bench {
        ($name:literal, $service:expr) => {
            let mut service = $service;
            group.bench_function($name, |bencher| {
                bencher.iter_batched(
                    request,
                    |request| call(black_box(&mut service), request),
                    BatchSize::SmallInput,
                );
            });
        };
    }

    bench!("leaf", Leaf);
    bench!("rescue", RescueLayer::default().layer(Leaf));
    bench!("canonical", CanonicalLayer::default().layer(Leaf));
    bench!("request_id", RequestIdLayer::default().layer(Leaf));
    bench!("client_addr", ClientAddrLayer::default().layer(Leaf));
    bench!("access_log", AccessLogLayer::new(Sink::writer(io::sink())).layer(Leaf));
    bench!("metrics", MetricsLayer::new(&meter).layer(Leaf));
    bench!("limits", LimitsLayer::default().layer(Leaf));
    bench!("rate_limit", RateLimitLayer::new(Quota::per_second(1_000_000_000)).layer(Leaf));
    bench!(
        "rate_limit by header",
        RateLimitLayer::new(Quota::per_second(1_000_000_000)).by(api_key).layer(Leaf)
    );
    bench!("bulkhead", BulkheadLayer::new(100).queue(50).layer(Leaf));
    bench!("bulkhead by address", BulkheadLayer::new(100).by(Key::client_addr()).layer(Leaf));
    let endless = Quota::per_second(1_000_000_000);
    bench!(
        "rate_limit, sliding window",
        RateLimitLayer::new(endless).algorithm(Algorithm::SlidingWindow).layer(Leaf)
    );
    bench!(
        "rate_limit, two limits at once",
        RateLimitLayer::new(endless)
            .and(Limit::new("daily", endless).algorithm(Algorithm::SlidingWindow))
            .layer(Leaf)
    );
    bench!(
        "rate_limit with fields of draft 10",
        RateLimitLayer::new(endless).fields(Fields::Draft10).layer(Leaf)
    );
    bench!("headers, set both ways", HeadersLayer::new(set.clone(), set).unwrap().layer(Leaf));
    bench!("circuit_breaker", CircuitBreakerLayer::default().layer(Leaf));
    let slow = Settings::default().slow(Duration::from_secs(1), 0.5);
    bench!("circuit_breaker with slow calls", CircuitBreakerLayer::new(slow).layer(Leaf));
    let edit = JsonBodyLayer::new(json_body::Rules::new().drop("a")).unwrap();
    bench!("json_body, no JSON", edit.layer(Leaf));
    let mask = MaskLayer::new(mask::Rules::new().replace("**.password", "***")).unwrap();
    bench!("mask, no JSON", mask.layer(Leaf));
    bench!("mask without rules", MaskLayer::off().layer(Leaf));
    bench!("cache, by", CacheLayer::default().layer(Leaf));
    let origin = HeadersLayer::new(
        Rules::new(),
        Rules::new().set(http::header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400")),
    );
    bench!("cache, hit", CacheLayer::default().layer(origin.unwrap().layer(Leaf)));
    let elsewhere = Plan::at("/profile/{id}").branch(Branch::new("user", "/users/{id}"));
    bench!("aggregate, another path", AggregateLayer::new(elsewhere).unwrap().layer(Leaf));
    let branches =
        ["a", "b", "c"].map(|name| Branch::new(name, "/part").group(name).service(tower::service_fn(part)));
    let three = branches.into_iter().fold(Plan::everywhere(), Plan::branch);
    bench!("aggregate, three small parts", AggregateLayer::new(three).unwrap().layer(Leaf));
    bench!("timeout", TimeoutLayer::new(Duration::from_secs(5)).layer(Leaf));
    bench!("timeout of a try", TryTimeoutLayer::new(Duration::from_secs(1)).layer(Leaf));
    bench!("retry", RetryLayer::default().layer(Leaf));
    bench!("fallback, fixed", FallbackLayer::answer(Instead::json("{}")).layer(Leaf));
    bench!("fallback, another service", FallbackLayer::service(Leaf).layer(Leaf));
    let keys = ApiKeyLayer::new([ApiKey::new("ada", KeyDigest::of(b"key-1"))]);
    bench!("api_key", keys.layer(Leaf));
    bench!("api_key and authorize", keys.layer(AuthorizeLayer::default().layer(Leaf)));
    for (name, rules) in [("routing, 100 rules", 100), ("routing, 10,000 rules", 10_000)] {
        let rules = (0..rules).map(|number| (Rule::prefix(format!("/svc{number}")), Stack::new(Leaf)));
        let mut service = RoutingLayer::new(rules).unwrap().layer(NotFound);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(request, |request| call(&mut service, request), BatchSize::SmallInput);
        });
    }
    bench!(
        "tower-http request id",
        tower_http::request_id::SetRequestIdLayer::x_request_id(tower_http::request_id::MakeRequestUuid)
            .layer(Leaf)
    );
    bench!(
        "tower-http set header",
        tower_http::set_header::SetResponseHeaderLayer::overriding(
            HeaderName::from_static("x-a"),
            HeaderValue::from_static("1")
        )
        .layer(Leaf)
    );
    bench!("tower timeout", tower::timeout::TimeoutLayer::new(Duration::from_secs(5)).layer(Leaf));
    bench!("tower retry", tower::retry::RetryLayer::new(Once).layer(Leaf));
    bench!("tower concurrency limit", tower::limit::ConcurrencyLimitLayer::new(10).layer(Leaf));
    group.finish();
}

async fn part(_: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    Ok(Response::new(Body::from(r#"{"id":7,"name":"Ada","tags":["a","b"]}"#)))
}

/// The same gateway written in Rust and declared in a document; its route refuses, so that no upstream takes part.
fn declared(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("declared against written");
    group.measurement_time(Duration::from_secs(3)).sample_size(50);
    let meter = Meter::default();
    let written = Gateway::builder()
        .layer(AccessLogLayer::new(Sink::file("/dev/null")))
        .layer(MetricsLayer::new(&meter))
        .layer(ClientAddrLayer::default())
        .layer(RequestIdLayer::default())
        .layer(LimitsLayer::default())
        .meter(&meter)
        .route(Rule::prefix("/svc7"), |route| {
            route
                .layer(TimeoutLayer::new(Duration::from_secs(5)))
                .layer(RateLimitLayer::new(Quota::per_second(0)).meter(&meter, "svc7"))
                .layer(HeadersLayer::default())
                .upstream(Upstream::new(["http://127.0.0.1:1"]))
        })
        .build()
        .unwrap();
    let text = "
access_log: {to: /dev/null}
metrics: {}
request_id: {}
routes:
  - prefix: /svc7
    rate_limit: {requests: 0}
    timeout: 5s
    upstream: http://127.0.0.1:1
";
    let context = config::Context::default();
    let declared = config::load(Source { name: "bench", text }, |_| None, &context).unwrap().service();
    for (name, path) in [("429 by the route", "/svc7/a"), ("404 without a route", "/nothing")] {
        bench_gateway(&mut group, &format!("written, {name}"), path, &mut written.clone());
        bench_gateway(&mut group, &format!("declared, {name}"), path, &mut declared.clone());
    }
    group.finish();
}

fn bench_gateway<S>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    path: &'static str,
    service: &mut S,
) where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let make = || {
        let mut request = request();
        *request.uri_mut() = http::Uri::from_static(path);
        request
    };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(make, |request| call(service, request), BatchSize::SmallInput);
    });
}

/// tower's retry with a policy that keeps the first answer, and the whole request until then, as ours does.
#[derive(Clone)]
struct Once;

impl<A, E> tower::retry::Policy<Request<Body>, A, E> for Once {
    type Future = std::future::Ready<()>;

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

criterion_group!(benches, layers, declared);
criterion_main!(benches);
