//! What each layer allocates when a request passes: the figures that the documents promise.
//!
//! Every service is driven over an inner service that is ready and answers at once, with facts that exist
//! already, as they do behind our server.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use gateway_core::{Body, Clock, Facts, Key, meter::Meter};
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    api_key::{ApiKey, ApiKeyLayer, KeyDigest},
    authorize::AuthorizeLayer,
    client_addr::ClientAddrLayer,
    gateway::Gateway,
    headers::HeadersLayer,
    jwt::{Algorithm, JwtLayer, VerifyingKey},
    limits::LimitsLayer,
    metrics::MetricsLayer,
    rate_limit::{Quota, RateLimitLayer},
    request_id::RequestIdLayer,
    routing::{NotFound, RoutingLayer, Rule, Stack},
    timeout::TimeoutLayer,
};
use http::{HeaderName, Request, Response};
use tower::{Layer, Service};

/// Answers at once and allocates nothing.
#[derive(Clone)]
struct Leaf;

impl<B> Service<Request<B>> for Leaf {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

/// Allocations of one request after some to warm up, with the answer's body dropped.
fn allocations<S, B>(mut service: S) -> u64
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    let mut one = || {
        let request = request();
        let mut cx = Context::from_waker(Waker::noop());
        allocation_counter::measure(|| {
            assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
            match pin!(service.call(request)).poll(&mut cx) {
                Poll::Ready(Ok(response)) => drop(response),
                _ => panic!("the leaf answers at once"),
            }
        })
        .count_total
    };
    for _ in 0..10 {
        one();
    }
    one()
}

fn request() -> Request<Body> {
    let mut request = Request::get("/orders/7")
        .header("host", "example.com")
        .header("x-api-key", "k")
        .header("authorization", format!("Bearer {TOKEN}"));
    let clock = Clock::default();
    let facts = Facts::of(request.extensions_mut().unwrap(), &clock);
    facts.set_peer("127.0.0.1:4000".parse().unwrap());
    facts.set_client_addr([127, 0, 0, 1].into());
    let request = request.body(Body::empty()).unwrap();
    // What hyper reads are slices of one shared buffer; a first clone makes these so, too.
    drop((request.uri().clone(), request.headers().clone()));
    request
}

#[test]
fn layers_that_write_nothing_allocate_nothing() {
    let api_key = Key::header(HeaderName::from_static("x-api-key"));
    let limit = RateLimitLayer::new(Quota::per_second(1_000_000));
    assert_eq!(allocations(limit.layer(Leaf)), 0, "rate_limit by address");
    assert_eq!(allocations(limit.by(api_key).layer(Leaf)), 0, "rate_limit by header");
    assert_eq!(allocations(ClientAddrLayer::default().layer(Leaf)), 0, "client_addr");
    assert_eq!(allocations(LimitsLayer::default().layer(Leaf)), 0, "limits");
    assert_eq!(allocations(MetricsLayer::new(&Meter::default()).layer(Leaf)), 0, "metrics");
    let secret = VerifyingKey::secret(Algorithm::Hs256, b"an example secret of 32 bytes...").unwrap();
    let jwt = JwtLayer::new("https://login.example.com", ["orders"], [secret]);
    assert_eq!(allocations(jwt.layer(Leaf)), 0, "jwt, once the token is known");
    let api_key = ApiKeyLayer::new([ApiKey::new("ada", KeyDigest::of(b"k")).scopes(["read"])]);
    assert_eq!(allocations(api_key.layer(Leaf)), 0, "api_key");
    let read = AuthorizeLayer::default().scopes(["read"]);
    assert_eq!(allocations(api_key.layer(read.layer(Leaf))), 0, "api_key and authorize");
    assert_eq!(allocations(TimeoutLayer::new(Duration::from_secs(5)).layer(Leaf)), 0, "timeout");
    assert_eq!(allocations(HeadersLayer::default().layer(Leaf)), 0, "headers without rules");
    assert_eq!(allocations(gateway_core::canonical::CanonicalLayer::default().layer(Leaf)), 0, "canonical");
    assert_eq!(allocations(gateway_core::RescueLayer::default().layer(Leaf)), 0, "rescue");
}

#[test]
fn layers_that_write_state_what_they_allocate() {
    assert_eq!(allocations(RequestIdLayer::default().layer(Leaf)), 5, "{REQUEST_ID}");
    let log = AccessLogLayer::new(Sink::writer(std::io::sink()));
    assert_eq!(allocations(log.layer(Leaf)), 0, "access_log, once its buffers have grown");
    let routing = RoutingLayer::new([(Rule::prefix("/orders"), Stack::new(Leaf))]).unwrap();
    assert_eq!(allocations(routing.layer(NotFound)), 1, "routing: the boxed future of the route");
}

/// DESIGN's contract: at most two boxed futures per proxied request (route seam, leaf), and no boxed body where no
/// layer wrapped one. The request has no body, the answer is empty; what is left is the seam and what the request id costs.
#[test]
fn a_whole_gateway_allocates_what_its_layers_say() {
    let gateway = Gateway::builder()
        .layer(MetricsLayer::new(&Meter::default()))
        .layer(ClientAddrLayer::default())
        .layer(RequestIdLayer::default())
        .layer(LimitsLayer::default())
        .route(Rule::prefix("/orders"), |route| {
            route
                .layer(RateLimitLayer::new(Quota::per_second(1_000_000)))
                .layer(TimeoutLayer::new(Duration::from_secs(5)))
                .service(Leaf)
        })
        .build()
        .unwrap();
    assert_eq!(allocations(gateway), 1 + 5);
}

/// HS256, good until the year 9999.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWRhIiwiZXhwIjoyNTM0MDIzMDA3OTksInNjb3BlIjoib3JkZXJzOnJlYWQiLCJyb2xlcyI6WyJjbGVyayJdfQ.0GwhSMvwL9V1XSgtnJ8KYAan8u0xyumA9M_LlZyR4s4";

const REQUEST_ID: &str =
    "two for the shared id, one for the list of the answer's headers, two for its empty header map";
