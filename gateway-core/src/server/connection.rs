//! One connection: which protocol, then requests until it ends, keeps us waiting, or is drained.

use std::{
    pin::{Pin, pin},
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::unconstrained,
};
use tower_service::Service;

use super::{
    counts::Counts,
    io::Watched,
    origin::Origin,
    patience::{Activity, Patience, Wait},
    per_request::PerRequest,
    settings::{DEFAULT_HEADERS, Settings},
    sniff::{Protocol, sniff},
    tunnels::Tunnels,
};
use crate::BoxError;

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) counts: Counts,
    /// Places that are taken.
    pub(super) open: AtomicUsize,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        let counts = Counts::new(&settings.meter);
        Self { settings, counts, open: AtomicUsize::new(0) }
    }
}

/// Serves one connection to its end, whatever carries its bytes. They must say by `first_byte_by` which protocol it
/// is; one that was agreed upon before must be kept to.
///
/// Its errors are the client's business; the log of requests tells them.
pub(super) async fn serve<T, S, B>(
    mut stream: T,
    origin: Origin,
    first_byte_by: Instant,
    service: S,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Shared { settings, counts, .. } = &*shared;
    let sniffed = tokio::select! {
        biased;
        sniffed = settings.clock.timeout(first_byte_by, sniff(&mut stream)) => sniffed,
        () = stopped(&mut stopping) => return,
    };
    let (protocol, start) = match sniffed {
        Some(Ok(Some(known))) => known,
        Some(Ok(None) | Err(_)) => return,
        None => return counts.given_up(Wait::Protocol),
    };
    if origin.agreed.is_some_and(|agreed| agreed != protocol) {
        return;
    }
    let peer = origin.peer;
    let activity = Activity::new(protocol);
    let patience = Patience::new(activity.clone(), settings);
    let io = TokioIo::new(Watched::new(start, stream, activity.clone(), settings.clock.clone()));
    let (tunnels, keeper) = Tunnels::new(stopping.clone(), activity.clone());
    let clock = settings.clock.clone();
    let service = PerRequest { service, origin, clock, activity, tunnels };
    let end = match protocol {
        Protocol::Http1 => {
            let connection = http1(settings).serve_connection(io, service).with_upgrades();
            drive(connection, http1::UpgradeableConnection::graceful_shutdown, patience, stopping, counts)
                .await
        }
        Protocol::Http2 => {
            let connection = http2(settings).serve_connection(io, service);
            drive(connection, http2::Connection::graceful_shutdown, patience, stopping, counts).await
        }
    };
    if let Err(error) = end {
        tracing::debug!(target: "gateway", %peer, %error, "a connection ended with an error");
    }
    keeper.closed().await;
}

/// Drives a connection to its end: its own, the one that `leave` brings about, or one by force.
async fn drive<C>(
    connection: C,
    leave: fn(Pin<&mut C>),
    mut patience: Patience,
    mut stopping: watch::Receiver<bool>,
    counts: &Counts,
) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let mut leaving = false;
    loop {
        // A connection that never rests leaves nothing of its task's budget; these two must be seen all the same.
        let wait = tokio::select! {
            biased;
            end = connection.as_mut() => return end,
            () = unconstrained(stopped(&mut stopping)), if !leaving => None,
            wait = unconstrained(patience.over()) => Some(wait),
        };
        match wait {
            // Told to stop.
            None => {}
            // It was asked to leave and has nothing to do, but stays.
            Some(Wait::Request) if leaving => return Ok(()),
            Some(wait) => {
                counts.given_up(wait);
                if wait != Wait::Request {
                    return Ok(());
                }
            }
        }
        leave(connection.as_mut());
        leaving = true;
    }
}

/// Ready when the server stops, also when it is simply gone.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

fn http1(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // `Patience` does this.
    builder.header_read_timeout(None);
    builder.max_header_size(settings.max_header_bytes);
    if settings.max_headers != DEFAULT_HEADERS {
        builder.max_headers(settings.max_headers);
    }
    builder
}

fn http2(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        // A WebSocket over a stream (RFC 8441); refused like any other method where nobody allows it.
        .enable_connect_protocol()
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(settings.http2.streams)
        .max_header_list_size(settings.http2.header_bytes)
        .initial_stream_window_size(settings.http2.stream_window)
        .initial_connection_window_size(settings.http2.connection_window)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Bytes per stream that wait for the client.
const SEND_BUFFER: usize = 64 * 1024;

/// Finds clients that vanished without a word.
const PING_AFTER: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
