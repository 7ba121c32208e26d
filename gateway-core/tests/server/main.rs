//! The server, spoken to by hand over real sockets.
#![cfg(feature = "server")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deadlines;
mod drain;
mod overload;
mod protocols;
mod proxy_protocol;
mod storms;
mod threads;
#[cfg(feature = "tls")]
mod tls;

use std::{
    convert::Infallible,
    future::IntoFuture,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError,
    meter::Gauge,
    server::{Drained, Server, serve},
};
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower::{service_fn, util::BoxCloneSyncService};

type Handler = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

/// A server on a free port, until it is told to stop.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<Drained>>,
}

impl Running {
    async fn start(handler: Handler, settings: impl FnOnce(Server<Handler>) -> Server<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = settings(serve(listener, handler)).shutdown(async { drop(stopped.await) });
        Self { address, stop, server: tokio::spawn(server.into_future()) }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    async fn connect_http2(&self) -> (http2::SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
        let io = TokioIo::new(self.connect().await.0);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        (sender, tokio::spawn(connection))
    }

    async fn stop(self) -> Drained {
        drop(self.stop);
        soon(self.server).await.unwrap().unwrap()
    }
}

/// A connection that is spoken to by hand.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    }

    async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(end) {
            let read = soon(self.0.read_buf(&mut text)).await.unwrap();
            assert!(read > 0, "closed before {end}: {}", String::from_utf8_lossy(&text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whatever comes until the server closes, which it must do soon. It may do so with a reset.
    async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        drop(soon(self.0.read_to_end(&mut text)).await);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Nothing that is awaited here takes long; a test that hangs fails instead.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), future).await.expect("this takes too long")
}

/// Waits until something holds that no connection tells.
async fn until(holds: impl Fn() -> bool) {
    soon(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
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

/// Answers with the path.
fn echo() -> Handler {
    handler(async |request| Response::new(Body::from(format!("this is {}", request.uri().path()))))
}

/// Never answers. The gauge tells how many requests wait for that.
fn silent() -> (Handler, Gauge) {
    let waiting = Gauge::default();
    let gauge = waiting.clone();
    let handler = handler(move |_| {
        let waits = gauge.hold();
        async move {
            std::future::pending::<()>().await;
            drop(waits);
            Response::new(Body::empty())
        }
    });
    (handler, waiting)
}

/// Answers the first request with a body that is sent by hand, and all others with none.
fn streaming() -> (Handler, Sender<Bytes, BoxError>) {
    let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    let body = Arc::new(Mutex::new(Some(Body::new(body))));
    let handler = handler(move |_| {
        let body = body.lock().unwrap().take().unwrap_or_default();
        async move { Response::new(body) }
    });
    (handler, sender)
}

/// How many bytes this body has.
async fn length(body: Incoming) -> usize {
    let mut body = body;
    let mut bytes = 0;
    while let Some(frame) = next_frame(&mut body).await {
        bytes += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    bytes
}

async fn next_frame(body: &mut Incoming) -> Option<hyper::Result<http_body::Frame<Bytes>>> {
    std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut *body), cx)).await
}
