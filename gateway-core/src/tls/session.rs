//! What a handshake found out, as facts.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use rustls::{ProtocolVersion, ServerConnection, pki_types::CertificateDer};
use webpki::EndEntityCert;

use crate::facts::{ClientCertificate, TlsSession};

/// Makes the facts of a connection whose handshake is done.
pub(crate) fn session(connection: &ServerConnection) -> TlsSession {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "unknown",
    };
    let alpn = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    let client = connection.peer_certificates().and_then(identity);
    TlsSession::new(version, connection.server_name().map(str::to_owned), alpn, client)
}

/// The chain was verified in the handshake, or there is none.
fn identity(chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
    let own = chain.first()?;
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, own).as_ref());
    let (dns_names, uri_names) = match EndEntityCert::try_from(own) {
        Ok(parsed) => (
            parsed.valid_dns_names().map(str::to_ascii_lowercase).collect(),
            parsed.valid_uri_names().map(str::to_owned).collect(),
        ),
        // What was verified can be read; without names it matches nothing.
        Err(_) => (Vec::new(), Vec::new()),
    };
    let chain = chain.iter().map(|der| Bytes::copy_from_slice(der)).collect();
    Some(ClientCertificate { fingerprint, dns_names, uri_names, chain })
}
