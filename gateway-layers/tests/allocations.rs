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
    aggregate::{AggregateLayer, Branch, Plan},
    api_key::{ApiKey, ApiKeyLayer, KeyDigest},
    authorize::AuthorizeLayer,
    bulkhead::BulkheadLayer,
    cache::CacheLayer,
    circuit_breaker::{CircuitBreakerLayer, Settings},
    client_addr::ClientAddrLayer,
    fallback::{FallbackLayer, Instead},
    gateway::Gateway,
    headers::{HeadersLayer, Rules},
    json_body::{self, JsonBodyLayer},
    jwt::{Algorithm, JwtLayer, VerifyingKey},
    limits::LimitsLayer,
    mask::{self, MaskLayer},
    metrics::MetricsLayer,
    rate_limit::{self, Fields, Limit, Quota, RateLimitLayer},
    request_id::RequestIdLayer,
    retry::RetryLayer,
    routing::{NotFound, RoutingLayer, Rule, Stack},
    timeout::{TimeoutLayer, TryTimeoutLayer},
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

/// Allocations of one request, the median of some, after others to warm up, with the answer's body dropped.
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
    // The one in the middle: a store tidies up now and then.
    let mut counts: Vec<u64> = (0..21).map(|_| one()).collect();
    counts.sort_unstable();
    counts[10]
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
    let by_key = limit.by(api_key);
    assert_eq!(allocations(by_key.layer(Leaf)), 0, "rate_limit by header");
    let several = (0..7_u32).fold(by_key, |layer, number| {
        let limit = Limit::new(number.to_string(), Quota::per_second(1_000_000));
        layer.and(limit.algorithm(rate_limit::Algorithm::SlidingWindow))
    });
    assert_eq!(allocations(several.layer(Leaf)), 0, "rate_limit with eight limits");
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
    assert_eq!(allocations(TryTimeoutLayer::new(Duration::from_secs(1)).layer(Leaf)), 0, "timeout of a try");
    assert_eq!(allocations(RetryLayer::off().layer(Leaf)), 0, "retry without another try");
    let instead = FallbackLayer::answer(Instead::json("{}"));
    assert_eq!(allocations(instead.layer(Leaf)), 0, "fallback with a fixed answer");
    assert_eq!(allocations(BulkheadLayer::new(10).queue(10).layer(Leaf)), 0, "bulkhead");
    assert_eq!(allocations(CircuitBreakerLayer::default().layer(Leaf)), 0, "circuit_breaker");
    let slow = Settings::default().slow(Duration::from_secs(1), 0.5);
    assert_eq!(allocations(CircuitBreakerLayer::new(slow).layer(Leaf)), 0, "circuit_breaker with slow calls");
    let keyed = CircuitBreakerLayer::default().by(Key::client_addr(), 100);
    assert_eq!(allocations(keyed.layer(Leaf)), 0, "circuit_breaker by address");
    assert_eq!(allocations(HeadersLayer::default().layer(Leaf)), 0, "headers without rules");
    assert_eq!(allocations(JsonBodyLayer::off().layer(Leaf)), 0, "json_body without rules");
    let edit = JsonBodyLayer::new(json_body::Rules::new().drop("a")).unwrap();
    assert_eq!(allocations(edit.layer(Leaf)), 0, "json_body, for an answer that is no JSON");
    assert_eq!(allocations(MaskLayer::off().layer(Leaf)), 0, "mask without rules");
    let mask = MaskLayer::new(mask::Rules::new().replace("a", "***")).unwrap();
    assert_eq!(allocations(mask.layer(Leaf)), 0, "mask, for an answer that is no JSON");
    let elsewhere = Plan::at("/profile/{id}").branch(Branch::new("user", "/users/{id}"));
    let aggregate = AggregateLayer::new(elsewhere).unwrap();
    assert_eq!(allocations(aggregate.layer(Leaf)), 0, "aggregate beside its path");
    assert_eq!(allocations(AggregateLayer::off().layer(Leaf)), 0, "aggregate without a plan");
    assert_eq!(allocations(gateway_core::canonical::CanonicalLayer::default().layer(Leaf)), 0, "canonical");
    assert_eq!(allocations(gateway_core::RescueLayer::default().layer(Leaf)), 0, "rescue");
}

