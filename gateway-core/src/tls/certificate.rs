use std::{fmt, sync::Arc};

use rustls::{Error, InconsistentKeys, pki_types::DnsName, sign::CertifiedKey};
use webpki::EndEntityCert;

use super::{TlsConfigError, certificates, private_key, provider};

/// A certificate with its chain and the key that fits it. Cloning shares it.
#[derive(Clone)]
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    names: Arc<[String]>,
}

/// The same certificates for the same names: the key is the one that fits.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert && self.names == other.names
    }
}

impl Certificate {
    /// Reads PEM texts: the certificate first and then what leads to its issuer, and the key (PKCS #8, PKCS #1 or
    /// SEC1, not encrypted). Both may be the same text.
    ///
    /// # Errors
    /// When one cannot be read, or the key does not fit the certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain = certificates(chain).map_err(|error| TlsConfigError(format!("certificate: {error}")))?;
        let key = private_key(key).map_err(|error| TlsConfigError(format!("key: {error}")))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(unusable)?;
        let names = names(&key).map_err(|error| TlsConfigError(format!("certificate: {error}")))?;
        Ok(Self { key: Arc::new(key), names })
    }

    /// The names that it is shown for: those in the certificate, or those that were asked for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Shows it for these names instead of those in it: `api.example.com`, or `*.example.com` for every name with
    /// one label more.
    ///
    /// # Errors
    /// When one is no DNS name.
    pub fn named(mut self, names: impl IntoIterator<Item = String>) -> Result<Self, TlsConfigError> {
        let names = names.into_iter().map(|name| {
            let name = name.to_ascii_lowercase();
            match DnsName::try_from(name.strip_prefix("*.").unwrap_or(&name)) {
                Ok(_) => Ok(name),
                Err(_) => Err(TlsConfigError(format!("`{name}` is no DNS name"))),
            }
        });
        self.names = names.collect::<Result<_, _>>()?;
        Ok(self)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).finish_non_exhaustive()
    }
}

fn names(key: &CertifiedKey) -> Result<Arc<[String]>, String> {
    let der = key.end_entity_cert().map_err(|error| error.to_string())?;
    let parsed = EndEntityCert::try_from(der).map_err(|error| error.to_string())?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

fn unusable(error: Error) -> TlsConfigError {
    TlsConfigError(match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the key does not fit the certificate".to_owned()
        }
        Error::InvalidCertificate(error) => format!("certificate: {error}"),
        // Whatever else it is, it is about the key, and must not quote it.
        _ => "key: it is of a kind that cannot be used".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::made;

    #[test]
    fn a_key_must_fit_its_certificate_and_names_are_those_in_it() {
        let ((certificate, key), (_, other)) = (made(&["A.test", "*.b.test"]), made(&["c.test"]));
        let read = Certificate::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(read.names(), ["a.test", "*.b.test"]);
        let error = Certificate::from_pem(certificate.as_bytes(), other.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the key does not fit the certificate");
        let error = Certificate::from_pem(key.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "certificate: there is no `BEGIN CERTIFICATE` in it");
    }

    #[test]
    fn names_can_be_chosen_and_must_be_names() {
        let (certificate, key) = made(&["a.test"]);
        let read = Certificate::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let named = read.clone().named(["*.X.test".to_owned()]).unwrap();
        assert_eq!(named.names(), ["*.x.test"]);
        for wrong in ["", "*", "a b", "http://a", "*.*.a"] {
            assert!(read.clone().named([wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn its_key_never_prints() {
        let (certificate, key) = made(&["a.test"]);
        let read = Certificate::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(format!("{read:?}"), "Certificate { names: [\"a.test\"], .. }");
    }
}
