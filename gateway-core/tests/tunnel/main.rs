//! Tunnels through a server and a forwarder, over real sockets.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod handshake;
mod http2;
#[cfg(feature = "tls")]
mod tls;

use std::{
    convert::Infallible,
    future::IntoFuture,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_core::{
    Body, RescueLayer,
    canonical::CanonicalLayer,
    meter::Meter,
    server::{Drained, Server, serve},
    tunnel::Upgrades,
    upstream::Upstream,
};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

type Stack = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

/// A gateway of rescue, canonical and forwarder, in front of one upstream.
struct Gateway {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<Drained>>,
    meter: Meter,
}

impl Gateway {
    async fn start(upstream: &Upstreams, upgrades: Upgrades) -> Self {
        Self::start_with(upstream, upgrades, |server| server).await
    }

    async fn start_with(
        upstream: &Upstreams,
        upgrades: Upgrades,
        settings: impl FnOnce(Server<Stack>) -> Server<Stack>,
    ) -> Self {
        Self::start_to(Upstream::new([format!("http://{}", upstream.address)]), upgrades, settings).await
    }

    async fn start_to(
        upstream: Upstream,
        upgrades: Upgrades,
        settings: impl FnOnce(Server<Stack>) -> Server<Stack>,
    ) -> Self {
        let meter = Meter::default();
        let forward = upstream.upgrades(upgrades.meter(&meter)).build().unwrap();
        let stack = ServiceBuilder::new()
            .layer(RescueLayer::default())
            .layer(CanonicalLayer::default())
            .service(forward);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, BoxCloneSyncService::new(stack)).meter(&meter);
        let server = settings(server).shutdown(async { drop(stopped.await) });
        Self { address, stop, server: tokio::spawn(server.into_future()), meter }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that sent this and got an answer; what came behind the answer's head stays in it.
    async fn ask(&self, request: &str) -> (TcpStream, String) {
        let mut client = self.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        let head = head(&mut client).await;
        (client, head)
    }

    fn counted(&self, series: &str) -> f64 {
        let text = self.meter.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.expect("a series that is counted").parse().unwrap()
    }

    async fn counts(&self, series: &str, value: f64) {
        let all = async {
            while self.counted(series) != value {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let outcome = tokio::time::timeout(Duration::from_secs(5), all).await;
        assert!(outcome.is_ok(), "{series} is {} and not {value}", self.counted(series));
    }

    async fn stop(self) -> Drained {
        drop(self.stop);
        soon(self.server).await.unwrap().unwrap()
    }
}

/// A server that answers the head of each connection with this, and hands the connection over.
struct Upstreams {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl Upstreams {
    async fn start<F>(
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
        talk: fn(TcpStream) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new((answer, Arc::clone(&heads)));
        let accepting = tokio::spawn(async move {
            let mut talks = tokio::task::JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                talks.spawn(async move {
                    let Some(asked) = maybe_head(&mut stream).await else { return };
                    let answer = shared.0(&asked);
                    shared.1.lock().unwrap().push(asked);
                    if stream.write_all(answer.as_bytes()).await.is_ok() {
                        talk(stream).await;
                    }
                });
            }
        });
        Self { address, heads, accepting }
    }

    /// Switches to whatever was asked for, and sends back what it gets.
    async fn echo() -> Self {
        Self::start(switched, echo).await
    }

    /// The fields of the last head, in lower case.
    fn asked(&self) -> Vec<String> {
        let head = self.heads.lock().unwrap().last().unwrap().to_ascii_lowercase();
        head.trim_end().split("\r\n").map(str::to_owned).collect()
    }
}

impl Drop for Upstreams {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A `101` that fits; 404 to whoever does not ask for one.
fn switched(asked: &str) -> String {
    let Some(protocol) = field(asked, "upgrade") else {
        return "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
    };
    let accept = field(asked, "sec-websocket-key")
        .map(|key| format!("sec-websocket-accept: {}\r\n", accept(key)))
        .unwrap_or_default();
    format!("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\n{accept}\r\n")
}

fn accept(key: &str) -> String {
    use base64::Engine;
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(hash.digest().bytes())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim())
}

async fn echo(stream: TcpStream) {
    let (mut read, mut write) = stream.into_split();
    drop(tokio::io::copy(&mut read, &mut write).await);
}

async fn head(stream: &mut TcpStream) -> String {
    maybe_head(stream).await.expect("closed before an answer")
}

/// A head, byte by byte: what comes behind it stays in the stream.
async fn maybe_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn read(stream: &mut TcpStream, bytes: usize) -> String {
    let mut heard = vec![0; bytes];
    soon(stream.read_exact(&mut heard)).await.unwrap();
    String::from_utf8(heard).unwrap()
}

/// Whatever comes until the other side closes. It may do so with a reset.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    drop(soon(stream.read_to_end(&mut heard)).await);
    heard
}

/// Nothing that is awaited here takes long; a test that hangs fails instead.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("this takes too long")
}

const RAW: &str = "GET /raw HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: acme\r\n\r\n";

const WEBSOCKET: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn acme() -> Upgrades {
    Upgrades::new(["acme", "websocket"])
}
