use std::error::Error;

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::TrySendError};

use super::{attempt::Patience, h1::Http1, h2::Stream, timer::Timer};
use crate::{Body, Clock, UpstreamError, error::ErrorKind};

/// What one request is sent over.
pub(super) enum Connection {
    /// A whole connection.
    Http1(Box<Http1>),
    /// One stream of a connection.
    Http2(Stream),
}

impl Connection {
    /// Sends a request. One that may be sent again stays where it was: it provably was never sent, the endpoint refused
    /// it or did not get to it, or a connection that was used before was closed under one that changes nothing (RFC 9110
    /// section 9.2.2, RFC 9112 section 9.3.1).
    pub(super) async fn send(
        &mut self,
        request: &mut Request<Body>,
        patience: &Patience,
        clock: &Clock,
    ) -> Result<Response<Incoming>, Unanswered> {
        let keeps = self.wants_copy(request);
        let (sent, is_http1) = match self {
            Self::Http1(connection) => (connection.send(request, keeps, patience, clock).await, true),
            Self::Http2(stream) => (stream.send(request, keeps, patience, clock).await, false),
        };
        match sent {
            Err(Unanswered::Failed(error))
                if keeps && (error.is_unsent() || is_http1 && error.kind() == ErrorKind::Reset) =>
            {
                Err(Unanswered::Unsent(error))
            }
            sent => sent,
        }
    }

    /// Whether to send a copy of this request: hyper does not give back what an endpoint refused (HTTP/2), or what was
    /// on its way when an upstream closed a connection that was used before. Only what may be sent twice without doing
    /// anything twice is copied. However short the connection rested, it may be closed: at 10 ms it was.
    fn wants_copy(&self, request: &Request<Body>) -> bool {
        let is_small = request.body().is_end_stream() && request.method() != Method::CONNECT;
        match self {
            Self::Http1(connection) => is_small && request.method().is_safe() && connection.requests > 0,
            Self::Http2(_) => is_small,
        }
    }

    pub(super) fn take_timer(&mut self) -> Timer {
        match self {
            Self::Http1(connection) => std::mem::take(&mut connection.timer),
            Self::Http2(_) => Timer::default(),
        }
    }

    pub(super) fn give_timer(&mut self, timer: Timer) {
        if let Self::Http1(connection) = self {
            connection.timer = timer;
        }
    }
}

/// A request without an answer.
pub(super) enum Unanswered {
    /// It may be sent again, and is where it was.
    Unsent(UpstreamError),
    /// Some of it may have arrived.
    Failed(UpstreamError),
    /// Every connection is taken, and so is every place in line. The request is where it was.
    Busy,
}

impl Unanswered {
    /// What hyper did not send goes back to where it was taken from.
    pub(super) fn of(
        mut error: TrySendError<Request<Body>>,
        request: &mut Request<Body>,
        keeps: bool,
    ) -> Self {
        let Some(unsent) = error.take_message() else { return Self::Failed(failure(error.into_error())) };
        if !keeps {
            *request = unsent;
        }
        Self::Unsent(failure(error.into_error()).unsent())
    }
}

/// The request, or a copy of one without a body if it is kept.
pub(super) fn taken_from(request: &mut Request<Body>, keeps: bool) -> Request<Body> {
    if !keeps {
        return std::mem::take(request);
    }
    let mut copy = Request::new(Body::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    *copy.version_mut() = request.version();
    copy
}

fn failure(error: hyper::Error) -> UpstreamError {
    let kind = if error.is_parse() {
        ErrorKind::Protocol
    } else if error.is_user() || error.is_body_write_aborted() {
        ErrorKind::RequestBody
    } else if error.is_timeout() {
        ErrorKind::Timeout
    } else {
        ErrorKind::Reset
    };
    let Some(cause) = error.source() else { return UpstreamError::because(kind, error) };
    let io = cause.downcast_ref::<h2::Error>().map_or_else(|| cause.downcast_ref(), h2::Error::get_io);
    if let Some(io) = io.filter(|io| is_refused_by_tls(io)) {
        // In TLS 1.3 the endpoint looks at our certificate after we took the handshake to be over.
        return UpstreamError::because(ErrorKind::Connect, format!("TLS: {io}"));
    }
    if let Some(stream) = cause.downcast_ref::<h2::Error>() {
        // What the endpoint refused, or what it did not get to before it left (RFC 9113 sections 6.8 and 8.7).
        let is_refused = stream.is_reset() && stream.reason() == Some(h2::Reason::REFUSED_STREAM);
        let is_left = stream.is_go_away() && stream.is_remote();
        let is_broken = !stream.is_remote() && (stream.is_reset() || stream.is_go_away());
        return match (is_refused || is_left, is_broken && kind == ErrorKind::Reset) {
            (true, _) => UpstreamError::because(ErrorKind::Reset, error).unsent(),
            (false, true) => UpstreamError::because(ErrorKind::Protocol, error),
            (false, false) => UpstreamError::because(kind, error),
        };
    }
    UpstreamError::because(kind, error)
}

/// Whether the endpoint refused us while TLS began. Of errors that went through h2 the words alone are left, not the
/// `rustls::Error` (it copies an error of the socket as kind and text); the test against a server that demands a
/// certificate notices when rustls chooses other words.
fn is_refused_by_tls(error: &std::io::Error) -> bool {
    let words = error.to_string();
    let Some(alert) = words.strip_prefix("received fatal alert: ") else { return false };
    matches!(
        alert,
        "CertificateRequired"
            | "BadCertificate"
            | "UnsupportedCertificate"
            | "CertificateRevoked"
            | "CertificateExpired"
            | "CertificateUnknown"
            | "UnknownCA"
            | "AccessDenied"
            | "DecryptError"
            | "HandshakeFailure"
    )
}

/// The most bytes of a response head.
pub(super) const MAX_HEAD: usize = 64 * 1024;
