//! The contract of a layer in a gateway, rule by rule. A broken rule panics with the sentence that says it.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame};
use tower::{buffer::Buffer, limit::ConcurrencyLimit};
use tower_layer::Layer;
use tower_service::Service;

use super::{Behaviour, Inner, Probe, channel};
use crate::{Body, BoxError, Clock, Facts};

/// Checks every rule with a plain `POST` that a layer under test is expected to pass on.
///
/// # Panics
/// When a rule is broken.
pub async fn check<L, B>(layer: L)
where
    L: Layer<Inner> + Clone,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Error: fmt::Debug + Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: fmt::Debug + Into<BoxError>,
{
    check_with(layer, request).await;
}

/// Checks every rule with requests made by `request`, for layers that want special heads.
///
/// # Panics
/// When a rule is broken.
pub async fn check_with<L, B>(layer: L, request: impl Fn() -> Request<Body>)
where
    L: Layer<Inner> + Clone,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Error: fmt::Debug + Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: fmt::Debug + Into<BoxError>,
{
    let over = |behaviour| {
        let probe = Probe::new(behaviour);
        (layer.layer(Inner::Bare(probe.clone())), probe)
    };

    calls_what_was_made_ready(&layer, over(Behaviour::Echo), &request).await;
    passes_readiness_on(over(Behaviour::Unready).0);
    let (service, probe) = over(Behaviour::Silent);
    cancels_with_its_future(service, &probe, &request).await;
    passes_an_error_on_once(over(Behaviour::Fail), &request).await;
    streams_both_ways(over(Behaviour::Echo).0, &request).await;
    lets_go_of_a_dropped_body(over(Behaviour::Echo).0, &request).await;

    let limited = layer.layer(Inner::Limited(ConcurrencyLimit::new(Probe::new(Behaviour::Echo), 1)));
    let done = tokio::time::timeout(PATIENCE, one_after_another(limited, &request)).await;
    assert!(done.is_ok(), "over a service that takes one request at a time, a layer must let each finish");
    let limited = layer.layer(Inner::Limited(ConcurrencyLimit::new(Probe::new(Behaviour::Silent), 1)));
    gives_permits_back(limited, &request).await;

    let (buffer, worker) = Buffer::pair(Probe::new(Behaviour::Echo), 4);
    let worker = tokio::spawn(worker);
    let buffered = layer.layer(Inner::Buffered(buffer));
    let done = tokio::time::timeout(PATIENCE, side_by_side(buffered, &request)).await;
    assert!(done.is_ok(), "over a buffered service, requests side by side must all finish");
    worker.abort();
}

/// Sends `count` requests through one service, and as many through clones of another of the same layer, and says
/// how many were answered with success each time. A keyed limit lets `n` pass in all, not `n` each.
pub async fn passed<L, B>(layer: &L, count: usize, request: impl Fn() -> Request<Body>) -> (usize, usize)
where
    L: Layer<Inner>,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone,
    <L::Service as Service<Request<Body>>>::Error: fmt::Debug,
{
    let mut one = layer.layer(Inner::Bare(Probe::new(Behaviour::Echo)));
    let many = layer.layer(Inner::Bare(Probe::new(Behaviour::Echo)));
    let (mut through_one, mut through_clones) = (0, 0);
    for _ in 0..count {
        through_one +=
            usize::from(call(&mut one, request()).await.is_ok_and(|answer| answer.status().is_success()));
    }
    for _ in 0..count {
        let answer = call(&mut many.clone(), request()).await;
        through_clones += usize::from(answer.is_ok_and(|answer| answer.status().is_success()));
    }
    (through_one, through_clones)
}

/// The request of [`check`]: it has facts with a peer and a client address.
#[must_use]
pub fn request() -> Request<Body> {
    let mut request = Request::new(Body::from("probe"));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("/contract");
    request.headers_mut().insert(http::header::HOST, HeaderValue::from_static("example.com"));
    let facts = Facts::of(request.extensions_mut(), &Clock::default());
    facts.set_peer(([127, 0, 0, 1], 4000).into());
    facts.set_client_addr([127, 0, 0, 1].into());
    request
}

async fn calls_what_was_made_ready<L, S, B>(
    layer: &L,
    (mut service, probe): (S, Probe),
    request: &impl Fn() -> Request<Body>,
) where
    L: Layer<Inner>,
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
{
    for _ in 0..2 {
        call(&mut service, request()).await.expect("a layer under test passes the request on");
    }
    for _ in 0..1_000 {
        call(&mut service.clone(), request()).await.expect("every clone of a service can be used");
    }
    assert_eq!(probe.calls(), 1_002, "a layer under test passes every request on, once");
    drop(layer.layer(Inner::Bare(probe)));
}

fn passes_readiness_on<S: Service<Request<Body>>>(mut service: S) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        service.poll_ready(&mut cx).is_pending(),
        "a layer over a service that is not ready must not be ready"
    );
}

