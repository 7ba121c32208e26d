//! HTTP/1.1 and HTTP/2 on one port, streaming both ways, and what is too large.

use gateway_core::Facts;

use super::*;

#[tokio::test]
async fn requests_follow_each_other_on_one_connection_also_pipelined() {
    let server = Running::start(echo(), |server| server).await;
    let mut client = server.connect().await;
    client.get("/a").await;
    client.read_until("this is /a").await;
    client.send("GET /b HTTP/1.1\r\nhost: a\r\n\r\nGET /c HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let both = client.read_until("this is /c").await;
    assert!(both.contains("this is /b"), "{both}");
    drop(client);
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_head_may_come_in_pieces_also_one_that_begins_like_the_other_protocol() {
    let server = Running::start(echo(), |server| server).await;
    let mut client = server.connect().await;
    client.0.set_nodelay(true).unwrap();
    for piece in ["P", "RI", " * HTT", "P/1.1\r\nhost: a\r\n", "\r", "\n"] {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    client.read_until("HTTP/1.1 ").await;
}

#[tokio::test]
async fn http2_by_prior_knowledge_shares_the_port() {
    let server = Running::start(echo(), |server| server).await;
    let (mut sender, _connection) = server.connect_http2().await;
    for path in ["/one", "/two"] {
        let request = Request::get(format!("http://a{path}")).body(Body::empty()).unwrap();
        let answer = soon(sender.send_request(request)).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        let text = Body::collect_limited(answer.into_body(), 100).await.unwrap();
        assert_eq!(text, format!("this is {path}"));
    }
}

#[tokio::test]
async fn a_request_knows_its_peer_and_when_it_arrived() {
    let facts = handler(async |request| {
        let facts = Facts::get(request.extensions()).unwrap();
        let peer = facts.peer().unwrap();
        let age = gateway_core::Clock::default().now() - facts.arrived();
        Response::new(Body::from(format!("{peer} {}", age < Duration::from_secs(1))))
    });
    let server = Running::start(facts, |server| server).await;
    let mut client = server.connect().await;
    let own = client.0.local_addr().unwrap();
    client.get("/").await;
    client.read_until(&format!("{own} true")).await;
}

#[tokio::test]
async fn the_first_bytes_of_an_answer_arrive_before_the_last_exist() {
    let (streaming, mut sender) = streaming();
    let server = Running::start(streaming, |server| server).await;
    let mut client = server.connect().await;
    client.get("/").await;
    for piece in ["first", "second", "third"] {
        sender.send_data(piece.into()).await.unwrap();
        client.read_until(piece).await;
    }
    drop(sender);
    client.read_until("0\r\n\r\n").await;
}

#[tokio::test]
async fn an_upload_is_read_no_faster_than_it_is_taken() {
    let (go, gone) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gone)));
    let slow = handler(move |request| {
        let gate = gate.lock().unwrap().take().unwrap();
        async move {
            drop(gate.await);
            Response::new(Body::from(format!("took {}", length(request.into_body()).await)))
        }
    });
    let server = Running::start(slow, |server| server).await;
    let mut client = server.connect().await;
    let total = 32 << 20;
    client.send(&format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {total}\r\n\r\n")).await;
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(100), client.0.write(&piece)).await {
        sent += written.unwrap();
    }
    assert!(sent < total / 2, "{sent} bytes were taken while nobody read them");
    drop(go);
    while sent < total {
        sent += soon(client.0.write(&piece[..piece.len().min(total - sent)])).await.unwrap();
    }
    client.read_until(&format!("took {total}")).await;
}

#[tokio::test]
async fn a_client_that_is_refused_in_mid_upload_still_hears_why() {
    let full = handler(async |_| Response::builder().status(413).body(Body::from("too much")).unwrap());
    let server = Running::start(full, |server| server).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n").await;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        soon(client.0.write_all(&piece)).await.expect("no reset while the client still sends");
    }
    let answer = client.read_until("too much").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn heads_that_are_malformed_or_too_large_are_refused() {
    let server = Running::start(echo(), |server| server.max_header_bytes(2_000).max_headers(10)).await;
    for (head, status) in [
        ("GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {}\r\n\r\n", "x".repeat(2_000)), "431"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {}", "x".repeat(2_000)), "431"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(10)), "431"),
    ] {
        let mut client = server.connect().await;
        client.send(&head).await;
        let answer = client.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
    let mut client = server.connect().await;
    client.send(&format!("GET /fits HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(9))).await;
    client.read_until("this is /fits").await;
}

#[tokio::test]
async fn an_http2_header_list_that_is_too_large_is_refused() {
    let server = Running::start(echo(), |server| server.http2_header_bytes(2_000)).await;
    let (mut sender, _connection) = server.connect_http2().await;
    for (length, status) in [(1_000, 200), (3_000, 431), (1_000, 200)] {
        let request =
            Request::get("http://a/").header("cookie", "x".repeat(length)).body(Body::empty()).unwrap();
        assert_eq!(soon(sender.send_request(request)).await.unwrap().status(), status);
    }
}
