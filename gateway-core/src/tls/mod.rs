//! What both ends of TLS share: the cryptography, and reading certificates and keys.
//!
//! TLS is rustls with aws-lc, named explicitly wherever it is used, so that no other crate's choice of a default
//! provider can change or break it. rustls's own types stay inside: its next major version is not one of ours.

#[cfg(feature = "client")]
mod client;
mod pem;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::crypto::CryptoProvider;

#[cfg(feature = "client")]
pub use client::ClientTls;
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
