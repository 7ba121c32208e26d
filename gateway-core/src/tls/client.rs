//! [`ClientTls`]: how an upstream is recognised over TLS, and how it recognises us.

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{TlsConfigError, certificates, private_key, provider};

/// TLS towards an upstream, described: TLS 1.3 or 1.2, and its certificate is always checked.
///
/// Without any setting the certificate has to be signed by one of the system's authorities and be valid for the host
/// in the endpoint's URL. There is no switch that turns this off: name the authority of a private certificate instead.
///
/// ```
/// use gateway_core::{tls::ClientTls, upstream::Upstream};
///
/// let tls = ClientTls::default().authorities("not a certificate");
/// let error = Upstream::new(["https://10.0.0.1:8443"]).tls(tls).build().unwrap_err();
/// assert_eq!(error.to_string(), "tls: authorities: there is no `BEGIN CERTIFICATE` in it");
/// ```
#[derive(Clone, Default)]
pub struct ClientTls {
    authorities: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
    names: Vec<String>,
}

impl ClientTls {
    /// The authorities that may have signed the upstream's certificate, as PEM, instead of the system's.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// The certificate that we show, with those that lead to its authority, and its private key; both PEM.
    #[must_use]
    pub fn identity(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((certificates.into(), key.into()));
        self
    }

    /// The name that is asked for (SNI) and has to stand in the certificate, instead of the URL's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Names of which the certificate has to hold one, besides everything else: DNS names or URIs such as
    /// `spiffe://cluster/ns/shop/sa/orders`, compared as they are written. None by default.
    #[must_use]
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The name to ask a host for.
    pub(crate) fn name_of(&self, host: &str) -> Result<ServerName<'static>, TlsConfigError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned())
            .map_err(|_| TlsConfigError(format!("server_name: `{name}` is no host name and no address")))
    }

    /// What rustls makes connections of, offering these protocols (ALPN).
    pub(crate) fn config(&self, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsConfigError> {
        let of = |what: &'static str| move |error: TlsConfigError| TlsConfigError(format!("{what}: {error}"));
        let roots = match &self.authorities {
            Some(pem) => roots(certificates(pem).map_err(of("authorities"))?).map_err(of("authorities"))?,
            None => system_roots()?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|error| TlsConfigError(format!("authorities: {error}")))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError(error.to_string()))?;
        let builder = match self.names.is_empty() {
            true => builder.with_webpki_verifier(verifier),
            false => {
                let names = self.names.clone().into();
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Named { verifier, names }))
            }
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain).map_err(of("certificate"))?;
                let key = private_key(key).map_err(of("key"))?;
                // The error tells whether the two belong together, and nothing of the key.
                let refused = |error| TlsConfigError(format!("certificate and key cannot be used: {error}"));
                builder.with_client_auth_cert(chain, key).map_err(refused)?
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// Tells one description from another, and shows nothing of the key: a certificate belongs to one key alone.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |pem: &Vec<u8>| BuildHasherDefault::<DefaultHasher>::default().hash_one(pem);
        f.debug_struct("ClientTls")
            .field("authorities", &self.authorities.as_ref().map(mark))
            .field("certificate", &self.identity.as_ref().map(|(certificate, _)| mark(certificate)))
            .field("server_name", &self.server_name)
            .field("names", &self.names)
            .finish()
    }
}

fn roots(authorities: Vec<CertificateDer<'static>>) -> Result<Arc<RootCertStore>, TlsConfigError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let wrong = |error| TlsConfigError(format!("a certificate cannot be an authority: {error}"));
        roots.add(authority).map_err(wrong)?;
    }
    Ok(Arc::new(roots))
}

/// The system's authorities, read once. Single ones that cannot be read are left out, as every client does.
fn system_roots() -> Result<Arc<RootCertStore>, TlsConfigError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        let none = "authorities: this system has none; name the upstream's own";
        return Err(TlsConfigError(none.to_owned()));
    }
    Ok(Arc::clone(roots))
}

/// Asks for one of some names after everything else was found to be right.
#[derive(Debug)]
struct Named {
    verifier: Arc<WebPkiServerVerifier>,
    names: Arc<[String]>,
}

impl Named {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
        let certificate = webpki::EndEntityCert::try_from(certificate).map_err(bad)?;
        let is_wanted = |name: &str| self.names.iter().any(|wanted| wanted == name);
        if certificate.valid_dns_names().any(is_wanted) || certificate.valid_uri_names().any(is_wanted) {
            return Ok(());
        }
        let unnamed = OtherError(Arc::new(Unnamed(Arc::clone(&self.names))));
        Err(Error::InvalidCertificate(CertificateError::Other(unnamed)))
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.verifier.verify_server_cert(certificate, intermediates, server_name, ocsp_response, now)?;
        self.check(certificate).map(|()| verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The certificate holds none of the wanted names.
#[derive(Debug)]
struct Unnamed(Arc<[String]>);

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate names none of {}", self.0.join(", "))
    }
}

impl std::error::Error for Unnamed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_found_when_it_is_built_and_never_show_a_key() {
        let signed = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        let other = rcgen::generate_simple_self_signed(["b.test".to_owned()]).unwrap();
        let with = || ClientTls::default().authorities(certificate.clone());
        assert!(with().identity(certificate.clone(), key.clone()).config(&[b"h2"]).is_ok());
        for (tls, why) in [
            (with().authorities(key.clone()), "authorities: there is no `BEGIN CERTIFICATE` in it"),
            (with().identity("", key.clone()), "certificate: there is no `BEGIN CERTIFICATE` in it"),
            (
                with().identity(certificate.clone(), "hush"),
                "key: there is no readable `BEGIN PRIVATE KEY` in it",
            ),
            (
                with().identity(certificate.clone(), other.signing_key.serialize_pem()),
                "certificate and key cannot be used: keys may not be consistent: KeyMismatch",
            ),
        ] {
            let shown = format!("{tls:?}");
            assert!(!shown.contains("BEGIN") && !shown.contains("hush"), "{shown}");
            assert_eq!(tls.config(&[]).unwrap_err().to_string(), why);
        }
        assert!(ClientTls::default().name_of("10.0.0.1").is_ok());
        let error = with().server_name("a b").name_of("x").unwrap_err().to_string();
        assert_eq!(error, "server_name: `a b` is no host name and no address");
    }
}
