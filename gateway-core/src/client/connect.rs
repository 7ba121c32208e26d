use std::{io, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    h1,
    h2::{self, Sender},
    places::Slot,
    socket::{Socket, Wire},
};
use crate::{
    Body, Clock, UpstreamError,
    error::ErrorKind,
    upstream::{Endpoint, Protocol, Settings, UpstreamConfigError},
};

/// How connections to one endpoint come about.
pub(super) struct Connector {
    endpoint: Endpoint,
    protocol: Protocol,
    timeout: Duration,
    clock: Clock,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

#[cfg(feature = "tls")]
struct Tls {
    connector: tokio_rustls::TlsConnector,
    /// Offers HTTP/1.1 alone.
    http1: tokio_rustls::TlsConnector,
    name: rustls::pki_types::ServerName<'static>,
}

/// A connection that came about.
pub(super) enum Opened {
    Http1(hyper::client::conn::http1::SendRequest<Body>),
    Http2(Sender),
}

impl Connector {
    pub(super) fn new(endpoint: Endpoint, settings: &Settings) -> Result<Self, UpstreamConfigError> {
        // Without TLS nothing tells which of the two the endpoint speaks.
        let protocol = match (endpoint.is_https(), settings.protocol) {
            (false, Protocol::Auto) => Protocol::Http1,
            (_, protocol) => protocol,
        };
        Ok(Self {
            #[cfg(feature = "tls")]
            tls: endpoint.is_https().then(|| Tls::new(&endpoint, protocol, settings)).transpose()?,
            endpoint,
            protocol,
            timeout: settings.connect_timeout,
            clock: Clock::default(),
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Resolves, connects, agrees on TLS and a protocol, and starts the connection's own task, which ends with the
    /// connection. All within the connect timeout.
    pub(super) async fn open(&self, slot: Slot) -> Result<Opened, UpstreamError> {
        self.in_time(self.dial(slot, self.protocol)).await
    }

    /// The same with HTTP/1.1, for requests that switch protocols.
    pub(super) async fn open_http1(
        &self,
        slot: Slot,
    ) -> Result<hyper::client::conn::http1::SendRequest<Body>, UpstreamError> {
        match self.protocol {
            Protocol::Http2 => {}
            Protocol::Http1 | Protocol::Auto => {
                if let Opened::Http1(sender) = self.in_time(self.dial(slot, Protocol::Http1)).await? {
                    return Ok(sender);
                }
            }
        }
        let never = "an upstream that speaks HTTP/2 alone switches to no other protocol";
        Err(UpstreamError::because(ErrorKind::Protocol, never).unsent())
    }

    async fn in_time<T>(
        &self,
        dial: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        let until = self.clock.now() + self.timeout;
        self.clock.timeout(until, dial).await.unwrap_or_else(|| {
            let silent = format!("no connection within {:?}", self.timeout);
            Err(UpstreamError::because(ErrorKind::Connect, silent))
        })
    }

    async fn dial(&self, slot: Slot, protocol: Protocol) -> Result<Opened, UpstreamError> {
        let connect = |error: io::Error| UpstreamError::because(ErrorKind::Connect, error);
        let stream = TcpStream::connect(self.endpoint.address()).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let (wire, protocol) = self.secure(stream, protocol).await?;
        let io = TokioIo::new(Socket::new(wire, slot));
        let handshake = match protocol {
            Protocol::Http2 => h2::start(io).await.map(Opened::Http2),
            Protocol::Http1 | Protocol::Auto => h1::start(io).await.map(Opened::Http1),
        };
        handshake.map_err(|error| UpstreamError::because(ErrorKind::Connect, error))
    }

    /// The wire, and the protocol that is spoken over it.
    #[cfg(feature = "tls")]
    async fn secure(&self, stream: TcpStream, wanted: Protocol) -> Result<(Wire, Protocol), UpstreamError> {
        let Some(tls) = &self.tls else { return Ok((Wire::Plain(stream), wanted)) };
        let failed = |why: String| UpstreamError::because(ErrorKind::Connect, format!("TLS: {why}"));
        let connector = if wanted == Protocol::Http1 { &tls.http1 } else { &tls.connector };
        let handshake = connector.connect(tls.name.clone(), stream).await;
        let stream = handshake.map_err(|error| failed(error.to_string()))?;
        let agreed = stream.get_ref().1.alpn_protocol();
        let protocol = match (wanted, agreed) {
            (Protocol::Http1, _) => Protocol::Http1,
            (_, Some(b"h2")) => Protocol::Http2,
            (Protocol::Auto, _) => Protocol::Http1,
            (Protocol::Http2, _) => return Err(failed("the endpoint does not offer h2 (ALPN)".to_owned())),
        };
        Ok((Wire::Tls(Box::new(stream)), protocol))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, stream: TcpStream, wanted: Protocol) -> Result<(Wire, Protocol), UpstreamError> {
        Ok((Wire::Plain(stream), wanted))
    }
}

#[cfg(feature = "tls")]
impl Tls {
    fn new(
        endpoint: &Endpoint,
        protocol: Protocol,
        settings: &Settings,
    ) -> Result<Self, UpstreamConfigError> {
        let offered: &[&[u8]] = match protocol {
            Protocol::Http1 => &[b"http/1.1"],
            Protocol::Http2 => &[b"h2"],
            Protocol::Auto => &[b"h2", b"http/1.1"],
        };
        let wrong = |error| UpstreamConfigError(format!("tls: {error}"));
        let tls = settings.tls.clone().unwrap_or_default();
        let name = tls.name_of(endpoint.address().0).map_err(wrong)?;
        let config = tls.config(offered).map_err(wrong)?;
        let mut http1 = (*config).clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: config.into(), http1: std::sync::Arc::new(http1).into(), name })
    }
}
