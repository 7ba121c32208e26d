//! Bodies on their way: first bytes at once, one fetch for many, and nobody harmed when somebody leaves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{
    Body, BoxError, Clock, Facts, RescueLayer,
    budget::Buffers,
    facts::Principal,
    testing::{BodySender, ScriptedUpstream, Step, channel},
    upstream::Upstream,
};
use gateway_layers::cache::{Cache, CacheLayer, Partition};
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::io::AsyncReadExt;
use tower::{Layer, Service, ServiceExt};

use super::Gateway;

#[tokio::test]
async fn the_first_byte_does_not_wait_for_the_last() {
    for head in [
        "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\ncontent-length: 11\r\n\r\nfirst",
        "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\n\r\nfirst",
    ] {
        let upstream = ScriptedUpstream::start([vec![Step::Send(head), Step::Stall]]).await.unwrap();
        let gateway = Gateway::start(&upstream.url(), &|layer| layer).await;
        let mut connection = gateway.send("GET /").await;
        let mut text = Vec::new();
        while !text.windows(5).any(|bytes| bytes == b"first") {
            let read = tokio::time::timeout(Duration::from_secs(5), connection.read_buf(&mut text)).await;
            assert!(read.is_ok_and(|read| read.is_ok_and(|bytes| bytes > 0)), "{head}");
        }
        drop(connection);
        until(|| upstream.hung_up() == 1).await;
    }
}

#[tokio::test]
async fn a_truncated_answer_is_cut_and_never_stored() {
    for head in [
        "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\ncontent-length: 11\r\n\r\nfirst",
        "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    ] {
        let whole = "HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\ntwo";
        let script = [vec![Step::Send(head), Step::Reset], vec![Step::Send(whole)]];
        let upstream = ScriptedUpstream::start(script).await.unwrap();
        let gateway = Gateway::start(&upstream.url(), &|layer| layer).await;
        gateway.ask("GET /").await.check("200 | cut").unwrap();
        assert_eq!(gateway.store.bytes(), 0);
        gateway.ask("GET /").await.check("200 | fwd=uri-miss | body: two").unwrap();
    }
}

