//! SIGTERM under load: whatever reached the upstream is answered whole.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
};

use crate::{
    common::Gateway,
    parties::eventually,
    upstream::{SWITCH, Upstream},
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
access_log: {to: /dev/null}
metrics: {path: /metrics}
limits: {}
routes:
  - {name: all, prefix: /, upstream: {endpoints: ['${UPSTREAM}'], upgrades: [websocket]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_loses_no_request_that_was_in_flight() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &upstream.url())]);
    let clients = Clients::new(&gateway);

    // Those that ask as fast as they can, until nobody listens to them any more.
    let mut load = JoinSet::new();
    for _ in 0..16 {
        load.spawn(clients.clone().busy_http1());
    }
    for _ in 0..4 {
        load.spawn(clients.clone().busy_http2());
    }
    // Those whose answer has not come, or not ended, when the signal comes.
    let mut held = JoinSet::new();
    for path in ["/held", "/events"] {
        for _ in 0..8 {
            held.spawn(clients.clone().held_http1(path));
        }
        held.spawn(clients.clone().held_http2(path));
    }
    let mut tunnels = Vec::new();
    for _ in 0..8 {
        tunnels.push(tunnel(gateway.address()).await);
    }
    eventually("what is held is under way", || {
        let begun = upstream.begun();
        begun.iter().filter(|id| id.starts_with("held") || id.starts_with("events")).count() == 2 * (8 + 10)
    });
    eventually("there is load", || clients.answered() > 500);

    gateway.signal("TERM");
    let address = gateway.address().to_owned();
    eventually("it still accepts", || std::net::TcpStream::connect(&address).is_err());
    // Tunnels go on, at both ends.
    for tunnel in &mut tunnels {
        says_back(tunnel, b"are you still there?").await;
    }
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    upstream.open_gate();
    let mut closed = 0;
    while let Some(ended) = held.join_next().await {
        closed += u32::from(ended.unwrap());
    }
    // The heads of events were written before the signal.
    assert_eq!(closed, 8, "every answer of HTTP/1.1 whose head came later says that it is the last");
    drop(tunnels);

    let (begun, whole) = (upstream.begun(), clients.whole.lock().unwrap().clone());
    let lost: Vec<_> = begun.difference(&whole).collect();
    println!("{} requests reached the upstream, {} were answered whole", begun.len(), whole.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(gateway.wait(Duration::from_secs(10)).code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_ends_held_requests_and_tunnels_at_once() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &upstream.url())]);
    let mut open = tunnel(gateway.address()).await;
    gateway.signal("TERM");
    let address = gateway.address().to_owned();
    eventually("it still accepts", || std::net::TcpStream::connect(&address).is_err());
    says_back(&mut open, b"the first one waits for us").await;
    gateway.signal("TERM");
    assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(130));
    assert_eq!(open.read(&mut [0; 8]).await.unwrap_or(0), 0, "the tunnel is over");
}

/// Asks for requests with an id each, and notes the ids whose answer came whole.
#[derive(Clone)]
struct Clients {
    address: Arc<str>,
    number: Arc<AtomicU64>,
    whole: Arc<Mutex<HashSet<String>>>,
}

impl Clients {
    fn new(gateway: &Gateway) -> Self {
        Self { address: gateway.address().into(), number: Arc::default(), whole: Arc::default() }
    }

    fn answered(&self) -> usize {
        self.whole.lock().unwrap().len()
    }

    fn request(&self, path: &str) -> (String, Request<Empty<Bytes>>) {
        let id = format!("{}-{}", &path[1..], self.number.fetch_add(1, Ordering::Relaxed));
        let request =
            Request::get(format!("http://{}{path}?{id}", self.address)).header("host", &*self.address);
        (id, request.body(Empty::new()).unwrap())
    }

    /// Reads the answer to its end and notes the id; whether it said that the connection is closed.
    async fn note(&self, id: String, answer: Response<Incoming>) -> hyper::Result<bool> {
        let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
        let last = if id.starts_with("events") { "last\n\n" } else { "" };
        let body = answer.into_body().collect().await?.to_bytes();
        assert!(body.ends_with(last.as_bytes()), "{id}");
        self.whole.lock().unwrap().insert(id);
        Ok(closes)
    }

    async fn http1(&self) -> (http1::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
        let stream = TcpStream::connect(&*self.address).await.unwrap();
        let (client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        (client, tokio::spawn(connection))
    }

    async fn http2(&self) -> (http2::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
        let stream = TcpStream::connect(&*self.address).await.unwrap();
        let (client, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        (client, tokio::spawn(connection))
    }

    /// One connection that is used until it closes. A request that crosses with the close was never read; the
    /// upstream knows nothing of it.
    async fn busy_http1(self) {
        let (mut client, _connection) = self.http1().await;
        while client.ready().await.is_ok() {
            let (id, request) = self.request("/quick");
            let Ok(answer) = client.send_request(request).await else { return };
            if self.note(id, answer).await.unwrap() {
                return;
            }
        }
    }

    /// Eight streams at a time, until the server says `GOAWAY`; then the connection ends without an error.
    async fn busy_http2(self) {
        let (client, connection) = self.http2().await;
        let mut streams = JoinSet::new();
        for _ in 0..8 {
            let (mut client, clients) = (client.clone(), self.clone());
            streams.spawn(async move {
                while client.ready().await.is_ok() {
                    let (id, request) = clients.request("/quick");
                    let Ok(answer) = client.send_request(request).await else { return };
                    clients.note(id, answer).await.unwrap();
                }
            });
        }
        drop(client);
        while let Some(ended) = streams.join_next().await {
            ended.unwrap();
        }
        connection.await.unwrap().unwrap();
    }

    async fn held_http1(self, path: &str) -> bool {
        let (mut client, _connection) = self.http1().await;
        let (id, request) = self.request(path);
        let answer = client.send_request(request).await.unwrap();
        self.note(id, answer).await.unwrap()
    }

    /// Ten streams; new ones are refused while they finish.
    async fn held_http2(self, path: &'static str) -> bool {
        let (client, connection) = self.http2().await;
        let mut streams = JoinSet::new();
        for _ in 0..10 {
            let (mut client, clients) = (client.clone(), self.clone());
            streams.spawn(async move {
                let (id, request) = clients.request(path);
                let answer = client.send_request(request).await.unwrap();
                clients.note(id, answer).await.unwrap();
            });
        }
        while let Some(ended) = streams.join_next().await {
            ended.unwrap();
        }
        drop(client);
        connection.await.unwrap().unwrap();
        false
    }
}

/// A connection that speaks another protocol by now.
async fn tunnel(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(SWITCH.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    says_back(&mut stream, b"hello").await;
    stream
}

async fn says_back(tunnel: &mut TcpStream, text: &[u8]) {
    tunnel.write_all(text).await.unwrap();
    let mut heard = vec![0; text.len()];
    tokio::time::timeout(Duration::from_secs(10), tunnel.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, text);
}
