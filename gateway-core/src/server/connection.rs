//! One connection: which protocol, then requests until it ends or is drained.

use std::{net::SocketAddr, pin::pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::watch};
use tower_service::Service;

use super::{
    Settings,
    per_request::PerRequest,
    sniff::{Protocol, sniff},
};
use crate::BoxError;

/// Serves one connection to its end. Its errors are the client's business; the log of requests tells them.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    settings: Settings,
    mut draining: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // Small answers leave at once; a socket that cannot do that still works.
    let _ = stream.set_nodelay(true);
    let first_byte_by = settings.clock.now() + settings.first_byte_timeout;
    let sniffed = tokio::select! {
        biased;
        sniffed = settings.clock.timeout(first_byte_by, sniff(stream)) => sniffed,
        () = drained(&mut draining) => return,
    };
    let Some(Ok(Some((protocol, io)))) = sniffed else {
        return;
    };
    let service = PerRequest { service, peer, clock: settings.clock.clone() };
    let io = TokioIo::new(io);
    let outcome = match protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(settings.header_timeout)
                .max_header_size(MAX_HEAD);
            let mut connection = pin!(builder.serve_connection(io, service));
            tokio::select! {
                biased;
                outcome = connection.as_mut() => outcome,
                () = drained(&mut draining) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_AFTER)
                .keep_alive_timeout(PING_TIMEOUT)
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(MAX_HEADER_LIST)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(SEND_BUFFER);
            let mut connection = pin!(builder.serve_connection(io, service));
            tokio::select! {
                biased;
                outcome = connection.as_mut() => outcome,
                () = drained(&mut draining) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(target: "gateway", %peer, %error, "a connection ended with an error");
    }
}

/// Ready when the server stops, also when it is simply gone.
async fn drained(draining: &mut watch::Receiver<bool>) {
    drop(draining.wait_for(|draining| *draining).await);
}

/// Bytes of an HTTP/1.1 head; `limits` has a smaller and friendlier bound.
const MAX_HEAD: usize = 64 * 1024;

/// What the HTTP/2 specification advises as the least.
const MAX_STREAMS: u32 = 100;
const MAX_HEADER_LIST: u32 = 16 * 1024;

/// One stream that nobody reads must not starve the others of its connection: a window of 1 MiB for all, of which
/// one may take 64 KiB. At most 1 MiB per connection is buffered.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes per stream that wait for the client.
const SEND_BUFFER: usize = 64 * 1024;

/// Finds clients that vanished without a word.
const PING_AFTER: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