#[test]
fn layers_that_write_state_what_they_allocate() {
    assert_eq!(allocations(RequestIdLayer::default().layer(Leaf)), 5, "{REQUEST_ID}");
    let from = |template: &str| {
        let name = HeaderName::from_static("x-api-key");
        HeadersLayer::new(Rules::new().set_from(name, template.parse().unwrap()), Rules::new()).unwrap()
    };
    assert_eq!(allocations(from("{{1}}").layer(Leaf)), 0, "headers of constants");
    assert_eq!(allocations(from("{client_addr}").layer(Leaf)), 3, "{FROM_FACTS}");
    let log = AccessLogLayer::new(Sink::writer(std::io::sink()));
    assert_eq!(allocations(log.layer(Leaf)), 0, "access_log, once its buffers have grown");
    let keyed = BulkheadLayer::new(10).by(Key::client_addr());
    assert_eq!(allocations(keyed.layer(Leaf)), 1, "bulkhead by address: a gate for a key that was not there");
    assert_eq!(allocations(RetryLayer::default().layer(Leaf)), 2, "{A_COPY_OF_THE_HEAD}");
    assert_eq!(allocations(FallbackLayer::service(Leaf).layer(Leaf)), 2, "{A_COPY_OF_THE_HEAD}");
    let told = RateLimitLayer::new(Quota::per_second(1_000_000)).fields(Fields::Draft10);
    assert_eq!(allocations(told.layer(Leaf)), 5, "{RATE_LIMIT_FIELDS}");
    let routing = RoutingLayer::new([(Rule::prefix("/orders"), Stack::new(Leaf))]).unwrap();
    assert_eq!(allocations(routing.layer(NotFound)), 1, "routing: the boxed future of the route");
}

/// Says how long its answers are fresh, or not.
#[derive(Clone)]
struct Origin(Option<&'static str>);

impl<B> Service<Request<B>> for Origin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(Body::empty());
        if let Some(control) = self.0 {
            response.headers_mut().insert("cache-control", http::HeaderValue::from_static(control));
        }
        std::future::ready(Ok(response))
    }
}

#[test]
fn a_cache_states_what_it_allocates() {
    let cache = CacheLayer::default();
    assert_eq!(allocations(CacheLayer::off().layer(Leaf)), 0, "cache off");
    assert_eq!(allocations(cache.layer(Origin(Some("public, max-age=60")))), 2, "{CACHE_HIT}");
    let by = tower::util::MapRequestLayer::new(|mut request: Request<Body>| {
        *request.method_mut() = http::Method::POST;
        request
    });
    let origin = Origin(Some("no-store"));
    let alone = allocations(by.layer(origin.clone()));
    assert_eq!(
        allocations(by.layer(cache.layer(origin))),
        alone,
        "what passes by: nothing, if the head has room"
    );
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
                .layer(TimeoutLayer::new(Duration::from_secs(5)))
                .layer(RateLimitLayer::new(Quota::per_second(1_000_000)))
                .service(Leaf)
        })
        .build()
        .unwrap();
    assert_eq!(allocations(gateway), 1 + 5);
}

const RATE_LIMIT_FIELDS: &str = "two for the text, which is cut to its length, one for the list of the answer's headers, two for its empty header map";
/// HS256, good until the year 9999.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWRhIiwiZXhwIjoyNTM0MDIzMDA3OTksInNjb3BlIjoib3JkZXJzOnJlYWQiLCJyb2xlcyI6WyJjbGVyayJdfQ.0GwhSMvwL9V1XSgtnJ8KYAan8u0xyumA9M_LlZyR4s4";

const REQUEST_ID: &str =
    "two for the shared id, one for the list of the answer's headers, two for its empty header map";

const A_COPY_OF_THE_HEAD: &str = "retry, and fallback with a service: two for the copy of the headers";
const FROM_FACTS: &str =
    "headers: the list of values; for one of them its text, and the value that shares it";
const CACHE_HIT: &str =
    "two for the copy of the header map; within one second Age and Cache-Status are those of the hit before";
