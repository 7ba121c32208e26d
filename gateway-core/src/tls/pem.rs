//! PEM texts (RFC 7468), read so that a mistake says what is missing.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::TlsConfigError;

/// All certificates of a PEM text, in their order; at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| TlsConfigError(format!("a certificate cannot be read: {error}")))?;
    if all.is_empty() {
        return Err(TlsConfigError("there is no `BEGIN CERTIFICATE` in it".to_owned()));
    }
    Ok(all)
}

/// The first private key of a PEM text: PKCS #8, PKCS #1 or SEC1, not encrypted.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    // The error of the reader may quote what it read, which is a key.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| TlsConfigError("there is no readable `BEGIN PRIVATE KEY` in it".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_and_its_key_are_read_and_mistakes_are_told_without_the_key() {
        let signed = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        let both = format!("{certificate}{key}{certificate}");
        assert_eq!(certificates(both.as_bytes()).unwrap().len(), 2);
        assert!(private_key(both.as_bytes()).is_ok());

        let none = certificates(key.as_bytes()).unwrap_err();
        assert_eq!(none.to_string(), "there is no `BEGIN CERTIFICATE` in it");
        for wrong in [&certificate, "", "-----BEGIN PRIVATE KEY-----\nhush!\n-----END PRIVATE KEY-----\n"] {
            let error = private_key(wrong.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, "there is no readable `BEGIN PRIVATE KEY` in it");
        }
    }
}
