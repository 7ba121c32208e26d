//! Where signatures are checked. The provider is named here and passed on: `jsonwebtoken` panics at its first use if
//! both of its back ends are built in, or neither, and nobody installed one; nothing here asks for what is installed.

#[cfg(feature = "jwt")]
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
#[cfg(not(feature = "jwt"))]
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;

use jsonwebtoken::{Algorithm as Name, DecodingKey};

use super::Algorithm;

/// Whether this is the signature of the message by this key and this algorithm.
pub(super) fn is_signed(
    key: &DecodingKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &Vec<u8>,
) -> bool {
    let verifier = (DEFAULT_PROVIDER.verifier_factory)(&name(algorithm), key);
    verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
}

/// A signature, for tests.
#[cfg(test)]
pub(super) fn sign(key: &jsonwebtoken::EncodingKey, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let signer = (DEFAULT_PROVIDER.signer_factory)(&name(algorithm), key).unwrap();
    signer.try_sign(message).unwrap()
}

const fn name(algorithm: Algorithm) -> Name {
    match algorithm {
        Algorithm::Hs256 => Name::HS256,
        Algorithm::Hs384 => Name::HS384,
        Algorithm::Hs512 => Name::HS512,
        Algorithm::Rs256 => Name::RS256,
        Algorithm::Rs384 => Name::RS384,
        Algorithm::Rs512 => Name::RS512,
        Algorithm::Ps256 => Name::PS256,
        Algorithm::Ps384 => Name::PS384,
        Algorithm::Ps512 => Name::PS512,
        Algorithm::Es256 => Name::ES256,
        Algorithm::Es384 => Name::ES384,
        Algorithm::EdDsa => Name::EdDSA,
    }
}
