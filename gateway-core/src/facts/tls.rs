use std::{fmt, sync::Arc};

use bytes::Bytes;

/// What the handshake of a connection found out. Cloning shares it.
#[derive(Clone)]
pub struct TlsSession(Arc<Inner>);

struct Inner {
    version: &'static str,
    server_name: Option<String>,
    alpn: Option<String>,
    client: Option<ClientCertificate>,
}

impl TlsSession {
    /// What a server found out. `version` is `TLSv1.2` or `TLSv1.3`.
    #[must_use]
    pub fn new(
        version: &'static str,
        server_name: Option<String>,
        alpn: Option<String>,
        client: Option<ClientCertificate>,
    ) -> Self {
        Self(Arc::new(Inner { version, server_name, alpn, client }))
    }

    /// `TLSv1.2` or `TLSv1.3`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.0.version
    }

    /// The name that the client asked for (SNI), in lower case. The `Host` of a request may be another one.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// The protocol that both agreed upon: `h2` or `http/1.1`.
    #[must_use]
    pub fn alpn(&self) -> Option<&str> {
        self.0.alpn.as_deref()
    }

    /// The certificate that the client showed. It was verified against the authorities of the listener.
    #[must_use]
    pub fn client(&self) -> Option<&ClientCertificate> {
        self.0.client.as_ref()
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("version", &self.version())
            .field("server_name", &self.server_name())
            .field("alpn", &self.alpn())
            .field("client", &self.client())
            .finish()
    }
}

/// Who a client is, by the certificate that it proved to hold.
#[derive(Clone)]
pub struct ClientCertificate {
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Its DNS names, in lower case; wildcards are as they stand there.
    pub dns_names: Vec<String>,
    /// Its URIs, such as `spiffe://example.org/orders`.
    pub uri_names: Vec<String>,
    /// The certificate and those that it came with, as DER.
    pub chain: Vec<Bytes>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate {{ sha256: ")?;
        self.fingerprint.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ", dns_names: {:?}, uri_names: {:?} }}", self.dns_names, self.uri_names)
    }
}
