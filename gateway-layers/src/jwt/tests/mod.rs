#[cfg(feature = "config")]
mod config;
mod forged;
mod key_sets;
mod keys;
mod remote;
mod service;

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::{Algorithm, VerifyingKey, algorithm::Kind, backend, pem};

/// When everything in these tests happens, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://login.example.com";
const SECRET: &[u8] = b"a secret of sixty-four bytes, as long as the hash of HS512 is...";

/// What an issuer holds: a private key, and what it says about it.
#[derive(Clone)]
struct Signer {
    kid: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn new(kid: &'static str, algorithm: Algorithm) -> Self {
        Self::of(
            kid,
            algorithm,
            match algorithm.kind() {
                Kind::Secret => return Self { kid, algorithm, key: EncodingKey::from_secret(SECRET) },
                Kind::Rsa => keys::RSA,
                Kind::P256 => keys::P256,
                Kind::P384 => keys::P384,
                Kind::Ed25519 => keys::ED25519,
            },
        )
    }

    fn of(kid: &'static str, algorithm: Algorithm, private: &str) -> Self {
        let (_, der) = pem::unwrap(private).unwrap();
        let key = match algorithm.kind() {
            Kind::Secret => EncodingKey::from_secret(private.as_bytes()),
            Kind::Rsa => EncodingKey::from_rsa_der(&der),
            Kind::P256 | Kind::P384 => EncodingKey::from_ec_der(&der),
            Kind::Ed25519 => EncodingKey::from_ed_der(&der),
        };
        Self { kid, algorithm, key }
    }

    /// What checks its tokens.
    fn key(&self) -> VerifyingKey {
        let key = match self.algorithm.kind() {
            Kind::Secret => VerifyingKey::secret(self.algorithm, SECRET),
            Kind::Rsa => VerifyingKey::pem(self.algorithm, keys::RSA_PUBLIC),
            Kind::P256 => VerifyingKey::pem(self.algorithm, keys::P256_PUBLIC),
            Kind::P384 => VerifyingKey::pem(self.algorithm, keys::P384_PUBLIC),
            Kind::Ed25519 => VerifyingKey::pem(self.algorithm, keys::ED25519_PUBLIC),
        };
        key.unwrap().kid(self.kid)
    }

    fn header(&self) -> Value {
        json!({"alg": self.algorithm.as_str(), "kid": self.kid, "typ": "JWT"})
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token of these texts, whatever they are.
    fn sign(&self, header: &str, payload: &str) -> String {
        self.sign_encoded(&encode(header), &encode(payload))
    }

    fn sign_encoded(&self, header: &str, payload: &str) -> String {
        let message = format!("{header}.{payload}");
        let signature = backend::sign(&self.key, self.algorithm, message.as_bytes());
        format!("{message}.{}", encode(signature))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "orders", "sub": "ada", "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 600,
        "scope": "orders:read orders:write", "org": "shop", "realm_access": {"roles": ["clerk"]},
    })
}

/// The usual claims with one of them set to something else, or removed with `Value::Null`.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// One signer for each kind of key.
fn signers() -> Vec<Signer> {
    [
        ("rs", Algorithm::Rs256),
        ("ps", Algorithm::Ps256),
        ("es", Algorithm::Es256),
        ("es384", Algorithm::Es384),
        ("ed", Algorithm::EdDsa),
        ("hs", Algorithm::Hs256),
    ]
    .map(|(kid, algorithm)| Signer::new(kid, algorithm))
    .to_vec()
}
