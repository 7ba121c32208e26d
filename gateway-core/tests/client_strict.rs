//! What the forwarder lets through in either direction, and what it says when time or connections run out.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{future::poll_fn, pin::pin, time::Duration};

use gateway_core::{
    Body, Clock, Facts, Refusal,
    client::Forward,
    error::ErrorKind,
    forwarding::Pseudonym,
    testing::{ScriptedUpstream, Step, channel},
    upstream::Upstream,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, request::Builder};
use http_body::Body as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

const OK: Step = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

async fn upstream(script: impl IntoIterator<Item = Vec<Step>>) -> ScriptedUpstream {
    ScriptedUpstream::start(script).await.unwrap()
}

fn description(upstream: &ScriptedUpstream) -> Upstream {
    Upstream::new([upstream.url()]).pseudonym(Pseudonym::new("test").unwrap())
}

fn get() -> Builder {
    Request::get("/").header("host", "a")
}

async fn send(forward: &Forward, request: Builder) -> Response<Body> {
    forward.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = Body::collect_limited(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn trailers(response: Response<Body>) -> HeaderMap {
    let mut body = pin!(response.into_body());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(trailers) = frame.unwrap().into_trailers() {
            return trailers;
        }
    }
    HeaderMap::new()
}

fn code(response: &Response<Body>) -> &'static str {
    response.extensions().get::<Refusal>().map_or("", Refusal::code)
}

#[tokio::test]
async fn a_body_arrives_whatever_the_method_is() {
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::POST] {
        let head = Step::Send("HTTP/1.1 204 No Content\r\n\r\n");
        let upstream = upstream([vec![Step::ReadBody, head]]).await;
        let forward = description(&upstream).build().unwrap();
        let asked = || Request::builder().method(&method).uri("/").header("host", "a");

        let (sender, body) = channel();
        let streamed = tokio::spawn(forward.clone().oneshot(asked().body(body).unwrap()));
        sender.data("query").await;
        drop(sender);
        streamed.await.unwrap().unwrap();
        assert_eq!(upstream.bodies()[0], b"5\r\nquery\r\n0\r\n\r\n", "{method}");

        forward.oneshot(asked().body(Body::from("query")).unwrap()).await.unwrap();
        assert_eq!(upstream.bodies()[1], b"query", "{method}");
    }
}

#[tokio::test]
async fn a_request_without_a_body_is_sent_without_framing() {
    let upstream = upstream([vec![OK]]).await;
    text(send(&description(&upstream).build().unwrap(), get()).await).await;
    let head = upstream.heads().pop().unwrap();
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn the_upstream_sees_one_host() {
    let upstream = upstream([vec![OK]]).await;
    let forward = description(&upstream).build().unwrap();
    assert_eq!(code(&send(&forward, get().header("host", "b")).await), "bad_host");
    let by_target = Request::get("http://user@api.example:81/x").version(Version::HTTP_2);
    text(send(&forward, by_target).await).await;
    let heads = upstream.heads();
    assert_eq!(heads.len(), 1, "a request with two hosts is not forwarded");
    assert!(heads[0].contains("host: api.example:81\r\n"), "{}", heads[0]);
    assert!(heads[0].contains("via: 2.0 test\r\n"), "{}", heads[0]);
}

#[tokio::test]
async fn a_tunnel_or_a_loop_is_refused_before_anything_is_sent() {
    let upstream = upstream([vec![OK]]).await;
    let forward = description(&upstream).build().unwrap();
    let tunnel = send(&forward, Request::connect("elsewhere:443")).await;
    assert_eq!((tunnel.status().as_u16(), code(&tunnel)), (405, "connect"));
    let looping = send(&forward, get().header("via", "1.1 test")).await;
    assert_eq!((looping.status().as_u16(), code(&looping)), (508, "loop_detected"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn trailers_of_a_request_arrive_unless_they_belong_to_its_head() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        let is_whole = |bytes: &[u8]| {
            bytes.windows(5).any(|bytes| bytes == b"\r\n0\r\n") && bytes.ends_with(b"\r\n\r\n")
        };
        while !is_whole(&received) {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        String::from_utf8(received).unwrap()
    });
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").header("trailer", "x-check, X-Forwarded-For");
    let forward = Upstream::new([url]).build().unwrap();
    let answer = tokio::spawn(forward.oneshot(request.body(body).unwrap()));
    sender.data("sent").await;
    let mut late = HeaderMap::new();
    late.insert("x-check", HeaderValue::from_static("2"));
    late.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
    sender.trailers(late).await;
    drop(sender);
    assert_eq!(answer.await.unwrap().unwrap().status(), 204);
    let received = received.await.unwrap();
    assert!(received.contains("trailer: x-check\r\n"), "{received}");
    assert!(received.ends_with("4\r\nsent\r\n0\r\nx-check: 2\r\n\r\n"), "{received}");
}

#[tokio::test]
async fn trailers_of_an_answer_hold_nothing_that_belongs_to_its_head() {
    let upstream = upstream([vec![Step::Send(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\
         connection: close\r\ncontent-length: 5\r\nset-cookie: a=b\r\n\r\n",
    )]])
    .await;
    let answer = send(&description(&upstream).build().unwrap(), get()).await;
    assert_eq!(answer.headers()["trailer"], "x-sum");
    let trailers = trailers(answer).await;
    assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &HeaderValue::from_static("1")));
}

