//! The end of a server.

use super::*;

/// Tells the server to stop, and waits until it no longer accepts.
async fn stopping(server: Running) -> JoinHandle<std::io::Result<Drained>> {
    drop(server.stop);
    soon(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    server.server
}

#[tokio::test]
async fn an_answer_in_progress_is_finished_and_nothing_new_accepted() {
    let (streaming, mut sender) = streaming();
    let server = Running::start(streaming, |server| server).await;
    let mut client = server.connect().await;
    client.get("/").await;
    sender.send_data("first".into()).await.unwrap();
    client.read_until("first").await;

    let stopping = stopping(server).await;
    sender.send_data("last".into()).await.unwrap();
    drop(sender);
    let end = client.rest().await;
    assert!(end.contains("last") && end.ends_with("0\r\n\r\n"), "{end}");
    assert_eq!(soon(stopping).await.unwrap().unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn a_request_that_is_not_yet_answered_is_answered_with_close() {
    let (go, gone) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gone)));
    let (begun, beginning) = oneshot::channel::<()>();
    let begun = Arc::new(Mutex::new(Some(begun)));
    let slow = handler(move |_| {
        let gate = gate.lock().unwrap().take().unwrap();
        drop(begun.lock().unwrap().take());
        async move {
            drop(gate.await);
            Response::new(Body::from("at last"))
        }
    });
    let server = Running::start(slow, |server| server).await;
    let mut client = server.connect().await;
    client.get("/").await;
    drop(soon(beginning).await);
    let stopping = stopping(server).await;
    drop(go);
    let answer = client.rest().await;
    assert!(answer.contains("connection: close") && answer.ends_with("at last"), "{answer}");
    assert_eq!(soon(stopping).await.unwrap().unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn an_http2_answer_in_progress_is_finished_and_the_client_told_to_go() {
    let (streaming, mut sender) = streaming();
    let server = Running::start(streaming, |server| server).await;
    let (mut requests, connection) = server.connect_http2().await;
    let request = Request::get("http://a/").body(Body::empty()).unwrap();
    let mut body = soon(requests.send_request(request)).await.unwrap().into_body();
    sender.send_data("first".into()).await.unwrap();
    assert_eq!(soon(next_frame(&mut body)).await.unwrap().unwrap().into_data().unwrap(), "first");

    let stopping = stopping(server).await;
    sender.send_data("last".into()).await.unwrap();
    drop(sender);
    assert_eq!(Body::collect_limited(body, 100).await.unwrap(), "last");
    soon(connection).await.unwrap().expect("it ends without an error");
    assert_eq!(soon(stopping).await.unwrap().unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn who_says_nothing_is_closed_at_once() {
    let server = Running::start(echo(), |server| server.drain_timeout(Duration::from_secs(600))).await;
    let mut silent = server.connect().await;
    let mut undecided = server.connect().await;
    undecided.send("PRI * HTTP").await;
    let mut idle = server.connect().await;
    idle.get("/a").await;
    idle.read_until("this is /a").await;
    assert_eq!(server.stop().await, Drained { finished: 3, cut: 0 });
    for client in [&mut silent, &mut undecided, &mut idle] {
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_and_counted() {
    let (silent, waiting) = silent();
    let server = Running::start(silent, |server| server.drain_timeout(Duration::from_millis(50))).await;
    let mut client = server.connect().await;
    client.get("/").await;
    let (mut requests, _connection) = server.connect_http2().await;
    let request = Request::get("http://a/").body(Body::empty()).unwrap();
    let answer = tokio::spawn(async move { requests.send_request(request).await.map(drop) });
    until(|| waiting.value() == 2).await;
    assert_eq!(server.stop().await, Drained { finished: 0, cut: 2 });
    assert_eq!(client.rest().await, "");
    assert!(soon(answer).await.unwrap().is_err());
    until(|| waiting.value() == 0).await;
}

#[tokio::test]
async fn a_stop_before_anything_came_is_a_stop() {
    let server = Running::start(echo(), |server| server).await;
    assert_eq!(server.stop().await, Drained::default());
}
