use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
};

use gateway_core::{UpstreamError, error::ErrorKind, meter::Meter, testing::contract};
use http::{HeaderName, StatusCode, header::CACHE_CONTROL};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    fallback::{Credentials, FallbackLayer, Instead},
    retry::RetryLayer,
    timeout::{TimeoutLayer, TryTimeoutLayer},
};

type Outcome = Result<Response<Body>, BoxError>;
type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

fn answer(status: u16) -> Outcome {
    Ok(Response::builder().status(status).header("cache-control", "max-age=60").body("it".into())?)
}

fn failed(kind: ErrorKind) -> Outcome {
    Err(UpstreamError::new(kind).into())
}

/// Ends every call in the same way.
fn always(outcome: fn() -> Outcome) -> Boxed {
    BoxCloneSyncService::new(service_fn(move |_: Request<Body>| std::future::ready(outcome())))
}

/// Reads the body, and then ends in the same way.
fn reading(outcome: fn() -> Outcome) -> Boxed {
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| async move {
        Body::collect_limited(request.into_body(), 1 << 20).await?;
        outcome()
    }))
}

/// Answers with what was sent.
fn echo() -> Boxed {
    BoxCloneSyncService::new(service_fn(|request: Request<Body>| async {
        let body = Body::collect_limited(request.into_body(), 1 << 20).await?;
        Ok(Response::new(Body::from(body)))
    }))
}

fn request(method: &str, body: &'static str) -> Request<Body> {
    Request::builder().method(method).body(Body::from(body)).unwrap()
}