#[tokio::test]
async fn bytes_after_an_answer_are_never_the_next_answer() {
    let two_at_once =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let upstream = upstream([vec![Step::Send(two_at_once)], vec![OK]]).await;
    let forward = description(&upstream).build().unwrap();
    for _ in 0..2 {
        assert_eq!(text(send(&forward, get()).await).await, "ok");
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn an_answer_with_too_large_a_head_is_no_answer() {
    for (fields, length, fits) in [(99, 10, true), (1, 60_000, true), (101, 10, false), (1, 70_000, false)] {
        let field = |number| format!("x-{number}: {}\r\n", "v".repeat(length));
        let fields = (0..fields).map(field).collect::<String>();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{fields}\r\n");
        let upstream = upstream([vec![Step::Send(head.leak())]]).await;
        let forward = description(&upstream).build().unwrap();
        let outcome = forward.oneshot(get().body(Body::empty()).unwrap()).await;
        assert_eq!(outcome.map_err(|error| error.kind()).err(), (!fits).then_some(ErrorKind::Protocol));
    }
}

#[tokio::test]
async fn hop_by_hop_fields_of_an_answer_stay_on_their_hop() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-private\r\nkeep-alive: timeout=5\r\nx-private: 1\r\n\
                  proxy-authenticate: Basic\r\nx-kept: 1\r\ncontent-length: 0\r\n\r\n";
    let upstream = upstream([vec![Step::Send(answer)]]).await;
    let answer = send(&description(&upstream).build().unwrap(), get()).await;
    let mut names: Vec<_> = answer.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-kept"]);
}

#[tokio::test]
async fn a_pool_of_none_and_an_idle_time_of_none_keep_nothing() {
    for unkept in [
        |description: Upstream| description.max_idle(0),
        |description: Upstream| description.idle_timeout(Duration::ZERO),
    ] {
        let upstream = upstream([vec![OK]]).await;
        let forward = unkept(description(&upstream)).build().unwrap();
        for _ in 0..3 {
            text(send(&forward, get()).await).await;
        }
        assert_eq!(upstream.connections(), 3);
    }
}

#[tokio::test]
async fn requests_take_turns_and_the_facts_name_the_endpoint() {
    let (one, two) = (upstream([vec![OK]]).await, upstream([vec![OK]]).await);
    let forward = Upstream::new([one.url(), two.url()]).build().unwrap();
    for turn in 0..4 {
        let mut request = get().body(Body::empty()).unwrap();
        let facts = Facts::of(request.extensions_mut(), &Clock::default()).clone();
        text(forward.clone().oneshot(request).await.unwrap()).await;
        let expected = [&one, &two][turn % 2].url();
        assert_eq!(facts.endpoint().as_deref(), Some(expected.as_str()));
    }
    assert_eq!((one.heads().len(), two.heads().len()), (2, 2));
}

#[tokio::test]
async fn the_deadline_of_a_request_counts_before_the_upstreams_own_patience() {
    let silent = upstream([vec![Step::Stall]]).await;
    let deaf = Deaf::start().await;
    for url in [silent.url(), deaf.url()] {
        let mut request = get().body(Body::empty()).unwrap();
        let clock = Clock::default();
        let facts = Facts::of(request.extensions_mut(), &clock);
        facts.tighten_deadline(clock.now() + Duration::from_millis(50));
        // The second endpoint must not be tried any more.
        let forward = Upstream::new([&url, &url]).build().unwrap();
        let error = forward.oneshot(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{url}");
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_accept_is_passed_over_in_time() {
    let (deaf, upstream) = (Deaf::start().await, upstream([vec![OK]]).await);
    let description = Upstream::new([deaf.url(), upstream.url()]).connect_timeout(Duration::from_millis(50));
    assert_eq!(text(send(&description.build().unwrap(), get()).await).await, "ok");
    let alone = Upstream::new([deaf.url()]).connect_timeout(Duration::from_millis(50)).build().unwrap();
    let error = alone.oneshot(get().body(Body::empty()).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn leaving_in_mid_upload_breaks_the_upload_off_at_the_upstream() {
    let upstream = upstream([vec![Step::ReadBody, OK]]).await;
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let exchange = tokio::spawn(description(&upstream).build().unwrap().oneshot(request));
    sender.data("half").await;
    sender.data("more").await;
    exchange.abort();
    for _ in 0..100 {
        if sender.is_dropped() && upstream.bodies().len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(sender.is_dropped(), "the rest of the client's body is not read");
    assert!(!upstream.bodies()[0].ends_with(b"0\r\n\r\n"), "half a request is never finished");
}

#[test]
fn a_forwarder_can_be_shared() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Forward>();
}

/// A listener whose queue is full: a connection to it neither comes about nor fails.
struct Deaf {
    listener: std::net::TcpListener,
    _queued: Vec<tokio::net::TcpStream>,
}

impl Deaf {
    async fn start() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        let connect =
            || tokio::time::timeout(Duration::from_millis(50), tokio::net::TcpStream::connect(address));
        while let Ok(Ok(stream)) = connect().await {
            queued.push(stream);
        }
        Self { listener, _queued: queued }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }
}
