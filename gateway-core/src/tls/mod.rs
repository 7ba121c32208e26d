//! What both ends of TLS share: the cryptography, and reading certificates and keys.
//!
//! TLS is rustls with aws-lc, named explicitly wherever it is used, so that no other crate's choice of a default
//! provider can change or break it. rustls's own types stay inside: its next major version is not one of ours.

#[cfg(feature = "server")]
mod by_name;
#[cfg(feature = "server")]
mod certificate;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod files;
mod pem;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod session;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::crypto::CryptoProvider;

#[cfg(feature = "server")]
pub use certificate::Certificate;
#[cfg(feature = "client")]
pub use client::ClientTls;
#[cfg(feature = "server")]
pub use files::ServerTlsFiles;
#[cfg(feature = "server")]
pub use server::{ClientAuth, ServerTls, ServerTlsSettings};
#[cfg(feature = "server")]
pub(crate) use session::session;

pub(crate) use pem::{certificates, private_key};

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// A certificate, a key or a setting of TLS that cannot be used. The text never holds any part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfigError(pub(crate) String);

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsConfigError {}

#[cfg(all(test, feature = "server"))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod testing {
    use super::Certificate;

    /// A certificate for these names that signed itself, and its key, as PEM.
    pub(super) fn made(names: &[&str]) -> (String, String) {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    pub(super) fn certificate(names: &[&str]) -> Certificate {
        let (certificate, key) = made(names);
        Certificate::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    }
}
