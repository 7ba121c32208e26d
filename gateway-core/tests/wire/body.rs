//! PROXY-RULES 1 and 9: the framing of requests, their trailers, and bodies that nobody reads.

use std::time::Duration;

use crate::{
    gateway::Gateway,
    upstream::{OK, Recorder},
};

#[tokio::test]
async fn a_length_and_chunks_are_one_request_with_one_framing_and_then_the_end() {
    for lines in
        ["content-length: 5\r\ntransfer-encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        let tail = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer =
            gateway.exchange(format!("POST / HTTP/1.1\r\nhost: a\r\n{lines}\r\n\r\n0\r\n\r\n{tail}")).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(upstream.requests().len() <= 1 && !upstream.all().contains("smuggled"));
    }
}

#[tokio::test]
async fn a_coding_other_than_one_chunked_is_refused_and_the_connection_closed() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for coding in [
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        ",chunked",
        "chunked,",
        "chunked;q=1",
        "xchunked",
        "\"chunked\"",
        "gzip\r\ntransfer-encoding: chunked",
        "chunked\r\ntransfer-encoding: identity",
        "",
    ] {
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        let answer = gateway.exchange(request + "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 501 "),
            "{coding}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{coding}: {answer}");
    }
    assert_eq!(
        gateway.status("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await,
        400
    );
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn a_length_is_one_number() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    for lengths in
        ["", "+2", "-1", "0x2", "2, 2", "2,", "2 2", "2\r\ncontent-length: 3", "99999999999999999999", "2.0"]
    {
        let answer = gateway
            .exchange(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {lengths}\r\n\r\nhi"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
    }
    assert_eq!(upstream.bytes().len(), 0);
    let twice = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(gateway.status(twice).await, 200);
    assert_eq!(upstream.request().value("content-length").unwrap(), "2");
}

#[tokio::test]
async fn requests_that_follow_each_other_keep_their_bodies() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = gateway.connect().await;
    client
        .send(
            "GET /1 HTTP/1.1\r\nhost: a\r\ncontent-length: 20\r\n\r\n01234567890123456789\
             POST /2 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
             GET /3 HTTP/1.1\r\nhost: a\r\n\r\n",
        )
        .await;
    for _ in 0..3 {
        assert_eq!(client.answer().await.status, 200);
    }
    let seen: Vec<_> =
        upstream.requests().into_iter().map(|request| (request.target, request.body)).collect();
    assert_eq!(
        seen,
        [
            ("/1".to_owned(), b"01234567890123456789".to_vec()),
            ("/2".to_owned(), b"abc".to_vec()),
            ("/3".to_owned(), Vec::new()),
        ]
    );
}

#[tokio::test]
async fn framing_is_written_anew() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let body = "2;ext=\"x\"\r\nhi\r\n0003\r\n ho\r\n000;y\r\nx-check: 1\r\nhost: evil\r\n\r\n";
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\ntrailer: x-check, host\r\n\r\n";
    assert_eq!(gateway.status(format!("{head}{body}")).await, 200);
    let request = upstream.request();
    assert_eq!(request.value("transfer-encoding").unwrap(), "chunked");
    assert_eq!(request.body, b"hi ho");
    assert_eq!(request.trailers, [("x-check".to_owned(), b"1".to_vec())], "and only what may come late");
}

#[tokio::test]
async fn half_a_body_is_never_finished() {
    for head in ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let upstream = Recorder::start().await;
        let gateway = Gateway::before(&upstream).await;
        let mut client = gateway.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{head}")).await;
        while !upstream.all().contains("half") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.finish().await;
        client.rest().await;
        assert_eq!(upstream.requests().len(), 0, "{head}");
    }
}

#[tokio::test]
async fn bytes_that_a_refusal_left_unread_are_no_request() {
    let upstream = Recorder::start().await;
    let gateway = Gateway::before(&upstream).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in ["TRACE /", "POST /%zz", "OPTIONS *"] {
        let length = smuggled.len();
        let mut client = gateway.connect().await;
        client
            .send(format!("{head} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{smuggled}"))
            .await;
        assert!(client.answer().await.status >= 204);
        client.finish().await;
        client.rest().await;
    }
    assert_eq!(upstream.bytes().len(), 0);
}

#[tokio::test]
async fn an_early_answer_leaves_no_dirty_connection() {
    let early = "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n";
    let upstream = EarlyUpstream::start(early).await;
    let gateway = Gateway::at(&upstream.url).await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
    // The rest of that upload must not become the head of this request.
    for _ in 0..3 {
        assert_eq!(gateway.status("GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await, 413);
    }
    for bytes in upstream.seen() {
        assert!(bytes.starts_with("POST / ") || bytes.starts_with("GET /next "), "{bytes}");
    }
}

/// Answers each connection's first head at once, whatever body was announced, and later ones too.
struct EarlyUpstream {
    url: String,
    seen: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl EarlyUpstream {
    async fn start(answer: &'static str) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
        let kept = std::sync::Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = std::sync::Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 65_536];
                    while let Ok(size @ 1..) = stream.read(&mut bytes).await {
                        kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..size]).into_owned());
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, seen, accepting }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for EarlyUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[tokio::test]
async fn a_slow_chunk_by_chunk_body_arrives_whole() {
    let upstream = Recorder::answering(|request| {
        assert_eq!(request.body.len(), 500);
        (OK.into(), false)
    })
    .await;
    let gateway = Gateway::before(&upstream).await;
    let mut client = gateway.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..100 {
        client.send("5\r\n").await;
        client.send("01234\r\n").await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
}
