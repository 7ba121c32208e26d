//! Who may enter the demo: a key pair made at start, its public half as a key set, and a token signed with it.

use std::{error::Error, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway_layers::core::Clock;
use serde_json::{Value, json};

/// Signs tokens for as long as the process lives; its private key is nowhere else.
pub(crate) struct Identity {
    pair: EcdsaKeyPair,
}

impl Identity {
    /// With a new key pair.
    pub(crate) fn new() -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)? })
    }

    /// The public key, as a JSON Web Key Set (RFC 7517).
    pub(super) fn key_set(&self) -> Value {
        // An uncompressed point: a byte 4, then both coordinates.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.split_at(1).1.split_at(32);
        let text = |coordinate| URL_SAFE_NO_PAD.encode(coordinate);
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY, "x": text(x), "y": text(y),
        }] })
    }

    /// A token for a user of the shop, valid for an hour.
    pub(crate) fn token(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let now = Clock::default().wall().duration_since(std::time::UNIX_EPOCH)?;
        let expires = now + Duration::from_secs(3600);
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY });
        let claims = json!({
            "iss": "https://identity.shop.example", "aud": "shop", "sub": "ada", "tenant": "blue",
            "scope": "users:read orders:read", "roles": ["customer"],
            "iat": now.as_secs(), "exp": expires.as_secs(),
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

const KEY: &str = "demo-1";
