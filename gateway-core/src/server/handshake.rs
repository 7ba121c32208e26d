//! The handshake of TLS, and what comes of it.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use rustls::HandshakeKind;
use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower_service::Service;

use super::{
    connection::{self, Shared, stopped},
    origin::Origin,
    patience::Wait,
    refuse,
    sniff::Protocol,
};
use crate::{
    BoxError, Clock,
    tls::{ServerTls, session},
};

/// Serves one connection that begins with a handshake, to its end.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    mut origin: Origin,
    tls: ServerTls,
    service: S,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Shared { settings, counts, .. } = &*shared;
    let until = settings.clock.now() + settings.handshake_timeout;
    let met = tokio::select! {
        biased;
        met = settings.clock.timeout(until, meet(stream, &tls, &settings.clock)) => met,
        () = stopped(&mut stopping) => return,
    };
    let stream = match met {
        Some(Ok(Some(stream))) => stream,
        Some(Ok(None)) => return,
        Some(Err(error)) => {
            counts.handshakes.failed.increment();
            tracing::debug!(target: "gateway", peer = %origin.peer, %error, "a handshake failed");
            return;
        }
        None => return counts.given_up(Wait::Handshake),
    };
    let (_, connection) = stream.get_ref();
    match connection.handshake_kind() {
        Some(HandshakeKind::Resumed) => counts.handshakes.resumed.increment(),
        _ => counts.handshakes.full.increment(),
    }
    origin.agreed = match connection.alpn_protocol() {
        Some(b"h2") => Some(Protocol::Http2),
        Some(_) => Some(Protocol::Http1),
        None => None,
    };
    origin.tls = Some(session(connection));
    let first_byte_by = settings.clock.now() + settings.first_byte_timeout;
    connection::serve(stream, origin, first_byte_by, service, shared, stopping).await;
}

/// Shakes hands; `None` if the client left before it said anything.
///
/// Boxed, so that a connection carries no more around afterwards than its stream.
async fn meet(
    stream: TcpStream,
    tls: &ServerTls,
    clock: &Clock,
) -> io::Result<Option<Box<TlsStream<TcpStream>>>> {
    let mut first = [0];
    // What a client sends first is a record that holds a handshake.
    match stream.peek(&mut first).await? {
        0 => Ok(None),
        _ if first == [HANDSHAKE] => {
            let accepting = Box::pin(TlsAcceptor::from(tls.current()).accept(stream));
            Ok(Some(Box::new(accepting.await?)))
        }
        _ => {
            // A letter begins a request in plain text, from somebody who forgot the `s` of `https`.
            if first[0].is_ascii_uppercase() {
                refuse::plain_text(stream, clock).await;
            }
            Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"))
        }
    }
}

/// The type of a record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
