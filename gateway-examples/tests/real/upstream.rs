//! An upstream inside the test, which knows what reached it, holds answers back, and counts its connections.

use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gateway_layers::core::{Body, BoxError};
use http::{Request, Response};
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

/// It lives in the runtime of the test that started it.
pub(crate) struct Upstream {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    begun: Mutex<HashSet<String>>,
    connections: AtomicUsize,
    gate: watch::Sender<bool>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            begun: Mutex::default(),
            connections: AtomicUsize::new(0),
            gate: watch::Sender::new(false),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The `id` of every request that reached it.
    pub(crate) fn begun(&self) -> HashSet<String> {
        self.shared.begun.lock().unwrap().clone()
    }

    /// Open connections.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Lets go of what is held.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.send_replace(true);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.connections.fetch_add(1, Ordering::Relaxed);
            let service = service_fn(|request| answer(request, Arc::clone(&shared)));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = serving.with_upgrades().await;
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// What a path asks for; a query is the request's id.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, Infallible> {
    if let Some(id) = request.uri().query() {
        shared.begun.lock().unwrap().insert(id.to_owned());
    }
    let mut gate = shared.gate.subscribe();
    Ok(match request.uri().path() {
        // Held until the gate opens.
        "/held" => {
            let _ = gate.wait_for(|open| *open).await;
            Response::new(Body::from("held"))
        }
        // An event at once, and one more when the gate opens.
        "/events" => streaming(|mut sender| async move {
            let _ = sender.send_data(Bytes::from_static(b"data: first\n\n")).await;
            let _ = gate.wait_for(|open| *open).await;
            let _ = sender.send_data(Bytes::from_static(b"data: last\n\n")).await;
        }),
        // A piece every 10 ms, for a second.
        "/drip" => streaming(|mut sender| async move {
            for _ in 0..100 {
                let _ = sender.send_data(Bytes::from_static(b"drip\n")).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }),
        // So many MiB of zeros.
        "/zeros" => {
            let pieces: usize = request.uri().query().unwrap_or_default().parse().unwrap_or(1) * 16;
            streaming(|mut sender| async move {
                for _ in 0..pieces {
                    if sender.send_data(Bytes::from_static(&[0; 1 << 16])).await.is_err() {
                        break;
                    }
                }
            })
        }
        // How many bytes came.
        "/count" => {
            let (mut body, mut count) = (request.into_body(), 0);
            while let Some(Ok(frame)) = body.frame().await {
                count += frame.data_ref().map_or(0, Bytes::len);
            }
            Response::new(Body::from(count.to_string()))
        }
        // Another protocol, which says everything back.
        "/switch" => {
            tokio::spawn(say_back(request, Arc::clone(&shared)));
            let response = Response::builder().status(101);
            let response = response.header("upgrade", "websocket").header("connection", "upgrade");
            response.header("sec-websocket-accept", ACCEPT).body(Body::empty()).unwrap()
        }
        _ => Response::new(Body::from("ok")),
    })
}

fn streaming<F>(send: impl FnOnce(Sender<Bytes, BoxError>) -> F) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, body) = Channel::new(1);
    tokio::spawn(send(sender));
    Response::new(Body::new(body))
}

async fn say_back(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<()> {
    let mut stream = TokioIo::new(hyper::upgrade::on(request).await.map_err(io::Error::other)?);
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    shared.connections.fetch_sub(1, Ordering::Relaxed);
    stream.shutdown().await
}

/// Asks for another protocol; [`ACCEPT`] is the answer to its key (RFC 6455 section 1.3).
pub(crate) const SWITCH: &str = "GET /switch HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