fn items() -> FallbackLayer {
    FallbackLayer::answer(Instead::json(r#"{"items":[]}"#))
}

async fn text(answer: Response<Body>) -> String {
    String::from_utf8(Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(items()).await;
    contract::check(FallbackLayer::<crate::fallback::Nobody>::off()).await;
    contract::check(FallbackLayer::service(echo())).await;
}

#[tokio::test]
async fn a_fixed_answer_says_that_it_is_one_and_is_not_to_be_kept() {
    let meter = Meter::default();
    let layer = items().meter(&meter, "orders");
    for (outcome, why) in [
        ((|| answer(503)) as fn() -> Outcome, "status_503"),
        (|| failed(ErrorKind::Reset), "upstream_reset"),
        (|| failed(ErrorKind::Timeout), "upstream_timeout"),
        (|| failed(ErrorKind::NoEndpoint), "no_endpoint"),
    ] {
        let found = layer.layer(always(outcome)).oneshot(request("POST", "x")).await.unwrap();
        assert_eq!(found.status(), 200);
        assert_eq!(found.headers()["x-fallback"], why);
        assert_eq!(found.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(text(found).await, r#"{"items":[]}"#);
    }
    let counted = "gateway_fallbacks_total{place=\"orders\",reason=\"status_503\"} 1";
    assert!(meter.render().contains(counted), "{}", meter.render());
}

#[tokio::test]
async fn what_is_no_failure_of_the_upstream_is_passed_on_as_it_is() {
    for status in [200, 404, 429, 500] {
        let service =
            items().layer(BoxCloneSyncService::<_, _, BoxError>::new(service_fn(move |_: Request<Body>| {
                std::future::ready(answer(status))
            })));
        let found = service.oneshot(request("GET", "")).await.unwrap();
        assert_eq!((found.status().as_u16(), found.headers().get("x-fallback")), (status, None));
        assert_eq!(found.headers()[CACHE_CONTROL], "max-age=60");
    }
    let broken = items().layer(always(|| failed(ErrorKind::RequestBody)));
    assert!(broken.oneshot(request("GET", "")).await.is_err());
}

#[tokio::test]
async fn the_mark_and_the_statuses_can_be_said() {
    let layer = items().mark(HeaderName::from_static("x-degraded")).on([StatusCode::INTERNAL_SERVER_ERROR]);
    let found = layer.layer(always(|| answer(500))).oneshot(request("GET", "")).await.unwrap();
    assert_eq!(found.headers()["x-degraded"], "status_500");
    assert_eq!(layer.layer(always(|| answer(503))).oneshot(request("GET", "")).await.unwrap().status(), 503);
    let unmarked = items().mark(None).layer(always(|| answer(503)));
    assert_eq!(unmarked.oneshot(request("GET", "")).await.unwrap().headers().get("x-fallback"), None);
}

#[tokio::test]
async fn another_service_gets_the_request_only_if_that_does_nothing_twice() {
    for (method, first, expected) in [
        ("GET", reading(|| answer(503)), Ok("sent")),
        ("PUT", reading(|| failed(ErrorKind::Reset)), Ok("sent")),
        ("POST", always(|| failed(ErrorKind::Connect)), Ok("sent")),
        ("POST", reading(|| answer(503)), Err(503)),
        ("POST", always(|| failed(ErrorKind::Reset)), Err(502)),
    ] {
        let service = FallbackLayer::service(echo()).layer(first);
        match (service.oneshot(request(method, "sent")).await, expected) {
            (Ok(answer), Ok(expected)) => {
                assert!(answer.headers().contains_key("x-fallback"));
                assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
                assert_eq!(text(answer).await, expected, "{method}");
            }
            (Ok(answer), Err(status)) => assert_eq!(answer.status(), status, "{method}"),
            (Err(error), Err(status)) => {
                assert_eq!(Failure::failure(&error).unwrap().kind().status(), status, "{method}");
            }
            (found, expected) => panic!("{method}: {found:?} and not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_is_longer_than_what_is_kept_goes_nowhere_else() {
    let layer = FallbackLayer::service(echo()).body(3);
    let found = layer.layer(reading(|| answer(503))).oneshot(request("PUT", "sent")).await.unwrap();
    assert_eq!((found.status().as_u16(), found.headers().get("x-fallback")), (503, None));
    let unread = layer.layer(always(|| answer(503))).oneshot(request("PUT", "sent")).await.unwrap();
    assert_eq!(text(unread).await, "sent", "nobody had read it");
}

#[tokio::test]
async fn another_service_gets_the_clients_credentials_only_if_that_is_said() {
    let guarded = BoxCloneSyncService::new(service_fn(|request: Request<Body>| async move {
        assert_eq!(request.headers()["host"], "a.test");
        answer(if request.headers().contains_key("authorization") { 200 } else { 401 })
    }));
    for (credentials, expected) in [(Credentials::Remove, 503), (Credentials::Pass, 200)] {
        let layer = FallbackLayer::service(guarded.clone()).credentials(credentials);
        let mut request = request("GET", "");
        for (name, value) in [("authorization", "Bearer x"), ("cookie", "a=b"), ("host", "a.test")] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let found = layer.layer(always(|| answer(503))).oneshot(request).await.unwrap();
        assert_eq!(found.status(), expected, "{credentials:?}");
    }
}

#[tokio::test]
async fn if_the_other_one_fails_too_the_first_failure_is_answered() {
    for second in [always(|| answer(504)), always(|| failed(ErrorKind::Connect))] {
        let service = FallbackLayer::service(second).layer(always(|| answer(503)));
        let found = service.oneshot(request("GET", "")).await.unwrap();
        assert_eq!((found.status().as_u16(), found.headers().get("x-fallback")), (503, None));
        assert_eq!(text(found).await, "it");
    }
}

#[tokio::test(start_paused = true)]
async fn around_retry_the_body_is_kept_once_and_comes_after_the_last_try() {
    let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let seen = Arc::clone(&bodies);
    let primary = service_fn(move |request: Request<Body>| {
        let seen = Arc::clone(&seen);
        async move {
            let body = Body::collect_limited(request.into_body(), 100).await?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            answer(503)
        }
    });
    let service = FallbackLayer::service(echo()).layer(RetryLayer::default().tries(2).layer(primary));
    let found = service.oneshot(request("PUT", "sent")).await.unwrap();
    assert_eq!(text(found).await, "sent");
    assert_eq!(*bodies.lock().unwrap(), ["sent", "sent"]);
}

#[tokio::test(start_paused = true)]
async fn our_own_timeouts_are_failures_like_others() {
    let silent = service_fn(|_: Request<Body>| std::future::pending::<Outcome>());
    let one_try = TryTimeoutLayer::new(std::time::Duration::from_secs(1)).layer(silent);
    let service = TimeoutLayer::new(std::time::Duration::from_secs(5)).layer(items().layer(one_try));
    let found = service.oneshot(request("GET", "")).await.unwrap();
    assert_eq!(found.headers()["x-fallback"], "upstream_timeout");
}

#[tokio::test]
async fn bare_in_axum_it_answers_instead() {
    let handler = axum::routing::get(async || StatusCode::BAD_GATEWAY);
    let router = axum::Router::new().route("/", handler).layer(items());
    let answer = router.oneshot(Request::new(axum::body::Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-fallback"], "status_502");
}

#[test]
fn explains_what_it_would_do() {
    struct Silent;
    impl Explain for Silent {
        fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
    }
    fn said<F: Clone>(layer: &FallbackLayer<F>) -> String {
        let mut said = Vec::new();
        layer.layer(Silent).explain(&Request::new(()).into_parts().0, &mut said);
        said.pop().unwrap().to_string()
    }
    assert_eq!(said(&items()), "fallback: pass: 200 OK instead of 502, 503, 504");
    assert_eq!(
        said(&FallbackLayer::service(echo())),
        "fallback: pass: another service instead of 502, 503, 504"
    );
    assert_eq!(said(&FallbackLayer::<Infallible>::off()), "fallback: skip: failures are passed on");
}
