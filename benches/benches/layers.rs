//! What one request costs in each layer over a leaf that answers at once, beside what it replaces.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up ends")]

use std::{hint::black_box, io, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gateway_benches::{Leaf, call, request};
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    client_addr::ClientAddrLayer,
    config::{self, Source},
    core::{Body, Key, RescueLayer, canonical::CanonicalLayer, meter::Meter, phase},
    gateway::Gateway,
    headers::{HeadersLayer, Rules},
    limits::LimitsLayer,
    metrics::MetricsLayer,
    rate_limit::{Quota, RateLimitLayer},
    request_id::RequestIdLayer,
    routing::{NotFound, RoutingLayer, Rule, Stack},
    timeout::TimeoutLayer,
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
    bench!("headers, set both ways", HeadersLayer::new(set.clone(), set).unwrap().layer(Leaf));
    bench!("timeout", TimeoutLayer::new(Duration::from_secs(5)).layer(Leaf));
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
    bench!("tower concurrency limit", tower::limit::ConcurrencyLimitLayer::new(10).layer(Leaf));
    group.finish();
}

/// The same gateway by hand, by the builder, and from a document.
fn declared(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("declared against written");
    group.measurement_time(Duration::from_secs(3)).sample_size(50);
    let meter = Meter::default();

    let mut written = Gateway::builder()
        .layer(AccessLogLayer::new(Sink::writer(io::sink())))
        .layer(MetricsLayer::new(&meter))
        .layer(ClientAddrLayer::default())
        .layer(RequestIdLayer::default())
        .layer(LimitsLayer::default())
        .meter(&meter)
        .route(Rule::prefix("/svc7"), |route| {
            route
                .layer(RateLimitLayer::new(Quota::per_second(1_000_000_000)))
                .layer_at(phase::Shape, HeadersLayer::default())
                .layer(TimeoutLayer::new(Duration::from_secs(5)))
                .service(Refusing)
        })
        .build()
        .unwrap();
    bench_gateway(&mut group, "written", &mut written);

    let text = "
access_log: {to: /dev/null}
metrics: {}
request_id: {}
routes:
  - prefix: /svc7
    rate_limit: {requests: 1000000000, per: 1s}
    timeout: 5s
    headers: {}
    upstream: http://127.0.0.1:1
";
    let context = config::Context::default();
    let declared = config::load(Source { name: "bench", text }, |_| None, &context).unwrap();
    bench_gateway(&mut group, "declared, route not found", &mut declared.service());
    bench_gateway(&mut group, "written, route not found", &mut written);
    group.finish();
}

fn bench_gateway<S>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    service: &mut S,
) where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let not_found = name.ends_with("not found");
    let make = || {
        let mut request = request();
        if not_found {
            *request.uri_mut() = http::Uri::from_static("/nothing");
        }
        request
    };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(make, |request| call(service, request), BatchSize::SmallInput);
    });
}

/// A leaf whose error type can carry a timeout.
#[derive(Clone, Copy)]
struct Refusing;

impl<B> Service<Request<B>> for Refusing {
    type Response = Response<Body>;
    type Error = gateway_layers::core::BoxError;
    type Future = std::future::Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

criterion_group!(benches, layers, declared);
criterion_main!(benches);
