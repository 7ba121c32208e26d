//! The whole layer, in memory.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{
    Body, BoxError, Clock, Facts, Refusal,
    explain::Explain,
    meter::Meter,
    testing::{channel, contract},
};
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(CacheLayer::default()).await;
    contract::check(CacheLayer::off()).await;
    let get = || {
        let mut request = contract::request();
        *request.method_mut() = http::Method::GET;
        request.map(|_| Body::empty())
    };
    contract::check_with(CacheLayer::default(), get).await;
}

#[tokio::test]
async fn over_a_service_that_takes_one_request_at_a_time_everybody_is_answered() {
    let limited = tower::limit::ConcurrencyLimit::new(service_fn(hello), 1);
    let service = CacheLayer::default().layer(limited);
    for path in ["/a", "/a", "/b", "/a"] {
        assert_eq!(text(service.clone(), path).await, "hello");
    }
    let asking: Vec<_> = (0..20).map(|_| tokio::spawn(text(service.clone(), "/c"))).collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_refusal_is_not_stored_whatever_it_says() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let refusing = service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let asked = gateway_core::refusal::Asked::of_request(&request);
        let mut response =
            Refusal::new(StatusCode::NOT_FOUND, "nothing", "nothing").into_response::<Body>(&asked);
        response.headers_mut().insert("cache-control", "max-age=60".parse().unwrap());
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let service = CacheLayer::default().layer(refusing);
    text(service.clone(), "/").await;
    text(service, "/").await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failure_releases_everybody_who_waits() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let failing = service_fn(move |_: Request<Body>| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::task::yield_now().await;
            if number == 0 { Err(BoxError::from("it fails")) } else { Ok(Response::new(Body::from("fine"))) }
        }
    });
    let service = CacheLayer::default().layer(failing);
    let asking: Vec<_> = (0..5).map(|_| tokio::spawn(service.clone().oneshot(get("/")))).collect();
    let mut failed = 0;
    for outcome in asking {
        failed += usize::from(outcome.await.unwrap().is_err());
    }
    assert_eq!((failed, count.load(Ordering::SeqCst)), (1, 5));
}

#[tokio::test]
async fn who_waits_too_long_goes_on_alone_and_never_past_its_deadline() {
    let (clock, hands) = Clock::manual();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let slow_first = service_fn(move |_: Request<Body>| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == 0 {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Body::from("fine")))
        }
    });
    let service = CacheLayer::default().clock(clock.clone()).layer(slow_first);
    let leader = tokio::spawn(service.clone().oneshot(get("/")));
    tokio::task::yield_now().await;
    let patient = tokio::spawn(service.clone().oneshot(get("/")));
    let mut hurried = get("/");
    let facts = Facts::of(hurried.extensions_mut(), &clock);
    facts.tighten_deadline(facts.arrived() + Duration::from_secs(1));
    let hurried = tokio::spawn(service.clone().oneshot(hurried));
    tokio::task::yield_now().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    hands.advance(Duration::from_secs(1));
    let answer = hurried.await.unwrap().unwrap();
    assert_eq!(answer.headers()["cache-status"], "gateway; fwd=uri-miss; collapsed=?0");
    assert!(!patient.is_finished());
    hands.advance(Duration::from_secs(4));
    assert_eq!(
        patient.await.unwrap().unwrap().headers()["cache-status"],
        "gateway; fwd=uri-miss; collapsed=?0"
    );
    leader.abort();
}

#[tokio::test]
async fn a_clock_that_jumps_changes_nothing_for_what_is_stored() {
    let (clock, hands) = Clock::manual();
    let service = CacheLayer::default().clock(clock).layer(service_fn(hello));
    text(service.clone(), "/").await;
    for wall in [0, 5_000_000_000, 1_000_000_000_000] {
        hands.set_wall(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(wall));
        assert_eq!(status(&service, "/").await, "gateway; hit; ttl=60");
        text(service.clone(), &format!("/{wall}")).await;
    }
    hands.advance(Duration::from_secs(60));
    assert!(status(&service, "/").await.starts_with("gateway; fwd=stale"));
}

