//! [`serve`]: any tower service on a listener, HTTP/1.1 and HTTP/2 by prior knowledge on one port.
//!
//! Every connection has deadlines from its first byte on, requests carry [`Facts`](crate::Facts) with their arrival
//! and their peer, and a shutdown lets what is in flight finish, for a bounded time.
//!
//! ```
//! use gateway_core::{Body, server::serve};
//! use http::{Request, Response};
//! use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}, sync::oneshot};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let hello = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
//! });
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let mut client = TcpStream::connect(listener.local_addr()?).await?;
//! let (stop, stopped) = oneshot::channel::<()>();
//! let server = tokio::spawn(serve(listener, hello).shutdown(async { drop(stopped.await) }).into_future());
//!
//! client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! assert!(answer.ends_with("hello"));
//!
//! drop(stop);
//! assert_eq!(server.await??.cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! | limit | value | past it |
//! | --- | --- | --- |
//! | connections | 10,000 | 503 with `Retry-After`, closed |
//! | first byte, until the protocol is known | 10 s | closed |
//! | HTTP/1.1 head, the wait for it included | 30 s | 408 or closed |
//! | size and number of header fields | 64 KiB, 100 | 431 |
//! | HTTP/2 streams, header list, windows | 100, 16 KiB, 64 KiB of 1 MiB | refused by the protocol |
//! | HTTP/2 ping unanswered | 20 s after 30 s of silence | closed |
//! | drain | 30 s | cut |

mod accept;
mod connection;
mod per_request;
mod sniff;

use std::{fmt, future::IntoFuture, io, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tower_service::Service;

use crate::{BoxError, Clock, meter::Meter};

/// Serves `service` on `listener` until it is told to stop; await the returned [`Server`].
pub fn serve<S>(listener: TcpListener, service: S) -> Server<S> {
    Server {
        listener,
        service,
        settings: Settings {
            max_connections: 10_000,
            first_byte_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            clock: Clock::default(),
            meter: Meter::default(),
        },
        shutdown: Box::pin(std::future::pending()),
    }
}

/// A server that starts when it is awaited.
#[must_use = "a server does nothing until it is awaited"]
pub struct Server<S> {
    listener: TcpListener,
    service: S,
    settings: Settings,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

#[derive(Clone, Debug)]
struct Settings {
    max_connections: usize,
    first_byte_timeout: Duration,
    header_timeout: Duration,
    drain_timeout: Duration,
    clock: Clock,
    meter: Meter,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when the server was told to stop and finished what they did.
    pub finished: usize,
    /// Connections that were cut because the time for draining was over.
    pub cut: usize,
}

impl<S> Server<S> {
    /// How many connections may be open at once. 10,000: at about 30 KiB each that is 300 MiB, and it needs as many
    /// file descriptors, twice that with upstreams.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How long a new connection may be silent, or leave open which protocol it speaks. 10 s.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.settings.first_byte_timeout = timeout;
        self
    }

    /// How long an HTTP/1.1 connection may take from the end of one request to the end of the next one's head.
    /// 30 s: half of what browsers keep connections for, and short enough that slow heads cost little.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.settings.header_timeout = timeout;
        self
    }

    /// How long what is in flight may take to finish after the shutdown began. 30 s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// Another clock for arrival times.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Counts connections in this meter: `gateway_connections`, `gateway_connections_total{outcome}`,
    /// `gateway_accept_errors_total`.
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.settings.meter = meter.clone();
        self
    }

    /// Stops when this future is ready: nothing new is accepted, what is in flight finishes.
    pub fn shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Box::pin(signal);
        self
    }
}

impl<S, B> IntoFuture for Server<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = io::Result<Drained>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<Drained>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(accept::run(self))
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}
