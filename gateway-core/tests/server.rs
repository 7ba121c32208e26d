//! The server, spoken to by hand over real sockets.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    future::IntoFuture,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_core::{
    Body, Facts,
    meter::Meter,
    server::{Drained, Server, serve},
    testing::channel,
};
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower::{service_fn, util::BoxCloneSyncService};

type Handler = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<Drained>>,
}

impl Running {
    async fn start(handler: Handler, settings: impl FnOnce(Server<Handler>) -> Server<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = settings(serve(listener, handler)).shutdown(async { drop(stopped.await) });
        Self { address, stop: Some(stop), server: tokio::spawn(server.into_future()) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(mut self) -> Drained {
        drop(self.stop.take());
        tokio::time::timeout(Duration::from_secs(5), self.server).await.unwrap().unwrap().unwrap()
    }
}

fn handler<F>(handle: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    BoxCloneSyncService::new(service_fn(move |request| {
        let answer = handle(request);
        async move { Ok(answer.await) }
    }))
}

fn path_echo() -> Handler {
    handler(async |request| {
        let peer = Facts::get(request.extensions()).and_then(Facts::peer).is_some();
        Response::new(Body::from(format!("{} {peer}", request.uri().path())))
    })
}

async fn send(stream: &mut TcpStream, bytes: &str) {
    stream.write_all(bytes.as_bytes()).await.unwrap();
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(end) {
        let read =
            tokio::time::timeout(Duration::from_secs(5), stream.read_buf(&mut text)).await.unwrap().unwrap();
        assert!(read > 0, "closed before {end}: {}", String::from_utf8_lossy(&text));
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Whatever comes until the server closes, which it must do soon.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await;
    let _ = read.unwrap_or_else(|_| panic!("the connection stayed open"));
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection_also_pipelined() {
    let server = Running::start(path_echo(), |server| server).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut stream, "/a true").await;
    send(&mut stream, "GET /b HTTP/1.1\r\nhost: a\r\n\r\nGET /c HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let both = read_until(&mut stream, "/c true").await;
    assert!(both.contains("/b true"), "{both}");
    drop(stream);
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn http2_by_prior_knowledge_shares_the_port() {
    let server = Running::start(path_echo(), |server| server).await;
    let io = hyper_util::rt::TokioIo::new(server.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let request = Request::get("http://a/two").body(Body::empty()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(Body::collect_limited(answer.into_body(), 100).await.unwrap(), "/two true");
}

#[tokio::test]
async fn silent_and_undecided_and_slow_connections_are_closed() {
    let meter = Meter::default();
    let short = Duration::from_millis(80);
    let metered = meter.clone();
    let server = Running::start(path_echo(), |server| {
        server.first_byte_timeout(short).header_timeout(short).meter(&metered)
    })
    .await;
    for start in ["", "PRI * HTTP/2.0\r\n", "GET /slow HTTP/1.1\r\nhost: "] {
        let mut stream = server.connect().await;
        send(&mut stream, start).await;
        let said = rest(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{start:?}: {said}");
    }
    let mut idle = server.connect().await;
    send(&mut idle, "GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(rest(&mut idle).await.contains("/a true"), "an idle connection is closed after its answer");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(meter.render().contains("gateway_connections 0\n"), "{}", meter.render());
}

#[tokio::test]
async fn an_answer_streams_and_a_shutdown_lets_it_finish() {
    let (sender, body) = channel();
    let body = Arc::new(Mutex::new(Some(body)));
    let streaming = handler(move |_| {
        let body = body.lock().unwrap().take().unwrap_or_default();
        async move { Response::new(body) }
    });
    let server = Running::start(streaming, |server| server).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(sender.data("first").await);
    read_until(&mut stream, "first").await;

    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nothing new is accepted");
    assert!(sender.data("last").await);
    drop(sender);
    let end = rest(&mut stream).await;
    assert!(end.contains("last") && end.ends_with("0\r\n\r\n"), "{end}");
    assert_eq!(stopping.await.unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_and_counted() {
    let silent = handler(|_| std::future::pending());
    let server = Running::start(silent, |server| server.drain_timeout(Duration::from_millis(50))).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.stop().await, Drained { finished: 0, cut: 1 });
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = Running::start(path_echo(), |server| server.max_connections(1)).await;
    let mut first = server.connect().await;
    send(&mut first, "GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut first, "/a true").await;
    let mut second = server.connect().await;
    let said = rest(&mut second).await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("retry-after: 1"), "{said}");
    let body = said.split("\r\n\r\n").nth(1).unwrap();
    assert!(said.contains(&format!("content-length: {}\r\n", body.len())), "{said}");

    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = server.connect().await;
    send(&mut third, "GET /b HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut third, "/b true").await;
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_and_no_other() {
    let panicking = handler(async |request| {
        assert!(request.uri().path() != "/panic", "boom");
        Response::new(Body::from("well"))
    });
    let server = Running::start(panicking, |server| server).await;
    let mut bystander = server.connect().await;
    for _ in 0..3 {
        let mut victim = server.connect().await;
        send(&mut victim, "GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(rest(&mut victim).await, "");
        send(&mut bystander, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        read_until(&mut bystander, "well").await;
    }
}

#[tokio::test]
async fn an_upload_is_read_no_faster_than_it_is_taken() {
    let (go, gone) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gone)));
    let slow = handler(move |request: Request<Incoming>| {
        let gate = gate.lock().unwrap().take();
        async move {
            if let Some(gate) = gate {
                drop(gate.await);
            }
            let mut bytes = 0;
            let mut body = request.into_body();
            while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                bytes += frame.unwrap().data_ref().map_or(0, bytes::Bytes::len);
            }
            Response::new(Body::from(format!("took {bytes}")))
        }
    });
    let server = Running::start(slow, |server| server).await;
    let mut stream = server.connect().await;
    let length = 64 << 20;
    send(&mut stream, &format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")).await;
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(200), stream.write(&piece)).await {
        sent += written.unwrap();
    }
    assert!(sent < 32 << 20, "{sent} bytes were taken while nobody read them");
    drop(go);
    let (mut read, mut write) = stream.into_split();
    let writing = tokio::spawn(async move {
        while sent < length {
            let piece = &piece[..piece.len().min(length - sent)];
            write.write_all(piece).await.unwrap();
            sent += piece.len();
        }
        write
    });
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(&format!("took {length}")) {
        assert!(read.read_buf(&mut answer).await.unwrap() > 0);
    }
    drop(writing.await.unwrap());
}
