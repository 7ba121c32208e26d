use std::io;

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Body, UpstreamError, error::ErrorKind, upstream::Endpoint};

/// An HTTP/1.1 connection to an endpoint. Dropping it closes it once what it does is done.
#[derive(Debug)]
pub(super) struct Connection(http1::SendRequest<Body>);

impl Connection {
    /// Resolves, connects and starts the connection's own task, which ends with the connection.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, UpstreamError> {
        let connect = |error: io::Error| UpstreamError::because(ErrorKind::Connect, error);
        let stream = TcpStream::connect(endpoint.address()).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let (sender, driver) = http1::Builder::new()
            .max_header_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| UpstreamError::because(ErrorKind::Connect, error))?;
        // Its errors reach the exchange that they belong to; between exchanges nobody needs them.
        tokio::spawn(async move { drop(driver.with_upgrades().await) });
        Ok(Self(sender))
    }

    pub(super) fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Whether it became free for another request.
    pub(super) async fn ready(&mut self) -> bool {
        self.0.ready().await.is_ok()
    }

    /// Sends a request. One that provably was never sent comes back.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        self.0.try_send_request(request).await.map_err(|mut error: TrySendError<_>| {
            match error.take_message() {
                Some(request) => Unanswered::Unsent(Box::new(request), failure(error.into_error()).unsent()),
                None => Unanswered::Failed(failure(error.into_error())),
            }
        })
    }
}

/// A request without an answer.
pub(super) enum Unanswered {
    /// Not a byte of it was sent.
    Unsent(Box<Request<Body>>, UpstreamError),
    /// Some of it may have arrived.
    Failed(UpstreamError),
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
    UpstreamError::because(kind, error)
}

/// The most bytes of a response head.
const MAX_HEAD: usize = 64 * 1024;
