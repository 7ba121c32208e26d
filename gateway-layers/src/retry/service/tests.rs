use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gateway_core::{
    Clock, Facts, Refusal, UpstreamError, body::CollectError, budget::Buffers, error::ErrorKind,
    meter::Meter, random::Random, refusal::Asked, testing::contract,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::{
    retry::{Budget, RetryLayer, Terms},
    timeout::{TimeoutLayer, TryTimeoutLayer},
};

type Outcome = Result<Response<Body>, BoxError>;

/// Ends every call with the next outcome of a list and the rest with 200.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    outcomes: VecDeque<Outcome>,
    calls: Vec<(Parts, Clock, std::time::Instant)>,
}

impl Script {
    fn of(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let outcomes = outcomes.into_iter().collect();
        Self(Arc::new(Mutex::new(Told { outcomes, calls: Vec::new() })))
    }

    fn calls(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.len()
    }

    /// When the calls were made, after the first one.
    fn times(&self) -> Vec<Duration> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.calls.iter().map(|(_, _, at)| *at - told.calls[0].2).collect()
    }
}

impl Service<Request<Body>> for Script {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = Clock::default();
        let now = clock.now();
        told.calls.push((request.into_parts().0, clock, now));
        ready(told.outcomes.pop_front().unwrap_or_else(|| answer(200)))
    }
}

fn answer(status: u16) -> Outcome {
    Ok(Response::builder().status(status).body(Body::from(status.to_string()))?)
}

fn failed(kind: ErrorKind) -> Outcome {
    Err(UpstreamError::new(kind).into())
}

fn request(method: &str) -> Request<Body> {
    Request::builder().method(method).uri("/orders").header("host", "a.test").body(Body::empty()).unwrap()
}