#[tokio::test]
async fn many_misses_at_once_are_one_fetch() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let mut asking: Vec<_> = (0..5_000).map(|_| tokio::spawn(text(service.clone(), "/"))).collect();
    until(|| upstream.calls() == 1).await;
    let body = upstream.answer(0, Some(10)).await;
    body.data("hello").await;
    asking.extend((0..100).map(|_| tokio::spawn(text(service.clone(), "/"))));
    body.data("world").await;
    drop(body);
    for answer in asking {
        assert_eq!(answer.await.unwrap().unwrap(), "helloworld");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn many_misses_of_an_answer_of_unknown_length_are_one_fetch() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let asking: Vec<_> = (0..1_000).map(|_| tokio::spawn(text(service.clone(), "/"))).collect();
    until(|| upstream.calls() == 1).await;
    let body = upstream.answer(0, None).await;
    body.data("hello").await;
    drop(body);
    for answer in asking {
        assert_eq!(answer.await.unwrap().unwrap(), "hello");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_leader_that_leaves_before_the_head_hands_over() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let leader = tokio::spawn(text(service.clone(), "/"));
    until(|| upstream.calls() == 1).await;
    let others: Vec<_> = (0..50).map(|_| tokio::spawn(text(service.clone(), "/"))).collect();
    yield_often().await;
    leader.abort();
    until(|| upstream.calls() == 2).await;
    let body = upstream.answer(1, Some(5)).await;
    body.data("hello").await;
    drop(body);
    for answer in others {
        assert_eq!(answer.await.unwrap().unwrap(), "hello");
    }
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_leader_that_leaves_in_mid_body_leaves_the_rest_to_the_others() {
    for length in [Some(10), None] {
        let upstream = Scripted::new();
        let service = CacheLayer::default().layer(upstream.clone());
        let leader = tokio::spawn(service.clone().oneshot(get("/")));
        until(|| upstream.calls() == 1).await;
        let others: Vec<_> = (0..50).map(|_| tokio::spawn(text(service.clone(), "/"))).collect();
        yield_often().await;
        let body = upstream.answer(0, length).await;
        let mut answer = leader.await.unwrap().unwrap();
        let sending = tokio::spawn(async move {
            assert!(body.data("hello").await && body.data("world").await);
        });
        assert_eq!(first(answer.body_mut()).await.unwrap(), "hello");
        drop(answer);
        sending.await.unwrap();
        for answer in others {
            assert_eq!(answer.await.unwrap().unwrap(), "helloworld", "{length:?}");
        }
        assert_eq!(upstream.calls(), 1, "{length:?}");
        assert_eq!(text(service, "/").await.unwrap(), "helloworld");
        assert_eq!(upstream.calls(), 1, "it was stored");
    }
}

#[tokio::test]
async fn when_all_have_left_the_fetch_is_cancelled() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let asking: Vec<_> = (0..3).map(|_| tokio::spawn(service.clone().oneshot(get("/")))).collect();
    until(|| upstream.calls() == 1).await;
    yield_often().await;
    let body = upstream.answer(0, Some(10)).await;
    let mut answers = Vec::new();
    for answer in asking {
        answers.push(answer.await.unwrap().unwrap());
    }
    answers.pop();
    assert!(!body.is_dropped());
    answers.clear();
    assert!(body.is_dropped());
    let next = tokio::spawn(text(service, "/"));
    until(|| upstream.calls() == 2).await;
    let body = upstream.answer(1, Some(2)).await;
    body.data("ok").await;
    drop(body);
    assert_eq!(next.await.unwrap().unwrap(), "ok");
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let slow = tokio::spawn(service.clone().oneshot(get("/")));
    until(|| upstream.calls() == 1).await;
    let quick = tokio::spawn(text(service.clone(), "/"));
    yield_often().await;
    let body = upstream.answer(0, Some(10)).await;
    let slow = slow.await.unwrap().unwrap();
    let sending = tokio::spawn(async move { body.data("hello").await && body.data("world").await });
    assert_eq!(quick.await.unwrap().unwrap(), "helloworld");
    assert!(sending.await.unwrap());
    assert_eq!(whole(slow).await.unwrap(), "helloworld");
}

#[tokio::test]
async fn an_answer_that_grows_too_long_streams_on_and_the_others_ask_for_themselves() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().max_object(7).layer(upstream.clone());
    let leader = tokio::spawn(text(service.clone(), "/"));
    until(|| upstream.calls() == 1).await;
    let other = tokio::spawn(text(service.clone(), "/"));
    yield_often().await;
    let body = upstream.answer(0, None).await;
    assert!(body.data("hello").await && body.data("world").await && body.data("!").await);
    until(|| upstream.calls() == 2).await;
    drop(body);
    assert_eq!(leader.await.unwrap().unwrap(), "helloworld!");
    let body = upstream.answer(1, None).await;
    body.data("short").await;
    drop(body);
    assert_eq!(other.await.unwrap().unwrap(), "short");
}

#[tokio::test]
async fn an_endless_answer_passes_and_holds_no_memory() {
    let buffers = Buffers::new(1 << 20, 1 << 20);
    let upstream = Scripted::new();
    let service = CacheLayer::default().max_object(100).buffers(buffers.clone()).layer(upstream.clone());
    let asking = tokio::spawn(service.oneshot(get("/")));
    until(|| upstream.calls() == 1).await;
    let body = upstream.answer(0, None).await;
    let mut answer = asking.await.unwrap().unwrap();
    for number in 0..1_000 {
        let (sent, got) = tokio::join!(body.data("ten bytes."), first(answer.body_mut()));
        assert!(sent);
        assert_eq!(got.unwrap(), "ten bytes.");
        assert!(buffers.used() <= 100, "{} after {number}", buffers.used());
    }
    assert_eq!(buffers.used(), 0);
}

#[tokio::test]
async fn without_memory_answers_pass_and_are_not_stored() {
    for length in [Some(5), None] {
        let upstream = Scripted::new();
        let service = CacheLayer::default().buffers(Buffers::new(3, 3)).layer(upstream.clone());
        for call in 0..2 {
            let asking = tokio::spawn(text(service.clone(), "/"));
            until(|| upstream.calls() == call + 1).await;
            let body = upstream.answer(call, length).await;
            body.data("hello").await;
            drop(body);
            assert_eq!(asking.await.unwrap().unwrap(), "hello");
        }
    }
}

