use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::{
    body::Incoming,
    client::conn::{http1 as client1, http2 as client2},
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::DuplexStream;
use tower_service::Service;

use crate::{Body, BoxError, oneshot::Oneshot};

/// A server in memory: a whole HTTP exchange over a pipe, so that it also works in paused time.
#[derive(Clone, Debug)]
pub struct MemoryServer<S> {
    service: S,
}

impl<S, B> MemoryServer<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// A server of this service.
    pub fn new(service: S) -> Self {
        Self { service }
    }

    /// A new HTTP/1.1 connection, to be spoken to by hand.
    #[must_use]
    pub fn raw(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(PIPE);
        let service = self.hyper();
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(server), service);
        tokio::spawn(async move { drop(connection.await) });
        client
    }

    /// Sends one request over a new HTTP/1.1 connection.
    ///
    /// # Errors
    /// When the exchange breaks off.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
        let (mut sender, connection) = client1::handshake(TokioIo::new(self.raw())).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender.send_request(request).await?)
    }

    /// Sends one request over a new HTTP/2 connection.
    ///
    /// # Errors
    /// When the exchange breaks off.
    pub async fn send_http2(&self, request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
        let (client, server) = tokio::io::duplex(PIPE);
        let service = self.hyper();
        let connection =
            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(server), service);
        tokio::spawn(async move { drop(connection.await) });
        let (mut sender, connection) = client2::handshake(TokioExecutor::new(), TokioIo::new(client)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender.send_request(request).await?)
    }

    fn hyper(
        &self,
    ) -> impl hyper::service::Service<
        Request<Incoming>,
        Response = Response<B>,
        Error = BoxError,
        Future: Send,
    > + Send
    + use<S, B> {
        let service = self.service.clone();
        hyper::service::service_fn(move |request| {
            let answer = Oneshot::new(service.clone(), request);
            async move { answer.await.map_err(Into::into) }
        })
    }
}

/// Bytes that a pipe holds before its writer waits.
const PIPE: usize = 64 * 1024;
