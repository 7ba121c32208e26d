//! The forwarder against upstreams that behave and misbehave, over real sockets.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::Bytes;
use gateway_core::{
    Body, Refusal, UpstreamError,
    client::Forward,
    error::{ErrorKind, refusal_for},
    forwarding::Pseudonym,
    testing::{ScriptedUpstream, Step, channel},
    upstream::{HostPolicy, Upstream},
};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use tower::ServiceExt;

const OK: Step = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

async fn upstream(script: impl IntoIterator<Item = Vec<Step>>) -> ScriptedUpstream {
    ScriptedUpstream::start(script).await.unwrap()
}

fn forward(upstream: &ScriptedUpstream) -> Forward {
    description(upstream).build().unwrap()
}

fn description(upstream: &ScriptedUpstream) -> Upstream {
    Upstream::new([upstream.url()]).pseudonym(Pseudonym::new("test").unwrap())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "api.example").body(Body::empty()).unwrap()
}

async fn text(response: Response<Body>) -> Bytes {
    Body::collect_limited(response.into_body(), 1 << 20).await.unwrap()
}

async fn kind(forward: &Forward, request: Request<Body>) -> ErrorKind {
    forward.clone().oneshot(request).await.unwrap_err().kind()
}

async fn frame(body: &mut Pin<&mut Body>) -> Option<Result<Bytes, gateway_core::BoxError>> {
    let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

#[tokio::test]
async fn the_upstream_sees_one_strict_request() {
    let upstream = upstream([vec![OK]]).await;
    let mut request = get("http://ignored.example/a?b=%zz&&c");
    for (name, value) in [
        ("connection", "keep-alive, x-private"),
        ("x-private", "1"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-kept", "1"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = forward(&upstream).oneshot(request).await.unwrap();
    assert_eq!(text(answer).await, "ok");
    let head = upstream.heads().pop().unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /a?b=%zz&&c HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "host: api.example",
            "via: 1.1 test",
            "x-forwarded-host: api.example",
            "x-forwarded-proto: http",
            "x-kept: 1"
        ]
    );
}

#[tokio::test]
async fn a_base_path_and_the_upstreams_own_host_are_policies() {
    let upstream = upstream([vec![OK]]).await;
    let description = Upstream::new([format!("{}/base", upstream.url())]).host(HostPolicy::Upstream);
    text(description.build().unwrap().oneshot(get("/x")).await.unwrap()).await;
    let head = upstream.heads().pop().unwrap();
    assert!(head.starts_with("GET /base/x HTTP/1.1"), "{head}");
    assert!(head.contains(&format!("host: {}", upstream.url().strip_prefix("http://").unwrap())), "{head}");
}

#[tokio::test]
async fn a_connection_is_used_again_once_its_body_has_ended_and_not_before() {
    let upstream = upstream([vec![OK]]).await;
    let forward = forward(&upstream);
    for _ in 0..5 {
        text(forward.clone().oneshot(get("/")).await.unwrap()).await;
    }
    assert_eq!(upstream.connections(), 1);

    let held = forward.clone().oneshot(get("/")).await.unwrap();
    drop(held); // its two bytes may have arrived with the head
    let one = forward.clone().oneshot(get("/")).await.unwrap();
    let two = forward.clone().oneshot(get("/")).await.unwrap();
    text(one).await;
    text(two).await;
    assert!(upstream.connections() <= 3, "{}", upstream.connections());
}

#[tokio::test]
async fn bodies_stream_in_both_directions() {
    let upstream = upstream([vec![
        Step::Send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"),
        Step::ReadBody,
        Step::Send("6\r\nsecond\r\n0\r\n\r\n"),
    ]])
    .await;
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let answer = forward(&upstream).oneshot(request).await.unwrap();
    let mut body = answer.into_body();
    let mut body = Pin::new(&mut body);
    assert_eq!(frame(&mut body).await.unwrap().unwrap(), "first");
    assert!(sender.data("late").await, "the request still streams after the answer's first bytes");
    drop(sender);
    assert_eq!(frame(&mut body).await.unwrap().unwrap(), "second");
    assert!(frame(&mut body).await.is_none());
    assert!(String::from_utf8_lossy(&upstream.bodies()[0]).contains("late"));
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_nobody_an_error() {
    // The upstream closes after every answer without saying so.
    let upstream = upstream([vec![OK, Step::Close]]).await;
    let forward = forward(&upstream);
    for _ in 0..20 {
        assert_eq!(text(forward.clone().oneshot(get("/")).await.unwrap()).await, "ok");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_never_sent_again() {
    let upstream = upstream([vec![OK], vec![Step::ReadBody, Step::Close], vec![OK]]).await;
    let forward = forward(&upstream);
    text(forward.clone().oneshot(get("/")).await.unwrap()).await;
    let post = Request::post("/pay").header("host", "a").body(Body::from("1")).unwrap();
    let failure = forward.oneshot(post).await.unwrap_err();
    assert_eq!((failure.kind(), failure.is_unsent()), (ErrorKind::Reset, false));
    assert_eq!(upstream.heads().iter().filter(|head| head.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_broken_answer_is_broken_visibly() {
    for (bytes, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", ErrorKind::Truncated),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", ErrorKind::Truncated),
    ] {
        let upstream = upstream([vec![Step::Send(bytes), Step::Close]]).await;
        let answer = forward(&upstream).oneshot(get("/")).await.unwrap();
        let mut body = answer.into_body();
        let mut body = Pin::new(&mut body);
        let error = loop {
            match frame(&mut body).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => unreachable!("a truncated answer ended cleanly: {bytes}"),
            }
        };
        assert_eq!(error.downcast_ref::<UpstreamError>().unwrap().kind(), expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_502() {
    for bytes in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n"] {
        let upstream = upstream([vec![Step::Send(bytes), Step::Close]]).await;
        assert_eq!(kind(&forward(&upstream), get("/")).await, ErrorKind::Protocol, "{bytes}");
    }
    let switching =
        upstream([vec![Step::Send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n")]]).await;
    let outcome = kind(&forward(&switching), get("/")).await;
    assert!(matches!(outcome, ErrorKind::Protocol | ErrorKind::Reset), "{outcome:?}");
}

#[tokio::test]
async fn failures_before_the_head_are_told_apart() {
    let closing = upstream([vec![Step::Close]]).await;
    assert_eq!(kind(&forward(&closing), get("/")).await, ErrorKind::Reset);
    let resetting = upstream([vec![Step::Reset]]).await;
    assert_eq!(kind(&forward(&resetting), get("/")).await, ErrorKind::Reset);
    let silent = upstream([vec![Step::Stall]]).await;
    let impatient = description(&silent).response_timeout(Duration::from_millis(50)).build().unwrap();
    assert_eq!(kind(&impatient, get("/")).await, ErrorKind::Timeout);
    let refused = Upstream::new(["http://127.0.0.1:1"]).build().unwrap();
    assert_eq!(kind(&refused, get("/")).await, ErrorKind::Connect);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_passed_over() {
    let upstream = upstream([vec![OK]]).await;
    let description = Upstream::new(["http://127.0.0.1:1".to_owned(), upstream.url()]);
    let forward = description.pseudonym(Pseudonym::new("test").unwrap()).build().unwrap();
    for _ in 0..4 {
        let request = Request::post("/").header("host", "a").body(Body::from("whole")).unwrap();
        assert_eq!(text(forward.clone().oneshot(request).await.unwrap()).await, "ok");
    }
}

#[tokio::test]
async fn dropping_the_exchange_cancels_it_at_the_upstream() {
    let upstream = upstream([vec![Step::Stall]]).await;
    let forward = forward(&upstream);
    let waiting = tokio::time::timeout(Duration::from_millis(50), forward.clone().oneshot(get("/")));
    assert!(waiting.await.is_err());
    for _ in 0..100 {
        if upstream.hung_up() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("the upstream still waits for a client that left");
}

#[tokio::test]
async fn dropping_a_half_read_body_closes_its_connection() {
    let head = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome");
    let upstream = upstream([vec![head, Step::Stall]]).await;
    let mut body = forward(&upstream).oneshot(get("/")).await.unwrap().into_body();
    frame(&mut Pin::new(&mut body)).await.unwrap().unwrap();
    drop(body);
    for _ in 0..100 {
        if upstream.hung_up() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("the connection stayed open");
}

#[tokio::test]
async fn an_early_answer_leaves_no_dirty_connection() {
    let refused = Step::Send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n");
    let upstream = upstream([vec![refused], vec![OK]]).await;
    let forward = forward(&upstream);
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    sender.data("begun").await;
    let answer = forward.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    drop(answer);
    assert_eq!(text(forward.oneshot(get("/")).await.unwrap()).await, "ok");
    assert_eq!(upstream.connections(), 2, "the half-sent request's connection is not used again");
    drop(sender);
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_the_clients_failure_and_keeps_its_refusal() {
    let upstream = upstream([vec![Step::ReadBody, OK]]).await;
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    tokio::spawn(async move {
        sender.data("some").await;
        sender.fail(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "too long")).await;
    });
    let error = forward(&upstream).oneshot(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert_eq!(refusal_for(&error).code(), "body_too_large");
}

#[tokio::test]
async fn answers_without_a_body_end_at_once() {
    for (method, head) in [
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 500\r\n\r\n"),
    ] {
        let upstream = upstream([vec![Step::Send(head)]]).await;
        let forward = forward(&upstream);
        for _ in 0..2 {
            let request = Request::builder().method(&method).uri("/").header("host", "a");
            let answer = forward.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert!(answer.body().is_end_stream(), "{head}");
            assert_eq!(text(answer).await, "");
        }
        assert_eq!(upstream.connections(), 1, "{head}");
    }
}

#[tokio::test]
async fn a_silent_body_breaks_off_and_a_slow_one_does_not() {
    let head = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na");
    let pause = || Step::Wait(Duration::from_millis(60));
    let slow = upstream([vec![head.clone(), pause(), Step::Send("b"), pause(), Step::Send("c")]]).await;
    let patient = description(&slow).body_idle_timeout(Duration::from_millis(400)).build().unwrap();
    assert_eq!(text(patient.oneshot(get("/")).await.unwrap()).await, "abc");

    let silent = upstream([vec![head, Step::Stall]]).await;
    let strict = description(&silent).body_idle_timeout(Duration::from_millis(50)).build().unwrap();
    let mut body = strict.oneshot(get("/")).await.unwrap().into_body();
    let mut body = Pin::new(&mut body);
    assert_eq!(frame(&mut body).await.unwrap().unwrap(), "a");
    assert!(frame(&mut body).await.unwrap().is_err());
}

#[tokio::test]
async fn endless_interim_answers_end_with_the_deadline() {
    let upstream = upstream([vec![Step::Drip("HTTP/1.1 100 Continue\r\n\r\n", Duration::ZERO)]]).await;
    let strict = description(&upstream).response_timeout(Duration::from_millis(100)).build().unwrap();
    assert_eq!(kind(&strict, get("/")).await, ErrorKind::Timeout);
}

#[tokio::test]
async fn an_upload_may_take_longer_than_the_wait_for_its_answer_as_long_as_it_moves() {
    let slow = upstream([vec![Step::ReadBody, OK]]).await;
    let strict = |upstream: &ScriptedUpstream| {
        description(upstream).response_timeout(Duration::from_millis(150)).build().unwrap()
    };
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    tokio::spawn(async move {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            sender.data("piece").await;
        }
    });
    assert_eq!(text(strict(&slow).oneshot(request).await.unwrap()).await, "ok");

    let (_sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let silent = upstream([vec![Step::Stall]]).await;
    assert_eq!(kind(&strict(&silent), request).await, ErrorKind::Timeout);
}