#[tokio::test]
async fn what_breaks_off_breaks_off_for_all_who_read_it() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let asking: Vec<_> = (0..5).map(|_| tokio::spawn(text(service.clone(), "/"))).collect();
    until(|| upstream.calls() == 1).await;
    yield_often().await;
    let body = upstream.answer(0, Some(10)).await;
    body.data("hello").await;
    body.fail("it broke").await;
    for answer in asking {
        assert_eq!(answer.await.unwrap().unwrap_err().to_string(), "the body broke off");
    }
    let next = tokio::spawn(text(service, "/"));
    until(|| upstream.calls() == 2).await;
    let body = upstream.answer(1, Some(2)).await;
    body.data("ok").await;
    drop(body);
    assert_eq!(next.await.unwrap().unwrap(), "ok");
}

#[tokio::test]
async fn a_body_of_another_length_than_it_says_is_not_stored() {
    for (length, sent) in [(Some(4), "hello"), (Some(6), "hello")] {
        let upstream = Scripted::new();
        let service = CacheLayer::default().layer(upstream.clone());
        let asking = tokio::spawn(text(service.clone(), "/"));
        until(|| upstream.calls() == 1).await;
        let body = upstream.answer(0, length).await;
        body.data(sent).await;
        drop(body);
        assert!(asking.await.unwrap().is_err(), "{length:?}");
        let next = tokio::spawn(text(service, "/"));
        until(|| upstream.calls() == 2).await;
        next.abort();
    }
}

#[tokio::test]
async fn what_is_known_not_to_be_cacheable_makes_nobody_wait() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let one = tokio::spawn(service.clone().oneshot(get("/")));
    until(|| upstream.calls() == 1).await;
    upstream.pass(0).await;
    one.await.unwrap().unwrap();
    let _asking: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot(get("/")))).collect();
    // All of them, though none is answered.
    until(|| upstream.calls() == 11).await;
}

#[tokio::test]
async fn an_answer_that_is_not_for_all_releases_all_at_once() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let _asking: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot(get("/")))).collect();
    until(|| upstream.calls() == 1).await;
    yield_often().await;
    assert_eq!(upstream.calls(), 1);
    upstream.pass(0).await;
    until(|| upstream.calls() == 10).await;
}

#[tokio::test]
async fn requests_of_other_kinds_do_not_wait_for_each_other_longer_than_for_a_head() {
    let upstream = Scripted::new();
    let service = CacheLayer::default().layer(upstream.clone());
    let ask = |kind: &'static str| {
        let mut request = get("/");
        request.headers_mut().insert("x-kind", kind.parse().unwrap());
        tokio::spawn(service.clone().oneshot(request))
    };
    let one = ask("a");
    until(|| upstream.calls() == 1).await;
    let others = [ask("b"), ask("b"), ask("b"), ask("a")];
    yield_often().await;
    let first = upstream.answer_with(0, Some(1), "x-kind").await;
    until(|| upstream.calls() == 2).await;
    yield_often().await;
    assert_eq!(upstream.calls(), 2, "those of one kind are one fetch");
    let second = upstream.answer_with(1, Some(1), "x-kind").await;
    assert!(first.data("a").await && second.data("b").await);
    drop((first, second));
    assert_eq!(whole(one.await.unwrap().unwrap()).await.unwrap(), "a");
    let mut texts = Vec::new();
    for other in others {
        texts.push(whole(other.await.unwrap().unwrap()).await.unwrap());
    }
    assert_eq!(texts, ["b", "b", "b", "a"]);
}

#[tokio::test]
async fn a_tenant_never_gets_what_another_has() {
    let upstream = Scripted::new();
    let ask = async |layer: &CacheLayer, tenant: Option<&str>, id: &str, call: usize| {
        let service = layer.layer(upstream.clone());
        let mut request = get("/");
        let principal = Principal::new("api_key", id);
        let principal = match tenant {
            Some(tenant) => principal.with_tenant(tenant),
            None => principal,
        };
        Facts::of(request.extensions_mut(), &Clock::default()).set_principal(&principal);
        let asking = tokio::spawn(service.oneshot(request));
        if call > 0 {
            until(|| upstream.calls() == call).await;
            let body = upstream.answer(call - 1, Some(1)).await;
            body.data("x").await;
        }
        let answer = asking.await.unwrap().unwrap();
        let status = answer.headers()["cache-status"].to_str().unwrap().to_owned();
        whole(answer).await.unwrap();
        status.starts_with("gateway; hit")
    };
    let (one, two) = (Some("one"), Some("two"));
    let tenants = CacheLayer::default().partition(Partition::Tenant);
    assert!(!ask(&tenants, one, "ada", 1).await);
    assert!(ask(&tenants, one, "ben", 0).await, "the same tenant");
    assert!(!ask(&tenants, two, "ada", 2).await, "another tenant");
    assert!(!ask(&tenants, None, "ada", 3).await, "no tenant");
    let principals = CacheLayer::default();
    assert!(!ask(&principals, one, "ada", 4).await);
    assert!(ask(&principals, one, "ada", 0).await);
    assert!(!ask(&principals, one, "ben", 5).await);
    assert!(!ask(&principals, two, "ada", 6).await);
    let shared = CacheLayer::default().partition(Partition::Shared);
    assert!(!ask(&shared, one, "ada", 7).await);
    assert!(ask(&shared, two, "ben", 0).await);
}

