//! Which certificate is shown, told by the name that the client asks for (SNI, RFC 6066 section 3).

use std::{collections::HashMap, sync::Arc};

use rustls::{
    SignatureScheme,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::Certificate;

/// An exact name wins over a wildcard, which stands for exactly one label. Of several for one name the first is
/// taken whose key the client can check.
#[derive(Debug, Default)]
pub(super) struct ByName {
    exact: Names,
    /// By what follows `*.`.
    wildcard: Names,
    /// For a name that nobody has and for clients that ask for none.
    otherwise: Vec<Arc<CertifiedKey>>,
}

type Names = HashMap<String, Vec<Arc<CertifiedKey>>>;

impl ByName {
    /// The first certificate is shown where no name fits, unless such clients are refused.
    pub(super) fn new(certificates: &[Certificate], refuse_unknown: bool) -> Self {
        let mut all = Self::default();
        for certificate in certificates {
            for name in certificate.names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut all.wildcard, rest),
                    None => (&mut all.exact, &**name),
                };
                names.entry(name.to_owned()).or_default().push(Arc::clone(&certificate.key));
            }
        }
        if !refuse_unknown {
            all.otherwise = certificates.iter().map(|certificate| Arc::clone(&certificate.key)).collect();
        }
        all
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let wild = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(name).or_else(wild)
        });
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        named.unwrap_or(&self.otherwise).iter().find(usable).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::certificate;

    const SCHEMES: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];

    #[test]
    fn exact_before_wildcard_before_the_first() {
        let all = [certificate(&["a.test"]), certificate(&["*.b.test"]), certificate(&["x.b.test"])];
        let lenient = ByName::new(&all, false);
        let strict = ByName::new(&all, true);
        for (name, found, strictly) in [
            (Some("a.test"), 0, Some(0)),
            (Some("y.b.test"), 1, Some(1)),
            (Some("x.b.test"), 2, Some(2)),
            (Some("b.test"), 0, None),
            (Some("z.y.b.test"), 0, None),
            (Some("test"), 0, None),
            (None, 0, None),
        ] {
            let is = |by_name: &ByName| {
                let key = by_name.choose(name, SCHEMES)?;
                all.iter().position(|certificate| Arc::ptr_eq(&certificate.key, &key))
            };
            assert_eq!(is(&lenient), Some(found), "{name:?}");
            assert_eq!(is(&strict), strictly, "{name:?}");
        }
    }

    #[test]
    fn a_certificate_that_the_client_cannot_check_is_not_shown() {
        let all = [certificate(&["a.test"])];
        let by_name = ByName::new(&all, false);
        assert!(by_name.choose(Some("a.test"), &[SignatureScheme::ED25519]).is_none());
    }
}
