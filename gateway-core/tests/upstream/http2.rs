use std::{future::poll_fn, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use gateway_core::{
    Body,
    client::Forward,
    error::ErrorKind,
    forwarding::Pseudonym,
    testing::channel,
    upstream::{Protocol, Upstream},
};
use h2::{Reason, server::SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Manners, Server, at_once, get, send, text};

fn forward(url: String) -> Forward {
    let upstream = Upstream::new([url]).protocol(Protocol::Http2).pseudonym(Pseudonym::new("t").unwrap());
    upstream.build().unwrap()
}

/// Serves one connection at a time by hand.
pub(super) async fn by_hand<F>(
    serve: impl Fn(usize, Request<h2::RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + 'static,
) -> (String, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(serve(number, request, respond));
                number += 1;
            }
        }
    });
    (url, serving)
}

#[tokio::test]
async fn a_request_is_one_of_http2_and_keeps_what_grpc_needs() {
    let server = Server::start(Manners { http2: true, ..Manners::default() }).await;
    let forward = forward(server.url());
    let mut request = get("/a?b");
    for (name, value) in [
        ("te", "gzip, trailers"),
        ("connection", "x-private"),
        ("x-private", "1"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let said = text(send(&forward, request).await.unwrap()).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/2.0 http://shop.example/a?b {"), "{said}");
    for field in ["\"te\": \"trailers\"", "\"cookie\": \"a=1; b=2\"", "\"via\": \"1.1 t\""] {
        assert!(said.contains(field), "{field}: {said}");
    }
    for gone in ["\"host\"", "x-private", "connection"] {
        assert!(!said.contains(gone), "{gone}: {said}");
    }
    let said = text(send(&forward, get("/")).await.unwrap()).await;
    assert!(!String::from_utf8_lossy(&said).contains("te\":"), "{said:?}");
}

#[tokio::test]
async fn streams_beyond_what_the_peer_allows_get_connections_of_their_own() {
    let manners = Manners {
        http2: true,
        max_streams: Some(100),
        thinks: Duration::from_millis(300),
        ..Manners::default()
    };
    let server = Server::start(manners).await;
    let forward = forward(server.url());
    assert!(at_once(&forward, 250).await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(server.connections(), 3);
    assert!(at_once(&forward, 250).await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(server.connections(), 3, "they are kept");
    assert!(server.seen.most.load(Ordering::SeqCst) > 200, "at once");
}

#[tokio::test]
async fn a_peer_that_leaves_again_and_again_loses_no_request() {
    let manners = Manners { http2: true, leaves_after: Some(20), ..Manners::default() };
    let server = Server::start(manners).await;
    let forward = forward(server.url());
    for _ in 0..60 {
        for answer in at_once(&forward, 30).await {
            text(answer.unwrap()).await;
        }
    }
    assert!(server.connections() > 20, "{}", server.connections());
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_only_without_a_body_and_is_known_to_be_unsent() {
    let (url, serving) = by_hand(|number, _, mut respond| async move {
        match number % 2 {
            0 => respond.send_reset(Reason::REFUSED_STREAM),
            _ => drop(respond.send_response(Response::new(()), true)),
        }
    })
    .await;
    let forward = forward(url);
    let post = Request::post("/").header("host", "a").body(Body::empty()).unwrap();
    assert_eq!(send(&forward, post).await.unwrap().status(), 200);
    let post = Request::post("/").header("host", "a").body(Body::from("x")).unwrap();
    let error = send(&forward, post).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Reset, true));
    serving.abort();
}

#[tokio::test]
async fn trailers_come_through_and_a_reset_breaks_the_transfer_off() {
    let (url, serving) = by_hand(|number, _, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::from_static(b"half"), false).unwrap();
        match number {
            0 => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                body.send_trailers(trailers).unwrap();
            }
            _ => body.send_reset(Reason::INTERNAL_ERROR),
        }
    })
    .await;
    let forward = forward(url);
    let mut body = Box::pin(send(&forward, get("/")).await.unwrap().into_body());
    let data = poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap();
    assert_eq!(data.into_data().unwrap(), "half");
    let late = poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap();
    assert_eq!(late.into_trailers().unwrap()["grpc-status"], "0");

    match send(&forward, get("/")).await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Reset),
        Ok(answer) => assert!(Body::collect_limited(answer.into_body(), 100).await.is_err()),
    }
    serving.abort();
}

#[tokio::test]
async fn leaving_resets_the_stream_at_the_upstream_and_nothing_else() {
    let (told, mut resets) = tokio::sync::mpsc::unbounded_channel();
    let (url, serving) = by_hand(move |number, _, mut respond| {
        let told = told.clone();
        async move {
            match number {
                0 => told.send(poll_fn(|cx| respond.poll_reset(cx)).await.unwrap()).unwrap(),
                1 => {
                    let mut body = respond.send_response(Response::new(()), false).unwrap();
                    told.send(poll_fn(|cx| body.poll_reset(cx)).await.unwrap()).unwrap();
                }
                _ => drop(respond.send_response(Response::new(()), true)),
            }
        }
    })
    .await;
    let forward = forward(url);
    let request = tokio::spawn({
        let forward = forward.clone();
        async move { send(&forward, get("/")).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    request.abort();
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
    let answer = send(&forward, get("/")).await.unwrap();
    drop(answer);
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
    assert_eq!(send(&forward, get("/")).await.unwrap().status(), 200, "over the same connection");
    serving.abort();
}

#[tokio::test]
async fn an_upload_streams_and_an_answer_may_come_before_its_end() {
    let (url, serving) = by_hand(|_, request, mut respond| async move {
        let mut body = request.into_body();
        let first = body.data().await.unwrap().unwrap();
        let mut answer = respond.send_response(Response::new(()), false).unwrap();
        answer.send_data(first, true).unwrap();
    })
    .await;
    let (sender, body) = channel();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let forward = forward(url);
    let answer = tokio::spawn(async move { text(send(&forward, request).await.unwrap()).await });
    sender.data("first").await;
    assert_eq!(answer.await.unwrap(), "first");
    drop(sender);
    serving.abort();
}

#[tokio::test]
async fn a_peer_that_does_not_speak_http2_is_no_upstream() {
    let server = Server::start(Manners::default()).await;
    let error = send(&forward(server.url()), get("/")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Reset | ErrorKind::Connect), "{error:?}");
    let nowhere = send(&forward("http://127.0.0.1:1".to_owned()), get("/")).await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Connect);
    assert!(std::error::Error::source(&nowhere).unwrap().to_string().contains("refused"), "{nowhere:?}");
}
