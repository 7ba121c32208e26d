use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    RootCertStore, ServerConfig, crypto::aws_lc_rs::Ticketer, server::WebPkiClientVerifier, version,
};

use super::{Certificate, ServerTlsFiles, TlsConfigError, by_name::ByName, certificates, provider};

/// What a server shows and asks for, not yet in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerTlsSettings {
    certificates: Vec<Certificate>,
    refuse_unknown_names: bool,
    clients: Option<(Vec<u8>, ClientAuth)>,
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Who shows none, or one that the CA did not sign, is refused in the handshake.
    Required,
    /// Who shows none is served without an identity; one that the CA did not sign is refused.
    Optional,
}

impl ServerTlsSettings {
    /// With these certificates. Each is shown to clients that ask for one of its names; the first also to those that
    /// ask for none or for a name that no certificate has.
    pub fn new(certificates: impl IntoIterator<Item = Certificate>) -> Self {
        Self { certificates: certificates.into_iter().collect(), ..Self::default() }
    }

    /// Refuses clients that ask for no name, or for one that no certificate has, in the handshake.
    #[must_use]
    pub fn refuse_unknown_names(mut self, refuse: bool) -> Self {
        self.refuse_unknown_names = refuse;
        self
    }

    /// Asks clients for a certificate that one of these authorities signed (a PEM text of one or more).
    #[must_use]
    pub fn clients(mut self, authorities: &[u8], auth: ClientAuth) -> Self {
        self.clients = Some((authorities.to_vec(), auth));
        self
    }

    /// TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1, no early data. Every set has ticket keys of its own: a session that
    /// began under other authorities is not resumed under these.
    fn build(&self) -> Result<Arc<ServerConfig>, TlsConfigError> {
        if self.certificates.is_empty() {
            return Err(TlsConfigError("a server needs a certificate".to_owned()));
        }
        let unusable = |error: rustls::Error| TlsConfigError(error.to_string());
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(unusable)?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some((authorities, auth)) => builder.with_client_cert_verifier(verifier(authorities, *auth)?),
        };
        let by_name = ByName::new(&self.certificates, self.refuse_unknown_names);
        let mut config = builder.with_cert_resolver(Arc::new(by_name));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new().map_err(unusable)?;
        Ok(Arc::new(config))
    }
}

fn verifier(
    authorities: &[u8],
    auth: ClientAuth,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsConfigError> {
    let wrong = |error: &dyn fmt::Display| TlsConfigError(format!("client CA: {error}"));
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities).map_err(|error| wrong(&error))? {
        roots.add(authority).map_err(|error| wrong(&error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    match auth {
        ClientAuth::Required => builder,
        ClientAuth::Optional => builder.allow_unauthenticated(),
    }
    .build()
    .map_err(|error| wrong(&error))
}

/// TLS of a server: what new connections are shown, which can be replaced while it runs. Cloning shares it.
///
/// Connections that are open keep what they began with.
#[derive(Clone)]
pub struct ServerTls(Arc<Shared>);

struct Shared {
    current: RwLock<Current>,
    files: Option<ServerTlsFiles>,
}

#[derive(Clone)]
struct Current {
    settings: ServerTlsSettings,
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// TLS with these settings.
    ///
    /// # Errors
    /// When there is no certificate, or the authorities of clients cannot be read: nobody is served without the
    /// check that was asked for.
    pub fn new(settings: &ServerTlsSettings) -> Result<Self, TlsConfigError> {
        Self::made(settings, None)
    }

    /// TLS with what these files hold, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when a file cannot be read or used.
    pub fn from_files(files: ServerTlsFiles) -> Result<Self, TlsConfigError> {
        Self::made(&files.read()?, Some(files))
    }

    fn made(settings: &ServerTlsSettings, files: Option<ServerTlsFiles>) -> Result<Self, TlsConfigError> {
        let current = RwLock::new(Current { settings: settings.clone(), config: settings.build()? });
        Ok(Self(Arc::new(Shared { current, files })))
    }

    /// New connections begin with these settings from here on.
    ///
    /// # Errors
    /// As [`new`](Self::new); then what was there stays.
    pub fn replace(&self, settings: &ServerTlsSettings) -> Result<(), TlsConfigError> {
        self.set(Current { settings: settings.clone(), config: settings.build()? });
        Ok(())
    }

    /// New connections begin with what the other one has now, if it is something else: sessions of clients go on where
    /// nothing changed. Returns whether it is.
    pub fn follow(&self, other: &Self) -> bool {
        let next = other.get();
        let differs = self.get().settings != next.settings;
        if differs {
            self.set(next);
        }
        differs
    }

    /// Reads the files again, all of them or none.
    ///
    /// # Errors
    /// When one of them cannot be read or used; then what was there stays. Also when it was not made of files.
    pub fn reload(&self) -> Result<(), TlsConfigError> {
        let files = self.0.files.as_ref();
        let files = files.ok_or_else(|| TlsConfigError("there are no files to read again".to_owned()))?;
        self.replace(&files.read()?)
    }

    /// What a connection begins with now.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner).config)
    }

    fn get(&self) -> Current {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, next: Current) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.0.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::{certificate, made};

    #[test]
    fn fails_closed() {
        let error = ServerTls::new(&ServerTlsSettings::default()).unwrap_err();
        assert_eq!(error.to_string(), "a server needs a certificate");
        let settings = ServerTlsSettings::new([certificate(&["a.test"])]);
        for (authorities, why) in [
            ("", "client CA: there is no `BEGIN CERTIFICATE` in it"),
            (&*made(&["key.test"]).1, "client CA: there is no `BEGIN CERTIFICATE` in it"),
        ] {
            for auth in [ClientAuth::Required, ClientAuth::Optional] {
                let settings = settings.clone().clients(authorities.as_bytes(), auth);
                assert_eq!(ServerTls::new(&settings).unwrap_err().to_string(), why);
            }
        }
    }

    #[test]
    fn what_cannot_be_used_replaces_nothing() {
        let tls = ServerTls::new(&ServerTlsSettings::new([certificate(&["a.test"])])).unwrap();
        let first = tls.current();
        tls.replace(&ServerTlsSettings::default()).unwrap_err();
        assert_eq!(tls.reload().unwrap_err().to_string(), "there are no files to read again");
        assert!(Arc::ptr_eq(&first, &tls.current()));
        tls.replace(&ServerTlsSettings::new([certificate(&["b.test"])])).unwrap();
        assert!(!Arc::ptr_eq(&first, &tls.current()));
    }

    #[test]
    fn follows_what_differs_and_keeps_its_tickets_otherwise() {
        let (a, b) = (certificate(&["a.test"]), certificate(&["b.test"]));
        let with = |certificate: &Certificate| ServerTlsSettings::new([certificate.clone()]);
        let tls = ServerTls::new(&with(&a)).unwrap();
        let first = tls.current();
        assert!(!tls.follow(&ServerTls::new(&with(&a)).unwrap()));
        assert!(Arc::ptr_eq(&first, &tls.current()));
        let (stricter, other) = (with(&a).refuse_unknown_names(true), with(&b));
        for next in [stricter, other] {
            let next = ServerTls::new(&next).unwrap();
            assert!(tls.follow(&next));
            assert!(Arc::ptr_eq(&next.current(), &tls.current()));
        }
    }
}