#[tokio::test]
async fn a_principal_without_authorization_is_one_with_it() {
    let script = "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\ncontent-length: 1\r\n\r\nx";
    let upstream = ScriptedUpstream::start([vec![Step::Send(script)]]).await.unwrap();
    let forward = Upstream::new([upstream.url()]).build().unwrap();
    let service = RescueLayer::default().layer(CacheLayer::default().layer(forward));
    for _ in 0..2 {
        let mut request = get("/");
        Facts::of(request.extensions_mut(), &Clock::default())
            .set_principal(&Principal::new("api_key", "ada"));
        whole(service.clone().oneshot(request).await.unwrap()).await.unwrap();
    }
    assert_eq!(upstream.heads().len(), 2);
}

/// An upstream whose every answer is given by hand.
#[derive(Clone)]
struct Scripted {
    calls: Arc<AtomicUsize>,
    bodies: Arc<std::sync::Mutex<Vec<(usize, Given, Body)>>>,
    ready: Arc<tokio::sync::Notify>,
}

type Given = (Option<u64>, Option<&'static str>, bool);

impl Scripted {
    fn new() -> Self {
        Self { calls: Arc::default(), bodies: Arc::default(), ready: Arc::default() }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Answers a call with a body that may be stored.
    async fn answer(&self, call: usize, length: Option<u64>) -> BodySender {
        self.give(call, (length, None, true)).await
    }

    async fn answer_with(&self, call: usize, length: Option<u64>, vary: &'static str) -> BodySender {
        self.give(call, (length, Some(vary), true)).await
    }

    /// Answers a call with something that may not be stored.
    async fn pass(&self, call: usize) {
        drop(self.give(call, (None, None, false)).await);
    }

    async fn give(&self, call: usize, given: Given) -> BodySender {
        let (sender, body) = channel();
        self.bodies.lock().unwrap().push((call, given, body));
        self.ready.notify_waiters();
        yield_often().await;
        sender
    }
}

impl Service<Request<Body>> for Scripted {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let this = self.clone();
        Box::pin(async move {
            loop {
                let ready = this.ready.notified();
                let found = {
                    let mut bodies = this.bodies.lock().unwrap();
                    let place = bodies.iter().position(|(call, ..)| *call == number);
                    place.map(|place| bodies.remove(place))
                };
                let Some((_, (length, vary, stored), body)) = found else {
                    ready.await;
                    continue;
                };
                let mut response = Response::builder();
                if stored {
                    response = response.header("cache-control", "public, max-age=60");
                }
                if let Some(length) = length {
                    response = response.header("content-length", length);
                }
                if let Some(vary) = vary {
                    response = response.header("vary", vary);
                }
                return Ok(response.body(body)?);
            }
        })
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "a.test").body(Body::empty()).unwrap()
}

async fn text(service: Cache<Scripted>, path: &str) -> Result<String, BoxError> {
    whole(service.oneshot(get(path)).await?).await
}

async fn whole(response: Response<Body>) -> Result<String, BoxError> {
    let bytes = Body::collect_limited(response.into_body(), 1 << 20).await?;
    Ok(String::from_utf8(bytes.to_vec())?)
}

/// The next bytes of a body.
async fn first(body: &mut Body) -> Option<bytes::Bytes> {
    let mut body = std::pin::Pin::new(body);
    let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await?;
    frame.ok()?.into_data().ok()
}

/// Waits until something holds; real time only bounds how long.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

async fn yield_often() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