async fn cancels_with_its_future<S, B>(mut service: S, probe: &Probe, request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: fmt::Debug,
{
    poll_fn(|cx| service.poll_ready(cx)).await.expect("the probe is ready");
    drop(service.call(request()));
    tokio::task::yield_now().await;
    assert_eq!(probe.live(), 0, "dropping a future that was never polled must drop the call inside");

    poll_fn(|cx| service.poll_ready(cx)).await.expect("the probe is ready");
    let mut future = Box::pin(service.call(request()));
    for _ in 0..3 {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
        assert!(polled, "a layer under test waits for the service inside");
        tokio::task::yield_now().await;
    }
    assert_eq!(probe.live(), 1, "a pending future must have called the service inside");
    drop(future);
    tokio::task::yield_now().await;
    assert_eq!(probe.live(), 0, "dropping a pending future must drop the call inside");
}

async fn passes_an_error_on_once<S, B>((mut service, probe): (S, Probe), request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: fmt::Debug,
{
    let outcome = tokio::time::timeout(PATIENCE, call(&mut service, request())).await;
    let outcome = outcome.expect("a failure inside must come out, not hang");
    let told = match &outcome {
        Ok(response) => response.status().is_server_error(),
        Err(_) => true,
    };
    assert!(told, "a failure inside must come out as an error or as an answer that says so");
    assert_eq!(probe.live(), 0, "after a failure nothing inside may live on");
}

async fn streams_both_ways<S, B>(mut service: S, request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: fmt::Debug,
    B: HttpBody<Data = Bytes>,
    B::Error: fmt::Debug,
{
    let (sender, body) = channel();
    let request = request().map(|_| body);
    let response = tokio::time::timeout(PATIENCE, call(&mut service, request)).await;
    let response = response.expect("an answer's head must not wait for any body: a layer streams");
    let response = response.expect("a layer under test passes the request on");
    let mut answer = pin!(response.into_body());
    for part in ["first", "second"] {
        assert!(sender.data(part).await, "the request's body must stay alive while its answer streams");
        let frame = tokio::time::timeout(PATIENCE, next(answer.as_mut())).await;
        let frame = frame.expect("a frame must pass before the next one exists: a layer streams");
        assert_eq!(frame.and_then(|frame| frame.into_data().ok()), Some(Bytes::from_static(part.as_bytes())));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    sender.trailers(trailers.clone()).await;
    let frame = tokio::time::timeout(PATIENCE, next(answer.as_mut())).await;
    let found = frame.ok().flatten().and_then(|frame| frame.into_trailers().ok());
    assert_eq!(found, Some(trailers), "trailers must survive every layer");
    drop(sender);
    let end = tokio::time::timeout(PATIENCE, next(answer.as_mut())).await;
    assert!(end.is_ok_and(|end| end.is_none()), "a body that ended inside must end outside");
}

async fn lets_go_of_a_dropped_body<S, B>(mut service: S, request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: fmt::Debug,
    B: HttpBody<Data = Bytes>,
    B::Error: fmt::Debug,
{
    let (sender, body) = channel();
    let response = call(&mut service, request().map(|_| body)).await.expect("a layer under test passes on");
    assert!(!sender.is_dropped(), "a body must live until it is read or dropped");
    sender.data("half").await;
    let mut answer = Box::pin(response.into_body());
    let _ = next(answer.as_mut()).await;
    drop(answer);
    tokio::task::yield_now().await;
    assert!(sender.is_dropped(), "dropping the answer's body must drop the body inside");
}

async fn one_after_another<S, B>(mut service: S, request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
{
    for _ in 0..3 {
        call(&mut service, request()).await.expect("each request finishes");
    }
    drop(service.clone());
    for _ in 0..3 {
        // A clone reserves for itself; the original must not hold a permit while it is idle.
        call(&mut service, request()).await.expect("each request finishes");
    }
}

async fn gives_permits_back<S, B>(service: S, request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
{
    for _ in 0..3 {
        let mut service = service.clone();
        let ready = tokio::time::timeout(PATIENCE, poll_fn(|cx| service.poll_ready(cx))).await;
        assert!(ready.is_ok(), "a permit must come back when the future that held it is dropped");
        let mut future = Box::pin(service.call(request()));
        let pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
        assert!(pending, "a layer under test waits for the service inside");
    }
}

async fn side_by_side<S, B>(service: S, request: &impl Fn() -> Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: fmt::Debug,
{
    let mut services: Vec<S> = (0..8).map(|_| service.clone()).collect();
    let calls = services.iter_mut().map(|service| Box::pin(call(service, request())));
    let mut calls: Vec<_> = calls.collect();
    poll_fn(|cx| {
        calls.retain_mut(|call| match call.as_mut().poll(cx) {
            Poll::Ready(outcome) => {
                outcome.expect("each request finishes");
                false
            }
            Poll::Pending => true,
        });
        if calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn call<S, B>(service: &mut S, request: Request<Body>) -> Result<Response<B>, S::Error>
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

async fn next<B>(mut body: std::pin::Pin<&mut B>) -> Option<Frame<Bytes>>
where
    B: HttpBody<Data = Bytes>,
    B::Error: fmt::Debug,
{
    poll_fn(|cx| body.as_mut().poll_frame(cx)).await.map(|frame| frame.expect("the body is whole"))
}

/// How long a rule may take: far longer than any layer, short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(5);
