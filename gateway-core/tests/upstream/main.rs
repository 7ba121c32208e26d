//! Connections to upstreams: TLS, HTTP/2, and how many there are, over real sockets.
#![cfg(all(feature = "testing", feature = "tls"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod http2;
mod interim;
mod pool;
mod tls;

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{Body, UpstreamError, client::Forward};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// How a server behaves.
#[derive(Clone, Default)]
struct Manners {
    tls: Option<TlsAcceptor>,
    /// Speaks HTTP/2 without being asked; over TLS the client's choice counts.
    http2: bool,
    max_streams: Option<u32>,
    /// How long it thinks about each answer.
    thinks: Duration,
    /// After how many answers it leaves a connection in order.
    leaves_after: Option<usize>,
    /// After how long it closes a connection that nobody uses.
    idle: Option<Duration>,
}

/// A server on a free port that answers with what it was asked for. It ends when it is dropped.
struct Server {
    port: u16,
    seen: Arc<Seen>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    open: AtomicUsize,
    requests: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Server {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let serving = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (manners, seen) = (manners.clone(), Arc::clone(&serving));
                connections.spawn(async move {
                    seen.connections.fetch_add(1, Ordering::SeqCst);
                    seen.open.fetch_add(1, Ordering::SeqCst);
                    match manners.tls.clone() {
                        None => speak(stream, manners.http2, &manners, &seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                                speak(stream, is_http2, &manners, &seen).await;
                            }
                        }
                    }
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, seen, accepting: accepting.abort_handle() }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many connections are open.
    async fn open(&self, expected: usize) {
        let open = || self.seen.open.load(Ordering::SeqCst);
        for _ in 0..500 {
            if open() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(open(), expected, "connections are open");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn speak<IO>(stream: IO, http2: bool, manners: &Manners, seen: &Arc<Seen>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (served, touched) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let (seen, served, touched) = (Arc::clone(seen), Arc::clone(&served), Arc::clone(&touched));
        let thinks = manners.thinks;
        async move {
            seen.requests.fetch_add(1, Ordering::SeqCst);
            let under_way = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            seen.most.fetch_max(under_way, Ordering::SeqCst);
            if !thinks.is_zero() {
                tokio::time::sleep(thinks).await;
            }
            seen.under_way.fetch_sub(1, Ordering::SeqCst);
            served.fetch_add(1, Ordering::SeqCst);
            touched.notify_one();
            let said = format!("{:?} {} {:?}", request.version(), request.uri(), request.headers());
            Ok::<_, Infallible>(Response::new(Body::from(said)))
        }
    });
    let ends = async {
        loop {
            let is_enough = |most| served.load(Ordering::SeqCst) >= most;
            if manners.leaves_after.is_some_and(is_enough) {
                return;
            }
            let idle = manners.idle.unwrap_or(Duration::from_secs(3600));
            if tokio::time::timeout(idle, touched.notified()).await.is_err() {
                return;
            }
        }
    };
    let mut ends = pin!(ends);
    let io = TokioIo::new(stream);
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let connection = builder.max_concurrent_streams(manners.max_streams).serve_connection(io, service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => drop(ended),
            () = &mut ends => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    } else {
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => drop(ended),
            () = &mut ends => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "shop.example").body(Body::empty()).unwrap()
}

async fn send(forward: &Forward, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
    forward.clone().oneshot(request).await
}

async fn text(response: Response<Body>) -> Bytes {
    Body::collect_limited(response.into_body(), 1 << 20).await.unwrap()
}

/// Sends so many requests at once.
async fn at_once(forward: &Forward, requests: usize) -> Vec<Result<Response<Body>, UpstreamError>> {
    let mut under_way = JoinSet::new();
    for number in 0..requests {
        let forward = forward.clone();
        under_way.spawn(async move { send(&forward, get(&format!("/{number}"))).await });
    }
    under_way.join_all().await
}
