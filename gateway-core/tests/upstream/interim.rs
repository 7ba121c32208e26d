//! Interim answers (1xx), few and without end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{
    client::Forward,
    error::ErrorKind,
    upstream::{Protocol, Upstream},
};
use http::{Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::{get, http2::by_hand, send, text};

fn forward(url: String, protocol: Protocol) -> Forward {
    let upstream = Upstream::new([url]).protocol(protocol).response_timeout(Duration::from_secs(1));
    upstream.build().unwrap()
}

/// One early hint of 1 KiB.
fn hint() -> String {
    format!("HTTP/1.1 103 Early Hints\r\nlink: <{}>\r\n\r\n", "x".repeat(1_000))
}

/// Answers each request with this many hints, then with `ok`. Tells how many a client took before it left.
async fn hinting(hints: usize) -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (hint, mut sent) = (hint(), 0);
        while stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {
            for number in 0..hints {
                let word = if number % 2 == 0 { hint.as_str() } else { "HTTP/1.1 100 Continue\r\n\r\n" };
                if stream.write_all(word.as_bytes()).await.is_err() {
                    return sent;
                }
                sent += 1;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
        sent
    });
    (url, serving)
}

#[tokio::test]
async fn interim_answers_are_passed_over_and_the_connection_serves_on() {
    let (url, serving) = hinting(2_000).await;
    let forward = forward(url, Protocol::Http1);
    for _ in 0..2 {
        let answer = send(&forward, get("/")).await.unwrap();
        assert_eq!((answer.status(), answer.headers().get("link")), (StatusCode::OK, None));
        assert_eq!(text(answer).await, "ok");
    }
    drop(forward);
    assert_eq!(serving.await.unwrap(), 4_000);
}

#[tokio::test]
async fn without_end_they_end_with_the_wait_for_the_answer_and_are_not_kept() {
    let before = resident();
    let (url, serving) = hinting(usize::MAX).await;
    let error = send(&forward(url, Protocol::Http1), get("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    // The upstream finds its connection closed.
    let sent = tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    assert!(sent > 2_000, "{sent}");
    assert!(resident() < before + (48 << 20), "{before} bytes grew to {} after {sent}", resident());
}

#[tokio::test]
async fn the_same_over_http2() {
    let sent = Arc::new(AtomicUsize::new(0));
    let (counts, before) = (Arc::clone(&sent), resident());
    let (url, serving) = by_hand(move |_, _, mut respond| {
        let counts = Arc::clone(&counts);
        async move {
            let hint = || {
                let hint = Response::builder().status(103).header("link", "x".repeat(1_000));
                hint.body(()).unwrap()
            };
            // A stream that was reset takes no more. What is written waits for no window: go slowly enough for memory.
            while respond.send_informational(hint()).is_ok() {
                counts.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    let error = send(&forward(url, Protocol::Http2), get("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent > 100, "{sent}");
    assert!(resident() < before + (48 << 20), "{before} bytes grew to {} after {sent}", resident());
    serving.abort();
}

/// How many bytes of memory this process has.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
