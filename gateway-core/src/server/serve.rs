use std::{fmt, future::IntoFuture, io, num::NonZeroUsize, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tower_service::Service;

use super::{
    Drained, Listener, run,
    settings::{LARGEST_WINDOW, LONGEST, MOST_HEADERS, Settings},
};
#[cfg(feature = "tls")]
use crate::tls::ServerTls;
use crate::{BoxError, Clock, meter::Meter};

/// Serves `service` on `listener` until it is told to stop; await the returned [`Server`].
///
/// Every request gets a clone of the service, which is awaited until it is ready and then called once. An error of
/// the service ends an HTTP/1.1 connection and resets an HTTP/2 stream, so put [`rescue`](crate::rescue) outermost.
pub fn serve<S>(listener: impl Into<Listener>, service: S) -> Server<S> {
    Server {
        listeners: vec![listener.into()],
        service,
        settings: Settings::default(),
        threads: None,
        shutdown: Box::pin(std::future::pending()),
    }
}

/// A server that starts when it is awaited. All times are at most ten years.
#[must_use = "a server does nothing until it is awaited"]
pub struct Server<S> {
    pub(super) listeners: Vec<Listener>,
    pub(super) service: S,
    pub(super) settings: Settings,
    pub(super) threads: Option<NonZeroUsize>,
    pub(super) shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> Server<S> {
    /// Serves the same on one more listener. Everything that is set holds for all of them together.
    pub fn and(mut self, listener: impl Into<Listener>) -> Self {
        self.listeners.push(listener.into());
        self
    }

    /// Speaks TLS on the listener that was named last; short for [`Listener::tls`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        if let Some(listener) = self.listeners.pop() {
            self.listeners.push(listener.tls(tls));
        }
        self
    }

    /// Serves in so many threads of its own, each with a runtime, a clone of the service and its share of the
    /// connections. As many as there are CPUs cost the least for each request: nothing moves from one to another.
    /// Otherwise connections are spread over the present runtime.
    ///
    /// The caps, the counts and the shutdown hold for all threads together. Listeners that
    /// [`Listener::bind`] made have a queue for each thread (`SO_REUSEPORT`, on Linux); all threads accept from any
    /// other one. A thread that ends in a panic is told to the log, and the others go on.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// How many connections may be open at once. 10,000: at about 30 KiB each that is 300 MiB, and it needs as many
    /// file descriptors, twice that with upstreams.
    ///
    /// Past it a connection is answered `503` with `Retry-After` and closed, which does not hold up the others.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How long the handshake of TLS may take, the silence before it included. 10 s: it is two round trips, and three
    /// lost packets on a bad line. Past it the connection is closed.
    #[cfg(feature = "tls")]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout.min(LONGEST);
        self
    }

    /// How long a new connection may be silent, or leave open which protocol it speaks. 10 s: enough for three lost
    /// packets on a bad line. It is closed without a word, because nobody knows in which language.
    /// Over TLS it begins after the handshake.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.settings.first_byte_timeout = timeout.min(LONGEST);
        self
    }

    /// How long an HTTP/1.1 head may take from its first byte to its last. 15 s: heads are small, only an attacker
    /// needs longer. Past it the connection is closed.
    ///
    /// An unfinished head of HTTP/2 counts as silence, see [`keep_alive_timeout`](Self::keep_alive_timeout).
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.settings.header_timeout = timeout.min(LONGEST);
        self
    }

    /// How long a connection may be open without a request. 60 s: longer than the pools of most clients keep one,
    /// so that they seldom write into a connection that is just being closed. Over HTTP/2 `GOAWAY` prevents that.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.settings.keep_alive_timeout = timeout.min(LONGEST);
        self
    }

    /// How long a client may take no byte of what is sent to it before its connection is cut. 60 s: players that
    /// pause a download for longer know how to ask for the rest.
    ///
    /// It is about the connection; a client of HTTP/2 that takes bytes of one stream may leave another waiting.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.settings.write_timeout = timeout.min(LONGEST);
        self
    }

    /// How long what is in flight may take to finish after the shutdown began. 30 s, which is also what most
    /// orchestrators grant.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout.min(LONGEST);
        self
    }

    /// The longest head of an HTTP/1.1 request, in bytes: request line, names, values and separators. 64 KiB: large
    /// cookies fit. It also bounds the trailers. Past it the answer is `431`, and the connection is closed.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_header_bytes = bytes;
        self
    }

    /// The most fields in the head of an HTTP/1.1 request. 100, the number for which the parser allocates nothing;
    /// 32,768 at most. Past it the answer is `431`, and the connection is closed.
    pub fn max_headers(mut self, fields: usize) -> Self {
        self.settings.max_headers = fields.min(MOST_HEADERS);
        self
    }

    /// How many streams a client may have open on one HTTP/2 connection. 100, the least that the specification
    /// recommends (RFC 9113 section 6.5.2). One more is refused, and the client tries it again.
    ///
    /// A connection holds at most [`http2_connection_window`](Self::http2_connection_window) of uploads and 64 KiB
    /// per stream of answers: 7.4 MiB with the defaults.
    pub fn http2_streams(mut self, streams: u32) -> Self {
        self.settings.http2.streams = streams;
        self
    }

    /// The largest header list of an HTTP/2 request, in bytes of names and values and 32 more for each field.
    /// 16 KiB: lists are held for every stream at once. Past it the answer is `431`.
    pub fn http2_header_bytes(mut self, bytes: u32) -> Self {
        self.settings.http2.header_bytes = bytes;
        self
    }

    /// How many bytes of one upload an HTTP/2 client may send ahead of its reader. 64 KiB: a sixteenth of the
    /// connection's window, so that one upload that nobody reads does not hold up the others.
    pub fn http2_stream_window(mut self, bytes: u32) -> Self {
        self.settings.http2.stream_window = bytes.min(LARGEST_WINDOW);
        self
    }

    /// How many bytes of all its uploads together an HTTP/2 client may send ahead of their readers. 1 MiB: that
    /// much memory a connection can claim, and 80 Mbit/s pass at 100 ms of distance.
    pub fn http2_connection_window(mut self, bytes: u32) -> Self {
        self.settings.http2.connection_window = bytes.min(LARGEST_WINDOW);
        self
    }

    /// Another clock, for arrival times and for all timeouts but HTTP/2's pings.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Counts connections in this meter: `gateway_connections`, `gateway_connections_total{outcome}` (`accepted` or
    /// `refused`), `gateway_connection_timeouts_total{waited_for}` (`handshake`, `protocol`, `head`, `request` or `write`),
    /// `gateway_accept_errors_total`, `gateway_proxy_protocol_errors_total` and, with the feature `tls`, `gateway_tls_handshakes_total{outcome}` (`full`,
    /// `resumed` or `failed`).
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.settings.meter = meter.clone();
        self
    }

    /// Stops when this future is ready: nothing new is accepted, what is in flight finishes.
    ///
    /// HTTP/1.1 connections answer the request that they have begun, body included, and say `Connection: close`;
    /// HTTP/2 clients are told `GOAWAY`; idle connections are closed at once, and so are those that have not yet
    /// said which protocol they speak.
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
        Box::pin(run::run(self))
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.listeners)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