#[tokio::test]
async fn nobody_who_came_after_a_change_is_told_of_before() {
    let (sender, body) = channel();
    let bodies = Arc::new(std::sync::Mutex::new(vec![Body::from("new"), body]));
    let service = service_fn(move |request: Request<Body>| {
        let next = || bodies.lock().unwrap().pop().unwrap_or_default();
        let body = if request.method() == "GET" { next() } else { Body::empty() };
        let response = Response::builder().header("cache-control", "max-age=60").body(body).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let mut service = CacheLayer::default().layer(service);
    let before = service.ready().await.unwrap().call(get("/")).await.unwrap();
    service.ready().await.unwrap().call(Request::post("/").body(Body::empty()).unwrap()).await.unwrap();
    let after = service.ready().await.unwrap().call(get("/")).await.unwrap();
    assert_eq!(Body::collect_limited(after.into_body(), 99).await.unwrap(), "new");
    sender.data("old").await;
    drop(sender);
    assert_eq!(Body::collect_limited(before.into_body(), 99).await.unwrap(), "old");
    let later = service.ready().await.unwrap().call(get("/")).await.unwrap();
    assert_eq!(Body::collect_limited(later.into_body(), 99).await.unwrap(), "new");
}

#[tokio::test]
async fn the_store_stays_within_its_bound_and_counts() {
    let meter = Meter::default();
    let store = Arc::new(Store::new(100_000, &Clock::default()));
    let layer = CacheLayer::new(Arc::clone(&store)).meter(&meter, "orders");
    let big = service_fn(|_: Request<Body>| async {
        let response = Response::builder().header("cache-control", "max-age=60");
        Ok::<_, Infallible>(response.body(Body::from(vec![b'x'; 9_000])).unwrap())
    });
    let service = layer.layer(big);
    for number in 0..100 {
        text(service.clone(), &format!("/{number}")).await;
        assert!(store.bytes() <= 100_000);
    }
    assert!(store.bytes() > 50_000, "{store:?}");
    let metrics = meter.render();
    assert!(
        metrics.contains("gateway_cache_requests_total{outcome=\"miss\",place=\"orders\"} 100")
            || metrics.contains("gateway_cache_requests_total{place=\"orders\",outcome=\"miss\"} 100"),
        "{metrics}"
    );
    assert!(
        metrics.contains(&format!("gateway_cache_bytes{{place=\"orders\"}} {}", store.bytes())),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_client_cannot_fill_the_memory_with_variants() {
    let varied = service_fn(|_: Request<Body>| async {
        let response = Response::builder().header("cache-control", "max-age=60").header("vary", "x-a");
        Ok::<_, Infallible>(response.body(Body::from("x")).unwrap())
    });
    let store = Arc::new(Store::new(1 << 20, &Clock::default()));
    let service = CacheLayer::new(Arc::clone(&store)).layer(varied);
    for number in 0..200 {
        let mut request = get("/");
        request.headers_mut().insert("x-a", number.into());
        let answer = service.clone().oneshot(request).await.unwrap();
        Body::collect_limited(answer.into_body(), 9).await.unwrap();
    }
    assert!(store.bytes() < 32 * 2_000, "{store:?}");
}

#[tokio::test]
async fn says_what_it_would_do() {
    struct End;
    impl Explain for End {
        fn explain(&self, _: &http::request::Parts, _: &mut Vec<gateway_core::Explanation>) {}
    }
    let (clock, _) = Clock::manual();
    let layer = CacheLayer::default().clock(clock);
    let said = |method: &str, control: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("host", "a.test")
            .header("cache-control", control);
        let mut say = Vec::new();
        layer.layer(End).explain(&request.body(()).unwrap().into_parts().0, &mut say);
        say.remove(0).to_string()
    };
    assert_eq!(said("GET", ""), "cache: pass: it goes on: uri-miss");
    assert_eq!(said("POST", ""), "cache: skip: it goes on: method");
    assert_eq!(
        said("GET", "only-if-cached"),
        "cache: refuse: 504: only-if-cached, and nothing usable is stored"
    );
    text(layer.layer(service_fn(hello)), "/").await;
    assert_eq!(
        said("GET", ""),
        "cache: pass: it is a hit: 0 s old, fresh for 60 s more; nothing behind is asked"
    );
    assert_eq!(said("GET", "no-cache"), "cache: pass: it goes on: request");
}

#[tokio::test]
async fn bare_in_axum_it_answers_from_the_store() {
    let count = Arc::new(AtomicUsize::new(0));
    let handler = axum::routing::get({
        let count = Arc::clone(&count);
        async move || {
            count.fetch_add(1, Ordering::SeqCst);
            ([("cache-control", "max-age=60")], "hello")
        }
    });
    let router = axum::Router::new().route("/", handler).layer(CacheLayer::default());
    for _ in 0..3 {
        let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(axum::body::to_bytes(answer.into_body(), 99).await.unwrap(), "hello");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "a.test").body(Body::empty()).unwrap()
}

async fn hello(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::builder().header("cache-control", "max-age=60").body(Body::from("hello")).unwrap())
}

async fn text<S>(service: S, path: &str) -> String
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let answer = service.oneshot(get(path)).await.unwrap();
    let bytes = Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn status<S>(service: &S, path: &str) -> String
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let answer = service.clone().oneshot(get(path)).await.unwrap();
    answer.headers()["cache-status"].to_str().unwrap().to_owned()
}