async fn status(layer: &RetryLayer, script: &Script, request: Request<Body>) -> u16 {
    match layer.layer(script.clone()).oneshot(request).await {
        Ok(response) => response.status().as_u16(),
        Err(error) => Failure::failure(&error).map_or(0, |failure| failure.kind().status().as_u16()),
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(RetryLayer::default()).await;
    contract::check(RetryLayer::default().body(0)).await;
    contract::check(RetryLayer::off()).await;
    let put = || {
        let mut request = contract::request();
        *request.method_mut() = http::Method::PUT;
        request
    };
    contract::check_with(RetryLayer::default(), put).await;
}

#[tokio::test(start_paused = true)]
async fn tries_again_what_is_safe_and_the_last_outcome_counts() {
    let twice = |outcome: fn() -> Outcome| Script::of([outcome(), outcome()]);
    for (method, outcome, calls, ends) in [
        ("GET", (|| answer(503)) as fn() -> Outcome, 3, 200),
        ("PUT", || answer(502), 3, 200),
        ("POST", || answer(503), 1, 503),
        ("GET", || answer(500), 1, 500),
        ("GET", || failed(ErrorKind::Reset), 3, 200),
        ("POST", || failed(ErrorKind::Reset), 1, 502),
        ("POST", || failed(ErrorKind::Connect), 3, 200),
        ("POST", || Err(UpstreamError::new(ErrorKind::Timeout).unsent().into()), 3, 200),
        ("DELETE", || failed(ErrorKind::Timeout), 3, 200),
        ("GET", || failed(ErrorKind::NoEndpoint), 1, 503),
        ("GET", || failed(ErrorKind::RequestBody), 1, 400),
        ("GET", || Err("a stranger".into()), 1, 0),
    ] {
        let script = twice(outcome);
        let found = status(&RetryLayer::default(), &script, request(method)).await;
        assert_eq!((script.calls(), found), (calls, ends), "{method} {:?}", outcome());
    }
    let script = Script::of((0..9).map(|_| answer(503)));
    assert_eq!(status(&RetryLayer::default(), &script, request("GET")).await, 503);
    assert_eq!(script.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_safe_can_be_said() {
    let teapot = StatusCode::IM_A_TEAPOT;
    let layer = RetryLayer::default().statuses([teapot]).methods([http::Method::POST]).tries(2);
    for (method, calls) in [("POST", 2), ("GET", 1)] {
        let script = Script::of([answer(418)]);
        status(&layer, &script, request(method)).await;
        assert_eq!(script.calls(), calls, "{method}");
    }
    let layer = RetryLayer::default().idempotency_key(true);
    let script = Script::of([answer(503)]);
    let mut keyed = request("POST");
    keyed.headers_mut().insert("idempotency-key", HeaderValue::from_static("7"));
    assert_eq!(status(&layer, &script, keyed).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_no_of_a_layer_inside_stays_a_no_but_a_failure_answered_on_the_spot_is_one() {
    let refused = |code| {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, "no");
        Ok(refusal.into_response(&Asked::of(&request("GET").into_parts().0)))
    };
    for (code, calls) in [("circuit_open", 1), ("overloaded", 1), ("upstream_timeout", 2)] {
        let script = Script::of([refused(code)]);
        status(&RetryLayer::default(), &script, request("GET")).await;
        assert_eq!(script.calls(), calls, "{code}");
    }
    let asked = Asked::of(&request("GET").into_parts().0);
    let silent = service_fn(move |_: Request<Body>| {
        ready(<Infallible as Failure>::outcome::<Body>(UpstreamError::new(ErrorKind::Reset), &asked))
    });
    let meter = Meter::default();
    let layer = RetryLayer::default().meter(&meter, "here");
    let Ok(answer) = layer.layer(silent).oneshot(request("GET")).await;
    assert_eq!(answer.status(), 502);
    assert!(meter.render().contains("gateway_retries_total{place=\"here\"} 2"), "{}", meter.render());
}

#[tokio::test(start_paused = true)]
async fn waits_as_the_policy_says_and_never_beyond_the_deadline() {
    let busy = |after: &'static str| {
        let mut answer = answer(503)?;
        answer.headers_mut().insert("retry-after", HeaderValue::from_static(after));
        Ok(answer)
    };
    let script = Script::of([busy("1"), busy("0"), busy("1")]);
    let layer = RetryLayer::default().backoff(Duration::ZERO, Duration::ZERO);
    assert_eq!(status(&layer, &script, request("GET")).await, 503);
    let seconds: Vec<f32> = script.times().iter().map(Duration::as_secs_f32).map(f32::round).collect();
    assert_eq!(seconds, [0.0, 1.0, 1.0]);

    let script = Script::of([busy("2")]);
    assert_eq!(status(&layer, &script, request("GET")).await, 503, "it is the client's turn to wait");

    // Whatever chance says, the deadline holds.
    for seed in 0..200 {
        let layer = RetryLayer::default()
            .tries(9)
            .random(Random::seeded(seed))
            .backoff(Duration::from_millis(400), Duration::from_secs(2));
        let script = Script::of((0..20).map(|_| failed(ErrorKind::Reset)));
        let start = Clock::default().now();
        let service = TimeoutLayer::new(Duration::from_secs(1)).layer(layer.layer(script.clone()));
        let mut get = request("GET");
        let facts = Facts::of(get.extensions_mut(), &Clock::default()).clone();
        let error = service.oneshot(get).await.unwrap_err();
        assert_eq!(Failure::failure(&error).unwrap().kind(), ErrorKind::Reset, "what it has, not a timeout");
        assert!(Clock::default().now() - start < Duration::from_secs(1));
        assert_eq!(facts.attempt() as usize, script.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn one_try_ends_in_time_for_another_one() {
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let slow_once = service_fn(move |_: Request<Body>| {
        let first = std::mem::replace(&mut *counted.lock().unwrap(), 1) == 0;
        async move {
            let time = if first { 3600 } else { 0 };
            tokio::time::sleep(Duration::from_secs(time)).await;
            answer(200)
        }
    });
    let tries = RetryLayer::default().layer(TryTimeoutLayer::new(Duration::from_secs(1)).layer(slow_once));
    let service = TimeoutLayer::new(Duration::from_secs(5)).layer(tries);
    let start = Clock::default().now();
    assert_eq!(service.oneshot(request("GET")).await.unwrap().status(), 200);
    assert!(Clock::default().now() - start < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_all_services_together_and_a_waiting_retry_has_paid() {
    let terms = Terms { ratio: 0.0, per_second: 0 };
    let budget = Arc::new(Budget::new(terms, Clock::default().now()));
    let meter = Meter::default();
    let slow = Duration::from_secs(3600);
    let layer = |place| RetryLayer::default().tries(2).budget(Arc::clone(&budget)).meter(&meter, place);
    let waiting = layer("a").backoff(slow, slow).random(Random::seeded(1));
    let scripts: Vec<Script> = (0..4).map(|_| Script::of([answer(503)])).collect();
    let mut futures: Vec<_> = scripts
        .iter()
        .map(|script| Box::pin(waiting.layer(script.clone()).oneshot(request("GET"))))
        .collect();
    for future in &mut futures {
        assert!(std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await);
    }
    let mut tried_again = 0;
    for _ in 0..10 {
        let script = Script::of([answer(503)]);
        status(&layer("b"), &script, request("GET")).await;
        tried_again += script.calls() - 1;
    }
    assert_eq!(tried_again, 6, "four of ten were waiting");
    let abandoned = "gateway_retries_abandoned_total{place=\"b\",reason=\"budget\"} 4";
    assert!(meter.render().contains(abandoned), "{}", meter.render());
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_the_upstream_a_fifth_more_and_not_a_multiple() {
    let down = Script::of((0..5000).map(|_| answer(503)));
    let service = RetryLayer::default().tries(5).layer(down.clone());
    let start = Clock::default().now();
    for request_of_the_outage in 0..1000 {
        let get = service.clone().oneshot(request("GET"));
        assert_eq!(get.await.unwrap().status(), 503, "{request_of_the_outage}");
    }
    let seconds = (Clock::default().now() - start).as_secs_f64();
    let most = 1000.0 + 100.0 + 0.2 * 1000.0 + 10.0 * seconds;
    assert!((down.calls() as f64) <= most, "{} calls in {seconds} s", down.calls());
    assert!(down.calls() > 1200);
}

#[tokio::test(start_paused = true)]
async fn another_try_gets_the_same_head_and_body_and_a_long_body_only_one() {
    let seen: Arc<Mutex<Vec<(HeaderMap, Result<Bytes, CollectError>)>>> = Arc::default();
    let record = Arc::clone(&seen);
    let unavailable = service_fn(move |request: Request<Body>| {
        let seen = Arc::clone(&record);
        async move {
            let (head, body) = request.into_parts();
            let body = Body::collect_limited(body, 1 << 20).await;
            seen.lock().unwrap().push((head.headers, body));
            answer(503)
        }
    });
    let layer = RetryLayer::default().body(100);
    for (length, tries) in [(0, 3), (100, 3), (101, 1)] {
        let body = vec![7; length];
        let put = request("PUT").map(|_| Body::from(body.clone()));
        assert_eq!(layer.layer(unavailable.clone()).oneshot(put).await.unwrap().status(), 503);
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.len(), tries, "{length} bytes");
        for (headers, found) in seen {
            assert_eq!((headers["host"].to_str().unwrap(), &*found.unwrap()), ("a.test", &*body));
        }
    }
}

/// How one try goes in the model.
#[derive(Clone, Copy, Debug)]
struct Course {
    reads: bool,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    Well,
    Busy,
    Reset,
    Unsent,
}

impl Ends {
    fn outcome(self) -> Outcome {
        match self {
            Self::Well => answer(200),
            Self::Busy => answer(503),
            Self::Reset => failed(ErrorKind::Reset),
            Self::Unsent => failed(ErrorKind::Connect),
        }
    }
}

/// How many tries there are, by the table of the module's documentation.
fn modelled(courses: &[Course], is_repeatable: bool, fits: bool, is_empty: bool) -> usize {
    let mut is_whole = true;
    for (before, course) in courses.iter().enumerate() {
        is_whole &= is_empty || !course.reads || (is_repeatable && fits);
        let is_safe = match course.ends {
            Ends::Well => return before + 1,
            Ends::Busy | Ends::Reset => is_repeatable,
            Ends::Unsent => true,
        };
        if before == 2 || !is_safe || !is_whole {
            return before + 1;
        }
    }
    courses.len() + 1
}

proptest! {
    /// Whatever happens, there are as many tries as the documentation says, each that reads is given the whole body,
    /// the last outcome is the request's, and no memory stays behind.
    #[test]
    fn tries_are_those_of_the_table_and_every_one_has_the_whole_body(
        courses in proptest::collection::vec(
            (any::<bool>(), prop_oneof![Just(Ends::Well), Just(Ends::Busy), Just(Ends::Reset), Just(Ends::Unsent)]),
            1..5,
        ),
        is_repeatable: bool,
        pieces in proptest::collection::vec(1..40_usize, 0..4),
    ) {
        let courses: Vec<_> = courses.into_iter().map(|(reads, ends)| Course { reads, ends }).collect();
        let body: Vec<u8> = (0..pieces.iter().sum::<usize>()).map(|number| number as u8).collect();
        let buffers = Buffers::default();
        let layer = RetryLayer::default().body(60).buffers(&buffers);
        let calls = Arc::new(Mutex::new(0));
        let (count, sent, script) = (Arc::clone(&calls), body.clone(), courses.clone());
        let service = layer.layer(service_fn(move |request: Request<Body>| {
            let mut count = count.lock().unwrap();
            let number = *count;
            *count += 1;
            let course = script.get(number).copied().unwrap_or(Course { reads: true, ends: Ends::Well });
            let sent = sent.clone();
            async move {
                if course.reads {
                    let found = Body::collect_limited(request.into_body(), 1 << 10).await?;
                    assert_eq!(found, sent);
                }
                course.ends.outcome()
            }
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome = runtime.block_on(async {
            let mut rest = body.clone();
            let frames = pieces.iter().map(|&piece| Bytes::from(rest.drain(..piece).collect::<Vec<_>>()));
            let frames: VecDeque<_> = frames.collect();
            let method = if is_repeatable { "PUT" } else { "POST" };
            service.oneshot(request(method).map(|_| Body::new(Pieces(frames)))).await
        });
        let expected = modelled(&courses, is_repeatable, body.len() <= 60, body.is_empty());
        prop_assert_eq!(*calls.lock().unwrap(), expected);
        let last = courses.get(expected - 1).map_or(Ends::Well, |course| course.ends);
        prop_assert_eq!(outcome.is_ok_and(|answer| answer.status() == 200), last == Ends::Well);
        prop_assert_eq!(buffers.used(), 0);
    }
}

/// A body of these pieces, of which nobody knows how many will come.
struct Pieces(VecDeque<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

#[tokio::test]
async fn an_upgrade_is_passed_on_and_costs_nothing() {
    let script = Script::of([answer(503)]);
    let mut upgrade = request("GET");
    upgrade.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    assert_eq!(status(&RetryLayer::default(), &script, upgrade).await, 503);
}

#[tokio::test]
async fn the_connection_that_was_given_up_does_not_take_more_of_the_body() {
    // The first try keeps its request, as a connection does that has not noticed yet.
    let kept: Arc<Mutex<Option<Body>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let holding = service_fn(move |request: Request<Body>| {
        let (first, keep) = (keep.lock().unwrap().is_none(), Arc::clone(&keep));
        async move {
            if first {
                *keep.lock().unwrap() = Some(request.into_body());
                return failed(ErrorKind::Reset);
            }
            let mut stale = keep.lock().unwrap().take().unwrap();
            let frame = std::future::poll_fn(|cx| Pin::new(&mut stale).poll_frame(cx)).await;
            assert!(frame.unwrap().is_err());
            let body = Body::collect_limited(request.into_body(), 100).await?;
            Ok::<_, BoxError>(Response::new(Body::from(body)))
        }
    });
    let put = request("PUT").map(|_| Body::from("all of it"));
    let answer = RetryLayer::default().layer(holding).oneshot(put).await.unwrap();
    assert_eq!(Body::collect_limited(answer.into_body(), 100).await.unwrap(), "all of it");
}

#[tokio::test(start_paused = true)]
async fn bare_in_axum_it_tries_a_handler_again() {
    let calls = Arc::new(Mutex::new(0));
    let handler = axum::routing::put(move |body: String| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        let status = if *calls < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        ready((status, body))
    });
    let router = axum::Router::new().route("/", handler).layer(RetryLayer::default());
    let put = Request::put("/").body(axum::body::Body::from("again")).unwrap();
    let answer = router.oneshot(put).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(axum::body::to_bytes(answer.into_body(), 100).await.unwrap(), "again");
}

#[test]
fn explains_what_it_would_do() {
    let said = |layer: RetryLayer, method: &str| {
        #[derive(Clone)]
        struct Silent;
        impl Explain for Silent {
            fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
        }
        let mut said = Vec::new();
        layer.layer(Silent).explain(&request(method).into_parts().0, &mut said);
        said.pop().unwrap().to_string()
    };
    assert_eq!(said(RetryLayer::default(), "GET"), "retry: pass: up to 3 tries; the budget has 100 retries");
    assert_eq!(
        said(RetryLayer::default(), "POST"),
        "retry: pass: POST is tried again only if nothing was sent"
    );
    assert_eq!(said(RetryLayer::off(), "GET"), "retry: skip: one try");
}
